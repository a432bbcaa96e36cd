"""What does an item of a source that doesn't wait cost, whatever becomes of it?

The deque by hand knows one thread only and counts nothing; a policy takes items from any thread,
and counts what it drops.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Size, Workload
from ..work.trials import Function, row, same_as

__all__ = ["WORKLOAD"]

#: Items that are emitted before the reader has its turn; fewer than the buffer holds.
BURST = 10
BUFFER = 100

#: Subscribes with an observer, and emits so many numbers to it, respecting no demand.
Emit = Callable[[int, Any], None]
#: Reads an Observable by hand.
Queued = Callable[[Any], AsyncIterator[int]]

#: Tasks that emit, and that nobody else holds.
emitting: set[asyncio.Future[None]] = set()


def contests(size: Size, _: Contenders) -> Iterable[Contest]:
    """Each policy of from_observable: on the loop, with all in one go, and from a thread. A quick
    run leaves out policies that do nearly the same as another."""
    count = size.pick(4_000, 4_000, 400)
    quick = size is Size.QUICK
    taking = ("keep", "drop_oldest") if quick else ("keep", "error", "drop_oldest")
    for overflow in taking:
        yield _taken(count, overflow)
    for overflow in (
        ("drop_oldest", "latest") if quick else ("drop_oldest", "drop_newest", "latest")
    ):
        yield _dropped(4 * count, overflow)
    for overflow in taking:
        yield _threaded(count, overflow)


def _taken(count: int, overflow: str) -> Contest:
    buffer = None if overflow == "keep" else BUFFER
    return _contest(
        f"hot, {overflow}, in bursts",
        f"What does an item cost that is taken, where {BURST} come at a time?",
        count,
        range(count),
        partial(_ours, _in_bursts, count, overflow, buffer),
        partial(_by_hand, _in_bursts, count, _queue),
        "a queue that holds any number",
        2.5,
    )


def _dropped(count: int, overflow: str) -> Contest:
    size = 1 if overflow == "latest" else BUFFER
    left = range(size) if overflow == "drop_newest" else range(count - size, count)
    return _contest(
        f"hot, {overflow}, too many",
        "What does an item cost, where all come in one go and most are dropped?",
        count,
        left,
        partial(_ours, _in_one_go, count, overflow, size),
        partial(_by_hand, _in_one_go, count, _deque(overflow, size)),
        "a deque and an event; one thread only",
        4,
    )


def _threaded(count: int, overflow: str) -> Contest:
    buffer = None if overflow == "keep" else count
    return _contest(
        f"hot, {overflow}, from a thread",
        "What does an item cost that is taken, where another thread emits?",
        count,
        range(count),
        partial(_ours, _in_a_thread, count, overflow, buffer),
        partial(_by_hand, _in_a_thread, count, _queue_threadsafe),
        "call_soon_threadsafe and a queue",
        # With any but "keep", the loop is woken once for all that has come meanwhile.
        1.5 if overflow == "keep" else 0.5,
    )


def _contest(
    name: str,
    question: str,
    count: int,
    left: Sequence[int],
    ours: Callable[[], Function],
    by_hand: Callable[[], Function],
    note: str,
    at_most: float,
) -> Contest:
    """`left` is what is read of `count` numbers."""
    check = same_as(lambda: [*left])
    rows = [
        row(OURS, ours, check, units=count),
        row(BY_HAND, by_hand, check, units=count, note=note),
    ]
    return Contest(name, question, "µs per item emitted", rows, goals=[Goal(at_most)])


# sources


def _observable(emit: Emit, count: int) -> Any:
    import reactivex
    from reactivex.disposable import Disposable

    def subscribe(observer: Any, _: Any = None) -> Any:
        emit(count, observer)
        return Disposable()

    return reactivex.create(subscribe)


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


# readers


def _ours(emit: Emit, count: int, overflow: Any, buffer: int | None) -> Function:
    from fluxus_rx import from_observable

    async def main() -> list[int]:
        source = from_observable(_observable(emit, count), buffer=buffer, overflow=overflow)
        return [number async for number in source]

    return main


def _by_hand(emit: Emit, count: int, queued: Queued) -> Function:
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


def _deque(overflow: str, size: int) -> Queued:
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


WORKLOAD = Workload(
    "hot",
    "What does each item of a source that doesn't wait cost, kept or dropped?",
    contests,
    sizes="4,000 items",
    seconds=20,
    rank=22,
)
