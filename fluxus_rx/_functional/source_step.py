"""A step that starts a flow."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from reactivex import Observable

from .._common.encoding import printed
from .._common.messages import note, place_note, short
from .._common.signatures import Parameters, function_name, is_async_function
from .._common.single_values import is_text
from .._common.trail import Trail
from .._conduits.conduit import options_repr
from .._conduits.emission import emission_of
from .._conduits.producer import Producer
from .._engine.bound_step import BoundStep, ItemCall, offloaded
from .._engine.observable import FlowObservable
from .._engine.stage import Stage, StepContext
from .._errors import InvalidFlowError, UsageError
from .._monitoring.meter import length_of
from .._options.offload import Offload
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct, snapshot
from .._products.factory import ProductFactory, claims, described_kind, no_products
from .._rx.scheduler import FlowScheduler
from .._streams.context import unmistakable
from .._streams.iteration import Reader

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["SourceStep"]


@printed
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
        if not self._is_function:
            return f"(it is data; a function is passed uncalled: step({self._name!r}, f))"
        if "*" in str(inspect.signature(self._source)):
            return "(its function takes no arguments by name, but *args; name them)"
        return "(its function takes no arguments)"

    @property
    def _flow_label(self) -> str:
        return f"step {self._name!r}"

    def describe(self) -> Part:
        """This step as data, see `Conduit.describe`."""
        given: dict[str, Any]
        if self._is_function:
            given = {"function": self._source, "parameters": Parameters((), (), False)}
        else:
            given = {"data": self._source, "emission": emission_of(self._source)}
        options = self._flow_options.given()
        return self._flow_description(role="producer", arguments={}, options=options, **given)

    def produce(self) -> Iterable[DictProduct]:
        """The products, for a synchronous reader."""
        return iter(self)

    def observables(self) -> list[FlowObservable[DictProduct]]:
        """The one path of a step."""
        if isinstance(self._source, Observable) and not self._is_function:
            stage = Stage(
                bind=self._bind_emitted,
                key=("items", id(self)),
                is_async=False,
                name=self._name,
                shows_items=False,
            )
            return [FlowObservable(self._source).then(stage)]
        trail = Trail(self._name)
        root = partial(self._open, trail)
        return [FlowObservable(root, trail=trail, shows_items=False)]

    def _bind_emitted(self, place: StepContext) -> BoundStep:
        meter = None if place.scope is None else place.scope.meter
        factory = ProductFactory(self._name, place.owner, meter)
        claims(place.owner, self._name)
        return _EmittedItems(self._name, factory).bound(StepOptions(), ("items", id(self)))

    def _open(
        self, trail: Trail, flow: FlowScheduler, owner: object
    ) -> Iterator[Any] | AsyncIterator[Any]:
        meter = flow.scope.meter
        factory = ProductFactory(self._name, owner, meter)
        expect = None if meter is None else partial(meter.gauges.expect, trail)
        products = _SourceProducts(self._name, factory, expect)
        offload = offloaded(
            id(self), lambda: self._flow_label, flow.scope, self._flow_options, snapshot
        )
        if self._is_function:
            if offload is None:
                return products.of_call(self._source)
            return products.of_offloaded_call(self._source, offload)
        self._use()
        if offload is None or isinstance(self._source, Collection):
            return products.of(self._source)
        return products.of(offload.iterate(self._source))

    @property
    def _flow_called(self) -> Any:
        if self._is_function:
            return self._source
        raise InvalidFlowError(
            f"step {self._name!r} is data, which no process could make; use executor='thread'"
        )

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


class _EmittedItems(ItemCall):
    """Makes products of what an observable emits."""

    __slots__ = ("_factory", "_index", "_name")

    def __init__(self, name: str, factory: ProductFactory) -> None:
        self._name = name
        self._factory = factory
        self._index = -1

    def apply(self, item: Any) -> DictProduct:
        """The product of an item."""
        self._index += 1
        return self._factory.from_item(self._index, item, "observable", None, self._factory.now())

    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error which item it was; the note."""
        return place_note(error, f"in step {self._name!r}, ", f"at item {self._index}")


class _SourceProducts:
    """The products of a source in one run: of data, or of what its function gives.

    `expect` is told how many there will be, if that is known and the run counts.
    """

    __slots__ = ("_expect", "_factory", "_name")

    def __init__(
        self, name: str, factory: ProductFactory, expect: Callable[[int | None], None] | None
    ) -> None:
        self._name = name
        self._factory = factory
        self._expect = expect

    def of(
        self, given: Any, start: float | None = None
    ) -> Iterator[DictProduct] | AsyncIterator[DictProduct]:
        """The products of what is there; `start` is when it was asked for, if that was before."""
        factory, kind = self._factory, described_kind(given)
        if isinstance(given, AsyncIterable):
            return factory.from_async_iterable(given, kind, None, start)
        start = factory.now()
        if self._expect is not None:
            self._expect(1 if isinstance(given, Mapping) else length_of(given))
        if isinstance(given, Mapping):
            return iter((factory.from_mapping(given, None, start),))
        if isinstance(given, Iterable) and not is_text(given):
            return factory.from_source(given, kind, start)
        raise no_products(self._name, given)

    def of_call(
        self, function: Callable[[], Any]
    ) -> Iterator[DictProduct] | AsyncIterator[DictProduct]:
        """The products of what a function gives, which may have to be awaited."""
        try:
            given = function()
        except BaseException as error:
            raised = unmistakable(error)
            note(raised, f"in step {self._name!r}, before its first item")
            if raised is error:
                raise
            raise raised from error
        if inspect.isawaitable(given) and not isinstance(given, AsyncIterable):
            return self._of_awaitable(given)
        return self.of(given)

    def of_offloaded_call(
        self, function: Callable[[], Any], offload: Offload
    ) -> AsyncIterator[DictProduct]:
        """The products of what a function gives that is called, and iterated, off the loop."""
        return self._of_awaitable(_called_off_loop(function, offload))

    def _of_awaitable(self, given: Awaitable[Any]) -> AsyncIterator[DictProduct]:
        return _AwaitedItems(given, self.of, self._name, self._factory)


async def _called_off_loop(function: Callable[[], Any], offload: Offload) -> Any:
    given = await offload.call(function)
    return await given if inspect.isawaitable(given) else given


class _AwaitedItems(AsyncIterator[DictProduct]):
    """The products of what an awaitable comes to; it is awaited when the first is asked for."""

    def __init__(
        self,
        given: Awaitable[Any],
        products_of: Callable[..., Any],
        name: str,
        factory: ProductFactory,
    ) -> None:
        self._given = given
        self._products_of = products_of
        self._name = name
        self._factory = factory
        self._items: Any = None
        self._reader: Reader[DictProduct] | None = None

    async def __anext__(self) -> DictProduct:
        if self._items is None:
            start = self._factory.now()
            try:
                self._items = self._products_of(await self._given, start=start)
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
        items: Any = self._given if self._items is None else self._items
        if hasattr(items, "aclose"):
            await items.aclose()
        elif hasattr(items, "close"):
            items.close()
