"""The classes that programs of fluxus derive from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from .._conduits.consumer import AsyncConsumer as CoreAsyncConsumer
from .._conduits.producer import AsyncProducer as CoreAsyncProducer
from .._conduits.subclassing import derived
from .._conduits.transformer import AsyncTransformer as CoreAsyncTransformer
from .._engine.bound_step import BoundStep
from .._engine.stage import StepContext
from .._typing import A_contra, B_co, P_co, R_co
from ._adapted import AdaptedConsumer, AdaptedProducer, AdaptedTransformer
from ._products import view_of

__all__ = [
    "AsyncConsumer",
    "AsyncProducer",
    "AsyncTransformer",
    "Consumer",
    "FlowWarning",
    "Producer",
    "Transformer",
]


class FlowWarning(Warning):
    """A warning of a flow; none is issued."""


class Producer(AdaptedProducer[P_co]):
    """Starts a flow: a subclass implements `produce`.

    >>> from fluxus_rx.compat import Producer
    >>> class Numbers(Producer[int]):
    ...     def produce(self):
    ...         yield from (1, 2, 3)
    >>> list(Numbers())
    [1, 2, 3]
    """


class AsyncProducer(Producer[P_co], CoreAsyncProducer[P_co]):
    """A producer that awaits: a subclass implements `aproduce`, an asynchronous generator.

    >>> from fluxus_rx.compat import AsyncProducer
    >>> class Numbers(AsyncProducer[int]):
    ...     async def aproduce(self):
    ...         yield 1
    >>> list(Numbers())
    [1]
    """

    @abstractmethod
    def aproduce(self) -> AsyncIterator[P_co]:
        """Yield the products."""

    @derived
    def produce(self) -> Iterator[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)


class Transformer(AdaptedTransformer[A_contra, B_co]):
    """Takes products one by one: a subclass implements `transform`, a generator.

    >>> from fluxus_rx.compat import Transformer
    >>> class Half(Transformer[float, float]):
    ...     def transform(self, source_product):
    ...         yield source_product / 2
    >>> list((Half() >> Half()).process([4, 8]))
    [1.0, 2.0]
    """

    _flow_looks_at_times = True

    @abstractmethod
    def transform(  # pyright: ignore[reportIncompatibleMethodOverride]  # fluxus's parameter
        self, source_product: A_contra
    ) -> Iterable[B_co]:
        """Yield the outputs for one product."""

    def _flow_bind(self, place: StepContext) -> BoundStep:
        bound = super()._flow_bind(place)
        view = view_of(place.scope)
        return bound._replace(
            apply=lambda product: bound.apply(view(product)),
            acall=lambda product: bound.acall(view(product)),
        )


class AsyncTransformer(Transformer[A_contra, B_co], CoreAsyncTransformer[A_contra, B_co]):
    """A transformer that awaits: a subclass implements `atransform`, an asynchronous generator.

    >>> from fluxus_rx.compat import AsyncTransformer
    >>> class Shout(AsyncTransformer[str, str]):
    ...     async def atransform(self, source_product):
    ...         yield source_product.upper()
    >>> list(Shout().process(["a", "b"]))
    ['A', 'B']
    """

    @abstractmethod
    def atransform(  # pyright: ignore[reportIncompatibleMethodOverride]  # fluxus's parameter
        self, source_product: A_contra
    ) -> AsyncIterable[B_co]:
        """Yield the outputs for one product."""

    @derived
    def transform(  # pyright: ignore[reportIncompatibleMethodOverride]  # fluxus's parameter
        self, source_product: A_contra
    ) -> Iterable[B_co]:
        """The outputs for one product, for a synchronous caller."""
        return self.process([source_product])


class Consumer(AdaptedConsumer[A_contra, R_co]):
    """Ends a flow: a subclass implements `consume`, which takes pairs of the index of a path and a
    product, and returns the result.

    >>> from fluxus_rx.compat import Consumer
    >>> class Total(Consumer[int, int]):
    ...     def consume(self, products):
    ...         return sum(product for path, product in products)
    >>> Total().process([1, 2])
    3
    """

    @derived
    async def aconsume(self, products: AsyncIterable[tuple[int, A_contra]]) -> R_co:
        """The result for products that come asynchronously."""
        return self.consume([arrival async for arrival in products])


class AsyncConsumer(Consumer[A_contra, R_co], CoreAsyncConsumer[A_contra, R_co]):
    """A consumer that awaits: a subclass implements `aconsume`, a coroutine function.

    >>> from fluxus_rx.compat import AsyncConsumer
    >>> class Total(AsyncConsumer[int, int]):
    ...     async def aconsume(self, products):
    ...         return sum([product async for path, product in products])
    >>> Total().process([1, 2])
    3
    """

    @abstractmethod
    async def aconsume(self, products: AsyncIterable[tuple[int, A_contra]]) -> R_co:
        """Take pairs of the index of a path and a product, as they come; return the result."""

    @derived
    def consume(self, products: Iterable[tuple[int, A_contra]]) -> R_co:
        """The same, for a synchronous caller."""
        return CoreAsyncConsumer.consume(self, products)


# Users see, and pickle, what they import, not where it is written.
for _public in [globals()[_name] for _name in __all__]:
    _public.__module__ = "fluxus_rx.compat"
