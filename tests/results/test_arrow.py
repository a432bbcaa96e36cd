"""RunResult.to_arrow(): the outputs as a table of Apache Arrow."""

from __future__ import annotations

import datetime as dt
import enum
import gc
import sys
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import FlowError, RunResult, parallel, run, step
from tests.support.graphs import Recorder, flows, seeds
from tests.support.oracle import Graph
from tests.support.subprocesses import python

pa: Any = pytest.importorskip("pyarrow")

NOON = dt.datetime(2024, 2, 29, 12)
UTC_NOON = NOON.replace(tzinfo=dt.UTC)


class Colour(enum.Enum):
    RED = "red"


class Silent:
    """Something without words."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


WITHOUT_PANDAS = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Absent())

from fluxus_rx import RunResult

result = RunResult([{"src": {"x": 1}}, {"src": {"x": [2]}}])
print(result.to_arrow(simplify=True)["src.x"].to_pylist(), "pandas" in sys.modules)
"""


def flow() -> Any:
    """Two inputs, two paths; the second path has the first input only."""
    return step("src", [{"x": 1}, {"x": 2}]) >> parallel(
        step("double", lambda x: {"x": 2 * x, "text": f"{x}!"}),
        step("first", lambda x: [{"y": 0.5}] if x == 1 else []),
    )


def of(*values: Any) -> RunResult:
    """A result of one path whose outputs have one attribute each."""
    return RunResult([{"src": {"x": value}} for value in values])


def column(*values: Any, **options: Any) -> Any:
    """The column of these values in a table."""
    return of(*values).to_arrow(**options).column("src.x")


def refusal(*values: Any, batch_size: int = 10_000) -> str:
    """What is said of a column that can't be."""
    with pytest.raises(TypeError) as raised:
        column(*values, batch_size=batch_size)
    assert isinstance(raised.value, FlowError)
    return str(raised.value)


class TestTable:
    def test_rows_are_numbered_and_columns_named_after_step_and_attribute(self) -> None:
        """Columns are path, item, and step.attribute in order of appearance; what isn't is null."""
        assert run(flow()).to_arrow().to_pydict() == {
            "path": [0, 0, 1],
            "item": [0, 1, 0],
            "src.x": [1, 2, 1],
            "double.x": [2, 4, None],
            "double.text": ["1!", "2!", None],
            "first.y": [None, None, 0.5],
        }

    def test_a_path_can_be_asked_for(self) -> None:
        """path=1 is a table of that path; it keeps its number."""
        for path in (1, -1):
            assert run(flow()).to_arrow(path=path).to_pylist() == [
                {"path": 1, "item": 0, "src.x": 1, "first.y": 0.5}
            ]

    @pytest.mark.parametrize("path", [2, -3])
    def test_a_path_that_is_not_there_is_an_index_error(self, path: int) -> None:
        """Asking for a path beyond the last fails as indexing does."""
        with pytest.raises(IndexError, match="from 0 to 1"):
            run(flow()).to_arrow(path=path)

    def test_a_path_must_be_a_number_or_a_name(self) -> None:
        """Anything else is a TypeError that shows what came."""
        with pytest.raises(TypeError, match="path=b'0'"):
            RunResult([]).to_arrow(path=b"0")  # type: ignore[arg-type]

    @pytest.mark.parametrize("size", [0, -1, 2.0, True, None])
    def test_a_batch_must_have_rows(self, size: Any) -> None:
        """A size that can't be is a ValueError, of a result without outputs too."""
        with pytest.raises(ValueError, match=r"batch_size=.*from 1 on"):
            RunResult().to_arrow(batch_size=size)

    @pytest.mark.parametrize("paths", [0, 1, 2])
    def test_a_table_of_no_outputs_has_no_rows(self, paths: int) -> None:
        """Its columns are the numbers, with their types."""
        for simplify in (False, True):
            table = RunResult(*([[]] * paths)).to_arrow(simplify=simplify)

            assert table.num_rows == 0
            assert table.schema.names == ["path", "item"]
            assert table.schema.types == [pa.int32(), pa.int64()]

    def test_outputs_without_attributes_are_rows(self) -> None:
        """A row of nothing is a row; with nothing else, it has its numbers."""
        assert RunResult([{}, {}]).to_arrow().to_pydict() == {"path": [0, 0], "item": [0, 1]}
        assert column(*[None] * 3).type == pa.null()
        assert run(step("src", [{}, {"x": 1}, {}])).to_arrow()["src.x"].to_pylist() == [
            *(None, 1, None)
        ]

    def test_a_step_that_occurs_twice_has_columns_twice(self) -> None:
        """Column names are those of the result, and fields know step and attribute apart."""
        inc = step("inc", lambda x: {"x": x + 1})

        schema = run(step("src", {"x": 1}) >> inc >> inc, timestamps=True).to_arrow().schema

        assert schema.names[2:] == [
            *("src.x", "src.[start]", "src.[end]"),
            *("inc.x", "inc.[start]", "inc.[end]"),
            *("inc#1.x", "inc#1.[start]", "inc#1.[end]"),
        ]
        assert schema.field("inc#1.x").metadata == {b"step": b"inc#1", b"attribute": b"x"}

    def test_a_table_is_for_other_programs_to_read(self, tmp_path: Any) -> None:
        """What is written as Parquet is read as it was."""
        parquet: Any = pytest.importorskip("pyarrow.parquet")
        table = run(flow()).to_arrow()

        parquet.write_table(table, tmp_path / "outputs.parquet")

        # Closed by name: left to itself, the file is one for the garbage collector.
        with parquet.ParquetFile(tmp_path / "outputs.parquet") as file:
            assert file.read().equals(table)

    def test_without_pyarrow_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names the package."""
        monkeypatch.setitem(sys.modules, "pyarrow", None)

        with pytest.raises(ImportError, match=r'pip install "pyarrow>=14"'):
            of(1).to_arrow()

    def test_pandas_is_not_needed(self) -> None:
        """A table is made where pandas is not installed."""
        ended = python("-c", WITHOUT_PANDAS)

        assert (ended.code, ended.out.strip()) == (0, "['1', '[2]'] False")


class TestTypes:
    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([1, None], pa.int64()),
            ([1.0, None], pa.float64()),
            ([1, 2.5], pa.float64()),
            ([2.5, None, 1], pa.float64()),
            ([True, None], pa.bool_()),
            (["a", None], pa.string()),
            ([b"a", bytearray(b"b")], pa.binary()),
            ([NOON, None], pa.timestamp("us")),
            ([UTC_NOON, None], pa.timestamp("us", "UTC")),
            ([NOON.date(), None], pa.date32()),
            ([NOON.time(), None], pa.time64("us")),
            ([dt.timedelta(1), None], pa.duration("us")),
            ([Decimal("1.50"), Decimal("100.5"), 1], pa.decimal128(5, 2)),
            ([[1], [2.5], [], None], pa.list_(pa.float64())),
            ([{"a": 1, "b": "x"}, None], pa.struct({"a": pa.int64(), "b": pa.string()})),
        ],
        ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
    )
    @pytest.mark.parametrize("batch_size", [1, 2, 100])
    def test_a_column_has_the_type_of_its_values(
        self, values: list[Any], kind: Any, batch_size: int
    ) -> None:
        """Values come out as they went in, in batches of any size."""
        made = column(*values, batch_size=batch_size)

        assert made.type == kind
        assert made.to_pylist() == values

    def test_dictionaries_have_the_keys_of_all(self) -> None:
        """What a dictionary doesn't have is null."""
        for batch_size in (1, 2):
            made = column({"a": 1}, {"b": "x"}, batch_size=batch_size)

            assert made.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]

    def test_nan_is_not_missing(self) -> None:
        """Arrow knows both, and so does the table."""
        made = column(float("nan"), None)

        assert made.null_count == 1
        assert str(made.to_pylist()) == "[nan, None]"

    def test_what_pandas_calls_missing_is_null(self) -> None:
        """NA and NaT have no type of their own."""
        pandas = pytest.importorskip("pandas")

        assert column(1, pandas.NA).to_pylist() == [1, None]
        assert column(NOON, pandas.NaT).to_pylist() == [NOON, None]

    def test_times_of_several_zones_are_the_same_times_in_the_first(self) -> None:
        """A column has one zone; no time changes."""
        later = UTC_NOON.astimezone(dt.timezone(dt.timedelta(hours=2)))
        for batch_size in (1, 2):
            made = column(UTC_NOON, later, batch_size=batch_size)

            assert made.to_pylist() == [UTC_NOON, later]
            assert made.type == pa.timestamp("us", "UTC")

    def test_arrays_are_lists(self) -> None:
        """An array of one dimension is a list; scalars of numpy keep their type."""
        numpy = pytest.importorskip("numpy")

        assert column(numpy.array([1, 2]), [3]).to_pylist() == [[1, 2], [3]]
        assert column(numpy.int8(1), None).type == pa.int8()
        assert column(numpy.int8(1), numpy.int64(300), batch_size=1).type == pa.int64()


class TestRefusals:
    def test_two_types_are_refused_by_name_of_step_attribute_and_items(self) -> None:
        """The message names both values and where they are, and the way out."""
        assert refusal(None, 1, 2, "a", "b") == (
            "to_arrow(): the attribute 'x' of step 'src' is 1 (int) in item 1 of path 0, but 'a'"
            " (str) in item 3 of path 0; a column of an Arrow table has one type: use"
            " to_arrow(simplify=True) to turn the values of such a column into strings"
        )

    def test_a_value_that_arrow_has_no_type_for_is_refused(self) -> None:
        """The message names the value, where it is, and the way out."""
        assert refusal(Colour.RED) == (
            "to_arrow(): the attribute 'x' of step 'src' is <Colour.RED: 'red'> (Colour) in item 0"
            " of path 0, which Arrow can't hold; use to_arrow(simplify=True) to turn such values"
            " into strings"
        )

    def test_the_place_is_that_in_its_path(self) -> None:
        """Items are counted in each path, whatever the batches are."""
        outputs: list[Any] = [{"a": {"x": 1}}, {"a": {"x": 2}}]
        result = RunResult([], outputs, [{"a": {"x": 3}}, {"b": {"x": 1}}, {"a": {"x": "4"}}])

        for batch_size in (1, 2, 3, 100):
            with pytest.raises(TypeError, match=r"item 0 of path 1, but '4' .str. in item 2 of"):
                result.to_arrow(batch_size=batch_size)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (1, "a"),
            (1, True),
            (0.5, True),
            ("a", b"a"),
            (NOON, NOON.date()),
            (NOON, UTC_NOON),
            (NOON, 1),
            (NOON.date(), 1),
            (dt.timedelta(1), 1),
            (NOON.time(), 1),
            (Decimal("0.5"), 0.5),
            ([1], 1),
            ([1], ["a"]),
            ([1], {"a": 1}),
            ({"a": 1}, {"a": "x"}),
            (2**60 + 1, 0.5),
        ],
    )
    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_no_value_is_changed_to_fit(self, first: Any, second: Any, batch_size: int) -> None:
        """What has no type in common without a loss is refused, in either order."""
        for values in ((first, second), (second, first)):
            said = refusal(*values, batch_size=batch_size)

            assert "in item 0 of path 0, but" in said
            assert "in item 1 of path 0; a column" in said

    @pytest.mark.parametrize(
        "value",
        [
            1j, 2**63, object(), range(3), {1: 2}, "\ud800", Decimal("nan"), dt.timedelta.max,
            NOON.time().replace(tzinfo=dt.UTC), Silent(),
        ],
        ids=lambda value: type(value).__name__,
    )  # fmt: skip
    def test_what_arrow_cannot_hold_is_refused(self, value: Any) -> None:
        """Neither changed nor cut off, and never a bare error of pyarrow."""
        for batch_size in (1, 2):
            assert "in item 1 of path 0, which Arrow can't hold" in refusal(
                None, value, batch_size=batch_size
            )

    def test_nanoseconds_are_not_cut_off(self) -> None:
        """Times of pandas are refused where they are finer than those of Python."""
        pandas = pytest.importorskip("pandas")
        fine = pandas.Timestamp(NOON) + pandas.Timedelta(1, "ns")

        assert "can't hold" in refusal(pandas.Timestamp(NOON), fine)
        assert column(pandas.Timestamp(NOON)).to_pylist() == [NOON]


class TestSimplify:
    def test_values_that_are_not_simple_are_text(self) -> None:
        """Lists and dictionaries turn into strings; the columns of simple values stay."""
        result = RunResult([{"src": {"a": [1], "b": {"c": 1}, "n": 1, "t": NOON, "z": None}}])

        assert result.to_arrow(simplify=True).to_pylist() == [
            {
                "path": 0,
                "item": 0,
                "src.a": "[1]",
                "src.b": "{'c': 1}",
                "src.n": 1,
                "src.t": NOON,
                "src.z": None,
            }
        ]

    @pytest.mark.parametrize(
        "values",
        [
            [1, "a", None],
            [1.0, "a"],
            [True, 1],
            [NOON, NOON.date()],
            ["a", b"a"],
            [1, [2]],
            [2**70, 1],
            [1j],
            [Decimal("nan"), Decimal("1.50")],
        ],
    )
    def test_a_column_of_no_type_is_text(self, values: list[Any]) -> None:
        """All of its values are what `str()` makes of them, in batches of any size."""
        for batch_size in (1, 100):
            made = column(*values, simplify=True, batch_size=batch_size)

            assert made.type == pa.string()
            assert made.to_pylist() == [None if each is None else str(each) for each in values]

    def test_text_that_is_not_unicode_is_escaped(self) -> None:
        """Half of a surrogate pair is in no Arrow string."""
        assert column("\ud800", "é", simplify=True).to_pylist() == ["\\ud800", "é"]

    def test_an_error_in_str_tells_where_it_was(self) -> None:
        """The error itself is raised, with a note that names the step, the attribute, the item."""
        with pytest.raises(RuntimeError, match="no words") as raised:
            column(1, 2, Silent(), simplify=True, batch_size=2)

        (note,) = raised.value.__notes__
        assert note == "in str() of the attribute 'x' of step 'src', item 2 of path 0"


scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 3), st.integers(), st.floats(allow_nan=False)),
    *(st.text(st.characters()), st.binary(), st.decimals(allow_nan=True, places=2)),
    *(st.dates(), st.times(), st.timedeltas(), st.datetimes()),
    *(st.datetimes(timezones=st.just(dt.UTC)), st.complex_numbers()),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=4,
)
#: Mostly of one kind, else there would be refusals and nothing else.
lists = st.one_of(
    st.lists(values, max_size=6),
    st.lists(st.none() | st.integers(-9, 9) | st.floats(-9, 9), max_size=6),
    st.lists(st.none() | st.lists(st.none() | st.integers(-9, 9) | st.floats(-9, 9)), max_size=6),
    st.lists(st.none() | st.text(max_size=3), max_size=6),
)


def outcome(make: Callable[[], Any]) -> Any:
    """The types and values of a table, or what is said instead."""
    try:
        table = make()
    except FlowError as error:
        return str(error)
    return table.schema.types, repr(table.to_pydict())


class TestLaws:
    @given(graph=flows(), seed=seeds, timestamps=st.booleans(), batch_size=st.integers(1, 9))
    def test_a_table_of_products_is_that_of_their_outputs(
        self, graph: Graph, seed: int, timestamps: bool, batch_size: int
    ) -> None:
        """It doesn't matter whether somebody has looked at the result before."""
        result = run(Recorder(seed).flow(graph), timestamps=timestamps)
        unseen = result.to_arrow(batch_size=batch_size)
        outputs = list(result)

        assert result.to_arrow().equals(unseen)
        assert RunResult(*outputs).to_arrow().equals(unseen)

    @given(graph=flows(), seed=seeds)
    def test_a_row_is_an_output(self, graph: Graph, seed: int) -> None:
        """But for what is null, a row holds the attributes of its output, and its numbers."""
        result = run(Recorder(seed).flow(graph))

        rows = [
            {name: value for name, value in row.items() if value is not None}
            for row in result.to_arrow(batch_size=3).to_pylist()
        ]

        assert rows == [
            {"path": path, "item": item}
            | {
                f"{name}.{attribute}": value
                for name, attributes in output.items()
                for attribute, value in attributes.items()
            }
            for path, outputs in enumerate(result)
            for item, output in enumerate(outputs)
        ]

    @given(given_values=lists, batch_size=st.integers(1, 4), simplify=st.booleans())
    def test_the_size_of_batches_changes_nothing(
        self, given_values: list[Any], batch_size: int, simplify: bool
    ) -> None:
        """Types, values and errors are those of one batch."""
        result = of(*given_values)

        assert outcome(lambda: result.to_arrow(simplify=simplify, batch_size=batch_size)) == (
            outcome(lambda: result.to_arrow(simplify=simplify))
        )

    @given(given_values=st.lists(scalars, max_size=6))
    def test_values_are_never_changed(self, given_values: list[Any]) -> None:
        """What is not refused comes out equal; a whole number may have become a float."""
        try:
            made = column(*given_values).to_pylist() if given_values else []
        except FlowError:
            return
        assert made == given_values

    @given(given_values=lists)
    def test_simplified_columns_are_never_refused(self, given_values: list[Any]) -> None:
        """simplify=True is the way out of every refusal."""
        assert of(*given_values).to_arrow(simplify=True).num_rows == len(given_values)


class TestMemory:
    @staticmethod
    def peak(make: Callable[[], Any]) -> int:
        """The most memory that Python's own objects take meanwhile."""
        gc.collect()
        tracemalloc.start()
        try:
            make()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_a_table_takes_no_dictionary_for_each_row(self) -> None:
        """Python holds a batch at a time, less than a twentieth of a list of all rows."""
        source = step("src", [{"x": x, "y": x} for x in range(20_000)])
        result = run(source >> step("double", lambda x: {"x": 2 * x}))
        result.to_arrow(path=0, batch_size=100)  # what pyarrow imports when it is used

        table = self.peak(lambda: result.to_arrow(batch_size=100))
        rows = self.peak(lambda: [{"x": 0, "y": 0, "z": 0} for _ in range(20_000)])

        assert table < rows / 20

    def test_products_stay_what_they_are(self) -> None:
        """A table makes no dictionaries of the lineage of products that come of others."""
        result = run(step("src", {"x": 1}) >> step("each", lambda x: [{"y": x}, {"y": 2 * x}]))

        assert result.to_arrow().num_rows == 2
        assert not isinstance(result._paths[0].rows[0], dict)

    def test_a_table_comes_in_chunks_of_batches(self) -> None:
        """No row is copied again for the sake of one piece."""
        assert [len(chunk) for chunk in column(*range(7), batch_size=3).chunks] == [3, 3, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.datetime64("2020-01-01T00:00:00"), np.int64(3)),
        (np.datetime64("2020-01-01T00:00:00"), np.bool_(True)),
        (np.timedelta64(1, "s"), np.float32(0.5)),
        (np.float16(1.5), -5),
    ],
    ids=repr,
)
def test_scalars_of_numpy_that_do_not_go_together_are_refused(first: Any, second: Any) -> None:
    """What pyarrow would cut off, or die of, is told with the way out."""
    result = RunResult([{"s": {"x": first}}, {"s": {"x": second}}])
    with pytest.raises(TypeError, match="simplify=True"):
        result.to_arrow()
    assert result.to_arrow(simplify=True)["s.x"].to_pylist() == [str(first), str(second)]
