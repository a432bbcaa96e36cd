"""Producers of the items that an observable emits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, overload

from reactivex import Observable

from .._common.encoding import printed
from .._common.messages import short, shown
from .._common.names import check_name
from .._conduits.producer import Producer
from .._conduits.subclassing import derived
from .._engine.observable import FlowObservable, buffered
from .._errors import InvalidFlowError
from .._rx.overflow import Overflow, OverflowPolicy, usual_size
from .._typing import T
from .emission import emission_of

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["ForeignProducer", "ObservableProducer", "from_observable"]


@printed
class ForeignProducer(Producer[T]):
    """Emits the items of a source of another library, under a name."""

    _flow_awaits = True
    #: the function that makes it, and the field's word for what it takes
    _flow_kind = ("", "")

    def __init__(self, name: str | None) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """What messages, results and drawings call it."""
        return self._name or self._flow_kind[0]

    @property
    def product_type(self) -> Any:
        """Any: the source doesn't say."""
        return Any

    @property
    def _flow_why_source(self) -> str:
        return f"(it emits what {self._flow_kind[1]} emits)"

    @derived
    def produce(self) -> Iterable[T]:
        """The items, for a synchronous reader."""
        return iter(self)

    def __repr__(self) -> str:
        (_, source), *others = self.get_repr_attributes().items()
        texts = [short(source), *(f"{name}={value!r}" for name, value in others)]
        return f"{self._flow_kind[0]}({', '.join(texts)})"


class ObservableProducer(ForeignProducer[T]):
    """Emits the items of an observable."""

    _flow_kind = ("from_observable", "an observable")

    def __init__(self, observable: Observable[T], name: str | None, policy: OverflowPolicy) -> None:
        super().__init__(name)
        self.observable = observable
        self.policy = policy

    def _flow_observables(self) -> list[FlowObservable[T]]:
        """The one path of an observable."""
        return [buffered(self.observable, self.policy, ("held", id(self)), self.name, self._name)]

    def describe(self) -> Part:
        """This producer as data, see `Conduit.describe`; of a source that may drop, it doesn't
        matter how that emits."""
        size, overflow = self.policy.size, self.policy.overflow
        emission = emission_of(self.observable) if overflow == "keep" else ""
        return self._flow_description(
            role="producer",
            data=self.observable,
            options=self._flow_options.given(),
            buffer=size,
            overflow=overflow,
            emission=emission,
        )

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The arguments that differ from the defaults."""
        arguments = {
            "observable": self.observable,
            "name": self._name,
            "buffer": self.policy.size,
            "overflow": self.policy.overflow,
        }
        overflow = self.policy.overflow
        usual = {"name": None, "buffer": usual_size(overflow), "overflow": "keep"}
        return {name: value for name, value in arguments.items() if usual.get(name, self) != value}


@overload
def from_observable(
    observable: Observable[T],
    name: None = None,
    *,
    buffer: int | None = None,
    overflow: Overflow = "keep",
) -> Producer[T]: ...
@overload
def from_observable(
    observable: Observable[Any],
    name: str,
    *,
    buffer: int | None = None,
    overflow: Overflow = "keep",
) -> Producer[Any]: ...
def from_observable(
    observable: Observable[Any],
    name: str | None = None,
    *,
    buffer: int | None = None,
    overflow: Overflow = "keep",
) -> Producer[Any]:
    """A producer of the items that an observable emits, in their order; each run subscribes again.

    Items are emitted as they are. A step takes a mapping as a product named `name` (`input` without
    one), and any other item as a product with the attribute `name`.

    Demand travels to a cold flow, and to any other source that respects demand: it is asked for at
    most `buffer` items (16) ahead. If a source that doesn't wait (a subject, a timer, another
    thread) emits one more, `overflow` says what becomes of it:

    - `"keep"`: all items wait, without bound, which is the contract of Rx itself; past 10,000 the
      library's logger warns once
    - `"error"`: `BufferOverflowError` ends the run, after the items that wait
    - `"drop_oldest"`: the item that has waited longest is dropped
    - `"drop_newest"`: the new item is dropped
    - `"latest"`: only the newest item waits; takes no `buffer`

    With any but "keep", there is no backpressure: the source never waits, and at most `buffer`
    items wait, however long the loop is busy. Items may come from any thread, in the order in which
    each thread emits; they wake the loop at once. The statistics of a run (`start`) count dropped
    items; the library's logger reports them at the end of a run, on the level INFO.

    An error of the observable ends the run, after the items that wait; an error that isn't an
    exception is in an `ObservableError`. The end of a run disposes of the subscription.

    Raises TypeError for anything but an observable, ValueError for a `name` that isn't an
    identifier, for a `buffer` below 1, and for any other `overflow`.

    >>> import reactivex
    >>> from fluxus_rx import run, step
    >>> flow = from_observable(reactivex.of(1, 2), "x") >> step("double", lambda x: {"y": 2 * x})
    >>> run(flow)[0]
    [{'x': {'x': 1}, 'double': {'y': 2}}, {'x': {'x': 2}, 'double': {'y': 4}}]
    """
    if not isinstance(observable, Observable):
        raise InvalidFlowError(
            f"from_observable() takes an Observable, not {shown(observable)}; of an iterable, make"
            " a step or a SimpleProducer"
        )
    if name is not None:
        check_name("from_observable()", name)
    if buffer is None:
        buffer = usual_size(overflow)
    label = f"from_observable({short(observable)})" if name is None else f"source {name!r}"
    policy = OverflowPolicy.of("from_observable()", label, "buffer", buffer, overflow, True)
    return ObservableProducer(observable, name, policy)
