"""The failures of a run, as a sequence and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from .._common.messages import shown
from .._errors import InvalidFlowError
from .._options.failure import Failure
from .._products.dict_product import DictProduct
from .data_frame import data_frame
from .rows import Rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Failures", "final_failures", "sort_key", "sorted_failures"]


class Failures(Sequence[Failure]):
    """The calls that failed for good in a run that went on, in the order of the flow.

    Sorted by the position of what they were called with, as outputs are, so that the same failures
    come in the same order in every run. Give them to `rerun` to make the calls again.

    >>> from fluxus_rx import run, step
    >>> inverse = step("inverse", lambda x: {"y": 1 / x}).options(on_error="collect")
    >>> result = run(step("src", [{"x": 0}, {"x": 1}]) >> inverse)
    >>> [(failure.step, failure.lineage) for failure in result.failures]
    [('inverse', {'src': {'x': 0}})]
    """

    def __init__(self, failures: Iterable[Failure] = (), elapsed: float = 0.0) -> None:
        self._failures = [*failures]
        for failure in self._failures:
            if not isinstance(failure, Failure):
                raise InvalidFlowError(f"Failures() takes Failure objects, not {shown(failure)}")
        #: seconds of the run that they are of, after which a run of them goes on
        self._elapsed = max([elapsed, *(failure._elapsed for failure in self._failures)])

    @overload
    def __getitem__(self, index: int) -> Failure: ...
    @overload
    def __getitem__(self, index: slice) -> Failures: ...
    def __getitem__(self, index: int | slice) -> Failure | Failures:
        if isinstance(index, slice):
            return Failures(self._failures[index], self._elapsed)
        return self._failures[index]

    def __len__(self) -> int:
        return len(self._failures)

    def __repr__(self) -> str:
        return f"Failures({self._failures!r})"

    def to_frame(self, simplify: bool = False) -> pd.DataFrame:
        """The failures as a pandas data frame, one row each; needs the extra `frame`.

        Columns have two levels: those of the lineage, step and attribute, as in
        `RunResult.to_frame`, then under `[failure]` the step, the path, the number of attempts, the
        type of the exception, and its text. No failures give an empty frame.

        Raises ImportError without pandas.

        >>> Failures().to_frame().empty
        True
        """
        return data_frame(Rows({0: [_failure_row(failure) for failure in self]}), False, simplify)


def _failure_row(failure: Failure) -> dict[str, dict[str, Any]]:
    product = failure.product
    lineage = product.nested() if isinstance(product, DictProduct) else {"input": {"item": product}}
    told = {
        "step": failure.step,
        "path": failure.path,
        "attempts": failure.attempts,
        "error": type(failure.exception).__name__,
        "text": str(failure.exception),
    }
    return {**lineage, "[failure]": told}


def sorted_failures(failures: Iterable[Failure]) -> list[Failure]:
    """The failures, sorted by the position of what they were called with."""
    return sorted(failures, key=sort_key)


def final_failures(failures: Iterable[Failure], elapsed: float) -> Failures:
    """The failures of a run that is over, in order."""
    found = Failures(sorted_failures(failures), elapsed)
    for failure in found:  # each by itself, too: they may go on in a list
        object.__setattr__(failure, "_elapsed", elapsed)
    return found


def sort_key(failure: Failure) -> tuple[Any, ...]:
    """Where a call has failed: the position of what it was called with, and the step."""
    product = failure.product
    positions = tuple(product.positions()) if isinstance(product, DictProduct) else ()
    return positions, failure.path, failure._place
