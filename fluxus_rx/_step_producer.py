"""A step that starts a flow."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from reactivex import Observable

from ._calls import error_of
from ._errors import UsageError, note, short
from ._making import Making, kind_of, no_products
from ._options import StepOptions
from ._producers import Producer
from ._products import DictProduct
from ._scheduler import FlowScheduler
from ._signatures import function_name
from ._stages import FlowObservable, Place, Stage, Trail
from ._walks import Work

__all__ = ["DictProducer"]


class DictProducer(Producer[DictProduct]):
    """A step that starts a flow: data, or a function without parameters."""

    def __init__(self, name: str, source: Any, is_function: bool) -> None:
        self._name = name
        self._source = source
        self._is_function = is_function
        self._used = False

    @property
    def name(self) -> str:
        """The name of the step."""
        return self._name

    @property
    def _flow_why_source(self) -> str:
        return "(its function takes no arguments)" if self._is_function else "(it is data)"

    @property
    def _flow_label(self) -> str:
        return f"step {self._name!r}"

    def produce(self) -> Iterable[DictProduct]:
        """The products, for a synchronous reader."""
        return iter(self)

    def observables(self) -> list[FlowObservable[DictProduct]]:
        """The one path of a step."""
        trail = (None, self._name)
        if isinstance(self._source, Observable) and not self._is_function:
            stage = Stage(self._bind_items, ("items", id(self)), False, self._name, False)
            return [FlowObservable(self._source, (), True).then(stage)]
        root = partial(self._products, trail)
        return [FlowObservable(root, (), True, trail, shows_items=False)]

    def _bind_items(self, place: Place) -> Work:
        making = Making(self._name, place.scope, place.owner)
        index = -1

        def apply(item: Any) -> DictProduct:
            nonlocal index
            index += 1
            return making.item(index, item, "observable", None, making.now())

        def explain(error: BaseException, item: Any) -> None:
            note(error, f"in step {self._name!r}, at item {index}")

        async def acall(item: Any) -> Any:
            return apply(item)

        return Work(apply, acall, explain, StepOptions(), ("items", id(self)))

    def _products(
        self, trail: Trail, flow: FlowScheduler, owner: object
    ) -> Iterator[Any] | AsyncIterator[Any]:
        making = Making(self._name, flow.scope, owner, trail)
        if self._is_function:
            return self._given(making)
        self._use()
        if isinstance(self._source, AsyncIterable):
            return self._agiven(self._source, making)
        return self._items(self._source, making)

    def _given(self, making: Making) -> Iterator[Any] | AsyncIterator[Any]:
        try:
            given = self._source()
        except BaseException as error:
            raised = error_of(error)
            note(raised, f"in step {self._name!r}, before its first item")
            if raised is error:
                raise
            raise raised from error
        if inspect.isawaitable(given) or isinstance(given, AsyncIterable):
            return self._agiven(given, making)
        return self._items(given, making)

    def _items(self, given: Any, making: Making) -> Iterator[DictProduct]:
        start = making.now()
        making.expect(given)
        if isinstance(given, Mapping):
            return iter((making.one(given, None, start),))
        if isinstance(given, Iterable) and not isinstance(given, str | bytes):
            return making.many(given, kind_of(given), None, start)
        raise no_products(self._name, given)

    async def _agiven(self, given: Any, making: Making) -> AsyncIterator[DictProduct]:
        count = 0
        outside = False
        try:
            start = making.now()
            if inspect.isawaitable(given):
                given = await given
            if isinstance(given, AsyncIterable):
                products = making.amany(given, kind_of(given), None, start)
                try:
                    async for product in products:
                        outside = True
                        yield product
                        outside = False
                        count += 1
                finally:
                    await products.aclose()
                return
            for product in self._items(given, making):
                outside = True
                yield product
                outside = False
                count += 1
        except BaseException as error:
            if not outside:
                note(error, f"in step {self._name!r}, at item {count}")
            raise

    def _use(self) -> None:
        source = self._source
        if not (isinstance(source, Iterator | AsyncIterator)):
            return
        if self._used:
            raise UsageError(
                f"step {self._name!r}: its generator was used up by an earlier run; pass a list, or"
                " a function that makes a new generator"
            )
        self._used = True

    def __repr__(self) -> str:
        source = function_name(self._source) if self._is_function else short(self._source)
        return f"step({self._name!r}, {source})"
