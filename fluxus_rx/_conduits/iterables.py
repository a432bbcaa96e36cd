"""What the methods of conduits may return: an iterable of products."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from reactivex import Observable

from .._common.messages import short, shown
from .._common.single_values import is_single_value
from .._errors import InvalidFlowError, InvalidProductError
from .._options.offload import Offload
from .conduit import Conduit

__all__ = [
    "MethodCall",
    "OpenedThere",
    "check_executor",
    "check_items",
    "items_elsewhere",
    "iterator_of",
    "not_iterable",
]


def iterator_of(products: Any, conduit: Conduit, method: str) -> Iterator[Any]:
    """The iterator of what a method of a conduit has returned."""
    # By the class: iter() takes whatever can be indexed, such as an Observable, for an endless row.
    is_iterable = getattr(type(products), "__iter__", None) is not None
    if not is_iterable or (products.__class__ is not list and is_single_value(products)):
        raise not_iterable(conduit, method, products, "a generator")
    try:
        return iter(products)
    except TypeError:
        raise not_iterable(conduit, method, products, "a generator") from None


class MethodCall:
    """A call of a method of a conduit off the loop: it returns an iterator, to be read there as
    well, or a list or tuple, which is made already."""

    __slots__ = ("_arguments", "_method", "conduit")

    def __init__(self, conduit: Any, method: str, *arguments: Any) -> None:
        self.conduit = conduit
        self._method = method
        self._arguments = arguments

    def __call__(self) -> Any:
        products = getattr(self.conduit, self._method)(*self._arguments)
        if type(products) in (list, tuple):
            return products
        return iterator_of(products, self.conduit, self._method)

    def on(self, conduit: Any) -> MethodCall:
        """The same call of another conduit."""
        return MethodCall(conduit, self._method, *self._arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        bare = self.conduit._flow_without_options()
        return MethodCall, (bare, self._method, *self._arguments)

    @property
    def __name__(self) -> str:
        return f"{self.conduit.name}.{self._method}"


#: makes a call one of a process in which its conduit is open
OpenedThere: TypeAlias = Callable[[MethodCall], Callable[[], Any]]


async def items_elsewhere(offload: Offload, call: Callable[[], Any]) -> AsyncGenerator[Any, None]:
    """The items of what a call off the loop returns, each of them made there as well."""
    items = await offload.call(call)
    if isinstance(items, list | tuple):
        for item in items:
            yield item
        return
    async with contextlib.aclosing(items) as made:
        async for item in made:
            yield item


def not_iterable(conduit: Conduit, method: str, products: Any, wanted: str) -> InvalidProductError:
    """The error for what a method of a conduit has returned, where it isn't what is `wanted`."""
    if inspect.iscoroutine(products):
        products.close()  # or it complains that it was never awaited
    hint = ""
    if is_single_value(products):
        hint = f", or return a list of them: [{short(products)}]"
    elif isinstance(products, Observable):
        hint = (
            "; an Observable goes into a flow by from_observable(), an operator of Rx by rx_pipe()"
        )
    elif not method.startswith("a"):
        hint = " (if it must await, there is the Async… base class)"
    return InvalidProductError(
        f"{conduit.name}.{method}() returned {shown(products)}; it must be {wanted}: yield the"
        f" products in it{hint}"
    )


def check_items(who: str, items: object) -> None:
    """Refuse anything but an iterable of products.

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


def check_executor(
    executor: object,
    conduit: Conduit,
    called: Callable[[], tuple[Callable[..., Any], Mapping[str, Any]]],
) -> None:
    """Refuse what can't go to another process, if this executor has some; `called` tells what would
    run there, and its fixed arguments."""
    # Here, as these take 1.5 ms of the import of the library (benchmark "startup, import").
    from .._options.executors import in_processes
    from .._options.pickling import check_picklable

    if not in_processes(executor):
        return
    check_picklable(conduit._flow_label, *called())
    if conduit._flow_is_opened:
        from .._rx.process_resources import check_opens_in

        opener = getattr(type(conduit), "opened", type(conduit))
        check_opens_in(executor, conduit._flow_label, conduit._flow_using or {"": opener})
