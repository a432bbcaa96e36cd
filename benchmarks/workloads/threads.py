"""What does it cost to call plain functions, and generators, in threads?"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Row, Size, Workload
from ..work.functions import Attributes, chain_outputs, items, step_function
from ..work.trials import prepared, same_as

__all__ = ["WORKLOAD"]

THREADS = 20
#: Products that a generator in a thread is ahead of its reader: the default of a step.
BUFFER = 16
WITHOUT_CONTEXT = f"{BY_HAND}, no contextvars"
IN_THREADS = f"{OURS} in threads"
BY_HAND_IN_THREADS = f"{BY_HAND} in threads"

#: What a generator in a thread yields last, by hand.
_END: Any = object()


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Functions that do nothing, and generators that do nothing but yield, in 20 threads."""
    yield _functions(size.pick(2_000, 200, 50))
    yield _generators(size.pick(100, 20, 4), 50)


# Functions


def _functions(count: int) -> Contest:
    check = same_as(partial(chain_outputs, count, 1))

    def row(name: str, contender: str, make: Callable[[int], Any], note: str = "") -> Row:
        return Row(name, contender, prepared(partial(make, count), check, units=count), note)

    return Contest(
        "threads, functions",
        f"What does a call of a plain function that does nothing cost in {THREADS} threads?",
        "µs per call",
        [
            row(OURS, OURS, _called),
            row(BY_HAND, BY_HAND, partial(_called_by_hand, True)),
            row(WITHOUT_CONTEXT, BY_HAND, partial(_called_by_hand, False), "no contextvars"),
        ],
        goals=[Goal(3)],
    )


def _called(count: int) -> Callable[[], list[Any]]:
    from fluxus_rx import chain, run, step

    source = items(count)
    called = step("step1", step_function("plain", 1))
    flow = chain(
        step("src", lambda: source), called.options(executor="thread", concurrency=THREADS)
    )
    return lambda: [*run(flow).get_outputs()]


def _called_by_hand(has_context: bool, count: int) -> Callable[[], Awaitable[list[Any]]]:
    """Workers that wait for a pool of threads; `has_context` as in `asyncio.to_thread`, whose own
    pool is of as many threads as the machine suggests."""
    source, function = items(count), step_function("plain", 1)

    async def call(pool: Executor, item: Attributes) -> AsyncIterator[Attributes]:
        loop = asyncio.get_running_loop()
        if has_context:
            context = contextvars.copy_context()
            yield await loop.run_in_executor(pool, partial(context.run, function, **item))
        else:
            yield await loop.run_in_executor(pool, function, item["x"])

    return partial(_by_hand, source, call)


# Generators


def _generators(count: int, per_item: int) -> Contest:
    def expected() -> list[Any]:
        return [{"src": {"x": x}, "step1": {"y": y}} for x in range(count) for y in range(per_item)]

    def row(name: str, contender: str, make: Callable[[int, int], Any], note: str = "") -> Row:
        making = partial(make, count, per_item)
        return Row(
            name, contender, prepared(making, same_as(expected), units=count * per_item), note
        )

    return Contest(
        "threads, generators",
        f"What does a product of a plain generator cost in {THREADS} threads, and on the loop?",
        "µs per product",
        [
            row(OURS, OURS, partial(_given, {})),
            row(IN_THREADS, OURS, partial(_given, {"executor": "thread", "concurrency": THREADS})),
            row(BY_HAND_IN_THREADS, BY_HAND, _given_by_hand),
        ],
        goals=[Goal(5, OURS, IN_THREADS), Goal(3, BY_HAND_IN_THREADS, IN_THREADS)],
        yardstick=BY_HAND_IN_THREADS,
    )


def _count_to(number: int, x: int) -> Iterator[Attributes]:
    for y in range(number):
        yield {"y": y}


def _given(options: dict[str, Any], count: int, per_item: int) -> Callable[[], list[Any]]:
    from fluxus_rx import chain, run, step

    source = items(count)
    given = step("step1", partial(_count_to, per_item)).options(**options)
    flow = chain(step("src", lambda: source), given)
    return lambda: [*run(flow).get_outputs()]


def _given_by_hand(count: int, per_item: int) -> Callable[[], Awaitable[list[Any]]]:
    """A thread for each generator that runs, ahead of its reader by a few products."""
    source = items(count)

    async def give(pool: Executor, item: Attributes) -> AsyncIterator[Attributes]:
        made: deque[Any] = deque()
        room, there = threading.Semaphore(BUFFER), asyncio.Event()
        loop = asyncio.get_running_loop()

        def make() -> None:
            for product in itertools.chain(_count_to(per_item, **item), [_END]):
                room.acquire()
                made.append(product)
                if len(made) == 1:  # the reader may wait
                    loop.call_soon_threadsafe(there.set)

        making = loop.run_in_executor(pool, make)
        while True:
            await there.wait()
            there.clear()
            while made:
                product = made.popleft()
                room.release()
                if product is _END:
                    await making
                    return
                yield product

    return partial(_by_hand, source, give)


async def _by_hand(
    source: list[Attributes],
    call: Callable[[Executor, Attributes], AsyncIterator[Attributes]],
) -> list[Any]:
    """A worker for each thread; all take items from one list."""
    numbered = iter(enumerate(source))
    outputs: list[list[Any]] = [[] for _ in source]

    async def work(pool: Executor) -> None:
        for number, item in numbered:
            async for product in call(pool, item):
                outputs[number].append({"src": item, "step1": product})

    with ThreadPoolExecutor(THREADS) as pool:
        await asyncio.gather(*(work(pool) for _ in range(THREADS)))
    return [output for each in outputs for output in each]


WORKLOAD = Workload(
    "threads",
    "What does it cost to call plain functions, and generators, in threads?",
    contests,
    sizes="2,000 calls, 100 x 50 products (quick 200, 20 x 50)",
    seconds=10,
    rank=35,
)
