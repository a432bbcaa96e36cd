"""What does an item of a source that doesn't wait cost, whatever becomes of it?"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from .harness import OURS, Contest, Goal, Race, Scale, benchmark, peer

BY_HAND = "by hand"
#: Items that are emitted before the reader has its turn; fewer than the buffer holds.
BURST = 10
BUFFER = 100
UNIT = "µs per item emitted"

#: Subscribes with an observer, and emits so many numbers to it, heeding nobody.
Emit = Callable[[int, Any], None]

#: Tasks that emit, and that nobody else holds.
emitting: set[asyncio.Future[None]] = set()


@benchmark(
    "hot",
    question="What does each item of a source that doesn't wait cost, kept or dropped?",
    goal="taken at most 2.5x, dropped at most 4x by hand; from a thread at most 1.5x by hand",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Every policy of from_observable: on the loop, with all in one go, and from a thread."""
    count = scale.pick(4_000, 400)
    for overflow in ("keep", "error", "drop_oldest"):
        yield _taken(count, scale, overflow)
    for overflow in ("drop_oldest", "drop_newest", "latest"):
        yield _dropped(count, scale, overflow)
    for overflow in ("keep", "error", "drop_oldest"):
        yield _threaded(count, scale, overflow)


def _observable(emit: Emit, count: int) -> Any:
    def subscribe(observer: Any, _: Any = None) -> Any:
        emit(count, observer)
        return peer("reactivex.disposable").Disposable()

    return peer("reactivex").create(subscribe)


def _in_bursts(count: int, observer: Any) -> None:
    async def bursts() -> None:
        for number in range(count):
            observer.on_next(number)
            if number % BURST == BURST - 1:
                await asyncio.sleep(0)
        observer.on_completed()

    emitting.add(task := asyncio.ensure_future(bursts()))
    task.add_done_callback(emitting.discard)


def _in_one_go(count: int, observer: Any) -> None:
    for number in range(count):
        observer.on_next(number)
    observer.on_completed()


def _in_a_thread(count: int, observer: Any) -> None:
    threading.Thread(target=_in_one_go, args=(count, observer)).start()


def _ours(
    emit: Emit, count: int, overflow: str, buffer: int | None
) -> Callable[[], Awaitable[list[int]]]:
    async def main() -> list[int]:
        source = peer(OURS).from_observable(
            _observable(emit, count), buffer=buffer, overflow=overflow
        )
        return [number async for number in source]

    return main


def _by_hand(
    emit: Emit, count: int, queued: Callable[[Any], AsyncIterator[int]]
) -> Callable[[], Awaitable[list[int]]]:
    async def main() -> list[int]:
        return [number async for number in queued(_observable(emit, count))]

    return main


async def _queue(observable: Any) -> AsyncIterator[int]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    end = object()
    observable.subscribe(on_next=queue.put_nowait, on_completed=lambda: queue.put_nowait(end))
    while (item := await queue.get()) is not end:
        yield item


async def _queue_threadsafe(observable: Any) -> AsyncIterator[int]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    end, soon = object(), asyncio.get_running_loop().call_soon_threadsafe
    observable.subscribe(
        on_next=lambda item: soon(queue.put_nowait, item),
        on_completed=lambda: soon(queue.put_nowait, end),
    )
    while (item := await queue.get()) is not end:
        yield item


def _deque(overflow: str, size: int) -> Callable[[Any], AsyncIterator[int]]:
    """A deque of its own that drops, and an event."""

    async def queued(observable: Any) -> AsyncIterator[int]:
        items: deque[int] = deque()
        came, ended = asyncio.Event(), False

        def on_next(item: int) -> None:
            if len(items) < size:
                items.append(item)
            elif overflow != "drop_newest":
                items.popleft()
                items.append(item)
            came.set()

        def on_completed() -> None:
            nonlocal ended
            ended = True
            came.set()

        observable.subscribe(on_next=on_next, on_completed=on_completed)
        while items or not ended:
            while items:
                yield items.popleft()
            await came.wait()
            came.clear()

    return queued


def _taken(count: int, scale: Scale, overflow: str) -> Contest:
    race = Race(lambda: list(range(count)), units=count, at_least=scale.at_least)
    buffer = None if overflow == "keep" else BUFFER
    race.enter_async(OURS, _ours(_in_bursts, count, overflow, buffer), package=OURS)
    race.enter_async(BY_HAND, _by_hand(_in_bursts, count, _queue), "a queue that holds any number")
    title = f"in bursts of {BURST}, overflow={overflow!r}"
    return Contest(title, UNIT, race.contenders, [Goal(BY_HAND, 2.5)])


def _dropped(count: int, scale: Scale, overflow: str) -> Contest:
    size = 1 if overflow == "latest" else BUFFER
    left = range(size) if overflow == "drop_newest" else range(count - size, count)
    race = Race(lambda: list(left), units=count, at_least=scale.at_least)
    race.enter_async(OURS, _ours(_in_one_go, count, overflow, size), package=OURS)
    by_hand = _by_hand(_in_one_go, count, _deque(overflow, size))
    race.enter_async(BY_HAND, by_hand, "a deque and an event; one thread only")
    title = f"in one go, buffer={size}, overflow={overflow!r}"
    return Contest(title, UNIT, race.contenders, [Goal(BY_HAND, 4)])


def _threaded(count: int, scale: Scale, overflow: str) -> Contest:
    race = Race(lambda: list(range(count)), units=count, at_least=scale.at_least)
    buffer = None if overflow == "keep" else count
    race.enter_async(OURS, _ours(_in_a_thread, count, overflow, buffer), package=OURS)
    by_hand = _by_hand(_in_a_thread, count, _queue_threadsafe)
    race.enter_async(BY_HAND, by_hand, "call_soon_threadsafe and a queue")
    title = f"from a thread, overflow={overflow!r}"
    # With any but "keep", the loop is woken once for all that has come meanwhile.
    most = 1.5 if overflow == "keep" else 0.5
    return Contest(title, UNIT, race.contenders, [Goal(BY_HAND, most)])
