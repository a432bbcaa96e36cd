"""A generator that waits for its reader does not work: in summaries, timelines and statistics."""

from __future__ import annotations

import asyncio
import io
import json
import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import pytest

from fluxus_rx import (
    AsyncTransformer,
    RunResult,
    Transformer,
    arerun,
    arun,
    step,
)
from fluxus_rx._monitoring.calls import MOST_SPANS, WorkSpans
from fluxus_rx.testing import virtual_time
from fluxus_rx.viz._timeline.model import Timeline
from fluxus_rx.viz._timeline.text import to_text
from tests.monitoring.test_stats import Row, rows, slow, timed, work


def plain(x: int) -> Iterator[Row]:
    for index in range(8):
        work(0.25)
        yield {"x": index}


async def awaiting(x: int) -> AsyncIterator[Row]:
    for index in range(8):
        await asyncio.sleep(0.25)
        yield {"x": index}


class Plain(Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        for _ in range(8):
            work(0.25)
            yield product


class Awaiting(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        for _ in range(8):
            await asyncio.sleep(0.25)
            yield product


GENERATORS: dict[str, Any] = {
    "plain": lambda: step("gen", plain),
    "awaiting": lambda: step("gen", awaiting),
    "with options": lambda: step("gen", awaiting).options(timeout=60, retry=2),
    "plain class": Plain,
    "asynchronous class": Awaiting,
}


def read_slowly(kind: str) -> RunResult:
    """The result of a run whose generator works for 2 s, and waits for its reader for 30."""
    flow = rows(1) >> GENERATORS[kind]() >> slow("reader", 4, 1).options(buffer=1)
    result = timed(lambda: arun(flow, timestamps=True))
    assert isinstance(result, RunResult)
    return result


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_summary_counts_only_what_a_generator_works(kind: str) -> None:
    """Its share of the time is that of its work; it is one call, as long as it may be."""
    result = read_slowly(kind)
    summary = result.summary()
    generator = summary.steps[1]
    assert summary.elapsed > 32
    assert (generator.calls, generator.peak) == (1, 1)
    assert (generator.busy, generator.max) == pytest.approx((2, 2))
    assert generator.share == pytest.approx(2 / summary.elapsed)


def test_timelines_show_when_a_generator_works() -> None:
    """In text a block for each time at which it does, and no wall; in HTML the same numbers."""
    result = read_slowly("awaiting")
    lane = Timeline.of(result).lanes[1]
    assert sum(end - start for start, end in lane.work()) == pytest.approx(2)
    line = next(
        line for line in to_text(Timeline.of(result)).splitlines() if line.startswith("g gen")
    )
    assert line.count("█") < 12
    page = io.StringIO()
    result.draw_timeline(file=page, style="html")
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page.getvalue(), re.DOTALL)
    assert found is not None
    lanes = json.loads(found[1])["lanes"]
    assert [len(one["work"] or ()) // 2 for one in lanes] == [0, 7, 0]
    assert len(lanes[1]["times"]) == 2


def test_a_generator_in_threads_works_only_there() -> None:
    """What it waits for its reader isn't work, wherever it runs."""

    def many(x: int) -> Iterator[Row]:
        yield from ({"x": index} for index in range(8))

    made = step("gen", many).options(executor="thread", buffer=1)
    flow = rows(1) >> made >> slow("reader", 4, 1).options(buffer=1)
    summary = timed(lambda: arun(flow, timestamps=True)).summary()
    # A thread takes no virtual time.
    assert summary.elapsed == pytest.approx(32)
    assert (summary.steps[1].busy, summary.steps[1].share) == pytest.approx((0, 0))


@pytest.mark.parametrize("seed", range(8))
def test_spans_stay_few_and_leave_out_no_work(seed: int) -> None:
    """However many products a generator yields, a few spans cover all of its work."""
    random = Random(seed)
    spans, now, worked = WorkSpans(), 0.0, []
    for _ in range(random.randrange(10 * MOST_SPANS)):
        end = now + random.expovariate(1)
        spans.add(now, end)
        worked.append((now, end))
        now = end + random.choice((0, 1e-6, random.expovariate(1), random.expovariate(1e-3)))
    times = spans.since(0.0) or (worked[0][0], worked[-1][1])
    assert len(times) <= 2 * MOST_SPANS
    assert list(times) == sorted(times)
    assert {moment for span in worked for moment in span} >= {*times}
    assert all(times[bisect_right(times, start) - 1 :][1] >= end for start, end in worked)
    assert all(bisect_right(times, start) % 2 for start, _ in worked)


def test_a_rerun_sums_up_its_own_time() -> None:
    """Its times go on from those of the first run, but that is not its time."""
    down = [True]

    async def call(x: int) -> Row:
        await asyncio.sleep(1)
        if down[0] and x % 2:
            raise LookupError(x)
        return {"x": x}

    flow = rows(10) >> step("f", call).options(concurrency=1, on_error="collect")

    async def main() -> tuple[RunResult, RunResult]:
        first = await arun(flow, timestamps=True)
        down[0] = False
        return first, await arerun(flow, first.failures, timestamps=True)

    with virtual_time() as go:
        first, second = go(main)
    summary = second.summary()
    assert (summary.elapsed, summary.steps[-1].share) == pytest.approx((5, 1))
    merged = first.merged(second).summary()
    assert (merged.elapsed, merged.steps[-1].share) == pytest.approx((15, 1))
