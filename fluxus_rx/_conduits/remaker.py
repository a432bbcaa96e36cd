"""Products of what operators on a stream make anew."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Final

from reactivex import Observable, abc

from .._engine.stage import ForeignItems
from .._products.dict_product import DictProduct
from .._products.factory import from_foreign

__all__ = ["Remaker"]

#: types whose objects surely hold no products
_PLAIN_TYPES: Final = frozenset({bool, bytes, complex, float, int, str, type(None)})


class Remaker:
    """Makes products of what operators make of products, where they make something else.

    Only in a flow of dictionaries, which has products: until one has come, items stay as they are,
    and a step behind takes them in.
    """

    def __init__(self, kind: ForeignItems, *, has_products: bool) -> None:
        self._kind = kind
        self._has_products = has_products
        #: the item that the operators are given at this moment
        self._current: Any = None
        self._count = 0

    def watched(self, source: Observable[Any]) -> Observable[Any]:
        """`source`; while the operators are given an item, the remaker knows which."""
        return Observable(partial(self._subscribe, source))

    def _subscribe(
        self,
        source: Observable[Any],
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        return source.subscribe(
            partial(self._pass_on, observer),
            observer.on_error,
            observer.on_completed,
            scheduler=scheduler,
        )

    def _pass_on(self, observer: abc.ObserverBase[Any], item: Any) -> None:
        before, self._current = self._current, item
        if not self._has_products:
            self._has_products = isinstance(item, DictProduct)
        try:
            observer.on_next(item)
        finally:
            self._current = before

    def remade(self, piped: Observable[Any]) -> Observable[Any]:
        """What the operators give, as products."""
        # Not by `ops.map`: the operators of Rx are 3 ms of the import of the library, where nobody
        # uses them (benchmark "startup, import").
        return Observable(partial(self._subscribe_remade, piped))

    def _subscribe_remade(
        self,
        piped: Observable[Any],
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        return piped.subscribe(
            partial(self._remake, observer),
            observer.on_error,
            observer.on_completed,
            scheduler=scheduler,
        )

    def _remake(self, observer: abc.ObserverBase[Any], item: Any) -> None:
        try:
            product = self.product(item)
        except Exception as error:
            observer.on_error(error)
        else:
            observer.on_next(product)

    def product(self, item: Any) -> Any:
        """The product of an item that the operators have given."""
        if isinstance(item, DictProduct):
            return item
        made_of = [] if item.__class__ in _PLAIN_TYPES else _products_in(item)
        if not made_of and isinstance(self._current, DictProduct):
            made_of.append(self._current)
        if not made_of and not self._has_products:
            return item
        self._count += 1
        return from_foreign(
            item,
            position=self._count - 1,
            owner=None,
            recipient="",
            label=self._kind.label,
            depth=self._kind.depth,
            made_of=tuple(made_of),
        )


def _products_in(item: Any) -> list[DictProduct]:
    """The products in what holds products, in their order; each container is looked into once."""
    found: list[DictProduct] = []
    seen: set[int] = set()
    stack = [iter((item,))]  # and no recursion: an accumulator may nest deeper with each product
    while stack:
        for one in stack[-1]:
            if one.__class__ in _PLAIN_TYPES:
                continue
            if isinstance(one, dict | list | tuple | set | frozenset | deque):
                if id(one) not in seen:
                    seen.add(id(one))
                    stack.append(iter(one.values() if isinstance(one, dict) else one))
                    break
            elif isinstance(one, DictProduct):
                found.append(one)
        else:
            stack.pop()
    return found
