"""What a run opens in each of its processes, and closes there at its end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fluxus_rx import Producer, StepOptions, Transformer, check, close_processes, run, step
from fluxus_rx._options import processes


@pytest.fixture(scope="module", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """What the pool keeps is ended after the last test."""
    yield
    close_processes()


def note(path: Path, event: str) -> None:
    with path.open("a") as file:
        file.write(f"{event} {os.getpid()}\n")


def events(path: Path) -> dict[str, Counter[str]]:
    """How often each process has done what."""
    found: dict[str, Counter[str]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        event, process = line.rsplit(" ", 1)
        found.setdefault(event, Counter())[process] += 1
    return found


@contextlib.contextmanager
def connection(path: Path) -> Iterator[Path]:
    note(path, "open")
    try:
        yield path
    except ValueError:
        note(path, "rolled back")
        raise
    finally:
        note(path, "close")


@contextlib.contextmanager
def broken(path: Path, when: str) -> Iterator[Path]:
    if when == "open":
        raise ConnectionError("no server")
    yield path
    raise ConnectionError("lost")


def double(x: int, db: Path) -> dict[str, int]:
    note(db, "use")
    return {"y": 2 * x}


def fail(x: int, db: Path) -> dict[str, int]:
    raise ValueError(x)


def rows(db: Path) -> Iterator[dict[str, int]]:
    for x in range(3):
        note(db, "use")
        yield {"x": x}


class Connected:
    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        with connection(self.path) as self.db:
            yield


class Rows(Connected, Producer[dict[str, int]]):
    def produce(self) -> Iterator[dict[str, int]]:
        return rows(self.db)


class Double(Connected, Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[dict[str, int]]:
        yield double(product["x"], self.db)


def numbers(count: int) -> Any:
    return step("source", [{"x": x} for x in range(count)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events"


FLOWS: dict[str, Callable[[Path, Any], Any]] = {
    "a step": lambda path, using: numbers(6) >> step("s", double, using=using),
    "a source": lambda path, using: step("s", rows, using=using),
    "a transformer": lambda path, using: numbers(6) >> Double(path),
    "a producer": lambda path, using: Rows(path) >> step("t", lambda x: {"y": x}),
}


@pytest.mark.parametrize("kind", FLOWS)
def test_each_process_opens_it_once_in_a_run(kind: str, path: Path) -> None:
    """Before its first call there, and closes it when all calls of the run have ended."""
    flow = FLOWS[kind](path, {"db": partial(connection, path)})
    flow = on_processes(flow)
    for runs in (1, 2):
        assert len(run(flow)[0]) in (3, 6)
        seen = events(path)
        assert {*seen["open"]} == {*seen["use"]}
        assert str(os.getpid()) not in seen["open"]
        assert seen["open"] == seen["close"]
        assert {*seen["open"].values()} <= {*range(1, runs + 1)}
        assert "rolled back" not in seen


def on_processes(flow: Any) -> Any:
    """The flow, with the conduit that opens something in processes."""
    first, second = flow.chained_conduits if flow.is_chained else (flow, None)
    if second is None or first._flow_is_opened:
        first = first.options(executor="process")
    else:
        second = second.options(executor="process")
    return first if second is None else first >> second


def test_an_error_of_the_run_is_told_in_the_processes(path: Path) -> None:
    """So that what stands for a transaction there is rolled back."""
    flow = numbers(1) >> step("s", fail, using={"db": partial(connection, path)}).options(
        executor="process"
    )
    with pytest.raises(ValueError, match="0"):
        run(flow)
    seen = events(path)
    assert seen["rolled back"] == seen["close"] == seen["open"]


@pytest.mark.parametrize("when", ["open", "close"])
def test_errors_of_opening_and_closing_there_are_raised(when: str, path: Path) -> None:
    """With a note that names the step, and the resource."""
    using = {"db": partial(broken, path, when)}
    flow = numbers(1) >> step("s", double, using=using).options(executor="process")
    with pytest.raises(ConnectionError) as caught:
        run(flow)
    told = " ".join(caught.value.__notes__)
    assert "the resource 'db' of step 's'" in told


def test_processes_are_everybodys_again_after_the_run(path: Path) -> None:
    """The next run finds them, also one that opens nothing."""
    opening = step("s", double, using={"db": partial(connection, path)})
    run(numbers(1) >> opening.options(executor="process"))
    (process,) = events(path)["open"]
    result = run(numbers(1) >> step("pid", process_id).options(executor="process"))
    assert result[0][0]["pid"]["pid"] == int(process)


def hang_at_first(x: int, db: Path) -> dict[str, int]:
    note(db, "use")
    if len(events(db)["use"]) == 1:
        time.sleep(60)
    return {"y": x}


def test_a_process_that_is_ended_with_its_call_is_replaced_by_one_that_opens_anew(
    path: Path,
) -> None:
    """The call is made once more there; what was open in the first one is gone with it."""
    using = {"db": partial(connection, path)}
    hanging = step("s", hang_at_first, using=using).options(
        executor="process", timeout=0.5, retry=2
    )
    assert run(numbers(1) >> hanging)[0][0]["s"] == {"y": 0}
    seen = events(path)
    assert len(seen["open"]) == 2
    assert len(seen["close"]) == 1


@contextlib.contextmanager
def never_closed(path: Path) -> Iterator[Path]:
    note(path, "open")
    yield path
    time.sleep(60)


def test_a_process_that_does_not_close_in_time_is_ended(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run says so, by an error."""
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.1)
    using = {"db": partial(never_closed, path)}
    with pytest.raises(TimeoutError, match=r"step 's': a process took longer than 0\.1 s to close"):
        run(numbers(1) >> step("s", double, using=using).options(executor="process"))
    (process,) = events(path)["open"]
    while int(process) in {child.pid for child in multiprocessing.active_children()}:
        time.sleep(0.01)  # the time limit of the test is the limit


def process_id(x: int) -> dict[str, int]:
    return {"pid": os.getpid()}


@contextlib.asynccontextmanager
async def asynchronous() -> AsyncIterator[int]:
    yield 1


class OpenedAsynchronously(Transformer[Any, Any]):
    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    def transform(self, product: Any) -> Iterator[Any]:
        yield product


def gives_asynchronous() -> Any:
    return asynchronous()


def test_what_cannot_be_opened_in_a_process_is_refused() -> None:
    """While the flow is written, where it can be known; and else by the run."""
    for made, told in [
        (step("s", double, using={"db": lambda: 1}), "the argument 'db' of double can't be sent"),
        (step("s", double, using={"db": asynchronous}), "the resource 'db' is asynchronous"),
        (OpenedAsynchronously(), "what opens it is asynchronous"),
    ]:
        with pytest.raises(TypeError) as caught:
            made.options(executor="process")
        assert told in str(caught.value)
    flow = numbers(1) >> step("s", double, using={"db": gives_asynchronous}).options(
        executor="process"
    )
    with pytest.raises(TypeError, match="is asynchronous"):
        run(flow)


def test_a_pool_of_the_user_cannot_open_in_each_process(path: Path) -> None:
    """For it has no way to close something in each of them; the error tells of one that has."""
    opening = step("s", double, using={"db": partial(connection, path)})
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.raises(ValueError, match=r'use executor="process"'),
    ):
        opening.options(executor=pool)


def test_checks_know_of_factories_that_cannot_be_sent() -> None:
    """Where the executor is that of a run."""
    flow = numbers(1) >> step("s", double, using={"db": lambda: 1})
    (error,) = [
        finding
        for finding in check(flow, options=StepOptions(executor="process"))
        if finding.level == "error"
    ]
    assert "'db'" in error.text
