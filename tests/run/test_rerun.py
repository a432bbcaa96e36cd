"""Failures that run again, in flows of every shape; test_rerun_laws.py has what always holds."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import (
    AsyncProducer,
    DictProduct,
    Producer,
    RunResult,
    Transformer,
    arerun,
    arun,
    chain,
    passthrough,
    rerun,
    run,
    rx_pipe,
    step,
)
from tests.support.errors import untyped
from tests.support.probes import alone

ROWS = [{"x": x} for x in range(6)]


class Service:
    """Steps that call something which is down for some products, until it is up; all calls are
    counted."""

    def __init__(self, *down: int) -> None:
        self.down = set(down)
        self.calls: Counter[tuple[str, Any]] = Counter()

    def up(self) -> None:
        """From here on all goes well; calls are counted again."""
        self.down = set()
        self.calls.clear()

    def call(self, name: str, x: int) -> None:
        self.calls[name, x] += 1
        if x in self.down:
            raise OSError(f"{name} is down for {x}")

    def step(self, name: str = "s", **options: Any) -> Any:
        """Passes `x` on."""

        def function(x: int) -> dict[str, int]:
            self.call(name, x)
            return {"x": x}

        return step(name, function).options(**{"on_error": "collect", **options})

    def many(self, name: str = "many", given: int = 1) -> Any:
        """Yields 10 x + 10, 10 x + 11, 10 x + 12, and fails behind so many of these."""

        def function(x: int) -> Iterator[dict[str, int]]:
            for number in range(3):
                if number == given:
                    self.call(name, x)
                yield {"x": 10 * x + 10 + number}

        return step(name, function).options(on_error="collect")

    def source(self, kind: str = "generator") -> Any:
        """A step `src` of `ROWS`, or what is like it; each of its products is a call."""

        def rows() -> Iterator[dict[str, int]]:
            for row in ROWS:
                self.calls["src", row["x"]] += 1
                yield row

        async def arows() -> AsyncIterator[dict[str, int]]:
            for row in rows():
                yield row

        def emit(observer: Any, scheduler: Any = None) -> Any:
            for row in rows():
                observer.on_next(row)
            observer.on_completed()
            return reactivex.disposable.Disposable()

        class Rows(Producer[Any]):
            def produce(self) -> Iterator[Any]:
                return rows()

        class AsyncRows(AsyncProducer[Any]):
            def aproduce(self) -> AsyncIterator[Any]:
                return arows()

        class Lazy:
            def __iter__(self) -> Iterator[Any]:
                return rows()

        makers: dict[str, Callable[[], Any]] = {
            "generator": lambda: step("src", rows),
            "function": lambda: step("src", lambda: [*rows()]),
            "async generator": lambda: step("src", arows),
            "iterable": lambda: step("src", Lazy()),
            "observable": lambda: step("src", reactivex.create(emit)),
            "Producer": Rows,
            "AsyncProducer": AsyncRows,
        }
        return makers[kind]()


SOURCES = (
    *("generator", "function", "async generator", "iterable"),
    *("observable", "Producer", "AsyncProducer"),
)


def mended(flow: Any, service: Service, **kwargs: Any) -> RunResult:
    """Run, run again once the service is up, and see that it is as if it had always been."""
    broken = run(flow)
    assert broken.failures
    service.up()
    again = rerun(flow, broken.failures, **kwargs)
    called = service.calls.copy()
    merged = broken.merged(again)
    assert merged == run(flow)
    assert not merged.failures
    service.calls = called
    return again


class TestSources:
    @pytest.mark.parametrize("kind", SOURCES)
    @pytest.mark.parametrize("shape", ["step", "group", "two sources", "rx_pipe"])
    def test_they_are_not_run(self, kind: str, shape: str) -> None:
        """Nor are Observables subscribed to."""
        service = Service(1, 4)
        source = service.source(kind)
        flows = {
            "step": lambda: source >> service.step(),
            "group": lambda: source >> (service.step() & passthrough()),
            "two sources": lambda: (source & step("other", ROWS)) >> service.step(),
            "rx_pipe": lambda: (
                source >> rx_pipe(ops.map(lambda product: product)) >> service.step()
            ),
        }
        again = mended(flows[shape](), service)
        count = 2 if shape == "two sources" else 1
        assert service.calls == {("s", 1): count, ("s", 4): count}
        assert sum(map(len, again)) == 2 * count

    @pytest.mark.parametrize("operator", ["start_with", "default_if_empty", "concat"])
    def test_operators_in_front_of_what_failed_give_nothing(self, operator: str) -> None:
        """What they have returned went well, or is among the failures."""
        more = DictProduct("src", {"x": 9})
        operators: dict[str, Any] = {
            "start_with": ops.start_with(more),
            "default_if_empty": ops.default_if_empty(more),
            "concat": ops.concat(reactivex.of(more)),
        }
        service = Service(1)
        flow = service.source() >> rx_pipe(operators[operator]) >> service.step()
        again = mended(flow, service)
        assert [output["s"]["x"] for output in again[0]] == [1]

    def test_a_flow_without_a_source_can_run_again(self) -> None:
        """`input` is in the failures."""
        for given in ({"x": 1}, ROWS, reactivex.from_iterable(ROWS)):
            service = Service(1)
            made = service.step() >> step("t", lambda x: {"y": x})
            broken = run(made, input=given)
            service.up()
            merged = broken.merged(rerun(made, broken.failures))
            assert merged == run(made, input=given)


class TestShapes:
    def test_what_comes_behind_runs_too(self) -> None:
        """For the products that had failed, and for no other."""
        service = Service(2, 3)
        last = service.step("last")
        mended(service.source() >> service.step("first") >> last, service)
        assert service.calls == {(name, x): 1 for name in ("first", "last") for x in (2, 3)}

    def test_branches_of_the_same_names_are_told_apart(self) -> None:
        """Each failure goes back to its own branch."""
        left, right = Service(1), Service(2, 3)
        flow = step("src", ROWS) >> (left.step() & right.step() & passthrough())
        broken = run(flow)
        assert {failure.path for failure in broken.failures} == {"src → s"}
        left.up()
        right.up()
        again = rerun(flow, pickle.loads(pickle.dumps(broken.failures)))
        assert [len(path) for path in again] == [1, 2, 0]
        assert (left.calls, right.calls) == ({("s", 1): 1}, {("s", 2): 1, ("s", 3): 1})
        assert broken.merged(again) == run(flow)

    def test_one_step_behind_a_group_runs_on_the_paths_on_which_it_failed(self) -> None:
        """And on no other."""
        service = Service(4, 11)
        add = step("add", lambda x: {"x": x + 10})
        again = mended(step("src", ROWS) >> (add & passthrough()) >> service.step(), service)
        assert [[output["s"]["x"] for output in path] for path in again] == [[11], [4]]
        assert service.calls == {("s", 4): 1, ("s", 11): 1}

    def test_a_failure_in_front_of_a_fan_out_goes_to_all_branches(self) -> None:
        """As the product would have done."""
        service = Service(5)
        ends = service.step("a") & service.step("b") & passthrough()
        first = service.step("first")
        again = mended(step("src", ROWS) >> first >> ends, service)
        assert service.calls == {(name, 5): 1 for name in ("first", "a", "b")}
        assert [len(path) for path in again] == [1, 1, 1]

    def test_groups_within_groups(self) -> None:
        """Each path has its own."""
        service = Service(0, 3)
        inner = service.step("a") & (service.step("b") >> (service.step("c") & passthrough()))
        mended(step("src", ROWS) >> (inner & passthrough()) >> service.step("d"), service)

    def test_a_step_that_stands_twice_on_a_path(self) -> None:
        """Each failure goes back to its place."""
        service = Service(1, 2)
        made = service.step("s")
        change = step("s", lambda x: {"x": x - 1})
        mended(step("src", ROWS) >> made >> change >> made, service)
        assert service.calls == {("s", 1): 2, ("s", 2): 2, ("s", 0): 1}

    @pytest.mark.parametrize("given", [0, 1, 2])
    def test_generators_that_failed_midway_begin_anew(self, given: int) -> None:
        """What they had returned then is replaced; what had become of it runs again."""
        service = Service(1, 3)
        last = service.step("last")
        mended(step("src", ROWS) >> service.many(given=given) >> last, service)
        assert service.calls == {
            **{("many", x): 1 for x in (1, 3)},
            **{("last", x): 1 for x in (20, 21, 22, 40, 41, 42)},
        }

    @pytest.mark.parametrize("given", [0, 1, 2])
    def test_what_failed_behind_such_a_generator_runs_once(self, given: int) -> None:
        """With the generator, if that is among the failures; else by itself."""
        service = Service(1, 10, 20, 42)
        flow = step("src", ROWS) >> service.many(given=given) >> service.step("last")
        mended(flow, service)
        assert set(service.calls.values()) == {1}
        assert {call for call in service.calls if call[0] == "many"} == {("many", 1)}
        assert {x for name, x in service.calls if name == "last"} == {10, 20, 21, 22, 42}

    @pytest.mark.parametrize(
        "operator",
        [
            ops.map(lambda product: product),
            ops.filter(lambda product: untyped(product)["x"] % 5 != 4),
            ops.flat_map(lambda product: reactivex.of(product, product)),
            ops.delay(0.001),
        ],
    )
    @pytest.mark.parametrize("before", [False, True])
    def test_operators_are_no_obstacle(self, operator: Any, before: bool) -> None:
        """Failures behind them enter behind them, those before go through them."""
        service = Service(1, 3)
        pipe = rx_pipe(operator)
        made = service.step()
        flow = step("src", ROWS) >> (made >> pipe if before else pipe >> made)
        mended(flow >> step("t", lambda x: {"z": x}), service)

    @pytest.mark.parametrize("before", [False, True])
    def test_operators_that_make_products_anew(self, before: bool) -> None:
        """Nothing is lost, though of these nobody knows what they came of, nor in which order."""
        service = Service(1, 3, 103)
        pipe = rx_pipe(ops.map(lambda product: {"x": product["x"] + 100}))
        flow = step("src", ROWS) >> (service.step() >> pipe if before else pipe >> service.step())
        flow >>= step("t", lambda x: {"z": x})
        broken = run(flow)
        service.up()
        merged = broken.merged(rerun(flow, broken.failures))
        assert sorted(output["t"]["z"] for output in merged[0]) == [*range(100, 106)]

    def test_a_class_that_gives_a_product_again_is_none(self) -> None:
        """Each of the two may fail, or both."""

        class Twice(Transformer[Any, Any]):
            def transform(self, product: Any) -> Iterator[Any]:
                yield product
                yield product

        for failing in ({1}, {1, 2}, {2, 3}, {4}):
            calls = 0

            def function(x: int, failing: set[int] = failing) -> dict[str, int]:
                nonlocal calls
                calls += 1
                if calls in failing:
                    raise OSError(calls)
                return {"y": x}

            made = step("s", function).options(on_error="collect")
            flow = step("src", ROWS[:2]) >> Twice() >> made
            broken = run(flow)
            assert len(broken.failures) == len(failing)
            merged = broken.merged(rerun(flow, broken.failures))
            assert [output["s"]["y"] for output in merged[0]] == [0, 0, 1, 1]

    @pytest.mark.parametrize("executor", ["thread", None])
    async def test_it_may_run_on_a_loop_and_in_threads(self, executor: Any) -> None:
        """With the options of the flow."""
        service = Service(1, 2)
        flow = step("src", ROWS) >> service.step(executor=executor, ordered=True)
        broken = await arun(flow)
        service.up()
        assert broken.merged(await arerun(flow, broken.failures)) == await arun(flow)
        assert alone()

    def test_a_chain_of_a_thousand_steps(self) -> None:
        """Takes no longer than its run does."""
        service = Service(5)
        steps = [service.step(f"s{number}") for number in range(1_000)]
        again = mended(chain(step("src", ROWS), *steps), service)
        assert len(again[0]) == 1
