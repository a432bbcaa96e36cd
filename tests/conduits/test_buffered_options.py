"""`.buffered(size, overflow)`: how it is steered, made and shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import (
    InvalidFlowError,
    InvalidOptionError,
    Passthrough,
    Progress,
    check,
    rerun,
    run,
    rx_pipe,
    start,
    step,
    stream_pipe,
)
from fluxus_rx.testing import run_virtual, virtual_time
from tests.support.conduits import Add, Text
from tests.support.errors import refused, untyped
from tests.support.hot import POLICIES, note
from tests.support.probes import listed, turns, until

double = step("double", lambda x: {"y": 2 * x})


class TestSteering:
    """In runs that are steered, and run again."""

    async def test_what_waits_is_pending_in_a_drained_run(self) -> None:
        """The source is closed, the buffer is emptied, and the call in flight ends."""
        gate = asyncio.Event()

        async def wait(x: int) -> dict[str, int]:
            await gate.wait()
            return {"y": x}

        slow = step("slow", wait).options(concurrency=1, buffer=1)

        async def endless() -> AsyncIterator[dict[str, int]]:
            number = 0
            while True:
                await asyncio.sleep(0)
                yield {"x": number}
                number += 1

        flow = step("src", endless) >> slow.buffered(3, "drop_newest")
        async with start(flow) as running:
            await turns(200)
            draining = asyncio.ensure_future(running.drain())
            await turns(20)
            gate.set()
            result = await draining
        assert [output["slow"]["y"] for output in result[0]] == [0]
        numbers = [0, *(one.product["x"] for one in result.pending)]
        assert numbers == [*range(len(numbers))]
        assert 4 <= len(numbers) <= 6
        stats = running.stats()
        assert stats["buffered"].done == len(numbers)
        assert stats["buffered"].done + stats["buffered"].dropped == stats["src"].done

    async def test_a_paused_run_begins_no_call(self) -> None:
        """And takes nothing out of the buffer but what is on its way."""
        calls: list[int] = []
        seen: Any = step("seen", lambda x: note(calls, x))
        flow = every_turn() >> seen.buffered(2, "drop_oldest")
        async with start(flow) as running:
            await until(lambda: len(calls) > 3)
            running.pause()
            await turns()
            count = len(calls)
            await turns(200)
            assert len(calls) == count
            running.resume()
            await until(lambda: len(calls) > count)

    def test_failures_behind_one_can_be_run_again(self) -> None:
        """Each of them enters behind the buffer, which drops none."""
        broken = [True]

        def bad(x: int) -> dict[str, int]:
            if broken[0]:
                raise LookupError(x)
            return {"y": x}

        failing = step("bad", bad).options(on_error="collect")
        numbers = step("src", [{"x": x} for x in range(5)])
        for flow in (
            numbers >> failing.buffered(10, "drop_oldest"),
            numbers >> (double & failing.buffered(10, "drop_oldest")),
            numbers >> (double >> failing).buffered(10, "drop_oldest"),
            numbers >> ((failing & double).buffered(10, "drop_oldest") & double),
            numbers >> (double & stream_pipe(lambda xs: xs) >> failing),
            numbers >> (double & double >> rx_pipe(ops.filter(bool)) >> failing),
            numbers >> failing >> double.buffered(1, "latest"),
        ):
            broken[0] = True
            result = run(flow)
            assert len(result.failures) == 5
            broken[0] = False
            outputs = [output for path in rerun(flow, result.failures) for output in path]
            assert [output["bad"]["y"] for output in outputs][-1] == 4


def every_turn() -> Any:
    async def numbers() -> AsyncIterator[dict[str, int]]:
        number = 0
        while True:
            await asyncio.sleep(0)
            yield {"x": number}
            number += 1

    return step("src", numbers)


class TestTelling:
    """How it is made and shown."""

    @pytest.mark.parametrize("size", [0, -1])
    def test_it_has_room_for_one_product_at_least(self, size: int) -> None:
        """The message has the number."""
        with refused(InvalidOptionError, "buffered()", f"size={size}", "from 1 on"):
            Add().buffered(size, "drop_oldest")

    @pytest.mark.parametrize("size", [1.0, True, "1", None])
    def test_its_size_is_a_whole_number(self, size: Any) -> None:
        """Not even True is one."""
        with refused(InvalidFlowError, "buffered()", "size=", "a whole number"):
            Add().buffered(size, "drop_oldest")

    def test_the_choices_are_told(self) -> None:
        """All of them; and that latest keeps one."""
        with refused(InvalidOptionError, "buffered()", *map(repr, POLICIES)):
            Add().buffered(1, "drop")  # type: ignore[arg-type]  # refused at run time
        with refused(InvalidOptionError, "size=2", "size is 1", "'drop_oldest'"):
            Add().buffered(2, "latest")

    def test_its_repr_says_where_it_stands(self) -> None:
        """In front."""
        assert repr(double.buffered(100, "drop_oldest")).startswith(
            "buffered(100, 'drop_oldest') >> step('double'"
        )

    def test_types_are_checked_through_it(self) -> None:
        """What comes before it must fit what is behind."""
        with refused(InvalidFlowError, "cannot chain Text()", "emits str", "takes int"):
            Text() >> untyped(Add(1).buffered(3, "keep"))
        with refused(InvalidFlowError, "cannot chain Text()", "emits str", "takes int"):
            Text() >> untyped((Add(1) & Add(2)).buffered(3, "keep"))
        with refused(InvalidFlowError, "emits str", "takes int"):
            Add(1) >> Text().buffered(2, "keep") >> untyped(Add(1))
        with refused(InvalidFlowError, "a passthrough beside", "would pass on int"):
            Passthrough() & Text().buffered(2, "keep")

    def test_options_of_the_whole_go_to_the_steps(self) -> None:
        """The buffer has none."""
        calls: list[int] = []

        async def slow(x: int) -> dict[str, int]:
            calls.append(x)
            await asyncio.sleep(1)
            return {"y": x}

        behind = step("slow", slow).buffered(100, "error").options(concurrency=1)

        async def main() -> float:
            await listed(step("src", [{"x": x} for x in range(5)]) >> behind)
            return asyncio.get_running_loop().time()

        assert run_virtual(main()) == 5

    def test_a_drawing_shows_it_in_front(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With its size and its policy."""
        (every_turn() >> (double & double.buffered(7, "drop_newest"))).draw()
        drawn = capsys.readouterr().out
        assert "buffered" in drawn
        assert "size=7, overflow='drop_newest'" in drawn
        assert drawn.index("buffered") < drawn.rindex("double")

    def test_check_tells_how_much_waits(self) -> None:
        """In the buffer; the others wait for nobody behind it."""
        found = {
            f.step: f.text for f in check(every_turn() >> (double & double.buffered(7, "error")))
        }
        assert found["buffered → double"].startswith("at most 7 products wait (7 in the buffer)")

    async def test_the_table_of_a_run_has_its_row(self) -> None:
        """With the number of those that it has dropped."""
        numbers = step("src", [{"x": x} for x in range(10)])
        async with start(numbers >> (double & double.buffered(3, "drop_oldest"))) as running:
            await running.result()
        stats = running.stats()
        assert (stats["buffered"].done, stats["buffered"].dropped) == (3, 7)
        assert [one.dropped for one in stats.steps if one.step != "buffered"] == [0, 0]
        (row,) = [line for line in str(stats).splitlines() if line.startswith("buffered")]
        heading = str(stats).splitlines()[1]
        column = heading.index("dropped")
        assert row[column : column + len("dropped")].strip() == "7"
        assert repr(stats["buffered"]).count("dropped=7") == 1

    def test_what_was_dropped_is_not_expected_any_more(self) -> None:
        """A step behind the buffer is through with what it was given."""
        calls: list[Progress] = []
        numbers = step("src", [{"x": x} for x in range(10)])
        behind = step("behind", lambda y: {"z": y})
        run(numbers >> double.buffered(3, "drop_oldest") >> behind, progress=calls.append)
        shown = {one.step: (one.done, one.expected) for one in calls[-1].steps}
        assert shown["buffered"] == (3, 10)
        assert shown["double"] == shown["behind"] == (3, 3)

    def test_what_was_dropped_is_told_to_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """Once, on the level INFO, with what the buffer is in front of."""
        with caplog.at_level(logging.INFO, "fluxus_rx"), virtual_time():
            assert Add().buffered(2, "drop_newest").process([1, 2, 3]) == [1, 2]
        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert "the buffer in front of" in record.getMessage()
        assert "1 of 3 items were dropped (buffer=2, overflow='drop_newest')" in record.getMessage()

    def test_failures_tell_the_way_through_it(self) -> None:
        """Of the steps by their names."""

        def bad(x: int) -> dict[str, int]:
            raise LookupError(x)

        failing: Any = step("bad", bad).options(on_error="collect")
        result = run(step("src", [{"x": 1}]) >> failing.buffered(10, "drop_oldest"))
        assert result.failures[0].step == "bad"
        assert dict(result.failures[0].product) == {"x": 1}
