"""How a run ends before its sources do, and what is left of it then.

Rules of this file:

1. Once a run is drained, no call begins: a product that comes to a step is pending there.
2. So nothing that waits may be kept back, by a limit, an order, a limiter or a reader: it comes to
   a step, which notes it, or out of the flow.
3. A call in flight goes on to its end. If the run is cut short, its product is pending as well.
4. Sources are told to end, but those alone that were there before the run. What an operator has
   made since, as flat_map does for each product, holds products that have come this far.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from .._options.pending import Pending
from .._streams.context import Items
from .._typing import T

__all__ = ["DRAINED", "CallNotBegun", "Draining", "Leftover", "made_as_of", "moment_of_making"]

#: What comes of something that was waited for until the run was drained.
DRAINED: Final[Any] = object()

_moments = itertools.count()
_moment: ContextVar[int | None] = ContextVar("fluxus_rx moment of making", default=None)


def moment_of_making() -> int:
    """The number of what is made now, a run or what one may read: the later, the higher."""
    moment = _moment.get()
    return next(_moments) if moment is None else moment


def made_as_of(moment: int, make: Callable[[], T]) -> T:
    """What `make` returns, with the number of something older that it stands for."""
    token = _moment.set(moment)
    try:
        return make()
    finally:
        _moment.reset(token)


class CallNotBegun(Exception):
    """A call came to its turn in a pool of threads when the run was drained."""


class Openable(Protocol):
    """What products may wait in."""

    def open_up(self) -> None:
        """Keep none of them back, but for the order of those that calls in flight will return."""
        ...

    def let_through(self) -> None:
        """Keep none back for the sake of an order: the calls in flight won't end."""
        ...


class Draining:
    """Whether a run is drained, and the products that it has not gone on with."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._moment = next(_moments)
        #: whether no call may begin any more
        self.begun = False
        #: whether the calls in flight are told to end, too
        self.cut_short = False
        #: whether a source might have emitted more
        self.cut_sources = False
        self.pending: list[Pending] = []
        # Weakly: a flow that an operator subscribes to for each item has a stage each time.
        self._stages: WeakValueDictionary[int, Openable] = WeakValueDictionary()
        self._numbers = itertools.count()
        #: what calls wait for before they begin
        self._waits: dict[asyncio.Timeout, None] = {}

    def begin(self) -> None:
        """Let no call begin from now on."""
        if self.begun:
            return
        self.begun = True
        for scope in [*self._waits]:
            scope.reschedule(self._loop.time())
        for stage in [*self._stages.values()]:
            stage.open_up()

    def let_through(self) -> None:
        """Have nothing wait for the calls in flight."""
        for stage in [*self._stages.values()]:
            stage.let_through()

    def ends(self, moment: int) -> bool:
        """Whether a source that has this number ends when the run is drained."""
        return moment < self._moment

    def add_stage(self, stage: Openable) -> None:
        """Have a stage open up when the run is drained."""
        self._stages[next(self._numbers)] = stage
        if self.begun:
            stage.open_up()

    def guarded(self, function: Callable[..., Any], executor: object) -> Callable[..., Any]:
        """The function of a step, as it goes to its executor: in a pool of threads it raises
        `CallNotBegun` where its turn comes too late. What leaves the process must stay as it is."""
        if executor != "thread" and not isinstance(executor, ThreadPoolExecutor):
            return function

        def begin(*args: Any, **kwargs: Any) -> Any:
            if self.begun:
                raise CallNotBegun
            return function(*args, **kwargs)

        return begin

    async def wait_for(self, awaitable: Awaitable[Any]) -> Any:
        """What an awaitable comes to that a call waits for before it begins; `DRAINED`, if it would
        wait in a run that is drained."""
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._waits[scope] = None
                if self.begun:
                    scope.reschedule(self._loop.time())
                return await awaitable
        except TimeoutError:
            if scope.expired():
                return DRAINED
            raise
        finally:
            self._waits.pop(scope, None)


class Leftover:
    """The products that one step leaves in a run that is drained.

    `place` tells the path of the step, and which of those with that path it is; `kept` returns a
    product as it is now.
    """

    __slots__ = ("_kept", "_place", "_step", "draining")

    def __init__(
        self,
        draining: Draining,
        step: str,
        place: Callable[[], tuple[str, int]],
        kept: Callable[[Any], Any] | None,
    ) -> None:
        self.draining = draining
        self._step = step
        self._place = place
        self._kept = kept

    def of(self, item: Any) -> Items[Any]:
        """The outcome of a call that is not made: nothing, and its product is pending."""
        path, number = self._place()
        kept = item if self._kept is None else self._kept(item)
        self.draining.pending.append(Pending(self._step, path, kept, number))
        return Items((), ready=True)

    def of_call(self, error: BaseException, item: Any) -> None:
        """A call has ended by an error: if the run was told to end, its product is pending."""
        stopped = isinstance(error, asyncio.CancelledError | GeneratorExit)
        if stopped and self.draining.begun:
            self.of(item)
