"""Products of what operators on a stream create."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from types import FunctionType
from typing import Any, Final

from reactivex import Observable, abc

from .._engine.stage import ForeignItems
from .._products.dict_product import DictProduct
from .._products.factory import YieldedProducts, from_foreign

__all__ = ["Remaker", "is_one_by_one"]

#: types whose objects surely hold no products
_PLAIN_TYPES: Final = frozenset({bool, bytes, complex, float, int, str, type(None)})


#: Modules of operators that pass items on, and of those that emit one of their own for each.
_PASSING: Final = frozenset({
    "distinct", "distinctuntilchanged", "do", "filter", "first", "skip", "skipwhile", "take",
    "takewhile",
})  # fmt: skip
_MAKING: Final = frozenset({"map"})


class Remaker:
    """Makes products of what operators make of products, where they make something else.

    Only in a flow of dictionaries, which has products: until one has come, items stay as they are,
    and a step behind takes them in.
    """

    def __init__(
        self, kind: ForeignItems, *, has_products: bool, one_by_one: YieldedProducts | None = None
    ) -> None:
        self._kind = kind
        self._has_products = has_products
        #: makes the products of operators each of whose items comes of the current one alone
        self._one_by_one = one_by_one
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
        """What the operators emit, as products."""
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
        """The product of an item that the operators have emitted."""
        if isinstance(item, DictProduct):
            return item
        made_of = [] if item.__class__ in _PLAIN_TYPES else _products_in(item)
        if self._one_by_one is not None and not made_of and isinstance(self._current, DictProduct):
            if self._kind.label is not None and not isinstance(item, Mapping):
                item = {self._kind.label: item}
            return self._one_by_one.from_item(0, item, "", self._current, None)
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


def is_one_by_one(operators: Iterable[Any]) -> bool:
    """Whether operators of Rx emit at most one item for each that they are given, at once, and of
    that item alone; false of those that are not known. Some of them emit items of their own.

    >>> from reactivex import operators as ops
    >>> is_one_by_one([ops.filter(bool), ops.map(abs)]), is_one_by_one([ops.scan(max)])
    (True, False)
    """
    # A guess from the inside of reactivex: an operator is a closure over the function that makes
    # it, and what follows from others is one over those. `tests/conduits/test_named_pipes.py` fails
    # where that changes.
    modules: set[str] = set()
    inside = [*operators]
    while inside:
        operator = inside.pop()
        if getattr(operator, "__module__", "") == "reactivex.pipe":
            cells = getattr(operator, "__closure__", None) or ()
            inside += [one for cell in cells for one in cell.cell_contents]
        else:
            modules.add(_module_of(operator))
    return not modules.isdisjoint(_MAKING) and modules <= _MAKING | _PASSING


def _module_of(operator: Any) -> str:
    """The module of the function that an operator is made by; empty of what is none."""
    if getattr(operator, "__module__", "") != "reactivex.internal.curry":
        return ""
    made_by = [cell.cell_contents for cell in operator.__closure__ or ()]
    names = [one.__module__ for one in made_by if isinstance(one, FunctionType)]
    return names[0].rpartition("._")[2] if len(names) == 1 else ""


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
