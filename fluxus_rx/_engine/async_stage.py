"""An asynchronous step as a stage, as its options say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping
from functools import partial
from math import inf
from typing import Any

from .._common.messages import note, short
from .._common.names import normal_name
from .._errors import MissingAttributeError
from .._rx.scheduler import FlowScheduler
from .._streams.call_stage import CallStage
from .._streams.flat_map import FlatMap
from .._streams.limit import Limit
from .._streams.timing import IdleTimes
from .bound_step import BoundStep

__all__ = ["async_stage", "call_stage"]


def async_stage(
    stream: AsyncIterator[Any],
    bound_step: BoundStep,
    call: Callable[[Any], Coroutine[Any, Any, Any]],
    flow: FlowScheduler,
) -> FlatMap[Any]:
    """The calls of a step with what a stream gives, each awaited."""
    scope = flow.scope
    flat_map: FlatMap[Any] = FlatMap(
        stream,
        call_stage(bound_step, call, flow),
        owns_source=False,
        time_slice=scope.time_slice,
    )
    if scope.settings.drainable:
        scope.draining.add_stage(flat_map)
    return flat_map


def call_stage(
    bound_step: BoundStep, call: Callable[[Any], Coroutine[Any, Any, Any]], flow: FlowScheduler
) -> CallStage:
    """The calls of a step as its options say."""
    options, scope, gauge = bound_step.options, flow.scope, bound_step.gauge
    size = options.limit
    if bound_step.offload is not None:
        # More would begin calls that wait for a thread, and take iterators theirs.
        size = min(size, bound_step.offload.size)
    idle_times = None
    if gauge is not None:
        idle_times = IdleTimes(None if scope.meter is None else scope.meter.unpaused)
        gauge.runs_as("step", idle_times, limit=size)
    ordered: bool | Callable[[Any], Hashable] = bool(options.ordered) or scope.settings.ordered
    if isinstance(options.ordered, str) and not scope.settings.ordered:
        ordered = partial(_attribute_of, options.ordered)
    return CallStage(
        call,
        concurrency=size,
        ordered=ordered,
        window=options.window,
        limit=scope.get_or_create(bound_step.key, lambda: Limit(size)) if size != inf else None,
        depth=bound_step.depth,
        idle_times=idle_times,
        explain=bound_step.explain,
    )


def _attribute_of(name: str, item: Any) -> Any:
    """The attribute of an item that it keeps its order by."""
    try:
        value = item[name] if isinstance(item, Mapping) else getattr(item, name)
    except (KeyError, AttributeError):
        if (normal := normal_name(name)) != name:
            return _attribute_of(normal, item)
        raise MissingAttributeError(
            f"ordered={name!r}: there is no attribute {name!r} to keep the order by in"
            f" {short(item)}: name one that is there, or keep the order of all by ordered=True"
        ) from None
    try:
        hash(value)
    except TypeError as error:
        note(error, f"ordered={name!r} keeps the order by a value that can be hashed")
        raise
    return value
