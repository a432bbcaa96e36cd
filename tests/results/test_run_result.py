"""RunResult: a sequence of paths that can be read, compared and printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fluxus_rx import RunResult, parallel, run, step


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
            RunResult([{"src": {"x": None, "class": [1, (2,), {"a": 'b"\n'}]}}] * 5, []),
        ],
    )
    def test_the_repr_of_a_small_result_is_the_expression(self, result: RunResult) -> None:
        """As long as nothing in it is long, or secret."""
        assert eval(repr(result), {"RunResult": RunResult}) == result

    def test_the_repr_of_a_small_run_is_the_expression(self) -> None:
        """This holds for what a run returns, with and without times."""
        for timestamps in (False, True):
            result = run(flow(), timestamps=timestamps)

            assert eval(repr(result), {"RunResult": RunResult}) == result

    def test_a_short_repr_is_one_line(self) -> None:
        """A small result reads as one expression."""
        assert repr(run(step("src", {"x": 1}))) == "RunResult([{'src': {'x': 1}}])"
        assert repr(run(step("src", []))) == "RunResult([])"

    def test_str_is_the_text_of_several_lines(self) -> None:
        """Printing a result lays it out."""
        result = run(step("src", {"x": 1}))
        assert str(result) == result.pretty() == "1 output on 1 path\n\nsrc: 1 output\n0  src  x=1"
