"""A run as it was asked for, checked before it begins."""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any, Final

from reactivex import Observable

from .._common.item_types import fits, type_name
from .._common.messages import shown
from .._conduits.consumer import Consumer, Flow
from .._conduits.producer import Producer
from .._conduits.run_settings import settings_for
from .._conduits.transformer import Passthrough, Transformer
from .._engine.execution import Execution
from .._errors import FailureLimitError, InvalidFlowError
from .._functional.source_step import SourceStep
from .._monitoring.meter import Meter
from .._monitoring.reporting import Follow, check_progress, reporting
from .._options.failure import Failure
from .._options.step_options import StepOptions
from .._products.dict_product import DictProduct
from .._products.factory import from_foreign
from .._results.failures import final_failures
from .._results.run_result import RunResult

__all__ = ["Input", "RunRequest"]

Input = (
    Mapping[str, Any]
    | Iterable[Mapping[str, Any]]
    | AsyncIterable[Mapping[str, Any]]
    | Observable[Any]
)


class RunRequest:
    """A run, as it was asked for; what can be refused before it begins is refused here."""

    def __init__(
        self,
        flow: Any,
        given: Any = None,
        timestamps: bool = False,
        progress: Follow = False,
        options: StepOptions | None = None,
        max_failures: int | None = None,
        on_failure: Callable[[Failure], object] | None = None,
        *,
        metered: bool = False,
        streamed: bool = False,
        who: str = "run()",
    ) -> None:
        self._who = who
        self.producer = _checked_producer(who, flow, given)
        check_progress(progress)
        self.progress = progress
        metered = metered or timestamps or not (progress is None or progress is False)
        self.meter = Meter(journal=timestamps) if metered else None
        self._failures: list[Failure] = []
        keep = on_failure if streamed else self._failures.append
        self.settings = settings_for(self.producer, options, max_failures, keep)
        self.settings.meter = self.meter
        #: what the flow has been compiled to, if it has been
        self.paths: Sequence[Observable[Any]] = ()
        self._results: list[list[Any]] = []

    def execution(self, receivers: bool, beside: Beside | None = None) -> Execution:
        """The paths of the flow, not open yet; with receivers, they are collected. On the loop that
        the run goes by."""
        if self.meter is not None:
            self.meter.enter()
        self.paths = paths = self.paths or self.producer.observables()
        self._results = [[] for _ in paths] if receivers else []
        return Execution(
            *(paths, self.settings),
            receivers=[result.append for result in self._results] if receivers else None,
            beside=beside,
        )

    async def collected(self, execution: Callable[[Execution], object] = id) -> RunResult:
        """Run to the end; `opened` is told of the run when it is open."""
        with reporting(self.progress, self.meter) as beside:
            running = self.execution(True, beside)
            try:
                async with running as channel:
                    execution(running)
                    await channel.filled()
            except FailureLimitError as error:
                # Not one that came out of a run inside of a step.
                if (
                    self.settings.failures is not None
                    and error.failures is self.settings.failures.all
                ):
                    error.failures = final_failures(self.settings.failures.all, self.elapsed)
                    error.result = self.result()
                raise
            return self.result()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, in one that counts."""
        return 0.0 if self.meter is None else self.meter.elapsed

    def result(self) -> RunResult:
        """What has been collected by now."""
        paths = []
        for number, path in enumerate(self._results):
            if not all(isinstance(item, DictProduct) for item in path):
                path = [self.taken(number, item, index) for index, item in enumerate(path)]
            paths.append(path)
        return RunResult.of_products(paths, self.meter, self._failures)

    def taken(self, path: int, item: Any, index: int) -> DictProduct:
        """The product of what a path has given; refuses what is none."""
        kind = getattr(self.paths[path], "kind", ())
        said = f"{self._who} takes products of steps{_INSTEAD}, but got"
        return from_foreign(item, index, None, said, *kind)


#: What runs beside a run.
Beside = Callable[[], Coroutine[Any, Any, None]]


_INSTEAD: Final = (
    " (of a flow of other products, iterate over the flow, or end it with a consumer and call its"
    " own run())"
)


def _checked_producer(who: str, flow: Any, given: Any) -> Producer[Any]:
    producer = _with_input(who, flow, given)
    # Before the run, where it can be known: its calls may be slow, and paid for.
    for final in producer.get_final_conduits():
        kind = getattr(final, "product_type", Any)
        if not (fits(kind, Mapping) or fits(Mapping, kind)):
            raise InvalidFlowError(
                f"{who} takes products of steps{_INSTEAD}, but {final.name} gives {type_name(kind)}"
            )
    return producer


def _with_input(who: str, flow: Any, given: Any) -> Producer[Any]:
    if isinstance(flow, Producer):
        if given is not None:
            first = next(flow._flow_firsts())
            raise InvalidFlowError(
                f"{who} got input=, but the flow begins with the producer {first.name!r}; leave out"
                " one of the two"
            )
        return flow
    if isinstance(flow, Transformer):
        return _input_step(who, given) >> flow
    raise _no_flow(who, flow)


def _input_step(who: str, given: Any) -> Producer[Any]:
    if given is None:
        return SourceStep("input", {}, False)
    if isinstance(given, str | bytes) or not isinstance(
        given, Mapping | Iterable | AsyncIterable | Observable
    ):
        raise InvalidFlowError(
            f"{who}: input must be a mapping or an iterable of mappings, not {shown(given)}"
        )
    return SourceStep("input", given, False)


def _no_flow(who: str, flow: Any) -> InvalidFlowError:
    if isinstance(flow, Passthrough):
        return InvalidFlowError(f"{who} needs a flow; a passthrough alone does nothing")
    if isinstance(flow, Flow | Consumer):
        return InvalidFlowError(
            f"{who} takes the outputs itself, but {flow!r} ends with a consumer; call its own"
            " run(), or leave out the consumer"
        )
    if isinstance(flow, tuple) and len(flow) == 1:
        return InvalidFlowError(
            f"{who} takes one flow, but got a tuple of 1: is there a stray comma before the closing"
            " bracket?"
        )
    if isinstance(flow, Collection) and not isinstance(flow, str | bytes | Mapping):
        kind = type(flow).__name__
        return InvalidFlowError(
            f"{who} takes one flow, but got a {kind} of {len(flow)} steps; did you mean"
            f" {who[:-1]}chain(*steps))?"
        )
    return InvalidFlowError(f"{who} needs a flow made of steps, not {shown(flow)}")
