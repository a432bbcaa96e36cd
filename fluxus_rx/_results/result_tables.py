"""The outputs of a run as a table, of pandas or of Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._common.messages import check_whole_number
from .arrow import arrow_table
from .data_frame import data_frame
from .result_paths import ResultPaths

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["ResultTables"]


class ResultTables(ResultPaths):
    """What a result gives as a table."""

    def to_frame(
        self, path: int | str | None = None, simplify: bool = False, expand: bool = False
    ) -> pd.DataFrame:
        """The outputs as a pandas data frame, one row each; needs pandas.

        Rows have the index level `item`, counted per path from 0, under a level `path` where the
        result has several paths and `path` doesn't choose one of them, by its number or its name
        (see `paths`). That level has the names of the paths if `path()` has named a branch of the
        flow, else their numbers.

        Columns have two levels, step and attribute, in order of appearance, and dtypes that don't
        depend on whether a value is missing: `Int64` (`UInt64`) for whole numbers, `Float64` for
        other numbers, `boolean`, `string`, what pandas has for times, and objects for anything else
        and for a mixture; NaN counts as missing. No outputs give an empty frame.

        `simplify` turns values into strings that are no numbers, booleans, strings, bytes, dates,
        times, `Decimal`, numpy scalars or None; enums that are numbers or strings stay that.
        `expand` makes columns of what dictionaries hold, however deep, under levels `key1`, `key2`
        and so on, empty text in other columns. An empty dictionary adds no column.

        The result stays as it is, and is not copied. Time and memory are linear in the cells, rows
        times columns: outputs that have nothing in common make a frame that is mostly missing.

        Raises IndexError or KeyError for a path that isn't there, TypeError for one that is neither
        number nor name, ImportError without pandas; and what the `str()` of a value raises, with a
        note that tells where it is.

        >>> from fluxus_rx import RunResult
        >>> RunResult([{"src": {"x": 1}}]).to_frame()  # doctest: +NORMALIZE_WHITESPACE
        step      src
        attribute   x
        item
        0           1
        """
        rows = self._rows(path)
        by_path = len(rows.paths) > 1 or (path is None and len(self) > 1)
        return data_frame(rows, by_path, simplify, expand)

    def to_arrow(
        self, path: int | str | None = None, simplify: bool = False, batch_size: int = 10_000
    ) -> pa.Table:
        """The outputs as a table of Apache Arrow, one row each; needs pyarrow.

        Columns are `path`, as in `to_frame`, and `item`, counted per path from 0, then
        `step.attribute` in order of appearance, with the two names in the metadata of the field;
        what a row has no value for is null, and NaN is NaN. Types are those that pyarrow finds for
        all values of a column: lists and dictionaries are nested, whole numbers beside others
        become floats. No outputs give a table without rows. For pandas there is `to_frame`, for
        Parquet, Polars, DuckDB and other readers of Arrow this.

        The table is built `batch_size` rows at a time, a chunk each. Beside the table itself that
        takes the memory of a batch: the result stays as it is, and is not copied. A column whose
        batches are of several types is built once more, in one piece, so that the size of the
        batches changes no value and no type. Time is linear in the cells.

        `simplify` turns values into strings as it does in `to_frame`, and all values of a column
        that is then still not of one type, or of none that Arrow has.

        Raises `InvalidProductError` (a TypeError) for a value that Arrow can't hold, or holds in
        no column with those before it, and names the step, the attribute, and the items; within
        lists and dictionaries pyarrow decides what goes together. Raises IndexError or KeyError for
        a path that isn't there, TypeError for one that is neither number nor name,
        `InvalidOptionError` (a ValueError) for a batch without rows, ImportError without pyarrow;
        and what the `str()` of a value raises, with a note that tells where it is.

        >>> from fluxus_rx import RunResult
        >>> table = RunResult([{"src": {"x": 1}}, {"src": {"x": 0.5}}]).to_arrow()
        >>> table.to_pydict()
        {'path': [0, 0], 'item': [0, 1], 'src.x': [1.0, 0.5]}
        """
        check_whole_number("batch_size", batch_size, "rows", who="to_arrow()")
        return arrow_table(self._rows(path), simplify, batch_size)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The table of `to_arrow()`, for libraries that read streams by the PyCapsule interface of
        Arrow; needs pyarrow.

        So `polars.from_dataframe(result)`, `pyarrow.table(result)` and queries of DuckDB
        (`duckdb.sql("FROM result")`) read a result as it is. Raises what `to_arrow` raises.

        >>> import pyarrow
        >>> from fluxus_rx import RunResult
        >>> pyarrow.table(RunResult([{"src": {"x": 1}}])).column_names
        ['path', 'item', 'src.x']
        """
        return self.to_arrow().__arrow_c_stream__(requested_schema)
