"""What can be called is a function, also if it can be iterated: mocks, chains of layers, mappings
that are called."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    InvalidFlowError,
    InvalidOptionError,
    Producer,
    StepOptions,
    Transformer,
    chain,
    check,
    parallel,
    run,
    step,
    stream,
)
from fluxus_rx._common.signatures import is_async_function, is_coroutine_function, is_generator
from fluxus_rx.testing import faulty
from tests.support.errors import untyped

GIVEN = {"y": 1}


def ask(n: int, by: int = 2) -> dict[str, int]:
    return {"y": n * by}


async def ask_async(n: int) -> dict[str, int]:
    return {"y": n}


def rows() -> list[dict[str, int]]:
    return [{"n": 1}]


async def rows_async() -> AsyncIterator[dict[str, int]]:
    yield {"n": 1}


class Layers:
    """As `torch.nn.Sequential`."""

    def __call__(self, n: int) -> dict[str, int]:
        return GIVEN

    def __iter__(self) -> Any:
        raise AssertionError("iterated")

    __aiter__ = __iter__

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> Any:
        raise IndexError


class CalledMapping(dict[str, int]):
    def __call__(self, n: int) -> dict[str, int]:
        return GIVEN


#: What makes a function, and whether it says that it is asynchronous.
FUNCTIONS: dict[str, tuple[Callable[[], Any], bool]] = {
    "Mock": (lambda: Mock(return_value=GIVEN), False),
    "MagicMock": (lambda: MagicMock(return_value=GIVEN), False),
    "AsyncMock": (lambda: AsyncMock(return_value=GIVEN), True),
    "with a side effect": (lambda: MagicMock(side_effect=[GIVEN]), False),
    "that awaits": (lambda: AsyncMock(side_effect=[GIVEN]), True),
    "that gives a generator": (lambda: MagicMock(return_value=iter([GIVEN])), False),
    "that gives an asynchronous one": (
        lambda: MagicMock(side_effect=lambda n: rows_async()),
        False,
    ),
    "spec": (lambda: MagicMock(spec=ask, return_value=GIVEN), False),
    "spec, asynchronous": (lambda: MagicMock(spec=ask_async, return_value=GIVEN), True),
    "autospec": (lambda: create_autospec(ask, return_value=GIVEN), False),
    "autospec, asynchronous": (lambda: create_autospec(ask_async, return_value=GIVEN), True),
    "wraps": (lambda: MagicMock(wraps=ask), False),
    "partial": (lambda: functools.partial(MagicMock(return_value=GIVEN), by=1), False),
    "partial, asynchronous": (lambda: functools.partial(AsyncMock(return_value=GIVEN)), True),
    "layers": (Layers, False),
    "a mapping": (CalledMapping, False),
}

OPTIONS: list[dict[str, Any]] = [
    {},
    {"timeout": 9},
    {"retry": 2},
    {"on_error": "skip"},
    {"ordered": "n", "concurrency": 2},
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_can_be_called_is_a_function(name: str) -> None:
    """With whatever options; it can be looked at before."""
    make, is_async = FUNCTIONS[name]
    for options in OPTIONS:
        function = make()
        flow = step("rows", rows) >> step("ask", function).options(**options)
        assert check(flow) is not None
        assert flow._repr_mimebundle_(include=["text/vnd.mermaid"])
        assert len(run(flow)[0]) == 1
        assert is_async_function(function) is is_coroutine_function(function) is is_async
        assert not is_generator(function)
    if not is_async:
        assert (
            len(run(step("rows", rows) >> step("ask", make()).options(executor="thread"))[0]) == 1
        )


class Api:
    def __call__(self, n: int) -> dict[str, int]:
        return {"y": n}


class AsyncApi:
    async def __call__(self, n: int) -> dict[str, int]:
        return {"y": n}


#: Mocks that stand for what takes `n` alone.
NARROW: dict[str, Callable[[], Any]] = {
    "autospec of an object": lambda: create_autospec(Api, instance=True, return_value=GIVEN),
    "autospec of an asynchronous one": lambda: create_autospec(
        AsyncApi, instance=True, return_value=GIVEN
    ),
    "autospec of an object there": lambda: create_autospec(Api(), return_value=GIVEN),
    "spy": lambda: Mock(wraps=one_argument),
    "spy of an object": lambda: Mock(wraps=Api()),
    "asynchronous spy": lambda: AsyncMock(side_effect=ask_async),
    "spy of a spy": lambda: MagicMock(side_effect=Mock(wraps=one_argument)),
    "partial of a spy": lambda: functools.partial(Mock(wraps=ask), by=1),
}


def one_argument(n: int) -> dict[str, int]:
    return {"y": n}


@pytest.mark.parametrize("name", NARROW)
def test_a_mock_is_called_with_what_it_stands_for_takes(name: str) -> None:
    """Attributes that the function or object behind it doesn't take are left out, and `self` isn't
    an attribute."""
    source = step("rows", [{"n": 1, "more": 2}])
    assert run(source >> step("ask", NARROW[name]()))[0][0]["ask"] == GIVEN


SOURCES: dict[str, Callable[[], Any]] = {
    "MagicMock": lambda: MagicMock(return_value=rows()),
    "AsyncMock": lambda: AsyncMock(return_value=rows()),
    "spec": lambda: MagicMock(spec=rows, return_value=rows()),
    "autospec": lambda: create_autospec(rows, return_value=rows()),
    "of a generator": lambda: MagicMock(side_effect=rows_async),
    "of a generator, awaited": lambda: AsyncMock(side_effect=rows_async),
    "autospec of a generator": lambda: create_autospec(rows_async, side_effect=rows_async),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_mock_begins_a_flow(name: str) -> None:
    """It is called once, without arguments; one with the spec of a function without parameters is a
    producer."""
    source = SOURCES[name]()
    first: Any = step("rows", source)
    assert run(first >> step("ask", ask))[0] == [{"rows": {"n": 1}, "ask": {"y": 2}}]
    source.assert_called_once_with()


def test_hooks_may_be_mocks() -> None:
    """on_error, on_failure, progress; where nothing awaits they aren't an AsyncMock."""
    fail: Any = step("fail", MagicMock(side_effect=OSError))
    failing = step("rows", rows) >> fail
    for replace in (MagicMock(return_value=GIVEN), AsyncMock(return_value=GIVEN)):
        replaced = run(failing, options=StepOptions(on_error=replace))
        assert replaced[0][0]["fail"] == GIVEN
        replace.assert_called_once()
    on_failure, progress = MagicMock(), MagicMock(return_value=None)
    assert [*stream(failing, options=StepOptions(on_error="collect"), on_failure=on_failure)] == []
    on_failure.assert_called_once()
    run(step("rows", rows), progress=progress)
    progress.assert_called()
    for hook in ("on_failure", "progress"):
        with pytest.raises(InvalidOptionError, match="asynchronous"):
            [*stream(failing, **{hook: AsyncMock()})]


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.startswith("spec")])
def test_faults_can_be_put_into_a_mock(name: str) -> None:
    """It stays a function of its kind; `functools.wraps` refuses those that have a spec."""
    make, is_async = FUNCTIONS[name]
    flaky = faulty(make(), at=1, error=OSError)
    assert is_coroutine_function(flaky) is is_async
    twice: Any = step("rows", [{"n": 1}, {"n": 1}])
    result = run(twice >> step("ask", flaky).options(on_error="collect"))
    assert (len(result[0]), len(result.failures)) == (1, 1)


def test_methods_of_a_class_may_be_mocks() -> None:
    class Numbers(Producer[Any]):
        produce = MagicMock(return_value=[1])

    class Half(Transformer[Any, Any]):
        transform = MagicMock(return_value=[0.5])

    class Rows(AsyncProducer[Any]):
        aproduce = MagicMock(side_effect=rows_async)

    class Fetch(AsyncTransformer[Any, Any]):
        atransform = MagicMock(side_effect=lambda product: rows_async())

    class Total(Consumer[Any, int]):
        consume = MagicMock(return_value=5)

    class AsyncTotal(AsyncConsumer[Any, int]):
        aconsume = AsyncMock(return_value=6)

    assert list(Numbers() >> Half()) == [0.5]
    assert list(Rows() >> Fetch()) == [{"n": 1}]
    assert (Numbers() >> Half() >> Total()).run() == 5
    assert (Rows() >> AsyncTotal()).run() == 6


def test_a_function_where_a_step_is_wanted_is_told_to_be_none() -> None:
    """It is not taken for an iterable of steps."""
    mistakes: list[Callable[[], object]] = [
        lambda: parallel(MagicMock()),
        lambda: untyped(chain)(step("rows", rows), Layers()),
        lambda: untyped(run)(Layers()),
    ]
    for call in mistakes:
        with pytest.raises(InvalidFlowError, match=r"MagicMock|Layers") as caught:
            call()
        assert "*steps" not in str(caught.value)
