"""Producers: what a flow begins with."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Collection,
    Generator,
    Iterable,
    Iterator,
)
from typing import TYPE_CHECKING, Any, Generic, Never, overload

from aiostream import Stream
from reactivex import Observable

from ._composites import Group, flat
from ._conduit import Conduit, cannot_chain, cannot_group
from ._driving import astream, stream, to_stream
from ._errors import InvalidProductError, shown
from ._generics import type_arguments
from ._merging import entered
from ._scheduler import FlowScheduler
from ._stages import FlowObservable, Merged
from ._typing import B, P_co, R, T

if TYPE_CHECKING:
    from ._consumers import Consumer, Flow
    from ._transformers import Transformer

__all__ = ["AsyncProducer", "Producer", "iterated", "not_iterable"]


class Producer(Conduit, Generic[P_co]):
    """Starts a flow: gives products.

    A subclass implements `produce`. Products come in the order in which they are made; several
    producers side by side give theirs as they come. Nothing starts before the first product is
    asked for, and the producer is asked for a product only as far as the flow has room: the buffers
    and limits of its steps.

    Iterate over a producer with `for` or `async for`; leaving early ends the run and cleans up.

    >>> class Numbers(Producer[int]):
    ...     def produce(self):
    ...         yield from (1, 2, 3)
    >>> list(Numbers())
    [1, 2, 3]
    """

    @abstractmethod
    def produce(self) -> Iterable[P_co]:
        """Give the products; a plain generator, or anything iterable."""

    @property
    def product_type(self) -> Any:
        """The type of the products, as the class says it; Any if it doesn't."""
        return type_arguments(self, Producer)[0]

    @property
    def input_type(self) -> Any:
        """A producer takes nothing."""
        return Never

    def get_connections(
        self, *, ingoing: Collection[Conduit] = ()
    ) -> Iterator[tuple[Conduit, Conduit]]:
        """The edges of the graph, as pairs of atomic conduits; none lead into a producer, so it is
        a
        ValueError to name conduits that would."""
        if ingoing:
            names = ", ".join(conduit.name for conduit in ingoing)
            raise ValueError(
                f"{self.name} is a producer: nothing goes into it, but got ingoing={names}"
            )
        return iter(())

    @property
    def _flow_is_source(self) -> bool:
        return True

    def observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order; each of them to be subscribed to once."""
        return [FlowObservable(self._flow_root, (), True, (None, self.name))]

    def to_observable(self) -> Observable[P_co]:
        """The products of all paths as they come; cold: each subscription runs afresh.

        Needs an asyncio loop: that of the scheduler it is subscribed with, else the running one.
        """
        if self.n_concurrent_conduits == 1:
            return self.observables()[0]
        return Merged(lambda: [*self.observables()], True)

    def to_stream(self) -> Stream[P_co]:
        """The products of all paths as they come, as an aiostream Stream."""
        return to_stream(self.to_observable())

    def _flow_root(self, flow: FlowScheduler, owner: object) -> Iterator[P_co]:
        return iterated(self.produce(), self, "produce")

    def __iter__(self) -> Generator[P_co, None, None]:
        products = stream(self.observables)
        try:
            for _, product in products:
                yield product
        finally:
            products.close()

    def __aiter__(self) -> AsyncGenerator[P_co, None]:
        return astream(self.to_observable())

    @overload
    def __rshift__(self, other: Transformer[P_co, B]) -> Producer[B]: ...
    @overload
    def __rshift__(self, other: Consumer[P_co, R]) -> Flow[R]: ...
    def __rshift__(self, other: Any) -> Any:
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
        return entered(products)


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


def iterated(products: Any, conduit: Conduit, method: str) -> Iterator[Any]:
    try:
        return iter(products)
    except TypeError:
        raise not_iterable(conduit, method, products, "a generator") from None


def not_iterable(conduit: Conduit, method: str, products: Any, wanted: str) -> Exception:
    if inspect.iscoroutine(products):
        products.close()
    hint = "" if method.startswith("a") else " (if it must await, there is the Async… base class)"
    return InvalidProductError(
        f"{conduit.name}.{method}() returned {shown(products)}; it must be {wanted}: yield the"
        f" products in it{hint}"
    )
