"""RunResult: a sequence of paths that can be read, compared, printed and made a frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fluxus_rx import RunResult, parallel, passthrough, run, step


def flow() -> Any:
    """Two inputs, two paths; the second path has the first input only."""
    return step("src", [{"x": 1}, {"x": 2}]) >> parallel(
        step("double", lambda x: {"x": 2 * x, "text": f"{x}!"}),
        step("first", lambda x: [{"y": 0.5}] if x == 1 else []),
    )


Path = list[dict[str, dict[str, Any]]]

FIRST: Path = [
    {"src": {"x": 1}, "double": {"x": 2, "text": "1!"}},
    {"src": {"x": 2}, "double": {"x": 4, "text": "2!"}},
]
SECOND: Path = [{"src": {"x": 1}, "first": {"y": 0.5}}]


class TestSequence:
    def test_a_result_is_a_sequence_of_paths(self) -> None:
        """Its length is the number of paths, its items are the outputs of each."""
        result = run(flow())

        assert len(result) == 2
        assert list(result) == [FIRST, SECOND]
        assert result[0] == FIRST
        assert result[1] == result[-1] == SECOND

    @pytest.mark.parametrize("index", [2, -3])
    def test_a_path_that_is_not_there_is_an_index_error(self, index: int) -> None:
        """Indexing beyond the paths fails as it does for a list."""
        with pytest.raises(IndexError):
            run(flow())[index]

    def test_outputs_come_path_by_path(self) -> None:
        """get_outputs() iterates over all outputs, those of the first path first."""
        outputs = run(flow()).get_outputs()

        assert isinstance(outputs, Iterator)
        assert list(outputs) == FIRST + SECOND

    def test_outputs_per_path_are_iterators(self) -> None:
        """get_outputs_per_path() is a list of one iterator for each path."""
        paths = run(flow()).get_outputs_per_path()

        assert isinstance(paths, list)
        assert all(isinstance(path, Iterator) for path in paths)
        assert [list(path) for path in paths] == [FIRST, SECOND]

    def test_a_result_can_be_read_again_and_again(self) -> None:
        """Reading a result uses nothing up."""
        result = run(flow())

        assert list(result.get_outputs()) == list(result.get_outputs())
        assert list(result) == list(result)

    def test_outputs_are_plain_dictionaries(self) -> None:
        """What comes out is made of lists and dictionaries and nothing else."""
        result = run(flow())

        assert {type(path) for path in result} == {list}
        assert {type(output) for output in result.get_outputs()} == {dict}
        assert {type(part) for output in result.get_outputs() for part in output.values()} == {dict}


class TestEquality:
    def test_equal_outputs_are_equal_results(self) -> None:
        """Results are equal if their paths are."""
        assert run(flow()) == run(flow())
        assert run(flow()) == RunResult(FIRST, SECOND)

    @pytest.mark.parametrize(
        "other",
        [
            RunResult(SECOND, FIRST),
            RunResult(FIRST),
            RunResult(FIRST, SECOND, []),
            RunResult(FIRST, []),
            RunResult(FIRST[::-1], SECOND),
            [FIRST, SECOND],
            None,
        ],
    )
    def test_other_outputs_or_another_order_are_not(self, other: Any) -> None:
        """The order of paths and outputs counts, and so does the type."""
        assert run(flow()) != other
        assert (run(flow()) == other) is False

    def test_a_result_without_paths_is_not_one_with_an_empty_path(self) -> None:
        """An empty path is a path."""
        assert RunResult() != RunResult([])
        assert RunResult([]) == RunResult([])


class TestRepr:
    @pytest.mark.parametrize(
        "result",
        [
            RunResult(),
            RunResult([]),
            RunResult([], []),
            RunResult([{}]),
            RunResult(FIRST, SECOND),
            RunResult([{"src": {"x": None, "class": [1, (2,), {"a": 'b"\n'}]}}] * 50, []),
        ],
    )
    def test_a_repr_can_be_pasted_back(self, result: RunResult) -> None:
        """eval(repr(result)) is an equal result."""
        assert eval(repr(result), {"RunResult": RunResult}) == result

    def test_the_repr_of_a_run_can_be_pasted_back(self) -> None:
        """This holds for what a run gives, with and without times."""
        for timestamps in (False, True):
            result = run(flow(), timestamps=timestamps)

            assert eval(repr(result), {"RunResult": RunResult}) == result

    def test_a_short_repr_is_one_line(self) -> None:
        """A small result reads as one expression."""
        assert repr(run(step("src", {"x": 1}))) == "RunResult([{'src': {'x': 1}}])"
        assert repr(run(step("src", []))) == "RunResult([])"

    def test_str_is_repr(self) -> None:
        """Printing a result shows the expression."""
        assert str(run(step("src", {"x": 1}))) == "RunResult([{'src': {'x': 1}}])"


def columns(frame: Any) -> list[Any]:
    return list(frame.columns)


class TestFrame:
    pandas = pytest.importorskip("pandas")

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
        assert self.pandas.isna(row["n"])

    def test_values_that_are_arrays_or_frames_are_cells(self) -> None:
        """A frame within a frame is an object like any other."""
        inner = self.pandas.DataFrame({"a": [1, 2]})

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
