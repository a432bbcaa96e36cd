"""The pandas data frame of outputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from .._common.messages import install_hint
from .rows import Column, Rows, columns_of, expanded, simplify

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["data_frame"]

#: The nullable dtypes for what pandas finds in a column, the first one that fits. They are not
#: left to `convert_dtypes`, which makes whole floats integers, drops imaginary parts, and raises
#: for integers of more than 64 bits and for half of a surrogate pair.
_DTYPES: Final = {
    "boolean": ("boolean",),
    "floating": ("Float64",),
    "integer": ("Int64", "UInt64"),
    "mixed-integer-float": ("Float64",),
    "string": ("string", "string[python]"),
}


def data_frame(rows: Rows, by_path: bool, simplified: bool, expand: bool = False) -> pd.DataFrame:
    """The rows as `RunResult.to_frame` returns them, with a level `path` if they are `by_path`, and
    levels for the keys of nested dictionaries if they are to `expand`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(install_hint("RunResult.to_frame()", "pandas")) from error
    count = len(rows)
    columns = columns_of(expanded(rows) if expand else rows, count)
    names = _expanded_names(columns) if expand else _column_names(columns)
    series: dict[int, pd.Series[Any]] = {}
    for number, column in enumerate([*columns]):
        values = columns.pop(column)  # so that each list makes room for its series
        if simplified:
            simplify(values, column, rows.place)
        series[number] = _series(values)
    frame = pd.DataFrame(series, index=pd.RangeIndex(count))
    frame.index = _index(rows, by_path)
    frame.columns = names
    return frame


def _column_names(columns: Iterable[Column]) -> pd.MultiIndex:
    import pandas as pd

    listed = [*columns]
    levels = [[step for step, _ in listed], [attribute for _, attribute in listed]]
    return pd.MultiIndex.from_arrays(levels, names=["step", "attribute"])


def _expanded_names(columns: Iterable[tuple[str, Any]]) -> pd.MultiIndex:
    import pandas as pd

    ways = [(step, *way) for step, way in columns]
    depth = max(map(len, ways), default=2)
    # Empty text, which pandas leaves out where a column is asked for.
    padded = [way + ("",) * (depth - len(way)) for way in ways]
    names = ["step", "attribute", *(f"key{level}" for level in range(1, depth - 1))]
    levels = [[way[level] for way in padded] for level in range(depth)]
    return pd.MultiIndex.from_arrays(levels, names=names)


def _index(rows: Rows, by_path: bool) -> pd.Index[Any]:
    import pandas as pd

    if not by_path:
        return pd.RangeIndex(len(rows), name="item")
    sizes = [len(outputs) for outputs in rows.paths.values()]
    labels = [label for label, size in zip(rows.labels, sizes, strict=True) for _ in range(size)]
    items = [item for size in sizes for item in range(size)]
    kind = "int64" if rows.names is None else None
    levels = [pd.Index(labels, dtype=kind), pd.Index(items, dtype="int64")]
    return pd.MultiIndex.from_arrays(levels, names=["path", "item"])


def _series(values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    series: pd.Series[Any] = pd.Series(values, dtype=object)
    dtypes = _DTYPES.get(pd.api.types.infer_dtype(series, skipna=True))
    if dtypes is None:
        try:
            return series.infer_objects()
        except OverflowError:  # a whole number that is too large for a float
            return series
    for dtype in dtypes:
        if dtype == "UInt64" and (series.dropna() < 0).any():
            break  # numpy 1 wraps negative numbers round
        try:
            # pandas 3 finds strings three times as fast as it converts to them.
            found = series.infer_objects() if dtype == "string" else series
            return found.astype(pd.api.types.pandas_dtype(dtype))
        except (OverflowError, TypeError, ValueError):
            pass  # the next one, or the objects as they are
    return series
