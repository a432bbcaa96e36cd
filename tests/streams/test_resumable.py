"""Readers that are cancelled while they wait, and ask again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Transformer,
    UsageError,
    astream,
    rx_pipe,
    step,
)
from fluxus_rx.rx import to_stream
from fluxus_rx.testing import run_virtual
from tests.support.probes import alone

#: Items of each run.
COUNT = 12


class Slow(AsyncProducer[int]):
    """0, 1, 2, … at odd moments; then an error, if there is one."""

    def __init__(self, seed: int, error: BaseException | None = None) -> None:
        self.rng = random.Random(seed)
        self.error = error

    async def aproduce(self) -> AsyncIterator[int]:
        for number in range(COUNT):
            if self.rng.random() < 0.7:
                await asyncio.sleep(self.rng.random())
            yield number
        if self.error is not None:
            raise self.error


class Twice(Transformer[int, int]):
    """Each product twice."""

    def transform(self, product: int) -> tuple[int, int]:
        return (product, product)


class Later(AsyncTransformer[int, int]):
    """Each product after a while."""

    async def atransform(self, product: int) -> AsyncIterator[int]:
        await asyncio.sleep(product % 7 / 10)
        yield product


def stepped(seed: int, error: BaseException | None) -> AsyncGenerator[Any, None]:
    async def numbers() -> AsyncIterator[dict[str, int]]:
        async for number in Slow(seed, error).aproduce():
            yield {"n": number}

    return astream(step("source", numbers) >> step("same", lambda n: {"m": n}))


Opened = Callable[[int, BaseException | None], Any]

READERS: dict[str, Opened] = {
    "astream": stepped,
    "aiter": lambda seed, error: aiter(Slow(seed, error)),
    "aiter of plain steps": lambda seed, error: aiter(Slow(seed, error) >> Twice()),
    "aiter of asynchronous steps": lambda seed, error: aiter(
        Slow(seed, error) >> Later().options(ordered=True)
    ),
    "aiter of a group": lambda seed, error: aiter(Slow(seed, error) >> (Twice() & Twice())),
    "aiter of operators": lambda seed, error: aiter(Slow(seed, error) >> rx_pipe(ops.map(abs))),
    "to_stream of an observable": lambda seed, error: aiter(
        to_stream.raw(Slow(seed, error).to_observable())
    ),
    "to_stream of plain steps": lambda seed, error: aiter(
        to_stream.raw((Slow(seed, error) >> Twice()).to_observable())
    ),
}

every_reader = pytest.mark.parametrize("reader", READERS)


async def in_a_task(items: AsyncIterator[Any], seconds: float) -> Any:
    """The next item, waited for in a task of its own."""
    waiting = asyncio.ensure_future(anext(items))
    if not (await asyncio.wait({waiting}, timeout=seconds))[0]:
        waiting.cancel()
        await asyncio.wait({waiting})
        raise TimeoutError
    return waiting.result()


async def waited(item: Awaitable[Any], seconds: float) -> Any:
    """An item, waited for in a task of its own, as `wait_for` does by itself before Python 3.12."""
    return await asyncio.wait_for(asyncio.ensure_future(item), seconds)


async def or_none(items: AsyncIterator[Any], seconds: float) -> Any:
    """The next item, or None at the end."""
    item = await waited(anext(items, None), seconds)
    if item is None:
        raise StopAsyncIteration
    return item


async def in_this_task(items: AsyncIterator[Any], seconds: float) -> Any:
    """The next item, waited for in the midst of this task."""
    async with asyncio.timeout(seconds):
        return await anext(items)


Waiting = Callable[[AsyncIterator[Any], float], Any]

WAITING: tuple[Waiting, ...] = (
    lambda items, seconds: waited(anext(items), seconds),
    in_a_task,
    or_none,
)


async def read(
    items: AsyncIterator[Any], seconds: Callable[[], float], wait: Waiting = WAITING[0]
) -> list[Any]:
    """All items, by a reader that waits for so long at most, again and again."""
    found = []
    while True:
        try:
            found.append(await wait(items, seconds()))
        except TimeoutError:
            continue
        except StopAsyncIteration:
            return found


class TestCancelledWaiting:
    @every_reader
    def test_nothing_is_lost(self, reader: str) -> None:
        """A reader that leaves at random moments gets all items in the end, in their order."""

        async def main(seed: int) -> None:
            rng = random.Random(seed)
            patient = await read(READERS[reader](seed, None), lambda: 1e9)
            hasty = await read(
                READERS[reader](seed, None), lambda: 0.02 + rng.random() / 2, WAITING[seed]
            )
            assert hasty == patient
            assert len(patient) >= COUNT
            assert alone()

        for seed in range(len(WAITING)):
            run_virtual(main(seed))

    @every_reader
    def test_who_is_cancelled_in_the_midst_of_a_task_is_told(self, reader: str) -> None:
        """The run is cleaned up at once, and the next one to ask hears that this isn't the end."""

        async def main() -> None:
            items = READERS[reader](0, None)
            with pytest.raises(UsageError, match="this iteration is not complete"):
                await read(items, lambda: 0.3, in_this_task)
            assert alone()

        run_virtual(main())

    @every_reader
    def test_the_error_comes_after_the_items(self, reader: str) -> None:
        """It isn't an end that looks as if all had come; and the run has been cleaned up by
        then."""
        error = ValueError("the source")

        async def main() -> None:
            rng = random.Random(1)
            with pytest.raises(ValueError, match="the source") as caught:
                await read(READERS[reader](1, error), lambda: 0.02 + rng.random() / 2)
            assert caught.value is error
            assert alone()

        run_virtual(main())

    @every_reader
    def test_whoever_leaves_for_good_closes_it(self, reader: str) -> None:
        """After a cancelled wait, `aclose` ends the run; what is asked for then is its end."""

        async def main() -> None:
            async with contextlib.aclosing(READERS[reader](3, None)) as items:
                await anext(items)
                for _ in range(3):
                    with contextlib.suppress(TimeoutError):
                        await WAITING[0](items, 0.01)
            assert alone()
            with pytest.raises(StopAsyncIteration):
                await anext(items)

        run_virtual(main())

    @every_reader
    def test_an_error_of_its_own_is_thrown_in(self, reader: str) -> None:
        """`athrow` cleans up, and raises it, as that of a generator."""

        async def main() -> None:
            items = READERS[reader](3, None)
            await anext(items)
            with pytest.raises(KeyError):
                await items.athrow(KeyError("mine"))
            assert alone()
            with pytest.raises(StopAsyncIteration):
                await items.asend(None)

        run_virtual(main())

    @pytest.mark.parametrize("moment", [0.0, 0.05, 0.31])
    @pytest.mark.parametrize("in_midst", [False, True])
    @every_reader
    def test_closed_while_a_task_waits_tells_that_task(
        self, reader: str, in_midst: bool, moment: float
    ) -> None:
        """It is cleaned up, and who waits gets an error, and is not cancelled."""

        async def main() -> None:
            items = READERS[reader](3, None)

            async def wait() -> None:
                while True:
                    await anext(items)

            first = asyncio.ensure_future(wait() if in_midst else anext(items))
            await asyncio.sleep(moment)
            if first.done():
                first = asyncio.ensure_future(anext(items))
                await asyncio.sleep(0)
            await items.aclose()
            assert items.ag_running is False
            with pytest.raises(UsageError, match="closed while a task waited"):
                await first
            assert first.cancelling() == 0
            assert alone()
            with pytest.raises(StopAsyncIteration):
                await anext(items)

        run_virtual(main())

    @every_reader
    def test_closed_while_a_task_waits_that_is_cancelled(self, reader: str) -> None:
        """A cancellation from elsewhere stays one, and both clean up."""

        async def main() -> None:
            items = READERS[reader](3, None)
            first = asyncio.ensure_future(anext(items))
            await asyncio.sleep(0)
            closing = asyncio.ensure_future(items.aclose())
            await asyncio.sleep(0)
            first.cancel()
            await closing
            with pytest.raises(asyncio.CancelledError):
                await first
            assert alone()

        run_virtual(main())

    def test_asend_waits_alone_as_anext_does(self) -> None:
        """A time-out of it is of the waiting alone."""

        async def main() -> None:
            got: list[int] = []
            async with contextlib.aclosing(aiter(Slow(3) >> Later())) as items:
                while len(got) < COUNT:
                    with contextlib.suppress(TimeoutError):
                        got.append(await waited(items.asend(None), 0.05))
            assert sorted(got) == [*range(COUNT)]

        run_virtual(main())

    def test_two_at_once_are_refused(self) -> None:
        """One of them would take what the other waits for."""

        async def main() -> None:
            async with contextlib.aclosing(aiter(Slow(0) >> Later())) as items:
                first = asyncio.ensure_future(anext(items))
                await asyncio.sleep(0)
                with pytest.raises(UsageError, match="two tasks ask"):
                    await anext(items)
                await first

        run_virtual(main())

    def test_a_cancellation_that_a_step_raises_is_an_error(self) -> None:
        """It ends the iteration, though nobody has cancelled the reader."""

        async def main() -> None:
            with pytest.raises(asyncio.CancelledError):
                await read(stepped(0, asyncio.CancelledError()), lambda: 1e9)
            assert alone()

        run_virtual(main())

    @every_reader
    def test_a_task_that_is_cancelled_while_it_reads_has_cleaned_up(self, reader: str) -> None:
        """Before it ends: nobody else would."""

        async def main() -> None:
            async def reading() -> None:
                async for _ in READERS[reader](0, None):
                    pass

            task = asyncio.create_task(reading())
            await asyncio.sleep(2)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert alone()

        run_virtual(main())

    def test_a_stream_that_aiostream_reads_survives(self) -> None:
        """Its context hands a cancelled wait through."""

        async def main() -> None:
            async with to_stream(Slow(1).to_observable()).stream() as streamer:
                assert await read(streamer, lambda: 0.1) == [*range(COUNT)]

        run_virtual(main())


class Hasty(AsyncConsumer[int, list[int]]):
    """Waits for each product for a moment only, again and again."""

    async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> list[int]:
        rng = random.Random(4)
        seconds = lambda: 0.02 + rng.random() / 2  # noqa: E731
        found = await read(aiter(products), seconds, in_this_task)
        return [product for _, product in found]


class Stubborn(AsyncConsumer[int, list[int]]):
    """Keeps a cancellation to itself, and goes on."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.cancelled = 0

    async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> list[int]:
        items = aiter(products)
        while True:
            try:
                _, product = await anext(items)
                await asyncio.sleep(1)
                self.taken.append(product)
            except asyncio.CancelledError:
                self.cancelled += 1
            except StopAsyncIteration:
                return self.taken


class TestConsumers:
    def test_one_may_leave_and_ask_again(self) -> None:
        """A time-out of its own around `anext` loses nothing."""
        assert run_virtual((Slow(2) >> Later().options(ordered=True) >> Hasty()).arun()) == [
            *range(COUNT)
        ]

    def test_one_is_given_nothing_after_a_cancellation(self) -> None:
        """Not even if it goes on asking: it is cancelled once more, and then at the end."""
        consumer = Stubborn()

        async def main() -> None:
            task = asyncio.create_task((Slow(2) >> consumer).arun())
            await asyncio.sleep(5.5)
            taken = len(consumer.taken)
            task.cancel()
            await asyncio.wait([task])
            assert len(consumer.taken) == taken > 2
            assert consumer.cancelled == 2
            assert alone()

        run_virtual(main())
