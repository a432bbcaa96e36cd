"""Options that contradict each other or have no effect, and sources that don't wait, are told."""

from __future__ import annotations

import asyncio
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
    InvalidFlowError,
    StepOptions,
    from_observable,
    passthrough,
    run,
    rx_pipe,
    step,
    stream_pipe,
)
from tests.support.capacities import told
from tests.support.conduits import Add, Collect, Fetch, Numbers
from tests.support.errors import untyped


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


CASES: dict[str, tuple[Any, str, str, str]] = {
    "no limit": (
        FETCH.options(concurrency=None),
        "warning",
        (
            "has no limit (concurrency=None): it takes products as fast as they can be made, and"
            " memory grows with them"
        ),
        "set concurrency= to what it calls can bear, such as 100",
    ),
    "threads without limit": (
        PLAIN.options(concurrency=None),
        "warning",
        (
            "has no limit (concurrency=None): it takes products as fast as they can be made, with a"
            " thread for each, and memory grows with them"
        ),
        "set concurrency= to what it calls can bear, such as 100",
    ),
    "processes without limit": (
        PLAIN.options(concurrency=None, executor="process"),
        "warning",
        (
            "has no limit (concurrency=None): it takes products as fast as they can be made, and"
            " memory grows with them"
        ),
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
        (
            "repeatable=True is for generators, and its function is none: it counts only if what"
            " that returns is iterated, and fails halfway"
        ),
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
        (
            "concurrency=3 has no effect with executor=None: a plain function runs one call at a"
            " time on the loop, unless what it returns is awaited"
        ),
        "set executor='thread', or leave executor out",
    ),
    "retries without end": (
        FETCH.options(retry=tenacity.AsyncRetrying()),
        "warning",
        "may try for ever: its policy of tenacity never stops",
        "set its stop=stop_after_attempt(…), or stop_after_delay(…)",
    ),
    "a time-out on the loop": (
        PLAIN.options(timeout=0.5, executor=None),
        "warning",
        (
            "timeout=0.5 can't interrupt it: it is a plain function that runs on the loop, so"
            " only what it returns is timed, if that is awaited"
        ),
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
        (
            "is a generator that runs in processes: all products of a call are made, and held,"
            " before the first is given"
        ),
        "for one by one, set executor='thread'",
    ),
}


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
    """Options that are well set lead to no finding."""
    before: Any = step("g", fetch) if "step" in repr(conduit) else Fetch()
    assert told(before >> conduit) == []


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
                ("on_error='collect' puts failures into a result that a flow with a consumer hasn't"
                " got"),
                "pass on_failure=… to the flow's run() or arun(), or set on_error to a function",
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


def test_a_buffer_makes_no_calls_that_options_could_be_of() -> None:
    """What is set on a chain is checked for its steps alone."""
    chain = Fetch().buffered(2, "drop_oldest")
    for options in ({"repeatable": True, "retry": 3}, {"concurrency": None}, {"window": 3}):
        found = told(untyped(chain).options(**options))
        assert {name for _, name, *_ in found} <= {"Fetch"}


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
        f"its {type(source).__name__} emits without respecting demand: what comes faster than it is"
        " taken queues up without bound"
    )
    assert remedy.startswith("say what may be dropped: from_observable(…, overflow='drop_oldest')")
    assert "thin it out before (ops.sample, ops.throttle_first)" in remedy
    assert told(from_observable(source, "hot") >> FETCH) == [(level, name, text, remedy)]


@pytest.mark.parametrize("overflow", ["error", "drop_oldest", "drop_newest", "latest"])
def test_a_source_that_says_what_may_be_dropped_is_not_told(overflow: Any) -> None:
    """A policy of its own bounds what waits."""
    assert told(from_observable(Subject(), "hot", overflow=overflow) >> FETCH) == []


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
    """Flows respect demand, through operators too; and there are operators that make less of
    more."""
    assert told(step("src", source) >> FETCH) == []
