"""Asserts that a flow emits what a marble diagram shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from reactivex import Observable

from .._common.messages import shown
from .._errors import InvalidFlowError, InvalidOptionError, UsageError
from ._clock import run_virtual
from ._marbles import ENDS, EXACT, FAILS, checked_seconds, marbles, parse
from ._timelines import difference, recorded, subject

__all__ = ["aassert_marbles", "assert_marbles"]

#: What `error=` takes: an exception, or a class of them.
ExpectedError = BaseException | type[BaseException]


def assert_marbles(
    flow: Any,
    expected: str,
    *,
    values: Mapping[Any, Any] | None = None,
    error: ExpectedError | None = None,
    unit: float = 1.0,
    source: str | Observable[Any] | None = None,
) -> None:
    """Assert that a flow emits what a marble diagram shows, at the times that it shows.

    The notation is that of `marbles`. The flow runs in virtual time, with all that it awaits. It is
    a producer or a chain that begins with one, of steps or of classes; an Observable; an aiostream
    Stream or any asynchronous iterable. Products of all paths count, as they come. A transformer or
    an Rx operator needs a `source`: a diagram with the same `values`, `error` and `unit`, or any
    Observable, such as `marbles(...)` with values of its own.

    Items are compared by `==`, mappings of any kind as mappings: a product of steps is a mapping of
    all attributes of its lineage. `error` is the one of `#`: an exception, which matches one with
    the same class and arguments, or a class; without it, any error matches. A flow has ended when
    it has been cleaned up. A diagram without an end, `|` or `#`, says that the flow goes on: the
    flow is watched for the length of the diagram, and then cancelled.

    Raises AssertionError on a mismatch, with both diagrams one above the other, and the first event
    that differs; its cause is the error of the flow, if there was one. Raises what `marbles` raises
    for bad arguments, TypeError for anything that can't be watched, and RuntimeError inside a
    running loop: use `aassert_marbles` there.

    >>> import asyncio
    >>> from fluxus_rx import step
    >>> from fluxus_rx.testing import marbles
    >>> async def double(x):
    ...     await asyncio.sleep(2)
    ...     return {"x": 2 * x}
    >>> values = {"a": {"x": 1}, "b": {"x": 2}, "A": {"x": 2}, "B": {"x": 4}}
    >>> flow = step("src", marbles("-a-b---|", values=values)) >> step("double", double)
    >>> assert_marbles(flow, "---A-B-|", values=values)
    >>> assert_marbles(flow, "-A-B---|", values=values)
    Traceback (most recent call last):
        ...
    AssertionError: other events than expected (1 character = 1 s):
      expected  -A-B---|
      got       ---A-B-|
    first difference: expected A = {'x': 2} at 1 s, got A = {'x': 2} at 3 s
    """
    if asyncio._get_running_loop() is not None:
        raise UsageError(
            "assert_marbles() runs a loop of its own, and one is running here already:"
            " await aassert_marbles(...) instead"
        )
    run_virtual(_asserted(flow, expected, values, error, unit, source))


async def aassert_marbles(
    flow: Any,
    expected: str,
    *,
    values: Mapping[Any, Any] | None = None,
    error: ExpectedError | None = None,
    unit: float = 1.0,
    source: str | Observable[Any] | None = None,
) -> None:
    """The same as `assert_marbles`, on the running `VirtualTimeLoop`; the diagram begins now.

    Raises RuntimeError on any other loop.

    >>> from fluxus_rx.testing import marbles, run_virtual
    >>> run_virtual(aassert_marbles(marbles("-a-b|"), "-a-b|"))
    """
    if not getattr(asyncio.get_running_loop(), "is_virtual", False):
        raise UsageError(
            "aassert_marbles() needs virtual time: call it in run_virtual(main()), or on a"
            " VirtualTimeLoop; assert_marbles() makes one by itself"
        )
    await _asserted(flow, expected, values, error, unit, source)


async def _asserted(
    flow: Any,
    expected: str,
    values: Mapping[Any, Any] | None,
    error: ExpectedError | None,
    unit: float,
    source: str | Observable[Any] | None,
) -> None:
    unit = checked_seconds(unit)
    if not (error is None or isinstance(error, BaseException) or _is_error_class(error)):
        raise InvalidOptionError(f"error={shown(error)}: expected an exception, or a class of them")
    events, length = parse(expected, values, error, unit)
    if isinstance(source, str):
        raised = error if isinstance(error, Exception) else None
        source = marbles(source, values=values, error=raised, unit=unit)
    if not (source is None or isinstance(source, Observable)):
        raise InvalidFlowError(f"source={shown(source)}: expected a diagram, or an Observable")
    compile_flow = subject(flow, source)
    ends = bool(events) and events[-1].kind in (ENDS, FAILS)
    # For a while longer than it should go on, to tell when it does end.
    until = length + max(length, 10 * unit) if ends else length
    got = await recorded(compile_flow, until, len(events))
    if not ends:
        got = [event for event in got if event.time < length - EXACT * unit]
    text = difference(expected, events, got, unit, values)
    if text is not None:
        failures = [event.value for event in got if event.kind == FAILS]
        raise AssertionError(text) from (failures[0] if failures else None)


def _is_error_class(error: object) -> bool:
    return isinstance(error, type) and issubclass(error, BaseException)
