"""A step that starts a flow."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from typing import Any, cast

from reactivex import Observable

from .._common.messages import note, short
from .._common.signatures import function_name, is_async_function
from .._conduits.conduit import options_repr
from .._conduits.producer import Producer, offloaded
from .._engine.bound_step import BoundStep
from .._engine.observable import FlowObservable
from .._engine.stage import Stage, StepContext, Trail
from .._errors import InvalidFlowError, UsageError
from .._options.offload import Offload
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct
from .._products.factory import ProductFactory, described_kind, no_products
from .._rx.scheduler import FlowScheduler
from .._streams.context import unmistakable
from .._streams.iteration import Reader

__all__ = ["SourceStep"]


class SourceStep(Producer[DictProduct]):
    """A step that starts a flow: data, or a function without parameters."""

    def __init__(self, name: str, source: Any, is_function: bool) -> None:
        self._name = name
        self._source = source
        self._is_function = is_function
        self._used = False
        self._flow_awaits = (
            is_async_function(source)
            if is_function
            else isinstance(source, AsyncIterable | Observable)
        )

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

    def _bind_items(self, place: StepContext) -> BoundStep:
        factory = ProductFactory(self._name, place.scope, place.owner)
        index = -1

        def apply(item: Any) -> DictProduct:
            nonlocal index
            index += 1
            return factory.item(index, item, "observable", None, factory.now())

        def explain(error: BaseException, item: Any) -> None:
            note(error, f"in step {self._name!r}, at item {index}")

        async def acall(item: Any) -> Any:
            return apply(item)

        return BoundStep(apply, acall, explain, StepOptions(), ("items", id(self)))

    def _products(
        self, trail: Trail, flow: FlowScheduler, owner: object
    ) -> Iterator[Any] | AsyncIterator[Any]:
        factory = ProductFactory(self._name, flow.scope, owner, trail)
        elsewhere = offloaded(self, flow.scope, self._flow_options)
        if self._is_function and elsewhere is not None:
            given = self._called(elsewhere)
            return _AwaitedItems(given, partial(self._opened, factory=factory), self._name, factory)
        if self._is_function:
            return self._given(factory)
        self._use()
        if elsewhere is not None and not isinstance(self._source, Collection):
            return self._opened(elsewhere.iterated(self._source), factory)
        return self._opened(self._source, factory)

    async def _called(self, elsewhere: Offload) -> Any:
        given = await elsewhere.call(self._source)
        if inspect.isawaitable(given):
            given = await given
        return elsewhere.iterated(given) if isinstance(given, Iterator) else given

    @property
    def _flow_called(self) -> Any:
        if self._is_function:
            return self._source
        raise InvalidFlowError(
            f"step {self._name!r} is data, which no process could make; use executor='thread'"
        )

    def _given(self, factory: ProductFactory) -> Iterator[Any] | AsyncIterator[Any]:
        try:
            given = self._source()
        except BaseException as error:
            raised = unmistakable(error)
            note(raised, f"in step {self._name!r}, before its first item")
            if raised is error:
                raise
            raise raised from error
        if inspect.isawaitable(given) and not isinstance(given, AsyncIterable):
            return _AwaitedItems(given, partial(self._opened, factory=factory), self._name, factory)
        return self._opened(given, factory)

    def _opened(
        self, given: Any, factory: ProductFactory, start: float | None = None
    ) -> Iterator[DictProduct] | AsyncIterator[DictProduct]:
        if isinstance(given, AsyncIterable):
            return factory.amany(given, described_kind(given), None, start)
        return self._items(given, factory)

    def _items(self, given: Any, factory: ProductFactory) -> Iterator[DictProduct]:
        start = factory.now()
        factory.expect(given)
        if isinstance(given, Mapping):
            return iter((factory.one(given, None, start),))
        if isinstance(given, Iterable) and not isinstance(given, str | bytes):
            return factory.many(given, described_kind(given), None, start)
        raise no_products(self._name, given)

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
        return f"step({self._name!r}, {source}){options_repr(self)}"


class _AwaitedItems(AsyncIterator[DictProduct]):
    """The products of what an awaitable comes to; it is awaited when the first is asked for."""

    def __init__(
        self, given: Any, opened: Callable[..., Any], name: str, factory: ProductFactory
    ) -> None:
        self._given = given
        self._opened = opened
        self._name = name
        self._making = factory
        self._items: Any = None
        self._reader: Reader[DictProduct] | None = None

    async def __anext__(self) -> DictProduct:
        if self._items is None:
            start = self._making.now()
            try:
                self._items = self._opened(await self._given, start=start)
            except BaseException as error:
                raised = unmistakable(error)
                note(raised, f"in step {self._name!r}, at item 0")
                if raised is error:
                    raise
                raise raised from error
            if hasattr(self._items, "__anext__"):
                self._reader = Reader(self._items)
        if self._reader is not None:
            return await self._reader.next()
        for product in self._items:
            return cast(DictProduct, product)
        raise StopAsyncIteration

    async def athrow(self, error: BaseException) -> DictProduct:
        """Throw an error into what it came to, if that takes it."""
        if self._reader is None:
            raise error
        self._reader.throw(error)
        return await self._reader.next()

    async def aclose(self) -> None:
        """Close what it came to; a coroutine would complain that it was never awaited."""
        items = self._given if self._items is None else self._items
        if hasattr(items, "aclose"):
            await items.aclose()
        elif hasattr(items, "close"):
            items.close()
