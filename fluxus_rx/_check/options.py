"""What the options of a step, and the source of a producer, tell before a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator
from math import inf
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from .._common.signatures import is_async_function, is_generator
from .._conduits.conduit import Conduit
from .._conduits.from_observable import ObservableProducer
from .._conduits.pipes import _RxPipe, _StreamPipe
from .._conduits.transformer import Transformer
from .._engine.observable import is_driven
from .._errors import InvalidFlowError
from .._functional.source_step import SourceStep
from .._functional.step import Step
from .._options.executors import in_processes
from .._options.step_options import StepOptions

__all__ = [
    "Remark",
    "Severity",
    "calls_of",
    "emission_of",
    "function_of",
    "is_awaited",
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


#: Where operators come from that thin out what they are given.
_THINNING: Final = {
    f"reactivex.operators.{name}" for name in ("_debounce", "_sample", "_throttlefirst")
}

#: How many operators an observable is followed up through, to what they were put on.
_FAR: Final = 100


def settled_options(conduit: Transformer[Any, Any], run: StepOptions) -> tuple[StepOptions, bool]:
    """The options that a step comes to in a run with these, and whether it is asynchronous then, a
    stage of its own."""
    settled = conduit._flow_settings.over(run).over(conduit._flow_implied)
    return settled, conduit._flow_is_async or settled.waits


def calls_of(settled: StepOptions) -> float:
    """How many calls of an asynchronous step can be in flight.

    >>> calls_of(StepOptions(concurrency=9, ordered=True, window=2))
    2
    """
    if settled.ordered and settled.window is not None:
        return min(settled.limit, settled.window)
    return settled.limit


def function_of(conduit: Conduit) -> Callable[..., Any]:
    """What a step calls for each product."""
    if isinstance(conduit, Step):
        return conduit._function
    kind: Any = type(conduit)
    method: Callable[..., Any] = kind.atransform if conduit._flow_awaits else kind.transform
    return method


def is_awaited(producer: Any) -> bool:
    """Whether the products of a producer are awaited."""
    if producer._flow_awaits or producer._flow_options.executor is not None:
        return True
    if not isinstance(producer, SourceStep):
        return False
    source = producer._source
    return is_async_function(source) if producer._is_function else isinstance(source, AsyncIterable)


def emission_of(producer: Any) -> Literal["", "with demand", "thinned out", "hot"]:
    """Whether the data of a producer is an observable of which all is kept, and how that emits."""
    source = kept_source_of(producer)
    if not _is_a(source, "Observable"):
        return ""
    for _ in range(_FAR):
        if is_driven(source):
            return "with demand"
        subscribe = getattr(source, "_subscribe", None)
        if getattr(subscribe, "__module__", None) in _THINNING:
            return "thinned out"
        before = [one for one in _closed_over(subscribe) if _is_a(one, "Observable")]
        if _is_a(source, "Subject") or len(before) != 1:
            return "hot"
        source = before[0]
    return "hot"


def kept_source_of(producer: Any) -> Any:
    """The observable, or whatever else it is that a producer has as data, and of which it drops
    nothing."""
    if isinstance(producer, ObservableProducer):
        return producer.observable if producer.policy.overflow == "keep" else None
    if isinstance(producer, SourceStep) and not producer._is_function:
        return producer._source
    return None


def _is_a(value: object, name: str) -> bool:
    return any(
        kind.__name__ == name and kind.__module__.startswith("reactivex.")
        for kind in type(value).__mro__
    )


def _closed_over(function: Any) -> Iterator[Any]:
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # empty
            continue


def producer_remarks(producer: Any) -> Iterator[Remark]:
    """What is wrong with a producer, or good to know."""
    if emission_of(producer) == "hot":
        kind = type(kept_source_of(producer)).__name__
        yield Remark(
            "warning",
            f"its {kind} emits without heeding demand: what comes faster than it is taken queues up"
            " without bound",
            "say what may be dropped: from_observable(…, overflow='drop_oldest'); or emit more"
            " slowly, thin it out before (ops.sample, ops.throttle_first), or let the slow step run"
            " more calls at once",
        )
    made = producer._source if isinstance(producer, SourceStep) else type(producer).produce
    if in_processes(producer._flow_options.executor) and is_generator(made):
        yield _ALL_AT_ONCE


_ALL_AT_ONCE: Final = Remark(
    "info",
    "is a generator that runs in processes: all products of a call are made, and held, before the"
    " first is given",
    "for one by one, set executor='thread'",
)


def step_remarks(
    conduit: Transformer[Any, Any], run: StepOptions, has_consumer: bool
) -> Iterator[Remark]:
    """What is wrong with the options of a step in a run with these, or good to know."""
    if isinstance(conduit, _RxPipe | _StreamPipe):
        if texts := ", ".join(conduit._flow_options.texts()):
            yield Remark(
                "warning",
                f"options({texts}) has no effect: its operators run as they do by themselves",
                "leave it out, or set it on the steps beside it",
            )
        return
    try:
        conduit._flow_check_options(run)
    except InvalidFlowError as error:
        text, _, remedy = str(error).removeprefix(f"{conduit._flow_label}: ").rpartition("; ")
        yield Remark("error", text, remedy)
    settled, is_async = settled_options(conduit, run)
    if is_async:
        yield from _of_limits(conduit, settled)
    else:
        yield from _of_no_queue(conduit)
    if not conduit._flow_awaits and settled.executor is None:
        yield from _of_loop(conduit, settled)
    yield from _of_order(conduit, settled, is_async)
    yield from _of_attempts(conduit, settled)
    elsewhere = not conduit._flow_awaits and in_processes(settled.executor)
    if elsewhere and is_generator(function_of(conduit)):
        yield _ALL_AT_ONCE
    if settled.on_error == "collect" and has_consumer:
        yield Remark(
            "warning",
            "on_error='collect' puts failures into a result that a flow with a consumer hasn't got",
            "give the flow's run() or arun() on_failure=…, or have a function for on_error",
        )


def _of_limits(conduit: Conduit, settled: StepOptions) -> Iterator[Remark]:
    """Of an asynchronous step."""
    window, calls = settled.window if settled.ordered else None, calls_of(settled)
    if calls == inf:
        thread = settled.executor == "thread" and not conduit._flow_awaits
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
            f"window={window} lets {_calls(window)} at once, fewer than {asked}",
            "raise window, which is 4 times the concurrency by default, or lower concurrency",
        )
    places = _permits_of(settled.limiter)
    if places < calls:
        taken = "any number of" if calls == inf else f"up to {calls:,}"
        yield Remark(
            "info",
            f"its limiter lets {_calls(places)} at once; {taken} products are taken, and wait for"
            " it",
            f"to take no more than it lets through, set concurrency={places}",
        )


def _calls(number: float) -> str:
    return "1 call run" if number == 1 else f"{number:,} calls run"


def _permits_of(limiter: object) -> float:
    """How many places a limiter of asyncio has."""
    if isinstance(limiter, asyncio.Lock):
        return 1
    if isinstance(limiter, asyncio.Semaphore):
        places: float = getattr(limiter, "_bound_value", getattr(limiter, "_value", inf))
        return places
    return inf


def _of_no_queue(conduit: Transformer[Any, Any]) -> Iterator[Remark]:
    """Of a synchronous step, that has the options of an asynchronous one."""
    own = conduit._flow_options
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


def _of_loop(conduit: Transformer[Any, Any], settled: StepOptions) -> Iterator[Remark]:
    """Of a plain function that runs on the loop."""
    own = conduit._flow_options
    if own.has("concurrency") and own.limit > 1:
        yield Remark(
            "warning",
            f"concurrency={own.concurrency} has no effect with executor=None: a plain function runs"
            " one call at a time on the loop, unless what it gives is awaited",
            "set executor='thread', or leave executor out",
        )
    if settled.timeout is not None:
        yield Remark(
            "warning",
            f"timeout={settled.timeout:g} can't interrupt it: it is a plain function that runs on"
            " the loop, so only what it gives is timed, if that is awaited",
            "set executor='thread', or the timeout on the step itself",
        )


def _of_order(
    conduit: Transformer[Any, Any], settled: StepOptions, is_async: bool
) -> Iterator[Remark]:
    where = settled if is_async else conduit._flow_options
    if where.window is not None and not settled.ordered:
        yield Remark(
            "warning",
            f"window={where.window} has no effect without ordered",
            "set ordered=True, or leave window out",
        )


def _of_attempts(conduit: Transformer[Any, Any], settled: StepOptions) -> Iterator[Remark]:
    tries = settled.retry not in (None, 1) and getattr(settled.retry, "enabled", True)
    if settled.repeatable and not tries:
        yield Remark(
            "warning",
            "repeatable=True has no effect without retry",
            "set retry= to a number of attempts, or leave repeatable out",
        )
    elif settled.repeatable and not is_generator(function_of(conduit)):
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
            "give it stop=stop_after_attempt(…), or stop_after_delay(…)",
        )
