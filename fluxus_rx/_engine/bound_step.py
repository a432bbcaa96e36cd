"""What a step does to one item: the form in which all that runs steps knows them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, NamedTuple

from .._monitoring.gauge import Gauge
from .._options.step_options import StepOptions
from .._streams.context import Items

__all__ = ["BoundStep", "Deferred", "settle"]


class BoundStep(NamedTuple):
    """What a step does to one item, bound to a run.

    `apply` gives an item, or `Items`. It is called for an asynchronous step too, whose outcome is
    then awaited: a coroutine gives an item or `Items`. `explain` adds to an error where it came
    up. `may_wait` tells whether `apply` may give `Items` of a `Deferred`. `locate` tells the
    position of an item in the flow, where items have one; `kept` gives an item as it is now, for
    one who holds it while the flow goes on. `given` makes an outcome of what stands in for that of
    an item, after the call has given so many products. `gauge` counts its calls, in a run that
    counts.
    """

    apply: Callable[[Any], Any]
    acall: Callable[[Any], Coroutine[Any, Any, Any]]
    explain: Callable[[BaseException, Any], None]
    options: StepOptions
    key: Hashable
    may_wait: bool = False
    depth: int = 0
    locate: Callable[[Any], str] | None = None
    kept: Callable[[Any], Any] | None = None
    given: Callable[[Any, Any, int], Any] | None = None
    gauge: Gauge | None = None


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


async def settle(outcome: Any) -> Any:
    """The outcome of a step, awaited as long as it is deferred."""
    while outcome.__class__ is Items and outcome.source.__class__ is Deferred:
        outcome = await outcome.source.outcome()
    return outcome
