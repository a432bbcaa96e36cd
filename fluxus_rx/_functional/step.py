"""A step that takes products: a function of their attributes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reactivex import Observable

from .._common.encoding import printed
from .._common.messages import place_note, short
from .._common.names import identifier, normal_name, spellings_of
from .._common.signatures import Parameters, function_name, is_async_function
from .._conduits.conduit import options_repr
from .._conduits.transformer import Transformer
from .._engine.bound_step import BoundStep, ItemCall, offloaded
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import ForeignItems, Stage, StepContext
from .._errors import InvalidFlowError, InvalidNameError
from .._options.offload import Offload
from .._options.step_options import option_hint
from .._products.dict_product import MISSING, DictProduct, item_number, snapshot
from .._products.factory import FOREIGN_NAME, ProductFactory, claims, from_foreign
from .call import OffloadedCall, StepCall, TimedCall
from .step_function import StepFunction, by_value

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["Step"]

_log = logging.getLogger(__name__)


@printed
class Step(Transformer[Mapping[str, Any], DictProduct]):
    """A step that takes products: a function of their attributes."""

    _flow_shows_items = False

    #: said here, and not found by its class: a fifth of what chaining a step costs (benchmark
    #: "startup, building")
    input_type: Any = Mapping[str, Any]
    product_type: Any = DictProduct

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        fixed: dict[str, Any],
        parameters: Parameters,
    ) -> None:
        self._name = name
        self._function = function
        # As a parameter is named, also where the keyword was given by `**`.
        self._fixed = {normal_name(name): value for name, value in fixed.items()}
        self._parameters = parameters
        self._flow_awaits = is_async_function(function)
        self._warned = False
        self._check_fixed()
        self._by_value = by_value(function, next(iter(self._parameters.needed), ""))

    def _check_fixed(self) -> None:
        known = self._parameters
        for name in self._fixed:
            if not name.isidentifier():
                raise InvalidNameError(
                    f"step {self._name!r}: the fixed keyword {name!r} is no identifier"
                    f"{identifier(name)}"
                )
            if name not in known.names and not known.takes_all:
                has, called = ", ".join(map(repr, known.names)), function_name(self._function)
                made = f"step({self._name!r}, {called})"
                raise InvalidFlowError(
                    f"step {self._name!r}: {called}() has no parameter {name!r} (it has {has})"
                    f"{option_hint(made, {name: self._fixed[name]})}"
                )

    @property
    def name(self) -> str:
        """The name of the step."""
        return self._name

    @property
    def _flow_label(self) -> str:
        return f"step {self._name!r}"

    @property
    def _flow_needs(self) -> tuple[str, ...]:
        return tuple(name for name in self._parameters.needed if name not in self._fixed)

    @property
    def _flow_called(self) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        return self._function, self._fixed

    def describe(self) -> Part:
        """This step as data, see `Conduit.describe`."""
        return self._flow_description(
            function=self._function,
            parameters=self._parameters,
            options=self._flow_options.given(),
            inherited=self._flow_defaults.given(),
            implied=self._flow_implied.given(),
        )

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The fixed arguments."""
        return dict(self._fixed)

    def transform(self, product: Mapping[str, Any]) -> Iterable[DictProduct]:
        """The products for one product, for a synchronous caller."""
        return self.process([product])

    def _flow_bind(self, place: StepContext) -> BoundStep:
        call = self._call(place)
        apply, acall = call.functions()
        return BoundStep(
            apply=apply,
            acall=acall,
            explain=call.explain,
            options=place.options,
            key=self._key,
            may_wait=True,
            locate=item_number,
            kept=copy.copy,
            given=call.replace,
            arguments=call.arguments,
            offload=call.offload,
            direct=call.direct(apply),
        )

    def _call(self, place: StepContext) -> StepCall:
        function = StepFunction(
            name=self._name,
            function=self._function,
            by_value=self._by_value,
            parameters=self._parameters,
            fixed=self._fixed,
            warn_of_fixed=self._warn_of_hidden,
        )
        meter = None if place.scope is None else place.scope.meter
        factory = ProductFactory(self._name, place.owner, meter)
        offload: Offload | None = None
        if not self._flow_awaits:
            offload = offloaded(
                id(self), lambda: self._flow_label, place.scope, place.options, snapshot
            )
        if offload is not None:
            return OffloadedCall(function, factory, place, offload)
        if factory.keeps_times:
            return TimedCall(function, factory, place)
        return StepCall(function, factory, place)

    @property
    def _key(self) -> Hashable:
        return ("limit", id(self))

    def connect(self, source: Observable[Mapping[str, Any]]) -> list[FlowObservable[DictProduct]]:
        """This step on an observable, whose items need not come from a step."""
        items = flow_observable(source)
        if items.shows_items:
            foreign = items.foreign_items

            def bind(place: StepContext) -> BoundStep:
                return _ForeignInput(self._name, foreign, place).bound(place.options)

            items = items.then(Stage(bind, key=None, is_async=False, name="", shows_items=False))
        return super().connect(items)

    def _warn_of_hidden(self, product: DictProduct) -> None:
        """Once per step: what is meant to be fixed may be a mistake."""
        if self._warned:
            return
        hidden = []
        for name, value in self._fixed.items():
            if (found := product.find(name)) is not MISSING:
                names = spellings_of(name)
                origin = next(
                    step for step, added in product.steps() if not added.keys().isdisjoint(names)
                )
                hidden.append(
                    f"the fixed value {name}={short(value, name)} hides the attribute {name!r}"
                    f" from {origin!r}, which is {short(found, name)}"
                )
        if hidden:
            self._warned = True
            _log.warning("step %r: %s", self._name, "; ".join(hidden))

    def __repr__(self) -> str:
        fixed = "".join(f", {name}={short(value, name)}" for name, value in self._fixed.items())
        return f"step({self._name!r}, {function_name(self._function)}{fixed}){options_repr(self)}"


class _ForeignInput(ItemCall):
    """Takes in items from elsewhere than a step, as products of its own, with their positions.

    Whoever has made an item may hold it still, or give it twice.
    """

    __slots__ = ("_context", "_index", "_kind", "_name")

    def __init__(self, name: str, kind: ForeignItems, context: StepContext) -> None:
        self._name = name
        self._kind = kind
        self._context = context
        self._index = -1
        claims(context.owner, kind.label or FOREIGN_NAME)

    def apply(self, item: Any) -> DictProduct:
        """The product of an item."""
        self._index += 1
        return from_foreign(
            item,
            self._index,
            self._context.owner,
            recipient=f"step {self._name!r} was given",
            label=self._kind.label,
            depth=self._kind.depth,
        )

    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error which item it was; the note."""
        path = self._context.trail.path
        return place_note(error, f"in step {self._name!r}, ", f"path {path}, at item {self._index}")
