"""Producers that block are made elsewhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from fluxus_rx import InvalidFlowError, Producer, run, step
from tests.support.conduits import AsyncNumbers, Fetch
from tests.support.errors import refused


def threads() -> Iterator[dict[str, Any]]:
    """Which thread each product is made in."""
    for index in range(3):
        yield {"index": index, "main": threading.current_thread() is threading.main_thread()}


def processes() -> Iterator[dict[str, Any]]:
    """Which process each product is made in."""
    for _ in range(3):
        yield {"process": os.getpid()}


class Threads(Producer[bool]):
    """Which thread each product is made in."""

    def produce(self) -> Iterable[bool]:
        for product in threads():
            yield product["main"]


def test_a_generator_function_runs_in_a_thread() -> None:
    """All of it, in its order."""
    made = [output["s"] for output in run(step("s", threads).options(executor="thread"))[0]]
    assert made == [{"index": index, "main": False} for index in range(3)]


def test_data_that_is_an_iterator_is_read_in_a_thread() -> None:
    """Such as the rows of a file."""
    made = [output["s"] for output in run(step("s", threads()).options(executor="thread"))[0]]
    assert made == [{"index": index, "main": False} for index in range(3)]


def test_a_function_that_gives_one_mapping_may_run_in_a_thread() -> None:
    """Its product is what it emits."""

    def one() -> dict[str, bool]:
        return {"main": threading.current_thread() is threading.main_thread()}

    assert run(step("s", one).options(executor="thread"))[0] == [{"s": {"main": False}}]


def test_a_class_runs_in_a_thread() -> None:
    """`produce`, and each step of it."""
    assert list(Threads().options(executor="thread")) == [False] * 3


def test_a_generator_function_runs_in_a_process() -> None:
    """One that can be found there."""
    made = run(step("s", processes).options(executor="process"))[0]
    assert len(made) == 3
    assert all(output["s"]["process"] != os.getpid() for output in made)


def test_an_error_of_it_names_the_step() -> None:
    """And the item."""

    def fails() -> Iterator[dict[str, int]]:
        yield {"x": 1}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run(step("s", fails).options(executor="thread"))
    assert "in step 's', at item 1" in "".join(caught.value.__notes__)


def test_the_generator_is_closed_where_it_was_made() -> None:
    """When the run ends early."""
    closed: list[bool] = []

    def endless() -> Iterator[dict[str, int]]:
        try:
            while True:
                yield {"x": 1}
        finally:
            closed.append(threading.current_thread() is threading.main_thread())

    for _ in step("s", endless).options(executor="thread"):
        break
    assert closed == [False]


def test_the_option_shows() -> None:
    """In the repr."""
    assert repr(step("s", threads).options(executor="thread")) == (
        "step('s', threads).options(executor='thread')"
    )


def test_what_cannot_be_made_elsewhere_is_refused() -> None:
    """While the flow is written, with the step's name and the reason."""

    async def asynchronous() -> Any:
        yield {"x": 1}

    with refused(InvalidFlowError, "step 's'", "asynchronous"):
        step("s", asynchronous).options(executor="thread")
    with refused(InvalidFlowError, "step 's'", "data", "thread"):
        step("s", [{"x": 1}]).options(executor="process")
    with refused(InvalidFlowError, "step 's'", "<lambda>", "process"):
        step("s", lambda: {"x": 1}).options(executor="process")
    with refused(InvalidFlowError, "step 's'", "'retry'", "executor"):
        step("s", threads).options(retry=3)


async def give(x: int) -> dict[str, int]:
    """Waits for nothing."""
    return {"y": x}


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_what_awaits_takes_no_executor(executor: Any) -> None:
    """It runs on the loop, whether it emits products or takes them; the message says so."""
    for made in (AsyncNumbers(3), Fetch(), step("give", give)):
        with refused(InvalidFlowError, f"executor='{executor}'", "asynchronous", "on the loop"):
            made.options(executor=executor)
