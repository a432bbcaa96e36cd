"""Calls that have failed, where a run goes on all the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from .._common.messages import short
from .._common.secrets import masked_text
from .._errors import FailureLimitError

__all__ = ["Failure", "FailureLog"]


@dataclasses.dataclass(frozen=True, eq=False)
class Failure:
    """A call that has failed for good, after all its attempts.

    - `step`: the name of the step; `path`: the names of the steps on the way to it, and its own
    - `product`: what it was called with, with its whole lineage
    - `exception`: the error of the last attempt, with notes that tell where it came up
    - `attempts`: how many there were

    It can be pickled if its product and its exception can, and replayed with `rerun`.

    >>> print(Failure("fetch", "src → fetch", {"x": 1}, ValueError("no"), 3))
    fetch failed after 3 attempts with ValueError('no'), given {'x': 1}
    """

    step: str
    path: str
    product: Any
    exception: Exception
    attempts: int
    #: which of the places with this path it was, for flows in which several have the same one
    _place: int = dataclasses.field(default=0, repr=False)
    #: seconds of the run that it was in, once that is over; after these a run of it goes on
    _elapsed: float = dataclasses.field(default=0.0, repr=False)

    @property
    def lineage(self) -> Any:
        """The product as a result shows it: the attributes by step; one of an own type as it is.

        >>> Failure("fetch", "src → fetch", 5, ValueError("no"), 1).lineage
        5
        """
        nested = getattr(self.product, "nested", None)
        return self.product if nested is None else nested()

    def _flow_of_run(self, elapsed: float) -> Failure:
        """This failure, of a run that has taken so many seconds; itself, if it knows that."""
        if self._elapsed or not elapsed:
            return self
        return dataclasses.replace(self, _elapsed=elapsed)

    def __repr__(self) -> str:
        names = [field.name for field in dataclasses.fields(self) if field.repr]
        said = [f"{name}={masked_text(repr(getattr(self, name)))}" for name in names]
        return f"Failure({', '.join(said)})"

    def __str__(self) -> str:
        times = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        given = dict(self.product) if isinstance(self.product, Mapping) else self.product
        return f"{self.step} failed{times} with {short(self.exception)}, given {short(given)}"


class FailureLog:
    """Where a run keeps the failures that have not ended it.

    `on_failure` is called with those that are to be collected; without it, none may be. More than
    `most` of any kind are too many.
    """

    def __init__(
        self, on_failure: Callable[[Failure], object] | None, most: int | None = None
    ) -> None:
        self._on_failure = on_failure
        self._most = most
        #: all of them, in a run that has a limit
        self.all: list[Failure] = []
        self.count = 0

    @property
    def collects(self) -> bool:
        """Whether somebody takes the failures that are to be collected."""
        return self._on_failure is not None

    def add(self, failure: Failure, collected: bool) -> None:
        """One more; raises `FailureLimitError` if that is one too many."""
        self.count += 1
        if collected:
            assert self._on_failure is not None
            self._on_failure(failure)
        if self._most is None:
            return
        self.all.append(failure)
        if self.count > self._most:
            calls = "1 call has" if self.count == 1 else f"{self.count} calls have"
            raise FailureLimitError(
                f"{calls} failed, and max_failures={self._most}; the last one: {failure}. All of"
                " them are in the attribute `failures` of this error",
                self.all,
            ) from failure.exception

    def has_raised(self, error: FailureLimitError) -> bool:
        """Whether an error is of this log, and not of a run inside of a step."""
        return error.failures is self.all
