"""Streams one behind the other, as one: what a path, or a part of one, is while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from .._products.collector import Collector
from .._rx.intake import Intake
from .._rx.overflow import BoundedIntake
from .._rx.scheduler import FlowScheduler
from .._streams.call_stage import CallStage
from .._streams.channel import BUFFER, Channel, CollectingChannel
from .._streams.flat_map import FlatMap, ForkStage
from .._streams.iteration import Cancellable, CompositeStream, StartWith, poller
from .._streams.merge import Merge
from .._typing import T
from .bound_step import BoundStep
from .fused import Fused
from .stage import async_stage, call_stage

__all__ = ["CarriedSteps", "Pipeline"]


class CarriedSteps(NamedTuple):
    """Neighbouring asynchronous steps behind a fork; what they emit goes to all `children`, or is
    collected as the outputs of the path of this number."""

    bound_steps: list[BoundStep]
    children: Sequence[CarriedSteps]
    path: int


class Pipeline(CompositeStream[T]):
    """A root and the streams on it, told to end together and closed one after the other.

    No stream here closes the one before it: 2,000 of them would recurse.
    """

    def __init__(
        self,
        flow: FlowScheduler,
        root: Iterator[Any] | AsyncIterator[Any],
        before: Pipeline[Any] | None = None,
        *,
        ends: bool = False,
    ) -> None:
        #: the run that it is in
        self.flow = flow
        self._pending: list[BoundStep] = []
        self._last: Any = root
        #: whether what is read last is an asynchronous source that ends when the run is drained
        self._is_drainable = ends
        #: where what is read last waits
        self._channel: Channel[Any] | BoundedIntake[Any] | None = getattr(root, "channel", None)
        super().__init__(*((root,) if before is None else (before, root)))

    def __enter__(self) -> Pipeline[T]:
        """A block that makes it ready to be read; if that fails, it is closed."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.flow.on_loop(partial(self.flow.scope.discard, self))

    def add_sync(self, bound_step: BoundStep) -> None:
        """One more synchronous step; fuses with its neighbours."""
        self._pending.append(bound_step)

    def add_async(self, bound_step: BoundStep) -> None:
        """One more asynchronous stage."""
        size = bound_step.options.buffer
        self._own(size or BUFFER)
        if size is not None and isinstance(self._channel, Channel):
            self._channel.size = size
        self.fuse()
        gauge = bound_step.gauge
        if gauge is not None and self._channel is not None:
            gauge.queues.append(self._channel)
        # Where somebody wants to know for how long a step was starved, it waits by itself.
        if isinstance(self._last, FlatMap) and (gauge is None or gauge.loop_time is None):
            self._last.then(call_stage(bound_step, bound_step.acall, self.flow))
            self._channel = self._last.channel
            return
        self._add(async_stage(self._last, bound_step, bound_step.acall, self.flow))

    def fan_out(self, branches: Sequence[CarriedSteps], collectors: Sequence[Collector]) -> None:
        """Have what it emits carried through all branches of a group, by workers that these have in
        common, and collected at the end of each path."""
        if not isinstance(self._last, FlatMap):
            self._own(1)  # branches have queues of their own
            scope = self.flow.scope
            self._add(
                FlatMap(self._last, ForkStage(), owns_source=False, time_slice=scope.time_slice)
            )
        self._last.branch(_branched(self._last.last, branches, collectors, self.flow))

    def start_with(self, items: Sequence[Any]) -> None:
        """Have these items come in front of those that come by themselves."""
        if items:
            self.fuse()
            self._add(StartWith(items, self._last))

    def fuse(self, collector: Collector | None = None) -> None:
        """Turn the synchronous steps so far into one stream; with a `collector`, what they emit may
        go there instead."""
        bound_steps, self._pending = self._pending, []
        if self._is_drainable or any(bound_step.may_wait for bound_step in bound_steps):
            self._own(BUFFER)
        self._is_drainable = False
        if bound_steps or not hasattr(self._last, "__anext__"):
            channel = self._channel
            self._add(Fused.over(self._last, bound_steps, self.flow, collector))
            self._channel = channel  # fused steps keep nothing
        elif collector is not None and isinstance(self._last, FlatMap):
            collecting: CollectingChannel[T] = CollectingChannel(collector.add)
            self._last.collect(collecting)
            collector.when_read(collecting.keep_items)

    def own_all(self) -> None:
        """Let a task of its own read all of it: an operator of aiostream that fails may close what
        it reads while it waits for an item, which no generator can take."""
        self._own(BUFFER, (Fused,))

    def _own(self, size: int, also: tuple[type, ...] = ()) -> None:
        """Let one task read what the workers of a stage would read in turns."""
        if not hasattr(self._last, "__anext__"):
            return
        if not isinstance(self._last, Cancellable) or isinstance(self._last, also):
            self._parts.remove(self._last)
            scope = self.flow.scope
            merge = Merge((self._last,), size, scope.time_slice, scope.context)
            self._add(scope.add_source(merge) if self._is_drainable else merge)
            self._is_drainable = False

    def _add(self, stream: AsyncIterator[Any]) -> None:
        self._parts.append(stream)
        self._last = stream
        self._channel = getattr(stream, "channel", None)

    @property
    def poll(self) -> Callable[[], T]:
        """An item that is ready, or END."""
        return poller(self._last)

    def __anext__(self) -> Awaitable[T]:
        awaitable: Awaitable[T] = self._last.__anext__()
        return awaitable

    @property
    def throw(self) -> Callable[[BaseException], Awaitable[T]] | None:
        """Throws an error into what is read, if that takes it. Not named `athrow`: aiostream would
        throw its own errors into it."""
        throw: Callable[[BaseException], Awaitable[T]] | None
        throw = getattr(self._last, "athrow", None)
        return throw

    def subscribe(self) -> None:
        """Subscribe to what this reads, before it is read."""
        for part in self._parts:
            if isinstance(part, Intake | BoundedIntake | Pipeline):
                part.subscribe()

    def fail(self, error: BaseException) -> None:
        """End with an error that came up outside of the parts, in an action of a scheduler."""
        for part in self._parts:
            if isinstance(part, Intake | BoundedIntake | Pipeline):
                part.fail(error)

    def release(self) -> list[T]:
        """What the last step has emitted and nobody has taken; it is not emitted again."""
        return self._last.release() if isinstance(self._last, FlatMap) else []


def _branched(
    first: CallStage,
    branches: Sequence[CarriedSteps],
    collectors: Sequence[Collector],
    flow: FlowScheduler,
) -> list[CallStage]:
    """The stages of branches behind the first one, joined to it and to each other."""
    found: list[CallStage] = []
    forks = [(first, branches)]
    while forks:
        before, siblings = forks.pop()
        inlets: list[Channel[Any]] = []
        takers: list[CallStage] = []
        waiting = [*reversed(siblings)]
        while waiting:
            steps = waiting.pop()
            if steps.bound_steps:
                inlet: Channel[Any] = Channel(steps.bound_steps[0].options.buffer or BUFFER)
                row = _row(before, inlet, steps.bound_steps, flow)
                inlets.append(inlet)
                takers.append(row[0])
                found += row
                if steps.children:
                    forks.append((row[-1], steps.children))
                else:
                    row[-1].collect(CollectingChannel(collectors[steps.path].add))
            elif steps.children:
                waiting += reversed(steps.children)
            else:
                inlets.append(CollectingChannel(collectors[steps.path].add))
        before.fork(inlets, takers)
    return found


def _row(
    before: CallStage, inlet: Channel[Any], bound_steps: Sequence[BoundStep], flow: FlowScheduler
) -> list[CallStage]:
    """Stages one behind the other, the first of which takes what waits in a channel."""
    row = [call_stage(bound_step, bound_step.acall, flow) for bound_step in bound_steps]
    row[0].take_from(inlet, before)
    for stage, following, bound_step in zip(row, row[1:], bound_steps[1:], strict=False):
        stage.out.size = bound_step.options.buffer or BUFFER
        following.follow(stage)
    return row
