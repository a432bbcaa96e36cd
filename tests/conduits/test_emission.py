"""What is guessed from the inside of reactivex and aiostream: fails where that has changed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops
from reactivex.subject import AsyncSubject, BehaviorSubject, ReplaySubject, Subject

from fluxus_rx import rx_pipe, step, stream_pipe
from fluxus_rx._components.emission import _THINNING, emission_of, operator_names
from fluxus_rx.viz import to_tree

FLOW = step("src", [{"x": 1}])

#: Operators that hand on what one source gives; each has the source in its closure.
FOLLOWED: dict[str, Any] = {
    "as_observable": ops.as_observable(),
    "buffer_with_count": ops.buffer_with_count(2),
    "catch": ops.catch(lambda error, source: source),
    "concat_map": ops.concat_map(lambda item: reactivex.of(item)),
    "delay": ops.delay(1.0),
    "distinct": ops.distinct(),
    "distinct_until_changed": ops.distinct_until_changed(),
    "do_action": ops.do_action(print),
    "filter": ops.filter(bool),
    "flat_map": ops.flat_map(lambda item: reactivex.of(item)),
    "group_by": ops.group_by(str),
    "map": ops.map(str),
    "materialize": ops.materialize(),
    "pairwise": ops.pairwise(),
    "skip": ops.skip(1),
    "take": ops.take(1),
    "take_while": ops.take_while(bool),
    "to_list": ops.to_list(),
}

THINNING: dict[str, Any] = {
    "debounce": ops.debounce(1.0),
    "sample": ops.sample(1.0),
    "throttle_first": ops.throttle_first(1.0),
}


def emission_through(*operators: Any) -> str:
    """How a flow emits behind operators."""
    return emission_of(FLOW.to_observable().pipe(*operators))


def test_a_flow_emits_with_demand() -> None:
    """Alone, and with several paths."""
    assert emission_of(FLOW.to_observable()) == "with demand"
    assert emission_of((FLOW & FLOW).to_observable()) == "with demand"


@pytest.mark.parametrize("name", FOLLOWED)
def test_an_operator_is_followed_to_what_it_was_put_on(name: str) -> None:
    """A flow behind it emits with demand, and a subject doesn't."""
    assert emission_through(FOLLOWED[name]) == "with demand"
    assert emission_through(ops.map(str), FOLLOWED[name], ops.filter(bool)) == "with demand"
    assert emission_of(Subject().pipe(FOLLOWED[name])) == "hot"


@pytest.mark.parametrize("name", THINNING)
def test_an_operator_that_makes_less_of_more_is_known(name: str) -> None:
    """By the module that it comes from, at its end and further up."""
    assert emission_of(Subject().pipe(THINNING[name])) == "thinned out"
    assert emission_of(Subject().pipe(THINNING[name], ops.map(str))) == "thinned out"


def test_the_modules_of_these_operators_exist() -> None:
    """Or none of them would be found any more."""
    for name in _THINNING:
        assert import_module(name).__name__ == name


@pytest.mark.parametrize(
    "source",
    [
        Subject(),
        BehaviorSubject(1),
        ReplaySubject(),
        AsyncSubject(),
        reactivex.of(1),
        reactivex.interval(1.0),
        reactivex.merge(FLOW.to_observable(), Subject()),
    ],
)
def test_all_else_is_hot(source: Any) -> None:
    """Also what was put together of several."""
    assert emission_of(source) == "hot"


@pytest.mark.parametrize("thing", [None, [1], "Subject", Subject])
def test_what_is_no_observable_does_not_emit(thing: object) -> None:
    """There is nothing to guess."""
    assert emission_of(thing) == ""


#: Operators that are made of others, which have names of their own.
OF_OTHERS = {"concat_map": "map, merge", "to_list": "to_iterable"}

STREAM_OPERATORS: dict[str, Any] = {
    "chunks": pipe.chunks(2),
    "filter": pipe.filter(bool),
    "map": pipe.map(str),
    "merge": pipe.merge(),
    "take": pipe.take(3),
}


def test_an_operator_is_called_as_it_is_written() -> None:
    """One that is made of others, as these are; any other function by its own name."""
    for name, operator in (FOLLOWED | THINNING).items():
        assert operator_names([operator]) == (OF_OTHERS.get(name, name),)
    for name, operator in STREAM_OPERATORS.items():
        assert operator_names([operator]) == (name,)
    assert operator_names([test_all_else_is_hot, lambda source: source, rx_pipe(ops.share())]) == (
        "test_all_else_is_hot",
        "<lambda>",
        "_RxPipe",
    )


def test_operators_are_drawn_and_written_by_their_names() -> None:
    """And not as the functions that the library has made of them."""
    piped = rx_pipe(ops.map(str), ops.filter(bool), name="text")
    streamed = stream_pipe(pipe.map(str), pipe.take(3))
    assert repr(piped) == "rx_pipe(map, filter, name='text')"
    assert repr(streamed) == "stream_pipe(map, take)"
    assert to_tree(FLOW >> piped >> streamed).splitlines()[1:3] == [
        "○ text  map, filter, name='text'",
        "○ stream_pipe  map, take",
    ]
