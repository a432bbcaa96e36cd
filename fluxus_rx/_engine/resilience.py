"""What a step's options do to each of its calls: limiter, time-out, attempts, failures.

Rules of this file:

1. An attempt is made inside of the limiter, and its seconds count from when it has been entered;
   off the loop, from when the call begins to run there. What a call that was left holds, it holds
   until it ends.
2. A call that has yielded nothing yet can be made again. One that has yielded products can't,
unless they are the same each time: then those already yielded are skipped. 3. Only an `Exception`
is ever retried, kept or replaced. What ends a run goes through.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from .._common.messages import note, place_note
from .._common.text import counted
from .._errors import MissingAttributeError, UsageError
from .._loops.loop_errors import note_loop_error
from .._options.attempt_clock import AttemptClock
from .._options.failure import Failure, FailureLog
from .._options.retry import Attempts, retries
from .._rx.draining import DRAINED, Leftover
from .._streams.context import Items, unmistakable
from .._streams.iteration import Reader, aclose
from .._streams.loop_clock import LoopClock
from .._streams.permit import Permit
from .bound_step import BoundStep, Deferred, settle
from .metered import counted_outcome

__all__ = ["resilient"]

_log = logging.getLogger(__name__)

#: What is wrong with the flow itself: what is used in the wrong place, or wired wrongly, is so for
#: each item. Skipped, it would leave an empty result that looks like a good one.
_MISTAKES: Final = (UsageError, MissingAttributeError)


def resilient(
    work: BoundStep,
    step: str,
    place: Callable[[], tuple[str, int]],
    *,
    log: FailureLog | None,
    lends: bool = False,
    leftover: Leftover | None = None,
    clock: LoopClock | None = None,
) -> BoundStep:
    """The same work, each call of it as its options say.

    `place` tells the path of the step, and which of those with that path it is; `log` takes the
    failures that don't end the run; `lends` says that a step further down has the same limiter. The
    product of a call that waits when the run is drained is a `leftover`, if the run can be.
    Time-outs go by the `clock`.
    """
    options = work.options
    # A call elsewhere needs nothing of this: 1 µs of a product (benchmark "threads").
    if options.on_error == "raise" and not replace(options, executor=None).waits:
        return work
    if options.on_error == "collect" and (log is None or not log.collects):
        raise UsageError(
            f"step {step!r} has on_error='collect', but nothing here takes its failures: run it"
            " with run() or arun(), pass on_failure=… to stream(), astream() or the run() of a"
            " flow, or set on_error to a function"
        )
    resilience = _Resilience(work, step, place, log, lends, leftover, clock)
    # A function that replaces products of failed calls may turn out to be asynchronous.
    may_wait = work.may_wait or callable(options.on_error)
    return work._replace(apply=resilience.apply, acall=resilience.acall, may_wait=may_wait)


class _Resilience:
    """What the options of one step say, bound to a run."""

    def __init__(
        self,
        work: BoundStep,
        step: str,
        place: Callable[[], tuple[str, int]],
        log: FailureLog | None,
        lends: bool,
        leftover: Leftover | None,
        clock: LoopClock | None,
    ) -> None:
        options = work.options
        self.work = work
        self.step = step
        self._leftover = leftover
        self.timeout = options.timeout
        self.clock = clock
        self.offload = work.offload
        self._limiter = options.limiter
        self._lends = lends
        self._is_bare = self._limiter is None and self.timeout is None
        self._place = place
        self._log = log
        self._gauge = work.gauge
        self._on_error = options.on_error
        self._retries = retries(options.retry, step, work.arguments)
        self._repeatable = options.repeatable

    # A step that never waits

    def apply(self, item: Any) -> Any:
        """A call of a synchronous step, whose options wait for nothing."""
        try:
            outcome = self.work.apply(item)
        except Exception as error:
            return self._handle(error, item, 1, 0)
        if outcome.__class__ is not Items:
            return outcome
        source = outcome.source
        if source.__class__ is Deferred:
            return Items(Deferred(source, partial(self._finish, item)))
        return Items(self._guard(source, item))

    async def _finish(self, item: Any, later: Deferred) -> Any:
        try:
            outcome = await settle(Items(later))
        except Exception as error:
            return await settle(self._handle(error, item, 1, 0))
        if outcome.__class__ is Items:
            return Items(self._products(_Attempt(self, item), outcome.source, None))
        return outcome

    def _guard(self, source: Iterable[Any], item: Any) -> Iterator[Any]:
        given = 0
        try:
            for product in source:
                yield product
                given += 1
        except Exception as error:
            outcome = self._handle(error, item, 1, given)
            if outcome.__class__ is not Items:
                yield outcome
            elif outcome.source.__class__ is Deferred:
                outcome.source.close()
                raise UsageError(
                    f"step {self.step!r}: its on_error returned an awaitable, where nothing"
                    " can wait; write it with async def"
                ) from error
            else:
                yield from outcome.source
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    # A step that may wait

    async def acall(self, item: Any) -> Any:
        """A call of a step, with all its attempts."""
        attempts = None if self._retries is None else self._retries(item)
        failed: Exception | None = None
        if self._is_bare:
            # The usual case, which is 1 µs less than an attempt that is made for it.
            try:
                outcome = await self.work.acall(item)
                if outcome.__class__ is not Items:
                    return outcome
                outcome = await settle(outcome)
            except Exception as error:
                failed = error
            else:
                if outcome.__class__ is not Items:
                    return outcome
                return Items(self._products(_Attempt(self, item), outcome.source, attempts))
        permit = None
        if self._limiter is not None:
            permit = Permit(self._limiter, self.step, self._hold, self._lends)
        attempt, outcome = await self._begin(item, permit, attempts, failed, 0)
        if attempt is None or outcome.__class__ is not Items:
            return outcome
        if outcome.ready:
            permit = None
        return Items(self._products(attempt, outcome.source, attempts), permit=permit)

    async def _begin(
        self,
        item: Any,
        permit: Permit | None,
        attempts: Attempts | None,
        error: Exception | None,
        given: int,
    ) -> tuple[_Attempt | None, Any]:
        """The next attempt that returns something, and what it returns; where there is none, what
        the failure comes to."""
        while True:
            if error is not None:
                retried = await self._may_retry(attempts, error, item, given)
                if retried is DRAINED and self._leftover is not None:
                    return None, self._leftover.of(item)
                if not retried:
                    number = 1 if attempts is None else attempts.number
                    return None, await settle(self._handle(error, item, number, given))
            number = 1 if attempts is None else attempts.number
            attempt = _Attempt(self, item, permit, number)
            try:
                return attempt, await attempt.begin()
            except Exception as raised:
                error = raised

    async def _may_retry(
        self, attempts: Attempts | None, error: Exception, item: Any, given: int
    ) -> Any:
        """Whether to retry after a call has failed that had yielded so much; waits before.
        `DRAINED`, where it would wait in a run that is drained."""
        if attempts is None or (given and not self._repeatable):
            return False
        gauge = self._gauge
        if gauge is None:
            return await attempts.again(error)
        position = self.work.position(item)
        gauge.again(position)
        try:
            with gauge.pausing(attempts):
                goes_on = await self._wait_for(attempts.again(error))
        except Exception:
            gauge.given_up(position)
            raise
        if not goes_on:
            gauge.given_up(position)
        return goes_on

    def _wait_for(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """What a call waits for before it begins; in a run that is drained, `DRAINED`."""
        leftover = self._leftover
        return awaitable if leftover is None else leftover.draining.wait_for(awaitable)

    async def is_let_in(self, entering: Awaitable[Any]) -> bool:
        """Wait for the limiter; whether the call may begin, as the run is not drained before."""
        return await self._wait_for(entering) is not DRAINED

    def leave(self, item: Any) -> Any:
        """The outcome of a call that does not begin, in a run that is drained."""
        assert self._leftover is not None
        return self._leftover.of(item)

    def _hold(self) -> AbstractContextManager[object]:
        """A call waits for the limiter inside the block, which may refuse it."""
        return contextlib.nullcontext() if self._gauge is None else self._gauge.entering_limiter()

    def overrun(self, error: TimeoutError, item: Any) -> None:
        """A call has been cancelled, since its seconds are over."""
        if self._gauge is not None and self._gauge.count_overrun is not None:
            self._gauge.count_overrun(error, item)

    async def _products(
        self, attempt: _Attempt, source: Any, attempts: Attempts | None
    ) -> AsyncGenerator[Any, None]:
        """What a call yields, over all its attempts; each product once."""
        given = 0
        outcome: Any = Items(source)
        now: _Attempt | None = attempt
        while now is not None:
            passed = given
            reader = Reader(now.items(outcome.source))
            try:
                while True:
                    try:
                        product = await reader.next()
                    except StopAsyncIteration:
                        return
                    passed -= 1
                    if passed >= 0:
                        if self._gauge is not None:
                            self._gauge.gave(-1)
                        continue
                    given += 1
                    try:
                        yield product
                    except asyncio.CancelledError as cancelled:
                        reader.throw(cancelled)
            except Exception as error:
                failed: Exception = error
            finally:
                await reader.aclose()
            now, outcome = await self._begin(attempt.item, attempt.permit, attempts, failed, given)
            if outcome.__class__ is not Items:
                if now is None or not given:
                    yield outcome
                return
        replacements = aiter(_as_async_iterable(outcome.source))
        try:
            async for product in replacements:
                yield product
        finally:
            await aclose(replacements)

    # Failed calls

    def _handle(self, error: Exception, item: Any, attempts: int, given: int) -> Any:
        """What a failure comes to, after a call has yielded so many products: an outcome, or the
        error itself."""
        raised = unmistakable(error)
        if attempts > 1:
            note(raised, f"after {counted(attempts, 'attempt')}")
        if self._on_error == "raise" or isinstance(raised, _MISTAKES):
            if raised is error:
                raise error
            raise raised from error
        assert isinstance(raised, Exception)
        if self._gauge is not None:
            self._gauge.handled(self.work.position(item))
        where = self.work.explain(raised, item)
        note_loop_error(raised)
        path, number = self._place()
        kept = item if self.work.kept is None else self.work.kept(item)
        failure = Failure(self.step, path, kept, raised, attempts, note=where, _place=number)
        if self._log is not None:
            self._log.add(failure, self._on_error == "collect")
        if isinstance(self._on_error, str):
            _log.debug("%s; on_error=%r", failure, self._on_error)
            return Items(())
        with self._explain(failure):
            replacement = self._on_error(failure)
            if not inspect.isawaitable(replacement):
                return self._replace(replacement, item, given)

        async def finish(awaited: Awaitable[Any]) -> Any:
            with self._explain(failure):
                return self._replace(await awaited, item, given)

        return Items(Deferred(replacement, finish))

    @contextlib.contextmanager
    def _explain(self, failure: Failure) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            place = f"in on_error of step {self.step!r}, "
            place_note(error, place, f"for the failure: {failure}")
            raise

    def _replace(self, replacement: Any, item: Any, given: int) -> Any:
        if replacement is None:
            return Items(())
        assert self.work.given is not None
        outcome = self.work.given(replacement, item, given)
        return outcome if self._gauge is None else counted_outcome(outcome, self._gauge)


class _Attempt:
    """One attempt of one call."""

    __slots__ = ("_clock", "_number", "_resilience", "item", "permit")

    def __init__(
        self, resilience: _Resilience, item: Any, permit: Permit | None = None, number: int = 1
    ) -> None:
        self.item = item
        self._number = number
        self.permit = permit
        self._resilience = resilience
        self._clock: AttemptClock | None = None
        if resilience.timeout is not None and resilience.clock is not None:
            self._clock = AttemptClock(resilience.clock, resilience.timeout)

    async def begin(self) -> Any:
        """Make the call; what it returns, with the limiter left unless that is still to come."""
        resilience = self._resilience
        if self.permit is not None and not await self.permit.take(resilience.is_let_in):
            return resilience.leave(self.item)
        try:
            outcome = await self._time_out(resilience.work.attempt(self._number)(self.item))
            if outcome.__class__ is Items:
                outcome = await self._time_out(settle(outcome))
        except BaseException as error:
            await self._leave(error)
            raise
        if outcome.__class__ is not Items or outcome.ready:
            await self._leave(None)
        return outcome

    async def items(self, source: Any) -> AsyncGenerator[Any, None]:
        """What the call yields; then the limiter is left."""
        reader = Reader(_as_async_iterable(source))
        try:
            while True:
                try:
                    product = await self._time_out(reader.next())
                except StopAsyncIteration:
                    break
                try:
                    yield product
                except asyncio.CancelledError as cancelled:
                    reader.throw(cancelled)
        except BaseException as error:
            await reader.aclose()
            await self._leave(error)
            raise
        await reader.aclose()
        await self._leave(None)

    async def _leave(self, error: BaseException | None) -> None:
        permit, offload = self.permit, self._resilience.offload
        if permit is None:
            return
        if error is None or offload is None:
            await permit.leave(error)
            return
        # What the call has left running keeps the permit until it ends.
        leave = partial(permit.detached().leave, error)
        if not offload.release_later(leave):
            await leave()

    async def _time_out(self, awaitable: Awaitable[Any]) -> Any:
        """Await, for the seconds that are left to this attempt."""
        clock, resilience = self._clock, self._resilience
        if clock is None:
            return await awaitable
        try:
            if resilience.offload is None:
                return await clock.limit(awaitable)
            return await resilience.offload.limited(clock, awaitable)
        except TimeoutError as error:
            if not clock.is_up:
                raise  # one of the step's own
            overran = TimeoutError(
                f"step {resilience.step!r} took longer than {resilience.timeout:g} s"
            )
            resilience.overrun(overran, self.item)
            raise overran from error


def _as_async_iterable(source: Any) -> AsyncIterable[Any]:
    return source if hasattr(source, "__aiter__") else _async_items(source)


async def _async_items(source: Any) -> AsyncGenerator[Any, None]:
    """The items of a synchronous iterable, asynchronously; closed at the end."""
    try:
        for item in source:
            yield item
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
