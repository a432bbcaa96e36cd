"""How does the cost of a flow grow with its items, its steps and its branches?"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import (
    BY_HAND,
    OURS,
    Clock,
    Contest,
    Goal,
    Row,
    Size,
    Trial,
    Workload,
    WrongOutputs,
)
from ..work.functions import (
    Attributes,
    Function,
    Lineage,
    chain_output,
    chain_outputs,
    items,
    step_function,
    steps,
)
from ..work.operations import Work, call
from ..work.yardsticks import bound_row

__all__ = ["WORKLOAD"]

LIMIT = 100
#: The exponent that is allowed: 16 times more may cost 15 % more for each.
LINEAR = 1.05
_LINEAR = "linear"

#: Runs of a size, and seconds of CPU after which they are enough. The cheapest counts: collections
#: of garbage, and what else a machine does, add to some.
_RUNS, _SECONDS = 5, 0.01


@dataclass(frozen=True)
class _Growth:
    """What grows: `make(module, n)` returns a run of size n, and the outputs that must come."""

    name: str
    make: Callable[[ModuleType, int], tuple[Callable[[], Any], list[Any] | None]]
    smallest: int
    by_hand: bool = True

    def sizes(self, size: Size) -> list[int]:
        """Three decades, each size four times the one before; fewer for a quick run."""
        return [self.smallest * 4**power for power in range(size.pick(6, 3))]


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Items, depth and width, with synchronous and asynchronous steps where it matters."""
    for growth in _GROWTHS:
        names = [OURS, BY_HAND] if growth.by_hand else [OURS]
        rows = [Row(name, name, partial(_prepare, growth, growth.sizes(size))) for name in names]
        yield Contest(
            growth.name,
            _QUESTION,
            "exponent",
            [*rows, bound_row(_LINEAR, lambda: 1, "not measured")],
            clock=Clock.VALUE,
            scale=1,
            goals=[Goal(LINEAR, BY_HAND if growth.by_hand else _LINEAR)],
            yardstick=BY_HAND if growth.by_hand else _LINEAR,
        )


def _prepare(growth: _Growth, sizes: Sequence[int], module: ModuleType) -> Trial:
    def run() -> float:
        return _exponent(sizes, [_cost(partial(growth.make, module, size)) for size in sizes])

    return Trial(run, lambda _: None, value=float)


def _cost(make: Callable[[], tuple[Callable[[], Any], list[Any] | None]]) -> float:
    """Seconds of CPU of a run, whose outputs may come in any order."""
    costs: list[float] = []
    run, expected = make()
    gc.collect()
    while len(costs) < _RUNS and sum(costs) < _SECONDS:
        began = time.process_time()
        outputs = run()
        costs.append(time.process_time() - began)
        if not _same(outputs, expected):
            raise WrongOutputs(f"{outputs!r:.100} came")
    return min(costs)


def _same(outputs: Any, expected: list[Any] | None) -> bool:
    if expected is None or outputs == expected:
        return True
    return sorted(outputs, key=repr) == sorted(expected, key=repr)


def _exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The power of what is added to the smallest size, with which the cost that is added grows.

    So what any flow costs, however small, doesn't make the exponent smaller than it is. It is the
    slope of the line that is nearest to the logarithms (least squares).
    """
    xs = [math.log(size - sizes[0]) for size in sizes[1:]]
    ys = [math.log(max(cost - costs[0], 1e-9)) for cost in costs[1:]]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    pairs = zip(xs, ys, strict=True)
    return sum((a - x) * (b - y) for a, b in pairs) / sum((a - x) ** 2 for a in xs)


def _operation(
    operation: str, arguments: Mapping[str, Any], expected: list[Any], module: ModuleType
) -> tuple[Callable[[], Any], list[Any]]:
    work = Work(arguments, lambda: expected)
    return partial(call, getattr(module, operation), work), expected


def _sync(module: ModuleType, count: int, depth: int) -> Any:
    arguments = {"items": items(count), "functions": steps("plain", depth)}
    return _operation("sync_chain", arguments, chain_outputs(count, depth), module)


def _async(module: ModuleType, count: int, depth: int) -> Any:
    functions = steps("asyncio", depth)
    arguments = {"items": items(count), "functions": functions, "limit": LIMIT, "ordered": False}
    return _operation("async_chain", arguments, chain_outputs(count, depth), module)


def _wide(module: ModuleType, count: int, width: int) -> Any:
    """A group of so many branches and what goes past them, joined by a step."""
    branches = steps("asyncio", width)
    join = ("join", step_function("asyncio", 1))
    arguments = {"items": items(count), "groups": [(branches, join)], "limit": LIMIT}
    paths = [{}, *({name: number} for number, name in enumerate(branches, 1))]
    expected = [_joined(x, path) for x in range(count) for path in paths]
    return _operation("fan_out", arguments, expected, module)


def _joined(x: int, path: Mapping[str, int]) -> Lineage:
    output = {"src": {"x": x}}
    for name, number in path.items():
        x += number
        output[name] = {"x": x}
    return {**output, "join": {"x": x + 1}}


def _looking_back(_: ModuleType, depth: int) -> Any:
    """Every step reads an attribute that only the source has set."""
    from fluxus_rx import chain, run, step

    count = 20
    source = [{"x": x, "origin": x} for x in range(count)]
    made = (step(f"step{number}", _with_origin(number)) for number in range(1, depth + 1))
    flow = chain(step("src", lambda: source), *made)
    expected = [{**chain_output(x, depth), "src": {"x": x, "origin": x}} for x in range(count)]
    return lambda: [*run(flow).get_outputs()], expected


def _with_origin(number: int) -> Function:
    def add(x: int, origin: int) -> Attributes:
        return {"x": x + number + 0 * origin}

    return add


def _building(_: ModuleType, depth: int) -> Any:
    """A chain that isn't run."""
    from fluxus_rx import chain, step

    def build() -> Any:
        functions = steps("plain", depth).items()
        return chain(step("src", {"x": 1}), *(step(name, add) for name, add in functions))

    return build, None


_GROWTHS = (
    _Growth("growth, items, sync", lambda module, n: _sync(module, n, 5), 64),
    _Growth("growth, items, async", lambda module, n: _async(module, n, 5), 32),
    _Growth("growth, depth, sync", lambda module, n: _sync(module, 20, n), 2),
    _Growth("growth, depth, async", lambda module, n: _async(module, 20, n), 2),
    _Growth("growth, depth of a look-up", _looking_back, 2, by_hand=False),
    _Growth("growth, width", lambda module, n: _wide(module, 10, n), 2),
    _Growth("growth, building", _building, 4, by_hand=False),
)

_QUESTION = "With which power of its size does the cost of a flow grow?"

WORKLOAD = Workload(
    "growth",
    _QUESTION,
    contests,
    sizes="over three decades (quick: 16 times)",
    seconds=60,
    rank=16,
)
