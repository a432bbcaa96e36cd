"""Producers: the sources of flows, and one run of a flow for several listeners."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Generator, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, Self, Unpack, cast, overload

from aiostream import Stream
from reactivex import Observable

from .._common.encoding import printed
from .._common.item_types import type_arguments
from .._common.messages import also_raised, check_whole_number, short, shown
from .._common.trail import Trail
from .._engine.bound_step import offloaded
from .._engine.conversions import arrivals, async_arrivals, async_items, to_stream
from .._engine.execution import Execution
from .._engine.merged import Merged
from .._engine.observable import FlowObservable, buffered
from .._errors import InvalidFlowError
from .._graph.mistakes import cannot_chain, cannot_group
from .._options.offload import Offload
from .._options.step_options import NO_OPTIONS, OptionKeywords, StepOptions, shows_options
from .._rx.overflow import Overflow, OverflowPolicy, usual_size
from .._rx.run_settings import RunSettings
from .._rx.scheduler import FlowScheduler
from .._streams.iteration import iterate
from .._typing import Behind, P_co, T, Whole
from .composites import Group, flat
from .conduit import Conduit, ConduitRole
from .iterables import (
    MethodCall,
    OpenedThere,
    check_executor,
    items_elsewhere,
    iterator_of,
    not_iterable,
)
from .subclassing import derived, fact

if TYPE_CHECKING:
    from .._engine.hot_source import HotSource
    from .._graph.parts import Part

__all__ = ["AsyncProducer", "Producer", "SharedFlow"]


class Producer(Conduit, Generic[P_co]):
    """Starts a flow: emits products.

    A subclass implements `produce`. Products come in the order in which they are made. Producers in
    parallel take turns, or emit theirs as they come if anything in the flow awaits. Nothing starts
    before the first product is asked for. Backpressure: the producer is asked for no more products
    than the buffers and limits of the flow have room for.

    Iterate over a producer with `for` or `async for`; leaving early ends the run and cleans up.
    Resources that each run needs are opened by a method `opened`, which returns a context manager
    that sets them on `self`.

    >>> class Numbers(Producer[int]):
    ...     def produce(self):
    ...         yield from (1, 2, 3)
    >>> list(Numbers())
    [1, 2, 3]
    """

    @abstractmethod
    def produce(self) -> Iterable[P_co]:
        """Yield the products: a plain generator, or return any iterable but text and mappings."""

    @fact
    def product_type(self) -> Any:
        """The type of the products, as the class says it; Any if it doesn't say."""
        return type_arguments(self, Producer)[0]

    @fact
    def input_type(self) -> Any:
        """None: a producer takes no products."""
        return Never

    def describe(self) -> Part:
        """This producer as data, see `Conduit.describe`."""
        return self._flow_description(
            role="producer",
            function=getattr(self, "aproduce", self.produce) if self._flow_awaits else self.produce,
            options=self._flow_options.given(),
        )

    _flow_role: ConduitRole = "producer"
    _flow_options = NO_OPTIONS
    _flow_halves = ("produce", "aproduce")
    _flow_is_twin = False

    @shows_options("executor")
    def options(self, **options: Unpack[OptionKeywords]) -> Self:
        """A copy of this producer that makes its products off the loop: `executor` is its only
        option.

        With `"thread"`, `"process"` or an `Executor`, `produce` is called there, and each product
        is made there, so that a blocking call, on a file or a database, doesn't hold the loop. In a
        process, all products are made before the first one is emitted. All other options are of
        steps that are called with products. For a chain or a group that begins with producers,
        `options` sets those of the steps behind them.

        Raises TypeError for any other option, for an asynchronous producer, and for one that can't
        go to another process; ValueError for anything but an executor.
        """
        return self._flow_with_options(options)

    def _flow_with_options(self, options: OptionKeywords) -> Self:
        for name in options:
            if name != "executor":
                raise InvalidFlowError(
                    f"{self._flow_label} is a producer, and {name!r} is of steps that take"
                    " products: set it on a step behind it, or on the whole chain. A producer has"
                    " the option 'executor' alone"
                )
        changed = self._flow_copy()
        replaced = self._flow_options.replaced(options, self._flow_label)
        object.__setattr__(changed, "_flow_options", replaced)
        changed._flow_check_options(NO_OPTIONS)
        return changed

    def _flow_without_options(self) -> Self:
        """This producer as it goes to another process: its options may hold what can't."""
        bare = self._flow_copy()
        object.__setattr__(bare, "_flow_options", NO_OPTIONS)
        return bare

    def _flow_check_options(self, defaults: StepOptions) -> None:
        executor = self._flow_options.executor
        if executor is not None and self._flow_awaits:
            raise InvalidFlowError(
                f"{self._flow_label}: executor={shown(executor)} is for plain functions and"
                " generators, and this one is asynchronous: it runs on the loop"
            )
        if executor is not None:
            check_executor(executor, self, lambda: (self._flow_called, self._flow_using))

    @property
    def _flow_called(self) -> Any:
        """What runs in an executor."""
        return self.produce

    def _flow_observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order; each of them to be subscribed to once."""
        return [FlowObservable(self._flow_root, trail=Trail(self._flow_stage_name))]

    @overload
    def to_observable(self, *, paths: Literal[False] = False) -> Observable[P_co]: ...
    @overload
    def to_observable(self, *, paths: Literal[True]) -> list[Observable[P_co]]: ...
    def to_observable(self, *, paths: bool = False) -> Any:
        """The products of all paths as they come, as an Observable; cold: each subscription starts
        a new run.

        Needs an asyncio loop: that of the scheduler it is subscribed with, else the running one;
        raises `UsageError` (a RuntimeError) without one. Disposing of the subscription ends the
        run: calls in flight are cancelled, and generators are closed. The observable ends with the
        same error object as the flow; the end, or the error, comes when all has been cleaned up.

        `paths=True` returns a list of observables, one for each path, in path order. Those that are
        subscribed to within one turn of the loop share one run, in which shared steps run once, and
        end together; a later subscription starts a new run. Paths without subscribers don't run.

        >>> import asyncio
        >>> from reactivex import operators as ops
        >>> from fluxus_rx import step
        >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("double", lambda x: {"x": 2 * x})
        >>> async def main():
        ...     return await flow.to_observable().pipe(ops.map(lambda p: p["x"]), ops.to_list())
        >>> asyncio.run(main())
        [2, 4]
        """
        if paths:
            # Here, as it takes 0.5 ms of the import of the library (benchmark "startup, import").
            from .._engine.path_observables import path_observables

            return path_observables(self._flow_observables)
        return self._flow_merged()

    def _flow_merged(self) -> Observable[P_co]:
        paths = self._flow_observables
        return paths()[0] if self._flow_n_paths == 1 else Merged(lambda: [*paths()], True, self)

    def to_stream(self) -> Stream[P_co]:
        """The products of all paths as they come, as an aiostream Stream; each iteration starts a
        run."""
        return to_stream(self._flow_merged())

    def share(
        self, *, overflow: Overflow = "keep", buffer: int | None = None, replay: int = 0
    ) -> SharedFlow[P_co]:
        """A hub: one run of this flow for any number of listeners (multicast).

        The hub is a producer: it begins flows, and can be iterated over. Each run and each
        iteration listens from its own beginning on, and gets the last `replay` items first. The
        source is hot: its run begins with the block `async with flow.share() as hub`, or with the
        first listener. It goes on without listeners, and ends with the source, at the end of the
        block, or by `hub.close()`. Then all listeners end.

        Each listener has a buffer of `buffer` items (16). `overflow` says what becomes of one more:

        - `"keep"`: it waits; a source that can wait is asked for no more items than all such
          listeners have room for, so the slowest of them sets the pace
        - `"error"`: `BufferOverflowError` ends the run that listens
        - `"drop_oldest"`, `"drop_newest"`: the oldest item that waits is dropped, or the new one
        - `"latest"`: only the newest item waits; takes no `buffer`

        With any but "keep", a slow listener loses items, `hub.dropped` counts them, and neither the
        source nor other listeners wait. `hub.subscriber(overflow=…, buffer=…)` is the same hub with
        another policy. At most `buffer` items wait for each listener, and `replay` items in the
        hub.

        An error of the source is raised for all listeners, also for later ones. Without listeners,
        the end of the block raises it, or it goes to the loop's exception handler. The run of the
        hub has none of the settings of the listening runs, such as `on_error="collect"`.

        Raises ValueError for a `buffer` below 1, a `replay` below 0, and for any other `overflow`.

        >>> import asyncio
        >>> from fluxus_rx import step
        >>> async def main():
        ...     async with step("src", [{"x": 1}, {"x": 2}]).share() as hub:
        ...         double = hub >> step("double", lambda x: {"y": 2 * x})
        ...         return await asyncio.gather(*(count(flow) for flow in (hub, double)))
        >>> async def count(flow):
        ...     return [product async for product in flow]
        >>> [len(products) for products in asyncio.run(main())]
        [2, 2]
        """
        check_whole_number("replay", replay, "items", who="share()", least=0)
        label = f"share() of {short(self)}"
        buffer = usual_size(overflow) if buffer is None else buffer
        policy = OverflowPolicy.of("share()", label, "buffer", buffer, overflow, heeded=True)
        # Here, as it takes 0.4 ms of the import of the library (benchmark "startup, import").
        from .._engine.hot_source import HotSource

        return SharedFlow(self, HotSource(lambda: self._flow_observables(), replay), policy)

    def _flow_root(self, flow: FlowScheduler, owner: object) -> Any:
        awaits = self._flow_awaits and not (self._flow_is_twin and flow.scope.settings.plain)
        offload = (
            None
            if awaits
            else offloaded(id(self), lambda: self._flow_label, flow.scope, self._flow_options)
        )
        if not self._flow_is_opened:
            return self._flow_products(awaits, offload, None)
        from .lifetime import opened_products

        return opened_products(self, flow.scope, awaits, offload)

    def _flow_products(
        self, awaits: bool, offload: Offload | None, opened_there: OpenedThere | None
    ) -> Any:
        """The products in one run, in which what they need is open."""
        if awaits:
            products = cast(Any, self).aproduce()
            if not hasattr(products, "__aiter__"):
                raise not_iterable(self, "aproduce", products, "an asynchronous generator")
            return iterate(products)
        if offload is None:
            return iterator_of(self.produce(), self, "produce")
        call = MethodCall(self, "produce")
        return items_elsewhere(offload, call if opened_there is None else opened_there(call))

    def __iter__(self) -> Generator[P_co, None, None]:
        products = arrivals(partial(self._flow_execution, plain=True))
        try:
            for _, product in products:
                yield product
        finally:
            products.close()

    def __aiter__(self) -> AsyncGenerator[P_co, None]:
        if self._flow_is_ordered:
            return async_arrivals(self._flow_execution, itemgetter(1))
        return async_items(self._flow_merged())

    @property
    def _flow_is_ordered(self) -> bool:
        """Whether `ordered` is set on all of it, and so holds for its products, too."""
        return False

    def _flow_execution(self, *, plain: bool = False) -> Execution:
        settings = RunSettings(ordered=self._flow_is_ordered, plain=plain)
        return Execution(self._flow_observables(), settings)

    def __rshift__(self, other: Behind[Producer[P_co], Whole]) -> Whole:
        if isinstance(other, Conduit):
            return other._flow_after(self)
        raise cannot_chain(self, other)

    def __and__(self, other: Producer[T]) -> Producer[P_co | T]:
        if not isinstance(other, Producer):
            raise cannot_group(self, other)
        return _ParallelProducers(flat((self, other)))


class AsyncProducer(Producer[P_co]):
    """A producer that awaits: a subclass implements `aproduce`, an asynchronous generator.

    If a subclass defines `produce` as well, whatever its base, plain callers call that.

    >>> class Numbers(AsyncProducer[int]):
    ...     async def aproduce(self):
    ...         yield 1
    >>> list(Numbers())
    [1]
    """

    _flow_awaits = True

    @abstractmethod
    def aproduce(self) -> AsyncIterable[P_co]:
        """Yield the products: an asynchronous generator, or return any asynchronous iterable."""

    @derived
    def produce(self) -> Iterable[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)


class _ParallelProducers(Group, Producer[P_co]):
    """Producers side by side."""

    @derived
    def produce(self) -> Iterable[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)

    def _flow_observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order."""
        return [path for producer in self.conduits for path in producer._flow_observables()]


@printed
class SharedFlow(Producer[P_co]):
    """One run of a flow for any number of listeners; `Producer.share` makes it, and has the rules.

    A producer: each run that begins with it, and each iteration over it, listens to that one run.
    `subscriber` returns the same hub with another policy for items that come too fast.
    """

    _flow_awaits = True

    def __init__(
        self, flow: Producer[P_co], source: HotSource[P_co], policy: OverflowPolicy
    ) -> None:
        self._flow = flow
        self._source = source
        self._policy = policy
        self._dropped = 0

    def subscriber(
        self, *, overflow: Overflow | None = None, buffer: int | None = None
    ) -> SharedFlow[P_co]:
        """The same hub with another policy; arguments that are left out stay as they are.

        >>> from fluxus_rx import step
        >>> hub = step("src", [{"x": 1}]).share(replay=3)
        >>> hub.subscriber(overflow="latest")
        src.share(overflow='latest')
        """
        policy = self._policy
        if overflow is None:
            overflow = policy.overflow
        if buffer is None and overflow == policy.overflow:
            buffer = policy.size
        buffer = usual_size(overflow) if buffer is None else buffer
        policy = OverflowPolicy.of("share()", policy.label, "buffer", buffer, overflow, heeded=True)
        return SharedFlow(self._flow, self._source, policy)

    @property
    def dropped(self) -> int:
        """How many items were dropped, over all that have listened by this object."""
        return self._dropped

    def close(self) -> Awaitable[None]:
        """Tell the run to end; from any thread, and more than once. All listeners get the items
        that wait for them, and end. Await the returned object to wait for the clean-up."""
        return self._source.close()

    async def __aenter__(self) -> Self:
        self._source.start(asyncio.get_running_loop(), is_awaited=True)
        return self

    async def __aexit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        try:
            await self.close()
        except BaseException as error:
            if raised is None:
                raise
            also_raised(raised, error)

    @property
    def name(self) -> str:
        """What messages, results and drawings call it."""
        return "share"

    @property
    def product_type(self) -> Any:
        """The type of the products of the flow."""
        return self._flow.product_type

    def _flow_observables(self) -> list[FlowObservable[P_co]]:
        """All paths of the flow as one, in their order of completion."""
        policy = self._policy
        limit = None if policy.overflow == "keep" else policy.size
        heard: Observable[P_co] = Observable(partial(self._source.subscribe, limit))
        key = ("held", id(self))
        return [buffered(heard, policy, key, self.name, on_drop=self._count_drop)]

    def _count_drop(self) -> None:
        self._dropped += 1

    @derived
    def produce(self) -> Iterable[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)

    def describe(self) -> Part:
        """This hub as data, see `Conduit.describe`."""
        size, overflow = self._policy.size, self._policy.overflow
        return self._flow_description(
            role="producer",
            data=self._flow,
            buffer=size,
            overflow=overflow,
            emission="with demand" if overflow == "keep" else "",
        )

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """The arguments that differ from the defaults."""
        overflow, size = self._policy.overflow, self._policy.size
        given = {"overflow": overflow, "buffer": size}
        usual = {"overflow": "keep", "buffer": usual_size(overflow)}
        return {name: value for name, value in given.items() if value != usual[name]}

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in self.get_repr_attributes().items()]
        flow = self._flow.name if self._flow.is_atomic else f"({short(self._flow)})"
        return f"{flow}.share({', '.join(given)})"
