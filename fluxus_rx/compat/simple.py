"""fluxus's `fluxus.simple`: producers of what is there already."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from .._common.messages import shown
from .._errors import InvalidFlowError
from .._typing import T
from ._conduits import AsyncProducer, Producer

__all__ = ["SimpleAsyncProducer", "SimpleProducer"]


class SimpleProducer(Producer[T]):
    """A producer of the items of an iterable, which it keeps as a tuple; a text is one item.

    Raises TypeError for anything but an iterable.

    >>> numbers = SimpleProducer[int](iter([1, 2]))
    >>> list(numbers), list(numbers), numbers.products
    ([1, 2], [1, 2], (1, 2))
    """

    def __init__(self, products: Iterable[T]) -> None:
        if not isinstance(products, Iterable):
            raise InvalidFlowError(f"SimpleProducer() takes an iterable, not {shown(products)}")
        is_one: bool = isinstance(products, str | bytes)
        kept: Any = (products,) if is_one else tuple(products)
        self.products: tuple[T, ...] = kept

    def produce(self) -> Iterator[T]:
        """The items."""
        return iter(self.products)


class SimpleAsyncProducer(AsyncProducer[T]):
    """A producer of the items of an asynchronous iterable.

    >>> async def numbers():
    ...     yield 1
    >>> list(SimpleAsyncProducer[int](numbers()))
    [1]
    """

    def __init__(self, products: AsyncIterable[T]) -> None:
        self.products = products

    def aproduce(self) -> AsyncIterator[T]:
        """The items."""
        return aiter(self.products)
