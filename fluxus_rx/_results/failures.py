"""The failures of a run, as a sequence and as a table; and a rerun in their place."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from .._common.encoding import printed
from .._common.error_record import ErrorRecord, error_title
from .._common.loadable import LoadCheck
from .._common.messages import short, shown
from .._common.text import counted
from .._errors import InvalidFlowError
from .._options.failure import Failure
from .._options.pending import Pending
from .._products.dict_product import DictProduct
from .data_frame import data_frame
from .json_lines import (
    Default,
    LinesFile,
    ObjectHook,
    failures_of_lines,
    lines_of,
    write_lines,
)
from .rows import Output, PathOutputs, Rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Failures",
    "Origins",
    "Position",
    "Replacement",
    "elapsed_of",
    "failures_of_run",
    "location_of",
    "merged_failures",
    "merged_outputs",
    "merged_pending",
    "pending_of_run",
    "position_of",
    "sorted_failures",
]


_Call = TypeVar("_Call", Failure, Pending)


@printed
class Failures(Sequence[Failure]):
    """The failed calls of a run that went on, the dead letters, in the order of the flow.

    They are sorted by the position of their products, as outputs are, so the same failures come in
    the same order in every run. Pass them to `rerun` to make the calls again.

    >>> from fluxus_rx import run, step
    >>> inverse = step("inverse", lambda x: {"y": 1 / x}).options(on_error="collect")
    >>> result = run(step("src", [{"x": 0}, {"x": 1}]) >> inverse)
    >>> [(failure.step, failure.lineage) for failure in result.failures]
    [('inverse', {'src': {'x': 0}})]
    """

    def __init__(self, failures: Iterable[Failure] = (), elapsed: float = 0.0) -> None:
        self._failures: list[Failure] = []
        for failure in failures:
            if not isinstance(failure, Failure):
                raise InvalidFlowError(f"Failures() takes Failure objects, not {shown(failure)}")
            self._failures.append(failure)
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

    def __getstate__(self) -> dict[str, Any]:
        return self._flow_state(LoadCheck())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._elapsed = state["elapsed"]
        self._failures = [_failure_of(one) for one in state["failures"]]

    def _flow_state(self, checked: LoadCheck) -> dict[str, Any]:
        """What is pickled, as of a failure; an exception of several of them once."""
        records: dict[int, ErrorRecord] = {}
        failures = [failure._flow_state(checked, records) for failure in self._failures]
        return {"failures": failures, "elapsed": self._elapsed}

    def __copy__(self) -> Failures:
        return Failures(self._failures, self._elapsed)

    def __deepcopy__(self, memo: dict[int, Any]) -> Failures:
        return Failures(copy.deepcopy(self._failures, memo), self._elapsed)

    def by_kind(self) -> dict[tuple[str, str], Failures]:
        """The failures by step and by the class name of their error, in order of appearance;
        `print(failures)` shows how many there are of each kind, the commonest first.

        >>> one = Failure("ask", "src → ask", 1, ValueError("no"), attempts=1)
        >>> failures = Failures([one, one])
        >>> {kind: len(some) for kind, some in failures.by_kind().items()}
        {('ask', 'ValueError'): 2}
        >>> print(failures)
        2 failures
        2  ask failed with ValueError('no'), given 1, for one
        """
        from .display import failure_kinds

        return {
            (kind.step, kind.error): Failures(kind.failures, self._elapsed)
            for kind in failure_kinds(self)
        }

    def _flow_chosen(self, fits: Callable[[Any], bool]) -> Failures:
        """Those of calls with products that fit."""
        return Failures((one for one in self if fits(one.product)), self._elapsed)

    def __str__(self) -> str:
        from .display import failures_text

        head = counted(len(self), "failure")
        return "\n".join([head, *failures_text(self, _MOST_KINDS_PRINTED, 100)])

    def _repr_html_(self) -> str:
        from .display import failures_html

        head = counted(len(self), "failure")
        return f"<div><p><b>{head}</b></p>{failures_html(self)}</div>" if self else f"<p>{head}</p>"

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        printer.text(str(self))

    def __repr__(self) -> str:
        shown = [short(failure) for failure in self._failures[:_MOST_IN_REPR]]
        more = len(self) - len(shown)
        return f"Failures([{', '.join([*shown, f'and {more} more'] if more else shown)}])"

    def to_frame(self, simplify: bool = False) -> pd.DataFrame:
        """The failures as a pandas data frame, one row each; needs pandas.

        Columns have two levels: first those of the lineage, step and attribute, as in
        `RunResult.to_frame`; then under `[failure]` the step, the path, the number of attempts, the
        type of the exception, and its text. Without failures, the frame is empty.

        Raises ImportError without pandas.

        >>> Failures().to_frame().empty
        True
        """
        return data_frame(Rows({0: [_failure_row(failure) for failure in self]}), False, simplify)

    def to_json(self, file: LinesFile, *, default: Default | None = None) -> None:
        """Write the failures as JSON lines, one each, in their order.

        - `file`: a path, which is overwritten, or a stream of text or bytes; to add to a file, open
          it with mode `"a"`
        - `default`: converts a value into one that JSON has, like that of `json.dumps`

        A line has the step, the path, the attempts, the note, the error with its class, text,
        notes, traceback and causes, and the product: the attributes of each step of its lineage.
        `Failures.from_json` reads the lines, and `rerun` takes the failures that it returns; lines
        may be removed before, and lines of several files joined. Each line is written by one call,
        once all lines are made; all of them are in memory then.

        Values are strings, numbers, booleans, None, lists, and dictionaries whose keys are strings.
        `default` is called with any other value, also with tuples, which JSON would turn into
        lists, and with subclasses of the types above. Without `default`, such a value raises
        InvalidProductError (a TypeError), which names the step and the attribute. Raises TypeError
        for an invalid file.

        >>> import io
        >>> file = io.StringIO()
        >>> Failures([Failure("fetch", "src → fetch", 5, ValueError("no"), 3)]).to_json(file)
        >>> print(file.getvalue())  # doctest: +ELLIPSIS
        {"schema": 1, "step": "fetch", "path": "src → fetch", "place": 0, "attempts": 3, ...}
        """
        write_lines(lines_of(self, default), file)

    @classmethod
    def from_json(cls, file: LinesFile, *, object_hook: ObjectHook | None = None) -> Failures:
        """The failures that `to_json` has written; lines may be missing.

        - `file`: a path, or a stream of text or bytes
        - `object_hook`: converts a dictionary in an attribute into the value that `default` made it
          of, like that of `json.loads`

        Each exception is a `RecordedError`. Raises InvalidOptionError (a ValueError), which names
        the line, for a line that isn't a failure or is of a newer version; OSError for a file that
        can't be read.

        >>> import io
        >>> file = io.StringIO()
        >>> Failures([Failure("fetch", "src → fetch", 5, ValueError("no"), 3)]).to_json(file)
        >>> _ = file.seek(0)
        >>> print(Failures.from_json(file)[0])
        fetch failed after 3 attempts with RecordedError('ValueError', 'no'), given 5
        """
        return cls(failures_of_lines(file, object_hook))


#: Failures that the `repr` of several shows.
_MOST_IN_REPR: Final = 6
#: Kinds of failures that its text tells of.
_MOST_KINDS_PRINTED: Final = 20


def _failure_of(state: dict[str, Any]) -> Failure:
    failure = Failure.__new__(Failure)
    failure.__setstate__(state)
    return failure


def _failure_row(failure: Failure) -> dict[str, dict[str, Any]]:
    product = failure.product
    lineage = product.nested() if isinstance(product, DictProduct) else {"input": {"item": product}}
    error, text = error_title(failure.exception)
    told = {
        "step": failure.step,
        "path": failure.path,
        "attempts": failure.attempts,
        "error": error,
        "text": text,
    }
    return {**lineage, "[failure]": told}


def failures_of_run(failures: Iterable[Failure], elapsed: float) -> Failures:
    """The failures of a run that is over, and has taken so many seconds; sorted."""
    # Each knows the seconds by itself, too: it may go on in a list.
    return sorted_failures((failure._flow_of_run(elapsed) for failure in failures), elapsed)


def sorted_failures(failures: Iterable[Failure], elapsed: float) -> Failures:
    """The failures in the order of the outputs beside them, then in that of their paths."""
    return Failures(
        sorted(failures, key=lambda failure: (position_of(failure), location_of(failure))), elapsed
    )


def pending_of_run(pending: Iterable[Pending], elapsed: float) -> tuple[Pending, ...]:
    """The products that a run which is over has not gone on with; sorted as failures are."""
    of_run = (one._flow_of_run(elapsed) for one in pending)
    return tuple(sorted(of_run, key=lambda one: (position_of(one), location_of(one))))


def elapsed_of(failures: Iterable[Failure]) -> float:
    """The seconds of the run that `failures` are of, as far as they know."""
    return failures._elapsed if isinstance(failures, Failures) else 0.0


def position_of(failure: Failure | Pending) -> tuple[int, ...]:
    """Where the product of a call stands that has failed or is pending, among those of a plain
    loop; empty for anything but a product of a step."""
    product = failure.product
    return tuple(product.positions()) if isinstance(product, DictProduct) else ()


def location_of(failure: Failure | Pending) -> tuple[str, int]:
    """Where the step of such a call stands in its flow: the path to it, and which of the places
    with that path it is."""
    return failure.path, failure._place


#: where a product stands among those of a plain loop
Position = tuple[int, ...]


class Origins:
    """Positions of products, to find out what comes of them.

    >>> origins = Origins([(1,), (2, 0)])
    >>> [origins.lead_to(position) for position in [(1,), (1, 7), (2,), (2, 0, 1), (3,)]]
    [True, True, False, True, False]
    """

    def __init__(self, positions: Collection[Position]) -> None:
        self._positions = positions
        self._lengths = {len(position) for position in positions}

    def lead_to(self, position: Sequence[int]) -> bool:
        """Whether the product at `position` is one of them, or comes of one."""
        return any(tuple(position[:length]) in self._positions for length in self._lengths)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Replacement:
    """What the result of a rerun stands in for: all that came of the products that it ran again.

    - `outputs`: for each path, the positions of the products whose outputs on it are replaced
    - `calls`: for each step that products entered at, the locations that are reached from it, its
      own among them, and the positions of these products
    """

    outputs: Mapping[int, Collection[Position]]
    calls: Sequence[tuple[Collection[tuple[str, int]], Collection[Position]]]


def merged_outputs(
    first: PathOutputs, second: PathOutputs, replaced: Collection[Position]
) -> PathOutputs:
    """The outputs of a path with those of a rerun, which come in the place of what came of the
    products at the `replaced` positions; in the order of a plain loop.

    Raises InvalidFlowError (a TypeError) for outputs whose order isn't known.
    """
    origins = Origins(replaced)
    merged = [pair for pair in _placed(first) if not origins.lead_to(pair[0])]
    merged += _placed(second)
    merged.sort(key=itemgetter(0))
    return PathOutputs([output for _, output in merged], [position for position, _ in merged])


def _placed(path: PathOutputs) -> Iterator[tuple[list[int], Output]]:
    """The outputs of a path, each behind its position."""
    outputs, positions = path.outputs, path.positions
    if positions is None or len(positions) != len(outputs):
        raise InvalidFlowError(
            "merged() takes results of runs as they came; of one that was made by hand, or"
            " whose outputs were taken away or added to, the order is not known"
        )
    return zip(positions, outputs, strict=True)


def merged_failures(first: Failures, second: Failures, replacement: Replacement) -> Failures:
    """The failures whose calls have not been made again, nor those that they descend from, and
    those of the rerun."""
    return sorted_failures(
        [*_left(first, replacement), *second], max(elapsed_of(first), elapsed_of(second))
    )


def merged_pending(
    first: Iterable[Pending], second: Iterable[Pending], replacement: Replacement
) -> tuple[Pending, ...]:
    """The products that the rerun has not finished either, and those of its own."""
    return pending_of_run([*_left(first, replacement), *second], 0.0)


def _left(first: Iterable[_Call], replacement: Replacement) -> Iterator[_Call]:
    """The calls that have not been made again, nor those that they descend from."""
    again = [(locations, Origins(positions)) for locations, positions in replacement.calls]

    for call in first:
        location, position = location_of(call), position_of(call)
        if not any(
            location in locations and origins.lead_to(position) for locations, origins in again
        ):
            yield call
