"""The calls of a step's function, bound to a run: arguments, products, explanations of errors."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
)
from functools import partial
from itertools import islice
from types import FunctionType
from typing import Any, Final

from .._common.messages import place_note, short
from .._common.signatures import Parameters, function_name, is_coroutine_function
from .._common.single_values import is_text
from .._engine.bound_step import Deferred
from .._engine.stage import StepContext
from .._errors import MissingAttributeError
from .._options.offload import Offload
from .._products.dict_product import MISSING, DictProduct, known_names
from .._products.factory import ProductFactory, ProductOwner, described_kind, no_products
from .._streams.context import Items
from .direct import DirectStep

__all__ = ["OffloadedCall", "StepCall", "StepFunction", "TimedCall", "by_value"]


#: Arguments of a call that a message shows; a step with **attributes may have hundreds.
_MOST_ARGUMENTS: Final = 20


class StepFunction:
    """The function of a step, as one of products.

    Its arguments are looked up by name in the lineage of a product, or fixed; `warn_of_fixed` is
    told of each product that it is called with while arguments are fixed. `by_value` is the
    function as one of the value of its first argument, and `only` the name of that, if it is the
    only one; else what is no attribute of any product.
    """

    __slots__ = (
        "_fixed",
        "_function",
        "_needed",
        "_optional",
        "_parameters",
        "_warn_of_fixed",
        "by_value",
        "name",
        "only",
    )

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        by_value: Callable[[Any], Any],
        parameters: Parameters,
        fixed: Mapping[str, Any],
        warn_of_fixed: Callable[[DictProduct], None],
    ) -> None:
        self.name = name
        self.by_value = by_value
        self._function = function
        self._parameters = parameters
        self._fixed = fixed
        self._warn_of_fixed = warn_of_fixed
        self._needed = [name for name in parameters.needed if name not in fixed]
        self._optional = [name for name in parameters.optional if name not in fixed]
        takes_more = self._optional or fixed or parameters.takes_all
        self.only: Any = self._needed[0] if len(self._needed) == 1 and not takes_more else MISSING

    @property
    def awaits(self) -> bool:
        """Whether each call of it must be awaited."""
        return is_coroutine_function(self._function)

    def call(self, product: DictProduct) -> Any:
        """What it gives for a product."""
        return self._function(**self._arguments(product))

    def call_offloaded(
        self, product: DictProduct, offload: Offload, context: StepContext
    ) -> Awaitable[Any]:
        """What it gives for a product, off the loop."""
        return offload.call(context.guarded(self._function), **self._arguments(product))

    def _arguments(self, product: DictProduct) -> dict[str, Any]:
        found = product.flat() if self._parameters.takes_all else {}
        missing = []
        for name in self._needed:
            value = product.find(name)
            if value is MISSING:
                missing.append(name)
            found[name] = value
        if missing:
            raise self._missing(missing, product)
        for name in self._optional:
            value = product.find(name)
            if value is not MISSING:
                found[name] = value
        if self._fixed:
            self._warn_of_fixed(product)
            found.update(self._fixed)
        return found

    def _missing(self, missing: list[str], product: DictProduct) -> MissingAttributeError:
        origins: dict[str, str] = {}
        for step, attributes in product.steps():
            for attribute in attributes:
                origins.setdefault(attribute, step)
        given = ", ".join(f"{name!r} (from {origin!r})" for name, origin in origins.items())
        needs = ", ".join(map(repr, missing))
        call = f"step({self.name!r}, {function_name(self._function)}, {missing[0]}=…)"
        return MissingAttributeError(
            f"step {self.name!r} needs the attribute{'s' * (len(missing) > 1)} {needs}, which"
            f" nothing before it provides; it was given {given or 'none'}. Give the parameter a"
            f" default, or a fixed value: {call}"
        )

    def arguments_for(self, product: DictProduct) -> dict[str, Any]:
        """The arguments for a product, as far as there are any."""
        values = product.flat() if self._parameters.takes_all else {}
        for name in self._parameters.names:
            if (value := product.find(name)) is not MISSING:
                values[name] = value
        values.update(self._fixed)
        return values


class StepCall:
    """The calls of a step in one run, each with a product; they give products."""

    __slots__ = (
        "_awaits",
        "_by_value",
        "_call",
        "_context",
        "_extended",
        "_factory",
        "_function",
        "_name",
        "_only",
        "_owner",
    )

    def __init__(
        self, function: StepFunction, factory: ProductFactory, context: StepContext
    ) -> None:
        self._function = function
        self._factory = factory
        self._context = context
        # At hand, because each of them is read once a call.
        self._name = function.name
        self._only = function.only
        self._by_value = function.by_value
        self._call = function.call
        self._awaits = function.awaits
        self._owner = context.owner
        # Another step of that name keeps its attributes.
        is_only = not isinstance(self._owner, ProductOwner) or self._owner.claim(self._name)
        #: the owner of the products that are extended
        self._extended: object = self._owner if is_only else MISSING

    @property
    def offload(self) -> Offload | None:
        """Where the calls run, if that isn't the loop."""
        return None

    def direct(self, apply: Callable[[DictProduct], Any]) -> DirectStep | None:
        """How the function may be called without `apply`, if it may."""
        only = self._only
        if only is MISSING or not only.isascii() or self._extended is MISSING or self._awaits:
            return None
        return DirectStep(
            apply, self._name, only, self._by_value, self._owner, partial(self._outcome, start=None)
        )

    def functions(self) -> tuple[Callable[[DictProduct], Any], Callable[[DictProduct], Any]]:
        """What gives the product of a call, or `Items`; and the same, of what the function awaits.

        With the usual case first: a function of one attribute of the latest product, which gives a
        dictionary. Closures, because cells are read faster than attributes: 2 to 3 % of a step
        (benchmark "sync").
        """
        only, by_value, call = self._only, self._by_value, self._call
        name, owner, outcome, awaits = self._name, self._owner, self._outcome, self._awaits
        extended = self._extended

        def apply(product: DictProduct) -> Any:
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if given.__class__ is not dict or not known_names.issuperset(given):
                return outcome(given, product, None)
            if product.owner is not extended:
                return DictProduct(name, given.copy(), product, 0, owner)
            product.by_step[name] = product.latest = given.copy()
            return product

        async def acall(product: DictProduct) -> Any:
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if awaits or inspect.isawaitable(given):
                given = await given
            if given.__class__ is not dict or not known_names.issuperset(given):
                return outcome(given, product, None, is_awaited=True)
            if product.owner is not extended:
                return DictProduct(name, given.copy(), product, 0, owner)
            product.by_step[name] = product.latest = given.copy()
            return product

        return apply, acall

    def _outcome(
        self, given: Any, product: DictProduct, start: float | None, is_awaited: bool = False
    ) -> Any:
        """What a function gave, as a product or `Items`.

        If it `is_awaited`, nothing in it may be awaited once more; else what must be is `Deferred`.
        """
        if isinstance(given, Mapping):
            return self._factory.from_mapping(given, product, start)
        if isinstance(given, AsyncIterable):
            products = self._factory.from_async_iterable(
                given, described_kind(given), product, start
            )
            return Items(products if is_awaited else Deferred(products, _several))
        if inspect.isawaitable(given):
            if is_awaited:
                raise no_products(self._name, given)
            return Items(Deferred(given, partial(self._awaited_outcome, product, start)))
        if isinstance(given, Iterable) and not is_text(given):
            items = self._factory.from_iterable(given, described_kind(given), product, start)
            return Items(items, ready=isinstance(given, Collection))
        raise no_products(self._name, given)

    async def _awaited_outcome(
        self, product: DictProduct, start: float | None, given: Awaitable[Any]
    ) -> Any:
        return self._outcome(await given, product, start, is_awaited=True)

    def replace(self, replacement: Any, product: DictProduct, count: int) -> Any:
        """The outcome for a product whose call has failed after it had given `count` products."""
        start = self._factory.now()
        if not count:
            return self._outcome(replacement, product, start)
        several = [replacement] if isinstance(replacement, Mapping) else replacement
        if not isinstance(several, Iterable) or is_text(several):
            raise no_products(self._name, replacement)
        return Items(
            self._factory.from_item(index, one, "replacement", product, start)
            for index, one in enumerate(several, count)
        )

    def arguments(self, product: DictProduct) -> dict[str, Any]:
        """The arguments of the call with a product, as far as there are any."""
        return self._function.arguments_for(product)

    def explain(self, error: BaseException, product: Any) -> str:
        """Add to an error in which step and for which product it came up; the note."""
        place = f"in step {self._name!r}, "
        if not isinstance(product, DictProduct):
            path = self._context.trail.path
            return place_note(error, place, f"path {path}, given {short(product)}")
        values = self._function.arguments_for(product)
        told = islice(values.items(), _MOST_ARGUMENTS)
        shown = [f"{name}={short(value, name)}" for name, value in told]
        if len(values) > len(shown):
            shown.append(f"and {len(values) - len(shown)} more")
        called = ", ".join(shown)
        path = " → ".join((*product.path(), self._name))
        where = f"item {product.where()} of path {path}"
        return place_note(error, place, f"{where}, called with {called or 'no arguments'}")


class TimedCall(StepCall):
    """Calls whose products get the times at which they were made."""

    __slots__ = ()

    def functions(self) -> tuple[Callable[[DictProduct], Any], Callable[[DictProduct], Any]]:
        """The same, with times."""
        only, by_value, call = self._only, self._by_value, self._call
        name, owner, outcome, awaits = self._name, self._owner, self._outcome, self._awaits
        extended = self._extended
        now, zero = self._factory.clock()

        def apply(product: DictProduct) -> Any:
            start = now()
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if given.__class__ is not dict or not known_names.issuperset(given):
                return outcome(given, product, start - zero)
            times = product.times
            # What came from elsewhere than a step has no times, and could keep none for this one.
            if times is None or product.owner is not extended:
                made = (start - zero, now() - zero)
                return DictProduct(name, given.copy(), product, 0, owner, made)
            product.by_step[name] = product.latest = given.copy()
            times.append((start - zero, now() - zero))
            return product

        async def acall(product: DictProduct) -> Any:
            start = now()
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if awaits or inspect.isawaitable(given):
                given = await given
            if given.__class__ is not dict or not known_names.issuperset(given):
                return outcome(given, product, start - zero, is_awaited=True)
            times = product.times
            if times is None or product.owner is not extended:
                made = (start - zero, now() - zero)
                return DictProduct(name, given.copy(), product, 0, owner, made)
            product.by_step[name] = product.latest = given.copy()
            times.append((start - zero, now() - zero))
            return product

        return apply, acall

    def direct(self, apply: Callable[[DictProduct], Any]) -> None:
        """None: what it is called by reads the clock."""


class OffloadedCall(StepCall):
    """Calls off the loop, of a function that doesn't await."""

    __slots__ = ("_offload",)

    def __init__(
        self,
        function: StepFunction,
        factory: ProductFactory,
        context: StepContext,
        offload: Offload,
    ) -> None:
        super().__init__(function, factory, context)
        self._offload = offload

    @property
    def offload(self) -> Offload:
        """Where the calls run."""
        return self._offload

    def direct(self, apply: Callable[[DictProduct], Any]) -> None:
        """None: who calls it waits."""

    def functions(self) -> tuple[Callable[[DictProduct], Any], Callable[[DictProduct], Any]]:
        """The same; what is awaited is off the loop."""
        apply, _ = super().functions()
        return apply, self._acall

    async def _acall(self, product: DictProduct) -> Any:
        start = self._factory.now()
        given = await self._function.call_offloaded(product, self._offload, self._context)
        if inspect.isawaitable(given):
            given = await given
        return self._outcome(given, product, start, is_awaited=True)


async def _several(products: Any) -> Items[DictProduct]:
    return Items(products)


def by_value(function: Callable[..., Any], name: str) -> Callable[[Any], Any]:
    """A function of one argument called `name`, as one of its value.

    By position where that is sure to be the same, which costs a fifth of a call with keywords: for
    a plain function that nothing wraps and whose signature nobody has set.
    """
    by_position = (
        type(function) is FunctionType
        and not hasattr(function, "__wrapped__")
        and not hasattr(function, "__signature__")
        and function.__code__.co_posonlyargcount == 0 < function.__code__.co_argcount
    )
    return function if by_position else lambda value: function(**{name: value})
