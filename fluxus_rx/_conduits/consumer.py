"""Consumers: what a flow ends with; and the flow itself."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from abc import abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Generic, Self, Unpack, cast, overload

from .._common.encoding import printed
from .._common.item_types import type_arguments
from .._common.messages import also_raised, note, notes_of, short, shown
from .._engine.conversions import arrivals
from .._engine.execution import Execution, consume_in_thread
from .._errors import InvalidProductError
from .._loops.event_loop import Loop
from .._loops.loop_errors import note_loop_error
from .._options.failure import Failure
from .._options.step_options import OptionKeywords, StepOptions, shows_options
from .._rx.run_settings import RunSettings
from .._rx.stopper import Stopper
from .._streams.context import unmistakable
from .._streams.resumable import Resumable
from .._typing import A, A_contra, R_co, T
from .composites import Chain, check_types
from .conduit import Conduit, ConduitRole
from .producer import Producer
from .subclassing import derived, fact
from .transformer import Transformer

if TYPE_CHECKING:
    from .._graph.parts import Part
    from .lifetime import ConduitBlock

__all__ = ["AsyncConsumer", "Consumer", "Flow"]


class Consumer(Conduit, Generic[A_contra, R_co]):
    """Ends a flow: takes all products, and returns the result of the run.

    A subclass implements `consume`, which is called while the flow runs, with backpressure: the
    flow is ahead of it by its buffers and limits at most. Returning early ends the run. In
    `Flow.run()` its iterable drives the loop; in `Flow.arun()` it runs in a thread of its own. Once
    the run is cancelled, the iterable raises CancelledError in place of a product. Resources that
    each run needs are opened by a method `opened`, which returns a context manager that sets them
    on `self`.

    >>> class Total(Consumer[int, int]):
    ...     def consume(self, products):
    ...         return sum(product for path, product in products)
    """

    _flow_role: ConduitRole = "consumer"
    _flow_halves = ("consume", "aconsume")
    _flow_is_twin = False

    @abstractmethod
    def consume(self, products: Iterable[tuple[int, A_contra]]) -> R_co:
        """Take pairs of a path index and a product, as they come, and return the result."""

    @fact
    def input_type(self) -> Any:
        """The type of the products it takes, as the class says it; Any if it doesn't say."""
        return type_arguments(self, Consumer)[0]

    def describe(self) -> Part:
        """This consumer as data, see `Conduit.describe`."""
        function = cast(Any, self).aconsume if self._flow_awaits else self.consume
        return self._flow_description(role="consumer", function=function)

    @overload
    def _flow_after(self, first: Producer[A_contra], /) -> Flow[R_co]: ...
    @overload
    def _flow_after(self, first: Transformer[A, A_contra], /) -> Consumer[A, R_co]: ...
    def _flow_after(self, first: Any, /) -> Any:
        if isinstance(first, Producer):
            return Flow(first, self)
        return Chain.of(_ChainedConsumer, first, self)

    def _flow_behind(self, producer: Producer[Any]) -> Self:
        """This consumer as it ends a flow that begins with this producer."""
        return self

    @property
    def _flow_block(self) -> ConduitBlock[Self] | None:
        """The block around its call in one run, if runs open it."""
        if not self._flow_is_opened:
            return None
        from .lifetime import ConduitBlock

        return ConduitBlock(self)

    def _flow_awaits_in(self, settings: RunSettings) -> bool:
        """Whether it is called by its asynchronous half in a run with these settings."""
        return self._flow_awaits and not (self._flow_is_twin and settings.plain)

    async def _flow_aconsume(
        self, channel: Any, block: ConduitBlock[Any] | None, settings: RunSettings
    ) -> R_co:
        if not self._flow_awaits_in(settings):
            consume: Callable[[Any], R_co] = self.consume
            if block is not None:
                consume = partial(_consumed_in, block)
            result = await consume_in_thread(consume, channel)
            _check_result(self, result)
            return result
        async with contextlib.aclosing(_Products(channel)) as products:
            consuming = cast(Any, self).aconsume(products)
            if not inspect.isawaitable(consuming):
                raise InvalidProductError(
                    f"{self.name}.aconsume() returned {shown(consuming)}; it must be `async def`"
                )
            return cast(R_co, await consuming)


def _consumed_in(block: ConduitBlock[Any], products: Iterable[Any]) -> Any:
    """What a consumer returns in its block, which is told of an error that comes with the products
    also where the consumer has caught it."""
    errors: list[BaseException] = []
    with block as mine:
        result = mine.consume(_watched(products, errors))
        if errors:
            raise errors[0]
    return result


class AsyncConsumer(Consumer[A_contra, R_co]):
    """A consumer that awaits: a subclass implements `aconsume`, a coroutine function.

    If a subclass defines `consume` as well, whatever its base, `Flow.run()` calls that.

    >>> class Total(AsyncConsumer[int, int]):
    ...     async def aconsume(self, products):
    ...         return sum([product async for path, product in products])
    """

    _flow_awaits = True

    @abstractmethod
    async def aconsume(self, products: AsyncIterable[tuple[int, A_contra]]) -> R_co:
        """Take pairs of a path index and a product, as they come, and return the result."""

    @derived
    def consume(self, products: Iterable[tuple[int, A_contra]]) -> R_co:
        """The same, for a synchronous caller."""

        async def arriving() -> AsyncIterator[tuple[int, A_contra]]:
            for arrival in products:
                yield arrival

        with Loop() as loop:
            return loop.call(lambda: self.aconsume(arriving()))


class _Products(Resumable[tuple[int, Any]]):
    """What an asynchronous consumer is given; a task that is cancelled is given nothing more, also
    if it has kept the cancellation to itself."""

    def __init__(self, channel: AsyncIterator[tuple[int, Any]]) -> None:
        super().__init__(_given(channel), survives=True)
        self._task = asyncio.current_task()
        self._cancellations = self._task.cancelling() if self._task is not None else 0
        self._has_raised = False

    def __anext__(self) -> Any:  # a coroutine, and not one around another
        if self._task is not None and self._task.cancelling() > self._cancellations:
            if self._has_raised:
                raise StopAsyncIteration
            self._has_raised = True
            raise asyncio.CancelledError
        return super().__anext__()


async def _given(
    channel: AsyncIterator[tuple[int, Any]],
) -> AsyncGenerator[AsyncIterator[tuple[int, Any]], None]:
    yield channel


class _ChainedConsumer(Chain, Consumer[A_contra, R_co]):
    """Transformers, and the consumer behind them."""

    @property
    def input_type(self) -> Any:
        """That of the first conduit."""
        return self._flow_fact("input_type", lambda inside: inside[0].input_type)

    @derived
    def consume(self, products: Iterable[tuple[int, A_contra]]) -> R_co:
        """Take products, as those of one path each, and return the result."""
        from_start = reduce(lambda chain, one: chain >> one, self.conduits[:-1])
        outputs = from_start._flow_process([product for _, product in products])
        return cast(R_co, self.conduits[-1].consume((0, output) for output in outputs))


@printed
class Flow(Conduit, Generic[R_co]):
    """A producer and the consumer of its products: `producer >> transformer >> consumer`.

    >>> from fluxus_rx import SimpleProducer
    >>> class Total(Consumer[int, int]):
    ...     def consume(self, products):
    ...         return sum(product for path, product in products)
    >>> (SimpleProducer([1, 2]) >> Total()).run()
    3
    """

    _flow_role: ConduitRole = "flow"

    def __init__(self, producer: Producer[A], consumer: Consumer[A, R_co]) -> None:
        if isinstance(consumer, _ChainedConsumer):
            *steps, last = consumer.conduits
            producer = reduce(lambda chain, one: chain >> one, steps, cast(Any, producer))
            consumer = cast(Any, last)
        check_types(producer, consumer)
        self.producer = producer
        self.consumer = consumer._flow_behind(producer)

    @property
    def _flow_is_chained(self) -> bool:
        return True

    @property
    def _flow_is_concurrent(self) -> bool:
        return self.producer._flow_is_concurrent

    @property
    def _flow_links(self) -> tuple[Conduit, ...]:
        return (*self.producer._flow_links, self.consumer)

    @property
    def _flow_n_paths(self) -> int:
        return self.producer._flow_n_paths

    def _flow_paths(self) -> Iterator[Conduit]:
        for producer in self.producer._flow_paths():
            yield Flow(cast("Producer[Any]", producer), self.consumer)

    def describe(self) -> Part:
        """A `Series` of what its conduits say of themselves."""
        from .._graph.parts import in_series, part_of

        return in_series(map(part_of, (self.producer, self.consumer)))

    def _flow_finals(self) -> Iterator[Conduit]:
        return iter((self.consumer,))

    @property
    def _flow_exits(self) -> list[Conduit]:
        return [self.consumer]

    def _flow_firsts(self) -> Iterator[Conduit]:
        return self.producer._flow_firsts()

    @shows_options()
    def options(self, **options: Unpack[OptionKeywords]) -> Flow[R_co]:
        """A copy with these options for all steps in it that set none themselves; as that of a
        chain."""
        return Flow(self.producer._flow_with_options(options), self.consumer)

    def _flow_check_options(self, defaults: StepOptions) -> None:
        self.producer._flow_check_options(defaults)

    def run(
        self,
        *,
        options: StepOptions | None = None,
        max_failures: int | None = None,
        deadline: float | None = None,
        stop: Stopper | None = None,
        on_failure: Callable[[Failure], object] | None = None,
    ) -> R_co:
        """Run the flow, and return what the consumer returns.

        `options`, `max_failures`, `deadline` and `stop` are those of `fluxus_rx.run`; at a deadline
        the consumer gets the products that are done, and then the end. Steps with
        `on_error="collect"` need `on_failure`, a function that is called with each `Failure`.

        Works wherever `fluxus_rx.run` works, and any number of times. The first error ends the run
        and is raised as it is.

        >>> from fluxus_rx import SimpleProducer
        >>> class Total(Consumer[int, int]):
        ...     def consume(self, products):
        ...         return sum(product for path, product in products)
        >>> (SimpleProducer([1, 2]) >> Total()).run(deadline=60)
        3
        """
        settings = self._flow_settings(
            options=options,
            max_failures=max_failures,
            deadline=deadline,
            stop=stop,
            on_failure=on_failure,
            plain=True,
        )
        block = self.consumer._flow_block
        awaits = self.consumer._flow_awaits_in(settings)
        if awaits or (block is not None and block.is_async):
            with Loop() as loop:
                return loop.call(partial(self._flow_arun, settings, block))
        if block is None:
            return self._flow_run(self.consumer, settings)
        with block as mine:
            return self._flow_run(mine, settings)

    def _flow_run(self, consumer: Consumer[Any, R_co], settings: RunSettings) -> R_co:
        errors: list[BaseException] = []
        products = _watched(arrivals(lambda: self._flow_execution(settings)), errors)
        try:
            result = consumer.consume(products)
        except (StopIteration, StopAsyncIteration) as error:
            products.close()
            raise unmistakable(error, "a consumer") from error
        except BaseException as error:
            try:
                products.close()
            except BaseException as late:
                also_raised(error, late)
            self._flow_explain(error)
            raise
        products.close()
        _check_result(self.consumer, result)
        if errors:  # the consumer has caught it; that makes it no success
            raise errors[0]
        return result

    async def arun(
        self,
        *,
        options: StepOptions | None = None,
        max_failures: int | None = None,
        deadline: float | None = None,
        stop: Stopper | None = None,
        on_failure: Callable[[Failure], object] | None = None,
    ) -> R_co:
        """The same as `run`, on the running loop."""
        settings = self._flow_settings(
            options=options,
            max_failures=max_failures,
            deadline=deadline,
            stop=stop,
            on_failure=on_failure,
        )
        return await self._flow_arun(settings, self.consumer._flow_block)

    def _flow_settings(self, **asked: Any) -> RunSettings:
        settings = RunSettings.of(**asked)
        self.producer._flow_check_settings(settings)
        return settings

    async def _flow_arun(
        self, settings: RunSettings, block: ConduitBlock[Consumer[Any, R_co]] | None
    ) -> R_co:
        consumer = self.consumer
        if block is None or not (block.is_async or consumer._flow_awaits_in(settings)):
            return await self._flow_consumed_by(consumer, block, settings)
        # Around all of the run, as it is in `run`, so that it is told how that has ended. A plain
        # block is one of the thread that the consumer runs in.
        async with block as mine:
            return await self._flow_consumed_by(mine, None, settings)

    async def _flow_consumed_by(
        self,
        consumer: Consumer[Any, R_co],
        block: ConduitBlock[Consumer[Any, R_co]] | None,
        settings: RunSettings,
    ) -> R_co:
        execution = self._flow_execution(settings)
        async with execution as channel:
            consuming = consumer._flow_aconsume(channel, block, settings)
            try:
                result = await execution.scope.within(consuming)
            except StopAsyncIteration as error:
                raise unmistakable(error, "a consumer") from error
            except Exception as error:
                self._flow_explain(error)
                raise
        return result

    def _flow_execution(self, settings: RunSettings) -> Execution:
        in_order = settings.in_order(self.producer._flow_is_ordered)
        return Execution(self.producer._flow_observables(), in_order)

    def _flow_explain(self, error: BaseException) -> None:
        if isinstance(error, Exception) and not notes_of(error):
            note(error, f"in {self.consumer.name}, or in what it was fed by: {short(self)}")
        note_loop_error(error)

    def __repr__(self) -> str:
        return f"{self.producer!r} >> {self.consumer!r}"


def _watched(products: Iterable[T], errors: list[BaseException]) -> Generator[T, None, None]:
    """The products; an error that comes instead of one is kept as well."""
    try:
        yield from products
    except GeneratorExit:
        raise
    except BaseException as error:
        errors.append(error)
        raise


def _check_result(consumer: Conduit, result: object) -> None:
    """Refuse the result of a `consume` that isn't a plain method."""
    if inspect.iscoroutine(result):
        result.close()
    elif not inspect.isasyncgen(result):
        return
    raise InvalidProductError(
        f"{consumer.name}.consume() returned {shown(result)}; to await in it, make the class an"
        " AsyncConsumer, and the method `async def aconsume`"
    )
