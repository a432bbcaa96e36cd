"""What a timeline shows, and where its drawings go."""

from __future__ import annotations

import asyncio
import builtins
import io
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fluxus_rx import InvalidOptionError, RunResult, UsageError, parallel, run, step
from fluxus_rx.viz._timeline.axis import DARK, LIGHT, Theme, step_colours, ticks
from fluxus_rx.viz._timeline.model import (
    NOTHING,
    WAITING,
    RowGroup,
    Span,
    Timeline,
    TimelineRow,
    levels,
)
from tests.support.timelines import aggregated, big, call, failing, result, run_of, small, wide


def row(*spans: tuple[int, float, float], item: int = 0) -> TimelineRow:
    return TimelineRow(0, item, [Span(*span) for span in spans])


class TestRows:
    def test_each_output_is_a_row_of_spans(self) -> None:
        """Path by path, in the order of the result, with a span for each step that made it."""
        timeline = Timeline.of(failing())

        assert [(one.path, one.item) for one in timeline.rows[29:32]] == [(0, 29), (1, 0), (1, 1)]
        assert {tuple(span.step for span in one.spans) for one in timeline.rows} == {(0, 1, 2, 3)}
        assert [len(one.added) for one in timeline.rows] == [4] * 60

    def test_an_output_waits_between_its_steps(self) -> None:
        """From the end of one to the start of the next, where there is time between."""
        assert [*row((0, 0, 1), (1, 1, 2), (2, 4, 5), (3, 4.5, 6)).waits()] == [(2, 4)]

    def test_times_of_a_real_run_are_within_it(self) -> None:
        """Every span ends within a call of its step, and every call within the run."""

        async def pause(x: int) -> list[dict[str, int]]:
            await asyncio.sleep(0)
            return [{"y": x}, {"y": -x}]

        timeline = Timeline.of(
            run(step("src", [{"x": 1}, {"x": 2}]) >> step("two", pause), timestamps=True)
        )

        assert len(timeline.rows) == 4
        for one in timeline.rows:
            for span in one.spans:
                calls = timeline.lanes[span.step].calls
                assert any(known.start <= span.end <= known.end for known in calls)
        assert max(known.end for lane in timeline.lanes for known in lane.calls) <= timeline.elapsed

    def test_steps_of_one_name_in_a_group_are_told_apart(self) -> None:
        """Each path's outputs belong to the lane of the step that made them."""

        def model(x: int, by: int) -> dict[str, int]:
            return {"y": x * by}

        flow = step("src", [{"x": n} for n in range(5)]) >> parallel(
            *(step("model", model, by=by) for by in range(3))
        )
        timeline = Timeline.of(run(flow, timestamps=True))

        assert [*timeline.steps] == ["src", "model", "model#1", "model#2"]
        assert [{span.step for span in one.spans} for one in timeline.rows] == [
            {0, 1 + path} for path in range(3) for _ in range(5)
        ]

    def test_producers_of_one_name_are_told_apart(self) -> None:
        """Though a product of a producer has begun a little before its call has."""
        flow = parallel(*(step("src", [{"x": n}] * 3) for n in range(3)))
        timeline = Timeline.of(run(flow, timestamps=True))

        assert [one.spans[0].step for one in timeline.rows] == [0, 0, 0, 1, 1, 1, 2, 2, 2]

    def test_a_name_that_occurs_twice_in_a_chain_is_two_steps(self) -> None:
        """Outputs and calls number them alike."""
        again = step("add", lambda x: {"x": x + 1})
        flow = step("src", {"x": 1}) >> again >> step("add", lambda x: {"x": x + 2})
        timeline = Timeline.of(run(flow, timestamps=True))

        assert [*timeline.steps] == ["src", "add", "add#1"]
        assert [span.step for span in timeline.rows[0].spans] == [0, 1, 2]

    def test_without_a_journal_the_outputs_tell_of_the_calls(self) -> None:
        """A result made by hand has lanes too."""
        outputs = [{"a": {"[start]": 0, "[end]": 1}, "b": {"[start]": 2, "[end]": 4}}]
        timeline = Timeline.of(RunResult(outputs))

        assert [lane.summary.calls for lane in timeline.lanes] == [1, 1]
        assert timeline.elapsed == 4

    def test_a_step_without_a_lane_is_drawn_all_the_same(self) -> None:
        """An output may tell of a step that this run did not call."""
        outputs = [{"old": {"[start]": 0, "[end]": 5}, "a": {"[start]": 6, "[end]": 7}}]
        timeline = Timeline.of(result(outputs, calls=[call("a", 6, 7)], elapsed=3.0))

        assert [*timeline.steps] == ["a", "old"]
        assert timeline.elapsed == 7


class TestBins:
    def test_a_level_is_an_average_over_the_bin(self) -> None:
        """Time in flight, in relation to the width of the bin."""
        assert levels([(0, 1), (0.5, 2.5), (3, 4)], 4, 4.0) == [1.5, 1.0, 0.5, 1.0]

    def test_levels_add_up_to_the_time_of_the_spans(self) -> None:
        """Nothing is lost between the bins."""
        spans = [(n * 0.037 % 7, n * 0.037 % 7 + n % 5 / 3) for n in range(200)]
        found = levels(spans, 37, 10.0)

        assert sum(found) * 10 / 37 == pytest.approx(sum(end - start for start, end in spans))

    def test_what_took_no_time_shows(self) -> None:
        """A level is then next to nothing, but not nothing."""
        assert [bool(level) for level in levels([(1, 1), (4, 4)], 4, 4.0)] == [0, 1, 0, 1]
        assert [bool(level) for level in levels([(0, 0)], 3, 0.0)] == [1, 0, 0]

    def test_a_row_of_its_own_shows_the_shortest_work(self) -> None:
        """Work comes before waiting, however short it is."""
        cells = RowGroup([row((0, 0, 0.001), (1, 2, 3))]).cells(4, 4.0)

        assert [cell.state for cell in cells] == [0, WAITING, 1, NOTHING]

    def test_a_group_shows_what_most_of_its_rows_do(self) -> None:
        """Work or waiting, whichever takes more of the time."""
        rows = [row((0, 0, 1), (1, 2, 3)), row((0, 0, 1), (1, 1.9, 3)), row((0, 0, 0.1), (1, 2, 3))]
        cells = RowGroup(rows).cells(3, 3.0)

        assert [cell.state for cell in cells] == [0, WAITING, 1]
        assert cells[2].level == pytest.approx(3)


class TestGroups:
    def test_few_rows_are_alone(self) -> None:
        """Each output is drawn on its own as long as there is room."""
        assert {len(group.rows) for group in Timeline.of(small()).groups(12)} == {1}

    @pytest.mark.parametrize("most", [1, 7, 20, 200])
    def test_there_are_no_more_groups_than_asked_for(self, most: int) -> None:
        """All rows are in a group, in their order, and groups are of a round size."""
        timeline = Timeline.of(run_of(1234, ["src"], n_paths=3))
        groups = timeline.groups(most)

        assert len(groups) <= most
        assert [one for group in groups for one in group.rows] == [*timeline.rows]
        sizes = {len(group.rows) for group in groups}
        assert sizes <= {max(sizes), 411 % max(sizes), 412 % max(sizes), 1234 % max(sizes)}

    def test_a_group_keeps_to_one_path_if_there_is_room(self) -> None:
        """Only where there are more paths than groups do they share some."""
        timeline = Timeline.of(wide())

        assert {len({one.path for one in group.rows}) for group in timeline.groups(120)} == {1}
        assert timeline.groups(20)[0].label(timeline.paths) == "paths 0–9"

    def test_no_rows_make_no_groups(self) -> None:
        """A run that emitted nothing has lanes only."""
        assert Timeline.of(result([], calls=[call()], elapsed=1.0)).groups(20) == []

    def test_outputs_of_operators_make_no_groups(self) -> None:
        """They would be empty rows: no call belongs to them alone. They are counted instead."""
        timeline = Timeline.of(aggregated())
        [group] = timeline.groups(20)

        assert [one.item for one in group.rows] == [1]
        assert group.label(timeline.paths) == "1"
        assert timeline.untimed() == "Not shown: 1 output that operators made."
        assert Timeline.of(small()).untimed() == ""

    def test_the_foremost_lanes_are_those_longest_at_work(self) -> None:
        """In the order of the flow."""
        calls = [call("a", 0, 3), call("b", 0, 1), call("c", 0, 4)]
        timeline = Timeline.of(result([], calls=calls, elapsed=4.0))

        assert [timeline.steps[lane.step] for lane in timeline.foremost(2)] == ["a", "c"]


class TestAxis:
    @pytest.mark.parametrize("end", [1e-5, 3.7e-4, 0.02, 0.999, 1, 59, 601, 5000, 1e6])
    def test_ticks_are_round_and_not_too_many(self, end: float) -> None:
        """They begin at 0, stay within the axis, and are evenly apart."""
        places = [place for place, _ in ticks(end, 6)]

        assert 2 <= len(places) <= 7
        assert places[0] == 0
        assert places[-1] <= 1 + 1e-9
        assert {round(b - a, 6) for a, b in pairwise(places)} == {round(places[1], 6)}

    def test_all_ticks_have_the_unit_of_the_axis(self) -> None:
        """Seconds up to ten minutes, then minutes, then hours."""
        assert [text for _, text in ticks(0.25, 3)] == ["0 ms", "100 ms", "200 ms"]
        assert [text for _, text in ticks(1500, 3)] == ["0 min", "10 min", "20 min"]
        assert [*ticks(0, 5)] == [(0.0, "0 s")]

    @pytest.mark.parametrize("theme", [LIGHT, DARK])
    def test_colours_stand_out_from_the_ground(self, theme: Theme) -> None:
        """Texts by 4.5 to 1, marks by 4.5 to 1 too, and the colours of steps by 2 to 1."""
        for colour in (theme.ink, theme.muted, theme.failure):
            assert contrast(colour, theme.ground) >= 4.5
        for colour in step_colours(7, theme):
            assert contrast(colour, theme.ground) >= 2.5

    def test_there_is_a_colour_for_each_step(self) -> None:
        """Neighbours have different ones."""
        colours = step_colours(50, LIGHT)

        assert len(colours) == 50
        assert all(one != other for one, other in pairwise(colours))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


class TestWhereItGoes:
    @pytest.mark.parametrize(
        ("name", "begins"),
        [("a.txt", b"12 outputs"), ("a.html", b"<!DOCTYPE html>"), ("a.HTM", b"<!DOCTYPE html>"),
         ("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"),
         ("a.json", b'{"displayTimeUnit"')],
    )  # fmt: skip
    def test_the_ending_of_the_file_decides(self, name: str, begins: bytes, tmp_path: Path) -> None:
        """Each ending belongs to one style."""
        small().draw_timeline(file=tmp_path / name)

        assert (tmp_path / name).read_bytes().startswith(begins)

    def test_a_text_stream_gets_the_text(self) -> None:
        """Unless a format or a style says otherwise."""
        plain, html = io.StringIO(), io.StringIO()
        small().draw_timeline(file=plain)
        small().draw_timeline("html", file=html)

        assert plain.getvalue().startswith("12 outputs from 48 calls.\n")
        assert html.getvalue().startswith("<!DOCTYPE html>")

    def test_a_binary_stream_gets_a_picture(self) -> None:
        """PNG, or the format that is asked for."""
        png, text = io.BytesIO(), io.BytesIO()
        small().draw_timeline(file=png)
        small().draw_timeline(file=text, format="txt")

        assert png.getvalue().startswith(b"\x89PNG")
        assert text.getvalue().startswith(b"12 outputs")

    def test_without_a_file_the_text_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Outside a notebook, that is what there is to see it with."""
        small().draw_timeline()

        assert capsys.readouterr().out.startswith("12 outputs from 48 calls.\n")

    def test_a_stdout_without_the_characters_gets_plain_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing raises, and the columns stay where they are."""
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        failing().draw_timeline("text")
        sys.stdout.flush()

        assert raw.getvalue().isascii()
        assert b"\\u" not in raw.getvalue()

    @pytest.mark.parametrize("style", ["matplot", "matplot_dark", "html"])
    def test_a_picture_needs_a_place(self, style: str) -> None:
        """The message names both ways out."""
        with pytest.raises(UsageError, match=rf"pass a file, such as draw_timeline\('{style}', f"):
            small().draw_timeline(style)

    @pytest.mark.parametrize(
        ("style", "mime", "begins"),
        [(None, "text/html", '<iframe sandbox="allow-scripts"'), ("html", "text/html", "<iframe"),
         ("matplot", "image/png", "iVBOR")],
    )  # fmt: skip
    def test_a_notebook_shows_the_picture(
        self, style: str | None, mime: str, begins: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A page in a frame of its own, and a sentence where no picture can be shown."""
        shown: list[Any] = []
        monkeypatch.setattr("fluxus_rx.viz._timeline.draw.in_notebook", lambda: True)
        monkeypatch.setattr("fluxus_rx.viz._timeline.draw.show_in_notebook", shown.append)
        small().draw_timeline(style)

        assert shown[0][mime].startswith(begins)
        assert shown[0]["text/plain"] == small().summary().sentence
        assert shown[0][mime].count("<") == (2 if mime == "text/html" else 0)

    def test_a_notebook_prints_the_text_when_asked(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A style that is named is what one gets."""
        monkeypatch.setattr("fluxus_rx.viz._timeline.draw.in_notebook", lambda: True)
        small().draw_timeline("text")

        assert capsys.readouterr().out.startswith("12 outputs")


class TestMistakes:
    def test_an_unknown_style_names_the_choices(self) -> None:
        """The argument, its value, and what it can be."""
        with pytest.raises(
            InvalidOptionError,
            match=r"style='graph' .*'text', 'matplot', 'matplot_dark', 'html', 'trace'",
        ):
            small().draw_timeline("graph")

    def test_an_unknown_format_names_the_choices(self) -> None:
        """Those of the style."""
        with pytest.raises(InvalidOptionError, match=r"format='gif' .*'png', 'svg', 'pdf'"):
            small().draw_timeline("matplot", file=io.BytesIO(), format="gif")

    def test_an_ending_that_is_not_of_the_style_is_told(self, tmp_path: Path) -> None:
        """And nothing is written."""
        with pytest.raises(InvalidOptionError, match=r"style='html' .*'\.png'.*\.html"):
            small().draw_timeline("html", file=tmp_path / "a.png")

        assert not [*tmp_path.iterdir()]

    def test_a_format_needs_a_file(self) -> None:
        """There is no telling what else it could be about."""
        with pytest.raises(InvalidOptionError, match=r"format='png' .*file="):
            small().draw_timeline(format="png")

    def test_no_times_no_timeline(self, tmp_path: Path) -> None:
        """The message says how to take them, and no file is left."""
        with pytest.raises(UsageError, match=r"run\(flow, timestamps=True\)"):
            run(step("src", {"x": 1})).draw_timeline(file=tmp_path / "a.html")

        assert not [*tmp_path.iterdir()]

    def test_without_matplotlib_the_message_says_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The other styles work without it."""
        real = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ImportError, match=r'needs matplotlib: pip install "matplotlib>=3.8"'):
            small().draw_timeline("matplot", file=tmp_path / "a.png")
        small().draw_timeline("html", file=tmp_path / "a.html")
        small().draw_timeline("text", file=tmp_path / "a.txt")


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.json", "a.png", "a.svg"])
@pytest.mark.parametrize(
    "made", [RunResult(), RunResult([]), result([], calls=[call()], elapsed=1)]
)
def test_a_run_without_outputs_can_be_drawn(made: RunResult, name: str, tmp_path: Path) -> None:
    """In each style, with lanes or without."""
    made.draw_timeline(file=tmp_path / name)

    assert (tmp_path / name).stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.json", "a.png"])
def test_ten_thousand_outputs_are_drawn_at_once(name: str, tmp_path: Path) -> None:
    """Within seconds, also on a machine that is busy; measured: 0.5 to 1.5 s."""
    made = big()
    begun = time.process_time()
    made.draw_timeline(file=tmp_path / name)

    assert time.process_time() - begun < 10
