"""Makes products of what the functions of steps give."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from typing import Any

from .._common.messages import note, shown
from .._common.trail import Trail
from .._errors import InvalidProductError
from .._monitoring.meter import length_of
from .._rx.scope import Scope
from .._streams.iteration import relay
from .dict_product import DictProduct, MadeProduct, checked, known_names

__all__ = [
    "GIVEN",
    "ITEM",
    "ITEM_EACH",
    "SAID",
    "ProductFactory",
    "described_kind",
    "from_foreign",
    "no_products",
]

ITEM = "it must be a mapping of attribute names to values, such as {'x': 1}"


ITEM_EACH = "each item must be a mapping of attribute names to values, such as {'x': 1}"


_RETURN = (
    "return a mapping, an iterable or async iterable of mappings, or an awaitable of one of these."
    " To drop an item, return []"
)


SAID = ("what it returned", _RETURN)
GIVEN = ("what it gave", ITEM)


class ProductFactory:
    """Makes the products of one step in one run."""

    def __init__(
        self, name: str, scope: Scope | None, owner: object, trail: Trail | None = None
    ) -> None:
        self.name = name
        self.owner = owner
        self.trail = trail
        self.meter = meter = scope.meter if scope is not None else None
        #: what tells the time, if the run wants to know
        self.clock = meter.clock if meter is not None and meter.calls is not None else None
        self.zero = meter.started if meter is not None else 0.0

    def expect(self, given: object) -> None:
        """Tell the run how many products a producer gives, if it wants to know and they have a
        length."""
        if self.meter is not None and self.trail is not None:
            self.meter.gauges.expect(
                self.trail, 1 if isinstance(given, Mapping) else length_of(given)
            )

    def now(self) -> float | None:
        """Seconds since the run began, if the run wants to know."""
        return self.clock() - self.zero if self.clock else None

    def times(self, start: float | None) -> tuple[float, float] | None:
        """From `start` until now, if the run wants to know."""
        return None if start is None or not self.clock else (start, self.clock() - self.zero)

    def one(
        self, attributes: Any, precursor: DictProduct | None, start: float | None
    ) -> DictProduct:
        """The product of a mapping: the precursor itself, extended, if nobody else can see it."""
        attributes = checked(attributes, self.name, SAID if precursor is not None else GIVEN)
        times = self.times(start)
        if (
            precursor is not None
            and precursor.owner is self.owner
            # What came from elsewhere than a step has no times, and could keep none for this one.
            and (times is None or precursor.times is not None)
        ):
            return precursor.extend(self.name, attributes, times)
        return DictProduct(self.name, attributes, precursor, 0, self.owner, times)

    def item(
        self,
        index: int,
        attributes: Any,
        kind: str,
        precursor: DictProduct | None,
        start: float | None,
    ) -> DictProduct:
        """The product of one of several mappings."""
        said = (f"item {index} of the {kind}", "it must be a mapping" if precursor else ITEM_EACH)
        attributes = checked(attributes, self.name, said)
        return DictProduct(self.name, attributes, precursor, index, self.owner, self.times(start))

    def many(
        self, items: Iterable[Any], kind: str, precursor: DictProduct | None, start: float | None
    ) -> Generator[DictProduct, None, None]:
        """The products of an iterable."""
        name, owner, clock = self.name, self.owner, self.clock
        iterator = iter(items)
        count, outside = 0, False
        try:
            for index, given in enumerate(iterator):
                if given.__class__ is dict and not clock and known_names.issuperset(given):
                    product = DictProduct(name, given.copy(), precursor, index, owner)
                else:
                    product = self.item(index, given, kind, precursor, start)
                outside = True
                yield product
                outside, count = False, index + 1
                start = self.now() if clock else None
        except BaseException as error:
            if precursor is None and not outside:  # else the step that gave them tells where
                note(error, f"in step {name!r}, at item {count}")
            raise
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def amany(
        self,
        items: AsyncIterable[Any],
        kind: str,
        precursor: DictProduct | None,
        start: float | None = None,
    ) -> AsyncGenerator[DictProduct, None]:
        """The products of an asynchronous iterable; without a `start` it is when the first item is
        asked for."""
        index = 0

        def change(attributes: Any) -> DictProduct:
            nonlocal index
            product = self.item(index, attributes, kind, precursor, start)
            index += 1
            return product

        if precursor is not None and not self.clock:
            return relay(items, change)

        def asked() -> None:
            nonlocal start
            if index or start is None:
                start = self.now()

        def failed(error: BaseException) -> None:
            if precursor is None:  # else the step that it comes of tells where
                note(error, f"in step {self.name!r}, at item {index}")

        return relay(items, change, asked=asked, failed=failed)


def from_foreign(
    item: Any, position: int, owner: object, said: str, label: str | None = None, depth: int = 0
) -> DictProduct:
    """A product of an item that comes from elsewhere than a step.

    Of a product, one that comes of it and adds nothing; of any other mapping, one named `label`, or
    `input`. What is no mapping becomes the attribute `label` of a product of that name. `depth`
    tells how far down their path operators have made such items anew.
    """
    if item.__class__ is not dict and isinstance(item, DictProduct):
        return DictProduct("", {}, item, position, owner)
    if item.__class__ is dict or isinstance(item, Mapping):
        name = label or "input"
        attributes = checked(item, name, SAID)
    elif label is not None:
        name, attributes = label, {label: item}
    else:
        raise _no_product(said, item)
    if depth:
        return MadeProduct(name, attributes, position, owner, depth)
    return DictProduct(name, attributes, None, position, owner)


def _no_product(said: str, item: Any) -> InvalidProductError:
    return InvalidProductError(
        f"{said} {shown(item)}; expected a product of a step, or a mapping of attribute names to"
        " values, such as {'x': 1}. Name what else a source or an Rx operator gives:"
        " from_observable(…, name='x') and rx_pipe(…, name='x') give products with the attribute"
        " 'x'"
    )


def described_kind(items: object) -> str:
    name = type(items).__name__
    return {"async_generator": "asynchronous generator"}.get(name, name) + " it returned"


def no_products(name: str, given: Any) -> InvalidProductError:
    if inspect.iscoroutine(given):
        given.close()
    return InvalidProductError(f"step {name!r} returned {shown(given)}; {_RETURN}")
