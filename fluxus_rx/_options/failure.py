"""Failed calls in a run that goes on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .._common.encoding import PrintedText, printed, to_print
from .._common.error_record import ErrorRecord, error_record, plain_record, restored_error
from .._common.loadable import LoadCheck
from .._common.messages import short
from .._common.text import counted
from .._errors import FailureLimitError

__all__ = ["Failure", "FailureLog"]


@printed
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Failure:
    """A call that has failed at its last attempt, in a run that goes on: a dead letter.

    - `step`: the name of the step; `path`: the names of the steps on the way to it, and its own
    - `product`: the product it was called with, with its whole lineage
    - `exception`: the error of the last attempt, with notes that tell where it was raised
    - `attempts`: how many attempts were made
    - `note`: where the error was raised, and the arguments of the call. If several calls raised one
      exception object, its notes are those of the last call; this one is always of this call.

    `rerun` makes the call again. A failure can be pickled if its product can. If its exception
    can't be loaded, as in a process without its class, a `RecordedError` takes its place. Pickling
    raises InvalidProductError (a TypeError), which names the attribute, if the product has one that
    can't be loaded.

    >>> print(Failure("fetch", "src → fetch", {"x": 1}, ValueError("no"), 3))
    fetch failed after 3 attempts with ValueError('no'), given {'x': 1}
    """

    step: str
    path: str
    product: Any
    exception: Exception
    attempts: int
    note: str = ""
    #: which of the places with this path it was, for flows in which several have the same one
    _place: int = 0
    #: seconds of the run that it was in, once that is over; after these a run of it goes on
    _elapsed: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", PrintedText(self.path))

    @property
    def lineage(self) -> Any:
        """The attributes by step, as a result shows them; a product of a type of your own as it is.

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

    if not TYPE_CHECKING:  # or each attribute would be one

        def __getattr__(self, name: str) -> Any:
            # Of a failure that was pickled, the exception is made when somebody looks at it: what
            # its class does then must not concern code that loads a thousand of them.
            record = self.__dict__.get("_record")
            if name != "exception" or record is None:
                kind = type(self).__name__
                raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name)
            error = restored_error(record)
            self.__dict__["exception"] = error
            return error

    def __getstate__(self) -> dict[str, Any]:
        return self._flow_state(LoadCheck(), {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        path, note = PrintedText(state["path"]), to_print(state.get("note", ""))
        self.__dict__.update(state, path=path, note=note)

    def _flow_state(self, checked: LoadCheck, records: dict[int, ErrorRecord]) -> dict[str, Any]:
        """What is pickled: plain data under names that stay, and the product; `records` are those
        of exceptions that are pickled with it, by their ids."""
        if hasattr(self.product, "nested"):
            for name, attributes in self.product.steps():
                for attribute, value in attributes.items():
                    if not checked.knows(value):
                        checked.check(value, partial(self._attribute, name, attribute))
        else:
            checked.check(self.product, self._given)
        state = self.__dict__.copy()
        if "_record" not in state:
            key = id(self.exception)
            if key not in records:
                records[key] = error_record(self.exception, pickles=True)
            state["_record"] = records[key]
        state.pop("exception", None)
        return state

    def _given(self) -> str:
        return f"what step {self.step!r} was given when it failed"

    def _attribute(self, step: str, name: str) -> str:
        return f"{self._given()}: the attribute {name!r} of step {step!r}"

    def _flow_plain_record(self) -> ErrorRecord:
        """The exception as values of JSON; one that was written down as it was then."""
        record: ErrorRecord | None = self.__dict__.get("_record")
        if record is None:
            return error_record(self.exception, pickles=False)
        return plain_record(record)

    def __copy__(self) -> Failure:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Failure:
        # Exceptions stay what they are, as classes and functions do: many can't be copied.
        made = self.__copy__()
        made.__dict__["product"] = copy.deepcopy(self.product, memo)
        return made

    def __repr__(self) -> str:
        return (
            f"Failure(step={self.step!r}, path={short(self.path)}, product={short(self.product)},"
            f" exception={short(self.exception)}, attempts={self.attempts})"
        )

    def __str__(self) -> str:
        times = f" after {counted(self.attempts, 'attempt')}" if self.attempts > 1 else ""
        given = dict(self.product) if isinstance(self.product, Mapping) else self.product
        return f"{self.step} failed{times} with {short(self.exception)}, given {short(given)}"


class FailureLog:
    """Where a run keeps the failures that have not ended it.

    `on_failure` is called with those that are to be collected; without it, none may be. More than
    `most` of any kind end the run.
    """

    def __init__(
        self, on_failure: Callable[[Failure], object] | None, most: int | None = None
    ) -> None:
        self._on_failure = on_failure
        #: how many may be kept, if there is a limit
        self.most = most
        #: all of them, in a run that has a limit
        self.all: list[Failure] = []
        self.count = 0

    @property
    def collects(self) -> bool:
        """Whether failures can be collected."""
        return self._on_failure is not None

    def add(self, failure: Failure, collected: bool) -> None:
        """One more; raises `FailureLimitError` if that is one too many."""
        self.count += 1
        if collected:
            assert self._on_failure is not None
            self._on_failure(failure)
        if self.most is None:
            return
        self.all.append(failure)
        if self.count > self.most:
            calls = counted(self.count, "call has", "calls have")
            raise FailureLimitError(
                f"{calls} failed, and max_failures={self.most}; the last one: {failure}. All of"
                " them are in the attribute `failures` of this error",
                self.all,
            ) from failure.exception

    def has_raised(self, error: FailureLimitError) -> bool:
        """Whether an error is of this log, and not of a run inside of a step."""
        return error.failures is self.all
