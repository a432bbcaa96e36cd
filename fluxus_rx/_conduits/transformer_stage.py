"""What is called with one product after the other: its options, and what a call comes to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, Callable, Hashable, Iterable, Mapping
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, cast

from reactivex import Observable

from .._common.messages import place_note, short, shown
from .._engine.bound_step import BoundStep, offloaded
from .._engine.conversions import outputs_for
from .._engine.execution import collect
from .._engine.merged import Merged
from .._engine.observable import FlowObservable, flow_observable, is_driven
from .._engine.stage import Stage, StepContext
from .._errors import InvalidFlowError
from .._loops.event_loop import Loop
from .._options.offload import Offload
from .._options.step_options import NO_OPTIONS, OptionKeywords, StepOptions, shows_options
from .._products.dict_product import product_classes
from .._products.factory import YieldedProducts
from .._rx.run_settings import RunSettings
from .._rx.scope import Scope
from .._streams.context import Items
from .._streams.iteration import iterate
from .conduit import Conduit, ConduitRole
from .iterables import (
    MethodCall,
    OpenedThere,
    check_executor,
    check_items,
    iterator_of,
    not_iterable,
)
from .subclassing import uncounted

if TYPE_CHECKING:
    from .._graph.parts import Part
    from .._rx.run_resources import NeededResources

__all__ = ["TransformerStage"]

_IN_THREADS: Final = StepOptions(executor="thread")


class TransformerStage(Conduit):
    """What a transformer is for each product alone."""

    _flow_role: ConduitRole = "transformer"
    _flow_options = NO_OPTIONS
    _flow_defaults = NO_OPTIONS
    _flow_shows_items = True
    _flow_halves = ("transform", "atransform")
    _flow_is_twin = False
    #: whether it has a `process` of its own, and an `aprocess`, for the whole stream
    _flow_whole: tuple[bool, bool] = (False, False)

    @abstractmethod
    def transform(self, product: Any) -> Iterable[Any]:
        """Yield the outputs for one product."""

    @shows_options()
    def options(self, **options: Unpack[OptionKeywords]) -> Self:
        """A copy of this transformer with other options; see `StepOptions` for their names.

        Options set before stay, except those set again. Raises TypeError for an unknown option, for
        what can't go to another process, and for an executor of what awaits; ValueError for a value
        out of its range.
        """
        changed = self._flow_copy()
        replaced = self._flow_options.replaced(options, self._flow_label)
        object.__setattr__(changed, "_flow_options", replaced)
        changed._flow_check_options(NO_OPTIONS)
        return changed

    def describe(self) -> Part:
        """This transformer as data, see `Conduit.describe`; one that connects itself says
        nothing of what waits in it."""
        is_stage = type(self)._flow_connect is TransformerStage._flow_connect
        is_stage = is_stage and not any(self._flow_whole)
        return self._flow_description(
            function=uncounted(cast(Any, self).atransform) if self._flow_awaits else self.transform,
            options=self._flow_options.given(),
            inherited=self._flow_defaults.given(),
            implied=self._flow_implied.given(),
            connection="stage" if is_stage else "own",
        )

    @property
    def _flow_settings(self) -> StepOptions:
        """The options that are set on this transformer, and on what it is in."""
        return self._flow_options.over(self._flow_defaults)

    @property
    def _flow_implied(self) -> StepOptions:
        """What these imply where nothing else is said: calls at once, or that can be given up, of a
        plain function take threads."""
        return NO_OPTIONS if self._flow_awaits else self._flow_implied_plainly

    @property
    def _flow_implied_plainly(self) -> StepOptions:
        own = self._flow_options
        return _IN_THREADS if own.has("concurrency") or own.timeout is not None else NO_OPTIONS

    def _flow_defaulted(self, defaults: StepOptions, known: dict[int, Conduit]) -> Self:
        if id(self) not in known:
            changed = self._flow_copy()
            object.__setattr__(changed, "_flow_defaults", self._flow_defaults.over(defaults))
            changed._flow_check_options(NO_OPTIONS)
            known[id(self)] = changed
        return cast(Self, known[id(self)])

    def _flow_without_options(self) -> Self:
        """This transformer as it goes to another process: its options may hold what can't."""
        bare = self._flow_copy()
        for name in ("_flow_options", "_flow_defaults"):
            object.__setattr__(bare, name, NO_OPTIONS)
        return bare

    def _flow_keeps_failures(self, defaults: StepOptions) -> bool:
        kept = self._flow_settings.over(defaults).on_error != "raise"
        return kept or super()._flow_keeps_failures(defaults)

    def _flow_check_options(self, defaults: StepOptions) -> None:
        if self._flow_awaits:
            if self._flow_options.executor is not None:
                raise InvalidFlowError(
                    f"{self._flow_label}: executor={shown(self._flow_options.executor)} is for"
                    " plain functions, and this one is asynchronous: it runs on the loop, with up"
                    " to `concurrency` calls at once"
                )
            if not self._flow_is_twin:
                return
        executor = self._flow_settings.over(defaults).over(self._flow_implied_plainly).executor
        if executor is not None:
            check_executor(executor, self, lambda: self._flow_called)

    @property
    def _flow_called(self) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        """What runs in an executor: a function, and its fixed arguments."""
        return self.transform, {}

    def _flow_connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """This transformer on an observable: one observable per path, in path order."""
        if any(self._flow_whole):
            # Here, as it takes 0.5 ms of the import of the library (benchmark "startup, import").
            from .whole_stream import seen_whole

            return [seen_whole(self, self._flow_is_whole_plainly, source)]
        stage = Stage(
            bind=self._flow_bind,
            key=self._flow_key,
            is_async=self._flow_waits,
            name=self._flow_stage_name,
            shows_items=self._flow_shows_items,
            options=self._flow_settings,
            implied=self._flow_implied,
            opens=self._flow_is_opened,
        )
        if self._flow_is_twin:
            implied = self._flow_implied_plainly
            waits = self._flow_settings.over(implied).waits
            stage = stage._replace(plain=stage._replace(is_async=waits, implied=implied))
        return [flow_observable(source).then(stage)]

    def _flow_on(self, source: Observable[Any]) -> Observable[Any]:
        driven = self._flow_is_async or is_driven(source)
        if self._flow_n_paths == 1:
            return self._flow_connect(flow_observable(source, driven))[0]
        return Merged(lambda: [*self._flow_connect(flow_observable(source, driven))], driven, self)

    def _flow_atransform(self, product: Any) -> AsyncIterable[Any]:
        one = self._flow_by_calls() if any(self._flow_whole) else self
        return outputs_for(product, one._flow_on)

    def _flow_process(self, items: Iterable[Any]) -> list[Any]:
        with Loop() as loop:
            return loop.call(lambda: self._flow_aprocess(items, plain=True))

    async def _flow_aprocess(
        self, items: Iterable[Any] | AsyncIterable[Any], *, plain: bool = False
    ) -> list[Any]:
        if isinstance(items, AsyncIterable):
            source: FlowObservable[Any] = FlowObservable(lambda flow, owner: iterate(items))
        else:
            check_items("process()", items)
            source = FlowObservable(lambda flow, owner: iter(items))
        paths = await collect(self._flow_connect(source), RunSettings(ordered=True, plain=plain))
        return [product for path in paths for product in path]

    def _flow_is_whole_plainly(self, settings: RunSettings) -> bool:
        """Whether its own `process` is called in such a run, and not its own `aprocess`."""
        plain, awaiting = self._flow_whole
        return plain and (settings.plain or not awaiting)

    def _flow_by_calls(self) -> Self:
        """The same without methods of its own for the whole stream."""
        calls = self._flow_copy()
        object.__setattr__(calls, "_flow_whole", (False, False))
        object.__setattr__(calls, "_flow_copied", self._flow_original)
        return calls

    @property
    def _flow_key(self) -> Hashable:
        """What tells its limit, and where its calls run, from those of others."""
        return ("limit", id(self._flow_original))

    def _flow_awaits_in(self, scope: Scope | None) -> bool:
        """Whether its calls in this run are those of its asynchronous half."""
        is_plain = self._flow_is_twin and scope is not None and scope.settings.plain
        return self._flow_awaits and not is_plain

    def _flow_bind(self, place: StepContext) -> BoundStep:
        offload: Offload | None = None
        awaits = self._flow_awaits_in(place.scope)
        if not awaits:
            offload = offloaded(
                self._flow_key, lambda: self._flow_label, place.scope, place.options
            )
        called: TransformerStage = self
        needs: NeededResources | None = None
        opened_there: OpenedThere | None = None
        if self._flow_is_opened and place.scope is not None:
            from .lifetime import conduit_in_run

            called, needs, opened_there = conduit_in_run(called, place.scope, offload)
        call = _TransformerCall(called, place, offload, opened_there)
        acall = call.acall if offload is None else call.acall_offloaded
        return BoundStep(
            apply=call.apply,
            acall=call.acall_awaiting if awaits else acall,
            explain=call.explain,
            options=place.options,
            key=self._flow_key,
            given=call.replace,
            offload=offload,
            needs=needs,
            trail=place.trail,
        )

    @property
    def _flow_waits(self) -> bool:
        """Whether its calls are awaited."""
        return (
            self._flow_awaits
            or any(self._flow_whole)
            or self._flow_settings.over(self._flow_implied).waits
        )

    @property
    def _flow_is_async(self) -> bool:
        return self._flow_is_opened or self._flow_waits


#: what a message calls the outputs of a call
_OUTPUTS: Final = "products it yielded"


class _TransformerCall:
    """The calls of a transformer in one run, each with a product.

    In a flow of dictionaries, a mapping that it yields is a product that descends from that one.
    """

    __slots__ = (
        "_atransform", "_context", "_factory", "_offload", "_opened_there", "_plain_class",
        "_transform", "_transformer",
    )  # fmt: skip

    def __init__(
        self,
        transformer: TransformerStage,
        context: StepContext,
        offload: Offload | None,
        opened_there: OpenedThere | None,
    ) -> None:
        self._transformer = transformer
        # Found once, and not for each product.
        self._transform: Any = transformer.transform
        self._atransform = uncounted(cast(Any, transformer).atransform)
        self._context = context
        self._offload = offload
        #: makes a call one of a process in which the transformer is opened
        self._opened_there = opened_there
        name = context.trail.name or type(transformer).__name__
        meter = None if context.scope is None else context.scope.meter
        # Nobody extends these products in place: users may hold them.
        self._factory = YieldedProducts(name, None, meter)
        #: the class of the last product that was none of a step: to ask once more is 3 % of a call
        self._plain_class: type | None = None

    def apply(self, product: Any) -> Items[Any]:
        """The outputs of a call."""
        if product.__class__ is not self._plain_class:
            if product.__class__ in product_classes:
                start = self._factory.now()
                products = iterator_of(self._transform(product), self._transformer, "transform")
                return Items(self._factory.from_iterable(products, _OUTPUTS, product, start))
            self._plain_class = product.__class__
        products = self._transform(product)
        if products.__class__ is GeneratorType:  # the usual case, without a call: 2 % of a step
            return Items(products)
        return Items(iterator_of(products, self._transformer, "transform"))

    async def acall(self, product: Any) -> Items[Any]:
        """The same, in a stage that awaits its calls."""
        return self.apply(product)

    async def acall_awaiting(self, product: Any) -> Items[Any]:
        """The outputs of a call of the asynchronous half."""
        start = self._factory.now()
        products = self._atransform(product)
        if not hasattr(products, "__aiter__"):
            wanted = "an asynchronous generator"
            raise not_iterable(self._transformer, "atransform", products, wanted)
        return Items(self._with_lineage(products, product, start))

    async def acall_offloaded(self, product: Any) -> Items[Any]:
        """The outputs of a call off the loop, each of them made there too."""
        assert self._offload is not None
        start = self._factory.now()
        call = MethodCall(self._transformer, "transform", product)
        there = call if self._opened_there is None else self._opened_there(call)
        products = await self._offload.call(self._context.guarded(there))
        return Items(self._with_lineage(products, product, start))

    def replace(self, replacement: Any, product: Any, count: int) -> Items[Any]:
        """What stands in for the outputs of a call that has failed after it had yielded so many."""
        products = iterator_of(replacement, self._transformer, "on_error")
        return Items(self._with_lineage(products, product, self._factory.now(), count))

    def _with_lineage(
        self, products: Any, product: Any, start: float | None, count: int = 0
    ) -> Any:
        """The outputs for a product, of which so many have come before."""
        if product.__class__ not in product_classes:
            return products
        if hasattr(products, "__aiter__"):
            return self._factory.from_async_iterable(products, _OUTPUTS, product, start)
        return self._factory.from_iterable(products, _OUTPUTS, product, start, count)

    def explain(self, error: BaseException, product: Any) -> str:
        """Add to an error which transformer was called, and with which product; the note."""
        path = self._context.trail.path
        place = f"in {self._transformer.name}, path {path}, "
        return place_note(error, place, f"with the input {short(product)}")
