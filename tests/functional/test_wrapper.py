"""`Wrapper`: a conduit of one's own around another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    AsyncTransformer,
    InvalidFlowError,
    Transformer,
    Wrapper,
    check,
    parallel,
    passthrough,
    route,
    run,
    step,
    stream,
)
from fluxus_rx.testing import virtual_time
from fluxus_rx.viz import to_tree
from tests.support.errors import refused, untyped

ITEMS = [{"x": x} for x in range(6)]
src = step("src", ITEMS)
double = step("double", lambda x: {"y": 2 * x})


async def slow(x: int) -> dict[str, int]:
    """Takes a second."""
    await asyncio.sleep(1)
    return {"y": 2 * x}


class Plain(Transformer[Any, Any]):
    """A transformer of a class."""

    def transform(self, product: Any) -> Iterator[Any]:
        yield {"y": 2 * product["x"]}


class Awaiting(AsyncTransformer[Any, Any]):
    """One that awaits."""

    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        yield {"y": 2 * product["x"]}


class Twice(Wrapper[Any, Any]):
    """Calls what it is around a second time, where the first call fails."""

    tries = 2

    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        for attempt in range(self.tries):
            try:
                async for output in super().atransform(product):
                    yield output
                return
            except LookupError:
                if attempt == self.tries - 1:
                    raise


#: what a wrapper can be around, and the name of what that gives
INNER: dict[str, tuple[Callable[[], Any], str]] = {
    "step": (lambda: double, "double"),
    "asynchronous step": (lambda: step("slow", slow), "slow"),
    "thread": (lambda: double.options(executor="thread"), "double"),
    "class": (Plain, "Plain"),
    "asynchronous class": (Awaiting, "Awaiting"),
    "chain": (lambda: step("n", lambda x: {"n": x}) >> double, "double"),
    "wrapper": (lambda: Twice(double), "double"),
    "router": (lambda: route("x", {9: passthrough()}, default=double), "double"),
}


@pytest.mark.parametrize("kind", INNER)
@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"concurrency": 1}])
def test_outputs_of_the_inner_one_keep_their_lineage(kind: str, options: dict[str, Any]) -> None:
    """In the order of nested loops, also with steps behind the wrapper."""
    make, name = INNER[kind]
    wrapped = Twice(make()).options(**options)
    with virtual_time():
        result = run(src >> wrapped >> step("z", lambda x, y: {"z": x + y}))
    assert [output["z"]["z"] for output in result[0]] == [3 * item["x"] for item in ITEMS]
    for output, item in zip(result[0], ITEMS, strict=True):
        assert output["src"] == item
        assert output[name] == {"y": 2 * item["x"]}


def test_the_paths_of_an_inner_group_are_one() -> None:
    """What it yields comes product by product."""
    group = parallel(double, step("minus", lambda x: {"y": -x}), passthrough())
    result = run(step("src", {"x": 1}) >> Twice(group))
    assert len(result) == 1
    assert sorted(map(str, result[0])) == sorted(
        map(str, [{"src": {"x": 1}, **more} for more in (
            {"double": {"y": 2}}, {"minus": {"y": -1}}, {},
        )])
    )  # fmt: skip


def test_the_limit_of_the_inner_one_holds_over_all_its_calls() -> None:
    """However many calls of the wrapper are in flight."""
    busy, most = 0, 0

    async def counted(x: int) -> dict[str, int]:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(1)
        busy -= 1
        return {"y": x}

    inner = step("counted", counted).options(concurrency=2)
    with virtual_time():
        result = run(src >> Twice(inner), timestamps=True)
    assert most == 2
    calls = {one.step: one.calls for one in result.summary().steps}
    assert calls == {"src": 6, "Twice": 6, "counted": 6}


def flaky(failing: set[int]) -> Any:
    """A step whose call with each of these fails once."""

    def function(x: int) -> dict[str, int]:
        if x in failing:
            failing.remove(x)
            raise LookupError(x)
        return {"y": 2 * x}

    return step("flaky", function)


def test_a_wrapper_may_call_the_inner_one_again() -> None:
    """Each attempt is a call of the run."""
    result = run(src >> Twice(flaky({1, 3})), timestamps=True)
    assert [output["flaky"]["y"] for output in result[0]] == [2 * item["x"] for item in ITEMS]
    counted = {one.step: (one.calls, one.failures) for one in result.summary().steps}
    assert counted["flaky"] == (8, 2)
    assert counted["Twice"] == (6, 0)


def test_failures_of_the_inner_one_are_those_of_the_run() -> None:
    """Collected with the path through the wrapper; the wrapper sees no error then."""
    result = run(src >> Twice(flaky({1}).options(on_error="collect")))
    assert [output["src"]["x"] for output in result[0]] == [0, 2, 3, 4, 5]
    [failure] = result.failures
    assert (failure.step, failure.path) == ("flaky", "src → Twice → flaky")
    assert failure.lineage == {"src": {"x": 1}}


def test_an_error_that_the_wrapper_lets_pass_is_one_of_its_call() -> None:
    """With options of the wrapper for it."""

    class Once(Twice):
        tries = 1

    with pytest.raises(LookupError):
        run(src >> Once(flaky({1})))
    result = run(src >> Once(flaky({1})).options(on_error="collect"))
    assert [failure.step for failure in result.failures] == ["Once"]
    assert len(run(src >> Once(flaky({1})).options(retry=2))[0]) == 6


def test_a_wrapper_may_give_products_of_its_own() -> None:
    """Beside those of the inner one, with the lineage of the product that it was called with."""

    class Noted(Wrapper[Any, Any]):
        async def atransform(self, product: Any) -> AsyncIterator[Any]:
            async for output in super().atransform(product):
                yield output
            yield {"noted": True}

    [first, second] = run(step("src", {"x": 1}) >> Noted(double))[0]
    assert first == {"src": {"x": 1}, "double": {"y": 2}}
    assert second == {"src": {"x": 1}, "Noted": {"noted": True}}


def test_a_wrapper_may_choose_between_several() -> None:
    """It is around one, and may have others."""

    class Either(Wrapper[Any, Any]):
        def __init__(self, inner: Any, other: Any) -> None:
            super().__init__(inner)
            self.other = other

        async def atransform(self, product: Any) -> AsyncIterator[Any]:
            inner = self.inner if product["x"] % 2 else self.other
            async for output in inner.atransform(product):
                yield output

    result = run(src >> Either(double, step("minus", lambda x: {"y": -x})))
    assert [[*output][1] for output in result[0]] == ["minus", "double"] * 3


def test_leaving_early_ends_the_calls_in_it() -> None:
    """Nothing goes on behind the reader's back."""
    under_way = 0

    async def counted(x: int) -> dict[str, int]:
        nonlocal under_way
        under_way += 1
        try:
            await asyncio.sleep(x * x)
        finally:
            under_way -= 1
        return {"y": x}

    with virtual_time():
        for _ in stream(src >> Twice(step("counted", counted))):
            break
    assert under_way == 0


def test_it_works_outside_of_a_run_too() -> None:
    """As a transformer called by hand, and as an operator."""
    assert [product["y"] for product in Twice(double).process(ITEMS)] == [0, 2, 4, 6, 8, 10]
    assert len([*(src >> (Twice(double) & passthrough()))]) == 12


def test_drawings_and_checks_look_into_it() -> None:
    """One place, with the names of what is in it; what that lacks is found."""
    flow = src >> Twice(step("n", lambda x: {"n": x}) >> step("need", lambda q: {"y": q}))
    assert to_tree(flow).splitlines()[1] == "○ Twice  around n, need"
    assert "need: needs the attribute 'q'" not in str(check(flow))  # n may give anything
    lacking = src >> Twice(step("need", lambda q: {"y": q}).options(window=3))
    assert "warning: need: needs the attribute 'q'" in str(check(lacking))
    assert "unless 'Twice' adds it in its calls; set a default for the parameter" in str(
        check(lacking)
    )
    assert "error" not in str(check(lacking))
    assert "warning: need: window=3 has no effect" in str(check(lacking))
    assert repr(Twice(double)) == "Twice(step('double', <lambda>))"
    assert repr(Twice(double).options(retry=2)).endswith(".options(retry=2)")
    six = double >> double >> double >> double >> double >> double
    assert "around double, double, double, double, double and 1 more" in to_tree(src >> Twice(six))


def test_types_are_those_of_the_inner_one() -> None:
    """A chain that can't work is refused when it is written."""

    class Half(Transformer[int, float]):
        def transform(self, product: int) -> Iterator[float]:
            yield product / 2

    class Words(Transformer[int, str]):
        def transform(self, product: int) -> Iterator[str]:
            yield "a"

    assert Wrapper(Half()).process([4]) == [2.0]
    with refused(InvalidFlowError, "emits str, but the second takes int"):
        Words() >> untyped(Wrapper(Half()))


@pytest.mark.parametrize("mistake", [src, 5, passthrough(), Plain])
def test_what_takes_no_products_is_refused(mistake: Any) -> None:
    """With the class of the wrapper."""
    with refused(InvalidFlowError, "Twice: ", "takes no products"):
        Twice(mistake)


def test_what_a_wrapper_adds_is_no_error_of_a_check() -> None:
    """For the flow runs; only the wrapper knows what it calls the inner one with."""

    class Adding(Wrapper[Any, Any]):
        async def atransform(self, product: Any) -> AsyncIterator[Any]:
            async for output in self.inner.atransform({**product, "q": 1}):
                yield output

    flow = src >> Adding(step("need", lambda q: {"y": q}))
    assert {output["need"]["y"] for output in run(flow)[0]} == {1}
    assert {finding.level for finding in check(flow)} == {"warning", "info"}
