"""What is called with one product after the other: its options, and what a call comes to."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, cast

from reactivex import Observable

from .._common.messages import place_note, short, shown
from .._engine.bound_step import BoundStep, offloaded
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import Stage, StepContext
from .._errors import InvalidFlowError
from .._options.offload import Offload
from .._options.step_options import NO_OPTIONS, OptionKeywords, StepOptions, shows_options
from .._streams.context import Items
from .conduit import Conduit, ConduitRole
from .iterables import MethodCall, check_executor, iterator_of

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["TransformerStage"]

_IN_THREADS: Final = StepOptions(executor="thread")


class TransformerStage(Conduit):
    """What a transformer is for each product alone."""

    _flow_role: ConduitRole = "transformer"
    _flow_options = NO_OPTIONS
    _flow_defaults = NO_OPTIONS
    _flow_shows_items = True

    @abstractmethod
    def transform(self, product: Any) -> Iterable[Any]:
        """Give the outputs for one product."""

    @shows_options()
    def options(self, **options: Unpack[OptionKeywords]) -> Self:
        """A copy of this transformer with other options; see `StepOptions` for their names.

        What was set before stays, but for what is set anew. Raises TypeError for a name that is no
        option, for what can't go to another process, and for an executor of what awaits; ValueError
        for a value out of its range.
        """
        changed = copy.copy(self)
        replaced = self._flow_options.replaced(options, self._flow_label)
        object.__setattr__(changed, "_flow_options", replaced)
        changed._flow_check_options(NO_OPTIONS)
        return changed

    def describe(self) -> Part:
        """This transformer as data, see `Conduit.describe`; one with a `connect` of its own says
        nothing of what waits there."""
        is_stage = type(self).connect is TransformerStage.connect
        return self._flow_description(
            function=getattr(self, "atransform", self.transform),
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
        own = self._flow_options
        if not self._flow_awaits and (own.has("concurrency") or own.timeout is not None):
            return _IN_THREADS
        return NO_OPTIONS

    def _flow_defaulted(self, defaults: StepOptions, known: dict[int, Conduit]) -> Self:
        if id(self) not in known:
            changed = copy.copy(self)
            object.__setattr__(changed, "_flow_defaults", self._flow_defaults.over(defaults))
            changed._flow_check_options(NO_OPTIONS)
            known[id(self)] = changed
        return cast(Self, known[id(self)])

    def _flow_without_options(self) -> Self:
        """This transformer as it goes to another process: its options may hold what can't."""
        bare = copy.copy(self)
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
            return
        executor = self._flow_settings.over(defaults).over(self._flow_implied).executor
        if executor is not None:
            check_executor(executor, self._flow_label, lambda: self._flow_called)

    @property
    def _flow_called(self) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        """What runs in an executor: a function, and its fixed arguments."""
        return self.transform, {}

    def connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """This transformer on an observable: one observable per path, in path order."""
        stage = Stage(
            bind=self._flow_bind,
            key=("limit", id(self)),
            is_async=self._flow_is_async,
            name=self._flow_stage_name,
            shows_items=self._flow_shows_items,
            options=self._flow_settings,
            implied=self._flow_implied,
        )
        return [flow_observable(source).then(stage)]

    def _flow_bind(self, place: StepContext) -> BoundStep:
        offload: Offload | None = None
        if not self._flow_awaits:
            offload = offloaded(id(self), lambda: self._flow_label, place.scope, place.options)
        call = _TransformerCall(self, place, offload)
        return BoundStep(
            apply=call.apply,
            acall=self._flow_acall if offload is None else call.acall_offloaded,
            explain=call.explain,
            options=place.options,
            key=("limit", id(self)),
            given=call.replace,
            offload=offload,
        )

    @property
    def _flow_is_async(self) -> bool:
        return self._flow_awaits or self._flow_settings.over(self._flow_implied).waits

    async def _flow_acall(self, product: Any) -> Any:
        return Items(iterator_of(self.transform(product), self, "transform"))


class _TransformerCall:
    """The calls of a transformer in one run, each with a product."""

    __slots__ = ("_context", "_offload", "_transform", "_transformer")

    def __init__(
        self, transformer: TransformerStage, context: StepContext, offload: Offload | None
    ) -> None:
        self._transformer = transformer
        self._transform = transformer.transform  # found once, and not for each product
        self._context = context
        self._offload = offload

    def apply(self, product: Any) -> Items[Any]:
        """The outputs of a call."""
        products = self._transform(product)
        if products.__class__ is GeneratorType:  # the usual case, without a call: 2 % of a step
            return Items(products)
        return Items(iterator_of(products, self._transformer, "transform"))

    async def acall_offloaded(self, product: Any) -> Items[Any]:
        """The outputs of a call off the loop, each of them made there too."""
        assert self._offload is not None
        call = MethodCall(self._transformer, "transform", product)
        return Items(await self._offload.call(self._context.guarded(call)))

    def replace(self, replacement: Any, product: Any, count: int) -> Items[Any]:
        """What stands in for the outputs of a call that has failed."""
        return Items(iterator_of(replacement, self._transformer, "on_error"))

    def explain(self, error: BaseException, product: Any) -> str:
        """Add to an error which transformer was called, and with which product; the note."""
        path = self._context.trail.path
        place = f"in {self._transformer.name}, path {path}, "
        return place_note(error, place, f"with the input {short(product)}")
