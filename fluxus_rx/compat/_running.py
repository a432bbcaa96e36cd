"""How programs of fluxus run flows: with products that have times, in fluxus's order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from .._conduits.producer import Producer
from .._engine.execution import Execution
from .._loops.event_loop import Loop
from .._monitoring.calls import ItemNumber, Record, RunTimes
from .._monitoring.gauge import Gauge
from .._monitoring.meter import Meter, Recorder
from .._products.dict_product import DictProduct
from .._results.run_result import RunResult
from .._run.request import CollectedRun
from .._rx.run_settings import RunSettings
from ._products import in_run_time, viewed

__all__ = ["execution", "run_collected"]


class _Unkept(list[Record]):
    """Takes records, and keeps none."""

    def append(self, record: Record) -> None:
        """Forget it."""


class _ProductTimes(Meter):
    """Sets the times of products, and keeps no record of calls, whose number has no bound."""

    def __init__(self) -> None:
        super().__init__(journal=True)
        self.records = _Unkept()

    def recorder(self, gauge: Gauge, locate: Callable[[Any], ItemNumber] | None = None) -> Recorder:
        """None: nothing is kept."""
        return None

    def times(self, elapsed: float) -> RunTimes:
        """None were kept."""
        return RunTimes(untimed=True)


def _with_times(settings: RunSettings) -> RunSettings:
    """The same for a run whose products have times, whatever else is counted."""
    if settings.meter is not None:
        return settings
    return dataclasses.replace(settings, meter=_ProductTimes())


def execution(producer: Producer[Any], settings: RunSettings, *, ordered: bool) -> Execution:
    """A run of a flow whose products somebody looks at; `ordered` yields path after path."""
    settings = _with_times(settings)
    assert settings.meter is not None
    settings.meter.enter()
    paths = [viewed(path) for path in producer._flow_observables()]
    return Execution(paths, dataclasses.replace(settings, ordered=ordered))


class _CollectedRun(CollectedRun):
    """A run whose steps may be classes that look at the times of products."""

    def __init__(self, flow: Any, *, timestamps: bool, **settings: Any) -> None:
        super().__init__(flow, timestamps=timestamps, **settings)
        self._timestamps = timestamps
        steps = _atomic_conduits(self.producer)
        self._is_looked_at = any(hasattr(one, "_flow_looks_at_times") for one in steps)
        if self._is_looked_at:
            self.settings = _with_times(self.settings)

    def _products_of(
        self, path: int, items: list[Any], refused: tuple[type[Exception], ...]
    ) -> Iterator[DictProduct]:
        products = super()._products_of(path, items, refused)
        if not (self._timestamps or self._is_looked_at):
            return products
        meter = self.settings.meter
        began = meter.started if meter is not None and self._timestamps else None
        return (in_run_time(product, began) for product in products)


def _atomic_conduits(flow: Any) -> Iterator[Any]:
    inside = [flow]
    while inside:
        one = inside.pop()
        if hasattr(one, "_flow_facts"):  # it is made of others
            inside += one.conduits
        else:
            yield one


def run_collected(flow: Any, **settings: Any) -> RunResult:
    """Run a flow of steps to its end, as `fluxus_rx.run` does."""
    with _CollectedRun(flow, **settings) as request, Loop() as loop:
        return loop.call(request.result)
