"""The result of a run: the outputs of each path."""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from .._common.encoding import printed
from .._common.loadable import LoadCheck
from .._common.messages import check_whole_number, shown
from .._common.text import counted
from .._errors import InvalidFlowError
from .._monitoring.calls import Journal, RunTimes
from .._monitoring.meter import Meter
from .._monitoring.summary import Summary
from .._options.failure import Failure
from .._options.pending import Pending
from .arrow import arrow_table
from .data_frame import data_frame
from .failures import (
    Failures,
    Replacement,
    failures_of_run,
    merged_failures,
    merged_outputs,
    merged_pending,
    pending_of_run,
)
from .pickling import loadable_outputs
from .rows import Output, PathOutputs, Rows, check_output

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ..viz._output import File

__all__ = ["RunResult"]


@printed
class RunResult(Sequence[list[Output]]):
    """The outputs of a run, path by path.

    A sequence with one list of outputs per path, in the order in which the flow is written: the
    first choice of each group outermost. An output is a nested dictionary, step name to attributes;
    a step that occurs twice on a path is `name` and `name#1`. Within a path outputs are in the
    order in which a plain loop would have made them, whatever order they were completed in, so the
    same flow gives an equal result on every run. A path without outputs is an empty list in its
    place.

    Outputs share their products until they are looked at; a result takes the memory of the
    attributes, once.

    >>> result = RunResult([{"src": {"x": 1}}], [])
    >>> len(result), result[0], result[1]
    (2, [{'src': {'x': 1}}], [])
    >>> list(result.get_outputs())
    [{'src': {'x': 1}}]
    """

    __hash__ = None  # type: ignore[assignment]  # equal by its outputs, which may change

    def __init__(self, *paths: list[Output]) -> None:
        for index, path in enumerate(paths):
            if not isinstance(path, list):
                raise InvalidFlowError(
                    f"RunResult(): argument {index} is {shown(path)}; expected a list of outputs"
                )
            for output in path:
                check_output(index, output)
        self._paths = [PathOutputs(path) for path in paths]
        self._times = RunTimes()
        self._failures = Failures()
        self._pending: tuple[Pending, ...] = ()
        #: whether the run ended before its sources did
        self._is_cut = False
        #: what it stands in for, if it is that of a rerun
        self._replacement: Replacement | None = None

    @property
    def failures(self) -> Failures:
        """The calls that failed for good and did not end the run: those of steps that have
        `on_error="collect"`. None without such steps.

        >>> RunResult([]).failures
        Failures([])
        """
        return self._failures

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The products that the run has not gone on with, because it was told to end: by `drain`, a
        deadline, or a `Stopper`. In the order of the flow; `rerun` goes on with them.

        >>> RunResult([]).pending
        ()
        """
        return self._pending

    @property
    def complete(self) -> bool:
        """Whether these are all outputs of the flow, but for what failed: its sources came to their
        end, and nothing is pending.

        >>> RunResult([]).complete
        True
        """
        return not (self._is_cut or self._pending)

    @classmethod
    def of_paths(
        cls,
        paths: Sequence[PathOutputs],
        meter: Meter | None = None,
        failures: Iterable[Failure] = (),
        pending: Iterable[Pending] = (),
        is_cut: bool = False,
        elapsed: float = 0.0,
    ) -> RunResult:
        """The result of a run that gave these outputs, and took `elapsed` seconds; `meter` has
        counted it.

        For the library's own use.
        """
        times = RunTimes(untimed=True) if meter is None else meter.times(elapsed)
        return cls._assembled(
            paths,
            times=times,
            failures=failures_of_run(failures, elapsed),
            pending=pending_of_run(pending, elapsed),
            is_cut=is_cut,
        )

    @classmethod
    def _assembled(
        cls,
        paths: Sequence[PathOutputs],
        *,
        times: RunTimes,
        failures: Failures,
        pending: tuple[Pending, ...],
        is_cut: bool,
        replacement: Replacement | None = None,
    ) -> RunResult:
        result = cls()
        result._paths = [*paths]
        result._times = times
        result._failures = failures
        result._pending = pending
        result._is_cut = is_cut
        result._replacement = replacement
        return result

    def _flow_in_place_of(self, replaced: Replacement) -> RunResult:
        """This result as that of a rerun, which stands in for these outputs and failures."""
        return RunResult._assembled(
            self._paths,
            times=self._times,
            failures=self._failures,
            pending=self._pending,
            is_cut=self._is_cut,
            replacement=replaced,
        )

    def _flow_with_outputs(self, paths: Sequence[PathOutputs]) -> RunResult:
        """This result, with these outputs alone."""
        return RunResult._assembled(
            paths,
            times=self._times,
            failures=self._failures,
            pending=self._pending,
            is_cut=self._is_cut,
            replacement=self._replacement,
        )

    @property
    def _flow_journal(self) -> Journal:
        return self._times.journal(self.get_outputs())

    def merged(self, other: RunResult) -> RunResult:
        """This result, with what a run of its failures has given in their place.

        `other` is what `rerun` gave for failures of this result, or for what is pending, all or
        some. The outputs are those of a run in which these calls had gone well the first time, in
        the same order; `failures` are those that were not run again, and those that failed again;
        so are those that are `pending`. Neither result is changed. With timestamps, the second run
        counts as if it had begun when the first ended.

        Raises TypeError for what is no result of a `rerun`, or one of a flow with other paths.

        >>> from fluxus_rx import rerun, run, step
        >>> down = True
        >>> def fetch(x):
        ...     if down and x == 1:
        ...         raise OSError("down")
        ...     return {"y": x}
        >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("fetch", fetch).options(
        ...     on_error="collect"
        ... )
        >>> result = run(flow)
        >>> down = False
        >>> result.merged(rerun(flow, result.failures))[0]
        [{'src': {'x': 1}, 'fetch': {'y': 1}}, {'src': {'x': 2}, 'fetch': {'y': 2}}]
        """
        if not isinstance(other, RunResult) or len(other) != len(self):
            raise InvalidFlowError(
                f"merged() takes what rerun() gave for failures of this result, which has"
                f" {counted(len(self), 'path')}, not {shown(other)}"
            )
        if other._replacement is None:
            raise InvalidFlowError(
                "merged() takes what rerun() gave for failures of this result, and this is the"
                " result of another run: result.merged(rerun(flow, result.failures))"
            )
        return RunResult._assembled(
            [
                merged_outputs(first, second, other._replacement.outputs.get(index, ()))
                for index, (first, second) in enumerate(zip(self._paths, other._paths, strict=True))
            ],
            times=self._times.followed_by(other._times),
            failures=merged_failures(self._failures, other._failures, other._replacement),
            pending=merged_pending(self._pending, other._pending, other._replacement),
            is_cut=self._is_cut,
            replacement=self._replacement,
        )

    def get_outputs(self) -> Iterator[Mapping[str, Mapping[str, Any]]]:
        """All outputs, path by path."""
        for path in self:
            yield from path

    def get_outputs_per_path(self) -> list[Iterator[Mapping[str, Mapping[str, Any]]]]:
        """An iterator over the outputs of each path."""
        return [iter(path) for path in self]

    @overload
    def __getitem__(self, index: int) -> list[Output]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Output]]: ...
    def __getitem__(self, index: int | slice) -> list[Output] | list[list[Output]]:
        if isinstance(index, slice):
            return [path.outputs for path in self._paths[index]]
        try:
            return self._paths[index].outputs
        except IndexError:
            raise IndexError(_no_path(index, len(self))) from None

    def __len__(self) -> int:
        return len(self._paths)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunResult):
            return NotImplemented
        return list(self) == list(other)

    def __repr__(self) -> str:
        return f"RunResult({', '.join(map(repr, self))})"

    def __copy__(self) -> RunResult:
        return self._with_paths(self._paths)

    def __deepcopy__(self, memo: dict[int, Any]) -> RunResult:
        paths = [
            PathOutputs(copy.deepcopy(path.outputs, memo), path.positions) for path in self._paths
        ]
        made = self._with_paths(paths)
        made._failures = copy.deepcopy(self._failures, memo)
        return made

    def _with_paths(self, paths: list[PathOutputs]) -> RunResult:
        return RunResult._assembled(
            paths,
            times=self._times,
            failures=self._failures,
            pending=self._pending,
            is_cut=self._is_cut,
            replacement=self._replacement,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        checked = LoadCheck()
        return RunResult, tuple(loadable_outputs(self, checked)), self._state(checked)

    # Plain data under names that stay: a result may be loaded by another version.

    def _state(self, checked: LoadCheck) -> dict[str, Any]:
        replacement = self._replacement
        return {
            "_journal": self._times.records,
            "_elapsed": self._times.elapsed,
            "_steps": self._times.steps,
            "_untimed": self._times.untimed,
            "_began": self._times.began,
            "_failures": self._failures._flow_state(checked),
            "_pending": self._pending,
            "_is_cut": self._is_cut,
            "_positions": [path.positions for path in self._paths],
            "_replaces": None if replacement is None else replacement.outputs,
            "_again": () if replacement is None else replacement.calls,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._paths = [
            PathOutputs(path.outputs, positions)
            for path, positions in zip(self._paths, state["_positions"], strict=True)
        ]
        self._times = RunTimes(
            records=state["_journal"],
            elapsed=state["_elapsed"],
            steps=state["_steps"],
            untimed=state["_untimed"],
            began=state.get("_began", 0.0),
        )
        self._failures = Failures.__new__(Failures)
        self._failures.__setstate__(state["_failures"])
        self._pending, self._is_cut = state.get("_pending", ()), state.get("_is_cut", False)
        if state["_replaces"] is not None:
            self._replacement = Replacement(state["_replaces"], state["_again"])

    def to_frame(
        self, path: int | None = None, simplify: bool = False, expand: bool = False
    ) -> pd.DataFrame:
        """The outputs as a pandas data frame, one row each; needs the extra `frame`.

        Rows have the index level `item`, counted per path from 0, under a level `path` where the
        result has several paths and `path` doesn't choose one of them. Columns have two levels,
        step and attribute, in order of appearance, and dtypes that don't depend on whether a value
        is missing: `Int64` (`UInt64`) for whole numbers, `Float64` for other numbers, `boolean`,
        `string`, what pandas has for times, and objects for anything else and for a mixture; NaN
        counts as missing. No outputs give an empty frame.

        `simplify` turns values into strings that are no numbers, booleans, strings, bytes, dates,
        times, `Decimal`, numpy scalars or None; enums that are numbers or strings stay that.
        `expand` makes columns of what dictionaries hold, however deep, under levels `key1`, `key2`
        and so on, empty text in other columns. An empty dictionary adds no column.
        The result is not copied. Time and memory are linear in the cells, rows times columns.

        Raises IndexError for a path that isn't there, TypeError for one that is no number,
        ImportError without pandas; and what the `str()` of a value raises, with a note that tells
        where it is.

        >>> RunResult([{"src": {"x": {"a": 1}}}]).to_frame(expand=True)
        step      src
        attribute   x
        key1        a
        item
        0           1
        """
        return data_frame(self._rows(path), path is None and len(self) > 1, simplify, expand)

    def to_arrow(
        self, path: int | None = None, simplify: bool = False, batch_size: int = 10_000
    ) -> pa.Table:
        """The outputs as a table of Apache Arrow, one row each; needs the extra `arrow`.

        Columns are `path` and `item`, counted per path from 0, then `step.attribute` in order of
        appearance, with the two names in the metadata of the field; what a row has no value for is
        null, and NaN is NaN. Types are those that pyarrow finds for all values of a column: lists
        and dictionaries are nested, whole numbers beside others become floats. No outputs give a
        table without rows. For pandas there is `to_frame`, for Parquet, Polars, DuckDB and other
        readers of Arrow this.

        The table is built `batch_size` rows at a time, a chunk each. Beside the table itself that
        takes the memory of a batch: the result stays as it is, and is not copied. A column whose
        batches are of several types is built once more, in one piece, so that the size of the
        batches changes no value and no type. Time is linear in the cells.

        `simplify` turns values into strings as it does in `to_frame`, and all values of a column
        that is then still not of one type, or of none that Arrow has.

        Raises `InvalidProductError` (a TypeError) for a value that Arrow can't hold, or holds in
        no column with those before it, and names the step, the attribute, and the items; within
        lists and dictionaries pyarrow decides what goes together. Raises IndexError for a path that
        isn't there, TypeError for one that is no number, `InvalidOptionError` (a ValueError) for a
        batch without rows, ImportError without pyarrow; and what the `str()` of a value raises,
        with a note that tells where it is.

        >>> table = RunResult([{"src": {"x": 1}}, {"src": {"x": 0.5}}]).to_arrow()
        >>> table.to_pydict()
        {'path': [0, 0], 'item': [0, 1], 'src.x': [1.0, 0.5]}
        """
        check_whole_number("batch_size", batch_size, "rows", who="to_arrow()")
        return arrow_table(self._rows(path), simplify, batch_size)

    def summary(self) -> Summary:
        """What the steps have done: calls, failures, seconds, and how many calls at once.

        In O(n log n) of the calls. For a result that was made by hand the calls are those that the
        times in its outputs tell of. Raises UsageError (a RuntimeError) for a result without times:
        take them with `run(flow, timestamps=True)`.

        >>> src = {"x": 1, "[start]": 0.0, "[end]": 0.5}
        >>> result = RunResult([{"src": src, "add": {"y": 2, "[start]": 0.5, "[end]": 2.0}}])
        >>> [(step.step, step.calls, step.share) for step in result.summary().steps]
        [('src', 1, 0.25), ('add', 1, 0.75)]
        """
        return Summary.of(self._flow_journal)

    def draw_timeline(
        self, style: str | None = None, *, file: File | None = None, format: str | None = None
    ) -> None:
        """Draw what ran when: the calls of each step, and each output with its work and waits.

        Outputs wait between the end of one step and the start of the next. Failed calls are marked,
        and calls with what had failed before. Where there are too many outputs to tell apart,
        neighbours are drawn as one row, which says how many it stands for.

        - `style`: `"text"`, `"matplot"`, `"matplot_dark"` (both need the extra `viz`) or `"html"`,
          one file that needs no other, in which one can zoom, filter and look at inputs; by default
          what the file's ending belongs to, else `"html"` in a notebook and `"text"` outside
        - `file`: a path, or a stream of text or bytes; without one, the drawing is shown in the
          notebook, and a text printed
        - `format`: `"txt"`, `"html"`, `"png"`, `"svg"` or `"pdf"`, where the file has no ending

        The drawing is made before anything is written. Raises UsageError (a RuntimeError) for a
        result without times, or for a picture that there is nowhere to show, ValueError for an
        unknown style or format, TypeError for a file that is none, ImportError without matplotlib.

        >>> src = {"x": 1, "[start]": 0.0, "[end]": 0.5}
        >>> result = RunResult([{"src": src, "add": {"y": 2, "[start]": 1.0, "[end]": 2.0}}])
        >>> result.draw_timeline("text")
        1 output from 2 calls.
        ...
        """
        from ..viz._timeline.draw import draw_timeline

        draw_timeline(self, style, file, format)

    def _rows(self, path: int | None) -> Rows:
        chosen = range(len(self)) if path is None else [self._index(path)]
        return Rows({index: self._paths[index].rows for index in chosen})

    def _index(self, path: int) -> int:
        try:
            number = operator.index(path)
        except TypeError:
            raise InvalidFlowError(
                f"path={shown(path)}: expected the number of a path, or None for all"
            ) from None
        if not -len(self) <= number < len(self):
            raise IndexError(_no_path(number, len(self)))
        return number % len(self)


def _no_path(index: int, count: int) -> str:
    there = f"they count from 0 to {count - 1}" if count else "it has none"
    return f"there is no path {index} in this result: {there}"
