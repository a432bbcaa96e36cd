"""What does a consumer at the end of a flow cost, next to a loop over it?"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import OURS, Contest, Goal, Row, Size, Workload
from ..work.trials import prepared, same_as

__all__ = ["WORKLOAD"]

CONSUMER = f"{OURS} with a Consumer"
ASYNC_CONSUMER = f"{OURS} with an AsyncConsumer"

#: Makes what is timed of the flow: a function, or a coroutine function.
Make = Callable[[Any], Callable[[], Any]]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Consumers that add up what a flow of one synchronous step emits, in `run()` and `arun()`;
    and the same by a loop."""
    count = size.pick(10_000, 1_000, 100)
    # In arun() a Consumer has a thread of its own.
    for how, loop, run, at_most, async_at_most in (
        ("run", _for, _run, 1.25, 1.25),
        ("arun", _async_for, _arun, 3, 2),
    ):
        made: dict[str, Make] = {
            OURS: loop,
            CONSUMER: partial(run, False),
            ASYNC_CONSUMER: partial(run, True),
        }
        yield Contest(
            f"consumers, {how}()",
            f"What does a product cost in {how}() of a consumer, next to a loop over the flow?",
            "µs per product",
            [_row(name, make, count) for name, make in made.items()],
            goals=[Goal(at_most, OURS, CONSUMER), Goal(async_at_most, OURS, ASYNC_CONSUMER)],
            yardstick=OURS,
        )


def _row(name: str, make: Make, count: int) -> Row:
    check = same_as(lambda: sum(range(1, count + 1)))
    return Row(name, OURS, prepared(lambda: make(_flow(count)), check, units=count))


def _flow(count: int) -> Any:
    """Emits the numbers from 1 on."""
    from fluxus_rx import SimpleProducer, Transformer

    class Increase(Transformer[int, int]):
        def transform(self, product: int) -> Iterator[int]:
            yield product + 1

    return SimpleProducer(range(count)) >> Increase()


def _for(flow: Any) -> Callable[[], int]:
    def total() -> int:
        added = 0
        for product in flow:
            added += product
        return added

    return total


def _async_for(flow: Any) -> Callable[[], Any]:
    async def total() -> int:
        added = 0
        async for product in flow:
            added += product
        return added

    return total


def _run(is_async: bool, flow: Any) -> Callable[[], Any]:
    return _consumed(is_async, flow).run  # type: ignore[no-any-return]


def _arun(is_async: bool, flow: Any) -> Callable[[], Any]:
    return _consumed(is_async, flow).arun  # type: ignore[no-any-return]


def _consumed(is_async: bool, flow: Any) -> Any:
    from fluxus_rx import AsyncConsumer, Consumer

    class Total(Consumer[int, int]):
        def consume(self, products: Iterable[tuple[int, int]]) -> int:
            added = 0
            for _, product in products:
                added += product
            return added

    class AsyncTotal(AsyncConsumer[int, int]):
        async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> int:
            added = 0
            async for _, product in products:
                added += product
            return added

    return flow >> (AsyncTotal() if is_async else Total())


WORKLOAD = Workload(
    "consumers",
    "What does a consumer at the end of a flow cost, next to a loop over it?",
    contests,
    sizes="10,000 products (quick 1,000)",
    seconds=6,
    rank=34,
)
