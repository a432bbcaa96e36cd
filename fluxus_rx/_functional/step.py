"""A step that takes products: a function of their attributes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from reactivex import Observable

from .._common.encoding import printed
from .._common.messages import place_note, short, shown
from .._common.names import check_step_name, identifier, normal_name, spellings_of
from .._common.signatures import Parameters, function_name, is_async_function, parameters_of
from .._conduits.conduit import options_repr
from .._conduits.subclassing import derived, fact
from .._conduits.transformer import Transformer
from .._engine.bound_step import BoundStep, ItemCall, offloaded
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import ForeignItems, Stage, StepContext
from .._errors import InvalidFlowError, InvalidNameError, UsageError
from .._options.offload import Offload
from .._options.step_options import option_hint
from .._products.attributes import snapshot
from .._products.dict_product import MISSING, DictProduct, item_number
from .._products.factory import FOREIGN_NAME, ProductFactory, from_foreign
from .._products.ownership import claims
from .call import OffloadedCall, StepCall, TimedCall
from .own_call import OwnCall
from .step_function import Factories, StepFunction, by_value, using_text

if TYPE_CHECKING:
    from .._graph.parts import Part
    from .using import UsingInRun

__all__ = ["Step"]

_log = logging.getLogger(__name__)


@printed
class Step(Transformer[Mapping[str, Any], DictProduct]):
    """A step that calls a function with attributes of each product; `step` makes one.

    A subclass is a kind of step of your own. It may have an `__init__`, fields and a `name` of its
    own, and override `call`, which makes each call, however the step is run. Without a function,
    its parameters are those of `call`. `options` returns copies of the subclass. If its `__init__`
    doesn't call that of `Step`, the step has the name of the class, and no function.

    Raises TypeError or ValueError as `step` does; TypeError for a function without parameters,
    which is that of a `SourceStep`.

    >>> from fluxus_rx import run, step
    >>> class Translate(Step):
    ...     def __init__(self, name, words):
    ...         super().__init__(name)
    ...         self.words = words
    ...     def call(self, text):
    ...         return {"text": " ".join(self.words.get(word, word) for word in text.split())}
    >>> run(step("src", {"text": "hello world"}) >> Translate("french", {"hello": "bonjour"}))
    RunResult([{'src': {'text': 'hello world'}, 'french': {'text': 'bonjour world'}}])
    """

    _flow_shows_items = False
    _flow_caller = "Step"

    #: said here, and not found by its class: a fifth of what chaining a step costs (benchmark
    #: "startup, building")
    input_type: Any = Mapping[str, Any]
    product_type: Any = DictProduct

    _flow_name = ""
    _flow_function: Callable[..., Any] | None = None
    _flow_fixed: Mapping[str, Any] = {}
    #: those of the function, or of `call`; once somebody has asked
    _flow_known_parameters: Parameters | None = None
    _flow_warned = False
    #: whether it can be given fixed arguments, for the way out that messages tell
    _flow_takes_fixed = True

    def __init__(self, name: str, function: Callable[..., Any] | None = None, /, **fixed: Any):
        check_step_name(name)
        if function is not None and not callable(function):
            raise InvalidFlowError(f"step {name!r}: {shown(function)} isn't a function")
        self._flow_begin(name, function, fixed, None)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.call is not Step.call:
            cls._flow_awaits = is_async_function(cls.call)

    def _flow_begin(
        self,
        name: str,
        function: Callable[..., Any] | None,
        fixed: Mapping[str, Any],
        parameters: Parameters | None,
        using: Factories | None = None,
    ) -> None:
        """Set what `step` has looked at; the `parameters`, if it knows them."""
        # Not by plain assignment, which a frozen dataclass refuses.
        vars(self).update(
            _flow_name=name,
            _flow_function=function,
            # As a parameter is named, also where the keyword was given by `**`.
            _flow_fixed={normal_name(name): value for name, value in fixed.items()},
            #: what makes the other arguments for each run, which `parameters` has not
            _flow_using=using or {},
            _flow_known_parameters=parameters,
        )
        if function is not None and is_async_function(function):
            vars(self)["_flow_awaits"] = True
        self._flow_check_fixed()

    def _flow_check_fixed(self) -> None:
        known = self._flow_parameters
        for name in self._flow_fixed:
            if not name.isidentifier():
                raise InvalidNameError(
                    f"step {self.name!r}: the fixed keyword {name!r} isn't an identifier"
                    f"{identifier(name)}"
                )
            if name not in known.names and not known.takes_all:
                has = ", ".join(map(repr, known.names))
                called = function_name(self._flow_called[0])
                made = f"step({self.name!r}, {called})"
                raise InvalidFlowError(
                    f"step {self.name!r}: {called}() has no parameter {name!r} (it has {has})"
                    f"{option_hint(made, {name: self._flow_fixed[name]})}"
                )

    # With positional ones, which there are none of: so type checkers let an override have any.
    def call(self, /, *nothing: Any, **attributes: Any) -> Any:
        """Make one call, with the arguments that were found by name and the fixed ones: call the
        function, unless a subclass overrides this.

        An override returns what the function of a step may return: a mapping, an iterable or
        asynchronous iterable of mappings, or an awaitable of one of these. It may be asynchronous.
        If it has parameters, it is called with those; with `**attributes`, with those of the
        function as well, or without a function, with all attributes.

        >>> from fluxus_rx import run
        >>> class Rounded(Step):
        ...     def call(self, **attributes):
        ...         given = super().call(**attributes)
        ...         return {name: round(value, 2) for name, value in given.items()}
        >>> run(Rounded("third", lambda x: {"y": x / 3}), input={"x": 1})
        RunResult([{'input': {'x': 1}, 'third': {'y': 0.33}}])
        """
        if self._flow_function is None:
            raise UsageError(
                f"step {self.name!r} has no function: pass one to Step.__init__, or override call()"
            )
        return self._flow_function(**attributes)

    @fact
    def name(self) -> str:
        """The name of the step; that of the class if none was set."""
        return self._flow_name or type(self).__name__

    @property
    def _flow_own_call(self) -> bool:
        """Whether a subclass makes its calls."""
        return type(self).call is not Step.call

    @property
    def _flow_parameters(self) -> Parameters:
        if self._flow_known_parameters is None:
            vars(self)["_flow_known_parameters"] = self._flow_found_parameters()
        return cast(Parameters, self._flow_known_parameters)

    def _flow_found_parameters(self) -> Parameters:
        name, function = self.name, self._flow_function
        if not self._flow_own_call:
            if function is None:
                raise InvalidFlowError(
                    f"step {name!r} needs a function: {type(self).__name__}({name!r}, function), or"
                    " a subclass that overrides call()"
                )
            found = parameters_of(name, function)
        else:
            found = parameters_of(name, self.call)
            if found.takes_all and function is not None:
                found = found.joined(parameters_of(name, function))
        if not (found.names or found.takes_all):
            raise InvalidFlowError(
                f"step {name!r}: {function_name(self._flow_called[0])}() takes no attributes; what"
                f" begins a flow is a SourceStep, or step({name!r}, …)"
            )
        return found

    @property
    def _flow_label(self) -> str:
        return f"step {self.name!r}"

    @property
    def _flow_is_opened(self) -> bool:
        if self._flow_using or type(self) is Step:
            return bool(self._flow_using)
        return super()._flow_is_opened

    @property
    def _flow_needs(self) -> tuple[str, ...]:
        needed = self._flow_parameters.needed
        return tuple(name for name in needed if name not in self._flow_fixed)

    @property
    def _flow_called(self) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        function = OwnCall(self) if self._flow_own_call else self._flow_function
        return cast(Any, function), {**self._flow_fixed, **self._flow_using}

    @property
    def _flow_inline(self) -> Callable[..., Any]:
        """What is called on the loop."""
        function: Any = self.call if self._flow_own_call else self._flow_function
        return cast("Callable[..., Any]", function)

    def describe(self) -> Part:
        """This step as data, see `Conduit.describe`."""
        return self._flow_described(function=self._flow_inline)

    def _flow_described(self, **facts: Any) -> Part:
        return self._flow_description(
            parameters=self._flow_parameters,
            using=self._flow_using,
            options=self._flow_options.given(),
            inherited=self._flow_defaults.given(),
            implied=self._flow_implied.given(),
            **facts,
        )

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The fixed arguments, by name."""
        return dict(self._flow_fixed)

    @derived
    def transform(self, product: Mapping[str, Any]) -> Iterable[DictProduct]:
        """The products that the step makes of one product, for a synchronous caller."""
        return self._flow_process([product])

    def _flow_bind(self, place: StepContext) -> BoundStep:
        offload: Offload | None = None
        if not self._flow_awaits:
            offload = offloaded(
                self._flow_key, lambda: self._flow_label, place.scope, place.options, snapshot
            )
        using: UsingInRun | None = None
        if place.scope is not None and self._flow_is_opened:
            # Here, as most flows have none (benchmark "startup, import").
            from .using import using_in_run

            function = self._flow_inline if offload is None else self._flow_called[0]
            using = using_in_run(self, function, place.scope, offload)
        call = self._flow_step_call(place, offload, using)
        apply, acall = call.functions()
        return BoundStep(
            apply=apply,
            acall=acall,
            explain=call.explain,
            options=place.options,
            key=self._flow_key,
            may_wait=True,
            locate=item_number,
            kept=copy.copy,
            given=call.replace,
            arguments=call.arguments,
            offload=call.offload,
            direct=call.direct(apply),
            needs=None if using is None else using.needs,
            trail=place.trail,
        )

    def _flow_step_call(
        self, place: StepContext, offload: Offload | None, using: UsingInRun | None
    ) -> StepCall:
        name, parameters = self.name, self._flow_parameters
        function = self._flow_inline if offload is None else self._flow_called[0]
        if using is not None:
            function = using.function
        called = StepFunction(
            name=name,
            function=function,
            by_value=by_value(function, next(iter(parameters.needed), "")),
            parameters=parameters,
            fixed=self._flow_fixed,
            warn_of_fixed=self._flow_warn_of_hidden,
            takes_fixed=self._flow_takes_fixed,
            resources=None if using is None else using.resources,
        )
        meter = None if place.scope is None else place.scope.meter
        factory = ProductFactory(name, place.owner, meter)
        if offload is not None:
            return OffloadedCall(called, factory, place, offload)
        if factory.keeps_times:
            return TimedCall(called, factory, place)
        return StepCall(called, factory, place)

    def _flow_connect(
        self, source: Observable[Mapping[str, Any]]
    ) -> list[FlowObservable[DictProduct]]:
        """This step on an observable, whose items need not come from a step."""
        items = flow_observable(source)
        if items.shows_items:
            foreign = items.foreign_items

            def bind(place: StepContext) -> BoundStep:
                return _ForeignInput(self.name, foreign, place).bound(place.options)

            items = items.then(Stage(bind, key=None, is_async=False, name="", shows_items=False))
        return super()._flow_connect(items)

    def _flow_warn_of_hidden(self, product: DictProduct) -> None:
        """Once per step: what is meant to be fixed may be a mistake."""
        if self._flow_warned:
            return
        hidden = []
        for name in self._flow_using:
            if (found := product.find(name)) is not MISSING:
                hidden.append(
                    f"the resource {name!r} hides the attribute {name!r}, which is"
                    f" {short(found, name)}"
                )
        for name, value in self._flow_fixed.items():
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
            vars(self)["_flow_warned"] = True
            _log.warning("step %r: %s", self.name, "; ".join(hidden))

    def __repr__(self) -> str:
        made = "step" if type(self) is Step else type(self).__name__
        arguments = [repr(self.name)]
        if self._flow_function is not None:
            arguments.append(function_name(self._flow_function))
        fixed = self._flow_fixed.items()
        using = using_text(self._flow_using)
        shown_fixed = "".join(f", {name}={short(value, name)}" for name, value in fixed)
        return f"{made}({', '.join(arguments)}{using}{shown_fixed}){options_repr(self)}"


class _ForeignInput(ItemCall):
    """Takes in items from elsewhere than a step, as products of its own, with their positions.

    The code that made an item may still hold it, or yield it twice.
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
