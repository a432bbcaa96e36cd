"""A call's leave to run, from a limiter of the user's.

Rules of this file:

1. A call takes its slot first, and its permit then; who waits for a slot holds no permit.
2. A call that waits for room lends its permit where a call further down needs one of the same
   limiter: its products, and so its room, may depend on it.
3. A call that waits for a permit which only its own callers hold would wait for ever. That is an
   error, and names all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final

from .._common.messages import short
from .._errors import UsageError

__all__ = ["Permit"]

#: The permits of the call that runs here, and of those that it was called by, the outermost first.
_OF_CALLERS: Final[ContextVar[tuple[Permit, ...]]] = ContextVar("_OF_CALLERS", default=())


class _Ledger:
    """Who has permits of one limiter, and who waits for one, by the callers of whoever waits."""

    __slots__ = ("holders", "waiting")

    def __init__(self) -> None:
        self.holders: set[Permit] = set()
        self.waiting: dict[Permit, tuple[Permit, ...]] = {}

    @property
    def is_stuck(self) -> bool:
        """Whether each call that holds a permit waits for another one."""
        stuck = {caller for callers in self.waiting.values() for caller in callers}
        return self.holders <= stuck


#: By the id of the limiter, while one of its permits is held or waited for. Not by run: a call may
#: begin another.
_LEDGERS: Final[dict[int, _Ledger]] = {}


class Permit:
    """The permit of one call, for one attempt after the other.

    `step` is for messages; `hold` gives a block in which the call counts as waiting.
    `is_needed_downstream` tells whether calls further down need permits of the same limiter.
    """

    __slots__ = ("_hold", "_is_inside", "_limiter", "_step", "is_lent", "is_needed_downstream")

    def __init__(
        self,
        limiter: AbstractAsyncContextManager[Any],
        step: str,
        hold: Callable[[], AbstractContextManager[object]],
        is_needed_downstream: bool,
    ) -> None:
        self.is_needed_downstream = is_needed_downstream
        #: whether the call must take it back before its code runs again
        self.is_lent = False
        self._limiter = limiter
        self._step = step
        self._hold = hold
        self._is_inside = False

    async def take(self, wait: Callable[[Awaitable[Any]], Awaitable[bool]] | None = None) -> bool:
        """Wait for a permit, by `wait` if that is given, which tells whether it came; whether it
        did.

        Raises `UsageError` where it would never come, or where the limiter is of another loop.
        """
        callers = _OF_CALLERS.get()
        ledger = _LEDGERS.setdefault(id(self._limiter), _Ledger())
        ledger.waiting[self] = callers
        try:
            if callers and ledger.holders and ledger.is_stuck:
                self._refuse_deadlock(callers)
            with self._hold():
                entering = self._limiter.__aenter__()
                if wait is None:
                    await entering
                elif not await wait(entering):
                    return False
            self._is_inside = True
            ledger.holders.add(self)
        except RuntimeError as error:
            if "different event loop" not in str(error):
                raise
            raise UsageError(
                f"step {self._step!r}: limiter={short(self._limiter)} belongs to the event loop"
                " that it was first used on"
            ) from error  # which asyncio's message, and the note on it, say more of
        finally:
            del ledger.waiting[self]
            self._tidy(ledger)
        if callers[-1:] != (self,):
            _OF_CALLERS.set((*callers, self))
        return True

    async def leave(self, error: BaseException | None = None) -> None:
        """Give it back, if the call has it; `error` is what the call has ended with."""
        if not self._is_inside:
            return
        self._is_inside = False
        ledger = _LEDGERS.get(id(self._limiter))
        if ledger is not None:
            ledger.holders.discard(self)
            self._tidy(ledger)
        trace = None if error is None else error.__traceback__
        await self._limiter.__aexit__(None if error is None else type(error), error, trace)

    def detached(self) -> Permit:
        """Another permit in the place of this one, for what the call has left running."""
        made = Permit(self._limiter, self._step, self._hold, self.is_needed_downstream)
        made._is_inside, self._is_inside = self._is_inside, False
        ledger = _LEDGERS.get(id(self._limiter))
        if ledger is not None and made._is_inside:
            ledger.holders.discard(self)
            ledger.holders.add(made)
        return made

    async def lend(self) -> None:
        """Leave it to others, while no code of the call runs."""
        if self._is_inside:
            self.is_lent = True
            await self.leave()

    async def take_back(self) -> None:
        """Wait for it again."""
        await self.take()
        self.is_lent = False

    def _tidy(self, ledger: _Ledger) -> None:
        if not ledger.holders and not ledger.waiting:
            _LEDGERS.pop(id(self._limiter), None)

    def _refuse_deadlock(self, callers: tuple[Permit, ...]) -> None:
        # A limiter of calls per second has no such method, and lets in whoever waits.
        locked = getattr(self._limiter, "locked", None)
        if locked is None or not locked():
            return
        way = [permit._step for permit in callers if permit._limiter is self._limiter]
        chain = " → ".join(f"step {step!r}" for step in (*way, self._step))
        raise UsageError(
            f"step {self._step!r} would wait for ever: each place in"
            f" limiter={short(self._limiter)} is held by a call that waits for a place in it"
            f" itself, as here: {chain}. Give the flow that is run inside of a call a limiter of"
            " its own, or leave the limiter out at one of these steps"
        )
