"""Conduits that label what they give."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

from reactivex import Observable

from .._common.messages import place_note, shown
from .._engine.bound_step import BoundStep, ItemCall
from .._engine.observable import FlowObservable
from .._engine.stage import Stage, StepContext
from .._errors import InvalidProductError
from .._options.step_options import StepOptions
from .._products.lineage import HasLineage
from .._typing import A_contra, B_co, P_co
from .conduit import Conduit
from .producer import Producer
from .transformer import Transformer

__all__ = ["LabelingProducer", "LabelingTransformer"]


class _Labeling(Conduit):
    """What a producer and a transformer that label their products have in common."""

    _flow_labels: Mapping[str, Any] = {}

    def label(self, /, **labels: Any) -> Self:
        """A copy of this conduit that adds these labels, and those it has, to all its products.

        Products are labelled in the flow, as copies (`copy.copy`), so that one that is held
        elsewhere keeps its own labels; `produce` and `transform` themselves give them as they are.
        A run raises ValueError if a label has the name of an attribute, TypeError for a product
        without lineage.
        """
        labelled = self._flow_copy()
        object.__setattr__(labelled, "_flow_labels", {**self._flow_labels, **labels})
        return labelled

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The arguments, and the labels as `#name`."""
        marked = {f"#{name}": value for name, value in self._flow_labels.items()}
        return {**super().get_repr_attributes(), **marked}


class LabelingProducer(_Labeling, Producer[P_co]):
    """A producer that can label its products, which have a lineage (`HasLineage`).

    For an asynchronous one, name both bases: `class Cities(AsyncProducer[City],
    LabelingProducer[City])`.

    >>> from fluxus_rx.lineage import LineageOrigin
    >>> class City(LineageOrigin):
    ...     product_name = "city"
    >>> class Cities(LabelingProducer[City]):
    ...     def produce(self):
    ...         yield City()
    >>> [city.product_labels for city in Cities().label(country="Italy")]
    [{'country': 'Italy'}]
    """

    def _flow_observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order."""
        return [_label_products(self, path) for path in super()._flow_observables()]


class LabelingTransformer(_Labeling, Transformer[A_contra, B_co]):
    """A transformer that can label its products, which have a lineage (`HasLineage`).

    For an asynchronous one, name both bases: `class Fetch(AsyncTransformer[City, Page],
    LabelingTransformer[City, Page])`.
    """

    def _flow_connect(self, source: Observable[A_contra]) -> list[FlowObservable[B_co]]:
        """This transformer on an observable: one observable per path, in path order."""
        return [_label_products(self, path) for path in super()._flow_connect(source)]


def _label_products(conduit: _Labeling, path: FlowObservable[Any]) -> FlowObservable[Any]:
    """`path` with its products labelled, by a step of its own that has no name."""
    if not conduit._flow_labels:
        return path
    call = _LabelCall(conduit.name, conduit._flow_labels)

    def bind(place: StepContext) -> BoundStep:
        return call.bound(StepOptions())

    return path.then(Stage(bind, key=None, is_async=False, name="", shows_items=True))


class _LabelCall(ItemCall):
    """Labels products."""

    __slots__ = ("_giver", "_labels")

    def __init__(self, giver: str, labels: Mapping[str, Any]) -> None:
        self._giver = giver
        self._labels = labels

    def apply(self, item: Any) -> Any:
        """A labelled copy of a product."""
        if not isinstance(item, HasLineage):
            raise InvalidProductError(
                f"{self._giver} gave {shown(item)}, which can't be labelled; products that are"
                " labelled have a lineage: make their class a HasLineage, or leave out label()"
            )
        # With the labels that it has, which the copies of a class with slots of its own lose.
        return copy.copy(item).label(**{**item.product_labels, **self._labels})

    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error that it came up here; the note."""
        return place_note(error, f"in {self._giver}, ", "as its product was labelled")
