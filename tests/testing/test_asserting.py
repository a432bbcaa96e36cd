"""assert_marbles(): whole flows against diagrams, and what it says of those that differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import reactivex
from aiostream import pipe, stream
from reactivex import operators as ops

from fluxus_rx import (
    AsyncTransformer,
    SimpleProducer,
    Transformer,
    passthrough,
    rx_pipe,
    step,
    stream_pipe,
)
from fluxus_rx.testing import (
    DeadlockError,
    aassert_marbles,
    assert_marbles,
    hot_marbles,
    marbles,
    run_virtual,
)

Row = dict[str, int]
VALUES = {"a": {"x": 1}, "b": {"x": 2}, "A": {"x": 1, "y": 10}, "B": {"x": 2, "y": 20}}


async def slow(x: int) -> Row:
    await asyncio.sleep(2)
    return {"y": 10 * x}


class Slow(AsyncTransformer[str, str]):
    """Upper case, two seconds later."""

    async def atransform(self, product: str) -> AsyncIterator[str]:
        await asyncio.sleep(2)
        yield product.upper()


class Twice(Transformer[str, str]):
    def transform(self, product: str) -> Iterator[str]:
        yield product
        yield product


async def ticks() -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(1)
        yield number


def doubled(number: int, *_: int) -> int:
    return 2 * number


def source(diagram: str = "-a-b|") -> Any:
    return step("src", marbles(diagram, values=VALUES))


class TestAgreement:
    """It returns None, whatever kind of flow it is."""

    @pytest.mark.parametrize(
        ("flow", "expected"),
        [
            (lambda: source() >> step("slow", slow), "---A-(B,|)"),
            (lambda: source("a-b|") >> step("slow", slow).options(concurrency=1), "--A-(B,|)"),
            (lambda: source("(a,b,|)") >> step("slow", slow).options(concurrency=2), "--(A,B,|)"),
            (lambda: source() >> step("slow", slow).options(timeout=1, on_error="skip"), "----|"),
            (lambda: source() >> rx_pipe(ops.delay(1)), "--a-b|"),
            (lambda: source() >> stream_pipe(pipe.take(1)), "-(a,|)"),
        ],
    )
    def test_of_flows_of_steps(self, flow: Callable[[], Any], expected: str) -> None:
        """Products are mappings of all attributes of their lineage."""
        assert_marbles(flow(), expected, values=VALUES)

    def test_of_flows_of_several_paths(self) -> None:
        """The products of all of them, as they come."""
        flow = source("-a--b|") >> (step("slow", slow) & passthrough())
        expected = "---------- a--------- ---------- A--------- b--------- ---------- (B,|)"
        assert_marbles(flow, expected, values=VALUES, unit=0.1)

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            (lambda: SimpleProducer([1, 2]), "(1,2,|)"),
            (lambda: SimpleProducer(["a", "b"]) >> Slow(), "----(A,B,|)"),
            (lambda: SimpleProducer(["a"]) & SimpleProducer(["b"]), "(a,b,|)"),
            (lambda: reactivex.interval(2).pipe(ops.take(2)), "----0---(1,|)"),
            (lambda: hot_marbles("-a-b|"), "--a---b-|"),
            (lambda: reactivex.empty().pipe(ops.delay(3)), "------|"),
            (lambda: stream.iterate(ticks()) | pipe.map(doubled), "--0-2-(4,|)"),
            (ticks, "--0-1-(2,|)"),
        ],
    )
    def test_of_other_sources(self, make: Callable[[], Any], expected: str) -> None:
        """Producers of classes, Observables, streams, asynchronous iterables."""
        assert_marbles(make(), expected, unit=0.5)

    @pytest.mark.parametrize(
        ("flow", "given", "expected"),
        [
            (Slow(), "-a-b|", "---A-(B,|)"),
            (Twice(), "-a----b----|", "-(a,a)(b,b)|"),
            (Twice() >> Slow(), "-a------b|", "---(A,A)--(B,B,|)"),
            (ops.map(str.upper), "-a-b|", "-A-B|"),
            (ops.debounce(1), "-a-b|", "--a-(b,|)"),
            (rx_pipe(ops.filter(lambda item: item != "a")), "-a-b|", "---b|"),
        ],
    )
    def test_of_what_takes_a_source(self, flow: Any, given: str, expected: str) -> None:
        """Transformers and Rx operators."""
        assert_marbles(flow, expected, source=given)
        assert_marbles(flow, expected, source=marbles(given))

    def test_of_flows_that_fail(self) -> None:
        """With the error that is given, one like it, one of its class, or any."""
        error = ValueError("broken", 5)
        for expected in (error, ValueError("broken", 5), ValueError, None):
            assert_marbles(marbles("-a-#", error=error), "-a-#", error=expected)

    def test_of_flows_that_go_on(self) -> None:
        """A diagram without an end is watched for its length; then the flow is cancelled."""
        assert_marbles(reactivex.interval(2), "--0-")
        assert_marbles(reactivex.interval(2), "--0-1-2-")
        assert_marbles(reactivex.never(), "-----")

    def test_of_a_source_and_a_result_with_one_error(self) -> None:
        """`error` is that of both diagrams."""
        error = ValueError("broken")
        assert_marbles(Twice(), "-(a,a)#", source="-a----#", error=error)

    def test_in_units_of_any_size(self) -> None:
        """Of a millisecond, of an hour."""
        for unit in (0.001, 1 / 3, 3600.0):
            assert_marbles(reactivex.interval(2 * unit).pipe(ops.take(2)), "--0-(1,|)", unit=unit)

    def test_in_a_loop_that_runs_already(self) -> None:
        """Awaited, from now on, on a loop of virtual time."""

        async def main() -> float:
            await asyncio.sleep(7)
            await aassert_marbles(marbles("-a-b|"), "-a-b|")
            await aassert_marbles(Slow(), "---A|", source="-a--|")
            return asyncio.get_running_loop().time()

        assert run_virtual(main()) == 15


def told(flow: Any, expected: str, **arguments: Any) -> str:
    """What it says of a flow that differs."""
    with pytest.raises(AssertionError) as caught:
        assert_marbles(flow, expected, **arguments)
    assert not isinstance(caught.value, DeadlockError)
    return str(caught.value)


class TestDifferences:
    """Both diagrams, one above the other, and the first event that differs."""

    @pytest.mark.parametrize(
        ("diagram", "expected", "first"),
        [
            ("-a--b|", "-a-b-|", "expected b at 3 s, got b at 4 s"),
            ("-a-c-|", "-a-b-|", "expected b at 3 s, got c at 3 s"),
            ("-a---|", "-a-b-|", "expected b at 3 s, got the end at 5 s"),
            ("-a-b-|", "-a-b--|", "expected the end at 6 s, got the end at 5 s"),
            ("-a-b-c|", "-a-b-|", "expected the end at 5 s, got c at 5 s"),
            ("-a-b-", "-a-b-|", "expected the end at 5 s, and nothing more came"),
            ("-a-|", "-a------", "got the end at 3 s, where nothing more was expected"),
            ("-b-(a,|)", "-a-(b,|)", "expected a at 1 s, got b at 1 s"),
        ],
    )
    def test_are_told(self, diagram: str, expected: str, first: str) -> None:
        """In seconds."""
        assert told(marbles(diagram), expected).splitlines() == [
            "other events than expected (1 character = 1 s):",
            f"  expected  {expected.rstrip('-')}",
            f"  got       {diagram.rstrip('-')}",
            f"first difference: {first}",
        ]

    def test_of_items_without_a_name_give_them_one(self) -> None:
        """And say what it stands for."""
        values = {"a": {"x": 1}}
        flow = step("src", marbles("-a-b|", values={"a": {"x": 1}, "b": {"x": 2}}))
        assert told(flow, "-a-a|", values=values).splitlines()[1:] == [
            "  expected  -a-a|",
            "  got       -a-b|",
            "first difference: expected a = {'x': 1} at 3 s, got b = {'x': 2} at 3 s",
            "  where b = {'x': 2}",
        ]

    def test_between_two_units_are_drawn_in_smaller_ones(self) -> None:
        """Both of them."""
        source = reactivex.timer(1.5)
        assert told(source, "--(0,|)").splitlines() == [
            "other events than expected (1 character = 0.5 s):",
            "  expected  ----(0,|)",
            "  got       ---(0,|)",
            "first difference: expected 0 at 2 s, got 0 at 1.5 s",
        ]

    def test_that_no_diagram_can_show_are_listed(self) -> None:
        """Event by event."""
        text = told(reactivex.timer(1.2345), "--(0,|)")
        assert "  got       0 at 1.2345 s, | at 1.2345 s" in text

    def test_in_an_error_have_it_as_their_cause(self) -> None:
        """So that one sees where it came from."""
        error = ValueError("broken")
        with pytest.raises(AssertionError) as caught:
            assert_marbles(marbles("-a#", error=error), "-a-|")
        assert caught.value.__cause__ is error
        assert "expected the end at 3 s, got the error ValueError('broken') at 2 s" in str(
            caught.value
        )
        assert "expected an error at 2 s, got the end" in told(marbles("-a|"), "-a#")
        assert "the error KeyError at 2 s" in told(marbles("-a#"), "-a#", error=KeyError)

    def test_of_a_flow_without_end_are_told_all_the_same(self) -> None:
        """Even if it never waits."""

        def endless() -> Iterator[int]:
            while True:
                yield 1

        assert "expected 2 at 0 s, got 1 at 0 s" in told(SimpleProducer(endless()), "(2,|)")
        assert "expected the end at 3 s, got 1" in told(reactivex.interval(2), "--0|")

    def test_of_items_that_compare_as_they_please_are_differences(self) -> None:
        """Such as arrays, whose `==` isn't an answer."""

        class Odd:
            def __eq__(self, other: object) -> Any:
                raise ZeroDivisionError

            __hash__ = object.__hash__

        assert "first difference" in told(marbles("a|", values={"a": Odd()}), "a|", values={"a": 1})


WRONG: Any = [1]


class TestMistakes:
    @pytest.mark.parametrize(
        ("call", "kind", "message"),
        [
            (lambda: assert_marbles(Slow(), "-a"), TypeError, "pass some, by source="),
            (lambda: assert_marbles(ticks(), "-a", source="a"), TypeError, "begins by itself"),
            (lambda: assert_marbles(5, "-a"), TypeError, "what can be watched is"),
            (lambda: assert_marbles([1, 2], "-a"), TypeError, "what can be watched is"),
            (lambda: assert_marbles(len, "a", source="a"), TypeError, "len"),
            (
                lambda: assert_marbles(lambda source: 5, "a", source="a"),
                TypeError,
                "isn't an Rx operator",
            ),
            (lambda: assert_marbles(Slow(), "a", source=WRONG), TypeError, "expected a diagram"),
            (lambda: assert_marbles(marbles("a"), "a("), ValueError, "never closed"),
            (lambda: assert_marbles(marbles("a"), "a", unit=-1), ValueError, "unit=-1"),
            (lambda: assert_marbles(marbles("a"), "a", error=WRONG), ValueError, "error=\\[1\\]"),
        ],
    )
    def test_are_refused(self, call: Callable[[], Any], kind: type, message: str) -> None:
        """With a message for each."""
        with pytest.raises(kind, match=message):
            call()

    def test_in_a_loop_it_says_what_to_await(self) -> None:
        """And outside of virtual time, that it takes that."""

        async def main() -> None:
            with pytest.raises(RuntimeError, match="await aassert_marbles"):
                assert_marbles(marbles("a|"), "a|")
            with pytest.raises(RuntimeError, match="needs virtual time"):
                await aassert_marbles(marbles("a|"), "a|")

        asyncio.run(main())
