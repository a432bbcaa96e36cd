"""What a run came to is told in text, pictures and tables, and compared with another run."""

from __future__ import annotations

import builtins
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from benchmarks.measuring.contest import BY_HAND, OURS, Goal
from benchmarks.measuring.outcome import ContestOutcome, RunOutcome
from benchmarks.report.compare import compared, comparison, history, past_runs, warnings
from benchmarks.report.numbers import bytes_text, cost_text, times_text
from benchmarks.report.page import END, updated
from benchmarks.report.plot import plot, plot_changes, plot_history
from benchmarks.report.price_list import SECTIONS
from benchmarks.report.prices import missing, prices
from benchmarks.report.record import save
from benchmarks.report.table import BEGIN, table
from benchmarks.report.terminal import block, busy, head, legend, summary

from .outcomes import VERSIONS, a_contest, a_count, a_large_run, a_row, a_run, fail

WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Z")), max_size=160)


def with_failures() -> ContestOutcome:
    contest = a_contest()
    fail(contest, "anyio", "broke its promise", "limit 100, 113 in flight")
    fail(contest, "langchain", "wrong outputs", "99 outputs came, not 100")
    return contest


def smoked() -> ContestOutcome:
    contest = with_failures()
    for row in contest.rows:
        row.cpu, row.wall = [], []
    return contest


def line_of(text: str, start: str) -> str:
    """The line that begins with this."""
    return next(line for line in text.splitlines() if line.strip().startswith(start))


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.0237, "0.024"), (0.4, "0.4"), (1, "1"), (1.314, "1.31"), (12.3, "12"),
         (1234.5, "1,234"), (float("inf"), "∞")],
    )  # fmt: skip
    def test_a_ratio_has_two_or_three_digits(self, value: float, text: str) -> None:
        assert times_text(value) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.01234, "0.0123"), (3.4, "3.40"), (10_020, "10,020"), (70.23, "70.2")],
    )
    def test_a_cost_has_three_digits_and_a_count_all(self, value: float, text: str) -> None:
        assert cost_text(value) == text

    @pytest.mark.parametrize(
        ("size", "text"), [(12, "12 B"), (1_500, "1.5 kB"), (12_345_678, "12.3 MB")]
    )
    def test_memory_is_told_in_a_unit_that_fits(self, size: float, text: str) -> None:
        assert bytes_text(size) == text


class TestBlock:
    def test_rows_stand_from_cheapest_to_dearest(self) -> None:
        text = block(a_contest(), VERSIONS)
        names = ["by-hand", "fluxus_rx", "streamable", "anyio", "aiometer", "fluxus", "langchain"]
        found = [line.split()[0] for line in text.splitlines() if line.split()[0] in names]
        assert found == names

    def test_a_row_has_cost_spread_ratio_promises_and_note(self) -> None:
        row = line_of(block(a_contest(), VERSIONS), "streamable")
        assert re.fullmatch(
            r"  streamable +\d\.\d\d +<?\d+% +1\.\d+ \(\d.*–.*\) +-lOB-  keeps no lineage", row
        )

    def test_the_subject_costs_once_itself(self) -> None:
        assert re.search(r"% +1 +LlOBC$", line_of(block(a_contest(), VERSIONS), "fluxus_rx"))

    def test_what_broke_its_promise_is_not_ranked(self) -> None:
        lines = block(with_failures(), VERSIONS).splitlines()
        place = lines.index("  anyio: broke its promise: limit 100, 113 in flight")
        assert place > lines.index(line_of("\n".join(lines), "fluxus "))

    def test_goals_are_met_or_not_or_cannot_be_told(self) -> None:
        contest = with_failures()
        contest.goals = [Goal(2), Goal(1.1), Goal(1 / 20, "fluxus"), Goal(2, "anyio")]
        text = block(contest, VERSIONS)
        assert "fluxus_rx at most 2x of by-hand: met, 1." in text
        assert "fluxus_rx at most 1.1x of by-hand: not met, 1." in text
        assert re.search(r"at least 20x cheaper than fluxus: can't tell, [12]\dx \(1\d–2\d\)", text)
        assert "goals, not measured: fluxus_rx at most 2x of anyio" in text

    def test_a_goal_against_who_is_not_in_the_run_is_not_told(self) -> None:
        contest = a_contest(goals=[Goal(2), Goal(2, "absent"), Goal(2, row="absent")])
        assert "absent" not in block(contest, VERSIONS)
        assert "goals: 1 met, 0 not met, 0 can't tell, 0 not measured" in summary(a_run(contest))

    def test_a_bound_keeps_no_promises(self) -> None:
        contest = a_contest()
        contest.rows.append(replace(contest.rows[0], name="limits plus buffers"))
        contest.rows.append(replace(contest.rows[0], name="fluxus_rx, a tenth"))
        text = block(contest, VERSIONS)
        assert line_of(text, "limits plus buffers").endswith("  1")
        assert line_of(text, "fluxus_rx, a tenth").endswith("LlOBC")

    def test_who_cannot_is_told_once_for_each_reason(self) -> None:
        text = block(a_contest(), VERSIONS)
        assert "can't: trio, eventkit (not installed); dask, joblib (has no async_chain)" in text

    def test_it_says_who_is_cheapest_with_lineage_and_a_limit(self) -> None:
        contest = a_contest()
        contest.rows[-1].promises = "LlO"
        text = " ".join(block(contest, VERSIONS).split())
        assert "Cheapest library that keeps lineage and a limit (L l): fluxus_rx; the" in text
        assert re.search(
            r"next, langchain, costs \d\d \(.*\) times as much, which is 95 % sure", text
        )

    def test_it_says_if_only_one_keeps_lineage_and_a_limit(self) -> None:
        text = " ".join(block(a_contest(), VERSIONS).split())
        assert "Only fluxus_rx keeps lineage and a limit (L l)" in text
        assert "the cheapest other one, streamable, costs 1." in text

    def test_it_says_if_that_is_not_certain(self) -> None:
        contest = a_contest()
        contest.rows[2].cpu = [cost * 0.85 for cost in contest.rows[2].cpu]
        assert "which is not sure" in " ".join(block(contest, VERSIONS).split())

    def test_only_libraries_are_named_as_the_cheapest(self) -> None:
        contest = a_contest()
        contest.rows.append(a_row("timers", 1e-9, 7, random.Random(1), promises="Ll"))
        contest.rows.append(replace(contest.rows[-1], name="50 ms", contender="fluxus_rx"))
        text = " ".join(block(contest, VERSIONS | {"timers": ""}).split())
        assert "Only fluxus_rx keeps lineage and a limit (L l)" in text
        assert "the cheapest other one, streamable, costs 1." in text

    def test_memory_is_told_where_it_was_taken(self) -> None:
        contest = a_contest()
        contest.rows[0].traced = 12_345_678
        assert "peak of memory in Python: fluxus_rx 12.3 MB" in block(contest, VERSIONS)

    def test_what_was_interrupted_is_not_measured(self) -> None:
        assert "not measured: fluxus_rx, by-hand" in block(a_contest(rounds=0), VERSIONS)

    def test_a_smoke_run_has_no_numbers(self) -> None:
        text = block(smoked(), VERSIONS, smoke=True)
        assert "right: fluxus_rx, by-hand, streamable, aiometer, fluxus" in text
        assert "langchain: wrong outputs: 99 outputs came, not 100" in text
        assert "goal" not in text

    def test_colour_comes_only_if_it_is_asked_for(self) -> None:
        assert "\x1b" not in block(with_failures(), VERSIONS)
        coloured = block(with_failures(), VERSIONS, colour=True)
        assert re.sub(r"\x1b\[\d*m", "", coloured) == block(with_failures(), VERSIONS)
        assert coloured != block(with_failures(), VERSIONS)

    def test_what_an_error_says_is_no_command_to_the_terminal(self) -> None:
        contest = a_contest()
        fail(contest, "anyio", "crashed", "\x1b[31mred\x1b[0m\nand\x07 more")
        assert "anyio: crashed: red and more" in block(contest, VERSIONS)

    @given(name=WORDS, note=WORDS, question=WORDS, reason=WORDS, unit=WORDS, smoke=st.booleans())
    def test_no_line_is_wider_than_100_columns(
        self, name: str, note: str, question: str, reason: str, unit: str, smoke: bool
    ) -> None:
        noise = random.Random(1)
        contest = a_contest("a" * 44, question=question, unit=unit, subject=name)
        contest.rows += [a_row(name, 1e-3, 7, noise, note=note), a_row("odd", 1e9, 7, noise)]
        contest.rows[-1].error = contest.rows[-1].message = reason
        contest.goals += [Goal(1.5, name, name)]
        contest.absent |= {name: reason, note: reason}
        run = a_run(contest)
        run.circumstances = {"cpu": note, "others": 0.5}
        text = [block(contest, VERSIONS, smoke=smoke), summary(run), head(run), legend(), busy(run)]
        text += [comparison(run, a_run(contest)), history([run] * 15)]
        assert max(len(line) for part in text for line in part.splitlines()) <= 100


class TestSummary:
    def test_it_counts_verdicts(self) -> None:
        contest = with_failures()
        contest.goals = [Goal(2), Goal(1.1), Goal(1 / 20, "fluxus"), Goal(2, "anyio")]
        assert "goals: 1 met, 1 not met, 1 can't tell, 1 not measured" in summary(a_run(contest))

    def test_it_lists_what_went_wrong(self) -> None:
        text = summary(a_run(with_failures()))
        assert "async, limit 100: anyio: broke its promise: limit 100, 113 in flight" in text

    def test_what_cannot_be_done_did_not_go_wrong(self) -> None:
        contest = a_contest()
        fail(contest, "anyio", "can't", "needs pandas")
        assert "can't: needs pandas" in block(contest, VERSIONS)
        assert "needs pandas" not in summary(a_run(contest))

    def test_it_lists_goals_that_are_not_met(self) -> None:
        contest = a_contest()
        contest.goals = [Goal(1.1)]
        found = line_of(summary(a_run(contest)), "async, limit 100: fluxus_rx")
        assert "fluxus_rx at most 1.1x of by-hand: not met" in found

    def test_of_a_smoke_run_it_counts_rows(self) -> None:
        contest = smoked()
        assert "5 of 7 rows are right" in summary(a_run(contest, size="smoke"))
        fail(contest, "aiometer", "can't", "needs pandas")
        assert "4 of 6 rows are right; 1 more can't" in summary(a_run(contest, size="smoke"))

    def test_it_says_if_the_machine_was_busy(self) -> None:
        run = a_run()
        assert "busy" not in summary(run)
        run.circumstances = {"others": 0.23}
        assert "others used 23% of its CPU" in summary(run)
        assert "--budget" in summary(run)

    def test_it_says_if_the_run_was_interrupted(self) -> None:
        run = a_run()
        run.complete = False
        assert "interrupted" in summary(run)


class TestCompare:
    def test_a_run_is_within_the_noise_of_itself(self) -> None:
        run = a_large_run(20)
        assert {each.shift.word for each in compared(run, run)} == {"within noise"}

    def test_another_run_of_the_same_code_is_within_noise(self) -> None:
        old, new = (a_run(a_contest(seed=seed), a_count()) for seed in (1, 2))
        assert not any(each.slower for each in compared(old, new))

    def test_what_became_slower_is_told_with_its_interval(self) -> None:
        old, new = a_run(a_contest()), a_run(a_contest(seed=2, slower=1.5))
        assert re.fullmatch(
            r"async, limit 100: 2\.\d+x \(.*–.*\) was 1\.\d+x \(.*–.*\):"
            r" slower by \d\d %( \(\d+–\d+ %\))?",
            str(compared(old, new)[0]),
        )

    def test_what_became_faster_is_told_too(self) -> None:
        old, new = a_run(a_contest(slower=2)), a_run(a_contest(seed=2))
        assert re.search(r"faster by \d\d %", str(compared(old, new)[0]))

    def test_what_is_counted_is_more_and_not_slower(self) -> None:
        count = a_count()
        count.rows[0].values = [20_040.0] * 7
        found = compared(a_run(a_count()), a_run(count))[0]
        assert found.slower
        assert str(found) == "calls made: 2x was 1x: more by 100 %"

    def test_without_a_yardstick_the_goals_tell_what_is_compared(self) -> None:
        contest = a_contest(goals=[Goal(1 / 20, "fluxus"), Goal(1, "streamable"), Goal(1, "rx")])
        contest.rows = [row for row in contest.rows if row.name != "by-hand"]
        names = [each.name for each in compared(a_run(contest), a_run(a_contest()))]
        assert names == [
            "async, limit 100, fluxus_rx of fluxus",
            "async, limit 100, fluxus_rx of streamable",
        ]

    def test_rows_that_goals_are_about_are_compared(self) -> None:
        contest = a_contest(yardstick="fluxus_rx", goals=[Goal(2, "fluxus_rx", "aiometer")])
        names = [each.name for each in compared(a_run(contest), a_run(contest))]
        assert names == ["async, limit 100, aiometer of fluxus_rx"]

    def test_contests_of_one_run_only_are_named(self) -> None:
        text = comparison(a_run(a_contest("old one")), a_run(a_contest("new one")))
        assert "not measured in both: new one, old one" in text
        assert "nothing to compare" in text

    def test_the_text_counts_what_has_changed(self) -> None:
        old = a_run(a_contest(), a_contest("other"))
        new = a_run(a_contest(seed=2, slower=2), a_contest("other", seed=3))
        assert comparison(old, new).splitlines()[-1] == "2 compared: 1 slower, 1 within noise"

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"circumstances": {"cpu": "Another"}}, "two machines"),
            ({"size": "full"}, "different sizes: quick, and full"),
            ({"contenders": {"fluxus": "1.0.4"}}, "different versions of fluxus: 1.0.3"),
            ({"circumstances": {"others": 0.4}}, "others used 40% of the CPU"),
            ({"complete": False}, "was interrupted"),
        ],
    )
    def test_it_warns_of_what_differs_beside_the_code(
        self, change: dict[str, Any], expected: str
    ) -> None:
        new = a_run()
        for name, value in change.items():
            setattr(new, name, value)
        assert any(expected in warning for warning in warnings(a_run(), new))

    def test_runs_of_one_machine_give_no_warning(self) -> None:
        assert warnings(a_run(), a_run(library="0.2.0")) == []


class TestHistory:
    def test_runs_of_a_folder_come_in_the_order_of_versions(self, tmp_path: Path) -> None:
        for version in ("0.10.0", "0.9.0", "0.10.0rc1", "0.9.1"):
            save(a_run(library=version), tmp_path / f"{version}.json")
        versions = [run.library for run in past_runs(tmp_path)]
        assert versions == ["0.9.0", "0.9.1", "0.10.0rc1", "0.10.0"]

    def test_a_folder_without_runs_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"no run in .*--json"):
            past_runs(tmp_path)

    def test_a_contest_has_a_line_with_its_ratio_in_each_run(self) -> None:
        runs = [a_run(a_contest(slower=factor), library=f"0.{factor}.0") for factor in (1, 2)]
        lines = history(runs).splitlines()
        assert lines[0].split()[-2:] == ["0.1.0", "0.2.0"]
        assert re.fullmatch(r"async, limit 100 +1\.\d+ +[23]\.?\d*", lines[1])

    def test_the_last_runs_are_shown_where_not_all_fit(self) -> None:
        runs = [a_run(a_contest(), library=f"0.{number}.0") for number in range(30)]
        assert history(runs).splitlines()[0].endswith("0.29.0")


#: What draws a picture of runs.
DRAWN: dict[str, Callable[[RunOutcome, Path], None]] = {
    "run": plot,
    "changes": lambda run, path: plot_changes(compared(run, run), path),
    "history": lambda run, path: plot_history([run, run], path),
}


class TestPlot:
    @pytest.mark.parametrize("kind", DRAWN)
    def test_the_same_run_gives_the_same_svg(self, tmp_path: Path, kind: str) -> None:
        for name in ("one.svg", "other.svg"):
            DRAWN[kind](a_run(), tmp_path / name)
        assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()

    @pytest.mark.parametrize("kind", DRAWN)
    def test_each_contest_is_named_in_it(self, tmp_path: Path, kind: str) -> None:
        run = a_large_run(20, 5)
        DRAWN[kind](run, tmp_path / "run.svg")
        text = (tmp_path / "run.svg").read_text(encoding="utf-8")
        assert all(contest.name in text for contest in run.contests)

    def test_a_contest_that_was_not_measured_is_named_too(self, tmp_path: Path) -> None:
        plot(a_run(a_contest(), a_contest("none", rounds=0)), tmp_path / "run.svg")
        text = (tmp_path / "run.svg").read_text(encoding="utf-8")
        assert "not measured" in text
        assert "none" in text

    def test_a_png_is_800_pixels_wide(self, tmp_path: Path) -> None:
        plot(a_run(), tmp_path / "run.png")
        assert int.from_bytes((tmp_path / "run.png").read_bytes()[16:20]) == 800

    def test_the_background_is_that_of_the_page(self, tmp_path: Path) -> None:
        plot(a_run(), tmp_path / "run.png")
        assert imread(tmp_path / "run.png")[0, 0, 3] == 0

    def test_names_are_drawn_as_they_are(self, tmp_path: Path) -> None:
        """A dollar begins no formula."""
        plot(a_run(a_contest("cost in $, or in $")), tmp_path / "run.svg")
        assert "cost in $, or in $" in (tmp_path / "run.svg").read_text(encoding="utf-8")

    def test_other_formats_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"\.svg or \.png"):
            plot(a_run(), tmp_path / "run.gif")

    def test_a_run_without_numbers_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="nothing was measured"):
            plot(a_run(smoked(), size="smoke"), tmp_path / "run.svg")

    def test_the_extra_is_named_where_matplotlib_is_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return original(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ImportError, match=r'pip install "matplotlib>=3\.8"'):
            plot(a_run(), tmp_path / "run.svg")


class TestTable:
    def test_each_workload_has_a_section_with_a_table(self) -> None:
        text = table(a_run())
        for name in ("async", "sync", "retrying"):
            assert f"\n{name}\n{'~' * len(name)}\n" in text
        assert text.count(".. list-table::") == 3

    def test_each_row_of_the_table_has_as_many_cells(self) -> None:
        cells = [len(row.split("\n     -")) for row in table(a_run()).split("\n   * -")[1:]]
        assert {*cells} == {6}

    def test_a_goal_stands_beside_whom_it_is_about(self) -> None:
        row = table(a_run(a_contest())).partition("- by-hand")[2].partition("* -")[0]
        assert "- at most 2x: met, 1." in row

    def test_what_went_wrong_is_not_ranked(self) -> None:
        text = table(a_run(with_failures()))
        assert "- async, limit 100: anyio: broke its promise: limit 100, 113 in flight" in text
        assert "     - anyio" not in text

    def test_marks_of_the_format_mean_nothing_in_names(self) -> None:
        contest = a_contest()
        contest.rows[0].note = "*starred* `quoted` |bar| name_"
        assert r"\*starred\* \`quoted\` \|bar\| name\_" in table(a_run(contest))

    def test_a_smoke_run_is_refused(self) -> None:
        with pytest.raises(ValueError, match="smoke"):
            table(a_run(smoked(), size="smoke"))

    def test_what_is_around_the_marks_stays_as_it_is(self) -> None:
        page = f"Title\n=====\n\n{BEGIN}\nold\n{END}\n\nEnd.\n"
        text = updated(page, table(a_run()), BEGIN)
        assert text.startswith(f"Title\n=====\n\n{BEGIN}\n\nMeasured with fluxus_rx 0.1.0")
        assert text.endswith(f"{END}\n\nEnd.\n")
        assert "old" not in text

    def test_a_page_that_was_made_is_made_again_as_it_is(self) -> None:
        page = updated("", table(a_run()), BEGIN)
        assert updated(page, table(a_run()), BEGIN) == page

    @pytest.mark.parametrize("page", ["Title\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}" * 2])
    def test_a_page_without_both_marks_is_refused(self, page: str) -> None:
        with pytest.raises(ValueError, match="must have two lines"):
            updated(page, table(a_run()), BEGIN)


def with_timeout(slower: float, rounds: int = 7) -> ContestOutcome:
    """The contest of an option that makes a call dearer by a factor."""
    contest = a_contest("options, timeout", workload="options", unit="µs per call")
    noise = random.Random(1)
    contest.rows = [
        a_row(name, cost, rounds, noise)
        for name, cost in ((OURS, 4e-6), (f"{OURS} with timeout", 4e-6 * slower))
    ]
    return contest


class TestPrices:
    def test_a_section_has_the_figures_of_its_contests(self) -> None:
        contest = a_contest("sync, 5 steps")
        for row in contest.rows:
            row.cpu = [{OURS: 3e-6, BY_HAND: 2e-6}.get(row.name, 9e-6)] * 7
        text = prices(a_run(contest))
        assert "A million calls of plain functions take 3 s." in text
        cells = ["a plain function, in a chain of 5", "3 µs per item and step", "1.5x"]
        assert "\n     - ".join([*cells, "code by hand", "sync, 5 steps"]) in text

    def test_where_it_was_measured_stands_above(self) -> None:
        text = " ".join(prices(a_run()).split())
        assert "(cpu A Processor of 3 GHz, cores 2, python CPython 3.11.7, date 2025-12-01)" in text

    def test_what_was_not_measured_is_left_out_and_named(self) -> None:
        run = a_run(a_contest("async, limit 100"), a_contest("async, limit 10", rounds=0))
        text = prices(run)
        assert [line for line in text.splitlines() if line.startswith("---")] == ["------"]
        assert text.count("   * - ") == 1
        assert "async, limit 10: fluxus_rx next to by-hand" in missing(run)
        assert "async, limit 100: fluxus_rx next to by-hand" not in missing(run)

    def test_each_row_has_as_many_cells(self) -> None:
        text = prices(a_run(a_contest(), with_timeout(2)))
        cells = [len(row.split("\n     -")) for row in text.split("\n   * -")[1:]]
        assert {*cells} == {5}

    @pytest.mark.parametrize(
        ("slower", "added"), [(3, r"[78]\.\d+ µs per call"), (1, "nothing that can be told")]
    )
    def test_what_an_option_adds_is_told_where_it_is_sure(self, slower: float, added: str) -> None:
        row = prices(a_run(with_timeout(slower))).partition("``timeout=10``")[2]
        assert re.match(rf"\n     - {added}\n", row)

    @pytest.mark.parametrize("run", [a_run(smoked(), size="smoke"), a_run(a_count())])
    def test_a_run_without_any_price_is_refused(self, run: RunOutcome) -> None:
        with pytest.raises(ValueError, match="nothing was measured"):
            prices(run)

    def test_nothing_has_two_prices(self) -> None:
        for section in SECTIONS:
            named = [price.what for price in section.prices]
            assert len({*named}) == len(named)
