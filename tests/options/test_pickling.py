"""What can be sent to a process is known before it is sent."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fluxus_rx._errors import InvalidFlowError
from fluxus_rx._options.pickling import check_picklable
from tests.support.errors import refused

FETCH = "step 'fetch'"


class Awkward(Exception):
    """An error that can be pickled, and can't be unpickled."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


class Locked:
    """An object that holds what can't be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def enter(self) -> None:
        """A method of it."""


def numbers(stop: int) -> Iterator[int]:
    yield from range(stop)


def test_what_can_be_sent_passes() -> None:
    """Functions of modules, partials and methods of them, and values."""
    for function in (numbers, len, functools.partial(numbers, 3), [1].index, Awkward):
        check_picklable(FETCH, function, {"stop": 5, "key": "x"})


def test_a_function_without_a_module_is_refused() -> None:
    """A lambda, an inner function, or a partial of one: the message has the way out."""

    def inner() -> None:
        pass

    functions: list[Callable[..., Any]] = [lambda x: x, inner, functools.partial(inner)]
    for function, name in zip(functions, ["<lambda>", "inner", "inner"], strict=True):
        with refused(InvalidFlowError, FETCH, name, "pickle", "at the top of a module", '"thread"'):
            check_picklable(FETCH, function, {})


def test_a_function_with_something_unpicklable_inside_is_refused() -> None:
    """A method is sent with its object."""
    with refused(InvalidFlowError, FETCH, "Locked.enter", "'_thread.lock'"):
        check_picklable(FETCH, Locked().enter, {})


def test_a_fixed_argument_is_checked() -> None:
    """It is named, and so is the function that it is for."""
    with refused(InvalidFlowError, FETCH, "argument 'lock' of numbers", "lock' object"):
        check_picklable(FETCH, numbers, {"stop": 5, "lock": threading.Lock()})


def test_a_function_of_a_shell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed into a notebook can be pickled, and is found in no process."""
    shell = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", shell)
    exec("def typed(x): return x", shell.__dict__)
    with refused(InvalidFlowError, FETCH, "typed", "notebook", "at the top of a module"):
        check_picklable(FETCH, shell.typed, {})
    check_picklable(FETCH, numbers, {})
