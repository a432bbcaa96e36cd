"""Mistakes of people who are new to the library, and the words that each answer must have."""

from __future__ import annotations

import asyncio
import dataclasses
import unittest.mock
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import reactivex
import tenacity
from aiostream import pipe
from reactivex import operators as ops

from fluxus_rx import (
    Passthrough,
    StepOptions,
    Transformer,
    arerun,
    arun,
    astream,
    chain,
    check,
    from_observable,
    parallel,
    passthrough,
    rerun,
    run,
    rx_pipe,
    start,
    step,
    stream,
    stream_pipe,
)
from fluxus_rx.viz import draw
from tests.support.conduits import Collect, Fetch, Numbers
from tests.support.errors import refused, untyped


def up(x: int) -> dict[str, int]:
    return {"y": x + 1}


def loaded() -> list[dict[str, int]]:
    return [{"x": 1}]


def spread(*values: int) -> dict[str, int]:
    return {"y": sum(values)}


# Untyped: these are mistakes that type checkers refuse as well, nearly all of them.
src: Any = step("src", [{"x": 1}])
a, b, c = (untyped(step(name, up)) for name in "abc")
sink: Any = Collect()
chained, side_by_side, do = untyped(chain), untyped(parallel), untyped(run)
make, rx, streams = untyped(step), untyped(rx_pipe), untyped(stream_pipe)
rows = [{"x": 1}]


def frame() -> pd.DataFrame:
    return pd.DataFrame(rows)


async def started(flow: Any, *more: Any, **settings: Any) -> None:
    async with untyped(start)(flow, *more, **settings) as running:
        await running.result()


async def iterated(flow: Any, *more: Any, **settings: Any) -> None:
    async for _ in untyped(astream)(flow, *more, **settings):
        raise AssertionError


#: each way to run a flow, with the name that a message has for it
RUNS: list[tuple[str, Callable[..., object]]] = [
    ("run()", run),
    ("arun()", lambda *given, **more: asyncio.run(untyped(arun)(*given, **more))),
    ("stream()", lambda *given, **more: [*untyped(stream)(*given, **more)]),
    ("astream()", lambda *given, **more: asyncio.run(iterated(*given, **more))),
    ("start()", lambda *given, **more: asyncio.run(started(*given, **more))),
]

MISTAKES: dict[str, tuple[Callable[[], object], list[str]]] = {
    # & and >>
    "fork": (lambda: src >> a & b >> c, ["'b'", "binds more tightly", "src >> (a & b) >> c"]),
    "fork at the end": (lambda: src >> a & b, ["binds more tightly", "src >> (a & b)"]),
    "fork with a consumer": (lambda: a & b >> sink, ["(a & b) >> Collect"]),
    "sources with a consumer": (lambda: Numbers(1) & Numbers(2) >> sink, ["(Numbers & Numbers)"]),
    "fork with a passthrough": (
        lambda: src >> a & passthrough(),
        ["'src'", "a passthrough", "src >> (a & passthrough())"],
    ),
    "two sources and a fork": (
        lambda: src & src >> a & b,
        ["'b'", "binds more tightly", "put a fork into brackets"],
    ),
    "long fork": (
        lambda: chained(src, *[a] * 9) & b,
        ["binds more tightly", "… >> (a & b) >> …"],
    ),
    "source beside a step": (lambda: src & a, ["'src'", "'a'", "takes none (it is data"]),
    # operators that there are not
    "pipe": (lambda: a | b, ["|", "'a'", "'b'", "a & b", "a >> b"]),
    "pipe behind a source": (lambda: src | a, ["|", "'src'", "a >> b"]),
    "pipe into a function": (lambda: src | up, ["|", "step('name', up)"]),
    "pipe from a function": (lambda: up | a, ["|", "step('name', up)"]),
    "pipe from a list": (lambda: [a] | b, ["|", "parallel(*steps)"]),
    "pipe into a list": (lambda: a | [b], ["|", "parallel(*steps)"]),
    "pipe from data": (lambda: rows | a, ["|", "step('name', [{'x': 1}])"]),
    "pipe of a passthrough": (lambda: passthrough() | a, ["|", "a & b"]),
    "pipe of a consumer": (lambda: src | sink, ["|", "Collect()", "a >> b"]),
    "pipe of a flow": (lambda: (src >> sink) | a, ["|", "a & b"]),
    "pipe of a class": (lambda: a | Fetch, ["|", "did you mean Fetch()?"]),
    "sum": (lambda: sum([a, b]), ["+", "0 (int)", "a & b"]),
    "plus": (lambda: a + b, ["+", "'a'", "a & b"]),
    "left shift": (lambda: src << a, ["<<", "a >> b"]),
    # no conduits
    "function & step": (lambda: up & a, ["'a'", "step('name', up)"]),
    "step & function": (lambda: a & up, ["'a'", "step('name', up)"]),
    "list & step": (lambda: [a, b] & c, ["list", "parallel(*steps)"]),
    "list in a chain": (lambda: src >> [a, b], ["'src'", "list", "parallel(*steps)"]),
    "data >> step": (lambda: rows >> a, ["'a'", "list", "step('name', [{'x': 1}])"]),
    "mapping >> step": (lambda: rows[0] >> a, ["'a'", "dict", "step('name', {'x': 1})"]),
    "generator >> step": (lambda: iter(rows) >> a, ["'a'", "step('name', …)"]),
    "frame >> step": (lambda: untyped(frame()) >> a, ["'a'", "frame.to_dict('records')"]),
    "data >> consumer": (lambda: rows >> sink, ["Collect()", "step('name', [{'x': 1}])"]),
    "observable >> consumer": (lambda: reactivex.of(1) >> sink, ["from_observable(…)"]),
    "source >> operator": (lambda: src >> ops.map(up), ["'src'", "rx_pipe(…)"]),
    "source >> stream operator": (
        lambda: src >> pipe.map(untyped(up)),
        ["'src'", "stream_pipe(…)"],
    ),
    "source >> run": (lambda: src >> a >> run, ["did you mean run(flow)?"]),
    "source >> passthrough": (lambda: src >> passthrough, ["did you mean passthrough()?"]),
    "passthrough, not called": (lambda: side_by_side(a, passthrough), ["did you mean passthrough"]),
    "source >> mock": (lambda: src >> unittest.mock.Mock(), ["'src'", "Mock"]),
    # a class for an instance
    "source >> class": (lambda: src >> Fetch, ["'src'", "did you mean Fetch()?"]),
    "class >> step": (lambda: Numbers >> a, ["'a'", "did you mean Numbers()?"]),
    "class & step": (lambda: Fetch & a, ["'a'", "did you mean Fetch()?"]),
    "parallel(class)": (lambda: side_by_side(Fetch), ["argument 0", "did you mean Fetch()?"]),
    "parallel(passthrough class)": (lambda: side_by_side(a, Passthrough), ["Passthrough()?"]),
    "chain(class)": (lambda: chained(Fetch), ["argument 0", "did you mean Fetch()?"]),
    "chain(source, class)": (lambda: chained(src, Fetch), ["'src'", "did you mean Fetch()?"]),
    "run(class)": (lambda: do(Numbers), ["run()", "did you mean Numbers()?"]),
    "check(class)": (lambda: check(untyped(Fetch)), ["check()", "did you mean Fetch()?"]),
    "draw(class)": (lambda: draw(untyped(Fetch)), ["draw()", "did you mean Fetch()?"]),
    "step of a class": (lambda: make("s", Fetch), ["'s'", "conduit", "Fetch(), and not step"]),
    "step of a conduit": (lambda: make("s", a), ["'s'", "conduit", "step('a', up), and not step"]),
    # a call for a function
    "call that gives None": (lambda: make("s", None), ["'s'", "None", "step('s', f), not"]),
    "call that gives a number": (lambda: make("s", 5), ["'s'", "5 (int)", "step('s', f), not"]),
    "call that gives text": (lambda: make("s", "yes"), ["'s'", "string", "step('s', f), not"]),
    "call behind a source": (
        lambda: src >> make("s", up(1)),
        ["'s'", "it is data", "uncalled", "step('s', f)"],
    ),
    "call beside a step": (
        lambda: parallel(a, make("s", up(1))),
        ["'s'", "it is data", "uncalled", "step('s', f)"],
    ),
    # what a step is made of
    "options as arguments": (
        lambda: make("s", up, concurrency=3),
        ["'s'", "'concurrency'", "it has 'x'", "step('s', up).options(concurrency=3)"],
    ),
    "options of a source": (
        lambda: make("s", loaded, executor="thread"),
        ["'s'", "'executor'", "step('s', …).options(executor='thread')"],
    ),
    "options of data": (
        lambda: make("s", rows, ordered=True),
        ["'s'", "'ordered'", "an option of steps that take products"],
    ),
    "*args": (lambda: src >> make("s", spread), ["'s'", "by name", "*args"]),
    "no name": (lambda: make(up), ["step('name', up)"]),
    "name and function by name": (lambda: make(name="s", function=up), ["position", "step('name'"]),
    "swapped": (lambda: make(up, "s"), ["must be a string", "step('s', …)"]),
    "frame as data": (lambda: make("s", frame()), ["'s'", "DataFrame", "to_dict('records')"]),
    # what a run is given
    "frame as input": (lambda: do(a, input=frame()), ["input", "DataFrame", "to_dict('records')"]),
    "function as input": (lambda: do(a, input=loaded), ["input", "function", "input=loaded()"]),
    "several flows": (lambda: do(src, a), ["run()", "step('a', up)", "run(chain("]),
    "options by position": (
        lambda: do(src, StepOptions(buffer=3)),
        ["run()", "run(flow, options=StepOptions(buffer=3))"],
    ),
    "number by position": (lambda: do(src, 3), ["run()", "3 (int)", "by name"]),
    "rerun by position": (
        lambda: untyped(rerun)(src >> a, [], "a"),
        ["rerun()", "flow and the failures", "'a' (str)", "rerun(flow, failures, "],
    ),
    "arerun by position": (
        lambda: asyncio.run(untyped(arerun)(src >> a, [], a)),
        ["arerun()", "step('a', up)"],
    ),
    # options by another way than theirs
    "an option for a run": (
        lambda: do(src, concurrency=3),
        ["run()", "step.options(concurrency=3)", "run(flow, options=StepOptions(concurrency=3))"],
    ),
    "options for a rerun": (
        lambda: untyped(rerun)(src >> a, [], retry=3, window=9),
        ["rerun()", "rerun(flow, failures, options=StepOptions(retry=3, window=9))"],
    ),
    "a keyword that is nearly right": (
        lambda: do(a, inputs=rows),
        ["run()", "'inputs'", "did you mean input=…?"],
    ),
    "a keyword that is none": (
        lambda: do(src, max_workers=3),
        ["run()", "'max_workers'", "there are steps, input, timestamps"],
    ),
    "a keyword of another way": (
        lambda: untyped(stream)(src, timestamps=True),
        ["stream()", "'timestamps'", "there are steps, input, progress"],
    ),
    "options as a mapping": (
        lambda: a.options({"concurrency": 3}),
        ["'a'", "by their names", ".options(concurrency=3)"],
    ),
    "options as a mapping, of a chain": (
        lambda: (src >> a).options({"ordered": True}),
        ["by their names", ".options(ordered=True)"],
    ),
    "options as a mapping, of a source": (
        lambda: src.options({"executor": "thread"}),
        ["'src'", ".options(executor='thread')"],
    ),
    "options as a mapping, of a flow": (
        lambda: (Numbers(1) >> sink).options({"ordered": True}),
        ["Collect", ".options(ordered=True)"],
    ),
    "options as an object": (
        lambda: a.options(StepOptions(retry=3)),
        ["'a'", ".options(**StepOptions(retry=3).given())"],
    ),
    "a number as options": (lambda: a.options(3), ["'a'", "3 (int)", ".options(concurrency=3)"]),
    "options of a class": (
        lambda: untyped(Fetch).options(concurrency=3),
        ["called on a class", "conduit.options(concurrency=3)"],
    ),
    "a mapping for StepOptions": (
        lambda: untyped(StepOptions)({"retry": 3}),
        ["StepOptions(retry=3)"],
    ),
    "no option of StepOptions": (
        lambda: untyped(StepOptions)(max_conc=3),
        ["'max_conc'", "there are concurrency"],
    ),
    "function as a flow": (lambda: do(up), ["run()", "step('name', up)"]),
    "data as a flow": (lambda: do(rows), ["run()", "step('name', [{'x': 1}])"]),
    "result as a flow": (lambda: do(run(src)), ["run()", "RunResult"]),
    # operators
    "operator, not called": (lambda: rx(ops.map), ["argument 0", "call it: ops.map(…)"]),
    "operators in a list": (lambda: rx([ops.share()]), ["argument 0", "rx_pipe(*operators)"]),
    "stream operators in a list": (
        lambda: streams([pipe.map(untyped(up))]),
        ["stream_pipe(*operators)"],
    ),
    "no observable": (lambda: from_observable(untyped([1])), ["[1] (list)", "SimpleProducer"]),
    "operators that give none": (lambda: run(src >> rx(up)), ["rx_pipe(up)"]),
    # drawings
    "file for a style": (lambda: src.draw("flow.svg"), ["'flow.svg'", "file='flow.svg'"]),
    # policies
    "part of a policy": (
        lambda: a.options(retry=tenacity.stop_after_attempt(3)),
        ["stop_after_attempt", "AsyncRetrying(stop=...)"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_the_way_out(mistake: str) -> None:
    """At once, by an error of the library whose message has these words."""
    make_it, words = MISTAKES[mistake]
    with refused(Exception, *words):
        make_it()


#: what is a function, or of another role, asked of a conduit
ELSEWHERE: dict[str, tuple[Callable[[], object], list[str]]] = {
    "run of a step": (lambda: a.run(), ["'a'", "'run'", "run(flow)", "fluxus_rx.run"]),
    "run of a chain": (lambda: (src >> a).run(), ["'run'", "run(flow)"]),
    "run of a group": (lambda: (a & b).arun(), ["'arun'", "arun(flow)"]),
    "run of a consumer": (lambda: sink.run(), ["Collect", "'run'", "that end with a consumer"]),
    "stream of a source": (
        lambda: untyped(Numbers(1)).stream(),
        ["Numbers", "'stream'", "iterated over"],
    ),
    "run of a passthrough": (lambda: untyped(passthrough()).run(), ["'run'", "run(flow)"]),
    "run of a class": (lambda: untyped(Fetch).run(), ["'Fetch' has no attribute 'run'"]),
}


@pytest.mark.parametrize("mistake", ELSEWHERE)
def test_a_method_that_is_elsewhere_is_absent_and_told(mistake: str) -> None:
    """By the error of Python for what is absent, which says where it is."""
    make_it, words = ELSEWHERE[mistake]
    with pytest.raises(AttributeError) as caught:
        make_it()
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(("name", "way"), RUNS)
class TestEachWayToRun:
    def test_input_by_position_is_told_its_name(
        self, name: str, way: Callable[..., object]
    ) -> None:
        """With the call as it should be."""
        words = [name, "[{'x': 1}] (list)", f"{name[:-1]}flow, input=[{{'x': 1}}])"]
        with refused(TypeError, *words):
            way(a, rows)

    def test_a_flow_that_needs_input_asks_for_it(
        self, name: str, way: Callable[..., object]
    ) -> None:
        """Before anything is called, whichever step of its start needs it."""
        called: list[int] = []

        def other(z: int = 0) -> list[dict[str, int]]:
            called.append(z)
            return []

        for flow in (a, a >> b, step("other", other) & step("s", lambda x, by: {}, by=2)):
            begins = "'s'" if flow.is_concurrent else "'a'"
            words = [name, begins, "needs 'x'", f"{name[:-1]}flow, input={{'x': …}})"]
            with refused(ValueError, *words):
                way(flow)
        assert not called

    def test_an_option_of_steps_is_told_its_place(
        self, name: str, way: Callable[..., object]
    ) -> None:
        """It isn't a keyword of the run."""
        words = [name, "'timeout'", f"{name[:-1]}flow, options=StepOptions(timeout=3))"]
        with refused(TypeError, *words):
            way(a, timeout=3)


def test_a_class_may_have_names_of_functions_for_itself() -> None:
    """As a method, as an attribute, and as a field without a default; nobody is offered others."""

    @dataclasses.dataclass
    class Own(Transformer[int, int]):
        run: int
        start: int = 5

        def transform(self, product: int) -> Iterator[int]:
            yield product + self.run

        def stream(self) -> str:
            return "own"

    own = Own(3)
    assert (own.run, own.start, own.stream(), [*Numbers(1) >> own]) == (3, 5, "own", [3])
    assert {"run", "start", "stream"} <= {*dir(own)}
    assert not {"run", "arun", "start", "stream", "astream"} & {*dir(a)}
    assert not hasattr(a, "run")
    with pytest.raises(TypeError, match="run"):
        untyped(Own)()


def test_a_flow_that_can_do_without_input_runs_without() -> None:
    """Once, as ever: with defaults, fixed values, or any attributes at all."""
    for function in (lambda x=3: {"y": x}, lambda **x: {"y": len(x)}):
        assert len(run(step("s", function))[0]) == 1
    assert run(step("s", up, x=3))[0] == [{"s": {"y": 4}}]


def test_a_rerun_needs_no_input() -> None:
    """It has its products already."""
    failing = step("s", lambda x: {"y": 1 // x}).options(on_error="collect")
    failures = run(failing, input={"x": 0}).failures
    assert rerun(step("s", up), failures)[0] == [{"input": {"x": 0}, "s": {"y": 1}}]


class TestFailureLimit:
    def test_a_limit_without_effect_is_refused(self) -> None:
        """Where no step puts up with a failure, each way to run says so, and how to."""
        words = ["max_failures=5", "no step has on_error", "StepOptions(on_error='collect')"]
        for flow in (src, src >> a, src >> (a & b) >> c, src >> a.options(on_error="raise")):
            with refused(ValueError, *words):
                run(flow, max_failures=5)
        with refused(ValueError, *words):
            (Numbers(1) >> Fetch() >> Collect()).run(max_failures=5)
        with refused(ValueError, *words):
            asyncio.run(started(src >> a, max_failures=5))
        with refused(ValueError, *words):
            stream(src >> a, max_failures=5)

    def test_a_limit_that_may_have_one_is_none_of_these(self) -> None:
        """With `on_error` anywhere; where a conduit holds another; 0, which isn't a
        misconception."""
        skipping = a.options(on_error="skip")
        for flow in (src >> skipping, src >> a >> skipping, src >> (a & (b >> skipping))):
            run(flow, max_failures=5)
        run((src >> a).options(on_error="collect"), max_failures=5)
        run(src >> a, max_failures=5, options=StepOptions(on_error="collect"))
        run(src >> a, max_failures=0)
        for held in (skipping, [skipping], {"one": skipping}):
            outer: Any = Fetch()
            outer.held = held
            (Numbers(1) >> outer >> Collect()).run(max_failures=5)


def test_what_is_right_is_not_refused() -> None:
    """Mocks, and iterables of the user's, are what they were."""
    mocked = unittest.mock.MagicMock(return_value={"y": 1})
    assert run(src >> step("s", mocked))[0][0]["s"] == {"y": 1}

    class Rows:
        columns = 3

        def __iter__(self) -> Iterator[dict[str, int]]:
            return iter(rows)

    assert len(run(step("s", Rows()))[0]) == 1
