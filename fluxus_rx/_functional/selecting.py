"""Steps that decide which products go on, and where to: filters and routers.

A router is a step that finds the branch of each product, with a group behind it. Each branch begins
with a case, which takes the products of that branch alone. All else is that of chains and groups.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from reactivex import Observable

from .._common.messages import place_note, short
from .._common.signatures import Parameters, call_parameters, function_name
from .._conduits.conduit import options_repr
from .._conduits.transformer import Transformer
from .._engine.bound_step import BoundStep, ItemCall
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import Stage, StepContext
from .._errors import InvalidFlowError, InvalidProductError
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct
from .._streams.context import Items
from .call import Routed, Verdict
from .step import Step

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["Case", "Route", "Where"]

_KEPT = Verdict(Verdict.KEEP)
_DROPPED = Verdict(Verdict.DROP)
_LEFT_OUT: Items[Any] = Items((), ready=True)


class _Selecting(Step):
    """A step whose function decides about a product, which stays as it is."""

    _flow_takes_fixed = False

    def _flow_found_parameters(self) -> Parameters:
        function: Any = self._flow_function
        found = call_parameters(self.name, function)
        if not (found.names or found.takes_all):
            raise InvalidFlowError(
                f"{self.name}(): {function_name(function)}() takes no attributes; it is called with"
                " those of each product"
            )
        return found

    def call(self, /, *nothing: Any, **attributes: Any) -> Any:
        """What becomes of the product with these attributes."""
        assert self._flow_function is not None
        given = self._flow_function(**attributes)
        return self._flow_awaited(given) if isawaitable(given) else self._flow_verdict(given)

    async def _flow_awaited(self, given: Awaitable[Any]) -> Verdict:
        return self._flow_verdict(await given)

    def _flow_verdict(self, given: Any) -> Verdict:
        """The verdict of what the function has returned."""
        raise NotImplementedError

    def describe(self) -> Part:
        """This step as data, see `Conduit.describe`."""
        return self._flow_described(function=self._flow_function, passes_on=True)


class Where(_Selecting):
    """Passes on products for which a predicate holds."""

    def __init__(self, predicate: Callable[..., Any]) -> None:
        super().__init__("where", predicate)

    def _flow_verdict(self, given: Any) -> Verdict:
        return _KEPT if given else _DROPPED

    def __repr__(self) -> str:
        return f"where({function_name(self._flow_function)}){options_repr(self)}"


class Route(_Selecting):
    """Finds the branch of each product, by a key."""

    def __init__(self, key: str | Callable[..., Any], values: Iterable[Any], default: bool) -> None:
        self._flow_asked = key
        self._flow_verdicts = {value: Verdict(number) for number, value in enumerate(values)}
        self._flow_default = Verdict(len(self._flow_verdicts)) if default else None
        super().__init__("route", _Attribute(key) if isinstance(key, str) else key)

    def _flow_found_parameters(self) -> Parameters:
        if isinstance(self._flow_asked, str):
            return Parameters((self._flow_asked,), (), False)
        return super()._flow_found_parameters()

    def _flow_verdict(self, given: Any) -> Verdict:
        try:
            verdict = self._flow_verdicts.get(given, self._flow_default)
        except TypeError:
            raise InvalidProductError(
                f"step 'route': the key is {self._flow_text(given)}, which has no hash, as the keys"
                " of the flows have; route by a part of it, or by a text that is made of it"
            ) from None
        if verdict is None:
            known = ", ".join(map(self._flow_text, self._flow_verdicts))
            raise InvalidProductError(
                f"step 'route': no flow is for {self._flow_case_name(given)}; there are those for"
                f" {known}: add one, or default=… for all other values"
            )
        return verdict

    def _flow_text(self, value: Any) -> str:
        return short(value, self._flow_asked) if isinstance(self._flow_asked, str) else short(value)

    def _flow_case_name(self, value: Any) -> str:
        """What the case of a value is called."""
        key, text = self._flow_asked, self._flow_text(value)
        name = key if isinstance(key, str) else function_name(key)
        return text if name == "<lambda>" else f"{name}={text}"

    def __repr__(self) -> str:
        key = self._flow_asked
        text = repr(key) if isinstance(key, str) else function_name(key)
        return f"route({text}){options_repr(self)}"


class _Attribute:
    """A function that returns the attribute of that name; one that can go to another process."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, /, **attributes: Any) -> Any:
        return attributes[self.__name__]


class Case(Transformer[Any, Any]):
    """Takes the products of a router that go to one of its branches, and counts them."""

    _flow_shows_items = False

    def __init__(self, branch: int, name: str) -> None:
        self._flow_branch_number = branch
        self._flow_name = name

    @property
    def name(self) -> str:
        """The key and its value."""
        return self._flow_name

    def transform(self, product: Any) -> Iterable[Any]:
        """The product."""
        return (product,)

    def _flow_connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        selected = flow_observable(source)
        for key, call, name in (
            (None, _Selection(self._flow_branch_number), ""),
            (("case", id(self)), _Selected(), self.name),
        ):
            selected = selected.then(_stage(key, call, name))
        return [selected]

    def describe(self) -> Part:
        """This case as data, see `Conduit.describe`."""
        return self._flow_description(passes_on=True, arguments={})

    def __repr__(self) -> str:
        return f"case({self.name})"


def _stage(key: Hashable, call: ItemCall, name: str) -> Stage:
    def bind(place: StepContext) -> BoundStep:
        return call.bound(StepOptions(), key)

    return Stage(bind=bind, key=key, is_async=False, name=name, shows_items=False)


class _Selection(ItemCall):
    """Takes the products of one branch."""

    __slots__ = ("_branch",)

    def __init__(self, branch: int) -> None:
        self._branch = branch

    def apply(self, item: Routed) -> Any:
        """The product, if it is for this branch."""
        return item.product if item.branch == self._branch else _LEFT_OUT

    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error that it came up here; the note."""
        return place_note(error, "in a branch of route()", "")


class _Selected(ItemCall):
    """Passes products on."""

    __slots__ = ()

    def apply(self, item: DictProduct) -> DictProduct:
        """The product."""
        return item

    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error that it came up here; the note."""
        return place_note(error, "in a branch of route()", "")
