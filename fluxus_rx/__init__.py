"""Reactive flows: producers, transformers and consumers, chained with `>>`, in parallel with `&`.

>>> from fluxus_rx import run, step
>>> run(step("src", [{"x": 1}, {"x": 2}]) >> step("double", lambda x: {"x": 2 * x}))[0]
[{'src': {'x': 1}, 'double': {'x': 2}}, {'src': {'x': 2}, 'double': {'x': 4}}]
"""

# The map, from the bottom up; nothing imports from what stands below it here, and folders on one
# line do not know each other:
#
# _errors, _typing                  the errors, by whose fault it is; type variables, protocols
# _common                           messages, names, texts, signatures, item types
# _graph, _loops, _streams          a flow as data; event loops; asynchronous streams, on aiostream
# _monitoring, _options             the numbers of a run; what can be set on a step
# _products, _rx, viz               what travels; streams and observables joined; drawings
# _check, _engine, _results         what is known before a run; steps as stages; results of a run
# _conduits                         producers, transformers, consumers, chains and groups
# _components                       conduits that are ready to be used: data, observables, operators
# _functional, _reactive_streams    steps on dictionaries; flows as publishers and subscribers
# _run                              run, stream, start, rerun
# _command, compat, functional, graph, lineage, reactive_streams, rx, simple, streams, testing
#                                   what users import from; fluxus on it; help for their tests; the
#                                   command

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ._components.from_observable import from_observable
from ._components.pipes import rx_pipe, stream_pipe
from ._components.simple_producer import SimpleAsyncProducer, SimpleProducer
from ._conduits.conduit import Conduit
from ._conduits.consumer import AsyncConsumer, Consumer, Flow
from ._conduits.producer import AsyncProducer, Producer, SharedFlow
from ._conduits.transformer import AsyncTransformer, Passthrough, Transformer
from ._errors import (
    BufferOverflowError,
    FailureLimitError,
    FlowError,
    InvalidAttributeError,
    InvalidFlowError,
    InvalidNameError,
    InvalidOptionError,
    InvalidProductError,
    MissingAttributeError,
    ObservableError,
    RecordedError,
    UsageError,
)
from ._functional.builders import passthrough, path, route, step, where
from ._functional.combining import chain, parallel
from ._functional.source_step import SourceStep
from ._functional.step import Step
from ._monitoring.progress import Progress, StepProgress
from ._monitoring.summary import StepSummary, Summary
from ._options.failure import Failure
from ._options.pending import Pending
from ._options.step_options import OptionKeywords, StepOptions
from ._products.dict_product import DictProduct
from ._results.failures import Failures
from ._results.run_result import RunResult
from ._run.run import arun, astream, run, stream
from ._rx.stopper import Stopper

if TYPE_CHECKING:
    from ._check.check import Finding, check
    from ._functional.dict_consumer import DictConsumer
    from ._functional.wrapper import Wrapper
    from ._monitoring.stats import Explanation, RunStats, StepStats
    from ._options.process_pool import close_processes
    from ._run.handle import Run, start
    from ._run.rerun import arerun, rerun

__all__ = [
    "AsyncConsumer",
    "AsyncProducer",
    "AsyncTransformer",
    "BufferOverflowError",
    "Conduit",
    "Consumer",
    "DictConsumer",
    "DictProduct",
    "Explanation",
    "Failure",
    "FailureLimitError",
    "Failures",
    "Finding",
    "Flow",
    "FlowError",
    "InvalidAttributeError",
    "InvalidFlowError",
    "InvalidNameError",
    "InvalidOptionError",
    "InvalidProductError",
    "MissingAttributeError",
    "ObservableError",
    "OptionKeywords",
    "Passthrough",
    "Pending",
    "Producer",
    "Progress",
    "RecordedError",
    "Run",
    "RunResult",
    "RunStats",
    "SharedFlow",
    "SimpleAsyncProducer",
    "SimpleProducer",
    "SourceStep",
    "Step",
    "StepOptions",
    "StepProgress",
    "StepStats",
    "StepSummary",
    "Stopper",
    "Summary",
    "Transformer",
    "UsageError",
    "Wrapper",
    "arerun",
    "arun",
    "astream",
    "chain",
    "check",
    "close_processes",
    "from_observable",
    "parallel",
    "passthrough",
    "path",
    "rerun",
    "route",
    "run",
    "rx_pipe",
    "start",
    "step",
    "stream",
    "stream_pipe",
    "where",
]

#: What `run` and `stream` don't need, and where it is: imported when it is asked for, as it takes a
#: tenth of the import of the library (benchmark "startup, import").
_ON_USE: Final = {
    "DictConsumer": "_functional.dict_consumer",
    "Explanation": "_monitoring.stats",
    "Finding": "_check.check",
    "Run": "_run.handle",
    "RunStats": "_monitoring.stats",
    "StepStats": "_monitoring.stats",
    "Wrapper": "_functional.wrapper",
    "arerun": "_run.rerun",
    "check": "_check.check",
    "close_processes": "_options.process_pool",
    "rerun": "_run.rerun",
    "start": "_run.handle",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_ON_USE[name]}")
    # All of it: the type hints of one name are looked up among the others here.
    names = [one for one, place in _ON_USE.items() if place == _ON_USE[name]]
    globals().update({one: getattr(module, one) for one in names})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Users see, pickle and report what they import, not where it is written.
for _public in [globals()[name] for name in __all__ if name not in _ON_USE]:
    _public.__module__ = __name__
