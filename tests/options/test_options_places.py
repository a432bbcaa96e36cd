"""Options on steps, chains, groups, flows and runs: the innermost counts."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    Failure,
    StepOptions,
    Transformer,
    arun,
    chain,
    parallel,
    passthrough,
    run,
    step,
    stream,
)
from tests.support.conduits import Collect, Fail, Fetch, Numbers
from tests.support.errors import notes, refused, untyped
from tests.support.probes import Calls
from tests.support.scripted_calls import Script, failing, numbers, ys


def says(text: str) -> Callable[[Failure], dict[str, str]]:
    """A function of a failure that tells that it was asked."""
    return lambda failure: {"y": text}


def broken(name: str = "s", **options: Any) -> Any:
    """A step that fails, always."""

    def fail(x: int) -> dict[str, Any]:
        raise ValueError(x)

    made = step(name, fail)
    return made.options(**options) if options else made


def asked(flow: Any, name: str = "s", **terms: Any) -> list[str]:
    """The functions that were asked to replace the failure of the step, on each path that it is
    on."""
    result = run(flow, **terms)
    return [output[name]["y"] for path in result for output in path if name in output]


SRC = step("src", [{"x": 1}])


class TestInnermost:
    @pytest.mark.parametrize("own", [True, False])
    @pytest.mark.parametrize("inner", [True, False])
    @pytest.mark.parametrize("outer", [True, False])
    @pytest.mark.parametrize("whole", [True, False])
    @pytest.mark.parametrize("shape", ["chain", "group", "group in chain", "chain in group"])
    def test_the_innermost_set_option_counts(
        self, shape: str, own: bool, inner: bool, outer: bool, whole: bool
    ) -> None:
        """That of the step, else of what it is in, else of what that is in, else of the run."""

        def within(flow: Any, is_set: bool, text: str) -> Any:
            return flow.options(on_error=says(text)) if is_set else flow

        made = within(broken(), own, "step")
        beside = step("beside", lambda x: {"x": x})
        if shape.startswith("group"):
            made = within(made & beside, inner, "inner")
        else:
            made = within(beside >> made, inner, "inner")
        if shape in ("chain", "group in chain"):
            made = within(step("before", lambda x: {"x": x}) >> made, outer, "outer")
        else:
            made = within(made & step("other", lambda x: {"x": x}), outer, "outer")
        terms: dict[str, Any] = {}
        if whole:
            terms["options"] = StepOptions(on_error=says("run"))
        levels = [("step", own), ("inner", inner), ("outer", outer), ("run", whole)]
        wanted = next((text for text, is_set in levels if is_set), None)
        if wanted is None:
            with pytest.raises(ValueError, match="1"):
                asked(SRC >> made, **terms)
        else:
            assert asked(SRC >> made, **terms) == [wanted]

    def test_options_count_one_by_one(self) -> None:
        """A step that has one of its own gets the others from around it."""
        script = Script(failing(1))
        made = script.step("def", on_error="skip")
        inner = (made >> step("after", lambda y: {"z": y})).options(on_error="raise", retry=1)
        outer = (inner >> step("last", lambda z: {"z": z})).options(retry=2)
        assert list(run(numbers(3) >> outer)) == [[]]
        assert set(script.attempts.values()) == {1}

    def test_an_option_that_is_set_to_its_default_is_set(self) -> None:
        """So that a step can be kept from what is around it."""
        with pytest.raises(ValueError, match="1"):
            asked(SRC >> (broken(on_error="raise") & passthrough()).options(on_error="skip"))

    def test_a_chain_that_begins_with_a_producer_has_options_for_its_steps(self) -> None:
        """The producer itself has none of them."""
        made = (SRC >> broken()).options(on_error=says("chain"))
        assert asked(made) == ["chain"]
        assert asked((SRC >> broken()).options(retry=2, buffer=1, on_error=says("all"))) == ["all"]

    def test_a_group_of_chains_with_producers_has_options_too(self) -> None:
        """All their steps get them."""
        group = (SRC >> broken()) & (step("two", [{"x": 2}]) >> broken())
        assert asked(group.options(on_error=says("group"))) == ["group", "group"]

    def test_steps_that_come_later_get_nothing_from_a_chain_before_them(self) -> None:
        """Though `>>` makes one flat chain of both."""
        made = (SRC >> step("first", lambda x: {"x": x})).options(on_error=says("chain"))
        with pytest.raises(ValueError, match="1"):
            asked(made >> broken())

    def test_branches_that_come_later_get_nothing_from_a_group_before_them(self) -> None:
        """Though `&` makes one flat group of both."""
        made = (broken() & passthrough()).options(on_error=says("group"))
        beside = broken("late", on_error=says("its own"))
        assert asked(SRC >> (made & beside), "late") == ["its own"]
        assert asked(SRC >> (made & beside), "s") == ["group"]
        with pytest.raises(ValueError, match="1"):
            asked(SRC >> (made & broken("late")))

    def test_parallel_and_chain_make_the_same_of_them(self) -> None:
        """The functions are the operators."""
        made = parallel(broken("a"), broken("b")).options(on_error=says("group"))
        assert asked(chain(SRC, made), "a") == ["group"]
        assert asked(chain(SRC, made).options(on_error=says("chain")), "b") == ["group"]

    def test_the_original_stays_as_it_was(self) -> None:
        """Options are of the copy, all the way down."""
        one = broken()
        flow = SRC >> (one & passthrough())
        assert asked(flow.options(on_error=says("chain"))) == ["chain"]
        for original in (SRC >> one, flow):
            with pytest.raises(ValueError, match="1"):
                asked(original)


class TestTwice:
    def test_an_option_that_is_set_again_on_a_chain_is_replaced(self) -> None:
        """The later one counts, and those that aren't set again stay."""
        script = Script(failing(1, "given"))
        flow = (numbers(1) >> script.step("def")).options(retry=1, on_error=says("first"))
        assert ys(run(flow.options(on_error=says("second")))) == ["second"]
        script.attempts.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("random.uniform", lambda low, high: 0.0)
            assert ys(run(flow.options(retry=2))) == ["given"]

    def test_an_option_that_is_set_again_on_a_group_is_replaced(self) -> None:
        """As on a chain."""
        group = (broken() & broken("t")).options(on_error=says("first"))
        assert asked(SRC >> group.options(on_error=says("second"))) == ["second"]
        assert asked(SRC >> group.options(buffer=3), "t") == ["first"]

    def test_an_option_that_is_set_again_on_a_step_is_replaced(self) -> None:
        """As on a chain."""
        made = broken(on_error=says("first")).options(on_error=says("second")).options(buffer=3)
        assert asked(SRC >> made) == ["second"]

    def test_what_is_inside_still_counts_first(self) -> None:
        """Whatever is set how often on the outside."""
        inner = (broken() & passthrough()).options(on_error=says("inner"))
        outer = (step("before", lambda x: {"x": x}) >> inner).options(on_error=says("outer"))
        assert asked(SRC >> outer.options(on_error=says("again"))) == ["inner"]

    @pytest.mark.parametrize("limit", [1, 3])
    @pytest.mark.parametrize("where", ["step", "chain", "twice", "run"])
    def test_a_step_that_stands_twice_has_one_limit(self, where: str, limit: int) -> None:
        """Wherever that limit is set."""
        calls = Calls()

        async def call(x: int) -> dict[str, int]:
            return {"x": await calls.briefly(x) + 4}

        one = step("s", call)
        flow, terms = numbers(20) >> one >> (one & passthrough()) >> one, {}
        match where:
            case "step":
                one = one.options(concurrency=limit)
                flow = numbers(20) >> one >> (one & passthrough()) >> one
            case "chain":
                flow = flow.options(concurrency=limit)
            case "twice":
                flow = flow.options(concurrency=9).options(concurrency=limit)
            case _:
                terms = {"options": StepOptions(concurrency=limit)}
        result = run(flow, **untyped(terms))
        assert [len(path) for path in result] == [20, 20]
        assert len(calls.started) == 20 + 20 + 40
        assert calls.peak == limit


class TestRun:
    def test_the_options_of_a_run_are_for_all_that_have_none(self) -> None:
        """In whatever way it is started."""
        terms = StepOptions(on_error=says("run"))
        flow = SRC >> broken()
        wanted = {"src": {"x": 1}, "s": {"y": "run"}}
        assert run(flow, options=terms)[0] == [wanted]
        assert asyncio.run(arun(flow, options=terms))[0] == [wanted]
        assert list(stream(flow, options=terms)) == [(0, wanted)]
        assert run(broken(), input={"x": 1}, options=terms)[0][0]["s"] == {"y": "run"}

    def test_a_flow_of_classes_takes_them_too(self) -> None:
        """In `run` and in `options`; the innermost counts."""
        flow = Numbers(3) >> Fail(ValueError("no"), 1) >> Collect()
        terms = StepOptions(on_error=lambda failure: [10])
        assert flow.run(options=terms) == [(0, 0), (0, 10), (0, 2)]
        assert flow.options(on_error=lambda failure: [20]).run(options=terms)[1] == (0, 20)
        assert asyncio.run(flow.arun(options=terms)) == [(0, 0), (0, 10), (0, 2)]
        own = Numbers(3) >> Fail(ValueError("no"), 1).options(on_error="skip") >> Collect()
        assert own.options(on_error="raise").run(options=terms) == [(0, 0), (0, 2)]

    def test_what_is_no_options_is_refused(self) -> None:
        """With what to write instead."""
        with refused(ValueError, "options={'retry': 3} (dict)", "StepOptions"):
            run(SRC >> broken(), options=untyped({"retry": 3}))

    def test_options_of_a_run_give_way_to_those_of_a_step_one_by_one(self) -> None:
        """Those that a step has of its own count for it."""
        script = Script(failing(1, "given"))
        flow = numbers(2) >> script.step("async def", on_error="skip", retry=1)
        assert ys(run(flow, options=StepOptions(retry=5, on_error="raise"))) == []
        assert set(script.attempts.values()) == {1}


class Doubled(Transformer[int, int]):
    """Doubles."""

    def transform(self, product: int) -> Iterator[int]:
        yield 2 * product


class TestRefused:
    @pytest.mark.parametrize(
        ("conduit", "label"),
        [
            (broken(), "step 's'"),
            (Doubled(), "Doubled()"),
            (broken() >> broken("t"), "step('s', fail) >> step('t', fail)"),
            (broken() & passthrough(), "step('s', fail) & Passthrough()"),
            (SRC >> broken(), "step('src'"),
            (Numbers(1) >> Doubled() >> Collect(), "Doubled()"),
        ],
    )
    def test_an_unknown_name_is_refused_with_those_that_there_are(
        self, conduit: Any, label: str
    ) -> None:
        """And with who was given it."""
        with refused(TypeError, label, "no option 'limit'", "concurrency", "on_error", "executor"):
            conduit.options(limit=3)

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("max_concurrency", "; did you mean concurrency=…?"),
            ("max_workers", "; did you mean concurrency=…?"),
            ("retries", "; did you mean retry=…?"),
            ("max_attempts", "; did you mean retry=…?"),
            ("rate_limit", "; did you mean limiter=…?"),
            ("per_second", "; did you mean limiter=…?"),
            ("max_time", "; did you mean timeout=…?"),
            ("ignore_errors", "; did you mean on_error=…?"),
            ("threads", "; did you mean executor=…?"),
            ("colour", ""),
        ],
    )
    def test_what_others_call_an_option_is_understood(self, name: str, meant: str) -> None:
        """The message ends with the option's name here."""
        with pytest.raises(TypeError) as caught:
            broken().options(**{name: 3})
        assert str(caught.value).partition("executor")[2] == meant

    def test_a_number_is_no_limiter(self) -> None:
        """The message says what to write for calls in flight, and for calls a second."""
        with refused(ValueError, "concurrency=20", "AsyncLimiter(20, 1)"):
            broken().options(limiter=20)

    @pytest.mark.parametrize(
        "conduit", [broken(), Doubled(), SRC >> broken(), broken() & Doubled()]
    )
    def test_a_bad_value_is_refused_where_it_is_set(self, conduit: Any) -> None:
        """With its name and range, and a note of who was given it."""
        with pytest.raises(ValueError, match="timeout=-1") as caught:
            conduit.options(timeout=-1)
        assert "in the options of" in notes(caught.value)

    @pytest.mark.parametrize("producer", [SRC, Numbers(1)])
    def test_a_producer_alone_has_no_calls_to_have_options_of(self, producer: Any) -> None:
        """The message says where to set it."""
        with refused(TypeError, "producer", "'retry'", "a step behind it"):
            producer.options(retry=3)


class TestShown:
    def test_a_repr_shows_what_is_set(self) -> None:
        """As it is written, at the step it counts for."""
        assert repr(broken(retry=3)) == "step('s', fail).options(retry=3)"
        made = (broken(retry=3) >> broken("t")).options(timeout=2, retry=5)
        assert repr(made) == (
            "step('s', fail).options(retry=3, timeout=2)"
            " >> step('t', fail).options(retry=5, timeout=2)"
        )
        assert repr(Doubled().options(on_error="skip")) == "Doubled().options(on_error='skip')"
        assert repr(Fetch(3).options(limiter=None)) == "Fetch(number=3).options(limiter=None)"
        assert ".options(" not in repr(SRC >> broken())

    @pytest.mark.parametrize("style", ["text", "tree"])
    def test_drawings_show_what_is_set(self, style: str) -> None:
        """At each step that it counts for."""
        made = (SRC >> broken(retry=3) >> broken("t")).options(timeout=2)
        file = io.StringIO()
        made.draw(style, file=file)
        text = file.getvalue()
        assert text.count("timeout=2") == 2
        assert text.count("retry=3") == 1

    def test_a_drawing_without_options_shows_none(self) -> None:
        """What isn't set is not said."""
        file = io.StringIO()
        (SRC >> broken()).draw("tree", file=file)
        assert "concurrency" not in file.getvalue()


Levels = list[tuple[str, bool]]


@given(
    st.lists(st.tuples(st.sampled_from(["chain", "group", "producer"]), st.booleans()), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_the_innermost_counts_however_deep_it_is(levels: Levels, own: bool, whole: bool) -> None:
    """Random nestings, options at random on each level."""
    made = broken(on_error=says("own")) if own else broken()
    wanted, is_source = "own" if own else None, False
    for index, (kind, is_set) in enumerate(levels):
        beside = step(f"n{index}", lambda x: {"x": x})
        if kind == "producer" and not is_source:
            made, is_source = SRC >> made, True
        elif kind == "chain":
            made = (
                made >> step(f"n{index}", lambda **kwargs: {"z": 1})
                if is_source
                else (beside >> made)
            )
        else:
            made = made & (SRC >> beside if is_source else beside)
        if is_set:
            made = made.options(on_error=says(str(index)))
            wanted = wanted or str(index)
    flow = made if is_source else SRC >> made
    terms: dict[str, Any] = {}
    if whole:
        terms, wanted = {"options": StepOptions(on_error=says("run"))}, wanted or "run"
    if wanted is None:
        with pytest.raises(ValueError, match="1"):
            asked(flow, **terms)
    else:
        assert asked(flow, **terms) == [wanted]
