"""What people see of a result and of failures: in a line, over lines, and in a notebook."""

from __future__ import annotations

import cProfile
import functools
import itertools
import pstats
import random
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxus_rx import (
    Explanation,
    Failure,
    Failures,
    Pending,
    RunResult,
    RunStats,
    StepStats,
    Stopper,
    passthrough,
    path,
    run,
    start,
    step,
)
from fluxus_rx._common.text import width_of
from fluxus_rx.rx import FlowScheduler
from tests.support.tables import as_many

HOSTILE = "<script>alert('&\"')</script>\n\x00"


def of_size(count: int) -> RunResult:
    """A result of so many inputs, on two paths."""
    source = step("src", [{"x": x, "token": "sk-0123"} for x in range(count)])
    first, second = step("f", lambda x: {"y": [x] * 50}), step("g", lambda x: {"z": x})
    return run(source >> (path("a", first) & path("b", second)))


@functools.cache
def large() -> RunResult:
    """Many outputs; nobody has looked at them."""
    return of_size(30_000)


class Checked(HTMLParser):
    """Counts tags, and refuses what is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: dict[str, int] = {}
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def failures(count: int) -> Failures:
    """Of two kinds, one of them three times as often."""
    return Failures(
        Failure(
            "ask",
            "src → ask",
            {"n": n, "api_key": "sk-0123"},
            TimeoutError("late") if n % 4 else ValueError(HOSTILE),
            2,
        )
        for n in range(count)
    )


class TestRepr:
    def test_a_large_result_is_a_short_line(self) -> None:
        """Without a look at the outputs that it doesn't show, and without secrets."""
        result = large()
        text = repr(result)

        assert len(text) <= 2_000
        assert "\n" not in text
        assert text.startswith("RunResult([{'src': {'x': 0, 'token': ***}, 'f': {'y': [0, 0, ")
        assert "and 29,992 more]" in text
        assert "sk-" not in text

    def test_outputs_that_nobody_has_looked_at_are_not_made(self) -> None:
        """They stay products, which have what their steps have added."""
        again = step("f", lambda x: {"x": x + 1})  # its products have another one's for a parent
        result = run(step("src", [{"x": x} for x in range(30_000)]) >> again >> again)

        assert repr(result).startswith("RunResult([{'src': {'x': 0}, 'f': {'x': 1}, 'f#1': ")
        assert result._paths[0]._outputs is None

    @given(st.integers(0, 10**9))
    @settings(max_examples=as_many(12, thoroughly=500))
    def test_whatever_it_has_it_is_bounded(self, seed: int) -> None:
        """In a line, over lines, and as HTML that is whole."""
        rng = random.Random(seed)

        def text() -> str:
            return "".join(rng.choices(HOSTILE + "ab東 \u0301\ud800", k=rng.choice([1, 9, 90])))

        def value() -> Any:
            return rng.choice([text(), [text()] * 9, {text(): {text(): text()}}, 1, b"\xff", None])

        paths = [
            [
                {
                    text(): {text(): value() for _ in range(rng.choice([0, 3, 15]))}
                    for _ in range(rng.choice([0, 2, 14]))
                }
                for _ in range(rng.choice([0, 1, 22]))
            ]
            for _ in range(rng.choice([1, 2, 10]))
        ]
        result = RunResult(*paths)

        assert len(repr(result)) <= 2_000
        assert all(width_of(line) <= 60 for line in result.pretty(width=60).splitlines())
        html = result._repr_html_()
        assert len(html) <= 300_000
        Checked(html)

    def test_the_work_is_bounded_too(self) -> None:
        """It is that of a few outputs: a value that is never shown is never asked."""

        class Loud:
            def __repr__(self) -> str:
                asked.append(self)
                return "loud"

        asked: list[Loud] = []
        result = RunResult(*[[{"s": {f"a{n}": Loud() for n in range(50)}}] * 1_000] * 1_000)
        repr(result)
        assert len(asked) <= 300
        result.pretty()
        result._repr_html_()
        assert len(asked) <= 3_000

    async def test_others_are_short(self) -> None:
        """Runs and their numbers, schedulers, observables, hubs, stoppers, products to be called
        with."""
        flow = step("src", [{"x": 1}]) >> (step("f", lambda x: {}) & passthrough())
        stopper = Stopper()
        async with start(flow, stop=stopper) as running:
            assert re.fullmatch(r"<Stopper: not stopped, of 1 run>", repr(stopper))
            await running.result()
            assert repr(running) == "<Run done: 2 calls done>"
        stopper.stop(3)
        assert repr(stopper) == "<Stopper: stopped within 3 s, of 0 runs>"
        assert re.fullmatch(r"<RunStats done for .*: 2 steps>", repr(running.stats()))
        assert repr(running.explain()).startswith("<Explanation: ")
        scheduler = repr(FlowScheduler.of(None))
        assert re.fullmatch(r"<FlowScheduler on a loop that is running, for <run .*>>", scheduler)
        paths = flow.to_observable(paths=True)
        assert repr(flow.to_observable()).startswith("<Observable of all paths of step('src'")
        assert repr(paths[1]) == "<Observable of path 1 of a flow>"
        one = step("src", [{"x": 1}]) >> step("f", lambda x: {})
        assert repr(one.to_observable()) == "<Observable of src → f>"
        assert repr(one.share(buffer=3)).startswith("(step('src', [{'x': 1}]) >> ")
        assert len(repr(Pending("s", "s", {"x": "y" * 10_000}))) < 200


class TestPretty:
    def test_a_result_is_laid_out_over_lines(self) -> None:
        """A line for each step of an output, then failures by kind, then what is pending."""

        def ask(n: int, key: str) -> dict[str, Any]:
            if n > 1:
                raise ValueError(n)
            return {"answer": "x" * 200}

        source = step("numbers", [{"n": n} for n in range(4)])
        asking = path("alpha", step("ask", ask, key="sk").options(on_error="collect"))
        result = run(source >> (asking & path("raw", passthrough())))

        lines = result.pretty(outputs=1, width=60).splitlines()
        assert lines == [
            "6 outputs on 2 paths, 2 failures",
            "",
            "alpha: 2 outputs",
            "0  numbers  n=0",
            "   ask      answer='" + "x" * 27 + "..." + "x" * 9 + "…",
            "… 1 more",
            "",
            "raw: 4 outputs",
            "0  numbers  n=0",
            "… 3 more",
            "",
            "failures",
            "2  ask failed with ValueError(2), given {'n': 2}, for one",
        ]
        assert len(str(result).splitlines()) > len(lines)

    def test_a_run_that_was_cut_short_says_so(self) -> None:
        """With what is pending."""
        stopper = Stopper()

        def last(x: int) -> dict[str, int]:
            stopper.stop()
            return {"y": x}

        source = step("src", ({"x": x} for x in itertools.count()))
        result = run(source >> step("last", last), stop=stopper)
        headline = str(result).splitlines()[0]
        assert headline.endswith(", ended before the sources did")
        assert (f"{len(result.pending)} pending" in headline) == bool(result.pending)
        assert not result.complete

    def test_times_are_left_out(self) -> None:
        """They are in the summary and in the timeline."""
        result = run(step("src", [{"x": 1}]), timestamps=True)
        assert str(result).endswith("0  src  x=1")

    @pytest.mark.parametrize("given", [{"outputs": -1}, {"outputs": 1.5}, {"width": 3}])
    def test_its_arguments_are_checked(self, given: Any) -> None:
        with pytest.raises(ValueError, match=r"pretty\(\): .*expected a whole number"):
            RunResult().pretty(**given)

    def test_failures_are_told_by_kind(self) -> None:
        """The commonest first, with an example; and as a dictionary in order of appearance."""
        some = failures(8)
        assert [(kind, len(found)) for kind, found in some.by_kind().items()] == [
            (("ask", "ValueError"), 2),
            (("ask", "TimeoutError"), 6),
        ]
        first, second, third = str(some).splitlines()
        assert first == "8 failures"
        assert second.startswith("6  ask failed after 2 attempts with TimeoutError('late'), given")
        assert third.startswith("2  ask failed after 2 attempts with ValueError(")
        assert "sk-" not in str(some)
        assert str(Failures()) == "0 failures"


class TestHtml:
    def test_a_result_is_a_table_for_each_path(self) -> None:
        """Which fold, the first one open, and are small whatever the result has."""
        html = large()._repr_html_()
        page = Checked(html)

        assert len(html) < 100_000
        assert page.tags["details"] == page.tags["table"] == 2
        assert html.count("<details open>") == 1
        assert "a: 30,000 outputs" in page.text
        assert "… 29,980 more" in page.text
        assert "sk-" not in html

    def test_texts_of_a_run_are_escaped(self) -> None:
        """Names, values, errors; all of it is text."""
        flow = step("src", [{"x": HOSTILE}]) >> path(
            "<b>", step("f", lambda x: {"y": 1 / 0}).options(on_error="collect")
        )
        for shown in (run(flow), failures(9), RunResult([{"<i>": {"<u>": HOSTILE}}])):
            html = shown._repr_html_()
            page = Checked(html)
            assert page.tags.keys() <= {
                *("div", "p", "b", "details", "summary", "table"),
                *("thead", "tbody", "tr", "th", "td"),
            }
            assert "\x00" not in html

    def test_failures_are_a_table_of_kinds(self) -> None:
        """And a table of the first ones, folded."""
        html = failures(1_000)._repr_html_()
        page = Checked(html)
        assert (page.tags["table"], page.tags["details"]) == (2, 1)
        assert "the first 20 of them" in page.text
        assert len(html) < 30_000
        assert Failures()._repr_html_() == "<p>0 failures</p>"

    def test_statistics_and_explanations_are_tables(self) -> None:
        """Those of a long flow fold."""
        one = StepStats("<s>", 1, 2, 3, 4, 5, 6, 7, 0.1, 0.2, 0.3, 0.4, 0.5)
        for count, folds in ((3, 1), (100, 2)):
            stats = RunStats(1.5, "running", 2, (one,) * count)
            for shown in (stats, Explanation("<s>", "<s> is slow", stats)):
                page = Checked(shown._repr_html_())
                assert page.tags["details"] == page.tags["table"] == folds
                assert page.text.count("<s>") >= count

    async def test_a_run_is_its_statistics(self) -> None:
        async with start(step("src", [{"x": 1}])) as running:
            await running.result()
        assert running._repr_html_() == running.stats()._repr_html_()

    def test_ipython_prints_the_lines(self) -> None:
        """In a terminal, as a line of 2,000 characters doesn't help there."""
        pretty = pytest.importorskip("IPython.lib.pretty")
        stats = RunStats(1.5, "done", 0, ())
        for shown in (large(), failures(3), stats, stats.explain()):
            assert pretty.pretty(shown) == str(shown)


def test_a_repr_takes_no_time() -> None:
    """Of 30,000 outputs no more than of 30: counted in calls, and not by a clock."""

    def calls(result: RunResult) -> int:
        profile = cProfile.Profile()
        profile.runcall(repr, result)
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(large()) <= 1.5 * calls(of_size(30))
