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
from typing import Any, Final, NamedTuple

from .._common.messages import place_note, short
from .._common.single_values import is_text
from .._engine.bound_step import Deferred
from .._engine.stage import StepContext
from .._options.offload import Offload
from .._products.attributes import known_names
from .._products.dict_product import MISSING, DictProduct
from .._products.factory import ProductFactory, described_kind, no_products
from .._products.ownership import branched, claims
from .._streams.context import Items
from .direct import DirectStep
from .step_function import StepFunction

__all__ = ["OffloadedCall", "Routed", "StepCall", "TimedCall", "Verdict"]


#: Arguments of a call that a message shows; a step with **attributes may have hundreds.
_MOST_ARGUMENTS: Final = 20
#: what a message calls a list, and what comes of an empty one
_LIST: Final = described_kind([])
_NO_PRODUCTS: Final = Items[Any]((), ready=True)


class Verdict:
    """What becomes of a product that stays as it is: it goes on, or doesn't, or is for a branch."""

    __slots__ = ("branch",)

    KEEP: Final = -1
    DROP: Final = -2

    def __init__(self, branch: int) -> None:
        self.branch = branch

    def of(self, product: DictProduct) -> Any:
        """The outcome of a call with a product."""
        if self.branch >= 0:
            return Routed(self.branch, product)
        return product if self.branch == Verdict.KEEP else _NO_PRODUCTS


class Routed(NamedTuple):
    """A product that is for one branch of a router."""

    branch: int
    product: DictProduct


class StepCall:
    """The calls of a step in one run, each with a product; they return products."""

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
        #: the owner of the products that are extended; another step of that name keeps its
        #: attributes
        self._extended: object = self._owner if claims(self._owner, self._name) else MISSING

    @property
    def offload(self) -> Offload | None:
        """Where the calls run, if that isn't the loop."""
        return None

    def direct(self, apply: Callable[[DictProduct], Any]) -> DirectStep | None:
        """How the function may be called without `apply`, if it may."""
        if self._extended is MISSING or self._awaits:
            return None
        outcome = partial(self._outcome, start=None)
        return DirectStep.of(self._function, self._owner, apply, outcome)

    def functions(self) -> tuple[Callable[[DictProduct], Any], Callable[[DictProduct], Any]]:
        """What returns the product of a call, or `Items`; and the same, of what the function
        awaits.

        With the usual case first: a function of one attribute of the latest product, which returns
        a dictionary. Closures, because cells are read faster than attributes: 2 to 3 % of a step
        (benchmark "sync").
        """
        only, by_value, call = self._only, self._by_value, self._call
        name, owner, outcome, awaits = self._name, self._owner, self._outcome, self._awaits
        extended, is_plain = self._extended, known_names.issuperset

        def apply(product: DictProduct) -> Any:
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if given.__class__ is not dict or not is_plain(given):
                return outcome(given, product, None)
            if product.owner is not extended:
                return branched(product, name, given.copy(), owner)
            product.by_step[name] = product.latest = given.copy()
            return product

        async def acall(product: DictProduct) -> Any:
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if awaits or inspect.isawaitable(given):
                given = await given
            if given.__class__ is not dict or not is_plain(given):
                return outcome(given, product, None, is_awaited=True)
            if product.owner is not extended:
                return branched(product, name, given.copy(), owner)
            product.by_step[name] = product.latest = given.copy()
            return product

        return apply, acall

    def _outcome(
        self, given: Any, product: DictProduct, start: float | None, is_awaited: bool = False
    ) -> Any:
        """What a function returned, as a product or `Items`.

        If it `is_awaited`, nothing in it may be awaited once more; else what must be is `Deferred`.
        """
        if given.__class__ is list:  # before all others, which are asked for what they are
            if not given:
                return _NO_PRODUCTS
            return Items(self._factory.from_iterable(given, _LIST, product, start), ready=True)
        if given.__class__ is Verdict:
            return given.of(product)
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
        """The outcome for a product whose call has failed after it had yielded `count` products."""
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
        extended, is_plain = self._extended, known_names.issuperset
        now, zero = self._factory.clock()

        def apply(product: DictProduct) -> Any:
            start = now()
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if given.__class__ is not dict or not is_plain(given):
                return outcome(given, product, start - zero)
            times = product.times
            # What came from elsewhere than a step has no times, and could keep none for this one.
            if times is None or product.owner is not extended:
                made = (start - zero, now() - zero)
                return branched(product, name, given.copy(), owner, made)
            product.by_step[name] = product.latest = given.copy()
            times.append((start - zero, now() - zero))
            return product

        async def acall(product: DictProduct) -> Any:
            start = now()
            latest = product.latest
            given = by_value(latest[only]) if only in latest else call(product)
            if awaits or inspect.isawaitable(given):
                given = await given
            if given.__class__ is not dict or not is_plain(given):
                return outcome(given, product, start - zero, is_awaited=True)
            times = product.times
            if times is None or product.owner is not extended:
                made = (start - zero, now() - zero)
                return branched(product, name, given.copy(), owner, made)
            product.by_step[name] = product.latest = given.copy()
            times.append((start - zero, now() - zero))
            return product

        return apply, acall

    def direct(self, apply: Callable[[DictProduct], Any]) -> DirectStep | None:
        """The same; a function that takes all attributes would be given times as well."""
        if self._extended is MISSING or self._awaits or self._function.takes_all:
            return None
        _, zero = self._factory.clock()
        return DirectStep.of(self._function, self._owner, apply, self._outcome, zero)


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
        """None: the caller waits."""

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
