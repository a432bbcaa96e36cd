"""A call's leave to run, from a limiter of the user's.

Rules of this file:

1. A call takes its slot first, and its permit then; a call that waits for a slot holds no permit.
2. A call that waits for room lends its permit where a call further down needs one of the same
   limiter: its products, and so its room, may depend on it.
3. A call that waits for a permit which only callers of calls that wait hold, be it for the same
   limiter, would wait for ever. That is an error, and names its callers.
"""

from __future__ import annotations

import asyncio
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final

from .._common.left_watch import LimiterPlaces
from .._common.messages import short
from .._errors import UsageError

__all__ = ["Claim", "Permit"]

#: The slots of the call that runs here, and of those that it was called by, the outermost first.
_OF_CALLERS: Final[ContextVar[tuple[Claim, ...]]] = ContextVar("_OF_CALLERS", default=())


class _Ledger:
    """Which calls have slots in something that they share, and which wait for one, by their
    callers."""

    __slots__ = ("holders", "loop", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        #: on which all of them are, as far as that matters
        self.loop = loop
        self.holders: set[Claim] = set()
        self.waiting: dict[Claim, tuple[Claim, ...]] = {}

    @property
    def may_be_stuck(self) -> bool:
        """Whether who waits has to, and for nobody but calls that we know."""
        if not self.waiting or not self.holders:
            return False
        return next(iter(self.waiting)).is_full(len(self.holders))


class _Ledgers:
    """All of them, by the id of what is shared, while slots of it are held or waited for. Not by
    run, nor by thread: a call may begin a run, in a thread of its own."""

    def __init__(self) -> None:
        self.open: dict[int, _Ledger] = {}
        self.lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # Another thread of the parent may have held the lock, and the calls are all the parent's.
        self.open, self.lock = {}, threading.RLock()

    def are_stuck(self, newest: _Ledger) -> bool:
        """Whether who waits in this one waits for ever: each holder there, and wherever else one
        of them waits, has called one that does."""
        if not newest.may_be_stuck:
            return False
        stuck = [ledger for ledger in self.open.values() if ledger.may_be_stuck]
        while newest in stuck:
            callers: set[Claim] = set()
            for ledger in stuck:
                callers.update(*ledger.waiting.values())
            left = [ledger for ledger in stuck if ledger.holders <= callers]
            if len(left) == len(stuck):
                return True
            stuck = left
        return False


_ledgers: Final = _Ledgers()


class Claim(ABC):
    """The permit of one call in what calls share: the call waits for it, holds it, and returns
    it."""

    __slots__ = ("_shared", "_who", "is_over")

    def __init__(self, shared: object, who: str) -> None:
        #: whether the call has ended, and others may follow it in its context
        self.is_over = False
        self._shared = shared
        self._who = who

    @abstractmethod
    def is_full(self, holders: int) -> bool:
        """Whether calls that wait there have to wait, with so many holders."""

    @property
    @abstractmethod
    def _texts(self) -> tuple[str, str]:
        """What is shared, and what to do where that can't be, for messages."""

    def enter(self) -> None:
        """What runs in this context from now on, the call runs."""
        callers = tuple(claim for claim in _OF_CALLERS.get() if not claim.is_over)
        if callers[-1:] != (self,):
            _OF_CALLERS.set((*callers, self))

    def await_place(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin to wait; raises `UsageError` where that would be for ever, or where a slot is held
        or awaited on another `loop`."""
        callers = tuple(claim for claim in _OF_CALLERS.get() if claim is not self)
        with _ledgers.lock:
            ledger = _ledgers.open.setdefault(id(self._shared), _Ledger(loop))
            ledger.waiting[self] = callers
            try:
                if callers and _ledgers.are_stuck(ledger):
                    raise self._deadlock(callers)
                if ledger.loop is not loop:
                    raise self._foreign_loop()
            except BaseException:
                self.give_up_place()
                raise

    def hold_place(self) -> None:
        """It has come."""
        with _ledgers.lock:
            ledger = _ledgers.open.setdefault(id(self._shared), _Ledger(None))
            ledger.waiting.pop(self, None)
            ledger.holders.add(self)

    def give_up_place(self, future: object = None) -> None:
        """It is neither held nor waited for any more."""
        with _ledgers.lock:
            ledger = _ledgers.open.get(id(self._shared))
            if ledger is not None:
                ledger.waiting.pop(self, None)
                ledger.holders.discard(self)
                if not ledger.holders and not ledger.waiting:
                    del _ledgers.open[id(self._shared)]

    def _foreign_loop(self) -> UsageError:
        return UsageError(
            f"{self._who}: {self._texts[0]} belongs to the event loop that it was first used on"
        )

    def _deadlock(self, callers: tuple[Claim, ...]) -> UsageError:
        # The same step may need several slots.
        way = dict.fromkeys(claim._who for claim in (*callers, self))
        shared, advice = self._texts
        return UsageError(
            f"{self._who} would wait for ever: each slot of {shared} is held by a call that waits"
            " for a call inside of itself, which waits for a slot that is held in the same way,"
            f" as here: {' → '.join(way)}. {advice}"
        )


class Permit(Claim):
    """The permit of one call, for one attempt after the other.

    `step` is for messages; `hold` returns a block in which the call counts as waiting.
    `is_needed_downstream` tells whether calls further down need permits of the same limiter.
    """

    __slots__ = (
        "_hold", "_is_inside", "_is_left", "_limiter", "_places", "_step", "is_lent",
        "is_needed_downstream",
    )  # fmt: skip

    def __init__(
        self,
        limiter: AbstractAsyncContextManager[Any],
        step: str,
        hold: Callable[[], AbstractContextManager[object]],
        is_needed_downstream: bool,
    ) -> None:
        super().__init__(limiter, f"step {step!r}")
        self.is_needed_downstream = is_needed_downstream
        #: whether the call must take it back before its code runs again
        self.is_lent = False
        self._limiter = limiter
        self._step = step
        self._hold = hold
        self._is_inside = self._is_left = False
        self._places: LimiterPlaces

    async def take(self, wait: Callable[[Awaitable[Any]], Awaitable[bool]] | None = None) -> bool:
        """Wait for a permit, by `wait` if that is given, which tells whether it came; whether it
        did.

        Raises `UsageError` where it would never come, or where the limiter is of another loop.
        """
        # Those of asyncio notice it only where somebody has to wait, and wake nobody elsewhere.
        is_bound = hasattr(self._limiter, "_get_loop")
        self.await_place(asyncio.get_running_loop() if is_bound else None)
        try:
            with self._hold():
                entering = self._enter()
                if wait is None:
                    await entering
                elif not await wait(entering):
                    return False
            self._is_inside = True
            self.hold_place()
        except RuntimeError as error:
            if "different event loop" not in str(error):
                raise
            # which asyncio's message, and the note on it, say more of
            raise self._foreign_loop() from error
        finally:
            if not self._is_inside:
                self.give_up_place()
        self.enter()
        return True

    async def leave(self, error: BaseException | None = None) -> None:
        """Return it, if the call has it; `error` is what the call has ended with."""
        if not self._is_inside:
            return
        self._is_inside = False
        self.give_up_place()
        self._places.end(self._is_left)
        trace = None if error is None else error.__traceback__
        await self._limiter.__aexit__(None if error is None else type(error), error, trace)

    def detached(self) -> Permit:
        """Another permit in the place of this one, for what the call has left running."""
        made = Permit(self._limiter, self._step, self._hold, self.is_needed_downstream)
        made._is_inside, self._is_inside = self._is_inside, False
        if made._is_inside:
            made.hold_place()
            self.give_up_place()
            made._places, made._is_left = self._places, True
            made._places.leave()
        return made

    async def _enter(self) -> None:
        def what() -> str:
            return f"{self._who}: nothing holds {self._texts[0]}"

        self._places = LimiterPlaces.of(self._limiter)
        await self._places.enter(self._limiter, what)

    async def lend(self) -> None:
        """Leave it to others, while no code of the call runs."""
        if self._is_inside:
            self.is_lent = True
            await self.leave()

    async def take_back(self) -> None:
        """Wait for it again."""
        await self.take()
        self.is_lent = False

    def is_full(self, holders: int) -> bool:
        """Whether it says so."""
        # A limiter of calls per second has no such method, and admits whatever waits.
        locked = getattr(self._limiter, "locked", None)
        try:
            return locked is not None and locked()
        except RuntimeError:
            return False  # those who wait changed meanwhile, in the thread of another run

    @property
    def _texts(self) -> tuple[str, str]:
        advice = (
            "Use another limiter for the flow that is run inside of a call, or leave the limiter"
            " out at one of these steps"
        )
        return f"limiter={short(self._limiter)}", advice
