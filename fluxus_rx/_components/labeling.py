"""Conduits that label what they emit, and branches that have a name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from reactivex import Observable

from .._common.messages import place_note, shown
from .._common.trail import Trail
from .._conduits.composites import Chain
from .._conduits.conduit import Conduit, role_of
from .._conduits.producer import Producer
from .._conduits.subclassing import fact
from .._conduits.transformer import ChainedProducer, ChainedTransformer, Passthrough, Transformer
from .._engine.bound_step import BoundStep, ItemCall
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import Stage, StepContext
from .._errors import InvalidProductError
from .._options.step_options import StepOptions
from .._products.lineage import HasLineage
from .._typing import A_contra, B_co, P_co, T

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["LabelingProducer", "LabelingTransformer", "named_branch"]


class _Labeling(Conduit):
    """What a producer and a transformer that label their products have in common."""

    _flow_labels: Mapping[str, Any] = {}

    def label(self, /, **labels: Any) -> Self:
        """A copy of this conduit that adds these labels to all its products, beside those it has.

        Products are labelled in the flow, as copies (`copy.copy`), so that the original keeps its
        own labels; `produce` and `transform` themselves return products as they are. A run raises
        ValueError if a label has the name of an attribute, TypeError for a product without lineage.
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

    >>> from fluxus_rx.lineage import LineageOrigin
    >>> class City(LineageOrigin):
    ...     product_name = "city"
    >>> class Keep(LabelingTransformer[City, City]):
    ...     def transform(self, product):
    ...         yield product
    >>> [city.product_labels for city in Keep().label(kept=True).process([])]
    []
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
                f"{self._giver} emitted {shown(item)}, which can't be labelled; products that are"
                " labelled have a lineage: make their class a HasLineage, or leave out label()"
            )
        # With the labels that it has, which the copies of a class with slots of its own lose.
        return copy.copy(item).label(**{**item.product_labels, **self._labels})

    def explain(self, error: BaseException, item: Any) -> str:
        """Add to an error that it came up here; the note."""
        return place_note(error, f"in {self._giver}, ", "as its product was labelled")


class _NamedBranch(Chain):
    """A branch that has a name: a chain of what is in it, which no other chain takes apart."""

    def __init__(self, conduits: tuple[Any, ...], branch: str) -> None:
        super().__init__(conduits)
        self._flow_branch = branch

    @fact
    def name(self) -> str:
        """The name of the branch."""
        return self._flow_branch

    @property
    def _flow_is_chained(self) -> bool:
        chained: bool = self._flow_fact(
            "_flow_is_chained", lambda inside: inside[0]._flow_is_chained
        )
        return chained

    @fact
    def is_atomic(self) -> bool:
        """False: there is something in it."""
        return False

    @property
    def _flow_links(self) -> tuple[Conduit, ...]:
        return (self,)

    def _flow_of(self, conduits: tuple[Conduit, ...]) -> Self:
        return type(self)(conduits, self._flow_branch)

    def _flow_written(self) -> list[Conduit | str]:
        return [f"path({self._flow_branch!r}, ", self.conduits[0], ")"]

    def _flow_alone(self, choices: list[list[Conduit]]) -> Iterator[Conduit]:
        return (named_branch(self._flow_branch, one) for one in super()._flow_alone(choices))

    def _flow_part(self, parts: tuple[Part, ...]) -> Part:
        return _named_part(parts, self._flow_branch)

    def _flow_ended(self, paths: list[Any]) -> list[Any]:
        return [_out_of_branch(path, self._flow_branch) for path in paths]


class _NamedTransformer(_NamedBranch, ChainedTransformer[A_contra, B_co]):
    """A branch of transformers that has a name."""

    def _flow_begun(self, source: Any) -> Any:
        return _into_branch(source, self._flow_branch)


class _NamedProducer(_NamedBranch, ChainedProducer[P_co]):
    """A branch that begins with producers, and has a name."""

    def _flow_ended(self, paths: list[Any]) -> list[Any]:
        given = [*map(flow_observable, paths)]
        trails = (path.trail for path in given if path.trail is not None)
        Trail.begin_in_branch(self._flow_branch, trails)
        return super()._flow_ended(given)


class _NamedPassthrough(Passthrough):
    """A passthrough that has a name."""

    def __init__(self, branch: str) -> None:
        self._flow_branch = branch

    @fact
    def name(self) -> str:
        """The name of the branch."""
        return self._flow_branch

    def describe(self) -> Part:
        """A series of a `Through` alone, which has the name."""
        return _named_part((super().describe(),), self._flow_branch)

    def _flow_connect(self, source: Observable[T]) -> list[FlowObservable[T]]:
        """The source itself, which is in the branch here."""
        return [_out_of_branch(_into_branch(source, self._flow_branch), self._flow_branch)]

    def __repr__(self) -> str:
        return f"path({self._flow_branch!r}, {Passthrough()!r})"


def _into_branch(source: Observable[T], name: str) -> FlowObservable[T]:
    given = flow_observable(source)
    trail = given.trail
    return given.at_branch(Trail.of_branch(name) if trail is None else trail.into_branch(name))


def _out_of_branch(path: Observable[T], name: str) -> FlowObservable[T]:
    given = flow_observable(path)
    trail = given.trail
    if trail is None or not trail.is_in(name):  # what has no trail has lost that of its source
        given = _into_branch(given, name)
        trail = given.trail
    assert trail is not None
    return given.at_branch(trail.out_of_branch())


def _named_part(parts: tuple[Part, ...], name: str) -> Part:
    from .._graph.parts import Series

    return Series(parts, branch=name)


def named_branch(name: str, conduit: Conduit) -> Any:
    """A producer, a transformer or a passthrough as a branch of this name."""
    if role_of(conduit) == "passthrough":
        return _NamedPassthrough(name)
    kind = _NamedProducer if role_of(conduit) == "producer" else _NamedTransformer
    return kind((conduit,), name)
