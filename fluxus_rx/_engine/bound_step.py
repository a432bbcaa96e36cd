"""What a step does to one item: the form in which all that runs steps knows them."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NamedTuple

from .._monitoring.gauge import Gauge
from .._options.offload import Offload
from .._options.step_options import StepOptions
from .._rx.scope import Scope
from .._streams.channel import BUFFER
from .._streams.context import Items

__all__ = ["BoundStep", "Deferred", "ItemCall", "offloaded", "settle"]


class BoundStep(NamedTuple):
    """What a step does to one item, bound to a run.

    `apply` gives an item, or `Items`. It is called for an asynchronous step too, whose outcome is
    then awaited: a coroutine gives an item or `Items`. `explain` adds to an error where it came
    up, and gives that note. `may_wait` tells whether `apply` may give `Items` of a `Deferred`.
    `locate` tells the position of an item in the flow, where items have one; `kept` gives an item
    as it is now, for one who holds it while the flow goes on. `given` makes an outcome of what
    stands in for that of an item, after the call has given so many products. `arguments` gives
    those of the call with an item, by name. `gauge` counts its calls, in a run that counts.
    `calls_users` tells whether it calls what users wrote; else it goes on in a run that is drained.
    `offload` is where its calls run, if that isn't the loop.
    """

    apply: Callable[[Any], Any]
    acall: Callable[[Any], Coroutine[Any, Any, Any]]
    explain: Callable[[BaseException, Any], str]
    options: StepOptions
    key: Hashable
    may_wait: bool = False
    depth: int = 0
    locate: Callable[[Any], str] | None = None
    kept: Callable[[Any], Any] | None = None
    given: Callable[[Any, Any, int], Any] | None = None
    arguments: Callable[[Any], dict[str, Any]] | None = None
    gauge: Gauge | None = None
    calls_users: bool = True
    offload: Offload | None = None


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
    """What a synchronous step gives, in `Items`, if its function is asynchronous after all."""

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


def offloaded(
    key: Hashable,
    label: Callable[[], str],
    scope: Scope | None,
    options: StepOptions,
    snapshot: Callable[[Any], Any] | None = None,
) -> Offload | None:
    """Where the plain function of a step runs in this run, if that isn't the loop's thread.

    The same for all places of the step that has this `key`; `label` gives what messages call it.
    Products of a generator are read ahead, each as `snapshot` gives it.
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
        return scope.add_resource(made)

    return scope.get_or_create(("offload", key), make)


async def settle(outcome: Any) -> Any:
    """The outcome of a step, awaited as long as it is deferred."""
    while outcome.__class__ is Items and outcome.source.__class__ is Deferred:
        outcome = await outcome.source.outcome()
    return outcome
