"""Flows of both APIs: steps on dictionaries beside classes, Rx operators and foreign sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from random import Random
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import (
    AsyncTransformer,
    Consumer,
    Producer,
    SimpleProducer,
    Transformer,
    chain,
    run,
    rx_pipe,
    step,
    stream_pipe,
)

Row = Mapping[str, Any]


class Twice(Transformer[Row, Row]):
    """Yields each product two times."""

    def transform(self, product: Row) -> Iterator[Row]:
        yield product
        yield product


class Keep(Transformer[Row, Row]):
    """Keeps what passes."""

    def __init__(self) -> None:
        self.kept: list[Row] = []

    def transform(self, product: Row) -> Iterator[Row]:
        self.kept.append(product)
        yield product


class Plus(Transformer[Row, Row]):
    """Makes new mappings of products."""

    def transform(self, product: Row) -> Iterator[Row]:
        yield {"x": product["x"] + 1}


def rows(count: int) -> Producer[Any]:
    """A step that emits so many rows."""
    return step("src", [{"x": number} for number in range(count)])


def test_a_product_given_twice_is_two_products_to_the_steps_behind() -> None:
    """What a step adds to one of them is not seen on the other."""
    result = run(rows(1) >> Twice() >> step("add", lambda x: {"y": x}))
    assert result[0] == [{"src": {"x": 0}, "add": {"y": 0}}] * 2


def test_a_product_that_somebody_keeps_never_changes() -> None:
    """Steps behind a class-based transformer leave alone what it has seen."""
    keep = Keep()
    run(rows(2) >> keep >> step("add", lambda x: {"y": x}))
    assert [dict(product) for product in keep.kept] == [{"x": 0}, {"x": 1}]


def test_a_product_that_an_operator_keeps_never_changes() -> None:
    """The same holds for Rx operators among the steps."""
    kept: list[Row] = []
    run(rows(2) >> rx_pipe(ops.do_action(kept.append)) >> step("add", lambda x: {"y": x}))
    assert [dict(product) for product in kept] == [{"x": 0}, {"x": 1}]


@pytest.mark.parametrize(
    "foreign",
    [
        lambda: rows(12) >> Plus(),
        lambda: rows(12) >> rx_pipe(ops.map(lambda product: {"x": product["x"]})),
        lambda: SimpleProducer([{"x": number} for number in range(12)]),
        lambda: rows(12) >> Twice(),
    ],
    ids=["class", "rx", "producer", "twice"],
)
def test_mappings_from_elsewhere_keep_their_order_in_a_result(
    foreign: Callable[[], Producer[Any]],
) -> None:
    """They have positions too, so an unordered step behind them changes no result."""

    def outcome(seed: int) -> list[Any]:
        random = Random(seed)

        async def slow(x: int) -> dict[str, int]:
            for _ in range(random.randrange(9)):
                await asyncio.sleep(0)
            return {"y": x}

        return [output["slow"]["y"] for output in run(foreign() >> step("slow", slow))[0]]

    assert outcome(1) == outcome(2) == sorted(outcome(3))


def test_run_takes_mappings_that_no_step_has_made() -> None:
    """Those of a producer are called `input`, and those of a transformer as it is."""
    assert run(SimpleProducer([{"x": 1}]))[0] == [{"input": {"x": 1}}]
    assert run(rows(1) >> Plus())[0] == [{"src": {"x": 0}, "Plus": {"x": 1}}]


def test_run_refuses_products_that_are_no_mappings() -> None:
    """The message says what came, and what is taken."""
    with pytest.raises(TypeError, match=r"run\(\) takes products of steps .*, but got 1 \(int\)"):
        run(SimpleProducer([1]))


def test_a_step_refuses_items_that_are_no_mappings() -> None:
    """The message names the step."""
    with pytest.raises(TypeError, match=r"step 'add' was given 1 \(int\)"):
        run(SimpleProducer[Any]([1]) >> step("add", lambda x: {"y": x}))


async def test_dropped_items_of_many_sources_leave_room_for_the_next() -> None:
    """A filter behind 40 sources that wait for room lets all of them through in the end."""

    class Up(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            yield product

    sources = [
        SimpleProducer([1] if number < 16 or number == 39 else [0]).to_observable()
        for number in range(40)
    ]
    passed = reactivex.merge(*sources).pipe(ops.filter(bool), Up(), ops.to_list())
    assert await passed == [1] * 17


def test_a_generator_step_behind_a_wide_group_gives_everything() -> None:
    """Thousands of its calls may wait for each other, with a limit over all paths."""

    class Three(AsyncTransformer[int, int]):
        async def atransform(self, product: int) -> AsyncIterator[int]:
            await asyncio.sleep(0)
            for _ in range(3):
                yield product

    class Same(Transformer[int, int]):
        def transform(self, product: int) -> Iterator[int]:
            yield product

    class Count(Consumer[int, int]):
        def consume(self, products: Any) -> int:
            return sum(1 for _ in products)

    group: Transformer[int, int] = Same()
    for _ in range(19):
        group = group & Same()
    assert (SimpleProducer(range(40)) >> group >> Three() >> Count()).run() == 20 * 40 * 3


def test_500_plain_functions_that_return_awaitables_can_be_chained() -> None:
    """Each of them becomes a stage as it is found out, without recursion."""

    async def plus(x: int) -> dict[str, int]:
        return {"x": x + 1}

    steps = [step(f"s{number}", lambda x: plus(x)) for number in range(500)]
    assert run(chain(step("src", {"x": 0}), *steps))[0][0]["s499"] == {"x": 500}


def test_plain_functions_may_return_awaitables_later_than_those_behind_them() -> None:
    """A step becomes a stage in front of one that is a stage already."""

    async def plus(x: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"x": x + 1}

    def from_on(number: int) -> Callable[[int], Any]:
        """Yields awaitables from this item on."""
        return lambda x: plus(x) if x % 100 >= number else {"x": x + 100}

    steps = [step(f"s{number}", from_on(20 - number)) for number in range(20)]
    outputs = run(chain(step("src", [{"x": x} for x in range(25)]), *steps))[0]
    expected = []
    for x in range(25):
        for number in range(20):
            x += 1 if x % 100 >= 20 - number else 100
        expected.append(x)
    assert sorted(output["s19"]["x"] for output in outputs) == sorted(expected)


@pytest.mark.parametrize("pipe", [rx_pipe, stream_pipe])
def test_an_operator_that_gives_something_else_is_named(pipe: Callable[..., Any]) -> None:
    """What an operator of a pipe returned is shown, with the pipe."""
    with pytest.raises(
        TypeError, match=rf"the operators of {pipe.__name__}\(.*\) returned 3 \(int\)"
    ):
        list(SimpleProducer([1]) >> pipe(lambda source: 3))


def test_a_flow_of_other_products_is_refused_before_it_runs() -> None:
    """Its calls may be paid for; the message says how such a flow is run."""
    called = []

    class Answers(Transformer[Any, int]):
        def transform(self, product: Any) -> list[int]:
            called.append(product)
            return [1]

    with pytest.raises(TypeError, match="Answers emits int") as caught:
        run(step("src", {"x": 1}) >> Answers())
    assert "iterate over the flow" in str(caught.value)
    assert called == []


def test_a_run_whose_products_are_none_of_steps_has_failed() -> None:
    """A watcher is not told that it went well."""
    states: list[str] = []

    class Untyped(Transformer[Any, Any]):
        def transform(self, product: Any) -> list[Any]:
            return [1]

    with pytest.raises(TypeError, match="iterate over the flow"):
        run(step("src", {"x": 1}) >> Untyped(), progress=lambda told: states.append(told.state))
    assert states[-1] == "failed"
