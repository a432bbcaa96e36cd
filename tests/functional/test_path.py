"""`path`: a branch with a name, and all that tells the name."""

from __future__ import annotations

from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import (
    Conduit,
    FlowError,
    Passthrough,
    Producer,
    SimpleProducer,
    Transformer,
    arun,
    parallel,
    passthrough,
    path,
    rerun,
    run,
    rx_pipe,
    start,
    step,
)
from fluxus_rx.graph import FlowGraph
from fluxus_rx.viz import to_dot, to_mermaid, to_tree
from fluxus_rx.viz._timeline.model import Timeline

NUMBERS = step("numbers", [{"n": 1}, {"n": 2}])


def ask(n: int) -> dict[str, int]:
    if n == 2:
        raise ValueError(n)
    return {"answer": n}


def asking() -> Any:
    return step("ask", ask).options(on_error="collect")


TWINS = NUMBERS >> (path("alpha", asking()) & path("beta", asking()))


class TestNames:
    def test_two_branches_of_the_same_steps_are_told_apart(self) -> None:
        """By their outputs, their failures, and the rows of a frame, whose columns they share."""
        result = run(TWINS)

        assert result.paths == ("alpha", "beta")
        assert result["alpha"] == result["beta"] == [{"numbers": {"n": 1}, "ask": {"answer": 1}}]
        assert result["alpha"] is result[0]
        assert [one.path for one in result.failures] == [
            "numbers → alpha: ask",
            "numbers → beta: ask",
        ]
        frame = result.to_frame()
        assert [*frame.columns] == [("numbers", "n"), ("ask", "answer")]
        assert [*frame.index] == [("alpha", 0), ("beta", 0)]

    def test_one_step_in_two_branches_is_told_apart_too(self) -> None:
        """It has one limit, and counts for each branch."""
        both = asking()
        result = run(NUMBERS >> (path("alpha", both) & path("beta", both)), timestamps=True)

        counts = [(one.step, one.calls, one.failures) for one in result.summary().steps]
        assert counts == [("numbers", 2, 0), ("alpha: ask", 2, 1), ("beta: ask", 2, 1)]

    @pytest.mark.parametrize(
        ("flow", "names"),
        [
            (path("all", NUMBERS), ("all",)),
            (path("a", NUMBERS) & path("b", NUMBERS), ("a", "b")),
            (path("out", path("a", NUMBERS) & path("b", NUMBERS)), ("out → a", "out → b")),
            (
                NUMBERS >> parallel(path("raw", passthrough()), asking()),
                ("raw", "numbers → ask"),
            ),
            (
                NUMBERS
                >> path("one", asking() & passthrough())
                >> path("two", rx_pipe(ops.take(5))),
                ("numbers → one: ask → two: rx_pipe", "numbers → one → two: rx_pipe"),
            ),
            (
                NUMBERS
                >> (path("a", asking()) & path("b", asking()))
                >> (path("x", passthrough() & asking()) & path("y", asking())),
                (
                    "numbers → a: ask → x",
                    "numbers → a: ask → x: ask",
                    "a → y",
                    "numbers → b: ask → x",
                    "numbers → b: ask → x: ask",
                    "b → y",
                ),
            ),
        ],
        ids=["producer", "producers", "nested", "passthrough", "in a chain", "groups"],
    )
    def test_paths_have_the_names_of_their_branches(
        self, flow: Any, names: tuple[str, ...]
    ) -> None:
        """In the order of the way; with their steps where that tells nothing apart."""
        assert run(flow).paths == names

    def test_what_comes_behind_a_branch_is_not_in_it(self) -> None:
        """A step behind the group has one row, and its own name."""
        end = step("end", lambda answer: {"end": answer})
        result = run(TWINS >> end, timestamps=True)

        assert [one.step for one in result.summary().steps] == [
            "numbers",
            "alpha: ask",
            "beta: ask",
            "end",
        ]
        assert [call.path for call in result._flow_journal.calls if call.step == "end"] == [
            "numbers → alpha: ask → end",
            "numbers → beta: ask → end",
        ]

    def test_producers_in_branches_tell_them_in_front_of_the_source(self) -> None:
        """So that the failures of two equal flows are told apart."""
        result = run(path("a", NUMBERS >> asking()) & path("b", NUMBERS >> asking()))
        assert [one.path for one in result.failures] == [
            "a: numbers → ask",
            "b: numbers → ask",
        ]

    def test_a_rerun_finds_the_branch(self) -> None:
        """Failures go back to where they failed, and nowhere else."""
        result = run(TWINS)
        mended = step("ask", lambda n: {"answer": -n})
        flow = NUMBERS >> (path("alpha", mended) & path("beta", mended))
        again = rerun(flow, result.failures[1:])

        assert [*map(len, again)] == [0, 1]
        assert again.paths == ("alpha", "beta")
        assert result.merged(again)["beta"][1]["ask"] == {"answer": -2}
        with pytest.raises(TypeError, match=r"no step at numbers → alpha: ask"):
            rerun(NUMBERS >> (asking() & asking()), result.failures)

    async def test_statistics_and_progress_tell_the_branch(self) -> None:
        """In the names of the steps."""
        seen: list[Any] = []
        async with start(TWINS, progress=seen.append) as running:
            await running.result()
        assert running.stats()["beta: ask"].failed == 1
        assert [one.step for one in seen[-1].steps] == ["numbers", "alpha: ask", "beta: ask"]

    def test_the_timeline_has_the_names(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In front of the outputs, and of the calls."""
        run(TWINS, timestamps=True).draw_timeline("text")
        out = capsys.readouterr().out
        assert "\nalpha · 0 " in out
        assert " alpha: ask " in out

    def test_the_timeline_knows_the_calls_of_each_branch(self) -> None:
        """Outputs have the names of steps alone, and are of the calls of their branch."""
        timeline = Timeline.of(run(TWINS, timestamps=True))
        steps = [[timeline.steps[span.step] for span in row.spans] for row in timeline.rows]
        assert steps == [["numbers", "alpha: ask"], ["numbers", "beta: ask"]]


class TestConduit:
    def test_a_branch_is_what_it_was(self) -> None:
        """A producer, a transformer, or a passthrough; in a chain it stays in one piece."""
        chain = step("a", lambda n: {}) >> step("b", lambda n: {})
        whole = NUMBERS >> path("x", chain)

        assert isinstance(path("x", NUMBERS), Producer)
        assert isinstance(path("x", chain), Transformer)
        assert isinstance(path("x", passthrough()), Passthrough)
        assert [one.name for one in whole.chained_conduits] == ["numbers", "x"]
        assert [path("x", one).is_chained for one in (chain, NUMBERS)] == [True, False]
        assert [one.name for one in whole.get_final_conduits()] == ["b"]
        assert repr([*whole.iter_concurrent_conduits()]) == f"[{whole!r}]"

    def test_the_repr_is_the_expression(self) -> None:
        """With what is in the branch; its brackets are those of the call."""
        flow = path("x", asking() & path("raw", passthrough()))
        assert repr(flow) == (
            "path('x', step('ask', ask).options(on_error='collect') & path('raw', Passthrough()))"
        )

    def test_it_works_with_other_products(self) -> None:
        """Where no result tells the name."""

        class Half(Transformer[float, float]):
            def transform(self, product: float) -> Any:
                yield product / 2

        flow = SimpleProducer([1.0, 2.0]) >> (path("a", Half()) & path("b", Half() >> Half()))
        assert sorted(flow) == [0.25, 0.5, 0.5, 1.0]
        assert flow.product_type is float
        assert path("a", Half()).process([2]) == [1.0]

    async def test_options_reach_the_steps_inside(self) -> None:
        """As those of a chain do."""
        flow = path("a", step("ask", ask)).options(on_error="skip")
        assert [*map(len, await arun(NUMBERS >> flow))] == [1]

    def test_drawings_tell_the_name_where_the_branch_ends(self) -> None:
        """The tree, Graphviz and Mermaid; a passthrough and a producer too."""
        flow = NUMBERS >> parallel(path("alpha", asking()), path("raw <&>", passthrough()))
        labels = [edge.label for edge in FlowGraph.of(flow, paths=True).edges]

        assert labels == ["0", "alpha, 0", "raw <&>, 1"]
        assert [edge.branch for edge in FlowGraph.of(flow).edges] == ["", "alpha", "raw <&>"]
        assert "─ alpha ─" in to_tree(flow)
        assert "┄ raw <&> ┄" in to_tree(flow)
        assert "raw &lt;&amp;&gt;" in to_dot(flow)
        assert '|"raw #60;#38;#62;"|' in to_mermaid(flow)
        assert [edge.branch for edge in FlowGraph.of(path("src", NUMBERS)).edges] == ["src"]


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: path(NUMBERS, "x"), TypeError, r"must be a string, not .*path\('name', flow\)"),  # type: ignore[call-overload]
        (lambda: path("", NUMBERS), ValueError, "'' isn't a name for a branch"),
        (lambda: path(" a", NUMBERS), ValueError, "' a' isn't a name"),
        (lambda: path("a\nb", NUMBERS), ValueError, "isn't a name for a branch"),
        (lambda: path("a → b", NUMBERS), ValueError, "without an arrow"),
        (lambda: path("x", ask), TypeError, r"path\('x'\): <function ask .* isn't a branch"),  # type: ignore[call-overload]
        (lambda: path("x", [NUMBERS]), TypeError, r"isn't a branch; expected a step"),  # type: ignore[call-overload]
        (lambda: path("a", NUMBERS) & path("a", NUMBERS), ValueError, "two branches .* name 'a'"),
        (
            lambda: parallel(path("a", asking()), path("b", asking()) & path("a", passthrough())),
            ValueError,
            "two branches of a group have the name 'a'.*name each path.* differently",
        ),
    ],
    ids=["no text", "empty", "blank", "line end", "arrow", "function", "list", "twice", "nested"],
)
def test_what_is_no_name_or_no_branch_is_refused(
    make: Any, kind: type[Exception], text: str
) -> None:
    """When the flow is written."""
    with pytest.raises(kind, match=text) as caught:
        make()
    assert isinstance(caught.value, FlowError)


def test_names_of_any_kind_come_back() -> None:
    """Those of models, for one: with dots, dashes, slashes, colons and blanks."""
    names = ["gpt-4o mini", "org/model:7b", "a.b", "naïve 東京", "it's"]
    flow: Any = NUMBERS >> parallel(path(name, step("s", lambda n: {"y": n})) for name in names)
    result = run(flow, timestamps=True)

    assert [*result.paths] == names
    assert all(result[name] for name in names)
    assert [one.step for one in result.summary().steps][1:] == [f"{name}: s" for name in names]
    assert isinstance(flow, Conduit)


def test_branches_may_be_nested_deeper_than_the_stack() -> None:
    """They run, and are printed, checked and drawn."""
    flow: Any = step("s", lambda n: {"n": n + 1})
    for number in range(1_100):
        flow = path(f"n{number}", flow >> step("s", lambda n: {"n": n + 1}))
    result = run(NUMBERS >> flow)

    assert result.values("n") == [1_102, 1_103]
    assert result["n7"] is result[0]
    assert repr(flow).startswith("path('n1099', path('n1098', ")
    assert len(to_tree(flow).splitlines()) > 1_100
    assert flow.check()
