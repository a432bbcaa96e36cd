"""Producers: what a flow begins with; also those of what is there already."""

from __future__ import annotations

import contextlib
import copy
import inspect
from abc import abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
)
from operator import itemgetter
from typing import Any, Generic, Literal, Never, Self, overload

from aiostream import Stream
from reactivex import Observable

from .._common.item_types import type_arguments
from .._common.messages import short, shown
from .._common.single_values import is_single_value
from .._common.trail import Trail
from .._engine.bound_step import offloaded
from .._engine.conversions import arrivals, async_arrivals, async_items, to_stream
from .._engine.execution import Execution
from .._engine.merged import Merged
from .._engine.observable import FlowObservable
from .._engine.path_observables import path_observables
from .._errors import InvalidFlowError, InvalidProductError, UsageError
from .._graph.parts import Part
from .._options.executors import in_processes
from .._options.offload import Offload
from .._options.pickling import check_picklable
from .._options.step_options import StepOptions
from .._rx.run_settings import RunSettings
from .._rx.scheduler import FlowScheduler
from .._streams.iteration import iterate
from .._typing import Behind, P_co, T, Whole
from .composites import Group, flat
from .conduit import Conduit, ConduitRole, cannot_chain, cannot_group

__all__ = [
    "AsyncProducer",
    "Producer",
    "SimpleAsyncProducer",
    "SimpleProducer",
    "check_items",
    "iterator_of",
    "not_iterable",
]


class Producer(Conduit, Generic[P_co]):
    """Starts a flow: gives products.

    A subclass implements `produce`. Products come in the order in which they are made; several
    producers side by side take turns, or give theirs as they come if anything in the flow awaits.
    Nothing starts before the first product is asked for, and the producer is asked for a product
    only as far as the flow has room: the buffers and limits of its steps.

    Iterate over a producer with `for` or `async for`; leaving early ends the run and cleans up.

    >>> class Numbers(Producer[int]):
    ...     def produce(self):
    ...         yield from (1, 2, 3)
    >>> list(Numbers())
    [1, 2, 3]
    """

    @abstractmethod
    def produce(self) -> Iterable[P_co]:
        """Give the products; a plain generator, or anything iterable but text and mappings."""

    @property
    def product_type(self) -> Any:
        """The type of the products, as the class says it; Any if it doesn't."""
        return type_arguments(self, Producer)[0]

    @property
    def input_type(self) -> Any:
        """A producer takes nothing."""
        return Never

    def describe(self) -> Part:
        """This producer as data, see `Conduit.describe`."""
        return self._flow_description(
            role="producer",
            function=getattr(self, "aproduce", self.produce),
            options=self._flow_options.given(),
        )

    _flow_role: ConduitRole = "producer"
    _flow_options = StepOptions()

    def options(self, **options: Any) -> Self:
        """A copy of this producer that makes its products elsewhere: `executor` is its only option.

        With `"thread"`, `"process"` or an `Executor`, `produce` is called there, and each product
        is asked for there, so that one that blocks, on a file or a database, doesn't hold up the
        loop. In a process all products are made before the first one is given. Other options are
        of calls with products. Of a chain or a group that begins with producers, `options` are
        those of the steps behind them.

        Raises TypeError for any other option, for an asynchronous producer, and for one that can't
        go to another process; ValueError for what is no executor.
        """
        for name in options:
            if name != "executor":
                raise InvalidFlowError(
                    f"{self._flow_label} is a producer, and {name!r} is of steps that take"
                    " products: set it on a step behind it, or on the whole chain. A producer has"
                    " the option 'executor' alone"
                )
        changed = copy.copy(self)
        replaced = self._flow_options.replaced(options, self._flow_label)
        object.__setattr__(changed, "_flow_options", replaced)
        changed._flow_check_options(StepOptions())
        return changed

    def _flow_without_options(self) -> Self:
        """This producer as it goes to another process: its options may hold what can't."""
        bare = copy.copy(self)
        object.__setattr__(bare, "_flow_options", StepOptions())
        return bare

    def _flow_check_options(self, defaults: StepOptions) -> None:
        executor = self._flow_options.executor
        if executor is not None and self._flow_awaits:
            raise InvalidFlowError(
                f"{self._flow_label}: executor={shown(executor)} is for plain functions and"
                " generators, and this one is asynchronous: it runs on the loop"
            )
        if executor is not None and in_processes(executor):
            check_picklable(self._flow_label, self._flow_called, {})

    @property
    def _flow_called(self) -> Any:
        """What runs in an executor."""
        return self.produce

    def observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order; each of them to be subscribed to once."""
        return [FlowObservable(self._flow_root, trail=Trail(self._flow_stage_name))]

    @overload
    def to_observable(self, *, paths: Literal[False] = False) -> Observable[P_co]: ...
    @overload
    def to_observable(self, *, paths: Literal[True]) -> list[Observable[P_co]]: ...
    def to_observable(self, *, paths: bool = False) -> Any:
        """The products of all paths as they come; cold: each subscription runs afresh.

        Needs an asyncio loop: that of the scheduler it is subscribed with, else the running one;
        raises `UsageError` (a RuntimeError) where there is none. Disposing of the subscription ends
        the run: what is in flight is cancelled, and generators are closed. An error of the flow is
        the error of the observable, the very object; the end, or the error, comes when all has been
        cleaned up.

        With `paths`, gives a list of observables, one for each path, in path order. Those that are
        subscribed to within one turn of the loop share one run, in which the steps that they share
        run once, and hear the end together; a later subscription runs afresh. Paths that nobody
        subscribes to don't run.

        >>> import asyncio
        >>> from reactivex import operators as ops
        >>> from fluxus_rx import step
        >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("double", lambda x: {"x": 2 * x})
        >>> async def main():
        ...     return await flow.to_observable().pipe(ops.map(lambda p: p["x"]), ops.to_list())
        >>> asyncio.run(main())
        [2, 4]
        """
        if paths:
            return path_observables(self.observables)
        if self.n_concurrent_conduits == 1:
            return self.observables()[0]
        return Merged(lambda: [*self.observables()], True)

    def to_stream(self) -> Stream[P_co]:
        """The products of all paths as they come, as an aiostream Stream."""
        return to_stream(self.to_observable())

    def _flow_root(self, flow: FlowScheduler, owner: object) -> Any:
        elsewhere = offloaded(id(self), lambda: self._flow_label, flow.scope, self._flow_options)
        if elsewhere is None:
            return iterator_of(self.produce(), self, "produce")
        return self._flow_elsewhere(elsewhere)

    async def _flow_elsewhere(self, elsewhere: Offload) -> AsyncGenerator[P_co, None]:
        products = await elsewhere.call(MethodCall(self, "produce"))
        if isinstance(products, list | tuple):
            for product in products:
                yield product
            return
        async with contextlib.aclosing(products) as made:
            async for product in made:
                yield product

    def __iter__(self) -> Generator[P_co, None, None]:
        products = arrivals(self._flow_execution)
        try:
            for _, product in products:
                yield product
        finally:
            products.close()

    def __aiter__(self) -> AsyncGenerator[P_co, None]:
        if self._flow_is_ordered:
            return async_arrivals(self._flow_execution, itemgetter(1))
        return async_items(self.to_observable())

    @property
    def _flow_is_ordered(self) -> bool:
        """Whether `ordered` is set on all of it, and so holds for its products, too."""
        return False

    def _flow_execution(self) -> Execution:
        return Execution(self.observables(), RunSettings(ordered=self._flow_is_ordered))

    def __rshift__(self, other: Behind[Producer[P_co], Whole]) -> Whole:
        if isinstance(other, Conduit):
            return other._flow_after(self)
        raise cannot_chain(self, other)

    def __and__(self, other: Producer[T]) -> Producer[P_co | T]:
        if not isinstance(other, Producer):
            raise cannot_group(self, other)
        return _ParallelProducers(flat((self, other)))


class AsyncProducer(Producer[P_co]):
    """A producer that awaits: a subclass implements `aproduce`, an asynchronous generator.

    >>> class Numbers(AsyncProducer[int]):
    ...     async def aproduce(self):
    ...         yield 1
    >>> list(Numbers())
    [1]
    """

    _flow_awaits = True

    @abstractmethod
    def aproduce(self) -> AsyncIterable[P_co]:
        """Give the products; an asynchronous generator, or anything asynchronously iterable."""

    def produce(self) -> Iterable[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)

    def _flow_root(self, flow: FlowScheduler, owner: object) -> Any:
        products = self.aproduce()
        if not hasattr(products, "__aiter__"):
            raise not_iterable(self, "aproduce", products, "an asynchronous generator")
        return iterate(products)


class _ParallelProducers(Group, Producer[P_co]):
    """Producers side by side."""

    def __init__(self, conduits: tuple[Any, ...]) -> None:
        self.conduits = conduits

    def produce(self) -> Iterable[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)

    def observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order."""
        return [path for producer in self.conduits for path in producer.observables()]


def iterator_of(products: Any, conduit: Conduit, method: str) -> Iterator[Any]:
    """The iterator of what a method of a conduit has returned."""
    if products.__class__ is not list and is_single_value(products):
        raise not_iterable(conduit, method, products, "a generator")
    try:
        return iter(products)
    except TypeError:
        raise not_iterable(conduit, method, products, "a generator") from None


class MethodCall:
    """A call of a method of a conduit off the loop: it gives an iterator, to be read there as well,
    or a list or tuple, which is made already."""

    __slots__ = ("_arguments", "_conduit", "_method")

    def __init__(self, conduit: Any, method: str, *arguments: Any) -> None:
        self._conduit = conduit
        self._method = method
        self._arguments = arguments

    def __call__(self) -> Any:
        products = getattr(self._conduit, self._method)(*self._arguments)
        if type(products) in (list, tuple):
            return products
        return iterator_of(products, self._conduit, self._method)

    def __reduce__(self) -> tuple[Any, ...]:
        bare = self._conduit._flow_without_options()
        return MethodCall, (bare, self._method, *self._arguments)

    @property
    def __name__(self) -> str:
        return f"{self._conduit.name}.{self._method}"


def not_iterable(conduit: Conduit, method: str, products: Any, wanted: str) -> InvalidProductError:
    """The error for what a method of a conduit has returned, where it isn't what is `wanted`."""
    if inspect.iscoroutine(products):
        products.close()  # or it complains that it was never awaited
    hint = ""
    if is_single_value(products):
        hint = f", or return a list of them: [{short(products)}]"
    elif not method.startswith("a"):
        hint = " (if it must await, there is the Async… base class)"
    return InvalidProductError(
        f"{conduit.name}.{method}() returned {shown(products)}; it must be {wanted}: yield the"
        f" products in it{hint}"
    )


def check_items(who: str, items: object) -> None:
    """Refuse what is no iterable of products.

    >>> check_items("process()", "ab")
    Traceback (most recent call last):
        ...
    fluxus_rx.InvalidFlowError: process() takes an iterable of products, not 'ab' (str); a product
    alone goes into a list: ['ab']
    """
    if not isinstance(items, Iterable) or is_single_value(items):
        alone = ""
        if is_single_value(items):
            alone = f"; a product alone goes into a list: [{short(items)}]"
        raise InvalidFlowError(f"{who} takes an iterable of products, not {shown(items)}{alone}")


class SimpleProducer(Producer[T]):
    """A producer of the items of an iterable, in its order.

    An iterator is used up by the first run; a second one raises `UsageError` (a RuntimeError).
    Raises TypeError for what isn't iterable, and for text and mappings, whose characters and keys
    are hardly meant.

    >>> list(SimpleProducer([1, 2]))
    [1, 2]
    """

    def __init__(self, items: Iterable[T]) -> None:
        check_items("SimpleProducer()", items)
        self.items = items
        self._used = False

    def produce(self) -> Iterator[T]:
        """The items."""
        _use_iterator(self, isinstance(self.items, Iterator))
        return iter(self.items)


class SimpleAsyncProducer(AsyncProducer[T]):
    """A producer of the items of an asynchronous iterable, in its order.

    An asynchronous iterator is used up by the first run; a second one raises `UsageError` (a
    RuntimeError). Raises TypeError for what isn't asynchronously iterable.

    >>> async def numbers():
    ...     yield 1
    >>> list(SimpleAsyncProducer(numbers()))
    [1]
    """

    def __init__(self, items: AsyncIterable[T]) -> None:
        if not isinstance(items, AsyncIterable):
            raise InvalidFlowError(
                f"SimpleAsyncProducer() takes an asynchronous iterable, not {shown(items)}"
            )
        self.items = items
        self._used = False

    def aproduce(self) -> AsyncIterable[T]:
        """The items."""
        _use_iterator(self, isinstance(self.items, AsyncIterator))
        return self.items


def _use_iterator(producer: Any, once: bool) -> None:
    if once and producer._used:
        raise UsageError(
            f"{producer.name}: its iterator was used up by an earlier run; pass a list, or a"
            " producer that makes a new one"
        )
    producer._used = True
