"""Makes products of what the functions of steps return, and of items from elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any, cast

from .._common.messages import place_note, shown
from .._errors import InvalidProductError
from .._monitoring.calls import CallColumns
from .._monitoring.counters import PlainCalls
from .._monitoring.meter import Meter
from .._options.offload import OffloadedItems
from .._streams.iteration import relay
from .attributes import checked, known_names
from .dict_product import TAKEN_IN, DictProduct, RemadeProduct
from .lineage import HasLineage
from .ownership import branched

__all__ = [
    "EACH_A_MAPPING",
    "FOREIGN_NAME",
    "MAPPING",
    "ProductFactory",
    "YieldedProducts",
    "described_kind",
    "from_foreign",
    "no_products",
]

#: the name of a product of a mapping that comes from elsewhere, if nothing else names it
FOREIGN_NAME = "input"

MAPPING = "it must be a mapping of attribute names to values, such as {'x': 1}"
EACH_A_MAPPING = "each item must be a mapping of attribute names to values, such as {'x': 1}"

_ANY_RESULT = (
    "return a mapping, an iterable or async iterable of mappings, or an awaitable of one of these."
    " To drop an item, return []"
)


class ProductFactory:
    """Makes the products of one step in one run.

    A `precursor` is the product that the step was called with; a source has none. In a run that
    keeps the times of its calls, `start` is when a call began; in any other it is None.
    """

    __slots__ = ("_name", "_owner", "_timer")

    def __init__(self, name: str, owner: object, meter: Meter | None) -> None:
        self._name = name
        self._owner = owner
        self._timer = meter if meter is not None and meter.keeps_calls else None

    @property
    def keeps_times(self) -> bool:
        """Whether products get the times of the calls that made them."""
        return self._timer is not None

    def clock(self) -> tuple[Callable[[], float], float]:
        """The clock, and when the run began by it, where products get times."""
        assert self._timer is not None
        return self._timer.clock, self._timer.started

    def now(self) -> float | None:
        """Seconds since the run began, if products get times."""
        return None if self._timer is None else self._timer.elapsed

    def _times(self, start: float | None) -> tuple[float, float] | None:
        """From `start` until now, if products get times."""
        return None if start is None or self._timer is None else (start, self._timer.elapsed)

    def from_mapping(
        self, attributes: Any, precursor: DictProduct | None, start: float | None
    ) -> DictProduct:
        """The only product of a call: the precursor itself, extended, if nobody else can see it."""
        if precursor is None:
            attributes = checked(attributes, self._name, "what it emitted", MAPPING)
        else:
            attributes = checked(attributes, self._name, "what it returned", _ANY_RESULT)
        times = self._times(start)
        if (
            precursor is not None
            and precursor.owner is self._owner
            # What came from elsewhere than a step has no times, and could keep none for this one.
            and (times is None or precursor.times is not None)
        ):
            return precursor.extend(self._name, attributes, times)
        if precursor is None:
            return DictProduct(self._name, attributes, None, 0, self._owner, times)
        return branched(precursor, self._name, attributes, self._owner, times)

    def from_item(
        self,
        index: int,
        attributes: Any,
        kind: str,
        precursor: DictProduct | None,
        start: float | None,
    ) -> DictProduct:
        """One of several products of a call."""
        if attributes.__class__ is dict and known_names.issuperset(attributes):
            attributes = attributes.copy()
        else:
            wanted = EACH_A_MAPPING if precursor is None else "it must be a mapping"
            attributes = checked(attributes, self._name, f"item {index} of the {kind}", wanted)
        times = self._times(start)
        return DictProduct(self._name, attributes, precursor, index, self._owner, times)

    def from_iterable(
        self,
        items: Iterable[Any],
        kind: str,
        precursor: DictProduct | None,
        start: float | None,
        count: int = 0,
        refused: Callable[[BaseException], object] | None = None,
        times_of: Callable[[], list[tuple[float, float]] | None] | None = None,
    ) -> Generator[DictProduct, None, None]:
        """The products of an iterable, of which so many have been read before; `refused` is told
        why an item can be none. `times_of` returns the times of the item that has come, if these
        are known."""
        name, owner, timer = self._name, self._owner, self._timer
        iterator = iter(items)
        outside = False
        try:
            for index, given in enumerate(iterator, count):
                # The usual case is not worth a call: 0.3 µs an item (benchmark "fanout").
                if given.__class__ is dict and known_names.issuperset(given):
                    times = None if timer is None else self._times(start)
                    product = DictProduct(name, given.copy(), precursor, index, owner, times)
                else:
                    try:
                        product = self.from_item(index, given, kind, precursor, start)
                    except BaseException as error:
                        if refused is not None:
                            refused(error)
                        raise
                if times_of is not None:
                    product.times = times_of()
                outside = True
                yield product
                outside, count = False, index + 1
                start = None if timer is None else timer.elapsed
        except BaseException as error:
            if precursor is None and not outside:  # else the step that made them tells where
                self.explain(error, count)
            raise
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def explain(self, error: BaseException, count: int) -> None:
        """Add to an error of a source that it came up behind so many items."""
        place_note(error, f"in step {self._name!r}, ", f"at item {count}")

    def from_source(
        self, items: Iterable[Any], kind: str, start: float | None
    ) -> Iterator[DictProduct]:
        """The products of the items of a source, or its mappings where no products are needed."""
        return SourceItems(self, items, kind, self._name, self._owner, start)

    def from_async_iterable(
        self,
        items: AsyncIterable[Any],
        kind: str,
        precursor: DictProduct | None,
        start: float | None = None,
    ) -> AsyncIterator[DictProduct]:
        """The products of an asynchronous iterable; without a `start` it is when the first item is
        asked for."""
        reading = _AsyncReading(self, self._name, kind, precursor, start)
        if precursor is not None and self._timer is None:
            if isinstance(items, OffloadedItems):
                return items.changed(reading.product)
            return relay(items, reading.product)
        return relay(items, reading.product, asked=reading.begin, failed=reading.fail)


class YieldedProducts(ProductFactory):
    """Makes products of the mappings that a transformer of a class yields for a product, from which
    they descend. What isn't a mapping, or has a lineage of its own, stays what it is."""

    __slots__ = ()

    def from_item(
        self,
        index: int,
        attributes: Any,
        kind: str,
        precursor: DictProduct | None,
        start: float | None,
    ) -> Any:
        """One of the outputs of a call."""
        if attributes.__class__ is not dict and (
            not isinstance(attributes, Mapping) or isinstance(attributes, HasLineage)
        ):
            return attributes
        return super().from_item(index, attributes, kind, precursor, start)


class _AsyncReading:
    """How far the items of an asynchronous iterable have been read."""

    __slots__ = ("_factory", "_index", "_kind", "_name", "_precursor", "_start")

    def __init__(
        self,
        factory: ProductFactory,
        name: str,
        kind: str,
        precursor: DictProduct | None,
        start: float | None,
    ) -> None:
        self._factory = factory
        self._name = name
        self._kind = kind
        self._precursor = precursor
        self._start = start
        self._index = 0

    def begin(self) -> None:
        """An item is asked for."""
        if self._index or self._start is None:
            self._start = self._factory.now()

    def product(self, item: Any) -> DictProduct:
        """The product of the item that has come."""
        product = self._factory.from_item(
            self._index, item, self._kind, self._precursor, self._start
        )
        self._index += 1
        return product

    def fail(self, error: BaseException) -> None:
        """An error has come instead."""
        if self._precursor is None:  # else the step that made the items tells where
            self._factory.explain(error, self._index)


class SourceItems(Iterator[DictProduct]):
    """The products of a source; or its mappings, where no products are needed, and these for the
    rest. Begins with the first of them that is asked for."""

    __slots__ = (
        "_factory",
        "_items",
        "_iterator",
        "_kind",
        "_products",
        "_start",
        "_watched",
        "count",
        "counts",
        "name",
        "owner",
    )

    def __init__(
        self,
        factory: ProductFactory,
        items: Iterable[Any],
        kind: str,
        name: str,
        owner: object,
        start: float | None,
    ) -> None:
        self._factory = factory
        self._items = items
        self._kind = kind
        #: when the first of them was asked for, where products get times
        self._start = start
        self._iterator: Iterator[Any] | None = None
        self._products: Generator[DictProduct, None, None] | None = None
        #: what watches the items, if anything does
        self._watched: Any = None
        #: counts them, if they are watched
        self.counts: PlainCalls | None = None
        #: the name of its step, and the pipeline that may extend its products
        self.name = name
        self.owner = owner
        #: how many mappings have been taken
        self.count = 0

    def watch(self, watched: Callable[[Iterable[Any]], Any]) -> None:
        """Have the items read by way of something that watches this and can be told to end."""
        self._items = self._watched = watched(self._items)
        self.counts = self._watched.counts

    def end(self) -> bool:
        """Emit no more; whether it might have."""
        ended: bool = self._watched.end()
        return ended

    def mappings(self) -> Iterator[tuple[int, Any]]:
        """The items as they are, each with its position; the code that takes them sets the
        `count`."""
        self._iterator = iter(self._items)
        return enumerate(self._iterator)

    def product(self, position: int, item: Any) -> DictProduct:
        """The product of an item."""
        try:
            product = self._factory.from_item(position, item, self._kind, None, None)
        except BaseException as error:
            self._refused(error)
            self.explain(error, position)
            raise
        product.times = self._times()
        return product

    def _times(self) -> list[tuple[float, float]] | None:
        """From when to when the call was that yielded the item that has come last, where products
        get times."""
        if self._start is None:
            return None
        now, zero = self._factory.clock()
        if self._watched is None:
            return [(self._start, now() - zero)]
        start, end = self._watched.last_span
        return [(start - zero, end - zero)]

    @property
    def columns(self) -> CallColumns | None:
        """The records of the calls that made them, where these are kept."""
        return None if self._watched is None else cast("CallColumns | None", self._watched.columns)

    def _refused(self, error: BaseException) -> None:
        """The item that was read last can be no product."""
        if self._watched is not None:
            self._watched.refuse(error)

    def product_of(self, by_step: dict[str, dict[str, Any]], position: int) -> DictProduct:
        """A product of these steps, none of which has been seen."""
        product = DictProduct.of_row(by_step, position)
        product.owner = self.owner
        return product

    def explain(self, error: BaseException, count: int) -> None:
        """Add to an error of the source that it came up behind so many items."""
        self._factory.explain(error, count)

    def __iter__(self) -> Iterator[DictProduct]:
        if self._products is None:
            items = self._items if self._iterator is None else self._iterator
            times_of = None if self._start is None else self._times
            self._products = self._factory.from_iterable(
                items, self._kind, None, None, self.count, self._refused, times_of
            )
        return self._products

    def __next__(self) -> DictProduct:
        return next(iter(self))

    def close(self) -> None:
        """Close the items, once, if they have been begun."""
        begun: Any = self._iterator
        self._iterator = None
        if self._products is not None and getgeneratorstate(self._products) != GEN_CREATED:
            begun = self._products  # which closes them
        for part in (begun, self._watched):
            close = getattr(part, "close", None)
            if close is not None:
                close()


def from_foreign(
    item: Any,
    position: int,
    owner: object,
    recipient: str,
    label: str | None = None,
    depth: int = 0,
    made_of: tuple[DictProduct, ...] = (),
) -> DictProduct:
    """A product of an item that comes from elsewhere than a step.

    Of a product, one that comes of it and adds nothing; of any other mapping, one named `label`, or
    `input`. What isn't a mapping becomes the attribute `label` of a product of that name. `depth`
    tells how far down their path operators have created such items, `made_of` from which products.
    `recipient` begins the message for what can be no product, such as `"step 'double' was given"`.
    """
    if item.__class__ is not dict and isinstance(item, DictProduct):
        return DictProduct("", {}, item, TAKEN_IN + position, owner)
    if item.__class__ is dict or isinstance(item, Mapping):
        name = label or FOREIGN_NAME
        attributes = checked(item, name, "what it returned", _ANY_RESULT)
    elif label is not None:
        name, attributes = label, {label: item}
    else:
        raise _no_product(recipient, item)
    if depth:
        return RemadeProduct(name, attributes, position, owner, depth, made_of)
    return DictProduct(name, attributes, None, position, owner)


def _no_product(recipient: str, item: Any) -> InvalidProductError:
    return InvalidProductError(
        f"{recipient} {shown(item)}; expected a product of a step, or a mapping of attribute names"
        " to values, such as {'x': 1}. Name what else a source or an Rx operator emits:"
        " from_observable(…, name='x') and rx_pipe(…, name='x') emit products with the attribute"
        " 'x'"
    )


def described_kind(items: object) -> str:
    """What a message calls the kind of several items that a function returned."""
    name = items.kind if isinstance(items, OffloadedItems) else type(items).__name__
    return {"async_generator": "asynchronous generator"}.get(name, name) + " it returned"


def no_products(name: str, given: Any) -> InvalidProductError:
    """The error for what a step returned, if no products can be made of it."""
    if inspect.iscoroutine(given):
        given.close()  # or it complains that it was never awaited
    return InvalidProductError(f"step {name!r} returned {shown(given)}; {_ANY_RESULT}")
