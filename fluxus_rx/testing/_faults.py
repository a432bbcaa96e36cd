"""Failures, delays and cancellations at a chosen moment, in functions and sources of a flow."""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Collection,
    Generator,
    Iterable,
    Mapping,
)
from math import inf
from typing import Any, NamedTuple

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from .._common.messages import short, shown
from .._common.signatures import is_async_function, is_coroutine_function, is_generator
from .._errors import InvalidFlowError, InvalidOptionError
from .._streams.iteration import Reader
from .._typing import T
from ._marbles import on_this_loop

__all__ = ["faulty"]


#: What `error=` takes.
FaultError = BaseException | type[BaseException]


class _Fault(NamedTuple):
    """What happens when it comes to a chosen event."""

    at: frozenset[int]
    error: FaultError | None
    delay: float
    cancel: bool

    def strike(self, number: int, what: str) -> None:
        """Raise what there is to raise."""
        if self.cancel:
            raise asyncio.CancelledError(f"cancelled by faulty() at {what} {number}")
        if self.error is not None:
            raise self.error


class _Plan:
    """Counts events, and says when it is time."""

    def __init__(self, fault: _Fault, what: str) -> None:
        self._fault = fault
        self._what = what
        self._count = itertools.count(1)

    def due(self) -> tuple[_Fault | None, int]:
        """The fault of the event that comes now, if it has one."""
        number = next(self._count)
        return (self._fault if number in self._fault.at else None), number

    def come(self) -> None:
        """One event, where nothing can be awaited."""
        fault, number = self.due()
        if fault is not None:
            _pass_time(fault.delay)
            fault.strike(number, self._what)

    async def acome(self) -> None:
        """One event."""
        fault, number = self.due()
        if fault is not None:
            if fault.delay:
                await asyncio.sleep(fault.delay)
            fault.strike(number, self._what)

    def error_of(self, fault: _Fault, number: int) -> BaseException | None:
        """What it raises, not raised."""
        try:
            fault.strike(number, self._what)
        except BaseException as error:
            return error
        return None


def _pass_time(seconds: float) -> None:
    loop: Any = asyncio._get_running_loop()
    if getattr(loop, "is_virtual", False):
        loop.advance(seconds)
    elif seconds:
        time.sleep(seconds)


def faulty(
    subject: T,
    *,
    at: int | Collection[int] = 1,
    error: FaultError | None = None,
    delay: float = 0.0,
    cancel: bool = False,
) -> T:
    """The same function or source, with a fault at the `at`-th event, counted from 1.

    - Events of a function are its calls: of plain functions, coroutine functions, and generator
      functions of both kinds. Its signature and its kind stay, so that it can be the function of a
      step; the fault comes before the call itself. A retry is another call: `at=1` fails the first
      attempt and lets the second one pass, `at=range(1, 4)` fails three.
    - Events of a source are its items: of any iterable, asynchronous iterable or Observable, which
      keeps its kind. The fault comes before the item; after an error there are no more. Another
      iteration or subscription gets the items that the source emits then, and the count goes on.

    The count is that of the returned object, over all its calls, runs and subscriptions; to start
    counting again, call `faulty` again. `at` may be several numbers. For different faults at
    different events, call `faulty` on the result of `faulty`: the outer one counts all events, the
    inner one those that the outer one lets through.

    `error` is raised: the object itself, or a new one of that class. `delay` is in seconds. It
    delays asynchronous functions and sources on the clock of their loop; a plain function or
    iterable holds its loop for so long, in virtual time if there is any, else by sleeping. Items of
    an Observable behind a delayed item wait for that. `cancel` raises CancelledError, as if
    something awaited had been cancelled. With a `delay`, the other faults come after it.

    Not for functions that run in processes. Raises TypeError for anything but a function or a
    source, ValueError without a fault or without an event.

    >>> from fluxus_rx import run, step
    >>> fetch = faulty(lambda x: {"y": x}, at=2, error=OSError("down"))
    >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("fetch", fetch).options(on_error="skip")
    >>> run(flow)
    RunResult([{'src': {'x': 1}, 'fetch': {'y': 1}}])
    >>> for item in faulty("abc", at=3, error=ValueError):
    ...     print(item)
    Traceback (most recent call last):
        ...
    ValueError
    """
    fault = _checked(at, error, delay, cancel)
    given: Any
    if callable(subject) and not isinstance(subject, type):
        given = _function(subject, _Plan(fault, "call"))
    elif isinstance(subject, Observable):
        given = _FaultyObservable(subject, _Plan(fault, "item"))
    elif isinstance(subject, AsyncIterable):
        given = _FaultyAsyncIterable(subject, _Plan(fault, "item"))
    elif isinstance(subject, Iterable) and not isinstance(subject, Mapping):
        given = _FaultyIterable(subject, _Plan(fault, "item"))
    else:
        raise InvalidFlowError(
            "faulty() takes a function, an iterable, an asynchronous iterable or an Observable,"
            f" not {shown(subject)}"
        )
    wrapped: T = given
    return wrapped


def _checked(at: Any, error: Any, delay: Any, cancel: bool) -> _Fault:
    numbers = [at] if isinstance(at, int) else [*at] if isinstance(at, Collection) else []
    if not numbers or not all(type(number) is int and number >= 1 for number in numbers):
        raise InvalidOptionError(
            f"at={shown(at)}: expected the number of an event, from 1 on, or several of them"
        )
    is_class = isinstance(error, type) and issubclass(error, BaseException)
    if not (error is None or is_class or isinstance(error, BaseException)):
        raise InvalidOptionError(f"error={shown(error)}: expected an exception, or a class of them")
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay < inf:
        raise InvalidOptionError(f"delay={shown(delay)}: expected a number of seconds from 0 on")
    if error is not None and cancel:
        raise InvalidOptionError("error= and cancel=: what is cancelled can't fail as well")
    if error is None and not delay and not cancel:
        raise InvalidOptionError("nothing is to go wrong: pass an error, a delay, or cancel=True")
    return _Fault(frozenset(numbers), error, delay, bool(cancel))


def _function(function: Callable[..., Any], plan: _Plan) -> Callable[..., Any]:
    if is_coroutine_function(function):
        kind = _coroutine_function
    elif is_async_function(function):
        kind = _async_generator_function
    else:
        kind = _generator_function if is_generator(function) else _plain_function
    return functools.wraps(function)(kind(function, plan))


def _plain_function(function: Callable[..., Any], plan: _Plan) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        plan.come()
        return function(*args, **kwargs)

    return call


def _generator_function(function: Callable[..., Any], plan: _Plan) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        plan.come()
        return (yield from function(*args, **kwargs))

    return call


def _coroutine_function(function: Callable[..., Any], plan: _Plan) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        await plan.acome()
        return await function(*args, **kwargs)

    return call


def _async_generator_function(function: Callable[..., Any], plan: _Plan) -> Callable[..., Any]:
    return _relay_function(function, at_start=plan.acome)


def _relay_function(
    opens: Callable[..., AsyncIterable[Any]],
    at_start: Callable[[], Awaitable[None]] | None = None,
    at_item: Callable[[], Awaitable[None]] | None = None,
) -> Callable[..., AsyncGenerator[Any, None]]:
    """An asynchronous generator function for what `opens` yields; what is thrown into it, such as
    by a time-out around a `yield`, is thrown in there."""

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        if at_start is not None:
            await at_start()
        async with Reader(opens(*args, **kwargs)) as reader:
            while True:
                try:
                    item = await reader.next()
                except StopAsyncIteration:
                    return
                if at_item is not None:
                    await at_item()
                try:
                    yield item
                except GeneratorExit:
                    raise
                except BaseException as error:
                    reader.throw(error)

    return call


class _FaultyIterable(Iterable[Any]):
    """An iterable with a fault."""

    def __init__(self, source: Iterable[Any], plan: _Plan) -> None:
        self._source = source
        self._plan = plan

    def __iter__(self) -> Generator[Any, None, None]:
        items = iter(self._source)
        try:
            for item in items:
                self._plan.come()
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def __repr__(self) -> str:
        return f"faulty({short(self._source)})"


class _FaultyAsyncIterable(AsyncIterable[Any]):
    """An asynchronous iterable with a fault."""

    def __init__(self, source: AsyncIterable[Any], plan: _Plan) -> None:
        self._source = source
        self._plan = plan

    def __aiter__(self) -> AsyncGenerator[Any, None]:
        return _relay_function(lambda: self._source, at_item=self._plan.acome)()

    def __repr__(self) -> str:
        return f"faulty({short(self._source)})"


class _FaultyObservable(Observable[Any]):
    """An Observable with a fault."""

    def __init__(self, source: Observable[Any], plan: _Plan) -> None:
        super().__init__()
        self._source = source
        self._plan = plan

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        return _Line(self._source, self._plan, observer, scheduler).disposable

    def __repr__(self) -> str:
        return f"faulty({short(self._source)})"


class _Line:
    """The events of one subscription, in their order; behind a delayed one, they wait."""

    def __init__(
        self,
        source: Observable[Any],
        plan: _Plan,
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase | None,
    ) -> None:
        self._plan = plan
        self._observer = observer
        self._scheduler = scheduler
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_held = self._over = False
        self.disposable = CompositeDisposable(Disposable(self._end))
        self.disposable.add(
            source.subscribe(
                lambda item: self._line_up(functools.partial(self._next, item)),
                lambda error: self._line_up(functools.partial(self._fail, error)),
                lambda: self._line_up(self._complete),
                scheduler=scheduler,
            )
        )

    def _end(self) -> None:
        self._over = True
        self._waiting.clear()

    def _line_up(self, event: Callable[[], None]) -> None:
        self._waiting.append(event)
        self._drain()

    def _drain(self) -> None:
        while self._waiting and not self._is_held and not self._over:
            self._waiting.popleft()()

    def _next(self, item: Any) -> None:
        fault, number = self._plan.due()
        if fault is None:
            self._observer.on_next(item)
            return
        error = self._plan.error_of(fault, number)

        def action(*_: object) -> None:
            self._is_held = False
            if self._over:
                return
            if error is None:
                self._observer.on_next(item)
                self._drain()
            else:
                self._fail(error)
                self.disposable.dispose()

        if not fault.delay:
            action()
            return
        self._is_held = True
        timers = self._scheduler or on_this_loop(self._observer)
        self.disposable.add(timers.schedule_relative(fault.delay, action))

    def _fail(self, error: Any) -> None:
        self._end()
        self._observer.on_error(error)

    def _complete(self) -> None:
        self._end()
        self._observer.on_completed()
