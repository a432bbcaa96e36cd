"""When the loop is what is full, and when a step blocks it, an explanation says so, and of whom."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest

from fluxus_rx import AsyncTransformer, RunStats, Transformer, passthrough, start, step
from fluxus_rx._monitoring.gauge import Gauges
from fluxus_rx._monitoring.loop_time import SAMPLES, LoopTime
from fluxus_rx._monitoring.thread_use import ThreadUse
from fluxus_rx._rx.run_settings import RunSettings
from tests.monitoring.test_stats import Row, at, busy, over, rows, slow, timed, work


class Processor:
    """What the thread of the loop has had of the processor, as a test says."""

    def __init__(self) -> None:
        self.computed = self.queued = 0.0
        self.waits = self.asked = 0

    def compute(self, seconds: float) -> None:
        """Hold the loop, and compute."""
        self.computed += seconds
        work(seconds)

    def block(self, seconds: float) -> None:
        """Hold the loop, and wait, as for a file."""
        self.waits += 1
        work(seconds)

    def preempt(self, seconds: float) -> None:
        """Hold the loop while another program has the processor."""
        self.queued += seconds
        work(seconds)

    def use(self) -> ThreadUse:
        self.asked += 1
        return ThreadUse(self.computed, self.waits)

    def times(self) -> tuple[float, float]:
        return self.computed, self.queued


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Processor:
    """A clock of virtual time that goes on while something computes, as the test says."""
    scripted = Processor()
    for module in ("loop_time", "meter"):
        monkeypatch.setattr(f"fluxus_rx._monitoring.{module}.is_real", lambda clock: True)
    monkeypatch.setattr("fluxus_rx._monitoring.loop_time.thread_use", scripted.use)
    monkeypatch.setattr("fluxus_rx._monitoring.meter.processor_times", scripted.times)
    return scripted


def all_kinds(hold: Any) -> dict[str, Any]:
    """Steps that hold the loop in each call, and are called `save`."""

    def plain(x: int) -> Row:
        hold(1)
        return {"x": x}

    def generator(x: int) -> Iterator[Row]:
        hold(1)
        yield {"x": x}

    async def awaiting(x: int) -> Row:
        await asyncio.sleep(0.1)
        hold(1)
        return {"x": x}

    async def agenerator(x: int) -> AsyncIterator[Row]:
        await asyncio.sleep(0.1)
        hold(1)
        yield {"x": x}

    def later(x: int) -> Awaitable[Row]:
        return awaiting(x)

    class save(Transformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            hold(1)
            yield product

    class Asave(AsyncTransformer[Any, Any]):
        name = "save"

        async def atransform(self, product: Any) -> AsyncIterator[Any]:
            hold(1)
            yield product

    functions = (plain, generator, awaiting, agenerator, later)
    steps = {one.__name__: step("save", one) for one in functions}
    steps["with options"] = step("save", awaiting).options(timeout=60, retry=2)
    return {**steps, "class": save(), "asynchronous class": Asave()}


KINDS = [
    *("plain", "generator", "awaiting", "agenerator", "later"),
    *("with options", "class", "asynchronous class"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_blocks_the_loop_is_told(processor: Processor, kind: str) -> None:
    """Whatever its function is: for how long it blocks, and that a thread is the way out."""
    explanation = over(rows(9) >> all_kinds(processor.block)[kind] >> slow("next", 0.1)).explain()
    assert explanation.bottleneck == "save", explanation.sentence
    assert "save is the bottleneck: it blocks the loop for 9" in explanation.sentence
    assert "computes in only 0% of that" in explanation.sentence
    assert 'executor="thread"' in explanation.sentence
    assert explanation.stats["save"].on_loop == pytest.approx(9)
    assert explanation.stats.loop > 0.85
    assert "with the loop at work for 9" in str(explanation)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_computes_on_the_loop_is_told(processor: Processor, kind: str) -> None:
    """Threads would not help; also where other programs take most of the processor."""

    def hold(seconds: float) -> None:
        processor.compute(seconds / 10)
        processor.preempt(seconds * 9 / 10)

    explanation = over(rows(9) >> all_kinds(hold)[kind] >> slow("next", 0.1)).explain()
    assert explanation.bottleneck == "save"
    assert "kept the loop busy for 9" in explanation.sentence
    assert "executor='process'" in explanation.sentence
    assert 'executor="thread"' not in explanation.sentence
    assert explanation.stats["save"].computing == pytest.approx(1)


def test_a_source_that_blocks_the_loop_is_told(processor: Processor) -> None:
    """A file that is read slowly is the usual case."""

    def source() -> Iterator[Row]:
        for x in range(9):
            processor.block(1)
            yield {"x": x}

    explanation = over(step("read", source) >> slow("next", 0.1)).explain()
    assert "read is the bottleneck: it blocks the loop for 9" in explanation.sentence
    assert 'executor="thread"' in explanation.sentence


def test_a_loop_that_several_steps_fill_is_the_bottleneck(processor: Processor) -> None:
    """The sentence says which step has how much of it, the longest first."""

    def computing(name: str, seconds: float) -> Any:
        async def call(x: int) -> Row:
            processor.compute(seconds)
            await asyncio.sleep(0)
            return {"x": x}

        return step(name, call)

    flow = rows(20) >> computing("a", 0.2) >> computing("b", 0.4) >> computing("c", 0.35)
    explanation = over(flow).explain()
    assert explanation.bottleneck == "the loop"
    assert "at work for 100% of 19 s: 42% in b, 37% in c, 21% in a" in explanation.sentence
    assert "executor='process'" in explanation.sentence


def test_a_loop_that_is_full_of_other_things_is_told(processor: Processor) -> None:
    """Of many short calls, and of other code that runs on the same loop."""

    async def main() -> RunStats:
        async with start(rows(5) >> slow("f", 0.1, 1)) as running:
            processor.compute(9)
            await running.result()
            return running.stats()

    explanation = timed(main).explain()
    assert explanation.bottleneck == "the loop"
    assert "% in all else that runs on it" in explanation.sentence
    assert "Do more in a call" in explanation.sentence


def test_a_thread_that_is_queued_but_hardly_computes_is_not_full(processor: Processor) -> None:
    """On a busy machine, a step that waits is still what holds the run up."""

    async def main() -> RunStats:
        async with start(rows(5) >> slow("f", 1, 1)) as running:
            processor.queued += 5
            await running.result()
            return running.stats()

    assert timed(main).explain().bottleneck == "f"


def test_a_step_that_awaits_holds_no_loop(processor: Processor) -> None:
    """What is slow elsewhere is explained as before."""
    explanation = over(rows(9) >> slow("f", 1, 1)).explain()
    assert (explanation.stats["f"].on_loop, explanation.stats.loop) == (0, 0)
    assert "its one slot was taken" in explanation.sentence


def test_numbers_of_another_thread_are_not_taken(processor: Processor) -> None:
    """Statistics may be read from any thread, which has computed something else."""

    async def main() -> tuple[RunStats, RunStats]:
        async with start(rows(5) >> slow("f", 1, 1)) as running:
            await asyncio.sleep(0.5)
            processor.compute(9)
            here = running.stats()
            elsewhere = await asyncio.to_thread(running.stats)
            return here, elsewhere

    here, elsewhere = timed(main)
    assert here.loop > 0.9
    assert elsewhere.loop == 0


def test_in_virtual_time_nothing_is_said_of_the_processor() -> None:
    """What holds the loop is known there, whether it computes is not."""
    stats = over(rows(9) >> busy("f", 1))
    assert stats["f"].on_loop == pytest.approx(9)
    assert stats["f"].computing is None


def test_only_after_what_was_long_the_thread_is_looked_at(processor: Processor) -> None:
    """Short calls, which are the many, cost nothing for that."""

    def call(x: int) -> Row:
        if x == 3:
            processor.compute(1)
        return {"x": x}

    assert over(rows(100) >> step("f", call))["f"].done == 100
    assert 0 < processor.asked <= 2 * SAMPLES


def test_only_a_run_that_can_be_asked_is_timed() -> None:
    """Progress and time stamps alone don't pay for it."""
    for settings, is_timed in (
        (RunSettings.of(progress=print, timestamps=True), False),
        (RunSettings.of(steered=True), True),
    ):
        assert settings.meter is not None
        assert settings.meter.gauges._times_loop is is_timed
    assert Gauges()._times_loop is False


async def test_what_is_timed_is_awaited_as_before() -> None:
    """Values, errors, cancellations and closing go in and out."""
    seen: list[str] = []

    async def call(what: str) -> str:
        try:
            await asyncio.sleep(0.001)
            if what == "raises":
                raise LookupError
            await asyncio.sleep(0 if what == "returns" else 1000)
        except asyncio.CancelledError:
            seen.append("cancelled")
            if what == "recovers":
                return "recovered"
            raise
        finally:
            seen.append(what)
        return what

    loop_time = LoopTime()
    assert await loop_time.timed_call(call("returns")) == "returns"
    with pytest.raises(LookupError):
        await loop_time.timed_call(call("raises"))
    for what in ("waits", "recovers"):
        task = asyncio.ensure_future(awaited(loop_time, call(what)))
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert await task == "recovered"
    assert seen == ["returns", "raises", "cancelled", "waits", "cancelled", "recovers"]
    assert 0 < loop_time.held < 1


async def awaited(loop_time: LoopTime, calling: Any) -> Any:
    return await loop_time.timed_call(calling)


def test_parts_of_the_time_are_never_more_than_all_of_it() -> None:
    """A step at several places adds up the seconds of all, but not its percentages."""
    group = slow("a", 0.01) & slow("b", 0.01) & passthrough()
    both = slow("c", 0.01)
    for stats in at(rows(60) >> group >> both >> slow("last", 1, 1), 20):
        sentence = stats.explain().sentence
        parts = [int(word.rstrip("%;,.")) for word in sentence.split() if "%" in word]
        assert parts
        assert max(parts) <= 100
