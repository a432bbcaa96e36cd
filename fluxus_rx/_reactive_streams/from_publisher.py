"""Producers of what a publisher of the Reactive Streams protocol publishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from reactivex import Observable

from .._common.messages import check_whole_number, short, shown
from .._common.names import check_name
from .._common.trail import Trail
from .._components.from_observable import ForeignProducer
from .._conduits.producer import Producer
from .._engine.observable import FlowObservable
from .._engine.stage import ForeignItems
from .._errors import InvalidFlowError
from .._graph.parts import Part
from .._rx.scheduler import FlowScheduler
from .._streams.channel import BUFFER
from .._typing import T
from .protocols import Publisher, missing
from .subscriber import SubscriberStream

__all__ = ["FromPublisher", "from_publisher"]


class FromPublisher(ForeignProducer[T]):
    """Emits the items of a publisher."""

    _flow_kind = ("from_publisher", "a publisher")

    def __init__(self, publisher: Publisher[T], name: str | None, buffer: int) -> None:
        super().__init__(name)
        self._publisher = publisher
        self.buffer = buffer

    def _flow_observables(self) -> list[FlowObservable[T]]:
        """The one path of a publisher."""
        trail, foreign = Trail(self.name), ForeignItems(self._name)
        return [FlowObservable(self._inflow, trail=trail, foreign_items=foreign)]

    def _inflow(self, flow: FlowScheduler, owner: object) -> Any:
        label = f"publisher {self._name or short(self._publisher)}"
        return SubscriberStream(self._publisher, label, self.buffer, flow)

    def describe(self) -> Part:
        """This producer as data, see `Conduit.describe`."""
        return self._flow_description(
            role="producer",
            data=self._publisher,
            options=self._flow_options.given(),
            buffer=self.buffer,
        )

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The arguments that differ from the defaults."""
        arguments = {"publisher": self._publisher, "name": self._name, "buffer": self.buffer}
        usual = {"name": None, "buffer": BUFFER}
        return {name: value for name, value in arguments.items() if usual.get(name, self) != value}


@overload
def from_publisher(
    publisher: Publisher[T], name: None = None, *, buffer: int = BUFFER
) -> Producer[T]: ...
@overload
def from_publisher(
    publisher: Publisher[Any], name: str, *, buffer: int = BUFFER
) -> Producer[Any]: ...
def from_publisher(
    publisher: Publisher[Any], name: str | None = None, *, buffer: int = BUFFER
) -> Producer[Any]:
    """A producer of the items of a Publisher of the Reactive Streams protocol, in its order.

    Each run subscribes once, when it asks for its first product. It requests `buffer` items (16),
    and more as they are taken, half of them at a time; so at most `buffer` items wait here. If the
    publisher has a method `initial_request_n`, as those of rsocket-py, that is called with the
    first number, before `subscribe`. Signals may come from any thread, in their order.

    An error of the publisher ends the run, as the same object, after the items that wait. A run
    that ends early cancels the subscription. Items are emitted as they are. A step takes a mapping
    as a product named `name` (`input` without one), and any other item as a product with the
    attribute `name`.

    A publisher that breaks a rule of the protocol ends the run, after the items that wait, and its
    subscription is cancelled: with `BufferOverflowError` (a RuntimeError) if it publishes more than
    was requested, with `UsageError` (a RuntimeError) if it signals anything before `on_subscribe`,
    and with a TypeError, which is raised in the publisher as well, if it signals None. Signals
    after its end are dropped, and logged. A second subscription is cancelled. If `on_subscribe`
    isn't called within 5 seconds, the library's logger warns.

    Raises TypeError for an object without `subscribe`, for an Observable, and for a `buffer` that
    isn't a whole number; ValueError for a `buffer` below 1, and for a `name` that isn't an
    identifier.

    >>> from fluxus_rx import SimpleProducer, run, step
    >>> from fluxus_rx.reactive_streams import to_publisher
    >>> publisher = to_publisher(SimpleProducer([1, 2]))
    >>> flow = from_publisher(publisher, "x") >> step("double", lambda x: {"y": 2 * x})
    >>> run(flow)[0]
    [{'x': {'x': 1}, 'double': {'y': 2}}, {'x': {'x': 2}, 'double': {'y': 4}}]
    """
    if isinstance(publisher, Observable):
        raise InvalidFlowError(
            f"from_publisher(): {shown(publisher)} is an Observable, which knows no demand: put it"
            " into a flow as it is (observable >> step), or with from_observable()"
        )
    if missing(publisher, "subscribe") or isinstance(publisher, type):
        raise InvalidFlowError(
            f"from_publisher() takes a publisher, and {shown(publisher)} has no subscribe()"
        )
    if name is not None:
        check_name("from_publisher()", name)
    check_whole_number(
        "buffer", buffer, "items", who="from_publisher()", wrong_type=InvalidFlowError
    )
    return FromPublisher(publisher, name, buffer)
