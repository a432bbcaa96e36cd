"""The paths of a flow, run for as long as a block lasts."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import logging
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence, Sized
from concurrent import futures
from functools import partial
from math import inf
from queue import SimpleQueue
from typing import Any, Final

from reactivex import Observable
from reactivex.abc import DisposableBase

from .._common.left_watch import outside_waiter
from .._common.messages import also_raised, note, short
from .._common.text import counted
from .._loops.event_loop import call_soon
from .._loops.loop_errors import note_loop_error, require_loop
from .._monitoring.meter import always_running
from .._options.offload import GRACE_SECONDS
from .._options.pending import Pending
from .._options.threads import run_into
from .._products.collector import Collector, ReadableCollectors
from .._rx.run_settings import RunSettings
from .._rx.scheduler import UNBOUNDED, FlowScheduler
from .._rx.scope import Scope
from .._rx.stopper import GRACE
from .._streams.channel import BUFFER, Channel
from .._streams.context import unmistakable
from .._streams.ordering import Arrival, PathOrder
from .._typing import Demand, T
from .merged import paths_by_source, subscribe_paths
from .stage import StepLocations

__all__ = ["Execution", "close_scope", "collect", "consume_in_thread", "wait_out"]

_log = logging.getLogger(__name__)

#: Turns of the loop in which a product that nothing keeps back gets to where it is noted.
_SETTLING_TURNS: Final = 20
#: what a consumer in a thread is told instead of a product
_CANCELLED: Final = "the run was cancelled"


class Execution:
    """The paths of a flow, run for as long as the block lasts; what arrives is in the channel.

    The room of the channel is the demand of the flow. With `receivers`, or `collectors`, one for
    each path, products go to these, as fast as they come or as `demand` allows, and the channel
    tells the end alone; from readable ones, a reader may take over. If the run `keeps` them, what
    has arrived stays in the channel at the end, and what is done by an early end arrives before it,
    in whatever order. `beside` runs beside it, as part of the run: it is cancelled at the end, and
    its error ends all.

    A run that is drainable may be told to end: by `drain`, by its deadline, or from outside.

    At the end of the block, however it ends, everything is cancelled, awaited and closed; an error
    in doing so is raised, or becomes a note of the one that is being raised.
    """

    # No generator with contextlib's decorator: that assigns the traceback of what it passes on,
    # which an exception that is a frozen dataclass refuses.

    def __init__(
        self,
        paths: Sequence[Observable[Any]],
        settings: RunSettings | None = None,
        receivers: Sequence[Callable[[Any], None]] | None = None,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
        *,
        collectors: Sequence[Collector] | ReadableCollectors = (),
        demand: Demand = UNBOUNDED,
        keeps: bool = False,
    ) -> None:
        location_of = StepLocations(paths).location_of
        settings = dataclasses.replace(settings or RunSettings(), location_of=location_of)
        self.scope = Scope(require_loop(), settings, on_fail=self._on_error)
        self._paths = paths
        #: where products go until somebody reads them, if somebody may
        self._readable: ReadableCollectors | None = None
        if isinstance(collectors, ReadableCollectors):
            self._readable, collectors = collectors, collectors.paths
        self._collectors = collectors
        self._receivers = [one.add for one in collectors] if collectors else receivers
        self._beside = beside
        self._demand = demand
        self._keeps = keeps
        #: where what arrives waits to be taken
        self.channel: Channel[Arrival] = Channel(BUFFER if self._readable is None else inf)
        self._ended = asyncio.Event()
        self._subscriptions: list[DisposableBase] = []
        #: paths that are not at their end
        self._unfinished = len(paths)
        self._failure: BaseException | None = None
        #: what leaves those that may tell the run to end
        self._leaves: list[Callable[[], object]] = []
        #: of a run whose reader wants one path after the other
        self._order: PathOrder | None = None

    async def __aenter__(self) -> Channel[Arrival]:
        meter = self.scope.meter
        if meter is not None:
            if meter.state is always_running:
                meter.state = lambda: "draining" if self.is_drained else "running"
            for path in self._paths:
                meter.gauges.know(getattr(path, "trail", None))
        paths = counted(len(self._paths), "path")
        _log.debug("takes the products of %s in %r", paths, self.scope)
        is_read = self._receivers is None or self._readable is not None
        demand = self.channel if is_read else self._demand
        if self._keeps:
            self.scope.final_demand = demand
        flow = FlowScheduler(self.scope.loop, self.scope, demand)
        self._listen()
        try:
            if self._beside is not None:
                self.scope.start(self._beside())
            if self._receivers is None and self.scope.settings.ordered:
                sources = paths_by_source(self._paths)
                self._order = PathOrder(self.channel, sources, partial(self._begin, flow))
                self._order.begin()
            else:
                self._begin(flow, range(len(self._paths)))
        except BaseException as error:
            await self.__aexit__(None, error, None)
            raise
        return self.channel

    def _listen(self) -> None:
        """Let those that may do so tell the run to end."""
        settings = self.scope.settings
        if settings.deadline is not None:
            late = self.scope.loop.call_later(settings.deadline, self.drain, GRACE)
            self._leaves.append(late.cancel)
        if settings.stop is not None:
            self._leaves.append(settings.stop._flow_add(self._stop_from_outside))

    def _stop_from_outside(self, within: float) -> None:
        call_soon(self.scope.loop, partial(self.drain, within))

    def drain(self, within: float | None = None) -> None:
        """Take no more from the sources, and begin no call; with `within`, end after so many
        seconds whatever is in flight then."""
        if self.scope.closing:
            return
        self.scope.drain()
        # Or what is done would wait for a reader who is slow.
        self.channel.resize(inf)
        if within is not None:
            cut = self.scope.loop.call_later(within, self._start_cut)
            self._leaves.append(cut.cancel)

    def serve_reader(self, waits: bool) -> None:
        """Have the channel deliver what was collected, and what comes. If the run `waits` for the
        reader, be ahead by the buffer at most, and keep the order that steps keep."""
        readable, self._readable = self._readable, None
        if readable is not None:
            self.channel.put_back(readable.hand_over(self.channel.receiver))
        if waits:
            self.scope.final_demand = None
            if not self.is_drained:
                self.channel.size = BUFFER

    @property
    def is_read(self) -> bool:
        """Whether a reader gets what arrives; else collectors do."""
        return self._readable is None

    def _start_cut(self) -> None:
        self.scope.start(self._cut_short())

    async def _cut_short(self) -> None:
        """End, once what waits has come to where it is noted."""
        self.scope.draining.let_through()
        places: list[Sized] = [self.pending, self.channel, *self._collectors]
        noted = -1
        while noted != (noted := sum(map(len, places))):
            for _ in range(_SETTLING_TURNS):
                await asyncio.sleep(0)
        self.scope.draining.cut_short = True
        self.scope.release()
        self._end()

    def arrived(self) -> list[Arrival]:
        """What has arrived and waits to be taken, or for the paths before its own to end."""
        kept = [] if self._order is None else self._order.kept()
        return [*self.channel.items, *kept]

    @property
    def is_drained(self) -> bool:
        """Whether it begins nothing new any more."""
        return self.scope.draining.begun

    @property
    def is_cut_short(self) -> bool:
        """Whether it has ended although calls were in flight."""
        return self.scope.draining.cut_short

    @property
    def pending(self) -> Sequence[Pending]:
        """The products that it has not gone on with, because it was drained."""
        return self.scope.draining.pending

    @property
    def is_complete(self) -> bool:
        """Whether it has come to its end, and its sources to theirs."""
        return not (self._unfinished or self.scope.draining.cut_sources)

    def _begin(self, flow: FlowScheduler, indices: Sequence[int]) -> None:
        """Subscribe to these paths."""
        receivers = self._receivers
        if receivers is None and self._order is not None:
            receivers = self._order.receivers
        elif receivers is None:
            receivers = [self.channel.receiver(index) for index in indices]
        for subscription in subscribe_paths(
            [self._paths[index] for index in indices],
            [receivers[index] for index in indices],
            self._on_error,
            lambda number: self._on_completed(indices[number]),
            flow,
            collectors=[self._collectors[index] for index in indices] if self._collectors else (),
        ):
            self._subscriptions.append(subscription)

    def _on_error(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        else:
            also_raised(self._failure, error)
        self.scope.release()
        self._end(error)
        self.scope.cancel()

    def _on_completed(self, index: int) -> None:
        self._unfinished -= 1
        if self._order is not None and self._failure is None:
            try:
                self._order.end(index)
            except BaseException as error:
                self._on_error(error)
        if not self._unfinished:
            self._end()

    def _end(self, error: BaseException | None = None) -> None:
        self.channel.close(error)
        self._ended.set()

    async def wait_for_end(self) -> None:
        """Wait until all paths are at their end, or the run is ended by an error."""
        await self._ended.wait()

    async def __aexit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        for leave in self._leaves:
            leave()
        self.scope.release()
        for subscription in self._subscriptions:
            subscription.dispose()
        if self._keeps:
            self._end()
        else:
            self.channel.cancel()
        # The failure also if the reader has caught it, or has not come to it.
        error = await close_scope(self.scope, raised or self._failure)
        if self.pending and self._receivers is None and not self._keeps:
            _log.warning(
                "%s not gone on with, because the run was told to end; the results of run() and"
                " start() have them as `pending`",
                counted(len(self.pending), "product was", "products were"),
            )
        try:
            if error is not None and error is not raised:
                raise error
        finally:
            del error, raised


async def close_scope(scope: Scope, error: BaseException | None) -> BaseException | None:
    """Close the scope; return what there is to raise."""
    try:
        await scope.close(error)
    except asyncio.CancelledError as cancelled:
        error = error or cancelled
    error = scope.final_error(error)
    if error is None:
        _log.debug("%r is at its end", scope)
    else:
        for text in scope.notes:
            note(error, text)
        note_loop_error(error)
        _log.debug("%r ends with %s", scope, type(error).__name__)
    return error


async def collect(
    paths: Sequence[Observable[Any]], settings: RunSettings | None = None
) -> list[list[Any]]:
    """Run the paths of a flow to their end, and collect what each of them emits, in order of
    completion."""
    results: list[list[Any]] = [[] for _ in paths]
    async with Execution(paths, settings, [result.append for result in results]) as channel:
        await channel.filled()
    return results


async def consume_in_thread(
    consume: Callable[[Iterator[Arrival]], T], channel: Channel[Arrival]
) -> T:
    """Feed a synchronous consumer, in a thread of its own, while the loop goes on. One that is told
    to end and blocks is left to itself after a while."""
    loop = asyncio.get_running_loop()
    feed = _ThreadFeed(channel)
    consumed: futures.Future[T] = futures.Future()
    consumed.add_done_callback(lambda _: call_soon(loop, feed.end))
    work = partial(contextvars.copy_context().run, partial(feed.consumed_by, consume))
    # A daemon: Python waits at its exit for the threads of a ThreadPoolExecutor.
    call: Any = (consumed, work, lambda _: None)
    threading.Thread(target=run_into, args=call, name="fluxus_rx consumer", daemon=True).start()
    try:
        await asyncio.shield(feed.ended)
        return consumed.result()
    except asyncio.CancelledError as cancelled:
        channel.cancel(cancelled)
        await wait_out(feed.ended, consume, "the consumer")
        error = consumed.exception() if consumed.done() else None
        if error is not None and not isinstance(error, asyncio.CancelledError):
            note(cancelled, f"the consumer, told to end, raised {short(error)}")
        raise
    finally:
        feed.leave()


async def wait_out(ended: asyncio.Future[None], function: Callable[..., object], what: str) -> None:
    """Wait for what runs in a thread and was told to end; a warning, if it doesn't."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE_SECONDS
    while not ended.done() and (left := deadline - loop.time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([ended], timeout=left)
    if not ended.done():
        _log.warning(
            "%s still runs (%s), %g s after its run was cancelled; threads can't be stopped, and it"
            " is left to end by itself",
            what,
            getattr(function, "__qualname__", short(function)),
            GRACE_SECONDS,
        )


class _ThreadFeed:
    """Hands what waits in a channel to a consumer in a thread, all of it at once: to wake a thread,
    and the loop again, costs 40 µs (benchmark "consumers").

    Two buffers of items are ahead of the consumer, those included that it has got.
    """

    def __init__(self, channel: Channel[Arrival]) -> None:
        channel.resize(max(channel.size, 2 * BUFFER))
        self._channel = channel
        #: how many items the thread has got
        self._in_hand = 0
        self._loop = asyncio.get_running_loop()
        self._batches: SimpleQueue[list[Arrival] | BaseException] = SimpleQueue()
        #: whether the thread is at its end
        self.ended = self._loop.create_future()
        #: for as long as the thread has something to do
        self._busy = outside_waiter()

    # in the thread

    def consumed_by(self, consume: Callable[[Iterator[Arrival]], T]) -> T:
        """What the consumer returns for all that arrives."""
        arrivals = self._arrivals()
        try:
            return consume(arrivals)
        except (StopIteration, StopAsyncIteration) as error:  # a future can't carry the first
            raise unmistakable(error, "a consumer") from error
        finally:
            arrivals.close()

    def _arrivals(self) -> Generator[Arrival, None, None]:
        channel = self._channel
        while batch := self._next_batch():
            for arrival in batch:
                if channel.abandoned:
                    raise asyncio.CancelledError(_CANCELLED)
                yield arrival

    def _next_batch(self) -> list[Arrival]:
        if not self._channel.abandoned:  # else the loop may be closed by now
            call_soon(self._loop, self._ask)
            batch = self._batches.get()
            if not self._channel.abandoned:
                if not isinstance(batch, BaseException):
                    return batch
                try:
                    raise batch
                finally:
                    del batch  # it knows this frame
        raise asyncio.CancelledError(_CANCELLED)

    # on the loop

    def _ask(self) -> None:
        self._rest()
        self._channel.reserve(-self._in_hand)
        self._channel.tell(self)

    def done(self) -> bool:
        """No: whenever the channel tells it, it hands over."""
        return False

    def set_result(self, result: None) -> None:
        """An item is there, or the end: hand that over, and what else comes in this turn."""
        self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._busy = outside_waiter()
        # Before they are taken, or else a writer would be invited into their room.
        self._in_hand = len(self._channel)
        self._channel.reserve(self._in_hand)
        try:
            self._batches.put(self._channel.take_all())
        except BaseException as error:
            self._batches.put(error)

    def _rest(self) -> None:
        if not self._busy.done():
            self._busy.set_result(None)

    def end(self) -> None:
        """The thread is at its end."""
        self._rest()
        if not self.ended.done():
            self.ended.set_result(None)

    def leave(self) -> None:
        """Nobody waits for the thread any more."""
        self._rest()
        self._batches.put(asyncio.CancelledError(_CANCELLED))
