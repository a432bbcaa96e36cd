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
    """A result as a table."""

    def to_frame(
        self, path: int | str | None = None, simplify: bool = False, expand: bool = False
    ) -> pd.DataFrame:
        """The outputs as a pandas data frame, one row each; needs pandas.

        Rows have the index level `item`, counted per path from 0. A level `path` is above it if the
        result has several paths and `path`, a number or a name (see `paths`), doesn't select one.
        That level has the names of the paths if `path()` has named a branch of the flow, else their
        numbers.

        Columns have two levels, step and attribute, in order of appearance. Their dtypes don't
        depend on whether a value is missing: `Int64` (`UInt64`) for whole numbers, `Float64` for
        other numbers, `boolean`, `string`, the types of pandas for times, and objects for anything
        else and for a mixture; NaN counts as missing. Without outputs, the frame is empty.

        `simplify` converts values to strings unless they are numbers, booleans, strings, bytes,
        dates, times, `Decimal`, numpy scalars or None; enums that are numbers or strings stay as
        they are. `expand` makes columns of the values in dictionaries, however deep, under levels
        `key1`, `key2` and so on, with empty text in other columns. An empty dictionary adds no
        column.

        The result is neither changed nor copied. Time and memory are linear in the cells, rows
        times columns: outputs without common attributes make a frame that is mostly missing.

        Raises IndexError or KeyError for an unknown path, TypeError for one that is neither number
        nor name, ImportError without pandas. An error of the `str()` of a value is raised with a
        note that tells where the value is.

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
        `step.attribute` in order of appearance, with the two names in the metadata of the field.
        Missing values are null, and NaN is NaN. Types are those that pyarrow finds for all values
        of a column: lists and dictionaries are nested, whole numbers beside others become floats.
        Without outputs, the table has no rows. `to_frame` makes a frame of pandas; use this for
        Parquet, Polars, DuckDB and other readers of Arrow.

        The table is built `batch_size` rows at a time, a chunk each. Beside the table itself this
        takes the memory of one batch: the result is neither changed nor copied. If the batches of a
        column have several types, the column is built again, in one piece, so the size of the
        batches changes no value and no type. Time is linear in the cells.

        `simplify` converts values to strings as in `to_frame`, and also all values of a column that
        still has several types, or one that Arrow doesn't have.

        Raises `InvalidProductError` (a TypeError), which names the step, the attribute and the
        items, for a value that Arrow can't hold, or can't hold in one column with those before it;
        within lists and dictionaries pyarrow decides what fits. Raises IndexError or KeyError for
        an unknown path, TypeError for one that is neither number nor name, `InvalidOptionError` (a
        ValueError) for a batch without rows, ImportError without pyarrow. An error of the `str()`
        of a value is raised with a note that tells where the value is.

        >>> from fluxus_rx import RunResult
        >>> table = RunResult([{"src": {"x": 1}}, {"src": {"x": 0.5}}]).to_arrow()
        >>> table.to_pydict()
        {'path': [0, 0], 'item': [0, 1], 'src.x': [1.0, 0.5]}
        """
        check_whole_number("batch_size", batch_size, "rows", who="to_arrow()")
        return arrow_table(self._rows(path), simplify, batch_size)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The table of `to_arrow()`, for libraries that read streams by Arrow's PyCapsule
        interface; needs pyarrow.

        So `polars.from_dataframe(result)`, `pyarrow.table(result)` and queries of DuckDB
        (`duckdb.sql("FROM result")`) read a result directly. Raises what `to_arrow` raises.

        >>> import pyarrow
        >>> from fluxus_rx import RunResult
        >>> pyarrow.table(RunResult([{"src": {"x": 1}}])).column_names
        ['path', 'item', 'src.x']
        """
        return self.to_arrow().__arrow_c_stream__(requested_schema)
