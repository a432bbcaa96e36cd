"""The function of a step, as one of products: its arguments are looked up by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import FunctionType
from typing import Any, Final, TypeAlias

from .._common.names import known_spellings
from .._common.signatures import Parameters, function_name, is_coroutine_function
from .._engine.stage import StepContext
from .._errors import MissingAttributeError
from .._options.offload import Offload
from .._products.dict_product import MISSING, DictProduct

__all__ = ["NOT_CALLED", "Factories", "StepFunction", "by_value", "found_at_once", "using_text"]

#: what makes the resources of a step for each run, by the names of its function's parameters
Factories: TypeAlias = Mapping[str, Callable[[], Any]]

#: instead of the outcome of a function that has not been called
NOT_CALLED: Final[Any] = object()
#: Steps behind which it takes a table to look attributes up.
_LONG_ROW: Final = 8


class StepFunction:
    """The function of a step, as one of products.

    Its arguments are looked up by name in the lineage of a product, or fixed; `warn_of_fixed` is
    told of each product that it is called with while arguments are fixed. So are those that are the
    resources of a run, which `resources` has once they are open. `by_value` is the
    function as one of the value of its first argument, and `only` the name of that, if it is the
    only one; else a value that isn't an attribute of any product.
    """

    __slots__ = (
        "_fixed",
        "_function",
        "_needed",
        "_optional",
        "_parameters",
        "_resources",
        "_takes_fixed",
        "_warn_of_fixed",
        "by_value",
        "has_fixed",
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
        takes_fixed: bool = True,
        resources: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.by_value = by_value
        self._function = function
        self._parameters = parameters
        self._fixed = fixed
        self._resources = resources
        self._warn_of_fixed = warn_of_fixed
        self._takes_fixed = takes_fixed
        self._needed = [name for name in parameters.needed if name not in fixed]
        self._optional = [name for name in parameters.optional if name not in fixed]
        #: whether some arguments are the same for all products
        self.has_fixed = bool(fixed) or resources is not None
        takes_more = self._optional or self.has_fixed or parameters.takes_all
        self.only: Any = self._needed[0] if len(self._needed) == 1 and not takes_more else MISSING

    @property
    def takes_all(self) -> bool:
        """Whether it takes whatever attributes there are."""
        return self._parameters.takes_all

    @property
    def awaits(self) -> bool:
        """Whether each call of it must be awaited."""
        return is_coroutine_function(self._function)

    def call(self, product: DictProduct) -> Any:
        """What it returns for a product."""
        return self._function(**self._arguments(product))

    def call_row(self, by_step: dict[str, dict[str, Any]]) -> Any:
        """What it returns for a product of these steps alone, all arguments of which can be found
        at once; else `NOT_CALLED`."""
        names = self._parameters.names
        if len(by_step) > _LONG_ROW or not known_spellings.keys().isdisjoint(names):
            return NOT_CALLED
        arguments: dict[str, Any] = {}
        if self._parameters.takes_all:
            for attributes in by_step.values():
                arguments.update(attributes)
        # Written out: a call for each name would be a third of it.
        added = [*by_step.values()]
        added.reverse()
        for name in self._needed:
            for attributes in added:
                if name in attributes:
                    arguments[name] = attributes[name]
                    break
            else:
                return NOT_CALLED
        for name in self._optional:
            for attributes in added:
                if name in attributes:
                    arguments[name] = attributes[name]
                    break
        return self._function(**arguments)

    def call_offloaded(
        self, product: DictProduct, offload: Offload, context: StepContext
    ) -> Awaitable[Any]:
        """What it returns for a product, off the loop."""
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
        if self.has_fixed:
            self._warn_of_fixed(product)
            found.update(self._fixed)
            if self._resources is not None:
                found.update(self._resources)
        return found

    def _missing(self, missing: list[str], product: DictProduct) -> MissingAttributeError:
        origins: dict[str, str] = {}
        for step, attributes in product.steps():
            for attribute in attributes:
                origins.setdefault(attribute, step)
        given = ", ".join(f"{name!r} (from {origin!r})" for name, origin in origins.items())
        needs = ", ".join(map(repr, missing))
        way_out = "Have a step before it provide that"
        if self._takes_fixed:
            call = f"step({self.name!r}, {function_name(self._function)}, {missing[0]}=…)"
            way_out = f"Set a default for the parameter, or pass a fixed value: {call}"
        return MissingAttributeError(
            f"step {self.name!r} needs the attribute{'s' * (len(missing) > 1)} {needs}, which"
            f" nothing before it provides; it was given {given or 'none'}. {way_out}"
        )

    def arguments_for(self, product: DictProduct) -> dict[str, Any]:
        """The arguments for a product, as far as there are any."""
        values = product.flat() if self._parameters.takes_all else {}
        for name in self._parameters.names:
            if (value := product.find(name)) is not MISSING:
                values[name] = value
        values.update(self._fixed)
        return values


def found_at_once(by_step: dict[str, dict[str, Any]], name: str) -> Any:
    """The latest value of an attribute in these steps, if they are few and none of them has it
    under another spelling; else MISSING."""
    if len(by_step) <= _LONG_ROW and name not in known_spellings:
        for attributes in reversed(by_step.values()):
            if name in attributes:
                return attributes[name]
    return MISSING


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


def using_text(factories: Factories) -> str:
    """The factories as they are written, behind other arguments of a step.

    >>> using_text({"lines": list})
    ", using={'lines': list}"
    """
    if not factories:
        return ""
    named = (f"{name!r}: {function_name(factory)}" for name, factory in factories.items())
    return f", using={{{', '.join(named)}}}"
