"""Steps of every kind whose calls do what a script says, for the tests of options."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final

import pytest

from fluxus_rx import AsyncTransformer, Failure, RunResult, Transformer, arun, step
from fluxus_rx.testing import virtual_time
from tests.support.probes import Calls

#: what the call with `x` gives at this attempt, from 1: values one by one, or an error
Plan = Callable[[int, int], Iterable[Any]]

FUNCTIONS: Final = ("def", "generator", "async def", "async generator", "lambda")
CLASSES: Final = ("Transformer", "AsyncTransformer")
KINDS: Final = (*FUNCTIONS, *CLASSES)
#: those that may give something before they fail
GENERATORS: Final = ("generator", "async generator", *CLASSES)

every_kind = pytest.mark.parametrize("kind", KINDS)
every_function = pytest.mark.parametrize("kind", FUNCTIONS)
every_generator = pytest.mark.parametrize("kind", GENERATORS)


class Script:
    """A plan, and what became of it.

    `attempts` counts the calls by `x`, `began` has the time of each of them and its `x`, `closed`
    counts those that ended, in whatever way.
    """

    def __init__(self, plan: Plan, seconds: float = 0.0) -> None:
        self.attempts: Counter[int] = Counter()
        self.began: list[tuple[float, int]] = []
        self.closed = 0
        self._plan = plan
        self._seconds = seconds

    def values(self, x: int) -> Iterator[Any]:
        """What a call with `x` returns."""
        self.attempts[x] += 1
        self.began.append((now(), x))
        try:
            yield from self._plan(x, self.attempts[x])
        finally:
            self.closed += 1

    async def avalues(self, x: int) -> AsyncIterator[Any]:
        """The same, each of them after some seconds."""
        values = self.values(x)
        try:
            for value in values:
                await asyncio.sleep(self._seconds)
                yield value
        finally:
            values.close()  # type: ignore[attr-defined]  # a generator

    def function(self, kind: str) -> Callable[[int], Any]:
        """The function of a step."""

        def plain(x: int) -> list[dict[str, Any]]:
            return [{"y": value} for value in self.values(x)]

        def generator(x: int) -> Iterator[dict[str, Any]]:
            for value in self.values(x):
                yield {"y": value}

        async def coroutine(x: int) -> list[dict[str, Any]]:
            return [{"y": value} async for value in self.avalues(x)]

        async def async_generator(x: int) -> AsyncIterator[dict[str, Any]]:
            values = self.avalues(x)
            try:
                async for value in values:
                    yield {"y": value}
            finally:
                await values.aclose()  # type: ignore[attr-defined]  # a generator

        functions: list[Callable[[int], Any]] = [
            *(plain, generator, coroutine, async_generator),
            lambda x: coroutine(x),
        ]
        return functions[FUNCTIONS.index(kind)]

    def step(self, kind: str, **options: Any) -> Any:
        """The step `s` of this kind, or a transformer."""
        match kind:
            case "Transformer":
                return Scripted(self).options(**options)
            case "AsyncTransformer":
                return AsyncScripted(self).options(**options)
            case _:
                return step("s", self.function(kind)).options(**options)

    async def values_of(self, kind: str, count: int, **options: Any) -> list[Any]:
        """What comes of 0, 1, 2, …, in the order of these."""
        made = self.step(kind, **options)
        if kind in CLASSES:
            return list(await made.aprocess(range(count)))
        return ys(await arun(numbers(count) >> made))


class Scripted(Transformer[int, Any]):
    """Returns what the script says."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def transform(self, product: int) -> Iterator[Any]:
        return self.script.values(product)


class AsyncScripted(AsyncTransformer[int, Any]):
    """The same, asynchronously."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def atransform(self, product: int) -> AsyncIterator[Any]:
        return self.script.avalues(product)


def failing(times: int, *values: Any, error: type[BaseException] = ValueError) -> Plan:
    """A plan that raises so many times for each `x`, before it has returned anything."""

    def plan(x: int, attempt: int) -> Iterator[Any]:
        if attempt <= times:
            raise error(x)
        yield from values or (x,)

    return plan


def odd_fail(given: int = 0) -> Script:
    """Yields 10 x and 10 x + 1; of odd ones so many of these, then an error."""

    def plan(x: int, attempt: int) -> Iterator[int]:
        for number in range(2):
            if x % 2 and number == given:
                raise ValueError(f"no {x}")
            yield 10 * x + number
        if x % 2 and given == 2:
            raise ValueError(f"no {x}")

    return Script(plan)


def replacing(answer: Any, form: str, is_class: bool) -> tuple[list[Failure], Callable[..., Any]]:
    """A function of a failure that returns this in some form, and the failures it was called
    with."""
    seen: list[Failure] = []

    def rows(values: Any) -> Any:
        return [*values] if is_class else [{"y": value} for value in values]

    def given(failure: Failure) -> Any:
        seen.append(failure)
        return None if answer is None else rows(answer)

    async def agiven(failure: Failure) -> Any:
        await asyncio.sleep(1)
        return given(failure)

    def generated(failure: Failure) -> Iterator[Any]:
        yield from given(failure) or ()

    functions: dict[str, Callable[[Failure], Any]] = {
        "def": given,
        "async def": agiven,
        "lambda": lambda failure: agiven(failure),
        "generator": generated,
    }
    return seen, functions[form]


def lasting(seconds: Callable[[int], float], calls: Calls | None = None) -> Any:
    """A step `s` whose calls last so long each."""
    noted = calls or Calls()

    async def call(x: int) -> dict[str, int]:
        with noted.noted(x):
            await asyncio.sleep(seconds(x))
        return {"y": x}

    return step("s", call)


class Lasting(AsyncTransformer[int, int]):
    """The same as a class; yields each item so many times."""

    def __init__(self, seconds: Callable[[int], float], calls: Calls, times: int = 1) -> None:
        self.seconds = seconds
        self.calls = calls
        self.times = times

    async def atransform(self, product: int) -> AsyncIterator[int]:
        with self.calls.noted(product):
            for _ in range(self.times):
                await asyncio.sleep(self.seconds(product))
                yield product


def numbers(count: int) -> Any:
    """A step `src` of 0, 1, 2, …"""
    return step("src", [{"x": x} for x in range(count)])


def ys(result: RunResult, path: int = 0, name: str = "s") -> list[Any]:
    """What the step has emitted on a path."""
    return [output[name]["y"] for output in result[path]]


def now() -> float:
    """The time of the loop; 0 in a thread that has none."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


@pytest.fixture
def in_time() -> Iterator[Callable[..., Any]]:
    """Runs coroutine functions in virtual time."""
    with virtual_time() as run_in:
        yield run_in


@pytest.fixture
def all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each random part of a wait is all of it."""
    monkeypatch.setattr("random.uniform", lambda low, high: high)
