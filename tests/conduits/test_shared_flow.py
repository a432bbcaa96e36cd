"""One run of a flow for all who listen to it: `flow.share()`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import (
    BufferOverflowError,
    InvalidOptionError,
    SharedFlow,
    UsageError,
    arun,
    from_observable,
    rx_pipe,
    start,
    step,
)
from fluxus_rx import run as run_flow
from fluxus_rx.testing import run_virtual
from tests.support.probes import BUFFER

COUNT = 12


class BrokenError(Exception):
    """What a source fails with."""


class Ticks:
    """A number each second; tells how many it has emitted, and when it was closed."""

    def __init__(self, count: int = COUNT, every: float = 1.0) -> None:
        self.count = count
        self.every = every
        self.made = 0
        self.closed_at: float | None = None
        self.step = step("tick", self.numbers)

    async def numbers(self) -> AsyncIterator[dict[str, int]]:
        """The numbers."""
        try:
            for number in range(self.count):
                await asyncio.sleep(self.every)
                self.made = number + 1
                yield {"n": number}
        finally:
            await asyncio.sleep(0.25)
            self.closed_at = asyncio.get_running_loop().time()


async def slowly(n: int) -> dict[str, int]:
    """What a step takes three times as long for as the source for a number."""
    await asyncio.sleep(3.1)
    return {"m": n}


SLOW = step("slow", slowly).options(concurrency=1)


async def heard(flow: Any) -> list[int]:
    """The numbers that a flow emits."""
    return [product["n"] async for product in flow]


def number_of(product: Any) -> Any:
    """The number of the source."""
    return product["n"]


def listening(flow: Any) -> asyncio.Task[list[int]]:
    """Hears all of a flow, from now on."""
    return asyncio.create_task(heard(flow))


def test_whoever_listens_hears_what_comes_from_then_on() -> None:
    """By a run, by iterating, and by an observable; with `replay`, the last items before that."""

    async def main() -> Any:
        async with Ticks().step.share(replay=2) as hub:
            first = listening(hub)
            await asyncio.sleep(5.5)
            late = listening(hub >> step("late", lambda n: {"m": n}))
            by_run = asyncio.create_task(arun(hub >> step("run", lambda n: {"m": n})))
            observable = hub.to_observable().pipe(ops.map(number_of), ops.to_list())
            by_observable = asyncio.ensure_future(observable)
            (outputs,) = await by_run
            numbers = [output["tick"]["n"] for output in outputs]
            results = await first, await late, numbers, await by_observable
            return *results, await heard(hub)

    first, *others, after_the_end = run_virtual(main)
    assert first == [*range(COUNT)]
    assert others == [[*range(3, COUNT)]] * 3
    assert after_the_end == [COUNT - 2, COUNT - 1]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"overflow": "drop_oldest", "buffer": 2}, [0, 2, 5, 8, 10, 11]),
        ({"overflow": "drop_newest", "buffer": 2}, [0, 1, 2, 4, 7, 10]),
        ({"overflow": "latest"}, [0, 3, 6, 9, 11]),
    ],
)
def test_a_slow_listener_loses_items_and_holds_up_nobody(
    policy: dict[str, Any], expected: list[int]
) -> None:
    """What it has lost is counted; the fast one hears all in time."""

    async def main() -> tuple[list[int], int, list[int], int, float]:
        ticks = Ticks()
        async with ticks.step.share() as hub:
            slow = hub.subscriber(**policy)
            async with start(slow >> SLOW) as run:
                fast = await heard(hub)
                ended = asyncio.get_running_loop().time()
                (outputs,) = await run.result()
            numbers = [output["tick"]["n"] for output in outputs]
            assert run.stats()["share"].dropped == slow.dropped
            return numbers, slow.dropped, fast, hub.dropped, ended

    numbers, dropped, fast, dropped_by_fast, ended = run_virtual(main)
    assert (len(numbers) + dropped, fast, dropped_by_fast) == (COUNT, [*range(COUNT)], 0)
    assert numbers == expected
    assert ended == COUNT + 0.25


def test_with_keep_the_slowest_sets_the_pace_until_it_leaves() -> None:
    """So nobody loses anything, and no more than the buffer waits."""

    async def main() -> None:
        ticks = Ticks(count=200, every=0)
        async with ticks.step.share(buffer=4) as hub:
            fast, slow = listening(hub), listening(hub >> SLOW)
            await asyncio.sleep(31)
            assert 10 <= ticks.made <= 10 + 4 + BUFFER + 2
            slow.cancel()
            assert await fast == [*range(200)]

    run_virtual(main)


def test_with_error_a_listener_that_is_too_slow_fails_alone() -> None:
    """The others, and the source, go on."""

    async def main() -> None:
        async with Ticks().step.share() as hub:
            fast = listening(hub)
            with pytest.raises(BufferOverflowError, match="2 items wait"):
                await heard(hub.subscriber(overflow="error", buffer=2) >> SLOW)
            assert await fast == [*range(COUNT)]

    run_virtual(main)


def test_the_source_goes_on_when_nobody_listens() -> None:
    """From the beginning of the block on; without a block, from the first who listens on."""

    async def main() -> None:
        async with Ticks().step.share() as hub:
            await asyncio.sleep(3.5)
            assert await heard(hub >> rx_pipe(ops.take(2))) == [3, 4]
            await asyncio.sleep(3.5)
            assert await heard(hub) == [8, 9, 10, 11]
        hub = Ticks().step.share()
        await asyncio.sleep(3.5)
        assert await heard(hub >> rx_pipe(ops.take(2))) == [0, 1]
        await asyncio.sleep(3.5)
        assert await heard(hub) == [5, 6, 7, 8, 9, 10, 11]

    run_virtual(main)


async def _by_block(hub: SharedFlow[Any], until: Awaitable[Any]) -> None:
    async with hub:
        await until


async def _by_await(hub: SharedFlow[Any], until: Awaitable[Any]) -> None:
    await until
    await hub.close()


async def _by_call(hub: SharedFlow[Any], until: Awaitable[Any]) -> None:
    await until
    hub.close()
    hub.close()
    await asyncio.sleep(1)


async def _by_thread(hub: SharedFlow[Any], until: Awaitable[Any]) -> None:
    await until
    thread = threading.Thread(target=hub.close)
    thread.start()
    thread.join()
    await hub.close()


async def _by_cancelling(hub: SharedFlow[Any], until: Awaitable[Any]) -> None:
    block = asyncio.create_task(_by_block(hub, asyncio.Event().wait()))
    await until
    block.cancel()
    await asyncio.wait([block])
    assert block.cancelled()


@pytest.mark.parametrize("close", [_by_block, _by_await, _by_call, _by_thread, _by_cancelling])
def test_when_it_is_closed_all_hear_what_waits_and_the_end(
    close: Callable[[SharedFlow[Any], Awaitable[Any]], Awaitable[None]],
) -> None:
    """However it is closed; code that waits for that waits for the source to clean up."""

    async def main() -> None:
        ticks = Ticks()
        hub = ticks.step.share()
        listeners = [listening(hub), listening(hub >> SLOW)]
        await close(hub, asyncio.sleep(4.5))
        assert ticks.closed_at == 4.75
        assert await asyncio.gather(*listeners) == [[0, 1, 2, 3]] * 2
        assert await heard(hub) == []

    run_virtual(main)


def test_an_error_in_cleaning_up_is_told_like_any_other() -> None:
    """By who listens; by the block, or who awaits the closing, where nobody does."""

    async def failing() -> AsyncIterator[dict[str, int]]:
        try:
            async for item in Ticks().numbers():
                yield item
        finally:
            raise BrokenError

    async def main() -> None:
        with pytest.raises(BrokenError):
            await _by_block(step("src", failing).share(), asyncio.sleep(3.5))
        hub = step("src", failing).share()
        assert await heard(hub >> rx_pipe(ops.take(2))) == [0, 1]
        with pytest.raises(BrokenError):
            await hub.close()
        hub = step("src", failing).share()
        listener = listening(hub)
        await _by_block(hub, asyncio.sleep(3.5))
        with pytest.raises(BrokenError):
            await listener

    run_virtual(main)


def test_waiting_for_a_hub_to_clean_up_ends_when_it_is_cancelled_twice() -> None:
    """Once, and it waits for the source still; twice, and it doesn't."""

    async def endless() -> AsyncIterator[dict[str, int]]:
        try:
            yield {"n": 0}
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    may_end = asyncio.Event()

    async def main() -> None:
        hub = step("src", endless).share()
        listener = listening(hub)
        await asyncio.sleep(1)
        closing = asyncio.ensure_future(hub.close())
        await asyncio.sleep(1)
        closing.cancel()
        await asyncio.sleep(1)
        assert not closing.done()
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        may_end.set()
        await hub.close()
        assert await listener == [0]

    run_virtual(main)


def test_an_interrupt_that_all_were_told_of_is_not_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No message says that the exception of the shared flow was never retrieved."""

    def interrupt(observer: Any, scheduler: Any = None) -> Any:
        observer.on_error(KeyboardInterrupt())

    hub = from_observable(reactivex.create(interrupt), "src").share()
    loop = asyncio.new_event_loop()
    listener = loop.create_task(heard(hub))
    while not listener.done():
        with contextlib.suppress(KeyboardInterrupt):  # each task that ends by it stops the loop
            loop.run_until_complete(listener)
    assert type(listener.exception()) is KeyboardInterrupt
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    del hub
    gc.collect()
    assert not caplog.records


def test_a_block_may_end_as_soon_as_it_has_begun() -> None:
    """Then the flow doesn't run."""

    async def main() -> None:
        ticks = Ticks()
        async with ticks.step.share() as hub:
            pass
        assert await heard(hub) == []
        assert ticks.closed_at is None

    run_virtual(main)


def test_a_hub_that_is_closed_before_it_begins_is_empty() -> None:
    """And its flow never runs."""

    async def main() -> None:
        ticks = Ticks()
        hub = ticks.step.share()
        await hub.close()
        assert await heard(hub) == []
        async with hub:
            assert await heard(hub) == []
        assert ticks.made == 0

    run_virtual(main)


def broken(at: int) -> SharedFlow[Any]:
    """A hub whose flow fails at this number."""

    def fail(n: int) -> dict[str, int]:
        if n == at:
            raise BrokenError
        return {"m": n}

    return (Ticks().step >> step("fail", fail)).share(replay=1)


def test_an_error_of_the_source_is_told_to_all_who_listen_now_or_later() -> None:
    """The very object; the block doesn't raise what somebody was told."""

    async def main() -> None:
        async with broken(3) as hub:
            listeners = [heard(hub), arun(hub >> SLOW), heard(hub.subscriber(overflow="latest"))]
            errors = [*await asyncio.gather(*listeners, return_exceptions=True)]
            seen: list[Any] = []
            with pytest.raises(BrokenError) as late:
                await hub.to_observable().pipe(ops.do_action(seen.append))
        assert [type(error) for error in errors] == [BrokenError] * 3
        assert all(error is late.value for error in errors)
        assert len(seen) == 1

    run_virtual(main)


def test_an_error_that_nobody_hears_is_raised_by_the_block_or_goes_to_the_loop() -> None:
    """It becomes a note of an error that the block ends with."""

    async def main() -> None:
        with pytest.raises(BrokenError):
            await _by_block(broken(3), asyncio.sleep(5))

        async def fail() -> None:
            await asyncio.sleep(5)
            raise KeyError

        with pytest.raises(KeyError) as caught:
            await _by_block(broken(3), fail())
        assert "BrokenError" in "".join(caught.value.__notes__)
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        assert await heard(broken(3) >> rx_pipe(ops.take(1))) == [0]
        await asyncio.sleep(5)
        assert [type(context["exception"]) for context in told] == [BrokenError]

    run_virtual(main)


def test_a_wrong_flow_is_an_error_of_who_listens() -> None:
    """As of a run that can't begin."""

    async def main() -> None:
        flow = Ticks().step >> SLOW.options(on_error="collect")
        with pytest.raises(UsageError, match="collect"):
            await heard(flow.share())

    run_virtual(main)


def test_a_hub_begins_flows_of_any_shape() -> None:
    """All paths of the flow are one source; and a hub can stand beside others, or be shared."""

    async def main() -> list[int]:
        ticks = Ticks(3)
        paths = ticks.step >> (step("a", lambda n: {"a": n}) & step("b", lambda n: {"b": n}))
        async with paths.share() as hub, hub.share() as again:
            results = await asyncio.gather(
                arun(hub >> (step("c", lambda n: {}) & step("d", lambda n: {}))),
                arun((hub & Ticks(2).step) >> step("e", lambda n: {})),
                arun(again),
            )
        return [len(outputs) for result in results for outputs in result]

    assert run_virtual(main) == [6, 6, 6, 2, 6]


def test_a_listener_on_another_loop_hears_all_in_its_thread() -> None:
    """Nobody waits for it: what it has no room for waits, or takes its policy."""

    async def main() -> tuple[int, int]:
        waiting, here = asyncio.Event(), asyncio.get_running_loop()

        async def once_heard() -> AsyncIterator[dict[str, int]]:
            await waiting.wait()
            for number in range(50):
                yield {"n": number}

        def listen(hub: Any) -> int:
            async def told() -> int:
                async with start(hub >> step("s", lambda n: {"m": n})) as run:
                    here.call_soon_threadsafe(waiting.set)
                    return len((await run.result())[0])

            return asyncio.run(told())

        async with step("src", once_heard).share() as hub:
            in_thread = asyncio.create_task(asyncio.to_thread(listen, hub))
            return len(await heard(hub)), await in_thread

    # The one in the thread is there first: it lets the source go.
    assert asyncio.run(main()) == (50, 50)


def test_a_run_by_itself_may_begin_with_a_hub() -> None:
    """Its loop is that of the source then."""
    hub = step("src", [{"n": 1}, {"n": 2}]).share()
    assert len(run_flow(hub >> step("s", lambda n: {"m": n}))[0]) == 2


def test_when_its_loop_ends_listeners_on_other_loops_are_told() -> None:
    """Instead of waiting for ever."""
    waiting, listener = threading.Event(), threading.Event()

    async def endless() -> AsyncIterator[dict[str, int]]:
        waiting.set()
        await asyncio.to_thread(listener.wait)
        await asyncio.Event().wait()
        yield {}

    hub = step("src", endless).share()

    async def first() -> None:
        task = listening(hub)
        await asyncio.to_thread(listener.wait)
        # As the loop does at its end; here, for a test leaves no task running.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for one in left:
            one.cancel()
        await asyncio.wait([*left, task])

    async def second() -> None:
        async with start(hub) as run:
            listener.set()
            with pytest.raises(UsageError, match="event loop on which the shared flow ran"):
                await run.result()

    thread = threading.Thread(target=lambda: asyncio.run(first()))
    thread.start()
    waiting.wait()
    asyncio.run(second())
    thread.join()


def test_mistakes_are_told_at_once() -> None:
    """With the name of the argument."""
    flow = Ticks().step
    for arguments, text in [
        ({"overflow": "wait"}, "overflow='wait'"),
        ({"buffer": 0}, "buffer=0"),
        ({"replay": -1}, "replay=-1"),
        ({"overflow": "latest", "buffer": 2}, "keeps one item"),
    ]:
        with pytest.raises(InvalidOptionError, match=text):
            flow.share(**arguments)  # type: ignore[arg-type]  # what is tried
    with pytest.raises(InvalidOptionError, match="buffer=0"):
        flow.share().subscriber(buffer=0)


def test_a_hub_shows_what_it_shares() -> None:
    """In its repr, and in a check of a flow behind it."""
    hub = Ticks().step.share(overflow="drop_oldest", buffer=3, replay=1)
    assert repr(hub) == "tick.share(overflow='drop_oldest', buffer=3)"
    assert repr(hub.subscriber(overflow="keep")) == "tick.share()"
    assert repr(hub.subscriber(buffer=5)) == "tick.share(overflow='drop_oldest', buffer=5)"


@pytest.mark.parametrize("seed", range(8))
def test_each_listener_hears_or_counts_each_item_while_it_listens(seed: int) -> None:
    """However many come and leave, at which moments, and with which policies."""
    rng = random.Random(seed)

    async def listen(hub: SharedFlow[Any]) -> None:
        overflow = rng.choice(["keep", "drop_oldest", "drop_newest", "latest"])
        buffer = None if overflow == "latest" else rng.randint(1, 4)
        mine = hub.subscriber(overflow=overflow, buffer=buffer)  # type: ignore[arg-type]
        joins, leaves = rng.uniform(0, 20), rng.uniform(1, 20)
        slow = rng.random() < 0.5 and overflow != "keep"
        await asyncio.sleep(joins)
        numbers: list[int] = []
        try:
            async with asyncio.timeout(leaves if rng.random() < 0.5 else None):
                async with aclosing(aiter(mine)) as products:
                    async for product in products:
                        numbers.append(product["n"])
                        await asyncio.sleep(2.3 if slow else 0)
        except TimeoutError:
            assert numbers == sorted(set(numbers))
            return
        assert numbers == sorted(set(numbers))
        assert len(numbers) + mine.dropped == max(0, COUNT - int(joins / 1.5))
        assert mine.dropped == 0 or slow

    async def main() -> None:
        async with Ticks(every=1.5).step.share() as hub:
            await asyncio.gather(*(listen(hub) for _ in range(12)))

    run_virtual(main)
