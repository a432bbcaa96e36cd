"""Results and failures as people read them: in a line, over lines, and in a notebook.

Whatever a result has, what is shown of it is small, and so is the work: outputs that aren't shown
are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from .._common.error_record import error_title
from .._common.messages import short
from .._common.notebook import folded, html_table
from .._common.text import counted, html_text, printable, shortened, width_of
from .._options.failure import Failure
from .._options.pending import Pending
from .rows import Column, PathOutputs

__all__ = [
    "FailureKind",
    "ResultView",
    "failure_kinds",
    "failures_html",
    "failures_text",
    "result_repr",
]

#: Of an expression: characters of all outputs and of one; paths, outputs, steps, and attributes.
_ROOM: Final = 900
_MOST_OF_OUTPUT: Final = 400
_MOST_PATHS: Final = 8
_MOST_OUTPUTS: Final = 8
_MOST_STEPS: Final = 12
_MOST_ATTRIBUTES: Final = 12
#: Characters of a value in a table.
_MOST_OF_VALUE: Final = 60
#: Cells of all tables of a result, rows of one of them, and columns.
_CELLS: Final = 400
_ROWS: Final = 20
_MOST_COLUMNS: Final = 16
#: Kinds of failures, and failures that a notebook lists.
_MOST_KINDS: Final = 20


def result_repr(paths: Sequence[PathOutputs]) -> str:
    """Outputs in a line of 2,000 characters at most: of a small result all of them."""
    texts, room = [], _ROOM
    for path in paths[:_MOST_PATHS]:
        shown: list[str] = []
        for row in islice(path.rows, _MOST_OUTPUTS):
            if room <= 0:
                break
            shown.append(shortened(_expression(row), min(room, _MOST_OF_OUTPUT)))
            room -= len(shown[-1])
        more = len(path.rows) - len(shown)
        texts.append(f"[{', '.join([*shown, f'and {more:,} more'] if more else shown)}]")
    if len(paths) > len(texts):
        texts.append(f"and {counted(len(paths) - len(texts), 'more path')}")
    return f"RunResult({', '.join(texts)})"


def _expression(row: Any) -> str:
    steps = (
        f"{short(step)}: {{{_joined((f'{short(name)}: {text}' for name, text in attributes))}}}"
        for step, attributes in _excerpt(row, times=True)
    )
    return f"{{{_joined(steps)}}}"


def _joined(texts: Iterable[str]) -> str:
    """The texts, of which no more are made than are shown."""
    found, room = [], _MOST_OF_OUTPUT
    for text in texts:
        found.append(text)
        room -= len(text)
        if room < 0:
            break
    return ", ".join(found)


def _excerpt(row: Any, times: bool = False) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    """The first steps of an output, with the first attributes of each as texts, and its times."""
    items = row.items() if isinstance(row, dict) else row.added()
    for step, attributes in islice(items, _MOST_STEPS):
        yield step, _texts_of(attributes, times)


def _texts_of(attributes: Mapping[str, Any], times: bool) -> Iterator[tuple[str, str]]:
    for name, value in islice(attributes.items(), _MOST_ATTRIBUTES):
        if times or name not in ("[start]", "[end]"):
            yield name, short(value, name)
    if len(attributes) > _MOST_ATTRIBUTES:
        yield "…", "…"


class FailureKind(NamedTuple):
    """Failures of one step with one class of errors."""

    step: str
    error: str
    failures: Sequence[Failure]


def failure_kinds(failures: Iterable[Failure]) -> list[FailureKind]:
    """The failures by step and by class of their error, in order of appearance."""
    found: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        found.setdefault((failure.step, error_title(failure.exception)[0]), []).append(failure)
    return [FailureKind(*kind, listed) for kind, listed in found.items()]


def failures_text(failures: Sequence[Failure], most: int, width: int) -> Iterator[str]:
    """The lines that tell of failures: the kinds, the commonest first."""
    kinds = sorted(failure_kinds(failures), key=lambda kind: -len(kind.failures))
    numbers = [f"{len(kind.failures):,}" for kind in kinds[:most]]
    for kind, number in zip(kinds, numbers, strict=False):
        said = printable(str(kind.failures[0]))
        first = f"{said}, for one" if len(kind.failures) > 1 else said
        yield shortened(f"{number.rjust(max(map(len, numbers)))}  {first}", width)
    if len(kinds) > most:
        yield f"and {counted(len(kinds) - most, 'more kind')} of failures"


def failures_html(failures: Sequence[Failure]) -> str:
    """The kinds of failures as a table, the commonest first, and the first failures, folded."""
    kinds = sorted(failure_kinds(failures), key=lambda kind: -len(kind.failures))
    rows = [
        [f"{len(kind.failures):,}", kind.step, kind.error, *_error_texts(kind.failures[0])]
        for kind in kinds[:_MOST_KINDS]
    ]
    table = html_table(
        [_single("failures", "step", "error", "for one", "given")],
        rows,
        [True, False, False, False, False],
    )
    if len(kinds) > _MOST_KINDS:
        table += f"<p>and {counted(len(kinds) - _MOST_KINDS, 'more kind')}</p>"
    each = html_table(
        [_single("path", "attempts", "error", "given")],
        [
            [shortened(str(one.path), 120), f"{one.attempts:,}", *_error_texts(one)]
            for one in failures[:_ROWS]
        ],
        [False, True, False, False],
    )
    title = f"the first {_ROWS} of them" if len(failures) > _ROWS else "each of them"
    return table + folded(title, each) if failures else "<p>no failures</p>"


def _error_texts(failure: Failure) -> tuple[str, str]:
    return short(failure.exception), short(_as_dict(failure.product))


def _as_dict(product: Any) -> Any:
    return dict(product) if isinstance(product, Mapping) else product


def _single(*texts: str) -> list[tuple[str, int]]:
    return [(text, 1) for text in texts]


class ResultView:
    """What is shown of a result: its paths by name, its failures, and what is pending."""

    def __init__(
        self,
        paths: Sequence[PathOutputs],
        names: Sequence[str],
        failures: Sequence[Failure],
        pending: Sequence[Pending],
        is_cut: bool,
    ) -> None:
        self._paths = paths
        self._names = names
        self._failures = failures
        self._pending = pending
        self._is_cut = is_cut

    @property
    def _headline(self) -> str:
        outputs = counted(sum(len(path.rows) for path in self._paths), "output")
        parts = [f"{outputs} on {counted(len(self._paths), 'path')}"]
        if self._failures:
            parts.append(counted(len(self._failures), "failure"))
        if self._pending:
            parts.append(f"{len(self._pending):,} pending")
        if self._is_cut:
            parts.append("ended before the sources did")
        return ", ".join(parts)

    def lines(self, outputs: int, width: int) -> Iterator[str]:
        """The lines of a text: so many outputs of each path."""
        yield self._headline
        most = max(outputs, _MOST_PATHS)
        for path, name in zip(self._paths[:most], self._names, strict=False):
            yield ""
            title = shortened(printable(str(name)), width - 20)
            yield f"{title}: {counted(len(path.rows), 'output')}"
            for number, row in enumerate(islice(path.rows, outputs)):
                yield from _block(f"{number:>{len(str(outputs - 1))}}", row, width)
            if len(path.rows) > outputs:
                yield f"… {len(path.rows) - outputs:,} more"
        if len(self._paths) > most:
            yield from ("", f"and {counted(len(self._paths) - most, 'more path')}")
        if self._failures:
            yield from ("", "failures")
            yield from failures_text(self._failures, _MOST_PATHS, width)
        if self._pending:
            yield from ("", "pending")
            yield from (
                shortened(printable(str(one)), width) for one in self._pending[:_MOST_PATHS]
            )
            if len(self._pending) > _MOST_PATHS:
                yield f"… {len(self._pending) - _MOST_PATHS:,} more"

    def html(self) -> str:
        """The same for a notebook: a table for each path, which folds."""
        parts, cells = [f"<p><b>{html_text(self._headline)}</b></p>"], _CELLS
        for number, (path, name) in enumerate(
            zip(self._paths[:_MOST_PATHS], self._names, strict=False)
        ):
            title = f"{shortened(str(name), 120)}: {counted(len(path.rows), 'output')}"
            table, used = _outputs_table(path.rows, cells)
            cells -= used
            parts.append(folded(title, table, is_open=not number))
        if len(self._paths) > _MOST_PATHS:
            more = counted(len(self._paths) - _MOST_PATHS, "more path")
            parts.append(f"<p>and {more}</p>")
        if self._failures:
            title = counted(len(self._failures), "failure")
            parts.append(folded(title, failures_html(self._failures), is_open=True))
        if self._pending:
            rows = [[str(one.path), short(_as_dict(one.product))] for one in self._pending[:_ROWS]]
            table = html_table([_single("path", "to be called with")], rows, [False, False])
            parts.append(folded(f"{len(self._pending):,} pending", table))
        return f"<div>{''.join(parts)}</div>"


def _block(number: str, row: Any, width: int) -> Iterator[str]:
    """An output: a line for each step."""
    told = [
        (shortened(printable(step), 24), _joined(f"{name}={text}" for name, text in attributes))
        for step, attributes in _excerpt(row)
    ]
    column = max((width_of(step) for step, _ in told), default=0)
    for index, (step, text) in enumerate(told):
        lead = number if not index else " " * len(number)
        padded = step + " " * (column - width_of(step))
        yield shortened(f"{lead}  {padded}  {printable(text)}", width)
    if not told:
        yield f"{number}  {{}}"


def _outputs_table(rows: Sequence[Any], cells: int) -> tuple[str, int]:
    """A table of the first outputs, and how many cells it has."""
    columns: dict[Column, None] = {}
    listed: list[dict[Column, str]] = []
    for row in islice(rows, _ROWS):
        cells_of_row = (
            ((step, name), shortened(text, _MOST_OF_VALUE))
            for step, attributes in _excerpt(row)
            for name, text in attributes
        )
        texts = dict(islice(cells_of_row, 2 * _MOST_COLUMNS))
        columns |= dict.fromkeys(texts)
        if len(listed) * min(len(columns), _MOST_COLUMNS) >= cells:
            break
        listed.append(texts)
    shown = sorted([*columns][:_MOST_COLUMNS], key=_by_step([*columns]))
    headings = [[("", 1), *_spans(step for step, _ in shown)]]
    headings.append([("", 1), *((name, 1) for _, name in shown)])
    body = [
        [str(number), *(texts.get(column, "") for column in shown)]
        for number, texts in enumerate(listed)
    ]
    numbers = [all(map(_is_number, column)) for column in zip(*body, strict=True)]
    table = html_table(headings, body, numbers) if listed else ""
    more = []
    if len(rows) > len(listed):
        more.append(f"{len(rows) - len(listed):,} more")
    if len(columns) > len(shown):
        more.append(counted(len(columns) - len(shown), "more column"))
    note = f"<p>… {', '.join(more)}</p>" if more else ""
    return table + note, len(listed) * len(shown)


def _is_number(text: str) -> bool:
    """Whether a cell is empty or a number, which stands on the right."""
    return not text or text.lstrip("-")[:1].isdigit()


def _by_step(columns: Sequence[Column]) -> Any:
    """Orders columns so that those of a step stand side by side, steps as they appear."""
    first: dict[str, int] = {}
    for step, _ in columns:
        first.setdefault(step, len(first))
    return lambda column: first[column[0]]


def _spans(steps: Iterable[str]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for step in steps:
        if found and found[-1][0] == step:
            found[-1] = (step, found[-1][1] + 1)
        else:
            found.append((step, 1))
    return found
