"""Notes that tell where an exception came up, on an object that is raised more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from fluxus_rx import AsyncTransformer, Transformer, arun, run, step
from fluxus_rx.testing import run_virtual
from tests.support.errors import notes
from tests.support.scripted_calls import numbers

#: Raised again and again, as a module's constant is.
CONSTANT = ValueError("closed")


def plain(x: int) -> dict[str, int]:
    raise CONSTANT


async def awaited(x: int) -> dict[str, int]:
    raise CONSTANT


def generated(x: int) -> Iterator[dict[str, int]]:
    yield {"y": x}
    raise CONSTANT


def in_except(x: int) -> dict[str, int]:
    try:
        raise KeyError(x)
    except KeyError:
        raise CONSTANT  # noqa: B904 - a context is what is tried


class Refusing(Transformer[Any, Any]):
    def transform(self, product: Any) -> Any:
        raise CONSTANT


class RefusingLater(AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> Any:
        raise CONSTANT
        yield


def frames(error: BaseException) -> int:
    """How long its traceback is, and those of what it came up after."""
    count, entry = 0, error.__traceback__
    while entry is not None:
        count, entry = count + 1, entry.tb_next
    return count if error.__context__ is None else count + frames(error.__context__)


FUNCTIONS = [plain, awaited, generated, in_except]


@pytest.fixture(autouse=True)
def fresh() -> None:
    CONSTANT.__dict__.clear()
    CONSTANT.__traceback__ = CONSTANT.__context__ = None


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("options", [{}, {"concurrency": 3}], ids=str)
def test_an_exception_of_many_failures_gathers_nothing(
    function: Callable[..., Any], options: dict[str, Any]
) -> None:
    """It has the note and the traceback of one call, in threads of a few; each failure has its own
    note."""
    made = step("s", function).options(on_error="collect", **options)
    failures = run_virtual(arun(numbers(50) >> made)).failures
    assert [failure.note for failure in failures] == [
        f"in step 's', item {x} of path src → s, called with x={x}" for x in range(50)
    ]
    in_threads = options and function is not awaited
    assert {*CONSTANT.__notes__} <= {failure.note for failure in failures}
    assert len(CONSTANT.__notes__) <= (5 if in_threads else 1)
    assert frames(CONSTANT) < (100 if in_threads else 20)


@pytest.mark.parametrize("way", ["skip", lambda failure: None])
def test_one_that_is_skipped_or_replaced_gathers_nothing(way: Any) -> None:
    """As one of failures that are kept."""
    run(numbers(50) >> step("s", plain).options(on_error=way))
    assert len(CONSTANT.__notes__) == 1
    assert frames(CONSTANT) < 20


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_that_ends_run_after_run_tells_of_the_last(function: Callable[..., Any]) -> None:
    """Where it came up in this run, and not in those before."""
    sizes = []
    for x in range(5):
        with pytest.raises(ValueError, match="closed") as caught:
            run(step("src", [{"x": x}]) >> step("s", function))
        assert caught.value is CONSTANT
        assert notes(CONSTANT) == f"in step 's', item 0 of path src → s, called with x={x}"
        sizes.append(frames(CONSTANT))
    assert max(sizes) - min(sizes) <= 2  # who waits for its turn of the loop has two frames more


@pytest.mark.parametrize("kind", [Refusing, RefusingLater])
def test_one_of_a_transformer_tells_of_the_last(kind: type[Any]) -> None:
    """In the class API as in the functional one."""
    for x in range(5):
        with pytest.raises(ValueError, match="closed"):
            [*kind().process([x])]
        assert len(CONSTANT.__notes__) == 1
        assert f"with the input {x}" in notes(CONSTANT)


def test_one_of_a_source_tells_of_the_last() -> None:
    """Of the item at which it came up."""

    def source(count: int) -> Iterator[dict[str, int]]:
        for x in range(count):
            yield {"x": x}
        raise CONSTANT

    for count in range(5):
        with pytest.raises(ValueError, match="closed"):
            run(step("src", partial(source, count)))
        assert notes(CONSTANT) == f"in step 'src', at item {count}"


def test_calls_inside_each_other_keep_their_notes() -> None:
    """Of a flow that runs itself in a step, each level tells what it was called with."""

    def descend(x: int) -> dict[str, int]:
        if x == 3:
            raise ValueError("deep")
        run(step("src", [{"x": x + 1}]) >> step("s", descend))
        return {}

    with pytest.raises(ValueError, match="deep") as caught:
        run(step("src", [{"x": 0}]) >> step("s", descend))
    assert [one[-3:] for one in caught.value.__notes__] == ["x=3", "x=2", "x=1", "x=0"]


def test_an_exception_of_several_steps_has_a_note_of_each() -> None:
    """And of no step two."""
    flow = numbers(9) >> (
        step("a", plain).options(on_error="skip") & step("b", plain).options(on_error="skip")
    )
    run(flow)
    assert sorted(one[:11] for one in CONSTANT.__notes__) == ["in step 'a'", "in step 'b'"]
