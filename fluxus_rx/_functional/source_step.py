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
from .._common.names import check_step_name
from .._common.signatures import Parameters, function_name, is_async_function
from .._common.single_values import is_text
from .._common.trail import Trail
from .._components.emission import emission_of
from .._conduits.conduit import options_repr
from .._conduits.producer import Producer
from .._conduits.subclassing import derived, fact
from .._engine.bound_step import BoundStep, ItemCall, offloaded
from .._engine.observable import FlowObservable
from .._engine.stage import Stage, StepContext
from .._errors import InvalidFlowError, UsageError
from .._monitoring.meter import length_of
from .._options.offload import Offload
from .._options.step_options import StepOptions
from .._products.attributes import snapshot
from .._products.dict_product import MISSING, DictProduct
from .._products.factory import ProductFactory, described_kind, no_products
from .._products.ownership import claims
from .._rx.scheduler import FlowScheduler
from .._streams.context import unmistakable
from .._streams.iteration import Reader
from .own_call import OwnCall
from .source_data import check_takes_nothing, is_function_of_source
from .step_function import Factories, using_text

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["SourceStep"]


@printed
class SourceStep(Producer[DictProduct]):
    """A step that begins a flow: data, or a function without parameters; `step` makes one.

    A subclass is a kind of source of your own. It may have an `__init__`, fields and a `name` of
    its own, and override `call`, which returns the items of each run. `options` returns copies of
    the subclass. If its `__init__` doesn't call that of `SourceStep`, the step has the name of the
    class.

    Raises TypeError or ValueError as `step` does; TypeError for a function that takes attributes.

    >>> from fluxus_rx import run
    >>> class Letters(SourceStep):
    ...     def __init__(self, name, text):
    ...         super().__init__(name)
    ...         self.text = text
    ...     def call(self):
    ...         for letter in self.text:
    ...             yield {"letter": letter}
    >>> run(Letters("word", "ab"))
    RunResult([{'word': {'letter': 'a'}}, {'word': {'letter': 'b'}}])
    """

    _flow_caller = "SourceStep"

    _flow_name = ""
    _flow_source: Any = MISSING
    _flow_is_function = False
    _flow_used = False

    def __init__(self, name: str, source: Any = MISSING, /) -> None:
        check_step_name(name)
        is_function = self._flow_own_call
        if source is not MISSING and is_function_of_source(name, source):
            check_takes_nothing(name, source)
            is_function = True
        elif source is MISSING and not is_function:
            raise InvalidFlowError(
                f"step {name!r} needs data or a function: {type(self).__name__}({name!r}, data), or"
                " a subclass that overrides call()"
            )
        self._flow_begin(name, source, is_function)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.call is not SourceStep.call:
            cls._flow_awaits = is_async_function(cls.call)
            cls._flow_is_function = True

    @classmethod
    def _flow_of(
        cls, name: str, source: Any, is_function: bool, using: Factories | None = None
    ) -> SourceStep:
        """That of a source which has been looked at."""
        made = cls.__new__(cls)
        made._flow_begin(name, source, is_function, using)
        return made

    def _flow_begin(
        self, name: str, source: Any, is_function: bool, using: Factories | None = None
    ) -> None:
        awaits = self._flow_awaits
        if callable(source) and is_function:
            awaits |= is_async_function(source)
        else:
            awaits |= isinstance(source, AsyncIterable | Observable)
        # Not by plain assignment, which a frozen dataclass refuses.
        vars(self).update(
            _flow_name=name,
            _flow_source=source,
            _flow_is_function=is_function,
            _flow_awaits=awaits,
            #: what makes the arguments of the function for each run
            _flow_using=using or {},
        )

    def call(self) -> Any:
        """Return the items of a run: those of the function, or the data, unless a subclass
        overrides it.

        An override returns what the function of a step may return: a mapping, an iterable or
        asynchronous iterable of mappings, or an awaitable of one of these. It may be asynchronous.

        >>> SourceStep("src", lambda: [{"x": 1}]).call()
        [{'x': 1}]
        """
        if self._flow_source is MISSING:
            raise UsageError(
                f"step {self.name!r} has no items: pass data or a function to SourceStep.__init__,"
                " or override call()"
            )
        if callable(self._flow_source):
            return self._flow_source()
        self._flow_use()
        return self._flow_source

    @fact
    def name(self) -> str:
        """The name of the step; that of the class if none was set."""
        return self._flow_name or type(self).__name__

    @property
    def _flow_own_call(self) -> bool:
        """Whether a subclass overrides `call`."""
        return type(self).call is not SourceStep.call

    @property
    def _flow_function(self) -> Any:
        """What returns the items of a run, if that is a function."""
        return self.call if self._flow_own_call else self._flow_source

    @property
    def _flow_is_opened(self) -> bool:
        if self._flow_using or type(self) is SourceStep:
            return bool(self._flow_using)
        return super()._flow_is_opened

    @property
    def _flow_why_source(self) -> str:
        if self._flow_using:
            return "(its function takes nothing but what `using` makes)"
        if not self._flow_is_function:
            return f"(it is data; a function is passed uncalled: step({self.name!r}, f))"
        if "*" in str(inspect.signature(self._flow_function)):
            return "(its function takes no arguments by name, but *args; name them)"
        return "(its function takes no arguments)"

    @property
    def _flow_label(self) -> str:
        return f"step {self.name!r}"

    def describe(self) -> Part:
        """This step as data, see `Conduit.describe`."""
        given: dict[str, Any]
        if self._flow_is_function:
            given = {"function": self._flow_function, "parameters": Parameters((), (), False)}
            given["using"] = self._flow_using
        else:
            given = {"data": self._flow_source, "emission": emission_of(self._flow_source)}
        options = self._flow_options.given()
        return self._flow_description(role="producer", arguments={}, options=options, **given)

    @derived
    def produce(self) -> Iterable[DictProduct]:
        """The products, for a synchronous reader."""
        return iter(self)

    def _flow_observables(self) -> list[FlowObservable[DictProduct]]:
        """The one path of a step."""
        if isinstance(self._flow_source, Observable) and not self._flow_is_function:
            stage = Stage(
                bind=self._flow_bind_emitted,
                key=("items", id(self)),
                is_async=False,
                name=self.name,
                shows_items=False,
            )
            return [FlowObservable(self._flow_source).then(stage)]
        trail = Trail(self.name)
        root = partial(self._flow_open, trail)
        return [FlowObservable(root, trail=trail, shows_items=False)]

    def _flow_bind_emitted(self, place: StepContext) -> BoundStep:
        meter = None if place.scope is None else place.scope.meter
        factory = ProductFactory(self.name, place.owner, meter)
        claims(place.owner, self.name)
        return _EmittedItems(self.name, factory).bound(StepOptions(), ("items", id(self)))

    def _flow_open(
        self, trail: Trail, flow: FlowScheduler, owner: object
    ) -> Iterator[Any] | AsyncIterator[Any]:
        meter = flow.scope.meter
        factory = ProductFactory(self.name, owner, meter)
        expect = None if meter is None else partial(meter.gauges.expect, trail)
        products = _SourceProducts(self.name, factory, expect)
        offload = offloaded(
            id(self), lambda: self._flow_label, flow.scope, self._flow_options, snapshot
        )
        if self._flow_is_function:
            if self._flow_is_opened:
                # Here, as most flows have none (benchmark "startup, import").
                from .using import source_call

                function = self._flow_function if offload is None else self._flow_called
                return products.of_call(source_call(self, function, flow.scope, offload))
            if offload is None:
                return products.of_call(self._flow_function)
            return products.of_offloaded_call(self._flow_called, offload)
        self._flow_use()
        if offload is None or isinstance(self._flow_source, Collection):
            return products.of(self._flow_source)
        return products.of(offload.iterate(self._flow_source))

    @property
    def _flow_called(self) -> Any:
        if self._flow_is_function:
            return OwnCall(self) if self._flow_own_call else self._flow_source
        raise InvalidFlowError(
            f"step {self.name!r} is data, which no process could make; use executor='thread'"
        )

    def _flow_use(self) -> None:
        source = self._flow_source
        if not (isinstance(source, Iterator | AsyncIterator)):
            return
        if self._flow_used:
            raise UsageError(
                f"step {self.name!r}: its generator was used up by an earlier run; pass a list, or"
                " a function that makes a new generator"
            )
        self._flow_used = True

    def __repr__(self) -> str:
        made = "step" if type(self) is SourceStep else type(self).__name__
        arguments = [repr(self.name)]
        if callable(self._flow_source):
            arguments.append(function_name(self._flow_source))
        elif self._flow_source is not MISSING:
            arguments.append(short(self._flow_source))
        using = using_text(self._flow_using)
        return f"{made}({', '.join(arguments)}{using}){options_repr(self)}"


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
    """The products of a source in one run: of data, or of what its function returns.

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
        """The products of what a function returns, which may have to be awaited."""
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
        """The products of what a function returns that is called, and iterated, off the loop."""
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
