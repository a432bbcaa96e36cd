"""A flow in virtual time among each of the operators of Rx, and what comes of it when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler

from fluxus_rx import rx_pipe, step
from tests.support.errors import untyped
from tests.support.probes import turns


class World:
    """A source of numbers, one per second, and a step that takes a quarter of one; `failing` fails
    for 3, so often. Sources take a while to close."""

    def __init__(self, failing: int = 0) -> None:
        self.opened = self.closed = 0
        self.failing = failing
        self.error = LookupError("at 3")

    def source(self) -> Any:
        """0 to 5."""

        async def rows() -> AsyncIterator[dict[str, int]]:
            self.opened += 1
            try:
                for number in range(6):
                    await asyncio.sleep(1)
                    yield {"x": number}
            finally:
                await turns(3)
                self.closed += 1

        return step("src", rows)

    def fetch(self, name: str = "fetch") -> Any:
        """x becomes y."""

        async def fetch(x: int) -> dict[str, int]:
            await asyncio.sleep(0.25)
            if x == 3 and self.failing:
                self.failing -= 1
                raise self.error
            return {"y": x}

        return step(name, fetch)

    @property
    def flow(self) -> Any:
        """Both."""
        return self.source() >> self.fetch()

    @property
    def products(self) -> Observable[Any]:
        """What it emits."""
        observed: Observable[Any] = self.flow.to_observable()
        return observed

    @property
    def ys(self) -> Observable[Any]:
        """Numbers alone."""
        return self.products.pipe(ops.map(y))

    @property
    def xs(self) -> Observable[Any]:
        """Those of the source alone."""
        observed: Observable[Any] = self.source().to_observable()
        return observed


def y(product: Any) -> int:
    """The number in a product."""
    return int(product["y"])


def odd(product: Any) -> int:
    """A key."""
    return int(product["x"]) % 2


Make = Callable[[World], Observable[Any]]

ALL = [0, 1, 2, 3, 4, 5]

#: an observable of a flow, what it gives, and the second in which it ends
OPERATORS: dict[str, tuple[Make, list[Any], float]] = {
    "map, filter": (
        lambda w: w.xs.pipe(ops.filter(lambda one: odd(one) == 1), w.fetch(), ops.map(y)),
        [1, 3, 5],
        6.25,
    ),
    "scan": (
        lambda w: w.ys.pipe(ops.scan(untyped(lambda total, one: total + one))),
        [0, 1, 3, 6, 10, 15],
        6.25,
    ),
    "reduce": (lambda w: w.ys.pipe(ops.sum()), [15], 6.25),
    "group_by": (
        lambda w: w.xs.pipe(
            ops.group_by(odd),
            ops.flat_map(
                untyped(lambda part: part.pipe(w.fetch(), ops.map(lambda one: (part.key, y(one)))))
            ),
        ),
        [(number % 2, number) for number in ALL],
        6.25,
    ),
    "buffer_with_time_or_count": (
        lambda w: w.ys.pipe(ops.buffer_with_time_or_count(2.5, 2)),
        [[0, 1], [2, 3], [4, 5], []],
        6.25,
    ),
    "window_with_time_or_count": (
        lambda w: w.ys.pipe(
            ops.window_with_time_or_count(2.5, 2),
            ops.flat_map(untyped(lambda one: one.pipe(ops.to_list()))),
        ),
        [[0, 1], [2, 3], [4, 5], []],
        6.25,
    ),
    "window_with_time": (
        lambda w: w.ys.pipe(
            ops.window_with_time(2.5), ops.flat_map(untyped(lambda one: one.pipe(ops.to_list())))
        ),
        [[0, 1], [2, 3], [4, 5]],
        6.25,
    ),
    "with_latest_from": (
        lambda w: w.ys.pipe(
            ops.with_latest_from(w.xs.pipe(ops.map(lambda one: untyped(one)["x"])))
        ),
        [(one, one) for one in ALL],
        6.25,
    ),
    "combine_latest": (
        lambda w: reactivex.combine_latest(w.ys, w.ys).pipe(
            ops.filter(untyped(lambda pair: pair[0] == pair[1]))
        ),
        [(one, one) for one in ALL],
        6.25,
    ),
    "merge": (lambda w: w.ys.pipe(ops.merge(w.ys)), [one for one in ALL for _ in "ab"], 6.25),
    "zip": (lambda w: w.ys.pipe(ops.zip(w.ys)), [(one, one) for one in ALL], 6.25),
    "zip of another length": (lambda w: w.ys.pipe(ops.zip(reactivex.of(7))), [(0, 7)], 1.25),
    "fork_join": (lambda w: reactivex.fork_join(w.ys, w.ys), [(5, 5)], 6.25),
    "share": (lambda w: twice(w.ys.pipe(ops.share())), [one for one in ALL for _ in "ab"], 6.25),
    "replay": (lambda w: w.ys.pipe(ops.replay(), ops.ref_count()), ALL, 6.25),
    "publish of a selector": (
        lambda w: w.ys.pipe(ops.publish(untyped(lambda one: one.pipe(ops.zip(one))))),
        [(one, one) for one in ALL],
        6.25,
    ),
    "switch_latest": (
        lambda w: every_two(w).pipe(ops.switch_latest()),
        [0, 0, *ALL],
        12.25,
    ),
    "flat_map_latest": (
        lambda w: reactivex.interval(2).pipe(ops.take(3), ops.flat_map_latest(lambda _: w.ys)),
        [0, 0, *ALL],
        12.25,
    ),
    "exclusive": (lambda w: every_two(w).pipe(ops.exclusive()), ALL, 8.25),
    "merge of observables": (
        lambda w: every_two(w).pipe(ops.merge(max_concurrent=1)),
        ALL * 3,
        20.75,
    ),
    "concat_map": (
        lambda w: w.xs.pipe(
            ops.concat_map(untyped(lambda one: reactivex.of(one) >> w.fetch())), ops.map(y)
        ),
        ALL,
        6.25,
    ),
    "flat_map": (
        lambda w: w.xs.pipe(
            ops.flat_map(untyped(lambda one: reactivex.of(one) >> w.fetch())), ops.map(y)
        ),
        ALL,
        6.25,
    ),
    "expand": (
        lambda w: reactivex.of({"x": 0}).pipe(
            ops.expand(untyped(lambda one: further(w, one))), ops.map(lambda one: untyped(one)["x"])
        ),
        [0, 1, 2],
        0.5,
    ),
    "debounce": (lambda w: w.ys.pipe(ops.debounce(0.5)), ALL, 6.25),
    "debounce, long": (lambda w: w.ys.pipe(ops.debounce(1.5)), [5], 6.25),
    "throttle_first": (lambda w: w.ys.pipe(ops.throttle_first(2)), [0, 2, 4], 6.25),
    "sample": (lambda w: w.ys.pipe(ops.sample(2.0)), [0, 2, 4, 5], 8),
    "timeout": (lambda w: w.ys.pipe(ops.timeout(1.5)), ALL, 6.25),
    "timeout with another flow": (lambda w: w.ys.pipe(ops.timeout(0.5, w.ys)), ALL, 6.75),
    "take": (lambda w: w.ys.pipe(ops.take(2)), [0, 1], 2.25),
    "take_while": (lambda w: w.ys.pipe(ops.take_while(untyped(lambda one: one < 2))), [0, 1], 3.25),
    "take_last": (lambda w: w.ys.pipe(ops.take_last(2)), [4, 5], 6.25),
    "take_until": (lambda w: w.ys.pipe(ops.take_until(reactivex.timer(3))), [0, 1], 3),
    "take_until a flow": (
        lambda w: w.ys.pipe(ops.take_until(w.ys.pipe(ops.skip(2)))),
        # Which of the two comes first within a turn of the loop is nobody's promise.
        [0, 1, 2],
        3.25,
    ),
    "skip_until": (lambda w: w.ys.pipe(ops.skip_until(reactivex.timer(3))), [2, 3, 4, 5], 6.25),
    "concat": (lambda w: w.ys.pipe(ops.concat(w.ys)), ALL * 2, 12.5),
    "repeat": (lambda w: w.ys.pipe(ops.repeat(2)), ALL * 2, 12.5),
    "start_with": (lambda w: w.ys.pipe(ops.start_with(8, 9)), [8, 9, *ALL], 6.25),
    "delay": (lambda w: w.ys.pipe(ops.delay(2)), ALL, 8.25),
    "delay_subscription": (lambda w: w.ys.pipe(ops.delay_subscription(3)), ALL, 9.25),
    "materialize": (
        lambda w: w.ys.pipe(ops.materialize(), ops.map(lambda one: untyped(one).kind)),
        [*"NNNNNNC"],
        6.25,
    ),
    "dematerialize": (lambda w: w.ys.pipe(ops.materialize(), ops.dematerialize()), ALL, 6.25),
    "time_interval": (
        lambda w: w.ys.pipe(
            ops.time_interval(), ops.map(lambda one: untyped(one).interval.total_seconds())
        ),
        [1.25, 1, 1, 1, 1, 1],
        6.25,
    ),
    "join": (
        lambda w: w.ys.pipe(
            ops.join(w.ys, lambda _: reactivex.timer(0.5), lambda _: reactivex.timer(0.5))
        ),
        [(one, one) for one in ALL],
        6.25,
    ),
    "sequence_equal": (lambda w: w.ys.pipe(ops.sequence_equal(w.ys)), [True], 6.25),
    "amb": (lambda w: w.ys.pipe(ops.amb(w.ys.pipe(ops.delay(1)))), ALL, 6.25),
    "do_action": (lambda w: w.ys.pipe(ops.do_action(lambda _: None)), ALL, 6.25),
    "finally_action": (lambda w: w.ys.pipe(ops.finally_action(lambda: None)), ALL, 6.25),
    "observe_on": (
        lambda w: w.ys.pipe(ops.observe_on(AsyncIOScheduler(asyncio.get_running_loop()))),
        ALL,
        6.25,
    ),
    "subscribe_on": (
        lambda w: w.ys.pipe(ops.subscribe_on(AsyncIOScheduler(asyncio.get_running_loop()))),
        ALL,
        6.25,
    ),
    "a chain amid": (
        lambda w: w.xs.pipe(
            w.fetch() >> step("x", lambda y: {"x": y}) >> w.fetch("again"), ops.map(y)
        ),
        ALL,
        6.5,
    ),
    "a group amid": (
        lambda w: w.xs.pipe(w.fetch() & step("b", lambda x: {"y": -x}), ops.map(y), ops.map(abs)),
        sorted(ALL * 2),
        6.25,
    ),
    "rx_pipe": (
        lambda w: (w.flow >> rx_pipe(ops.delay(1))).to_observable().pipe(ops.map(y)),
        ALL,
        7.25,
    ),
}

#: those in which all of the flow's errors go on to the observer
PASSING_ERRORS = [
    name
    for name in OPERATORS
    if name
    not in (
        "zip of another length",
        "take",
        "take_while",
        "take_until",
        "take_until a flow",
        "expand",
    )
    and name not in ("switch_latest", "flat_map_latest", "materialize", "debounce, long")
]


def twice(shared: Observable[Any]) -> Observable[Any]:
    """Subscribed to twice."""
    return reactivex.merge(shared, shared)


def every_two(world: World) -> Observable[Any]:
    """A flow every two seconds, three times."""
    return reactivex.interval(2).pipe(ops.take(3), ops.map(lambda _: world.ys))


def further(world: World, product: Any) -> Observable[Any]:
    """The next number, by way of a flow."""
    if product["x"] == 2:
        return reactivex.empty()
    found: Observable[Any] = reactivex.of({"x": product["x"] + 1}) >> world.fetch()
    return found.pipe(ops.map(lambda one: {"x": y(one)}))


def flow_of(observed: Observable[Any]) -> Any:
    """A flow with an asynchronous step, of these items."""

    async def same(x: Any) -> Any:
        return {"z": x}

    return step("ticks", observed.pipe(ops.map(lambda item: {"x": item}))) >> step("same", same)
