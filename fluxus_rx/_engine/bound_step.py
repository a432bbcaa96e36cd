"""What a step does to one item: the form in which all that runs steps knows them."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .._common.trail import Trail
from .._monitoring.calls import CallColumns, ItemNumber
from .._monitoring.counters import PlainCalls
from .._monitoring.gauge import Gauge
from .._options.offload import Offload
from .._options.step_options import StepOptions
from .._products.collector import Collector
from .._rx.draining import Leftover
from .._rx.scope import Scope
from .._streams.channel import BUFFER
from .._streams.context import Items
from .._streams.timing import TimeSlice

if TYPE_CHECKING:
    from .._rx.run_resources import NeededResources

__all__ = [
    "BoundStep",
    "CallCounter",
    "CollectedRows",
    "Deferred",
    "DirectCall",
    "FusedCalls",
    "ItemCall",
    "Opening",
    "Stopped",
    "offloaded",
    "opened_first",
    "settle",
]


class BoundStep(NamedTuple):
    """What a step does to one item, bound to a run.

    `apply` returns an item, or `Items`. It is called for an asynchronous step too, whose outcome is
    then awaited: a coroutine returns an item or `Items`. `explain` adds to an error where it came
    up, and returns that note. `may_wait` tells whether `apply` may return `Items` of a `Deferred`.
    `locate` tells the position of an item in the flow, where items have one; `kept` returns an item
    as it is now, for code that holds it while the flow goes on. `given` makes an outcome of what
    stands in for that of an item, after the call has yielded so many products. `arguments` returns
    those of the call with an item, by name. `gauge` counts its calls, in a run that counts.
    `again` returns what calls the step for the second attempt of a call, and so on, where these are
    told apart. `calls_users` tells whether it calls what users wrote; else it goes on in a run that
    is drained. `offload` is where its calls run, if that isn't the loop. `direct` is how the step
    may be called as one with its neighbours, as long as nothing stands in place of its `apply`.
    `needs` are the resources that have to be open before the first call. `trail` is the way to it.
    """

    apply: Callable[[Any], Any]
    acall: Callable[[Any], Coroutine[Any, Any, Any]]
    explain: Callable[[BaseException, Any], str]
    options: StepOptions
    key: Hashable
    may_wait: bool = False
    depth: float = 0
    locate: Callable[[Any], ItemNumber] | None = None
    kept: Callable[[Any], Any] | None = None
    given: Callable[[Any, Any, int], Any] | None = None
    arguments: Callable[[Any], dict[str, Any]] | None = None
    gauge: Gauge | None = None
    again: Callable[[int], Callable[[Any], Coroutine[Any, Any, Any]]] | None = None
    calls_users: bool = True
    offload: Offload | None = None
    direct: DirectCall | None = None
    needs: NeededResources | None = None
    trail: Trail | None = None

    def position(self, item: Any) -> ItemNumber:
        """That of an item in the flow, where items have one."""
        return None if self.locate is None else self.locate(item)

    def attempt(self, number: int) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        """What makes that attempt of a call."""
        return self.acall if number == 1 or self.again is None else self.again(number)

    @property
    def is_direct(self) -> bool:
        """Whether it may be called as one with its neighbours."""
        return self.direct is not None and self.direct.stands_for(self.apply)


class CallCounter(Protocol):
    """Counts the calls of a step that hold the thread."""

    @property
    def plain(self) -> PlainCalls:
        """Those that return one product each; code that makes one may count it here, if none
        `is_due`."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """What they are timed by."""
        ...

    @property
    def columns(self) -> CallColumns | None:
        """Where their records are kept, if they are."""
        ...

    @property
    def is_due(self) -> bool:
        """Whether the next call is to be counted by one of the functions."""
        ...

    @property
    def next_look(self) -> float:
        """The seconds after which it may be once more, where it isn't now."""
        ...

    def direct(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What to call in place of a function."""
        ...

    def direct_outcome(self, outcome: Callable[[Any, Any], Any], given: Any, item: Any) -> Any:
        """What comes of an item for which a function returned anything but a plain dictionary, by
        what makes an outcome of that."""
        ...

    def failed(self, error: BaseException, item: Any) -> None:
        """The call with this item has raised an error, if one holds the thread."""
        ...


class DirectCall(Protocol):
    """How a step may be called as one with its neighbours."""

    def stands_for(self, apply: Callable[[Any], Any]) -> bool:
        """Whether it does the same as this function of the step."""
        ...

    def counted(self, apply: Callable[[Any], Any], counter: CallCounter) -> DirectCall:
        """The same in place of another `apply`, which has its calls counted."""
        ...

    def fused(self, bound_steps: Sequence[BoundStep], position: int) -> FusedCalls:
        """The calls of these steps, all of which are direct, as one; the first of them stands at
        this position among its neighbours."""
        ...


class Stopped(NamedTuple):
    """Where calls that are fused don't go on: the step at this position returned `Items`."""

    position: int
    outcome: Items[Any]
    argument: Any


class FusedCalls(ABC):
    """The calls of neighbouring steps, as one."""

    __slots__ = ()

    @abstractmethod
    def carry(self, item: Any, first: int = 0) -> Any:
        """What the last step returns for an item of the one with the index `first`, if none of them
        returns `Items`; else `Stopped`.

        An error is explained by the step in which it came up.
        """

    @abstractmethod
    def rows(
        self, source: Iterator[Any], collector: Collector, time_slice: TimeSlice
    ) -> CollectedRows | None:
        """The steps on all that a source emits, collected as rows; None if it has no rows."""


class CollectedRows(Iterator[Any]):
    """Collects what a source and the steps behind it emit.

    As an iterator, it yields `Stopped`, where a step returns `Items`, and `YIELD_TO_LOOP`, where
    the event loop is due a turn. What is left then is left in the `source`.
    """

    __slots__ = ("_progress", "source")

    def __init__(self, progress: Generator[Any, None, None], source: Iterator[Any]) -> None:
        self._progress = progress
        self.source = source

    def __iter__(self) -> Iterator[Any]:
        return self._progress

    def __next__(self) -> Any:
        return next(self._progress)

    def leave(self) -> Iterator[Any]:
        """Collect no more; the source, with what is left."""
        self._progress.close()
        return self.source

    def close(self) -> None:
        """Collect no more, and close the source."""
        self._progress.close()
        close = getattr(self.source, "close", None)
        if close is not None:
            close()


class ItemCall(ABC):
    """A call with one item after the other that never waits, bound to a run."""

    __slots__ = ()

    @abstractmethod
    def apply(self, item: Any) -> Any:
        """What becomes of an item."""

    async def acall(self, item: Any) -> Any:
        """The same, in a stage that awaits its calls."""
        return self.apply(item)

    @abstractmethod
    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error where it came up; the note."""

    def bound(self, options: StepOptions, key: Hashable = None) -> BoundStep:
        """The call as all that runs steps knows it."""
        return BoundStep(
            apply=self.apply,
            acall=self.acall,
            explain=self.explain,
            options=options,
            key=key,
            calls_users=False,
        )


class Deferred:
    """What a synchronous step returns, in `Items`, if its function is asynchronous after all."""

    __slots__ = ("_closed", "_finish", "_source")

    def __init__(
        self,
        source: Any,
        finish: Callable[[Any], Coroutine[Any, Any, Any]],
        closed: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._source = source
        self._finish = finish
        self._closed = closed

    async def outcome(self) -> Any:
        """What it comes to: an item, or `Items`."""
        return await self._finish(self._source)

    def then(
        self, change: Callable[[Any], Any], failed: Callable[[BaseException], None]
    ) -> Deferred:
        """The same, its outcome changed by `change`; `failed` is told why there is none."""

        async def finish(source: Any) -> Any:
            try:
                outcome = await self._finish(source)
            except BaseException as error:
                failed(error)
                raise
            return change(outcome)

        return Deferred(self._source, finish, failed)

    def close(self) -> None:
        """Let go of it; a coroutine would complain that it was never awaited."""
        if inspect.iscoroutine(self._source) or isinstance(self._source, Deferred):
            self._source.close()
        if self._closed is not None:
            self._closed(GeneratorExit())


def opened_first(bound_step: BoundStep, leftover: Leftover | None) -> BoundStep:
    """The same step; its first call waits until what it needs is open, if it needs anything.

    In a run that can be drained, there is a `leftover` of calls that don't begin: those don't wait.
    """
    needs = bound_step.needs
    return bound_step if needs is None else _OpenedFirst(bound_step, needs, leftover).bound()


class _OpenedFirst:
    """The calls of a step, and the opening before them, which no option of the step is about."""

    __slots__ = ("_bound_step", "_leftover", "_needs")

    def __init__(
        self, bound_step: BoundStep, needs: NeededResources, leftover: Leftover | None
    ) -> None:
        self._bound_step = bound_step
        self._needs = needs
        self._leftover = leftover

    def bound(self) -> BoundStep:
        """The step, so called."""
        return self._bound_step._replace(
            apply=self._apply, acall=self._acall, may_wait=True, direct=None
        )

    def _apply(self, item: Any) -> Any:
        if self._needs.is_open or self._is_drained or self._needs.try_open():
            return self._bound_step.apply(item)
        return Items(Opening(self._opened))

    async def _acall(self, item: Any) -> Any:
        if not self._needs.is_open:
            await self._opened()
        return await self._bound_step.acall(item)

    @property
    def _is_drained(self) -> bool:
        """Whether the call won't begin anyway."""
        return self._leftover is not None and self._leftover.draining.begun

    async def _opened(self) -> None:
        """Wait until all is open, or the run is drained."""
        if self._leftover is None:
            await self._needs.open()
        else:
            await self._leftover.draining.wait_for(self._needs.open())


class Opening:
    """What a synchronous step returns, in `Items`, in place of an outcome: `wait` returns what has
    to be awaited, and then the step is called again with the same item."""

    __slots__ = ("wait",)

    def __init__(self, wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.wait = wait


def offloaded(
    key: Hashable,
    label: Callable[[], str],
    scope: Scope | None,
    options: StepOptions,
    snapshot: Callable[[Any], Any] | None = None,
) -> Offload | None:
    """Where the plain function of a step runs in this run, if that isn't the loop's thread.

    The same for all places of the step that has this `key`; `label` returns what messages call it.
    Products of a generator are read ahead, each as `snapshot` returns it.
    """
    executor = options.executor
    if scope is None or executor is None:
        return None

    def make() -> Offload:
        # Here, as it takes 1.5 ms of the import of the library (benchmark "startup, import").
        from .._options.executors import offload

        buffer = BUFFER if options.buffer is None else options.buffer
        made = offload(
            executor,
            label(),
            options.limit,
            timed=options.timeout is not None,
            buffer=buffer,
            snapshot=snapshot,
        )
        return scope.add_workers(made)

    return scope.get_or_create(("offload", key), make)


async def settle(outcome: Any) -> Any:
    """The outcome of a step, awaited as long as it is deferred."""
    while outcome.__class__ is Items and outcome.source.__class__ is Deferred:
        outcome = await outcome.source.outcome()
    return outcome
