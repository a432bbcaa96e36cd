"""What does the class API cost, next to the functional one?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BY_HAND, OURS, Contest, Goal, Row, Size, Workload
from ..work.functions import Attributes, Probe, chain_outputs, items, steps
from ..work.operations import Work, operation_rows
from ..work.trials import prepared, same_as

__all__ = ["WORKLOAD"]

LIMIT = 100
GENERATORS = f"{OURS}, generators"
CLASSES = f"{OURS}, classes"
WITH_LINEAGE = f"{OURS}, classes with lineage"

#: What a row of ours does, for so many items.
Make = Callable[[int, bool], Callable[[], list[Any]]]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """One step of each API. What a class implements is a generator, so there is a step of a
    generator function too; and there are classes whose products know their lineage."""
    count = size.pick(2_000, 400, 50)
    for kind, is_async, at_most in (("sync", False, 2), ("async", True, 2)):
        by_hand, _ = operation_rows(
            contenders,
            f"{kind}_chain",
            partial(_work, count, is_async),
            checked=partial(_work, 2 * LIMIT, is_async),
            units=count,
            only=lambda one: one.name == BY_HAND,
        )
        yield Contest(
            f"classes, {kind}",
            "What does a call that does nothing cost with the functional API and with classes?",
            "µs per call",
            [*_ours(count, is_async), *by_hand],
            goals=[Goal(at_most, of=OURS, row=CLASSES)],
        )


def _ours(count: int, is_async: bool) -> Iterator[Row]:
    with_lineage = partial(chain_outputs, count, 1)
    for name, make, expected, note in (
        (OURS, _functions, with_lineage, ""),
        (GENERATORS, _generators, with_lineage, ""),
        (CLASSES, _classes, partial(_numbers, count), "keeps no lineage"),
        (WITH_LINEAGE, _classes_with_lineage, with_lineage, ""),
    ):
        making = partial(make, count, is_async)
        yield Row(name, OURS, prepared(making, same_as(expected), units=count), note)


def _numbers(count: int) -> list[int]:
    return [*range(1, count + 1)]


# The functional API


def _functions(count: int, is_async: bool) -> Callable[[], list[Any]]:
    (function,) = steps("asyncio" if is_async else "plain", 1).values()
    return _flow_of(function, count, is_async)


def _generators(count: int, is_async: bool) -> Callable[[], list[Any]]:
    return _flow_of(_aincrease if is_async else _increase, count, is_async)


def _increase(x: int) -> Iterator[Attributes]:
    yield {"x": x + 1}


async def _aincrease(x: int) -> AsyncIterator[Attributes]:
    yield {"x": x + 1}


def _flow_of(function: Callable[..., Any], count: int, is_async: bool) -> Callable[[], Any]:
    from fluxus_rx import run, step

    source = items(count)
    options = _options(is_async)
    flow = step("src", lambda: source) >> step("step1", function).options(**options)
    return lambda: [*run(flow).get_outputs()]


def _options(is_async: bool) -> dict[str, Any]:
    return {"concurrency": LIMIT} if is_async else {}


# Classes


def _classes(count: int, is_async: bool) -> Callable[[], list[int]]:
    from fluxus_rx import AsyncTransformer, SimpleProducer, Transformer

    class Increase(Transformer[int, int]):
        def transform(self, product: int) -> Iterator[int]:
            yield product + 1

    class AsyncIncrease(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            yield product + 1

    increase = AsyncIncrease() if is_async else Increase()
    flow = SimpleProducer(range(count)) >> increase.options(**_options(is_async))
    return lambda: [*flow]


def _classes_with_lineage(count: int, is_async: bool) -> Callable[[], list[Any]]:
    """Products know what they were made of; the lineage of each is read."""
    from fluxus_rx import AsyncTransformer, SimpleProducer, Transformer
    from fluxus_rx.lineage import HasLineage, LineageOrigin

    class Number(LineageOrigin):
        product_name = "src"

        def __init__(self, x: int) -> None:
            self.x = x

    class Next(HasLineage[Number]):
        product_name = "step1"

        def __init__(self, before: Number, x: int) -> None:
            self.before = before
            self.x = x

        @property
        def precursor(self) -> Number:
            return self.before

    class Increase(Transformer[Number, Next]):
        def transform(self, product: Number) -> Iterator[Next]:
            yield Next(product, product.x + 1)

    class AsyncIncrease(AsyncTransformer[Number, Next]):
        async def atransform(self, product: Number) -> AsyncIterator[Next]:
            yield Next(product, product.x + 1)

    increase = AsyncIncrease() if is_async else Increase()
    numbers = [Number(x) for x in range(count)]
    flow = SimpleProducer(numbers) >> increase.options(**_options(is_async))
    return lambda: [product.get_lineage_attributes() for product in flow]


# By hand


def _work(count: int, is_async: bool, calls: str, probe: Probe | None) -> Work:
    source = items(count)
    options = {"limit": LIMIT, "ordered": False} if is_async else {}
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "functions": steps(calls, 1, probe=probe),
            **options,
        },
        expected=partial(chain_outputs, count, 1),
        ordered=not is_async,
        calls=count,
        limit=LIMIT if is_async else None,
    )


WORKLOAD = Workload(
    "classes",
    "What does the class API cost, next to the functional one?",
    contests,
    sizes="2,000 calls (quick 400)",
    seconds=8,
    rank=5,
)
