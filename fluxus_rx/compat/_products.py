"""Products as fluxus shows them: a mapping of what one step has added, with its times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._common.encoding import printed
from .._engine.bound_step import BoundStep, ItemCall
from .._engine.observable import FlowObservable
from .._engine.stage import Stage, StepContext
from .._options.step_options import StepOptions
from .._products.attributes import checked
from .._products.dict_product import DictProduct as CoreProduct
from .._products.factory import EACH_A_MAPPING
from .._rx.scope import Scope

if TYPE_CHECKING:
    from pytools.expression import Expression

__all__ = ["DictProduct", "in_run_time", "view_of", "viewed"]

Span = tuple[float, float]


class _ProductType(type(CoreProduct)):  # type: ignore[misc]  # it is ABCMeta
    """Products of runs are shown as those of fluxus, so that each of their kind is one."""

    def __subclasscheck__(cls, kind: type) -> bool:
        """Whether products of that class come as those of this one."""
        return bool(super().__subclasscheck__(kind)) or kind is CoreProduct

    def __instancecheck__(cls, thing: object) -> bool:
        """Whether it is one itself."""
        return type.__instancecheck__(cls, thing)


@printed
class DictProduct(CoreProduct, metaclass=_ProductType):
    """A mapping of what one step has added, which knows the product that it was made of.

    `attributes` has those of the whole lineage, the latest value of each. `start_time` and
    `end_time` are in seconds on the clock of `time.perf_counter`; where a run keeps no times, both
    are when somebody first looked at the product.

    Raises TypeError for anything but a mapping, ValueError for a name that isn't an identifier.

    >>> first = DictProduct("src", {"x": 1}, start_time=0.0, end_time=1.0)
    >>> second = DictProduct("add", {"y": 2}, precursor=first, start_time=1.0, end_time=1.5)
    >>> dict(second), dict(second.attributes), second.name, second.precursor.name
    ({'y': 2}, {'x': 1, 'y': 2}, 'add', 'src')
    """

    __slots__ = ("_span",)

    KEY_START_TIME = "[start]"
    KEY_END_TIME = "[end]"

    _span: Span

    def __init__(
        self,
        name: str,
        product_attributes: Mapping[str, Any],
        *,
        precursor: CoreProduct | None = None,
        start_time: float,
        end_time: float,
    ) -> None:
        own = checked(product_attributes, name, "what it was given", EACH_A_MAPPING)
        super().__init__(name, own, precursor)
        self._span = (start_time, end_time)

    @classmethod
    def _view(cls, product: CoreProduct, began: float) -> DictProduct:
        """A product of a run that began at this time."""
        made: DictProduct = cls.__new__(cls)
        CoreProduct.__init__(made, "", {}, product.parent, product.position)
        product._copy_to(made)
        times = product.times
        made._span = _absolute(None if times is None else times[-1], began)
        return made

    @property
    def name(self) -> str:
        """The name of the step that made it."""
        return self.product_name

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Those of the whole lineage; of each, the latest value."""
        return self.flat()

    @property
    def start_time(self) -> float:
        """When the call that made it began."""
        return self._span[0]

    @property
    def end_time(self) -> float:
        """When it was there."""
        return self._span[1]

    @property
    def precursor(self) -> DictProduct | None:
        """The product that it was made of, or None."""
        before = self.get_lineage()[:-1]
        return before[-1] if before else None

    def get_lineage(self) -> list[DictProduct]:  # type: ignore[override]  # lists are invariant
        """The products that led to this one, the first one first, and this one last."""
        found: list[DictProduct] = []
        links = self._links()
        began = _began(links)
        for link in links:
            for index, (name, attributes) in enumerate(link.by_step.items()):
                if not name:
                    continue  # it has only taken in another
                made: DictProduct = DictProduct.__new__(DictProduct)
                CoreProduct.__init__(made, name, attributes, found[-1] if found else None)
                last = index == len(link.by_step) - 1
                made._lineage_labels = link._lineage_labels if last else None
                times = None if link.times is None else link.times[index]
                span = getattr(link, "_span", None) if last else None
                made._span = _absolute(times, began) if span is None else span
                found.append(made)
        return [*found[:-1], self]

    def to_expression(self) -> Expression:
        """This product as an expression of gamma-pytools, which has to be installed for it."""
        made: Expression = import_module(f"{__package__}._expressions").product_expression(self)
        return made

    def __copy__(self) -> DictProduct:
        made = DictProduct._view(self, 0.0)
        made._span = self._span
        return made

    def __getitem__(self, name: str) -> Any:
        return self.latest[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.latest)

    def __len__(self) -> int:
        return len(self.latest)

    def __contains__(self, name: object) -> bool:
        return name in self.latest

    def __repr__(self) -> str:
        return (
            f"DictProduct(name={self.name!r}, product_attributes={dict(self)!r},"
            f" start_time={self.start_time!r}, end_time={self.end_time!r})"
        )


def _began(links: list[CoreProduct]) -> float:
    """When the run began that these are of, as far as one of them tells."""
    for link in links:
        if isinstance(link, DictProduct) and link.times:
            return link._span[0] - link.times[-1][0]
    return math.nan


def _absolute(times: Span | None, began: float) -> Span:
    if times is None or math.isnan(began):
        now = perf_counter()
        return (now, now)
    return (began + times[0], began + times[1])


def in_run_time(product: CoreProduct, began: float | None) -> CoreProduct:
    """A product as the result of a run shows it: with times since the run `began`, or without any.

    Those of products that a program has made are its own.
    """
    for link in product._links():
        if began is None:
            link.times = None
        elif isinstance(link, DictProduct) and link.times is None:
            start, end = link._span
            link.times = [(start - began, end - began)]
    return product


def view_of(scope: Scope | None) -> Callable[[Any], Any]:
    """What makes a product of a run one of fluxus; anything else, and what is one, stays."""
    meter = None if scope is None else scope.meter
    began = math.nan if meter is None else meter.started

    def view(item: Any) -> Any:
        return DictProduct._view(item, began) if type(item) is CoreProduct else item

    return view


def viewed(path: FlowObservable[Any]) -> FlowObservable[Any]:
    """A path with products as fluxus shows them, by a step of its own that has no name."""

    def bind(place: StepContext) -> BoundStep:
        return _View(view_of(place.scope)).bound(StepOptions())

    return path.then(Stage(bind, key=None, is_async=False, name="", shows_items=True))


class _View(ItemCall):
    """Makes products those of fluxus."""

    __slots__ = ("_view",)

    def __init__(self, view: Callable[[Any], Any]) -> None:
        self._view = view

    def apply(self, item: Any) -> Any:
        """The product."""
        return self._view(item)

    def explain(self, error: BaseException, item: Any) -> str:
        """Nothing: no error comes up here."""
        return ""


# Users see, and pickle, what they import, not where it is written.
DictProduct.__module__ = "fluxus_rx.compat.functional.product"
