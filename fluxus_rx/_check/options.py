"""What the options of a step, and the source of a producer, tell before a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from math import inf
from typing import Final, Literal, NamedTuple, TypeAlias

from .._common.text import counted
from .._graph.parts import Description
from .._options.executors import in_processes
from .._options.pickling import unpicklable
from .._options.step_options import StepOptions

__all__ = [
    "Remark",
    "Severity",
    "calls_of",
    "producer_remarks",
    "settled_options",
    "step_remarks",
]

Severity: TypeAlias = Literal["info", "warning", "error"]


class Remark(NamedTuple):
    """A finding on something whose name is known."""

    level: Severity
    text: str
    remedy: str = ""


def settled_options(one: Description, run: StepOptions) -> tuple[StepOptions, bool]:
    """The options that a step comes to in a run with these, and whether it is asynchronous then, a
    stage of its own."""
    set_on_it = {**one.inherited, **one.options}
    settled = StepOptions(**{**one.implied, **run.given(), **set_on_it})
    # Stages are put together before the options of the run are known, which may say executor=None.
    by_itself = one.awaits or StepOptions(**{**one.implied, **set_on_it}).waits
    return settled, by_itself or settled.waits


def calls_of(settled: StepOptions) -> float:
    """How many calls of an asynchronous step can be in flight.

    >>> calls_of(StepOptions(concurrency=9, ordered=True, window=2))
    2
    """
    if settled.ordered and settled.window is not None:
        return min(settled.limit, settled.window)
    return settled.limit


def producer_remarks(producer: Description) -> Iterator[Remark]:
    """What is wrong with a producer, or good to know."""
    if producer.emission == "hot":
        yield Remark(
            "warning",
            f"its {type(producer.data).__name__} emits without respecting demand: what comes faster"
            " than it is taken queues up without bound",
            "say what may be dropped: from_observable(…, overflow='drop_oldest'); or emit more"
            " slowly, thin it out before (ops.sample, ops.throttle_first), or let the slow step run"
            " more calls at once",
        )
    if in_processes(producer.options.get("executor")) and producer.is_generator:
        yield _ALL_AT_ONCE


_ALL_AT_ONCE: Final = Remark(
    "info",
    "is a generator that runs in processes: all products of a call are made, and held, before the"
    " first is given",
    "for one by one, set executor='thread'",
)


def step_remarks(one: Description, run: StepOptions, has_consumer: bool) -> Iterator[Remark]:
    """What is wrong with the options of a step in a run with these, or good to know."""
    if one.connection in ("reactivex", "aiostream"):
        if texts := ", ".join(StepOptions(**one.options).texts()):
            yield Remark(
                "warning",
                f"options({texts}) has no effect: its operators run as they do by themselves",
                "leave it out, or set it on the steps beside it",
            )
        return
    if one.connection == "buffer":
        return  # it makes no calls that options could be of
    settled, is_async = settled_options(one, run)
    elsewhere = not one.awaits and in_processes(settled.executor)
    if elsewhere and one.function is not None:
        refused = unpicklable(one.function, {**one.arguments, **one.using} if one.is_step else {})
        if refused is not None:
            yield Remark("error", refused.text, refused.remedy)
    if is_async:
        yield from _of_limits(one, settled)
    else:
        yield from _of_no_queue(one)
    if not one.awaits and settled.executor is None:
        yield from _of_loop(one, settled)
    yield from _of_order(one, settled, is_async)
    yield from _of_attempts(one, settled)
    if elsewhere and one.is_generator:
        yield _ALL_AT_ONCE
    if settled.on_error == "collect" and has_consumer:
        yield Remark(
            "warning",
            "on_error='collect' puts failures into a result that a flow with a consumer hasn't got",
            "pass on_failure=… to the flow's run() or arun(), or set on_error to a function",
        )


def _of_limits(one: Description, settled: StepOptions) -> Iterator[Remark]:
    """Of an asynchronous step."""
    window, calls = settled.window if settled.ordered else None, calls_of(settled)
    if calls == inf:
        thread = settled.executor == "thread" and not one.awaits
        yield Remark(
            "warning",
            "has no limit (concurrency=None): it takes products as fast as they can be made"
            f"{', with a thread for each' if thread else ''}, and memory grows with them",
            "set concurrency= to what it calls can bear, such as 100",
        )
    if window is not None and window < settled.limit < inf:
        asked = f"concurrency={settled.concurrency}"
        yield Remark(
            "warning" if settled.has("concurrency") else "info",
            f"window={window} lets {_calls_run(window)} at once, fewer than {asked}",
            "raise window, which is 4 times the concurrency by default, or lower concurrency",
        )
    places = _permits_of(settled.limiter)
    if places < calls:
        taken = "any number of products are"
        if calls < inf:
            taken = f"up to {counted(calls, 'product is', 'products are')}"
        yield Remark(
            "info",
            f"its limiter lets {_calls_run(places)} at once; {taken} taken, and wait for it",
            f"to take no more than it lets through, set concurrency={places}",
        )


def _calls_run(number: float) -> str:
    return counted(number, "call run", "calls run")


def _permits_of(limiter: object) -> float:
    """How many places a limiter of asyncio has."""
    if isinstance(limiter, asyncio.Lock):
        return 1
    if isinstance(limiter, asyncio.Semaphore):
        places: float = getattr(limiter, "_bound_value", getattr(limiter, "_value", inf))
        return places
    return inf


def _of_no_queue(one: Description) -> Iterator[Remark]:
    """Of a synchronous step, that has the options of an asynchronous one."""
    own = StepOptions(**one.options)
    if own.buffer is not None:
        yield Remark(
            "warning",
            f"buffer={own.buffer} has no effect: it is synchronous, and takes each product as it is"
            " made",
            "set it on an asynchronous step behind it, or leave it out",
        )
    if own.ordered:
        yield Remark(
            "info",
            f"ordered={own.ordered!r} has no effect: it is synchronous, and keeps the order anyway",
            "leave it out",
        )


def _of_loop(one: Description, settled: StepOptions) -> Iterator[Remark]:
    """Of a plain function that runs on the loop."""
    own = StepOptions(**one.options)
    if own.has("concurrency") and own.limit > 1:
        yield Remark(
            "warning",
            f"concurrency={own.concurrency} has no effect with executor=None: a plain function runs"
            " one call at a time on the loop, unless what it returns is awaited",
            "set executor='thread', or leave executor out",
        )
    if settled.timeout is not None:
        yield Remark(
            "warning",
            f"timeout={settled.timeout:g} can't interrupt it: it is a plain function that runs on"
            " the loop, so only what it returns is timed, if that is awaited",
            "set executor='thread', or the timeout on the step itself",
        )


def _of_order(one: Description, settled: StepOptions, is_async: bool) -> Iterator[Remark]:
    where = settled if is_async else StepOptions(**one.options)
    if where.window is not None and not settled.ordered:
        yield Remark(
            "warning",
            f"window={where.window} has no effect without ordered",
            "set ordered=True, or leave window out",
        )


def _of_attempts(one: Description, settled: StepOptions) -> Iterator[Remark]:
    tries = settled.retry not in (None, 1) and getattr(settled.retry, "enabled", True)
    if settled.repeatable and not tries:
        yield Remark(
            "warning",
            "repeatable=True has no effect without retry",
            "set retry= to a number of attempts, or leave repeatable out",
        )
    elif settled.repeatable and not one.is_generator:
        yield Remark(
            "info",
            "repeatable=True is for generators, and its function is none: it counts only if what"
            " that returns is iterated, and fails halfway",
            "leave it out, if it doesn't return an iterator",
        )
    if tries and type(getattr(settled.retry, "stop", None)).__name__ == "_stop_never":
        yield Remark(
            "warning",
            "may try for ever: its policy of tenacity never stops",
            "set its stop=stop_after_attempt(…), or stop_after_delay(…)",
        )
