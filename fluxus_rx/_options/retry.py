"""How often a failed call is retried, and after what wait."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from .._common.messages import short, shown
from .._common.short_repr import show_by
from .._common.signatures import function_name, is_coroutine_function
from .._errors import FlowError, InvalidOptionError
from .._streams.timing import clock

__all__ = [
    "FIRST_WAIT",
    "LONGEST_WAIT",
    "Attempts",
    "Retries",
    "RetryPolicy",
    "check_retry",
    "longest_wait",
    "retries",
]

#: The longest waits in seconds, after the first attempt and after any: those of tenacity's
#: `wait_random_exponential(multiplier=1, max=60)`.
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0


class Attempts(Protocol):
    """The attempts of one call; `number` is that of the one that runs or is just over, from 1, and
    `resumes_at` the moment at which a pause before the next one ends, by the clock of the run."""

    number: int
    resumes_at: float

    async def again(self, error: Exception) -> bool:
        """Whether there is to be another attempt, now that one has failed with this error.

        True comes once it is time for it, with `number` raised by 1. An error of a policy's hook
        surfaces here, with `error` as its context.
        """
        ...


class RetryPolicy(Protocol):
    """A retrying object of tenacity, for type checkers."""

    stop: Any
    wait: Any
    retry: Any
    before_sleep: Any


#: Begins the attempts of the call with a product. Raises what a policy's `before` hook raises.
Retries: TypeAlias = Callable[[Any], Attempts]


def check_retry(value: object) -> None:
    """Raise InvalidOptionError for anything but a value of the option `retry`.

    >>> check_retry(True)
    Traceback (most recent call last):
    ...
    fluxus_rx.InvalidOptionError: retry=True (bool): expected a number of attempts from 1 on, a
    tenacity retrying object such as AsyncRetrying(...), or None
    """
    if value is None or (type(value) is int and value >= 1):
        return
    if _is_policy(value):
        show_by(_tenacity().BaseRetrying, _policy_text)
        problem = _problem_of(value)
    else:
        problem = _mistake_in(value)
    if problem:
        raise InvalidOptionError(f"retry={shown(value)}: {problem}")


def retries(
    value: object, step: str = "", arguments: Callable[[Any], dict[str, Any]] | None = None
) -> Retries | None:
    """What begins the attempts of each call of a step, or None if no call is retried.

    - A number: so many attempts at most, with exponential backoff and full jitter in between: each
      wait is a random part of `longest_wait`.
    - A retrying object of tenacity: its `stop`, `wait`, `retry`, `before`, `after`, `before_sleep`
      count, for each call from the start; all but `before` may be async. An `AsyncRetrying` sleeps
      with its own `sleep`, any other with that of asyncio. Results are never told, `statistics` not
      kept. In the state that they are given, `fn` has the name of the step, `args` the product, and
      `kwargs` what `arguments` returns for that: the arguments of the call.

    Never retried, whatever the policy says: a call that failed with an error that isn't an
    Exception, or with one of the library's own errors, since a step that is written wrongly stays
    so.

    >>> attempts = retries(3)({"x": 1})
    >>> attempts.number, asyncio.run(attempts.again(FlowError()))
    (1, False)
    """
    if value is None or isinstance(value, int):
        return partial(_CountedAttempts, value) if value is not None and value > 1 else None
    # A recent tenacity has a switch, with which users turn retrying off in their tests.
    if not getattr(value, "enabled", True):
        return None
    return partial(_PolicyAttempts, value, _RetriedStep(step), arguments)


def longest_wait(failed: int) -> float:
    """The longest wait, in seconds, after so many attempts have failed.

    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: calls that failed together come
    back spread out, which takes the least work in all if waits start from 0.

    >>> [longest_wait(failed) for failed in (1, 2, 3, 6, 7, 10_000)]
    [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
    """
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failed - 1, 99))  # 2.0**1024 would overflow.


def _is_final(error: BaseException) -> bool:
    return isinstance(error, FlowError) or not isinstance(error, Exception)


class _CountedAttempts:
    __slots__ = ("_most", "number", "resumes_at")

    def __init__(self, most: int, product: Any) -> None:
        self._most = most
        self.number = 1
        self.resumes_at = 0.0

    async def again(self, error: Exception) -> bool:
        if self.number >= self._most or _is_final(error):
            return False
        import random

        wait = random.uniform(0.0, longest_wait(self.number))
        self.resumes_at = clock()() + wait
        await asyncio.sleep(wait)
        self.number += 1
        return True


class _RetriedStep:
    """What the hooks of a policy are told was called: a step, by its name."""

    def __init__(self, name: str) -> None:
        # As those of a function; the name of this class says nothing to the reader of a log.
        self.__name__ = self.__qualname__ = name
        self.__module__ = ""

    def __repr__(self) -> str:
        return f"<step {self.__name__!r}>"


class _PolicyAttempts:
    """The attempts that a retrying object of tenacity decides on.

    In the order of tenacity 9, but not with its `iter`: that takes a copy of the object for each
    call, which not every subclass can make, and takes a coroutine of an async predicate for true.
    """

    __slots__ = ("_arguments", "_policy", "_state", "number", "resumes_at")

    def __init__(
        self,
        policy: Any,
        step: _RetriedStep,
        arguments: Callable[[Any], dict[str, Any]] | None,
        product: Any,
    ) -> None:
        self._policy = policy
        self._arguments = arguments
        self._state: Any = _tenacity().RetryCallState(policy, step, (product,), {})
        self.number = 1
        self.resumes_at = 0.0
        if policy.before is not None:
            self._tell_arguments()
            policy.before(self._state)

    def _tell_arguments(self) -> None:
        # Once somebody may look at them: most calls succeed at once, and have no hook before.
        state = self._state
        if not state.kwargs and self._arguments is not None:
            state.kwargs = self._arguments(state.args[0])

    async def again(self, error: Exception) -> bool:
        if _is_final(error):
            return False
        traceback = error.__traceback__
        try:
            # Python itself then makes it the context of what hooks raise; they see it as handled.
            raise error
        except Exception:
            error.__traceback__ = traceback
            if await self._goes_on(error):
                return True
        self._state = None  # It holds the error, whose traceback holds what holds these attempts.
        return False

    async def _goes_on(self, error: Exception) -> bool:
        policy, state = self._policy, self._state
        self._tell_arguments()
        state.set_exception((type(error), error, error.__traceback__))
        asked_for = isinstance(error, _tenacity().TryAgain)
        if not asked_for and not await _outcome(policy.retry(state)):
            return False
        if policy.after is not None:
            await _outcome(policy.after(state))
        # The wait first: `stop_before_delay` asks how long it will be. None or 0 mean no wait.
        state.upcoming_sleep = await _outcome(policy.wait(state)) if callable(policy.wait) else 0.0
        if await _outcome(policy.stop(state)):
            return False
        state.next_action = _tenacity().RetryAction(state.upcoming_sleep)
        state.idle_for += state.upcoming_sleep
        if policy.before_sleep is not None:
            await _outcome(policy.before_sleep(state))
        state.prepare_for_next_attempt()
        self.resumes_at = clock()() + state.upcoming_sleep
        own = isinstance(policy, _tenacity().AsyncRetrying)
        await _outcome((policy.sleep if own else asyncio.sleep)(state.upcoming_sleep))
        self.number = state.attempt_number
        if policy.before is not None:
            policy.before(state)
        return True


async def _outcome(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _tenacity() -> Any:
    """The module, if it is imported: code that passes an object of it has imported it."""
    return sys.modules.get("tenacity")


def _is_policy(value: object) -> bool:
    return isinstance(value, getattr(_tenacity(), "BaseRetrying", ()))


def _policy_text(policy: Any) -> str:
    """A policy as it could be written: what differs from the defaults, without addresses."""
    parts = {name: _part_text(getattr(policy, name)) for name in ("stop", "wait", "retry")}
    said = [f"{k}={text}" for k, text in parts.items() if not text.startswith(_DEFAULT_PARTS)]
    return f"{type(policy).__name__}({', '.join(said)})"


#: How what a policy has begins where nothing is said.
_DEFAULT_PARTS: Final = ("_stop_never(", "wait_none(", "retry_if_exception_type(Exception)")
#: How many values of a part are told; of more, nobody knows which is which.
_MOST_VALUES: Final = 2


def _part_text(part: Any) -> str:
    if inspect.isroutine(part):
        return function_name(part)
    # Of what a part keeps, functions are what it has made of the rest.
    values = [one for one in getattr(part, "__dict__", {}).values() if not inspect.isroutine(one)]
    if len(values) == 1 and isinstance(values[0], tuple):
        values = [*values[0]]
        texts = [one.__name__ if isinstance(one, type) else _part_text(one) for one in values]
        return f"{type(part).__name__}({', '.join(texts)})"
    texts = [one.__name__ if isinstance(one, type) else short(one) for one in values]
    return f"{type(part).__name__}({', '.join(texts) if len(texts) <= _MOST_VALUES else '…'})"


def _problem_of(policy: Any) -> str | None:
    if policy.retry_error_callback is not None:
        return "its retry_error_callback would never be called; use on_error for a replacement"
    if is_coroutine_function(policy.before):
        return "its before can't be async, as nothing can wait where it is called; before_sleep can"
    return None


def _mistake_in(value: object) -> str:
    for base in type(value).__mro__:
        part = base.__name__.removesuffix("_base")
        if base.__module__ == f"tenacity.{part}":
            rest = "" if part == "stop" else ", stop=..."
            return f"that is one part of a policy; wrap it: AsyncRetrying({part}=...{rest})"
    if isinstance(value, type) and issubclass(value, BaseException):
        return (
            "to retry some errors only, write AsyncRetrying(retry=retry_if_exception_type("
            f"{value.__name__}), stop=stop_after_attempt(3)), of tenacity"
        )
    if inspect.isroutine(value) or inspect.isclass(value):
        made_by = str(getattr(value, "__module__", None)).partition(".")[0]
        if made_by == "tenacity" or _is_policy(getattr(value, "retry", None)):
            return "pass the policy itself, no function and no class: AsyncRetrying(stop=...)"
    return (
        "expected a number of attempts from 1 on, a tenacity retrying object such as"
        " AsyncRetrying(...), or None"
    )
