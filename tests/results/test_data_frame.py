"""RunResult.to_frame(): the outputs as a data frame."""

from __future__ import annotations

import datetime as dt
import enum
import sys
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import DictProduct, RunResult, parallel, passthrough, run, step
from tests.support.graphs import Recorder, flows, seeds
from tests.support.oracle import Graph

pd: Any = pytest.importorskip("pandas")

MINUTE = dt.timedelta(minutes=1)
NOON = dt.datetime(2024, 2, 29, 12)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mood(enum.StrEnum):
    GLAD = "glad"


class Silent:
    """Something without words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def flow() -> Any:
    """Two inputs, two paths; the second path has the first input only."""
    return step("src", [{"x": 1}, {"x": 2}]) >> parallel(
        step("double", lambda x: {"x": 2 * x, "text": f"{x}!"}),
        step("first", lambda x: [{"y": 0.5}] if x == 1 else []),
    )


def of(*values: Any) -> RunResult:
    """A result of one path whose outputs have one attribute each."""
    return RunResult([{"src": {"x": value}} for value in values])


def column(*values: Any, simplify: bool = False) -> Any:
    """The column of these values in a frame."""
    return of(*values).to_frame(simplify=simplify)["src", "x"]


def columns(frame: Any) -> list[Any]:
    return list(frame.columns)


class TestFrame:
    def test_one_path_is_a_frame_of_items(self) -> None:
        """Rows are counted by `item`; columns have the levels step and attribute."""
        frame = run(step("src", [{"x": 1}, {"x": 2}])).to_frame()

        assert list(frame.index.names) == ["item"]
        assert list(frame.index) == [0, 1]
        assert columns(frame) == [("src", "x")]
        assert list(frame.columns.names) == ["step", "attribute"]
        assert list(frame["src", "x"]) == [1, 2]

    def test_several_paths_are_under_a_level_of_their_own(self) -> None:
        """With more than one path there is a level `path`, and items are counted in each."""
        frame = run(flow()).to_frame()

        assert list(frame.index.names) == ["path", "item"]
        assert list(frame.index) == [(0, 0), (0, 1), (1, 0)]
        assert columns(frame) == [
            ("src", "x"),
            ("double", "x"),
            ("double", "text"),
            ("first", "y"),
        ]
        assert list(frame["src", "x"]) == [1, 2, 1]
        assert list(frame["double", "text"])[:2] == ["1!", "2!"]

    def test_columns_have_nullable_types(self) -> None:
        """Whole numbers stay whole where a row has none; what is missing is NA."""
        frame = run(flow()).to_frame()

        assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "Int64", "string", "Float64"]
        assert list(frame["double", "x"].isna()) == [False, False, True]
        assert list(frame["first", "y"].isna()) == [True, True, False]

    def test_a_path_can_be_asked_for(self) -> None:
        """path=1 is a frame of that path, without the level of paths."""
        result = run(flow())

        frame = result.to_frame(path=1)

        assert list(frame.index.names) == ["item"]
        assert list(frame.index) == [0]
        assert columns(frame) == [("src", "x"), ("first", "y")]
        assert len(result.to_frame(path=0)) == 2

    def test_a_path_that_is_not_there_is_an_index_error(self) -> None:
        """Asking for a path beyond the last fails as indexing does."""
        with pytest.raises(IndexError, match="2"):
            run(flow()).to_frame(path=2)

    def test_complex_values_stay_as_they_are(self) -> None:
        """Lists, dictionaries and other objects are cells, not further levels."""
        values = {"a": [1, 2], "b": {"c": {"d": 1}}, "e": object(), "n": None}

        frame = run(step("src", [values, values])).to_frame()

        assert columns(frame) == [("src", name) for name in values]
        assert frame["src", "a"][0] == [1, 2]
        assert frame["src", "b"][1] == {"c": {"d": 1}}
        assert frame["src", "e"][0] is values["e"]

    def test_complex_values_can_be_made_text(self) -> None:
        """simplify=True makes text of what is neither text nor a number nor nothing."""
        values = {"a": [1, 2], "b": {"c": 1}, "i": 1, "f": 0.5, "s": "text", "n": None, "t": True}

        frame = run(step("src", [values])).to_frame(simplify=True)

        row = {attribute: frame["src", attribute][0] for attribute in values}
        assert row["a"] == "[1, 2]"
        assert row["b"] == "{'c': 1}"
        assert (row["i"], row["f"], row["s"], row["t"]) == (1, 0.5, "text", True)
        assert pd.isna(row["n"])

    def test_values_that_are_arrays_or_frames_are_cells(self) -> None:
        """A frame within a frame is an object like any other."""
        inner = pd.DataFrame({"a": [1, 2]})

        frame = run(step("src", [{"x": inner}, {"x": inner}])).to_frame()

        assert frame["src", "x"][1] is inner

    def test_a_step_that_occurs_twice_has_columns_twice(self) -> None:
        """Column names are those of the result."""
        inc = step("inc", lambda x: {"x": x + 1})

        frame = run(step("src", {"x": 1}) >> inc >> inc).to_frame()

        assert columns(frame) == [("src", "x"), ("inc", "x"), ("inc#1", "x")]

    def test_times_are_columns(self) -> None:
        """A frame of a run with times has them beside the attributes."""
        frame = run(step("src", {"x": 1}), timestamps=True).to_frame()

        assert columns(frame) == [("src", "x"), ("src", "[start]"), ("src", "[end]")]

    def test_products_of_which_nothing_shows_are_rows(self) -> None:
        """An output without attributes is a row of nothing."""
        frame = run(step("src", [{}, {"x": 1}])).to_frame()

        assert len(frame) == 2
        assert list(frame["src", "x"].isna()) == [True, False]

    def test_an_empty_path_has_no_rows(self) -> None:
        """Paths keep their numbers when one of them is empty."""
        group = parallel(step("none", lambda x: []), passthrough())

        frame = run(step("src", {"x": 1}) >> group).to_frame()

        assert list(frame.index.names) == ["path", "item"]
        assert list(frame.index) == [(1, 0)]

    @pytest.mark.parametrize("paths", [0, 1, 2])
    def test_a_frame_of_no_outputs_is_empty(self, paths: int) -> None:
        """A result without outputs is a frame without rows, with the levels that it would have."""
        frame = RunResult(*([[]] * paths)).to_frame()

        assert frame.empty
        assert len(frame) == 0
        assert list(frame.columns.names) == ["step", "attribute"]
        assert list(frame.index.names) == (["path", "item"] if paths == 2 else ["item"])
        for path in range(paths):
            assert RunResult(*([[]] * paths)).to_frame(path=path).empty

    def test_paths_are_numbers_whether_there_are_rows_or_not(self) -> None:
        """The levels of the index have the type of whole numbers in an empty frame too."""
        for result in (RunResult([], []), RunResult([{"src": {"x": 1}}], [])):
            index: Any = result.to_frame().index

            assert [str(dtype) for dtype in index.dtypes] == ["int64", "int64"]

    @pytest.mark.parametrize("path", [b"0", 0.5, [0], None.__class__])
    def test_a_path_must_be_a_number_or_a_name(self, path: Any) -> None:
        """Anything else is a TypeError that shows what came."""
        with pytest.raises(TypeError, match=r"path=.*expected the number or the name of a path"):
            RunResult([]).to_frame(path=path)

    def test_paths_are_counted_from_the_end_as_well(self) -> None:
        """path=-1 is the last path, as in indexing."""
        assert columns(run(flow()).to_frame(path=-1)) == [("src", "x"), ("first", "y")]

    def test_without_pandas_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names the package."""
        monkeypatch.setitem(sys.modules, "pandas", None)

        with pytest.raises(ImportError, match=r'pip install "pandas>=2\.1"'):
            of(1).to_frame()

    def test_many_columns_are_no_trouble(self) -> None:
        """A frame of 2,000 columns is made, and takes another one, without a warning."""
        for value in (1, [1]):
            frame = RunResult([{"src": {f"a{i}": value for i in range(2_000)}}] * 3).to_frame()
            frame["more", "x"] = 1

            assert frame.shape == (3, 2_001)

    def test_rows_that_have_nothing_in_common_are_a_frame(self) -> None:
        """Each row has its own column, and is missing in all others."""
        frame = RunResult([{"src": {f"a{i}": i}} for i in range(50)]).to_frame()

        assert frame.shape == (50, 50)
        assert int(frame.notna().sum().sum()) == 50
        assert [frame["src", f"a{i}"][i] for i in range(50)] == [*range(50)]


class TestTypes:
    @pytest.mark.parametrize(
        ("values", "dtype"),
        [
            ([1, 2], "Int64"),
            ([1, None], "Int64"),
            ([Level.HIGH, 1], "Int64"),
            ([2**63, None], "UInt64"),
            ([1.0, 2.0], "Float64"),
            ([1.5, None], "Float64"),
            ([1, 2.5], "Float64"),
            ([True, None], "boolean"),
            (["a", None], "string"),
            ([Mood.GLAD, "sad"], "string"),
            (["\ud800", "a"], "string"),
            ([1j, 2.0], "complex128"),
            ([2**70, 1], "object"),
            ([2**63, -1], "object"),
            ([True, 1], "object"),
            ([1, "a"], "object"),
            ([None, None], "object"),
            ([b"a", None], "object"),
            ([Decimal("1.5"), None], "object"),
            ([NOON.date(), NOON], "object"),
            ([Colour.RED, None], "object"),
        ],
    )
    def test_a_column_has_the_type_of_its_values(self, values: list[Any], dtype: str) -> None:
        """No value changes, whatever its column is, and what is missing doesn't change the type."""
        made = column(*values)

        assert made.dtype == dtype
        assert [None if value is pd.NA else value for value in made] == values

    def test_times_are_those_of_pandas(self) -> None:
        """Dates with times and durations have types that pandas reckons with."""
        frame = RunResult([{"src": {"at": NOON, "took": MINUTE}}, {}]).to_frame()

        assert frame.dtypes["src", "at"].kind == "M"
        assert frame.dtypes["src", "took"].kind == "m"
        assert frame["src", "at"][0] + frame["src", "took"][0] == NOON + MINUTE
        assert list(frame["src", "at"].isna()) == [False, True]

    def test_nan_is_missing(self) -> None:
        """Nullable columns know one way to be missing."""
        assert list(column(float("nan"), 1.5, None).isna()) == [True, False, True]

    def test_numpy_scalars_are_values_like_others(self) -> None:
        """Their columns are those of Python's own numbers."""
        numpy = pytest.importorskip("numpy")

        assert column(numpy.int8(1), 300).dtype == "Int64"
        assert column(numpy.float64(1.5), None).dtype == "Float64"
        assert column(numpy.bool_(True), None).dtype == "boolean"


class TestSimplify:
    @pytest.mark.parametrize(
        "value",
        [
            None, True, 1, 2**70, 1.5, 1j, "text", b"bytes", Decimal("1.50"),
            NOON, NOON.date(), NOON.time(), MINUTE, Level.HIGH, Mood.GLAD,
        ],
        ids=repr,
    )  # fmt: skip
    def test_simple_values_stay(self, value: Any) -> None:
        """Numbers, strings, bytes and times are what a frame can hold as they are."""
        simplified, plain = column(value, simplify=True), column(value)

        assert simplified.dtype == plain.dtype
        assert simplified.equals(plain)

    def test_scalars_of_numpy_and_pandas_stay(self) -> None:
        """They are simple, and so is the mark of what is missing."""
        numpy = pytest.importorskip("numpy")

        assert column(numpy.float64(1.5), simplify=True).dtype == "Float64"
        assert list(column(1, pd.NA, simplify=True).isna()) == [False, True]
        assert list(column(NOON, pd.NaT, simplify=True).isna()) == [False, True]
        assert column(pd.Timestamp(NOON), simplify=True)[0] == NOON

    @pytest.mark.parametrize(
        "value",
        [
            [1], (1, 2), {"a": 1}, {1}, Colour.RED, uuid.UUID(int=1), range(3),
            pd.DataFrame({"a": [1]}), pd.Period("2024"), int, ValueError("text"),
        ],
        ids=lambda value: type(value).__name__,
    )  # fmt: skip
    def test_other_values_are_text(self, value: Any) -> None:
        """What is not simple is what `str()` makes of it."""
        made = column(value, None, simplify=True)

        assert made.dtype == "string"
        assert made[0] == str(value)
        assert made.isna()[1]

    def test_text_stands_beside_simple_values(self) -> None:
        """Only the values that are not simple turn into strings."""
        assert list(column(1, [2], simplify=True)) == [1, "[2]"]

    def test_an_error_in_str_tells_where_it_was(self) -> None:
        """The error itself is raised, with a note that names the step, the attribute, the item."""
        result = RunResult([{"src": {"x": 1}}], [{"src": {"x": 1}}, {"src": {"x": Silent()}}])

        with pytest.raises(RuntimeError, match="no words") as raised:
            result.to_frame(simplify=True)

        (note,) = raised.value.__notes__
        assert note == "in str() of the attribute 'x' of step 'src', item 1 of path 1"


class TestExpand:
    """`to_frame(expand=True)`."""

    def test_keys_of_dictionaries_are_levels_of_the_columns(self) -> None:
        """As deep as they are nested, in order of appearance; other columns end in empty text."""
        result = RunResult(
            [
                {"a": {"x": 1, "d": {"p": 2.5, "q": {"r": "s"}}}},
                {"a": {"x": 2, "d": {"p": 3.5}}, "b": {"d": [4]}},
            ]
        )
        frame: Any = result.to_frame(expand=True)
        assert frame.columns.names == ["step", "attribute", "key1", "key2"]
        assert {column: [*frame[column]] for column in frame.columns} == {
            ("a", "x", "", ""): [1, 2],
            ("a", "d", "p", ""): [2.5, 3.5],
            ("a", "d", "q", "r"): ["s", pd.NA],
            ("b", "d", "", ""): [None, [4]],
        }
        assert [*map(str, frame.dtypes)] == ["Int64", "Float64", "string", "object"]

    def test_without_dictionaries_the_frame_is_the_same(self) -> None:
        result = RunResult([{"a": {"x": 1, "y": [2]}}], [{"a": {"x": None}}])
        pd.testing.assert_frame_equal(result.to_frame(expand=True), result.to_frame())
        assert RunResult([]).to_frame(expand=True).empty

    def test_a_dictionary_that_is_empty_adds_no_column(self) -> None:
        frame = RunResult([{"a": {"x": 1, "d": {}}}]).to_frame(expand=True)
        assert [*frame.columns] == [("a", "x")]

    def test_a_value_in_place_of_a_dictionary_has_a_column_of_its_own(self) -> None:
        frame = RunResult([{"a": {"d": {"k": 1}}}, {"a": {"d": 2}}]).to_frame(expand=True)
        assert [*frame.columns] == [("a", "d", "k"), ("a", "d", "")]

    def test_a_dictionary_in_itself_is_a_value_there(self) -> None:
        """It has no end of keys."""
        ring: dict[str, Any] = {"k": 1}
        ring["more"] = ring
        frame = RunResult([{"a": {"d": ring}}]).to_frame(expand=True)
        assert [*frame.columns] == [("a", "d", "k"), ("a", "d", "more")]
        assert frame["a", "d", "more"][0] is ring

    @given(
        # pandas takes "" and "\0" for the same label.
        st.recursive(
            st.integers() | st.text("ab"),
            lambda values: st.dictionaries(st.text("ab"), values, max_size=3),
        )
    )
    def test_each_value_is_where_its_keys_lead(self, value: Any) -> None:
        """A law: the leaves of the dictionary, and no other cells."""

        def leaves(found: Any, way: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
            if not isinstance(found, dict):
                return {way: found}
            return {at: one for key in found for at, one in leaves(found[key], (*way, key)).items()}

        expected = leaves(value, ("a", "x"))
        frame: Any = RunResult([{"a": {"x": value}}]).to_frame(expand=True)
        depth = max(map(len, expected), default=2)
        cells = dict(zip(frame.columns, frame.iloc[0], strict=True)) if len(frame.columns) else {}
        padded = {way + ("",) * (depth - len(way)): one for way, one in expected.items()}
        assert cells == padded


class TestSource:
    @given(graph=flows(), seed=seeds, timestamps=st.booleans())
    def test_a_frame_of_products_is_that_of_their_outputs(
        self, graph: Graph, seed: int, timestamps: bool
    ) -> None:
        """It doesn't matter whether somebody has looked at the result before."""
        result = run(Recorder(seed).flow(graph), timestamps=timestamps)
        unseen = result.to_frame()
        outputs = list(result)

        pd.testing.assert_frame_equal(result.to_frame(), unseen)
        pd.testing.assert_frame_equal(RunResult(*outputs).to_frame(), unseen)

    @given(graph=flows(), seed=seeds)
    def test_a_frame_has_a_cell_for_each_attribute(self, graph: Graph, seed: int) -> None:
        """Row by row and column by column, a frame holds what the outputs hold, and no more."""
        result = run(Recorder(seed).flow(graph))
        frame = result.to_frame()
        outputs = list(result.get_outputs())

        assert len(frame) == len(outputs)
        assert int(frame.notna().sum().sum()) == sum(
            len(attributes) for output in outputs for attributes in output.values()
        )
        for number, output in enumerate(outputs):
            for name, attributes in output.items():
                for attribute, value in attributes.items():
                    assert frame[name, attribute].iloc[number] == value

    def test_a_frame_leaves_the_result_as_it_is(self) -> None:
        """Products aren't made dictionaries, and what the frame's owner changes stays his."""
        result = run(flow())
        assert all(isinstance(row, DictProduct) for row in result._paths[1].rows)
        kept = [[*map(id, path.rows)] for path in result._paths]
        frame = result.to_frame()
        assert [[*map(id, path.rows)] for path in result._paths] == kept

        frame.loc[:, ("src", "x")] = 7

        assert result == run(flow())
        assert list(result.to_frame()["src", "x"]) == [1, 2, 1]


def test_a_whole_number_too_large_for_a_float_is_an_object_beside_others() -> None:
    """Whatever stands beside it, it comes back as it was."""
    frame = RunResult([{"s": {"x": 10**400}}, {"s": {"x": "a"}}]).to_frame()
    assert frame["s", "x"].tolist() == [10**400, "a"]
