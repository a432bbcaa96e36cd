"""The options of a step: which there are, which of them count, and where they show."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import inspect
import pickle
import random
from typing import Any, get_type_hints

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import Flow, OptionKeywords, Producer, StepOptions, Transformer, step
from fluxus_rx._common.messages import short
from fluxus_rx._options import step_options
from tests.support.errors import notes, refused, untyped

COUNTS = [0, -1, True, 1.5, "3", 1 + 0j]

#: a context manager that is not asynchronous
CONTEXT = contextlib.suppress(OSError)

BAD: list[tuple[str, Any, str]] = [
    *[("concurrency", value, "a whole number of calls from 1 on, or None") for value in COUNTS],
    *[("window", value, "a whole number of calls from 1 on, or None") for value in COUNTS],
    *[("buffer", value, "a whole number of products from 1 on, or None") for value in COUNTS],
    *[("ordered", value, "True or False, or the name of an attribute") for value in ("", 1, None)],
    *[("repeatable", value, "True or False") for value in (1, None, "yes")],
    *[("retry", value, "a number of attempts from 1 on") for value in [*COUNTS, print]],
    *[
        ("timeout", value, "a number of seconds above 0, or None")
        for value in (0, -1, True, float("nan"), float("inf"), "3", 10**400)
    ],
    *[
        ("limiter", value, "an asynchronous context manager")
        for value in (3, asyncio.Semaphore, CONTEXT, "1/s")
    ],
    *[("on_error", value, "'raise', 'skip', 'collect'") for value in ("ignore", None, 3, [5])],
    *[("executor", value, "'thread', 'process', an Executor") for value in ("threads", 3, True)],
]

GOOD: dict[str, list[Any]] = {
    "concurrency": [None, 1, 3, 10**9],
    "ordered": [False, True, "key"],
    "window": [None, 1, 100],
    "buffer": [None, 1, 64],
    "retry": [None, 1, 5, tenacity.AsyncRetrying()],
    "repeatable": [False, True],
    "timeout": [None, 1, 0.5],
    "limiter": [None, asyncio.Semaphore(3)],
    "on_error": ["raise", "skip", "collect", repr],
    "executor": [None, "thread", "process"],
}

NAMES = [field.name for field in dataclasses.fields(StepOptions) if field.init]

#: those whose values equal their copies
PLAIN = {*NAMES} - {"limiter", "retry"}

options = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in GOOD.items()}
)


def shown(part: Any) -> str:
    """A part of a row without an address in it."""
    return "a plain context" if part is CONTEXT else short(part)


class TestValues:
    @pytest.mark.parametrize(("name", "value", "expected"), BAD, ids=shown)
    def test_a_bad_value_is_refused_with_its_name_and_its_range(
        self, name: str, value: Any, expected: str
    ) -> None:
        """The value stands in the message as well, with its type."""
        with refused(ValueError, f"{name}=", f"({type(value).__name__})", expected):
            StepOptions(**{name: value})

    @pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in GOOD.items() for v in vs])
    def test_a_good_value_is_kept(self, name: str, value: Any) -> None:
        """As the object it is."""
        made = StepOptions(**{name: value})
        assert getattr(made, name) is value
        assert made.given() == {name: value}
        assert made.has(name)

    def test_all_options_have_been_tried_here(self) -> None:
        """An option that is added is to be added to these tests."""
        assert set(NAMES) == set(GOOD) == {name for name, _, _ in BAD}

    def test_a_name_that_is_no_option_is_refused(self) -> None:
        """As a keyword of any call is; positional arguments there are none."""
        with pytest.raises(TypeError, match="limit"):
            untyped(StepOptions)(limit=3)
        with pytest.raises(TypeError):
            untyped(StepOptions)(3)
        with pytest.raises(TypeError, match="_given"):
            untyped(StepOptions)(_given=("concurrency",))

    def test_a_limiter_that_can_be_entered_once_only_is_refused(self) -> None:
        """Each attempt enters it."""

        @contextlib.asynccontextmanager
        async def once() -> Any:
            yield

        with refused(ValueError, "limiter=", "once only", "__aenter__"):
            StepOptions(limiter=once())

    def test_nothing_is_set_by_default(self) -> None:
        """What an option is without being set is that of a step."""
        made = StepOptions()
        assert made.given() == {}
        assert (made.concurrency, made.on_error, made.ordered) == (256, "raise", False)


class TestKeywords:
    def test_the_keywords_are_the_options(self) -> None:
        """By name, in their order, and of the same types."""
        kinds = get_type_hints(StepOptions, vars(step_options))
        assert get_type_hints(OptionKeywords) == {name: kinds[name] for name in NAMES}
        assert [*get_type_hints(OptionKeywords)] == NAMES

    def test_prompts_show_the_options_by_name(self) -> None:
        """With their defaults where all are set; where some are, what isn't given stays."""
        shown = inspect.signature(StepOptions).parameters
        assert {name: one.default for name, one in shown.items()} == {
            field.name: field.default for field in dataclasses.fields(StepOptions)
        }
        flow = SOURCE >> PLAIN_STEP
        for conduit in (PLAIN_STEP, flow, PLAIN_STEP & PLAIN_STEP, PLAIN_STEP >> PLAIN_STEP):
            shown = inspect.signature(conduit.options).parameters
            assert [*shown] == NAMES
            assert {str(one.kind) for one in shown.values()} == {"KEYWORD_ONLY"}
            assert {repr(one.default) for one in shown.values()} == {"..."}
        assert [*inspect.signature(SOURCE.options).parameters] == ["executor"]
        for kind in (Flow, Transformer):
            assert [*inspect.signature(kind.options).parameters] == ["self", *NAMES]
        assert [*inspect.signature(Producer.options).parameters] == ["self", "executor"]


SOURCE, PLAIN_STEP = step("src", [{"x": 1}]), step("f", lambda x: {"y": x})


class TestObjects:
    def test_options_are_frozen(self) -> None:
        """A flow may hold them."""
        made = StepOptions(concurrency=3)
        with pytest.raises(dataclasses.FrozenInstanceError):
            untyped(made).concurrency = 4
        with pytest.raises(dataclasses.FrozenInstanceError):
            del untyped(made).concurrency

    @given(options, st.randoms(use_true_random=False))
    def test_equal_are_those_that_set_the_same(
        self, given: dict[str, Any], source: random.Random
    ) -> None:
        """In whatever order; and then they have one hash."""
        items = [*given.items()]
        source.shuffle(items)
        one, other = StepOptions(**given), StepOptions(**dict(items))
        assert one == other
        assert hash(one) == hash(other)
        assert repr(one) == repr(other)

    @given(options, options)
    def test_options_that_differ_are_not_equal(
        self, one: dict[str, Any], other: dict[str, Any]
    ) -> None:
        """An option that is set to its default is set."""
        assert (StepOptions(**one) == StepOptions(**other)) is (one == other)

    def test_options_equal_nothing_else(self) -> None:
        """Not even what looks the same."""
        assert StepOptions() != {}
        assert StepOptions() != StepOptions(concurrency=256)

    @given(options.map(lambda given: {name: given[name] for name in {*given} & PLAIN}))
    def test_options_can_be_copied_and_pickled(self, given: dict[str, Any]) -> None:
        """What was set stays set, and nothing else."""
        made = StepOptions(**given)
        for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert other == made
            assert other.given() == given
            assert repr(other) == repr(made)

    def test_replacing_some_leaves_the_others_unset(self) -> None:
        """`replaced` is the way to change a frozen one."""
        changed = StepOptions(concurrency=3).replaced({"ordered": True})
        assert changed == StepOptions(concurrency=3, ordered=True)

    @given(options)
    def test_the_repr_has_what_is_set_and_nothing_else(self, given: dict[str, Any]) -> None:
        """In one order; functions by their name."""
        text = repr(StepOptions(**given))
        assert text.startswith("StepOptions(")
        assert [name for name in NAMES if f"{name}=" in text] == [n for n in NAMES if n in given]

    def test_a_repr_that_raises_is_told_of(self) -> None:
        """And not raised where a flow is shown."""

        class Odd(asyncio.Semaphore):
            def __repr__(self) -> str:
                raise OSError

        assert repr(StepOptions(limiter=Odd())) == (
            "StepOptions(limiter=<Odd: its repr raised OSError>)"
        )


class TestOver:
    @given(options, options)
    def test_what_is_set_goes_over_defaults(
        self, own: dict[str, Any], defaults: dict[str, Any]
    ) -> None:
        """Option by option."""
        assert StepOptions(**own).over(StepOptions(**defaults)).given() == {**defaults, **own}

    @given(options, options, options)
    def test_the_nearest_goes_first_in_whatever_order_they_are_put_over_each_other(
        self, a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]
    ) -> None:
        """It is associative."""
        one, two, three = StepOptions(**a), StepOptions(**b), StepOptions(**c)
        assert one.over(two).over(three) == one.over(two.over(three))

    @given(options)
    def test_nothing_is_neutral(self, given: dict[str, Any]) -> None:
        """On either side; and options over themselves are the same."""
        made, nothing = StepOptions(**given), StepOptions()
        assert made.over(nothing) == made == nothing.over(made) == made.over(made)

    @given(options, options)
    def test_replacing_is_what_goes_over_the_other_way_round(
        self, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        """What is new counts."""
        assert StepOptions(**old).replaced(untyped(new)) == StepOptions(**new).over(
            StepOptions(**old)
        )

    def test_replacing_says_who_was_given_a_bad_value(self) -> None:
        """Or a name that is none."""
        with pytest.raises(ValueError, match="buffer=0") as caught:
            StepOptions().replaced({"buffer": 0}, "step 'fetch'")
        assert "step 'fetch'" in notes(caught.value)
        with refused(TypeError, "step 'fetch'", "'limit'", "concurrency, ordered, window, buffer"):
            StepOptions().replaced(untyped({"limit": 3}), "step 'fetch'")
