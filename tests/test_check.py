"""check() finds what is wrong with a flow before it runs, and says how to put it right."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import reactivex
import tenacity
from aiostream import pipe
from reactivex import operators as ops
from reactivex.subject import AsyncSubject, BehaviorSubject, ReplaySubject, Subject

from fluxus_rx import (
    Finding,
    InvalidFlowError,
    InvalidOptionError,
    StepOptions,
    chain,
    check,
    parallel,
    passthrough,
    run,
    rx_pipe,
    step,
    stream_pipe,
)
from tests.conduits import Add, Collect, Fetch, Numbers
from tests.errors import refused, untyped
from tests.held import Steps, numbers


def plain(x: int) -> dict[str, int]:
    return {"x": x}


async def fetch(x: int) -> dict[str, int]:
    return {"x": x}


def pairs(x: int) -> Iterator[dict[str, int]]:
    yield {"x": x}
    yield {"x": x}


async def apairs(x: int) -> AsyncIterator[dict[str, int]]:
    yield {"x": x}


def endless() -> Iterator[dict[str, int]]:
    yield {"x": 1}


SRC = step("src", [{"x": 1}])
PLAIN, FETCH, PAIRS, APAIRS = (step("f", f) for f in (plain, fetch, pairs, apairs))
THREE = asyncio.Semaphore(3)


def told(flow: Any, **kwargs: Any) -> list[tuple[str, str, str, str]]:
    """What check() finds beside what the edges hold."""
    found = [finding for finding in check(flow, **kwargs) if "→" not in finding.step]
    return [dataclasses.astuple(finding) for finding in found]


CASES: dict[str, tuple[Any, str, str, str]] = {
    "no limit": (
        FETCH.options(concurrency=None),
        "warning",
        "has no limit (concurrency=None): it takes products as fast as they can be made, and memory"
        " grows with them",
        "set concurrency= to what it calls can bear, such as 100",
    ),
    "threads without limit": (
        PLAIN.options(concurrency=None),
        "warning",
        "has no limit (concurrency=None): it takes products as fast as they can be made, with a"
        " thread for each, and memory grows with them",
        "set concurrency= to what it calls can bear, such as 100",
    ),
    "processes without limit": (
        PLAIN.options(concurrency=None, executor="process"),
        "warning",
        "has no limit (concurrency=None): it takes products as fast as they can be made, and memory"
        " grows with them",
        "set concurrency= to what it calls can bear, such as 100",
    ),
    "window without ordered": (
        FETCH.options(window=5),
        "warning",
        "window=5 has no effect without ordered",
        "set ordered=True, or leave window out",
    ),
    "window without ordered, on a synchronous step": (
        PLAIN.options(window=5),
        "warning",
        "window=5 has no effect without ordered",
        "set ordered=True, or leave window out",
    ),
    "window < concurrency": (
        FETCH.options(window=1, ordered=True, concurrency=9),
        "warning",
        "window=1 lets 1 call run at once, fewer than concurrency=9",
        "raise window, which is 4 times the concurrency by default, or lower concurrency",
    ),
    "window < the default concurrency": (
        FETCH.options(window=5, ordered="x"),
        "info",
        "window=5 lets 5 calls run at once, fewer than concurrency=256",
        "raise window, which is 4 times the concurrency by default, or lower concurrency",
    ),
    "repeatable without retry": (
        APAIRS.options(repeatable=True),
        "warning",
        "repeatable=True has no effect without retry",
        "set retry= to a number of attempts, or leave repeatable out",
    ),
    "repeatable with one attempt": (
        PAIRS.options(repeatable=True, retry=1),
        "warning",
        "repeatable=True has no effect without retry",
        "set retry= to a number of attempts, or leave repeatable out",
    ),
    "repeatable on what is no generator": (
        FETCH.options(repeatable=True, retry=3),
        "info",
        "repeatable=True is for generators, and its function is none: it counts only if what that"
        " returns is iterated, and fails halfway",
        "leave it out, if it doesn't return an iterator",
    ),
    "buffer on a synchronous step": (
        PLAIN.options(buffer=3),
        "warning",
        "buffer=3 has no effect: it is synchronous, and takes each product as it is made",
        "set it on an asynchronous step behind it, or leave it out",
    ),
    "ordered on a synchronous step": (
        PLAIN.options(ordered="x"),
        "info",
        "ordered='x' has no effect: it is synchronous, and keeps the order anyway",
        "leave it out",
    ),
    "concurrency with executor=None": (
        PLAIN.options(concurrency=3, executor=None),
        "warning",
        "concurrency=3 has no effect with executor=None: a plain function runs one call at a time"
        " on the loop, unless what it gives is awaited",
        "set executor='thread', or leave executor out",
    ),
    "retries without end": (
        FETCH.options(retry=tenacity.AsyncRetrying()),
        "warning",
        "may try for ever: its policy of tenacity never stops",
        "give it stop=stop_after_attempt(…), or stop_after_delay(…)",
    ),
    "a time-out on the loop": (
        PLAIN.options(timeout=0.5, executor=None),
        "warning",
        "timeout=0.5 can't interrupt it: it is a plain function that runs on the loop, so only what"
        " it gives is timed, if that is awaited",
        "set executor='thread', or the timeout on the step itself",
    ),
    "a semaphore below the concurrency": (
        FETCH.options(limiter=THREE, concurrency=9),
        "info",
        "its limiter lets 3 calls run at once; up to 9 products are taken, and wait for it",
        "to take no more than it lets through, set concurrency=3",
    ),
    "a lock": (
        FETCH.options(limiter=asyncio.Lock()),
        "info",
        "its limiter lets 1 call run at once; up to 256 products are taken, and wait for it",
        "to take no more than it lets through, set concurrency=1",
    ),
    "a generator in processes": (
        PAIRS.options(executor="process"),
        "info",
        "is a generator that runs in processes: all products of a call are made, and held, before"
        " the first is given",
        "for one by one, set executor='thread'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_options_that_do_not_go_together_are_told(case: str) -> None:
    """Each with its reason and a way out; alone, and in a flow."""
    conduit, *finding = CASES[case]
    assert told(conduit) == [(finding[0], "f", *finding[1:])]
    assert told(SRC >> conduit >> FETCH) == [(finding[0], "f", *finding[1:])]


@pytest.mark.parametrize(
    "conduit",
    [
        PLAIN,
        FETCH,
        PLAIN.options(concurrency=5, timeout=1, retry=3, ordered=True, window=20, buffer=3),
        FETCH.options(concurrency=None, ordered=True, window=20, limiter=asyncio.Semaphore(20)),
        FETCH.options(limiter=THREE, concurrency=3, on_error="collect"),
        FETCH.options(limiter=asyncio.BoundedSemaphore(3), concurrency=2),
        PAIRS.options(retry=3, repeatable=True),
        APAIRS.options(retry=3, repeatable=True),
        Fetch().options(retry=tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(3))),
        Fetch().options(retry=3, repeatable=True),
        Add().options(executor="thread"),
        PLAIN.options(concurrency=1, executor=None),
        PAIRS.options(executor="thread"),
    ],
)
def test_options_that_go_together_are_not_told(conduit: Any) -> None:
    """What is well set gives no finding."""
    before: Any = step("g", fetch) if "step" in repr(conduit) else Fetch()
    assert [finding for finding in told(before >> conduit)] == []


def test_a_buffer_without_a_queue_is_told() -> None:
    """Behind a synchronous source nothing waits; where a step stands twice, one queue is enough."""
    buffered = FETCH.options(buffer=3)
    text = "buffer=3 has no effect: there is no queue in front of it that has a limit"
    assert told(SRC >> buffered) == [("warning", "f", text, "leave it out")]
    assert told(SRC >> PLAIN >> buffered) == [("warning", "f", text, "leave it out")]
    assert told(SRC >> FETCH >> PLAIN >> buffered) == []
    assert told(SRC >> buffered >> buffered) == []
    assert told(step("src", endless) >> (buffered & passthrough())) == []
    assert told(buffered) == told(PLAIN >> buffered) == []


def test_defaults_of_a_chain_and_of_the_run_count() -> None:
    """What is set around a step is checked for the step; what can't have an effect on some steps
    of many is not told of them."""
    flow = SRC >> PLAIN >> FETCH
    assert told(flow.options(buffer=3, ordered=True)) == []
    for found in (told(flow.options(timeout=2)), told(flow, options=StepOptions(timeout=2))):
        assert [(one[0], one[2].partition(":")[0]) for one in found] == [
            ("warning", "timeout=2 can't interrupt it")
        ]
    assert len(told(flow, options=StepOptions(concurrency=None))) == 1
    assert told(flow, options=StepOptions(timeout=2, executor="thread")) == []
    assert told(flow.options(window=3), options=StepOptions(ordered=True, concurrency=3)) == []


def test_what_can_not_go_to_a_process_is_an_error() -> None:
    """The run would refuse it."""
    flow = SRC >> step("f", lambda x: {"x": x})
    ((level, name, text, remedy),) = told(flow, options=StepOptions(executor="process"))
    assert (level, name) == ("error", "f")
    assert text.startswith("the function test_what_can_not_go_to_a_process_is_an_error.<locals>")
    assert remedy.endswith('or use threads: executor="thread"')
    with pytest.raises(InvalidFlowError, match="can't be sent to a process"):
        run(flow, options=StepOptions(executor="process"))


def test_an_executor_of_the_users_is_no_thread_for_each() -> None:
    """It has a limit, but what waits for it has none."""
    with ThreadPoolExecutor(1) as executor:
        ((_, _, text, _),) = told(PLAIN.options(concurrency=None, executor=executor))
    assert "thread" not in text


def test_collect_needs_somebody_to_collect() -> None:
    """A flow with a consumer has no result that failures could be in."""
    add = Add().options(on_error="collect")
    assert told(Numbers(3) >> add) == []
    for flow in (Numbers(3) >> add >> Collect(), add >> Collect()):
        assert told(flow) == [
            (
                "warning",
                "Add",
                "on_error='collect' puts failures into a result that a flow with a consumer hasn't"
                " got",
                "give the flow's run() or arun() on_failure=…, or have a function for on_error",
            )
        ]  # fmt: skip


@pytest.mark.parametrize(
    "conduit", [rx_pipe(ops.take(3)), stream_pipe(pipe.take(3))], ids=["rx", "aiostream"]
)
def test_options_of_operators_have_no_effect(conduit: Any) -> None:
    """They are not steps."""
    assert told(SRC >> conduit.options(ordered=True)) == [
        (
            "warning",
            conduit.name,
            "options(ordered=True) has no effect: its operators run as they do by themselves",
            "leave it out, or set it on the steps beside it",
        )
    ]
    assert told((SRC >> conduit).options(ordered=True)) == []


@pytest.mark.parametrize(
    "make",
    [
        Subject,
        lambda: BehaviorSubject({"x": 1}),
        ReplaySubject,
        AsyncSubject,
        lambda: Subject().pipe(ops.map(lambda item: item)),
        lambda: reactivex.of({"x": 1}),
        lambda: reactivex.merge(Subject(), Subject()),
    ],
)
def test_a_source_that_does_not_wait_is_told(make: Callable[[], Any]) -> None:
    """Subjects, and other observables that are not made of a flow."""
    source = make()
    ((level, name, text, remedy),) = told(step("hot", source) >> FETCH)
    assert (level, name) == ("warning", "hot")
    assert text == (
        f"its {type(source).__name__} emits without heeding demand: what comes faster than it is"
        " taken queues up without bound"
    )
    assert remedy.startswith(
        "emit more slowly, thin it out before (ops.sample, ops.throttle_first)"
    )


@pytest.mark.parametrize(
    "source",
    [
        Subject().pipe(ops.sample(1.0)),
        Subject().pipe(ops.throttle_first(1.0), ops.map(lambda item: item)),
        Subject().pipe(ops.debounce(1.0)),
        SRC.to_observable(),
        (SRC >> (FETCH & passthrough())).to_observable(),
        SRC.to_observable().pipe(ops.filter(lambda item: True)),
    ],
)
def test_a_source_that_waits_or_is_thinned_out_is_not_told(source: Any) -> None:
    """Flows heed demand, through operators too; and there are operators that make less of more."""
    assert told(step("src", source) >> FETCH) == []


def test_a_step_that_stands_twice_is_told_of_once() -> None:
    """In a chain or in branches, it has one set of options."""
    wide = FETCH.options(concurrency=None)
    assert len(told(SRC >> wide >> (wide & (wide >> PLAIN)))) == 1


def test_errors_come_first_and_all_in_the_order_of_the_flow() -> None:
    """Then warnings, then infos."""
    flow = (
        step("src", {"x": 1})
        >> step("a", fetch).options(concurrency=None)
        >> step("b", fetch).options(window=1)
    )
    early = (
        step("src", {"x": 1}) >> step("early", lambda z: {}) >> step("w", plain).options(buffer=1)
    )
    assert [(one.level, one.step) for one in check(flow)] == [
        ("warning", "a"), ("warning", "b"), ("info", "src → a"), ("info", "a → b"),
    ]  # fmt: skip
    assert [one.level for one in check(early)] == ["error", "warning", "info", "info"]


def test_findings_print_one_to_a_line() -> None:
    """As a list, and each by itself, whatever the names of steps are."""

    class Named(Add):
        name = "two\nlines"

    found = check(Numbers(3) >> Named().options(buffer=3))
    assert str(found) == repr(found) == "\n".join(map(str, found))
    assert str(found).splitlines()[0].startswith("warning: two\\nlines: buffer=3 has no effect: ")
    assert repr(check(SRC)) == "[]"
    assert str(Finding("info", "a → b", "text")) == "info: a → b: text"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found[0].text = "other"  # type: ignore[misc]


def test_any_conduit_can_be_checked() -> None:
    """With the method as with the function."""
    for conduit in (
        SRC, FETCH, SRC & SRC, FETCH & PLAIN, FETCH & passthrough(), passthrough(), SRC >> FETCH,
        Numbers(3) >> Collect(), Fetch() >> Add(), Add() >> Collect(), Collect(),
        (SRC & SRC) >> (FETCH & passthrough()),
    ):  # fmt: skip
        assert conduit.check() == check(conduit)
        assert conduit.check(options=StepOptions(concurrency=3)) == check(
            conduit, options=StepOptions(concurrency=3)
        )


def test_what_is_no_flow_is_refused() -> None:
    """TypeError for a list of steps, ValueError for options that are none."""
    with refused(InvalidFlowError, "check() takes a flow, or a part of one, not ["):
        check(untyped([SRC]))
    with refused(InvalidOptionError, "options={'concurrency': 3} (dict): expected StepOptions("):
        check(SRC, options=untyped({"concurrency": 3}))


def edges(flow: Any) -> dict[str, Finding]:
    """What the edges hold."""
    return {finding.step: finding for finding in check(flow) if "→" in finding.step}


def test_numbers_are_per_path() -> None:
    """Where several paths lead to a step, what is behind it has a queue on each."""
    steps = Steps()
    group = steps.plain("a") & steps.fetch("b")
    flow = steps.source() >> group >> steps.fetch("c") >> steps.hold()
    finding = edges(flow)["c → hold"]
    assert finding.text.startswith("at most 272 products wait on each path (")


def test_the_way_to_fewer_products_is_told() -> None:
    """What sets the size of a queue is named, with the step that it is set on."""
    steps = Steps()
    flow = steps.source() >> steps.fetch("a", concurrency=5) >> steps.plain("b") >> steps.hold()
    finding = edges(flow)["a → b"]
    assert finding.text == (
        "at most 21 products wait (16 in the queue behind 'a', 5 with calls of 'a' that wait for"
        " room); 'b' takes them one at a time"
    )
    assert finding.remedy == "for fewer, lower buffer= of 'hold' and concurrency= of 'a'"


def test_what_connects_itself_is_not_known() -> None:
    """Of a transformer that puts itself into a flow, nobody knows how."""

    class Own(Fetch):
        def connect(self, source: Any) -> Any:
            return super().connect(source)

    findings = check(Numbers() >> Own() >> Fetch().options(buffer=3))
    assert [finding.text for finding in findings] == [
        "how many products wait depends on its own connect()"
    ] * 2


def test_groups_with_many_edges_between_them_are_told_as_one() -> None:
    """From 25 edges on, there is a finding for each step behind them, and not for each edge."""

    def group(name: str, size: int) -> Any:
        steps = Steps()
        return parallel(*(steps.fetch(f"{name}{n}", concurrency=n + 1) for n in range(size)))

    few = check(Steps().source() >> group("a", 4) >> group("b", 6))
    assert len(few) == 4 + 24
    many = check(Steps().source() >> group("a", 5) >> group("b", 5))
    assert len(many) == 5 + 5
    assert many[-1].step == "5 steps → b4"
    assert numbers(many[-1].text) == (16 + 5 + 1 + 16, 5)


@pytest.mark.parametrize("grouped", [False, True])
def test_two_thousand_steps_take_no_time(grouped: bool) -> None:
    """Long chains, and chains of groups with more paths than there are atoms."""
    one = step("f", fetch).options(concurrency=2)
    part: Any = (one & passthrough()) if grouped else one
    flow = chain(SRC, *[part] * (1_000 if grouped else 2_000))
    start = time.perf_counter()
    found = check(flow)
    assert time.perf_counter() - start < 5
    assert 1_000 <= len(found) <= 12_000
    assert len(check(chain(SRC, parallel([one] * 1_000), part, part))) < 4_000
