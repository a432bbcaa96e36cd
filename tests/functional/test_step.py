"""The function of a step: how it may be written, and where its arguments come from."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest

from fluxus_rx import RunResult, chain, run, step
from tests.support.errors import refused, untyped


def one(**attributes: Any) -> RunResult:
    """The result of a flow of `src` with `x = 3` and a step `s`, with one output."""
    return RunResult([{"src": {"x": 3}, "s": attributes}])


def run_step(function: Callable[..., Any], /, **fixed: Any) -> RunResult:
    return run(step("src", {"x": 3}) >> step("s", function, **fixed))


def plain(x: int) -> dict[str, int]:
    return {"y": x + 1}


async def coroutine(x: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"y": x + 1}


def generator(x: int) -> Iterator[dict[str, int]]:
    yield {"y": x + 1}


async def async_generator(x: int) -> AsyncIterator[dict[str, int]]:
    await asyncio.sleep(0)
    yield {"y": x + 1}


def scaled(x: int, by: int) -> dict[str, int]:
    return {"y": x + by}


class Adder:
    def __init__(self, by: int = 1) -> None:
        self.by = by

    def __call__(self, x: int) -> dict[str, int]:
        return {"y": x + self.by}

    def method(self, x: int) -> dict[str, int]:
        return {"y": x + self.by}

    async def async_method(self, x: int) -> dict[str, int]:
        return {"y": x + self.by}

    @classmethod
    def class_method(cls, x: int) -> dict[str, int]:
        return {"y": x + 1}

    @staticmethod
    def static_method(x: int) -> dict[str, int]:
        return {"y": x + 1}

    def nothing(self) -> dict[str, int]:
        return {"x": self.by}


class AsyncAdder:
    async def __call__(self, x: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"y": x + 1}


class Successor(dict[str, int]):
    """A mapping that is made from `x`: the class itself is the function."""

    def __init__(self, x: int) -> None:
        super().__init__(y=x + 1)


class Awaited:
    """Something that can be awaited and isn't a coroutine."""

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.awaitable = awaitable

    def __await__(self) -> Iterator[Any]:
        return self.awaitable.__await__()


async def soon(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "plain": plain,
    "lambda": lambda x: {"y": x + 1},
    "coroutine": coroutine,
    "generator": generator,
    "async generator": async_generator,
    "partial": functools.partial(scaled, by=1),
    "positional partial of a method": functools.partial(Adder.method, Adder()),
    "partial of a coroutine function": functools.partial(coroutine),
    "partial of an async generator function": functools.partial(async_generator),
    "bound method": Adder().method,
    "bound async method": Adder().async_method,
    "class method": Adder.class_method,
    "static method": Adder.static_method,
    "callable object": Adder(),
    "async callable object": AsyncAdder(),
    "class": Successor,
    "lambda of a coroutine": lambda x: coroutine(x),
    "lambda of an async generator": lambda x: async_generator(x),
    "lambda of an awaitable object": lambda x: Awaited(soon({"y": x + 1})),
    "lambda of an awaitable of a list": lambda x: Awaited(soon([{"y": x + 1}])),
    "lambda of an awaitable of an async generator": lambda x: Awaited(soon(async_generator(x))),
    "lambda of a tuple": lambda x: ({"y": x + 1},),
    "lambda of a generator": lambda x: ({"y": x + i} for i in (1,)),
    "lambda of another mapping": lambda x: MappingProxyType({"y": x + 1}),
    "lru_cache": functools.lru_cache(lambda x: {"y": x + 1}),
    "variable arguments": lambda *args, x, **kwargs: {"y": x + 1 + len(args)},
}


class TestKindsOfFunctions:
    @pytest.mark.parametrize("kind", FUNCTIONS)
    def test_every_kind_of_function_can_be_a_step(self, kind: str) -> None:
        """A step takes all that can be called with keywords, and returns what it returns."""
        assert run_step(FUNCTIONS[kind]) == one(y=4)

    @pytest.mark.parametrize("kind", FUNCTIONS)
    def test_every_kind_of_function_works_for_many_products(self, kind: str) -> None:
        """What a function returns is grouped under the product that it was called for."""
        rows = [{"x": x} for x in range(20)]

        result = run(step("src", rows) >> step("s", FUNCTIONS[kind]))

        assert result == RunResult([{"src": {"x": x}, "s": {"y": x + 1}} for x in range(20)])

    def test_a_builtin_with_a_signature_can_be_a_step(self) -> None:
        """Functions and classes that are written in C are read by their signature."""
        source = step("src", {"data": [{"y": 3}, {"y": 4}], "selectors": [0, 1]})

        (output,) = run(source >> step("s", itertools.compress))[0]

        assert output["s"] == {"y": 4}

    def test_a_builtin_may_take_fixed_arguments(self) -> None:
        """A fixed argument fits a builtin that has a parameter of its name."""
        source = step("src", {"iterable": [{"x": 1}, {"y": 2}]})

        result = run(source >> step("s", itertools.accumulate, func=operator.or_))

        assert [output["s"] for output in result[0]] == [{"x": 1}, {"x": 1, "y": 2}]

    def test_a_partial_of_a_builtin_can_do_without_its_positional_parameters(self) -> None:
        """A positional-only parameter that a partial has filled is none any more."""
        by_y = functools.partial(sorted, [{"y": 2}, {"y": 1}], key=operator.itemgetter("y"))

        assert run(step("s", by_y)) == RunResult([{"s": {"y": 1}}, {"s": {"y": 2}}])

    def test_a_builtin_with_positional_only_parameters_is_refused(self) -> None:
        """A builtin that takes no keywords is refused with the reason, as any other function is."""
        with refused(TypeError, "'s'", "positional-only"):
            step("s", untyped(math.sqrt))

    @pytest.mark.parametrize(
        "function",
        [
            lambda: {"x": 1},
            lambda: [{"x": 1}],
            lambda: ({"x": i} for i in (1,)),
            functools.partial(lambda x: {"x": x}, 1),
            Adder().nothing,
            lambda *args: {"x": 1},
            lambda: Awaited(soon({"x": 1})),
        ],
    )
    def test_a_function_without_parameters_is_a_producer(self, function: Any) -> None:
        """Whether a step is a producer is read from the signature of its function."""
        assert run(step("src", function)) == RunResult([{"src": {"x": 1}}])

    def test_a_callable_object_without_parameters_is_a_producer(self) -> None:
        """An object whose `__call__` takes nothing starts a flow."""

        class Start:
            async def __call__(self) -> AsyncIterator[dict[str, int]]:
                return rows()

        async def rows() -> AsyncIterator[dict[str, int]]:
            for x in range(3):
                yield {"x": x}

        assert run(step("src", Start())) == RunResult([{"src": {"x": x}} for x in range(3)])

    def test_local_variables_do_not_make_a_producer_a_transformer(self) -> None:
        """A producer may have variables, closures and nested functions of its own."""

        def source() -> list[dict[str, int]]:
            values = [1, 2]
            return [{"x": value} for value in values]

        assert len(run(step("src", source))[0]) == 2

    def test_a_parameter_with_a_default_is_a_parameter(self) -> None:
        """A function that could be called without arguments, but has parameters, takes input."""
        flow = step("s", lambda x=7: {"y": x})

        assert run(flow) == RunResult([{"s": {"y": 7}}])
        assert run(flow, input={"x": 3}) == RunResult([{"input": {"x": 3}, "s": {"y": 3}}])

    def test_steps_whose_parameters_are_all_fixed_still_take_input(self) -> None:
        """A fixed value for the only parameter does not turn a step into a producer."""
        assert run_step(lambda by: {"y": by}, by=5) == one(y=5)


class TestArguments:
    def test_arguments_come_from_the_whole_lineage(self) -> None:
        """A step sees what every step before it returned, not only the last one."""
        flow = chain(
            step("src", {"x": 1}),
            step("a", lambda x: {"y": x + 1}),
            step("b", lambda y: {"z": y + 1}),
            step("c", lambda x, y, z: {"sum": x + y + z}),
        )

        assert run(flow)[0][0]["c"] == {"sum": 6}

    def test_the_latest_value_comes_first(self) -> None:
        """Of an attribute that several steps set, a later step gets the latest."""
        flow = chain(
            step("src", {"x": 1}),
            step("a", lambda x: {"x": x + 10}),
            step("b", lambda x: {"x": x + 100}),
            step("c", lambda x: {"seen": x}),
        )

        assert run(flow)[0][0]["c"] == {"seen": 111}

    def test_keyword_parameters_get_all_attributes(self) -> None:
        """A function with `**kwargs` gets all attributes that it does not name, the latest each."""
        seen: list[dict[str, Any]] = []

        def record(x: int, **kwargs: Any) -> dict[str, Any]:
            seen.append({"x": x, **kwargs})
            return {}

        run(
            step("src", {"x": 1, "y": 2, "z": 3})
            >> step("a", lambda y: {"y": 20})
            >> step("b", record, by=5)
        )

        assert seen == [{"x": 1, "y": 20, "z": 3, "by": 5}]

    def test_defaults_stand_in_for_what_is_missing(self) -> None:
        """A parameter with a default is optional; an attribute of that name goes before it."""
        assert run_step(lambda x=1, other=2: {"y": (x, other)}) == one(y=(3, 2))

    def test_keyword_only_parameters_are_arguments_like_others(self) -> None:
        """A parameter after the star is looked up by name as any other."""

        def function(*, x: int, y: int = 4) -> dict[str, int]:
            return {"z": x + y}

        assert run_step(function) == one(z=7)

    def test_fixed_arguments_are_given_to_every_call(self) -> None:
        """A fixed argument goes to the function for each product."""
        flow = step("src", [{"x": 1}, {"x": 2}]) >> step("s", scaled, by=10)

        assert [out["s"]["y"] for out in run(flow)[0]] == [11, 12]

    def test_a_fixed_argument_goes_before_a_default(self) -> None:
        """A fixed value takes the place of the default of its parameter."""
        assert run_step(lambda x, by=1: {"y": x + by}, by=10) == one(y=13)

    def test_reserved_names_are_attributes_like_any_other(self) -> None:
        """Names that Python or the library uses itself can be attributes and arguments."""
        names = ["self", "cls", "name", "start", "end", "input", "args", "kwargs", "function"]
        names += ["path", "precursor", "attributes", "timestamps", "index", "product"]
        values = {name: f"value of {name}" for name in names}
        function = eval(f"lambda {', '.join(names)}: dict({', '.join(f'{n}={n}' for n in names)})")

        result = run(step("src", values) >> step("s", function))

        assert result == RunResult([{"src": values, "s": values}])

    def test_keywords_of_the_language_are_attributes_like_any_other(self) -> None:
        """`class` is an identifier; a function gets it by way of `**kwargs`."""
        values = {"class": 1, "for": 2, "None": 3}

        assert run(step("src", values) >> step("s", lambda **kwargs: kwargs)) == RunResult(
            [{"src": values, "s": values}]
        )

    def test_reserved_names_can_be_fixed_arguments(self) -> None:
        """No name of a parameter of step() is in the way of a fixed argument."""
        names = ["self", "name", "start", "function", "data", "options", "concurrency"]
        values = {name: index for index, name in enumerate(names)}
        function = eval(
            f"lambda x, {', '.join(names)}: dict({', '.join(f'{n}={n}' for n in names)})"
        )

        assert run_step(function, **values) == one(**values)

    def test_names_beyond_ascii_are_names(self) -> None:
        """Names of steps and attributes may be any identifier."""
        flow = step("größe", {"länge": 2}) >> step("π", lambda länge: {"fläche": länge**2})

        assert run(flow) == RunResult([{"größe": {"länge": 2}, "π": {"fläche": 4}}])

    def test_steps_may_be_called_like_what_python_reserves(self) -> None:
        """Names such as `self`, `class` and `input` do for steps too."""
        flow = chain(step("class", {"x": 1}), step("self", plain), step("input", plain))

        assert list(run(flow)[0][0]) == ["class", "self", "input"]

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_default_is_never_compared(self, asynchronous: bool) -> None:
        """A default may be an object that has no truth value and cannot be compared."""

        class Array:
            def __eq__(self, other: object) -> bool:
                raise ValueError("the truth value of an array is ambiguous")

            def __bool__(self) -> bool:
                raise ValueError("the truth value of an array is ambiguous")

            __hash__ = None  # type: ignore[assignment]

        array = Array()

        def function(x: int, values: Any = array) -> dict[str, bool]:
            return {"same": values is array}

        async def late(x: int, values: Any = array) -> dict[str, bool]:
            return {"same": values is array}

        assert run_step(late if asynchronous else function) == one(same=True)
        assert run_step(late if asynchronous else function, values=array) == one(same=True)

    def test_a_frame_can_be_a_default_and_an_attribute(self) -> None:
        """Frames and arrays pass as they are, as defaults, fixed values and attributes."""
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"a": [1, 2]})

        def function(x: int, left: Any = frame, right: Any = None) -> dict[str, Any]:
            return {"frame": left, "rows": len(left) + len(right)}

        flow = step("src", {"x": 1, "right": frame}) >> step("s", function)

        (output,) = run(flow)[0]
        assert output["s"]["frame"] is frame
        assert output["s"]["rows"] == 4
