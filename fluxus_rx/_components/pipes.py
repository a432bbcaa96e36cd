"""Operators of Rx and of aiostream as transformers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import reactivex
from aiostream import stream as streams
from reactivex import Observable, abc

from .._common.encoding import printed
from .._common.messages import shown
from .._common.names import check_name
from .._common.signatures import function_name
from .._common.trail import Trail
from .._conduits.conduit import options_repr
from .._conduits.remaker import Remaker, is_one_by_one
from .._conduits.subclassing import derived
from .._conduits.transformer import Transformer
from .._engine.observable import FlowObservable, flow_observable, is_driven
from .._engine.stage import ForeignItems
from .._errors import InvalidFlowError, UsageError
from .._products.factory import YieldedProducts
from .._rx.connectable import made_for_one_run
from .._rx.scheduler import FlowScheduler
from .._streams.iteration import iterate, relay
from .._streams.timing import TimeSlice
from .emission import operator_names

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["_RxPipe", "_StreamPipe", "rx_pipe", "stream_pipe"]


@printed
class _Pipe(Transformer[Any, Any]):
    """Operators of another library as a transformer."""

    _flow_kind = ""
    #: the library whose operators they are
    _flow_library = ""

    def __init__(
        self, operators: tuple[Callable[[Any], Any], ...], name: str | None = None
    ) -> None:
        self._operators = operators
        self._name = name

    @derived
    def transform(self, product: Any) -> Iterable[Any]:
        """The outputs for one product alone."""
        return self._flow_process([product])

    @property
    def name(self) -> str:
        """What messages, results and drawings call it."""
        return self._name or self._flow_kind

    def describe(self) -> Part:
        """The operators as data, see `Conduit.describe`; what they do is not known."""
        return self._flow_description(
            connection=self._flow_library, options=self._flow_options.given()
        )

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The names of the operators, and that of products that they create."""
        named = {} if self._name is None else {"name": self._name}
        return {"operators": operator_names(self._operators), **named}

    def __repr__(self) -> str:
        named = [] if self._name is None else [f"name={self._name!r}"]
        given = ", ".join([*operator_names(self._operators), *named])
        return f"{self._flow_kind}({given}){options_repr(self)}"


class _RxPipe(_Pipe):
    """Rx operators as a transformer."""

    _flow_kind = "rx_pipe"
    _flow_library = "reactivex"

    def _flow_connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """The operators on an observable."""
        upstream = flow_observable(source)
        trail = Trail(self.name, upstream.trail)
        foreign = ForeignItems(self._name or upstream.foreign_items.label, trail.depth)
        one_by_one = None
        if is_one_by_one(self._operators):
            one_by_one = YieldedProducts(self.name, None, None)
        make = partial(self._piping, source, foreign, not upstream.shows_items, one_by_one)
        # The first one now: what isn't an Observable, or subscribes too early, is told at once.
        ready = deque([make()])

        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            try:
                piping = ready.pop()
            except IndexError:
                piping = make()
            return piping.subscribe(observer, scheduler)

        root, driven = Observable(subscribe), is_driven(source)
        return [FlowObservable(root, driven=driven, trail=trail, foreign_items=foreign)]

    def _piping(
        self,
        source: Observable[Any],
        foreign: ForeignItems,
        has_products: bool,
        one_by_one: YieldedProducts | None,
    ) -> _Piping:
        piping = _Piping(source)
        inlet: Observable[Any] = Observable(piping.subscribe_source)
        remaker = Remaker(foreign, has_products=has_products, one_by_one=one_by_one)
        remakes = self._name is not None or one_by_one is not None
        if remakes:
            inlet = remaker.watched(inlet)
        with made_for_one_run():
            piped: object = inlet.pipe(*self._operators)
        if not isinstance(piped, Observable):
            if isinstance(piped, asyncio.Future) and piped.done():
                piped.exception()  # which says the same, and now counts as looked at
            raise InvalidFlowError(
                f"the operators of {self!r} returned {shown(piped)}, not an Observable"
            )
        piping.piped = remaker.remade(piped) if remakes else piped
        return piping


class _StreamPipe(_Pipe):
    """aiostream operators as a transformer."""

    _flow_kind = "stream_pipe"
    _flow_library = "aiostream"
    _flow_awaits = True

    def _flow_connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """The operators on an observable."""
        upstream = flow_observable(source, True)
        trail = Trail(self.name, upstream.trail)
        foreign = ForeignItems(self._name or upstream.foreign_items.label, trail.depth)
        root = partial(self._open, foreign, not upstream.shows_items)
        return [FlowObservable(root, trail=trail, before=upstream, foreign_items=foreign)]

    def _open(
        self,
        foreign: ForeignItems,
        has_products: bool,
        before: AsyncIterator[Any],
        owner: object,
    ) -> AsyncIterator[Any]:
        items = streams.iterate(_IteratedOnce(before))
        piped = reduce(lambda stream, operator: operator(stream), self._operators, items)
        if not isinstance(piped, AsyncIterable):
            raise InvalidFlowError(
                f"the operators of {self!r} returned {shown(piped)}, not a stream"
            )
        if self._name is None:
            return iterate(piped)
        remaker = Remaker(foreign, has_products=has_products)
        return relay(piped, remaker.product, time_slice=TimeSlice())


class _IteratedOnce(AsyncIterable[Any]):
    """The products of a run, which come once."""

    def __init__(self, products: AsyncIterator[Any]) -> None:
        self._products = products
        self._used = False

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._used:
            # Else one that repeats them, as pipe.cycle() does, would ask for more for ever.
            raise UsageError(
                "an operator of stream_pipe() iterates for a second time, as pipe.cycle() does; the"
                " products of a run come once: repeat what makes them, or the flow"
            )
        self._used = True
        return self._products


class _Piping:
    """Operators on a source, for one subscription: what they multicast is for that one alone.

    Leads the scheduler of a run past operators that hand up one of their own: without it their
    source would be another run, and know no demand.
    """

    def __init__(self, source: Observable[Any]) -> None:
        self._source = source
        self._scheduler: FlowScheduler | None = None
        self._is_subscribed = False
        #: what the operators have made of the source
        self.piped: Observable[Any] = reactivex.never()

    def subscribe_source(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        """Subscribe to the source, for the operators."""
        if not self._is_subscribed:
            raise InvalidFlowError(
                "an operator of a flow subscribes when the run does, and not before, as"
                " ops.to_future() would; call it behind flow.to_observable()"
            )
        # Not by `subscribe`, which would wrap the observer once more, at a price for each item.
        return self._source._subscribe_core(observer, self._scheduler or scheduler)

    def subscribe(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        """Subscribe to what the operators emit."""
        self._is_subscribed = True
        if isinstance(scheduler, FlowScheduler):
            self._scheduler = scheduler
        return self.piped._subscribe_core(observer, scheduler)


def rx_pipe(*operators: Callable[[Any], Any], name: str | None = None) -> Transformer[Any, Any]:
    """Rx operators as a transformer, to stand in a flow.

    It emits what the operators emit, in their order; their errors end the run. Demand travels
    through operators that pass their scheduler on, as nearly all do; the page on demand tells how
    far each of them lets a source run ahead.

    In a flow of dictionaries, products that pass through keep their lineage. A mapping that `map`
    makes of a product descends from that one, if all other operators pass items on (`filter`,
    `take`, `skip`, `distinct`, `do_action`, `first` and their kin); it is named `name`, or
    `rx_pipe`, and with a `name` so is anything else that `map` makes.

    Values that other operators create, such as lists or sums, start a new lineage. Pass `name=` so
    later steps can use them: a mapping becomes a product with its attributes, any other value a
    product with the one attribute `name`. `precursors` lists the products that it contains; if
    there are none, the product that the operators had last received, if that is known. Without a
    `name`, items that aren't products have that of a source in front, such as
    `from_observable(…, name="tick")`.

    Raises TypeError for anything but an operator, ValueError for a `name` that isn't an identifier.

    >>> from reactivex import operators as ops
    >>> rx_pipe(ops.filter(lambda x: x > 1), ops.take(2)).process([1, 2, 3, 4])
    [2, 3]
    >>> from fluxus_rx import run, step
    >>> pairs = rx_pipe(ops.buffer_with_count(2), name="pair")
    >>> sums = step("sum", lambda pair: {"sum": sum(product["x"] for product in pair)})
    >>> run(step("src", [{"x": 1}, {"x": 2}]) >> pairs >> sums)[0][0]["sum"]
    {'sum': 3}
    """
    _check_operators("rx_pipe", operators, name)
    return _RxPipe(operators, name)


def stream_pipe(*operators: Callable[[Any], Any], name: str | None = None) -> Transformer[Any, Any]:
    """aiostream operators (`aiostream.pipe`) as a transformer, to stand in a flow.

    It emits what the operators emit, in their order; their errors end the run. Products that pass
    through keep their lineage. `name` is that of the products that the operators create, as with
    `rx_pipe`; `precursors` of such a product lists the products that it contains.

    Raises TypeError for anything but an operator, ValueError for a `name` that isn't an identifier.

    >>> from aiostream import pipe
    >>> stream_pipe(pipe.chunks(2)).process([1, 2, 3])
    [[1, 2], [3]]
    """
    _check_operators("stream_pipe", operators, name)
    return _StreamPipe(operators, name)


def _check_operators(kind: str, operators: tuple[object, ...], name: object) -> None:
    if not operators:
        raise InvalidFlowError(f"{kind}() needs at least one operator")
    for index, operator in enumerate(operators):
        if not callable(operator):
            hint = (
                f"; did you mean {kind}(*operators)?" if isinstance(operator, list | tuple) else ""
            )
            raise InvalidFlowError(
                f"{kind}(): argument {index} is {shown(operator)}, no operator{hint}"
            )
        if getattr(operator, "__module__", None) == "reactivex.operators":
            made = f"ops.{function_name(operator)}"
            raise InvalidFlowError(
                f"{kind}(): argument {index} is {made}, which makes an operator; call it: {made}(…)"
            )
    if name is not None:
        check_name(f"{kind}()", name)
