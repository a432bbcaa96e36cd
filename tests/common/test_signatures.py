"""The return annotation of a step function: refused only where it cannot be right."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from types import MappingProxyType
from typing import Any, Literal, NoReturn, Optional, TypedDict, TypeVar, Union

import pytest

from fluxus_rx import RunResult, run, step
from tests.support.errors import refused, untyped


class Row(TypedDict):
    y: int


class Table(dict[str, int]):
    pass


T = TypeVar("T")
D = TypeVar("D", bound=Mapping[str, Any])

POSSIBLE: list[Any] = [
    Any,
    object,
    dict,
    dict[str, int],
    Row,
    Table,
    Mapping,
    Mapping[str, Any],
    MutableMapping[str, Any],
    MappingProxyType[str, Any],
    typing.Dict[str, int],  # noqa: UP006
    list,
    list[dict[str, int]],
    list[Row],
    list[Any],
    tuple[dict[str, int], ...],
    Sequence[Mapping[str, Any]],
    Collection[Mapping[str, Any]],
    Iterable[Mapping[str, Any]],
    Iterable,
    Iterator[dict[str, int]],
    Generator[dict[str, int], None, None],
    AsyncIterable[dict[str, int]],
    AsyncIterator[Mapping[str, Any]],
    AsyncGenerator[dict[str, int], None],
    Awaitable[dict[str, int]],
    Awaitable[list[dict[str, int]]],
    Coroutine[Any, Any, dict[str, int]],
    Optional[dict[str, int]],  # noqa: UP045
    Union[dict[str, int], list[dict[str, int]]],  # noqa: UP007
    dict[str, int] | None,
    dict[str, int] | int,
    T,
    D,
    NoReturn,
    "dict[str, int]",
    "Nowhere",
    "Nowhere[dict]",
    "dict[str, Nowhere]",
    "not an annotation (",
    typing.Annotated[dict[str, int], "a row"],
    collections.abc.Iterable[T],  # type: ignore[valid-type]
]
IMPOSSIBLE: list[Any] = [
    int,
    str,
    bytes,
    bool,
    float,
    None,
    "int",
    "None",
    int | str,
    int | None,
    list[int],
    Iterator[str],
    Literal["abc"],
    Callable[[], dict[str, int]],
    typing.Annotated[int, "a number"],
]
IMPOSSIBLE_ASYNC: list[Any] = [int, str, None, "int", list[int]]


def annotated(annotation: Any) -> Callable[[int], Any]:
    def function(x: int):  # type: ignore[no-untyped-def]
        return {"y": x}

    function.__annotations__["return"] = annotation
    return function


def async_annotated(annotation: Any) -> Callable[[int], Any]:
    async def function(x: int):  # type: ignore[no-untyped-def]
        return {"y": x}

    function.__annotations__["return"] = annotation
    return function


@pytest.mark.parametrize("annotation", POSSIBLE, ids=str)
def test_an_annotation_that_may_be_right_is_accepted(annotation: Any) -> None:
    """What could be a mapping, and what nobody can tell, is left to the run."""
    flow = step("src", {"x": 3}) >> step("s", annotated(annotation))

    assert run(flow) == RunResult([{"src": {"x": 3}, "s": {"y": 3}}])


@pytest.mark.parametrize("annotation", POSSIBLE, ids=str)
def test_the_annotation_of_a_coroutine_function_is_that_of_its_result(annotation: Any) -> None:
    """An asynchronous function is held to the same rule."""
    flow = step("src", {"x": 3}) >> step("s", async_annotated(annotation))

    assert run(flow) == RunResult([{"src": {"x": 3}, "s": {"y": 3}}])


@pytest.mark.parametrize("annotation", IMPOSSIBLE, ids=str)
def test_an_annotation_that_cannot_be_right_is_refused(annotation: Any) -> None:
    """A function that says that it returns no mapping is refused when the step is written."""
    with refused(TypeError, "'s'", "function()", "mapping"):
        step("s", annotated(annotation))


@pytest.mark.parametrize("annotation", IMPOSSIBLE_ASYNC, ids=str)
def test_an_async_annotation_that_cannot_be_right_is_refused(annotation: Any) -> None:
    """A coroutine function that says that it returns no mapping is refused too."""
    with refused(TypeError, "'s'", "function()", "mapping"):
        step("s", async_annotated(annotation))


def test_a_producer_is_held_to_the_same_rule() -> None:
    """The annotation of a source function is read as that of a step."""

    def number() -> int:
        return 5

    with refused(TypeError, "'src'", "number()", "int", "mapping"):
        step("src", untyped(number))


def test_annotations_of_methods_and_callable_objects_are_read() -> None:
    """Wherever the function is, its annotation is found."""

    class Counter:
        def __call__(self, x: int) -> int:
            return x

        def method(self, x: int) -> str:
            return str(x)

    with refused(TypeError, "'s'", "int", "mapping"):
        step("s", untyped(Counter()))
    with refused(TypeError, "'s'", "str", "mapping"):
        step("s", untyped(Counter().method))


def test_annotations_of_parameters_do_not_matter() -> None:
    """Only what a function returns is looked at."""

    def function(x: Nowhere) -> dict[str, int]:  # type: ignore[name-defined]  # noqa: F821
        return {"y": x}

    assert run(step("s", function), input={"x": 1}) == RunResult(
        [{"input": {"x": 1}, "s": {"y": 1}}]
    )
