"""The result of a run: the outputs of each path."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

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
from .failures import (
    Failures,
    Replacement,
    failures_of_run,
    merged_failures,
    merged_outputs,
    merged_pending,
    pending_of_run,
)
from .path_names import PathNames
from .pickling import loadable_outputs
from .result_tables import ResultTables
from .rows import Output, PathOutputs, check_output
from .selection import Criteria

if TYPE_CHECKING:
    from ..viz._output import File
    from .display import ResultView

__all__ = ["RunResult"]


@printed
class RunResult(ResultTables):
    """The outputs of a run, path by path.

    A sequence with one list of outputs per path, in the order in which the flow is written: the
    first choice of each group outermost. An output is a nested dictionary, step name to attributes;
    if a step occurs twice on a path, the second is `name#1`. Within a path, outputs are in the
    order in which a plain loop would have made them, whatever order they were completed in, so the
    same flow returns an equal result on every run. A path without outputs is an empty list.

    Outputs share their products until they are looked at: a result takes the memory of its
    attributes once.

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
        self._names = PathNames([None] * len(paths))
        self._times = RunTimes()
        self._failures = Failures()
        self._pending: tuple[Pending, ...] = ()
        #: whether the run ended before its sources did
        self._is_cut = False
        #: what it stands in for, if it is that of a rerun
        self._replacement: Replacement | None = None

    @property
    def failures(self) -> Failures:
        """The failed calls that did not end the run, those of steps with `on_error="collect"`: the
        dead letters. Empty without such steps.

        >>> RunResult([]).failures
        Failures([])
        """
        return self._failures

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The products that the run has not finished, because it was told to end: by `drain`, a
        deadline, or a `Stopper`. In the order of the flow; `rerun` continues with them.

        >>> RunResult([]).pending
        ()
        """
        return self._pending

    @property
    def complete(self) -> bool:
        """Whether these are all outputs of the flow, except those of failed calls: its sources came
        to their end, and nothing is pending.

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
        names: PathNames | None = None,
    ) -> RunResult:
        """The result of a run that returned these outputs, and took `elapsed` seconds; `meter` has
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
            names=PathNames([None] * len(paths)) if names is None else names,
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
        names: PathNames,
        replacement: Replacement | None = None,
    ) -> RunResult:
        result = cls()
        result._paths = [*paths]
        result._names = names
        result._times = times
        result._failures = failures
        result._pending = pending
        result._is_cut = is_cut
        result._replacement = replacement
        return result

    def _changed(self, **changes: Any) -> RunResult:
        """This result, with what is changed."""
        kept: dict[str, Any] = {
            "paths": self._paths,
            "times": self._times,
            "failures": self._failures,
            "pending": self._pending,
            "is_cut": self._is_cut,
            "names": self._names,
            "replacement": self._replacement,
        }
        return RunResult._assembled(**(kept | changes))

    def _flow_in_place_of(self, replaced: Replacement) -> RunResult:
        """This result as that of a rerun, which stands in for these outputs and failures."""
        return self._changed(replacement=replaced)

    def _flow_with_outputs(self, paths: Sequence[PathOutputs]) -> RunResult:
        """This result, with these outputs alone."""
        return self._changed(paths=paths)

    @property
    def _flow_journal(self) -> Journal:
        return self._times.journal(self.get_outputs())

    def merged(self, other: RunResult) -> RunResult:
        """This result, with the result of a rerun in the place of its failures.

        `other` is what `rerun` returned for failures or pending products of this result, all or
        some. The outputs are those of a run in which these calls had succeeded the first time, in
        the same order. `failures` are those that were not run again, and those of the rerun; the
        same holds for `pending`. Neither result is changed. With timestamps, the rerun counts as if
        it had begun when the first run ended.

        Raises TypeError for anything but a result of a `rerun`, and for one of a flow with other
        paths.

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
                f"merged() takes what rerun() returned for failures of this result, which has"
                f" {counted(len(self), 'path')}, not {shown(other)}"
            )
        if other._replacement is None:
            raise InvalidFlowError(
                "merged() takes what rerun() returned for failures of this result, and this is the"
                " result of another run: result.merged(rerun(flow, result.failures))"
            )
        return self._changed(
            paths=[
                merged_outputs(first, second, other._replacement.outputs.get(index, ()))
                for index, (first, second) in enumerate(zip(self._paths, other._paths, strict=True))
            ],
            times=self._times.followed_by(other._times),
            failures=merged_failures(self._failures, other._failures, other._replacement),
            pending=merged_pending(self._pending, other._pending, other._replacement),
        )

    def where(
        self,
        predicate: Callable[[Output], object] | None = None,
        /,
        **attributes: Any,
    ) -> RunResult:
        """The outputs with these attributes, as a result with the same paths.

        An attribute is named as in `values`; that of a certain step by `where(**{"judge.score":
        1})`. A `predicate` is called with each output that has the attributes, and keeps it by
        returning true. Failures and pending products are kept if the product of the call had the
        attributes; the predicate is not called with them. Times and names of paths are those of
        this result, which is not changed; outputs are shared with it.

        Raises TypeError without attributes and predicate, and for a predicate that isn't a
        function. An error of the predicate is raised as it is.

        >>> from fluxus_rx import run, step
        >>> result = run(step("src", [{"x": 1, "to": "a"}, {"x": 2, "to": "b"}]))
        >>> result.where(to="b"), result.where(lambda output: output["src"]["x"] > 5)
        (RunResult([{'src': {'x': 2, 'to': 'b'}}]), RunResult([]))
        """
        criteria = Criteria(predicate, attributes)
        return self._changed(
            paths=[path.chosen(criteria.fit) for path in self._paths],
            failures=self._failures._flow_chosen(criteria.fit_call),
            pending=tuple(one for one in self._pending if criteria.fit_call(one.product)),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunResult):
            return NotImplemented
        return list(self) == list(other)

    # What few programs show is imported when they do: 0.6 ms of the import of the library.

    def __repr__(self) -> str:
        from .display import result_repr

        return result_repr(self._paths)

    def __str__(self) -> str:
        return self.pretty()

    def pretty(self, outputs: int = 5, width: int = 100) -> str:
        """The result as a short text: the first `outputs` of each path, a line for each step; then
        the failures by kind, and the pending products.

        Lines have at most `width` columns. Values are shortened, and secrets masked, as in
        messages. Time and size are bounded, however large the result is; `print(result)` shows the
        same text. `result[0]`, `values` and `to_frame` have all of it.

        Raises ValueError for anything but a number of outputs from 0 on, or columns from 40 on.

        >>> print(RunResult([{"src": {"x": 1}, "fetch": {"y": 2}}]).pretty())
        1 output on 1 path
        <BLANKLINE>
        path 0: 1 output
        0  src    x=1
           fetch  y=2
        """
        check_whole_number("outputs", outputs, "outputs", who="pretty()", least=0)
        check_whole_number("width", width, "columns", who="pretty()", least=40)
        return "\n".join(self._view.lines(outputs, width))

    @property
    def _view(self) -> ResultView:
        from .display import ResultView

        return ResultView(self._paths, self.paths, self._failures, self._pending, self._is_cut)

    def _repr_html_(self) -> str:
        return self._view.html()

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        printer.text(str(self))  # in IPython, where a line of 2,000 characters doesn't help

    def __copy__(self) -> RunResult:
        return self._changed()

    def __deepcopy__(self, memo: dict[int, Any]) -> RunResult:
        paths = [
            PathOutputs(copy.deepcopy(path.outputs, memo), path.positions) for path in self._paths
        ]
        return self._changed(paths=paths, failures=copy.deepcopy(self._failures, memo))

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
            "_names": self._names.state(),
            "_positions": [path.positions for path in self._paths],
            "_replaces": None if replacement is None else replacement.outputs,
            "_again": () if replacement is None else replacement.calls,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._paths = [
            PathOutputs(path.outputs, positions)
            for path, positions in zip(self._paths, state["_positions"], strict=True)
        ]
        self._names = PathNames.of_state(state.get("_names"), len(self._paths))
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

    def summary(self) -> Summary:
        """What the steps have done: calls, failures, seconds, and calls in flight.

        Takes O(n log n) of the calls. For a result that was made by hand, the calls are those with
        times in its outputs. Raises UsageError (a RuntimeError) for a result without times: take
        them with `run(flow, timestamps=True)`.

        >>> src = {"x": 1, "[start]": 0.0, "[end]": 0.5}
        >>> result = RunResult([{"src": src, "add": {"y": 2, "[start]": 0.5, "[end]": 2.0}}])
        >>> [(step.step, step.calls, step.share) for step in result.summary().steps]
        [('src', 1, 0.25), ('add', 1, 0.75)]
        """
        return Summary.of(self._flow_journal)

    def draw_timeline(
        self, style: str | None = None, *, file: File | None = None, format: str | None = None
    ) -> None:
        """Draw a timeline: the calls of each step, and each output with its work and waits.

        Outputs wait between the end of one step and the start of the next. Failed calls are marked,
        and so are retries. If there are too many outputs to tell apart, neighbours are drawn as one
        row, which says how many it stands for.

        - `style`: `"text"`, `"matplot"`, `"matplot_dark"` (both need matplotlib), `"html"`, one
          file in which one can zoom, filter and look at inputs, or `"trace"`, a trace in Chrome's
          JSON format for Perfetto and speedscope, with a lane for each slot of each step; by
          default the style of the file's ending, else `"html"` in a notebook and `"text"` outside
        - `file`: a path, or a stream of text or bytes; without one, the drawing is shown in the
          notebook, and a text printed
        - `format`: `"txt"`, `"html"`, `"json"`, `"png"`, `"svg"` or `"pdf"`, if the file has no
          ending

        The drawing is made before anything is written. Raises UsageError (a RuntimeError) for a
        result without times, or for a picture without a notebook to show it, ValueError for an
        unknown style or format, TypeError for an invalid file, ImportError without matplotlib.

        >>> src = {"x": 1, "[start]": 0.0, "[end]": 0.5}
        >>> result = RunResult([{"src": src, "add": {"y": 2, "[start]": 1.0, "[end]": 2.0}}])
        >>> result.draw_timeline("text")
        1 output from 2 calls.
        ...
        """
        from ..viz._timeline.draw import draw_timeline

        draw_timeline(self, style, file, format)
