"""Producers of items that are there already."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from .._common.messages import shown
from .._conduits.iterables import check_items
from .._conduits.producer import AsyncProducer, Producer
from .._errors import InvalidFlowError, UsageError
from .._typing import T

__all__ = ["SimpleAsyncProducer", "SimpleProducer"]


class SimpleProducer(Producer[T]):
    """A producer of the items of an iterable, in its order; an empty one emits nothing.

    The first run uses an iterator up; a second run raises `UsageError` (a RuntimeError). Raises
    TypeError for anything but an iterable, and for text and mappings, whose characters and keys are
    hardly meant.

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

    The first run uses an asynchronous iterator up; a second run raises `UsageError` (a
    RuntimeError). Raises TypeError for anything but an asynchronous iterable.

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
