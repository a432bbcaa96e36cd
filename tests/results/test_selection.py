"""Results by name: their paths, the values of an attribute, and the outputs that have some."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from fluxus_rx import FlowError, RunResult, SimpleProducer, parallel, passthrough, path, run, step


def judge(n: int) -> Any:
    if n == 3:
        raise ValueError(n)
    return {"score": n / 2} if n != 2 else []


def judged() -> RunResult:
    """Two models and three inputs: one input is dropped by the judge, for one it fails."""
    source = step("numbers", [{"n": n, "even": not n % 2} for n in (1, 2, 3, 4)])
    models = path("alpha", tag("a")) & path("b", tag("b"))
    return run(source >> models >> step("judge", judge).options(on_error="collect"))


def tag(target: str) -> Any:
    return step("tag", lambda n: {"target": target})


class TestPaths:
    @pytest.mark.parametrize(
        ("name", "paths"), [("alpha", [0]), ("b", [1]), ("numbers → tag → judge", [])]
    )
    def test_a_name_gives_the_outputs_of_the_path(self, name: str, paths: list[int]) -> None:
        """A number goes on to do so; the steps of a path aren't a name where it has one."""
        result = judged()
        if not paths:
            with pytest.raises(KeyError):
                result[name]
            return
        assert result[name] is result[paths[0]]

    def test_the_name_of_a_branch_gives_all_its_paths(self) -> None:
        """One after the other; each of them has a name of its own as well."""
        source, end = step("n", [{"n": 1}]), step("end", lambda n: {"m": n})
        flow = source >> (path("a", end) & path("b", end)) >> (path("x", end) & path("y", end))
        result = run(flow)

        assert result.paths == ("a → x", "a → y", "b → x", "b → y")
        assert result["a"] == result[0] + result[1]
        assert result["y"] == result[1] + result[3]
        assert result["b → y"] is result[3]

    def test_paths_without_names_are_called_by_their_steps(self) -> None:
        """As the path of a failure is; two that are the same are numbered."""
        double = step("double", lambda n: {"n": 2 * n})
        result = run(parallel(double, double, double >> double), input={"n": 1})

        assert result.paths == (
            "input → double",
            "input → double#1",
            "input → double → double",
        )
        assert result["input → double#1"] is result[1]

    def test_the_name_of_a_branch_is_that_of_no_other_path(self) -> None:
        """Also where the steps of one are called so."""
        double = step("double", lambda n: {"n": 2 * n})
        result = run(parallel(passthrough(), path("input", double)), input={"n": 1})

        assert result.paths == ("input#1", "input")
        assert result["input"] is result[1]
        assert result["input#1"] is result[0]

    def test_a_name_that_is_not_there_is_a_key_error(self) -> None:
        """Which lists those that are, and tells of a step that has the name."""
        result = judged()
        with pytest.raises(KeyError, match=r"no path 'gamma' in this result.*'alpha', 'b'"):
            result["gamma"]
        with pytest.raises(KeyError, match=r"'judge' is a step: values\('judge"):
            result["judge"]
        with pytest.raises(KeyError, match="'path 0'"):
            RunResult([])["gamma"]
        with pytest.raises(TypeError, match=r"by its number or its name, not by 1\.5"):
            result[1.5]  # type: ignore[call-overload]

    def test_tables_take_names(self) -> None:
        """Of one path, which is then not told in the rows, or of a branch with several."""
        result = judged()
        assert [*result.to_frame("b").index] == [0, 1]
        assert result.to_arrow("b")["path"].to_pylist() == ["b", "b"]
        with pytest.raises(KeyError, match="no path 'c'"):
            result.to_frame("c")
        unnamed = run(tag("a") & tag("b"), input={"n": 1})
        assert [*unnamed.to_frame().index] == [(0, 0), (1, 0)]
        assert unnamed.to_arrow()["path"].to_pylist() == [0, 1]

    def test_copies_and_pickles_keep_the_names(self) -> None:
        """One that was pickled before there were names has numbers."""
        result = judged()
        for same in (
            copy.copy(result),
            copy.deepcopy(result),
            pickle.loads(pickle.dumps(result)),
            result.where(target="b"),
        ):
            assert same.paths == result.paths
            assert same["b"] == result["b"]
        older = RunResult()
        _, paths, state = result.__reduce__()
        del state["_names"]
        older = RunResult(*paths)
        older.__setstate__(state)
        assert older.paths == ("path 0", "path 1")

    def test_items_that_come_from_elsewhere_have_a_path_too(self) -> None:
        """It is called by what emits them."""
        result = run(SimpleProducer([{"n": 1}]) >> tag("a"))
        assert result.paths == ("SimpleProducer → tag",)


class TestValues:
    def test_they_come_path_by_path(self) -> None:
        """Of outputs that have the attribute; of others with a default."""
        result = judged()

        assert result.values("score") == [0.5, 2.0] * 2
        assert result.values("judge.score") == [0.5, 2.0] * 2
        assert result.values("target") == ["a", "a", "b", "b"]
        assert result.values("tag.score", default=None) == [None] * 4

    def test_the_latest_value_counts(self) -> None:
        """As steps see it; that of a certain step has its name in front, with its number."""
        double = step("double", lambda x: {"x": 2 * x})
        result = run(double >> double, input=[{"x": 1}, {"x": 5}])

        assert result.values("x") == [4, 20]
        assert result.values("input.x") == [1, 5]
        assert result.values("double.x") == [2, 10]
        assert result.values("double#1.x") == [4, 20]

    def test_looking_at_outputs_changes_nothing(self) -> None:
        """Whether or not they are dictionaries yet."""
        result = judged()
        before = result.values("score")
        list(result.get_outputs())
        assert result.values("score") == before

    def test_no_outputs_have_no_values(self) -> None:
        """Which isn't a mistake in the name."""
        assert RunResult([], []).values("whatever") == []

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("skore", r"no output has the attribute 'skore'; there are 'numbers\.n', .*default"),
            ("judge", r"\(judge is a step, and has 'judge\.score'\)"),
            ("judge.n", r"no output has the attribute 'judge\.n'"),
        ],
    )
    def test_an_attribute_that_is_nowhere_is_a_key_error(self, name: str, text: str) -> None:
        """Which lists what there is; not with a default."""
        with pytest.raises(KeyError, match=text):
            judged().values(name)
        assert judged().values(name, default=0) == [0] * 4

    @pytest.mark.parametrize("name", [0, None, "", ("judge", "score")])
    def test_what_is_no_name_is_a_type_error(self, name: Any) -> None:
        with pytest.raises(TypeError, match=r"values\(\) takes the name of an attribute"):
            judged().values(name)


class TestWhere:
    def test_the_outputs_with_an_attribute(self) -> None:
        """As a result with the same paths, times and failures of what had it."""
        result = judged()
        chosen = result.where(target="alpha", even=True)
        assert [*map(len, chosen)] == [0, 0]
        chosen = result.where(target="b")

        assert list(chosen) == [[], result[1]]
        assert [*map(len, (result.failures, chosen.failures))] == [2, 1]
        assert chosen.failures[0] is result.failures[1]
        assert chosen[1][0] is result[1][0]
        assert [*map(len, result)] == [2, 2]

    def test_a_predicate_sees_the_outputs(self) -> None:
        """Those that have the attributes; failures stay, as they are none."""
        result = judged()
        seen: list[Any] = []
        chosen = result.where(lambda output: seen.append(output), target="a")
        assert (seen, list(chosen)) == (result[0], [[], []])
        assert len(result.where(lambda output: output["judge"]["score"] > 1).failures) == 2
        assert result.where(lambda output: output["judge"]["score"] > 1).values("n") == [4, 4]

    def test_an_attribute_of_one_step(self) -> None:
        """By its full name."""
        result = run(step("x2", lambda x: {"x": 2 * x}), input=[{"x": 1}, {"x": 2}])
        assert result.where(x=2)[0] == result[0][:1]
        assert result.where(**{"input.x": 2})[0] == result[0][1:]

    def test_what_is_left_can_be_run_again_and_merged(self) -> None:
        """Outputs keep their places."""
        from fluxus_rx import rerun

        source = step("numbers", [{"n": n} for n in range(4)])
        flow = source >> step("judge", judge).options(on_error="collect")
        result = run(flow).where(lambda output: output["numbers"]["n"] != 1)
        mended = source >> step("judge", lambda n: {"score": -n})
        assert result.merged(rerun(mended, result.failures)).values("n") == [0, 3]

    @pytest.mark.parametrize("given", [(), (3,), ("target",)])
    def test_it_needs_something_to_choose_by(self, given: Any) -> None:
        with pytest.raises(TypeError, match=r"where\(target='alpha'\)") as caught:
            judged().where(*given)
        assert isinstance(caught.value, FlowError)

    def test_what_can_not_be_compared_is_named(self) -> None:
        """An array has no truth value."""
        numpy = pytest.importorskip("numpy")
        result = RunResult([{"s": {"x": numpy.zeros(3)}}])
        with pytest.raises(ValueError, match="ambiguous") as caught:
            result.where(x=1)
        assert any("'x'" in note for note in caught.value.__notes__)


class TestArrowStream:
    """The real libraries."""

    def test_pyarrow_reads_a_result(self) -> None:
        """As the table that `to_arrow` returns."""
        pyarrow = pytest.importorskip("pyarrow")
        result = judged()
        assert pyarrow.table(result).equals(result.to_arrow())
        reader = pyarrow.RecordBatchReader.from_stream(result)
        assert reader.read_all().equals(result.to_arrow())

    def test_polars_reads_a_result(self) -> None:
        """By `from_dataframe`: to `DataFrame` itself it is a sequence."""
        polars = pytest.importorskip("polars")
        frame = polars.from_dataframe(judged())
        assert frame["path"].to_list() == ["alpha", "alpha", "b", "b"]
        assert frame["judge.score"].to_list() == [0.5, 2.0] * 2

    def test_duckdb_reads_a_result(self) -> None:
        """By the name of the variable."""
        duckdb = pytest.importorskip("duckdb")
        result = judged()
        query = 'SELECT path, max("judge.score") FROM result GROUP BY path ORDER BY path'
        assert duckdb.sql(query).fetchall() == [("alpha", 2.0), ("b", 2.0)]
        assert len(result) == 2

    def test_a_value_that_arrow_can_not_hold_is_refused(self) -> None:
        """With the way out."""
        pyarrow = pytest.importorskip("pyarrow")
        with pytest.raises(TypeError, match=r"to_arrow\(simplify=True\)"):
            pyarrow.table(RunResult([{"s": {"x": object()}}]))
