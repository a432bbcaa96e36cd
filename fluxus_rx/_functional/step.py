"""A step that takes products: a function of their attributes."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import (
    AsyncIterable,
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from types import FunctionType
from typing import Any

from reactivex import Observable

from .._common.messages import note, short
from .._common.names import identifier
from .._common.signatures import function_name, is_async_function, parameters_of
from .._conduits.conduit import options_repr
from .._conduits.producer import offloaded
from .._conduits.transformer import Transformer
from .._engine.bound_step import BoundStep, Deferred
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import ForeignItems, Stage, StepContext, Trail, path_of
from .._errors import InvalidFlowError, InvalidNameError, MissingAttributeError
from .._products.dict_product import MISSING, DictProduct, known_names
from .._products.factory import ProductFactory, described_kind, from_foreign, no_products
from .._streams.context import Items

__all__ = ["Step"]

_log = logging.getLogger(__name__)


class Step(Transformer[Mapping[str, Any], DictProduct]):
    """A step that takes products: a function of their attributes."""

    _flow_shows_items = False

    def __init__(self, name: str, function: Callable[..., Any], fixed: dict[str, Any]) -> None:
        self._name = name
        self._function = function
        self._fixed = fixed
        self._parameters = parameters_of(name, function)
        self._flow_awaits = is_async_function(function)
        self._warned = False
        self._check_fixed()
        self._alone = _of_one(function, next(iter(self._parameters.needed), ""))

    def _check_fixed(self) -> None:
        known = self._parameters
        for name in self._fixed:
            if not name.isidentifier():
                raise InvalidNameError(
                    f"step {self._name!r}: the fixed keyword {name!r} is no identifier"
                    f"{identifier(name)}"
                )
            if name not in known.names and not known.takes_all:
                has = ", ".join(map(repr, known.names))
                raise InvalidFlowError(
                    f"step {self._name!r}: {function_name(self._function)}() has no parameter"
                    f" {name!r} (it has {has})"
                )

    @property
    def name(self) -> str:
        """The name of the step."""
        return self._name

    @property
    def _flow_label(self) -> str:
        return f"step {self._name!r}"

    @property
    def _flow_called(self) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        return self._function, self._fixed

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The fixed arguments."""
        return dict(self._fixed)

    def transform(self, product: Mapping[str, Any]) -> Iterable[DictProduct]:
        """The products for one product, for a synchronous caller."""
        return self.process([product])

    def _flow_bind(self, place: StepContext) -> BoundStep:
        factory = ProductFactory(self._name, place.scope, place.owner)
        arguments, call, one = self._calling()
        alone = self._alone
        function, name, owner = self._function, self._name, place.owner
        awaited = inspect.iscoroutinefunction(function)

        # With the usual case first: a function of one attribute of the latest product, which gives
        # a dictionary. Each call that is spared is 0.1 µs of 1.0 a step.
        def apply(product: Any) -> Any:
            trail = product.trail
            latest = trail[-1]
            given = alone(latest[one]) if one in latest else call(product)
            if given.__class__ is not dict or not known_names.issuperset(given):
                return self._outcome(given, product, factory, None)
            if product.owner is not owner:
                return DictProduct(name, given.copy(), product, 0, owner)
            trail += (name, given.copy())
            return product

        async def acall(product: Any) -> Any:
            trail = product.trail
            latest = trail[-1]
            given = alone(latest[one]) if one in latest else call(product)
            if awaited or inspect.isawaitable(given):
                given = await given
            if given.__class__ is not dict or not known_names.issuperset(given):
                return self._outcome(given, product, factory, None, later=False)
            if product.owner is not owner:
                return DictProduct(name, given.copy(), product, 0, owner)
            trail += (name, given.copy())
            return product

        def timed(product: Any) -> Any:
            start = factory.now()
            return self._outcome(call(product), product, factory, start)

        elsewhere = None if self._flow_awaits else offloaded(self, place.scope, place.options)

        async def atimed(product: Any) -> Any:
            start = factory.now()
            if elsewhere is None:
                given = call(product)
            else:
                given = await elsewhere.call(function, **arguments(product))
            if inspect.isawaitable(given):
                given = await given
            if elsewhere is not None and isinstance(given, Iterator):
                given = elsewhere.iterated(given)
            return self._outcome(given, product, factory, start, later=False)

        def replaced(replacement: Any, product: Any, count: int) -> Any:
            if not count:
                return self._outcome(replacement, product, factory, factory.now())
            # Behind what the call has given before it failed.
            several = [replacement] if isinstance(replacement, Mapping) else replacement
            if not isinstance(several, Iterable) or isinstance(several, str | bytes):
                raise no_products(self._name, replacement)
            start = factory.now()
            return Items(
                factory.item(index, one, "replacement", product, start)
                for index, one in enumerate(several, count)
            )

        def explain(error: BaseException, product: Any) -> None:
            self._explain(error, product, place.trail)

        calls = (timed, atimed) if factory.clock or elsewhere is not None else (apply, acall)
        return BoundStep(
            *(*calls, explain, place.options, self._key),
            may_wait=True,
            locate=DictProduct.where,
            kept=copy.copy,
            given=replaced,
        )

    @property
    def _key(self) -> Hashable:
        return ("limit", id(self))

    def connect(self, source: Observable[Mapping[str, Any]]) -> list[FlowObservable[DictProduct]]:
        """This step on an observable, whose items need not come from a step."""
        items = flow_observable(source)
        if items.shows_items:
            taking_in = partial(self._bind_taking_in, items.kind)
            items = items.then(Stage(taking_in, None, False, "", shows_items=False))
        return super().connect(items)

    def _bind_taking_in(self, kind: ForeignItems, place: StepContext) -> BoundStep:
        """What comes from elsewhere than a step, as products of its own, with their positions.

        Whoever has made an item may hold it still, or give it twice.
        """
        index = -1

        def apply(item: Any) -> DictProduct:
            nonlocal index
            index += 1
            said = f"step {self._name!r} was given"
            return from_foreign(item, index, place.owner, said, *kind)

        async def acall(item: Any) -> DictProduct:
            return apply(item)

        def explain(error: BaseException, item: Any) -> None:
            note(error, f"in step {self._name!r}, path {path_of(place.trail)}, at item {index}")

        return BoundStep(apply, acall, explain, place.options, None)

    def _outcome(
        self,
        given: Any,
        product: DictProduct,
        factory: ProductFactory,
        start: float | None,
        later: bool = True,
    ) -> Any:
        """What a function gave, as a product, several, or something to wait for; or not `later`,
        where it has been waited for."""
        if isinstance(given, Mapping):
            return factory.one(given, product, start)
        if isinstance(given, AsyncIterable):
            products = factory.amany(given, described_kind(given), product, start)

            async def several(products: Any) -> Items[DictProduct]:
                return Items(products)

            return Items(Deferred(products, several) if later else products)
        if inspect.isawaitable(given):
            if not later:
                raise no_products(self._name, given)

            async def awaited(given: Any) -> Any:
                return self._outcome(await given, product, factory, start, later=False)

            return Items(Deferred(given, awaited))
        if isinstance(given, Iterable) and not isinstance(given, str | bytes):
            made = factory.many(given, described_kind(given), product, start)
            return Items(made, ready=isinstance(given, Collection))
        raise no_products(self._name, given)

    def _calling(
        self,
    ) -> tuple[Callable[[DictProduct], dict[str, Any]], Callable[[DictProduct], Any], Any]:
        """The arguments of the function for a product, looked up by name; the function as one of a
        product; and the name of its only argument, if it has just one."""
        function, fixed = self._function, self._fixed
        needed, optional, takes_all = self._parameters
        needed = tuple(name for name in needed if name not in fixed)
        optional = tuple(name for name in optional if name not in fixed)

        def arguments(product: DictProduct) -> dict[str, Any]:
            found = product.flat() if takes_all else {}
            missing = []
            for name in needed:
                value = product.find(name)
                if value is MISSING:
                    missing.append(name)
                found[name] = value
            if missing:
                raise self._missing(missing, product)
            for name in optional:
                value = product.find(name)
                if value is not MISSING:
                    found[name] = value
            if fixed:
                self._warn_of_hidden(product)
                found.update(fixed)
            return found

        def call(product: DictProduct) -> Any:
            return function(**arguments(product))

        alone = len(needed) == 1 and not (optional or fixed or takes_all)
        return arguments, call, needed[0] if alone else MISSING

    def _missing(self, missing: list[str], product: DictProduct) -> MissingAttributeError:
        origins: dict[str, str] = {}
        for step, attributes in product.steps():
            for attribute in attributes:
                origins.setdefault(attribute, step)
        given = ", ".join(f"{name!r} (from {origin!r})" for name, origin in origins.items())
        needs = ", ".join(map(repr, missing))
        call = f"step({self._name!r}, {function_name(self._function)}, {missing[0]}=…)"
        return MissingAttributeError(
            f"step {self._name!r} needs the attribute{'s' * (len(missing) > 1)} {needs}, which"
            f" nothing before it provides; it was given {given or 'none'}. Give the parameter a"
            f" default, or a fixed value: {call}"
        )

    def _warn_of_hidden(self, product: DictProduct) -> None:
        """Once per step: what is meant to be fixed may be a mistake."""
        if self._warned:
            return
        hidden = []
        for name, value in self._fixed.items():
            if (found := product.find(name)) is not MISSING:
                origin = next(step for step, added in product.steps() if name in added)
                hidden.append(
                    f"the fixed value {name}={short(value)} hides the attribute {name!r} from"
                    f" {origin!r}, which is {short(found)}"
                )
        if hidden:
            self._warned = True
            _log.warning("step %r: %s", self._name, "; ".join(hidden))

    def _explain(self, error: BaseException, product: Any, trail: Trail) -> None:
        if not isinstance(product, DictProduct):
            note(error, f"in step {self._name!r}, path {path_of(trail)}, given {short(product)}")
            return
        values = product.flat() if self._parameters.takes_all else {}
        for name in self._parameters.names:
            if (value := product.find(name)) is not MISSING:
                values[name] = value
        values.update(self._fixed)
        called = ", ".join(f"{name}={short(value)}" for name, value in values.items())
        path = " → ".join((*product.path(), self._name))
        where = f"item {product.where()} of path {path}"
        note(error, f"in step {self._name!r}, {where}, called with {called or 'no arguments'}")

    def __repr__(self) -> str:
        fixed = "".join(f", {name}={short(value)}" for name, value in self._fixed.items())
        return f"step({self._name!r}, {function_name(self._function)}{fixed}){options_repr(self)}"


def _of_one(function: Callable[..., Any], name: str) -> Callable[[Any], Any]:
    """A function of one argument, as one of its value.

    By position where that is sure to be the same, which costs a fifth of a call with keywords: for
    a plain function that nothing wraps and whose signature nobody has set.
    """
    by_position = (
        type(function) is FunctionType
        and not hasattr(function, "__wrapped__")
        and not hasattr(function, "__signature__")
        and next(iter(inspect.signature(function).parameters.values())).kind
        is inspect.Parameter.POSITIONAL_OR_KEYWORD
    )
    return function if by_position else lambda value: function(**{name: value})
