"""A run as it was asked for, checked before it begins."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import (
    AsyncIterable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from typing import Any, Final, TypedDict, Unpack, cast

from reactivex import Observable

from .._common.item_types import fits, type_name
from .._common.messages import also_raised, shown
from .._common.signatures import function_name, is_async_function
from .._common.single_values import is_text
from .._common.text import counted
from .._common.trail import Trail
from .._conduits.conduit import role_of
from .._conduits.producer import Producer
from .._conduits.transformer import Transformer
from .._engine.execution import Execution
from .._engine.observable import flow_observable
from .._errors import (
    FailureLimitError,
    FlowError,
    InvalidFlowError,
    InvalidOptionError,
    MissingAttributeError,
)
from .._functional.source_step import SourceStep
from .._graph.mistakes import check_no_frame, holds_conduits, meant_by
from .._monitoring.reporting import Follow, reporting
from .._options.failure import Failure
from .._options.step_options import StepOptions
from .._products.collector import Collector
from .._products.dict_product import DictProduct
from .._products.factory import from_foreign
from .._products.ownership import detached
from .._results.failures import sorted_failures
from .._results.path_names import PathNames
from .._results.rows import Output, PathOutputs
from .._results.run_result import RunResult
from .._rx.run_settings import RunKeywords, RunSettings
from .._rx.stopper import Stopper

__all__ = [
    "Beside",
    "CollectKeywords",
    "CollectedRun",
    "Input",
    "PartialReceiver",
    "RunRequest",
    "StartKeywords",
    "StreamKeywords",
]

Input = (
    Mapping[str, Any]
    | Iterable[Mapping[str, Any]]
    | AsyncIterable[Mapping[str, Any]]
    | Observable[Any]
)


#: what takes the result by then of a run that ends by an error
PartialReceiver = list[RunResult] | Callable[[RunResult], object] | None


#: what runs beside a run, as a part of it
Beside = Callable[[], Coroutine[Any, Any, None]]


# What checkers read of the functions that run a flow.


class _Keywords(TypedDict, total=False):
    input: Input | None
    progress: Follow
    options: StepOptions | None
    max_failures: int | None
    deadline: float | None
    stop: Stopper | None


class StreamKeywords(_Keywords, total=False):
    """The keywords of `stream` and `astream`."""

    on_failure: Callable[[Failure], object] | None


class StartKeywords(_Keywords, total=False):
    """The keywords of `start`."""

    timestamps: bool


class CollectKeywords(StartKeywords, total=False):
    """The keywords of `run` and `arun`."""

    partial: PartialReceiver


class RunRequest:
    """A run as it was asked for; it refuses bad arguments before the run begins.

    `who` is the function that was called, for messages; `input`, `on_failure` and `settings` are
    what it was called with.
    """

    def __init__(
        self,
        flow: Any,
        *,
        who: str,
        steps: Any = None,
        input: Input | None = None,
        on_failure: Callable[[Failure], object] | None = None,
        **settings: Unpack[RunKeywords],
    ) -> None:
        self._who = who
        self.producer = _checked_producer(who, _flow_given(who, flow, steps), input)
        self.settings = RunSettings.of(on_failure=on_failure, **settings)
        self.producer._flow_check_settings(self.settings)
        #: what the flow has been compiled to, if it has been
        self._paths: Sequence[Observable[Any]] = ()
        #: those whose products others have as well
        self._shared: frozenset[int] = frozenset()

    def replay(
        self, paths: Sequence[Observable[Any]], products: Mapping[Trail, Sequence[DictProduct]]
    ) -> None:
        """Run these paths, which the flow has been compiled to, and pass their steps these products
        in place of those of the sources."""
        self._paths = paths
        self.settings = dataclasses.replace(self.settings, replay=products)

    def reporting(self) -> AbstractContextManager[Beside | None]:
        """A block that tells of the progress of the run in it; yields what has to run beside it."""
        return reporting(self.settings.progress, self.settings.meter)

    def begin(self) -> Sequence[Observable[Any]]:
        """The paths of the flow; the run begins now, on the loop that is running."""
        if self.settings.meter is not None:
            self.settings.meter.enter()
        self._paths = self._paths or self.producer._flow_observables()
        found = enumerate(map(flow_observable, self._paths))
        self._shared = frozenset(index for index, path in found if path.is_shared)
        return self._paths

    def execution(self, beside: Beside | None = None) -> Execution:
        """The run itself, not open yet; its products are for the code that opens it."""
        settings = self.settings.in_order(self.producer._flow_is_ordered)
        return Execution(self.begin(), settings, beside=beside)

    def output_of(self, item: Any, *, path: int, index: int) -> Output:
        """The output that an item is which a path has emitted; refuses anything else."""
        product = item
        if not isinstance(item, DictProduct):
            product = self.product_of(item, path=path, index=index)
        elif path in self._shared:
            product = detached(item)
        nested: Output = product.nested()
        return nested

    def product_of(self, item: Any, *, path: int, index: int) -> DictProduct:
        """The product of an item that a path has emitted; refuses anything else."""
        foreign = flow_observable(self._paths[path]).foreign_items
        return from_foreign(
            item,
            position=index,
            owner=None,
            recipient=f"{self._who} takes products of steps{_INSTEAD}, but got",
            label=foreign.label,
            depth=foreign.depth,
        )


class CollectedRun(RunRequest):
    """A run whose outputs and failures are collected for a `RunResult`.

    It runs inside of a block of its own. If the block ends by an error, whatever that is, `partial`
    gets what there is by then, and so does the error if it is one of the library.
    """

    def __init__(
        self,
        flow: Any,
        *,
        who: str = "run()",
        steps: Any = None,
        input: Input | None = None,
        partial: PartialReceiver = None,
        **settings: Unpack[RunKeywords],
    ) -> None:
        self._failures: list[Failure] = []
        super().__init__(
            flow,
            who=who,
            steps=steps,
            input=input,
            on_failure=self._failures.append,
            **settings,
        )
        self._take_partial = _partial_function(partial)
        self._execution: Execution | None = None
        #: whether it has come to its end, and its sources to theirs
        self._is_complete = False
        #: when it ended by an error, in seconds since it began: all that tells of it tells the same
        self._ended: float | None = None
        #: what each path has emitted so far
        self._collectors = [Collector() for _ in range(self.producer._flow_n_paths)]
        #: how many of each path were passed on, and are not collected
        self._handed_on = [0] * len(self._collectors)

    def execution(self, beside: Beside | None = None) -> Execution:
        """The run itself, not open yet; its products are collected here."""
        paths = self.begin()
        self._collectors = self._new_collectors(len(paths))
        self._execution = Execution(
            paths,
            self.settings,
            collectors=self._collectors,
            beside=beside,
            keeps=True,
        )
        return self._execution

    def _new_collectors(self, count: int) -> list[Collector]:
        return [Collector(is_shared=index in self._shared) for index in range(count)]

    async def result(self, on_open: Callable[[Execution], object] | None = None) -> RunResult:
        """Run to the end; `on_open` is called with the run when it is open."""
        with self.reporting() as beside:
            execution = self.execution(beside)
            async with execution:
                if on_open is not None:
                    on_open(execution)
                await execution.wait_for_end()
            self._is_complete = execution.is_complete
            return self._collected()

    def __enter__(self) -> CollectedRun:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        self._ended = self._elapsed
        if isinstance(error, FlowError):
            self._complete(error)
        if self._take_partial is not None:
            try:
                self._take_partial(self.partial())
            except Exception as late:
                also_raised(error, late)

    def _complete(self, error: FlowError) -> None:
        log = self.settings.failures
        if isinstance(error, FailureLimitError) and log is not None and log.has_raised(error):
            elapsed = self._elapsed
            # Those that are in the result as well are the same objects there.
            ended = {failure: failure._flow_of_run(elapsed) for failure in log.all}
            self._failures = [ended[failure] for failure in self._failures]
            error._flow_complete_failures(sorted_failures(ended.values(), elapsed))
        error._flow_complete(self.partial())

    @property
    def _elapsed(self) -> float:
        """Seconds since the run began, until it ended; 0 where nobody counts them."""
        if self._ended is not None:
            return self._ended
        return 0.0 if self.settings.meter is None else self.settings.meter.elapsed

    def partial(self) -> RunResult:
        """What there is by now, without what isn't a product: the error of the run tells of
        that."""
        return self._collected(FlowError)

    def _collected(self, *refused: type[Exception]) -> RunResult:
        """What there is by now; items that raise a `refused` error are left out."""
        return RunResult.of_paths(
            self._outputs(refused),
            self.settings.meter,
            self._failures,
            elapsed=self._elapsed,
            pending=() if self._execution is None else self._execution.pending,
            is_cut=not self._is_complete,
            names=PathNames([getattr(path, "trail", None) for path in self._paths])
            if self._paths
            else None,
        )

    def _outputs(self, refused: tuple[type[Exception], ...]) -> list[PathOutputs]:
        return [
            PathOutputs.of_products([*self._products_of(path, one.arrived(), refused)])
            if one.items
            else PathOutputs.of_rows(one.rows, one.positions)
            for path, one in enumerate(self._arrived())
        ]

    def _arrived(self) -> Sequence[Collector]:
        """What each path has emitted, but for what was passed on."""
        return self._collectors

    def _products_of(
        self, path: int, items: list[Any], refused: tuple[type[Exception], ...]
    ) -> Iterator[DictProduct]:
        if all(isinstance(item, DictProduct) for item in items):
            yield from items
            return
        for index, item in enumerate(items, self._handed_on[path]):
            with contextlib.suppress(*refused):
                yield self.product_of(item, path=path, index=index)


def _partial_function(receiver: PartialReceiver) -> Callable[[RunResult], object] | None:
    """What to call with a partial result."""
    if receiver is None:
        return None
    if isinstance(receiver, list):
        return receiver.append
    if not callable(receiver) or is_async_function(receiver):
        raise InvalidOptionError(
            f"partial={shown(receiver)}: expected a list, or a plain function of a RunResult, which"
            " gets what there is by then if the run ends by an error"
        )
    return receiver


_INSTEAD: Final = (
    " (of a flow of other products, iterate over the flow, or end it with a consumer and call its"
    " own run())"
)


def _flow_given(who: str, flow: Any, steps: Any) -> Any:
    """The flow, under whichever of its two names it was given."""
    if flow is None and steps is None:
        call = who.removesuffix(")")
        raise InvalidFlowError(
            f"{who} needs a flow made of steps, not None: {call}flow), or {call}steps=flow)"
        )
    if steps is None:
        return flow
    if flow is not None:
        raise InvalidFlowError(
            f"{who} got {shown(flow)} and steps={shown(steps)}, which is another name for the flow;"
            " leave out one of the two"
        )
    return steps


def _checked_producer(who: str, flow: Any, given: Any) -> Producer[Any]:
    producer = _with_input(who, flow, given)
    # Before the run, where it can be known: its calls may be slow, and paid for.
    for final in producer._flow_finals():
        kind = getattr(final, "product_type", Any)
        if not (fits(kind, Mapping) or fits(Mapping, kind)):
            raise InvalidFlowError(
                f"{who} takes products of steps{_INSTEAD}, but {final.name} emits {type_name(kind)}"
            )
    return producer


def _with_input(who: str, flow: Any, given: Any) -> Producer[Any]:
    role = role_of(flow)
    if role == "producer":
        if given is not None:
            first = next(flow._flow_firsts())
            raise InvalidFlowError(
                f"{who} got input=, but the flow begins with the producer {first.name!r}; leave out"
                " one of the two"
            )
        return cast(Producer[Any], flow)
    if role == "transformer":
        if given is None:
            _check_no_input_needed(who, flow)
        return _input_step(who, given) >> cast(Transformer[Any, Any], flow)
    raise _no_flow(who, flow)


def _check_no_input_needed(who: str, flow: Any) -> None:
    for first in flow._flow_firsts():
        if needs := first._flow_needs:
            attributes = ", ".join(f"{name!r}: …" for name in needs)
            raise MissingAttributeError(
                f"{who} got no input, and the flow begins with {first._flow_label}, which needs"
                f" {', '.join(map(repr, needs))}: {who[:-1]}flow, input={{{attributes}}}), or an"
                " iterable of such mappings; or begin the flow with a producer"
            )


def _input_step(who: str, given: Any) -> Producer[Any]:
    if given is None:
        return SourceStep._flow_of("input", {}, False)
    if is_text(given) or not isinstance(given, Mapping | Iterable | AsyncIterable | Observable):
        hint = f"; call it: input={function_name(given)}()" if callable(given) else ""
        raise InvalidFlowError(
            f"{who}: input must be a mapping or an iterable of mappings, not {shown(given)}{hint}"
        )
    check_no_frame(f"{who}: input", given)
    return SourceStep._flow_of("input", given, False)


def _no_flow(who: str, flow: Any) -> InvalidFlowError:
    if role_of(flow) == "passthrough":
        return InvalidFlowError(f"{who} needs a flow; a passthrough alone does nothing")
    if role_of(flow) in ("flow", "consumer"):
        return InvalidFlowError(
            f"{who} takes the outputs itself, but {flow!r} ends with a consumer; call its own"
            " run(), or leave out the consumer"
        )
    if isinstance(flow, tuple) and len(flow) == 1:
        return InvalidFlowError(
            f"{who} takes one flow, but got a tuple of 1: is there a stray comma before the closing"
            " bracket?"
        )
    if holds_conduits(flow):
        kind = type(flow).__name__
        return InvalidFlowError(
            f"{who} takes one flow, but got a {kind} of {counted(len(flow), 'step')}; did you mean"
            f" {who[:-1]}chain(*steps))?"
        )
    return InvalidFlowError(f"{who} needs a flow made of steps, not {shown(flow)}{meant_by(flow)}")
