"""Does the cost of a unit stay what it is when a flow has more items, steps or branches?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from . import by_hand, peers
from .harness import OURS, Contest, Goal, Race, Scale, benchmark, built, peer
from .work import (
    Attributes,
    Function,
    async_steps,
    chain_outputs,
    group_outputs,
    items,
    sync_steps,
)

#: How much dearer a unit may be at the largest size than at the smallest, 16 times less: what is
#: quadratic would be about 16 times dearer. Collections of garbage alone make a plain loop 1.3
#: times dearer with 16 times more items.
LINEAR = 1.5

Size = tuple[str, int, Callable[[], object], Callable[[], object]]


@benchmark(
    "growth",
    question="Does a unit cost the same in a flow with 16 times more items, steps or branches?",
    goal=f"linear: at most {LINEAR:g}x for a unit of the largest next to one of the smallest",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Items, depth and width, each with synchronous and asynchronous steps where it matters."""
    yield _items(scale)
    yield _items_async(scale)
    yield _depth(scale)
    yield _depth_async(scale)
    yield _depth_of_look_up(scale)
    yield _width(scale)
    yield _building(scale)


def _contest(title: str, unit: str, scale: Scale, sizes: Sequence[Size]) -> Contest:
    """The sizes as contenders, from the smallest to the largest, which is the subject."""
    contenders = []
    for name, units, run, expected in sizes:
        race = Race(expected, units=units, at_least=scale.at_least)
        race.enter(name, run, package=None if "by hand" in name else OURS)
        contenders += race.contenders
    smallest, largest = contenders[0].name, contenders[2].name
    return Contest(title, unit, contenders, [Goal(smallest, LINEAR)], subject=largest)


def _items(scale: Scale) -> Contest:
    counts = _sizes(scale, 1_000)
    steps = sync_steps()
    sizes = [_chain(f"{n:,} items", n, 5, built(peers.ours_chain, items(n), steps)) for n in counts]
    sizes += [
        _chain(f"{n:,} items by hand", n, 5, partial(by_hand.loop, items(n), steps)) for n in counts
    ]
    return _contest("sync: items", "µs per item and step", scale, sizes)


def _chain(name: str, count: int, depth: int, run: Callable[[], object]) -> Size:
    return name, count * depth, run, lambda: chain_outputs(count, depth)


def _sizes(scale: Scale, full: int) -> list[int]:
    smallest = scale.pick(full, max(2, full // 20))
    return [smallest, 4 * smallest, 16 * smallest]


def _items_async(scale: Scale) -> Contest:
    steps = async_steps()
    sizes = [
        _chain(f"{n:,} items", n, 5, built(peers.ours_chain, items(n), steps))
        for n in _sizes(scale, 500)
    ]
    return _contest("async: items", "µs per item and step", scale, sizes)


def _depth(scale: Scale) -> Contest:
    count = scale.pick(200, 20)
    sizes = [
        _chain(
            f"{depth} steps",
            count,
            depth,
            built(peers.ours_chain, items(count), sync_steps(depth)),
        )
        for depth in (5, 20, 80)
    ]
    return _contest("sync: depth", "µs per item and step", scale, sizes)


def _depth_async(scale: Scale) -> Contest:
    count = scale.pick(200, 20)
    sizes = [
        _chain(
            f"{depth} steps",
            count,
            depth,
            built(peers.ours_chain, items(count), async_steps(depth)),
        )
        for depth in (5, 20, 80)
    ]
    return _contest("async: depth", "µs per item and step", scale, sizes)


def _looking_back(number: int) -> Function:
    def add(x: int, origin: int) -> Attributes:
        return {"x": x + number + 0 * origin}

    return add


def _depth_of_look_up(scale: Scale) -> Contest:
    """Every step reads an attribute that only the source has given."""
    count = scale.pick(200, 20)
    source = [{"x": x, "origin": x} for x in range(count)]

    def size(depth: int) -> Size:
        steps = {f"step{number}": _looking_back(number) for number in range(1, depth + 1)}
        outputs = partial(_outputs_with_origin, count, depth)
        return f"{depth} steps", count * depth, built(peers.ours_chain, source, steps), outputs

    sizes = [size(depth) for depth in (5, 20, 80)]
    return _contest("sync: depth, with look-up in the source", "µs per item and step", scale, sizes)


def _outputs_with_origin(count: int, depth: int) -> object:
    outputs = chain_outputs(count, depth)
    for x, output in enumerate(outputs):
        output["src"]["origin"] = x
    return outputs


def _width(scale: Scale) -> Contest:
    count = scale.pick(200, 20)

    def size(width: int) -> Size:
        run = built(peers.ours_group, items(count), async_steps(width))
        return f"{width} branches", count * (width + 1), run, partial(group_outputs, count, width)

    sizes = [size(width) for width in (4, 16, 64)]
    return _contest("async: width", "µs per output", scale, sizes)


def _building(scale: Scale) -> Contest:
    """Building a chain, without running it."""

    def build(depth: int) -> object:
        flows = peer(OURS)
        steps = (flows.step(name, function) for name, function in sync_steps(depth).items())
        return flows.chain(flows.step("src", {"x": 1}), *steps).n_concurrent_conduits

    def size(depth: int) -> Size:
        return f"{depth} steps", depth, partial(build, depth), lambda: 1

    sizes = [size(depth) for depth in _sizes(scale, 50)]
    return _contest("building a chain", "µs per step", scale, sizes)
