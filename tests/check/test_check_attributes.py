"""Attributes that are sure to be missing are found before the run, and no others."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, NotRequired

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from fluxus_rx import (
    Failure,
    Finding,
    MissingAttributeError,
    Producer,
    StepOptions,
    Transformer,
    check,
    parallel,
    passthrough,
    run,
    step,
)


class Row(TypedDict):
    y: int


class More(Row, total=False):
    z: NotRequired[int]


class Other(TypedDict):
    z: int


class Mid(TypedDict):
    m: int


def typed_mid(x: int) -> Mid:
    return {"m": x}


def one(x: int) -> Row:
    return {"y": x}


def others(x: int) -> Other:
    return {"z": x}


async def awaited(x: int) -> Row:
    return {"y": x}


def listed(x: int) -> list[Row]:
    return [{"y": x}]


def generated(x: int) -> Iterator[Row]:
    yield {"y": x}


async def agenerated(x: int) -> AsyncIterator[Row]:
    yield {"y": x}


def either(x: int) -> Row | list[Other]:
    return {"y": x}


def extended(x: int) -> More:
    return {"y": x}


def rows() -> Iterator[Row]:
    yield {"y": 1}


class Anything(Producer[Any]):
    def produce(self) -> Iterator[Any]:
        yield {"y": 1}


class Change(Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield {"y": 1}


class Made:
    def __call__(self, x: int) -> Row:
        return {"y": x}


def needs_x(x: Any) -> dict[str, Any]:
    return {}


def needs_y(y: Any) -> dict[str, Any]:
    return {}


def needs_z(z: Any) -> dict[str, Any]:
    return {}


SRC = step("src", [{"x": 1}, {"x": 2, "w": 3}])


def errors(flow: Any, **kwargs: Any) -> list[Finding]:
    """The errors that check() finds."""
    return [finding for finding in check(flow, **kwargs) if finding.level == "error"]


def ways(found: list[Finding]) -> list[str]:
    """The attribute, and the path, of each of these errors."""
    texts = [finding.text.partition(";")[0] for finding in found]
    return [
        text.removeprefix("needs the attribute ").replace(", which nothing before it provides", "")
        for text in texts
    ]


def test_what_nothing_provides_is_told_with_the_way_out() -> None:
    """The finding names the attribute, the path, what there is, and the way out of the message of a
    run."""
    flow = SRC >> step("one", one) >> step("add", lambda y, by, to, at: {}, at=2)
    (finding,) = errors(flow)
    assert finding.step == "add"
    assert finding.text == (
        "needs the attributes 'by', 'to', which nothing before it provides on the path src → one →"
        " add; it is given 'y' (from 'one'), 'x' (from 'src'), 'w' (from 'src')"
    )
    assert finding.remedy == (
        "set a default for the parameter, or pass a fixed value: step('add', <lambda>, at=2, by=…)"
    )
    with pytest.raises(MissingAttributeError, match="Set a default for the parameter"):
        run(flow)


async def later(x: int) -> Row:
    return {"y": x}


def test_an_order_by_what_nothing_provides_is_told() -> None:
    """As a run would tell at the first product; not of a step that keeps the order anyway."""
    flow = SRC >> step("later", later).options(ordered="day")
    (finding,) = errors(flow)
    assert finding.step == "later"
    assert finding.text == (
        "keeps the order by the attribute 'day', which nothing before it provides on the path src →"
        " later; it is given 'x' (from 'src'), 'w' (from 'src')"
    )
    assert finding.remedy == "name one that is there, or keep the order of all by ordered=True"
    with pytest.raises(MissingAttributeError, match="'day'"):
        run(flow)
    (finding,) = errors(SRC >> step("later", later), options=StepOptions(ordered="w"))
    assert "which item 0 of the data of 'src' doesn't have" in finding.text
    assert errors(SRC >> step("later", later).options(ordered="x")) == []
    assert errors(SRC >> step("one", one).options(ordered="day")) == []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: {},
        lambda x, q=1: {},
        lambda x, **rest: {},
        lambda **rest: {},
        lambda x, *rest: {},
        functools.partial(lambda x, q: {}, q=1),
    ],
)
def test_what_is_optional_or_fixed_is_not_missing(function: Any) -> None:
    """Defaults and **kwargs need nothing."""
    assert errors(SRC >> step("f", function)) == []
    assert errors(SRC >> step("f", lambda x, q: {}, q=1)) == []


@pytest.mark.parametrize(
    "function",
    [
        one,
        awaited,
        listed,
        generated,
        agenerated,
        either,
        extended,
        Made(),
        functools.partial(one),
    ],
)
def test_the_typed_dict_that_a_function_gives_is_known(function: Any) -> None:
    """Behind it is what it has, and what was there before, and nothing else."""
    flow = SRC >> step("f", function)
    assert errors(flow >> step("needs", lambda x, y: {})) == []
    (finding,) = errors(flow >> step("needs", lambda x, q: {}))
    assert "'q'" in finding.text


@pytest.mark.parametrize("function", [either, extended])
def test_what_may_be_there_is_not_missing(function: Any) -> None:
    """Keys that are not required, and those of one of several types, may be there."""
    assert errors(SRC >> step("f", function) >> step("needs", needs_z)) == []


def untyped(x):  # type: ignore[no-untyped-def]
    return {}


def unresolved(x: int) -> Missing:  # type: ignore[name-defined]  # noqa: F821
    return {}


def half_typed(x: int) -> Row | dict[str, int]:
    return {"y": x}


def mapped(x: int) -> dict[str, Row]:
    return {}


@pytest.mark.parametrize("function", [untyped, unresolved, half_typed, mapped, needs_x])
def test_behind_any_other_function_anything_may_be_there(function: Any) -> None:
    """Attributes that a function doesn't say it returns are not known."""
    assert errors(SRC >> step("f", function) >> step("needs", lambda q: {})) == []


@pytest.mark.parametrize(
    "source",
    [
        step("src", lambda: {"x": 1}),
        step("src", iter([{"x": 1}])),
        step("src", []),
        Anything(),
    ],
)
def test_of_other_sources_nothing_is_known(source: Any) -> None:
    """Functions, iterators and producers of classes may emit anything; an empty list emits
    nothing."""
    assert errors(source >> step("needs", needs_y)) == []


def test_a_source_that_says_what_it_gives_is_known() -> None:
    """A function without parameters whose annotation is of a TypedDict, and a mapping."""
    assert errors(step("src", rows) >> step("needs", needs_y)) == []
    assert len(errors(step("src", rows) >> step("needs", needs_x))) == 1
    assert errors(step("src", {"x": 1}) >> step("needs", needs_x)) == []
    assert len(errors(step("src", {"x": 1}) >> step("needs", needs_y))) == 1


def test_a_transformer_alone_may_be_given_anything() -> None:
    """Its input is not known; also not behind what is."""
    assert errors(step("needs", needs_y) >> step("one", one) >> step("more", needs_z)) == []


def test_behind_transformers_of_a_class_nothing_is_known() -> None:
    """What they emit is their own matter."""
    assert errors(SRC >> Change() >> step("needs", needs_y)) == []


def test_a_replacement_may_have_anything() -> None:
    """Behind a step whose failures a function replaces, nothing is known."""

    def replaced(failure: Failure) -> dict[str, int]:
        return {"q": 1}

    flow = SRC >> step("one", one).options(on_error=replaced) >> step("needs", lambda q: {})
    assert errors(flow) == []
    plain = SRC >> step("one", one) >> step("needs", lambda q: {})
    assert len(errors(plain)) == 1
    assert errors(plain, options=StepOptions(on_error=replaced)) == []


def test_each_path_that_lacks_an_attribute_is_told() -> None:
    """Of three paths to a step, the two on which nothing provides it."""
    group = step("one", one) & step("others", others) & passthrough()
    found = errors(SRC >> group >> step("needs", needs_y))
    assert ways(found) == ["'y' on the path src → others → needs", "'y' on the path src → needs"]


def test_a_path_with_an_unknown_step_is_not_told() -> None:
    """It may provide anything; the path beside it doesn't."""
    (finding,) = errors(SRC >> (step("any", needs_x) & passthrough()) >> step("needs", needs_y))
    assert "on the path src → needs;" in finding.text


def test_a_path_is_told_from_its_source() -> None:
    """Through groups one behind the other, and from one of several sources."""
    sources = step("a", {"x": 1, "y": 2}) & step("b", {"x": 1})
    steps = (step("c", others) & passthrough()) >> step("d", others)
    found = errors(sources >> steps >> step("needs", needs_y))
    assert len(found) == 1
    assert "on the path b → c → d → needs;" in found[0].text


def test_attributes_that_lack_on_different_paths_are_told_apart() -> None:
    """Each with its own path, though what comes together in one step reaches the next."""
    group = step("one", one) & step("others", others)
    found = errors(SRC >> group >> step("typed", typed_mid) >> step("needs", lambda y, z: {}))
    assert ways(found) == [
        "'y' on the path src → others → typed → needs",
        "'z' on the path src → one → typed → needs",
    ]


def test_an_item_that_lacks_what_others_have_is_named() -> None:
    """Of a list, all items are looked at."""
    (finding,) = errors(SRC >> step("needs", lambda w: {}))
    assert finding.text == "needs the attribute 'w', which item 0 of the data of 'src' doesn't have"
    with pytest.raises(MissingAttributeError):
        run(SRC >> step("needs", lambda w: {}))


@pytest.mark.parametrize(
    "between",
    [step("f", generated), step("f", one).options(on_error="skip")],
)
def test_a_step_may_drop_the_items_that_lack_something(between: Any) -> None:
    """Behind a step that may return nothing for a product, those are left that have it."""
    assert errors(SRC >> between >> step("needs", lambda w: {})) == []
    assert len(errors(SRC >> step("f", one) >> step("needs", lambda w: {}))) == 1


def test_nothing_is_called_or_iterated() -> None:
    """No function of a user's runs, and no iterator moves."""
    calls: Counter[str] = Counter()

    def source() -> Iterator[dict[str, int]]:
        calls["source"] += 1
        yield {"x": 1}

    def called(x: int) -> dict[str, int]:
        calls["called"] += 1
        return {}

    iterator = source()
    check(
        step("src", source)
        >> step("f", called).options(on_error=lambda failure: calls.update(failed=1))
    )
    check(step("src", iterator) >> step("f", called))
    assert not calls
    assert next(iterator) == {"x": 1}


def test_long_messages_are_shortened() -> None:
    """Of many steps and many attributes, the first are named."""
    data = {f"a{n}": n for n in range(50)} | {"x": 1}
    flow = step("src", data)
    for number in range(100):
        flow = flow >> step(f"s{number}", one)
    (finding,) = errors(flow >> step("needs", lambda q: {}))
    assert " → (83 steps) → " in finding.text
    assert finding.text.endswith(" and 32 more")


STEPS: dict[str, Any] = {"one": one, "others": others, "typed": typed_mid}


@given(
    st.sets(st.sampled_from("xyz")),
    st.lists(st.lists(st.sampled_from(["one", "others", "typed", "pass"]), min_size=1, max_size=3)),
    st.sampled_from(["x", "y", "z", "m"]),
)
def test_what_is_found_is_what_a_run_would_raise(
    given_names: set[str], groups: list[list[str]], needed: str
) -> None:
    """In flows of which all is known, check() finds an error if and only if a run raises one."""
    flow = step("src", dict.fromkeys({*given_names, "x"}, 1))
    for number, group in enumerate(groups[:4]):
        branches: list[Any] = [
            step(f"{kind}{number}", STEPS[kind]) for kind in group if kind != "pass"
        ]
        if "pass" in group and branches:
            branches.append(passthrough())
        if branches:
            flow = flow >> parallel(*branches)
    name = {"x": lambda x: {}, "y": needs_y, "z": needs_z, "m": lambda m: {}}[needed]
    flow = flow >> step("needs", name)
    found = errors(flow)
    try:
        run(flow)
    except MissingAttributeError:
        assert found
    else:
        assert not found
