"""The Arrow table of outputs."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from numbers import Number
from typing import TYPE_CHECKING, Any, Final

from .._common.messages import install_hint, shown
from .._errors import InvalidProductError
from .rows import Column, OutputItems, Rows, columns_of, is_missing, named, simplify, text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_table"]

#: What pyarrow puts into one column without a word, and so loses a time of day, or takes True for
#: 1.0, a number for a duration, a string for bytes. Of all else it mixes what goes together, and
#: refuses the rest.
_TYPE_FAMILIES: Final = (
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    bool,
    Number,
    str,
    (bytes, bytearray, memoryview),
)


#: Scalars of numpy that are of another family than their classes say. Beside whole numbers pyarrow
#: cuts off the fractions of a float16, and beside a datetime64 a number ends the interpreter.
_NUMPY: Final = {
    "bool": bool,
    "bool_": bool,
    "datetime64": dt.datetime,
    "timedelta64": dt.timedelta,
    "float16": "float16",
}


def arrow_table(rows: Rows, simplified: bool, batch_size: int) -> pa.Table:
    """The rows as `RunResult.to_arrow` returns them."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError(install_hint("RunResult.to_arrow()", "pyarrow")) from error
    built = _in_batches(rows, simplified, batch_size)
    # A column whose batches have no common type, or can't be converted, is built in one piece.
    again = {column for column, chunks in built.items() if not chunks.agree()}
    if again:
        for column, values in columns_of(_only(rows, again), len(rows)).items():
            built[column] = _Chunks()
            built[column].add(0, _in_one_piece(values, column, rows.place, simplified))
    arrays, fields = _numbering(rows)
    for (step, attribute), chunks in built.items():
        arrays.append(chunks.joined(len(rows)))
        origin = {"step": str(step), "attribute": str(attribute)}
        fields.append(pa.field(f"{step}.{attribute}", arrays[-1].type, metadata=origin))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _numbering(rows: Rows) -> tuple[list[Any], list[Any]]:
    """The columns `path` and `item`, and their fields."""
    import pyarrow as pa

    kinds = (pa.int32() if rows.names is None else pa.string(), pa.int64())
    chunks: tuple[list[Any], list[Any]] = ([], [])
    for label, outputs in zip(rows.labels, rows.paths.values(), strict=True):
        chunks[0].append(pa.repeat(pa.scalar(label, kinds[0]), len(outputs)))
        chunks[1].append(pa.array(range(len(outputs)), kinds[1]))
    arrays = [pa.chunked_array(each, kind) for each, kind in zip(chunks, kinds, strict=True)]
    # In one piece: a run may have a thousand paths.
    return (
        [array.combine_chunks() for array in arrays],
        [pa.field(name, kind) for name, kind in zip(("path", "item"), kinds, strict=True)],
    )


class _Chunks:
    """The pieces of one column, from the top down."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []
        self.length = 0
        self.failed = False

    def add(self, start: int, piece: pa.Array | pa.ChunkedArray) -> None:
        """Add a piece at the row `start`; the rows before it that have none get nulls."""
        self._fill(start)
        # A piece of more than 2 GiB of text comes in chunks of its own.
        self.pieces += getattr(piece, "chunks", [piece])
        self.length += len(piece)

    def _fill(self, until: int) -> None:
        import pyarrow as pa

        if until > self.length:
            self.pieces.append(pa.nulls(until - self.length))
            self.length = until

    def types(self) -> set[Any]:
        import pyarrow as pa

        return {piece.type for piece in self.pieces} - {pa.null()}

    def agree(self) -> bool:
        return not self.failed and len(self.types()) <= 1

    def joined(self, count: int) -> pa.ChunkedArray:
        import pyarrow as pa

        self._fill(count)
        kind = next(iter(self.types()), pa.null())
        pieces = [
            piece if piece.type == kind else pa.nulls(len(piece), kind) for piece in self.pieces
        ]
        return pa.chunked_array(pieces, kind)


def _in_batches(rows: Rows, simplified: bool, batch_size: int) -> dict[Column, _Chunks]:
    built: dict[Column, _Chunks] = {}
    outputs, count = iter(rows), len(rows)
    for start in range(0, count, batch_size):
        size = min(batch_size, count - start)
        for column, values in columns_of(islice(outputs, size), size).items():
            chunks = built.get(column)
            if chunks is None:
                chunks = built[column] = _Chunks()
            if chunks.failed:
                continue
            if simplified:
                simplify(values, column, rows.place, start)
            try:
                chunks.add(start, _array(values))
            except Exception:
                chunks.failed = True
    return built


def _only(rows: Iterable[OutputItems], columns: set[Column]) -> Iterator[OutputItems]:
    for row in rows:
        yield (
            (step, {name: value for name, value in added.items() if (step, name) in columns})
            for step, added in row
        )


def _in_one_piece(
    values: list[Any], column: Column, place: Callable[[int], str], simplified: bool
) -> pa.Array | pa.ChunkedArray:
    if simplified:
        simplify(values, column, place)
    try:
        return _array(values)
    except Exception as error:
        if simplified:
            return _strings(values, column, place)
        raise _refusal(values, column, place) from error


def _array(values: list[Any]) -> pa.Array | pa.ChunkedArray:
    """The values as an Arrow array, of the type that pyarrow finds for them.

    Raises whatever pyarrow does, and ValueError where it would change values instead.
    """
    import pyarrow as pa

    kinds = set(map(type, values))
    if missing := {kind for kind in kinds if is_missing(kind)}:
        values = [None if type(value) in missing else value for value in values]
        kinds -= missing
    families = set(map(_family, kinds)) - {None}
    if len(families) > 1:
        raise ValueError("values of several families")
    if families & {dt.datetime, dt.time, dt.timedelta}:
        _check_times(values)
    return pa.array(values)


def _family(kind: type) -> object:
    if kind.__module__ == "numpy" and kind.__name__ in _NUMPY:
        return _NUMPY[kind.__name__]
    return next((family for family in _TYPE_FAMILIES if issubclass(kind, family)), None)


def _check_times(values: list[Any]) -> None:
    zoned = {value.tzinfo is not None for value in values if isinstance(value, dt.datetime)}
    if len(zoned) > 1:
        raise ValueError("times with and without a zone")
    for value in values:
        if isinstance(value, dt.time) and value.tzinfo is not None:
            raise ValueError("a time of day with a zone")
        # Those of pandas have nanoseconds, and pyarrow cuts them off.
        if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
            raise ValueError("a time with nanoseconds")


def _strings(
    values: list[Any], column: Column, place: Callable[[int], str]
) -> pa.Array | pa.ChunkedArray:
    import pyarrow as pa

    kinds = {kind for kind in set(map(type, values)) if is_missing(kind)} | {type(None)}
    texts = [
        None if type(value) in kinds else text(value, column, place, number)
        for number, value in enumerate(values)
    ]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, which no Arrow string can hold
        safe = [each and each.encode(errors="backslashreplace").decode() for each in texts]
        return pa.array(safe, pa.string())


def _refusal(values: list[Any], column: Column, place: Callable[[int], str]) -> InvalidProductError:
    """Name the first value that doesn't go with those before it, and the first of these."""

    def fails(*part: Any) -> bool:
        try:
            _array([*part])
        except Exception:
            return True
        return False

    rows = range(len(values))
    last = bisect_left(rows, True, hi=len(rows) - 1, key=lambda row: fails(*values[: row + 1]))
    said = f"to_arrow(): {named(column)} is"
    culprit = f"{shown(values[last])} in {place(last)}"
    if fails(values[last]):
        return InvalidProductError(
            f"{said} {culprit}, which Arrow can't hold; use to_arrow(simplify=True) to turn such"
            " values into strings"
        )
    first = bisect_left(
        rows, True, hi=last, key=lambda row: fails(*values[: row + 1], values[last])
    )
    return InvalidProductError(
        f"{said} {shown(values[first])} in {place(first)}, but {culprit}; a column of an Arrow"
        " table has one type: use to_arrow(simplify=True) to turn the values of such a column into"
        " strings"
    )
