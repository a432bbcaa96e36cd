"""Operators of Rx and of aiostream as transformers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextvars import ContextVar
from functools import reduce
from typing import Any

from aiostream import stream as streams
from reactivex import Observable, abc
from reactivex import operators as ops

from .._common.messages import short, shown
from .._common.names import check_name
from .._engine.observable import FlowObservable, flow_observable, is_driven
from .._engine.stage import ForeignItems
from .._errors import InvalidFlowError, UsageError
from .._products.dict_product import DictProduct, MadeProduct
from .._products.factory import from_foreign
from .._rx.scheduler import FlowScheduler
from .._streams.iteration import iterate, relay
from .._streams.timing import TimeSlice
from .transformer import Transformer

__all__ = ["_RxPipe", "_StreamPipe", "rx_pipe", "stream_pipe"]


class _Pipe(Transformer[Any, Any]):
    """Operators of another library as a transformer."""

    _flow_kind = ""

    def __init__(
        self, operators: tuple[Callable[[Any], Any], ...], name: str | None = None
    ) -> None:
        self._operators = operators
        self._name = name

    def transform(self, product: Any) -> Iterable[Any]:
        """The outputs for one product alone."""
        return self.process([product])

    @property
    def name(self) -> str:
        """What messages, results and drawings call it."""
        return self._name or self._flow_kind

    def __repr__(self) -> str:
        named = [] if self._name is None else [f"name={self._name!r}"]
        return f"{self._flow_kind}({', '.join([*map(short, self._operators), *named])})"


class _RxPipe(_Pipe):
    """Rx operators as a transformer."""

    _flow_kind = "rx_pipe"

    def connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """The operators on an observable."""
        trail = (flow_observable(source).trail, self.name)
        kind = ForeignItems.made(self._name or flow_observable(source).kind.label, trail)
        remaker = None if self._name is None else _Remaker(kind, flow_observable(source))
        around = _SchedulerBypass(source if remaker is None else remaker.noted(source))
        piped = around.inlet.pipe(*self._operators)
        if not isinstance(piped, Observable):
            if isinstance(piped, asyncio.Future) and piped.done():
                piped.exception()  # which says the same, and now counts as looked at
            raise InvalidFlowError(f"the operators of {self!r} gave {shown(piped)}, no Observable")
        if remaker is not None:
            piped = remaker.made(piped)
        root = around.outlet(piped)
        return [FlowObservable(root, (), is_driven(source), trail, kind=kind)]


class _StreamPipe(_Pipe):
    """aiostream operators as a transformer."""

    _flow_kind = "stream_pipe"
    _flow_awaits = True

    def connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """The operators on an observable."""
        upstream = flow_observable(source, True)

        def root(before: AsyncIterator[Any], owner: object) -> AsyncIterator[Any]:
            items = streams.iterate(_IteratedOnce(before))
            piped = reduce(lambda xs, pipe: pipe(xs), self._operators, items)
            if not isinstance(piped, AsyncIterable):
                raise InvalidFlowError(f"the operators of {self!r} gave {shown(piped)}, no stream")
            if self._name is None:
                return iterate(piped)
            return relay(piped, _Remaker(kind, upstream).product, time_slice=TimeSlice())

        trail = (upstream.trail, self.name)
        kind = ForeignItems.made(self._name or upstream.kind.label, trail)
        return [FlowObservable(root, (), True, trail, before=upstream, kind=kind)]


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


#: the pipes that are being subscribed to, each with the scheduler of its run
_subscribed: ContextVar[tuple[_SchedulerBypass, FlowScheduler, Any] | None] = ContextVar(
    "_subscribed", default=None
)


class _SchedulerBypass:
    """What is put around operators, so that the scheduler of a run passes by those that hand up one
    of their own: without it their source would be another run, and know no demand.

    Remembered by context, and not here, because one pipe may be subscribed to by several runs; a
    context is also that of what is subscribed to later, in a task or a callback of the run.
    """

    def __init__(self, source: Observable[Any]) -> None:
        self._source = source
        self._made = False
        #: the source, for the operators
        self.inlet: Observable[Any] = Observable(self._subscribe)

    def _subscribe(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        if not self._made:
            raise InvalidFlowError(
                "an operator of a flow subscribes when the run does, and not before, as"
                " ops.to_future() would; call it behind flow.to_observable()"
            )
        if not isinstance(scheduler, FlowScheduler):
            found = _subscribed.get()
            while found is not None and found[0] is not self:
                found = found[2]
            scheduler = scheduler if found is None else found[1]
        # Not by `subscribe`, which would wrap the observer once more, at a price for each item.
        return self._source._subscribe_core(observer, scheduler)

    def outlet(self, piped: Observable[Any]) -> Observable[Any]:
        """What the operators have made of the inlet."""
        self._made = True

        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            if not isinstance(scheduler, FlowScheduler):
                return piped._subscribe_core(observer, scheduler)
            token = _subscribed.set((self, scheduler, _subscribed.get()))
            try:
                return piped._subscribe_core(observer, scheduler)
            finally:
                _subscribed.reset(token)

        return Observable(subscribe)


class _Remaker:
    """Makes products of what operators make of products, where they make something else.

    Only in a flow of dictionaries: until a product of one has come, items stay as they are, and a
    step behind takes them in.
    """

    def __init__(self, kind: ForeignItems, source: FlowObservable[Any]) -> None:
        self._kind = kind
        #: whether it is a flow of dictionaries
        self._named = not source.shows_items
        #: the product that the operators are given at this moment
        self._current: DictProduct | None = None
        self._count = 0

    def noted(self, source: Observable[Any]) -> Observable[Any]:
        """`source`; what comes is known while the operators are given it."""

        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def on_next(item: Any) -> None:
                before, self._current = self._current, item
                if not self._named:
                    self._named = isinstance(item, DictProduct)
                try:
                    observer.on_next(item)
                finally:
                    self._current = before

            return source.subscribe(
                on_next, observer.on_error, observer.on_completed, scheduler=scheduler
            )

        return Observable(subscribe)

    def made(self, piped: Observable[Any]) -> Observable[Any]:
        """What the operators give, as products."""
        return piped.pipe(ops.map(self.product))

    def product(self, item: Any) -> Any:
        """The product of what the operators have given."""
        if isinstance(item, DictProduct):
            return item
        found = [] if item.__class__ in _PLAIN else _products_in(item)
        if not found and isinstance(self._current, DictProduct):
            found.append(self._current)
        if not found and not self._named:
            return item
        self._count += 1
        made = from_foreign(item, self._count - 1, None, "", *self._kind)
        assert isinstance(made, MadeProduct)
        made.made_of = tuple(found)
        return made


def _products_in(item: Any) -> list[DictProduct]:
    """The products in what holds products, in their order; each container is looked into once."""
    found: list[DictProduct] = []
    seen: set[int] = set()
    stack = [iter((item,))]  # and no recursion: an accumulator may nest deeper with each product
    while stack:
        for one in stack[-1]:
            if one.__class__ in _PLAIN:
                continue
            if isinstance(one, dict | list | tuple | set | frozenset | deque):
                if id(one) not in seen:
                    seen.add(id(one))
                    stack.append(iter(one.values() if isinstance(one, dict) else one))
                    break
            elif isinstance(one, DictProduct):
                found.append(one)
        else:
            stack.pop()
    return found


#: what surely holds no products
_PLAIN = frozenset({bool, bytes, complex, float, int, str, type(None)})


def rx_pipe(*operators: Callable[[Any], Any], name: str | None = None) -> Transformer[Any, Any]:
    """Rx operators as a transformer, to stand in a flow.

    What comes out is what the operators give, in their order; their errors end the run. Demand
    passes through operators that hand their scheduler on, as nearly all do; the page on demand
    tells how far each of them lets a source run ahead.

    In a flow of dictionaries, products that pass keep their lineage. What operators make anew
    begins a lineage of its own, as a product named `name`: a mapping with the attributes that it
    has, anything else (a list, a number) as the attribute `name`. Its `precursors` are the products
    that are in it; if there are none, the product that the operators were given when they gave it,
    as far as there is one. Without a `name`, items that are no products have that of a source in
    front, such as `from_observable(…, name="tick")`.

    Raises TypeError for what is no operator, ValueError for a `name` that is no identifier.

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

    What comes out is what the operators give, in their order; their errors end the run. `name` is
    that of products that they make anew, as with `rx_pipe`; the `precursors` of such a product are
    those in it.

    Raises TypeError for what is no operator, ValueError for a `name` that is no identifier.

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
            raise InvalidFlowError(f"{kind}(): argument {index} is {shown(operator)}, no operator")
    if name is not None:
        check_name(f"{kind}()", name)
