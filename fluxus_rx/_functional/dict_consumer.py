"""A consumer that collects the outputs of a flow of steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from .._conduits.consumer import Consumer
from .._conduits.producer import Producer
from .._products.dict_product import DictProduct
from .._products.factory import from_foreign
from .._results.rows import PathOutputs
from .._results.run_result import RunResult

__all__ = ["DictConsumer"]


class DictConsumer(Consumer[Mapping[str, Any], RunResult]):
    """Ends a flow of steps, and returns its outputs as `run` does.

    A subclass overrides `consume`, to look at products as they come or at the result in the end.
    The result has neither failures nor times: those are of `run`.

    Raises TypeError for products that aren't mappings.

    >>> from fluxus_rx import step
    >>> class Logged(DictConsumer):
    ...     def consume(self, products):
    ...         result = super().consume(products)
    ...         print(len(result[0]), "outputs")
    ...         return result
    >>> (step("src", [{"x": 1}, {"x": 2}]) >> Logged()).run()
    2 outputs
    RunResult([{'src': {'x': 1}}, {'src': {'x': 2}}])
    """

    #: the paths of the flow, also those without outputs
    _flow_n_inputs = 0

    def consume(self, products: Iterable[tuple[int, Mapping[str, Any]]]) -> RunResult:
        """The outputs of all paths, each path in the order of a plain loop."""
        paths: list[list[DictProduct]] = [[] for _ in range(self._flow_n_inputs)]
        for path, item in products:
            paths += [[] for _ in range(path + 1 - len(paths))]
            outputs = paths[path]
            if not isinstance(item, DictProduct):
                recipient = f"{self.name} was given"
                item = from_foreign(item, len(outputs), owner=None, recipient=recipient)
            outputs.append(item)
        return RunResult.of_paths([PathOutputs.of_products(outputs) for outputs in paths])

    def _flow_behind(self, producer: Producer[Any]) -> Self:
        placed = self._flow_copy()
        object.__setattr__(placed, "_flow_n_inputs", producer._flow_n_paths)
        return placed


# Users see, pickle and report what they import, not where it is written.
DictConsumer.__module__ = "fluxus_rx"
