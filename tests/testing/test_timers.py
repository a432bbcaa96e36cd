"""Timers of Rx that are given no scheduler: threads in real time, and as good as that in virtual.

What works in virtual time must work in production. So each operator that waits is tried in both,
with times of a few milliseconds; what ends a test is an event.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler import TimeoutScheduler
from reactivex.scheduler.eventloop import AsyncIOThreadSafeScheduler
from reactivex.subject import Subject

from fluxus_rx import UsageError, step
from fluxus_rx.testing import DeadlockError, run_virtual
from tests.support.errors import untyped

#: seconds
TICK = 0.003


async def find(x: int) -> dict[str, int]:
    await asyncio.sleep(TICK)
    return {"found": x}


FLOW = step("find", find)


def flow_of(x: int) -> Observable[Any]:
    """A flow of one product, on an observable."""
    source: Any = reactivex.of({"x": x})
    found: Observable[Any] = FLOW(source).pipe(ops.map(lambda one: untyped(one)["found"]))
    return found


def never() -> Observable[int]:
    """What emits one item and goes on."""
    return reactivex.concat(reactivex.of(1), reactivex.never())


def as_list(window: Any) -> Observable[Any]:
    """The items of a window."""
    return window.pipe(ops.to_list())  # type: ignore[no-any-return]  # of any observable


#: What gives an item some time after it was subscribed to, or at once.
WAITING: dict[str, Callable[[], Observable[Any]]] = {
    "at once": lambda: reactivex.of(1),
    "timer": lambda: reactivex.timer(TICK),
    "interval": lambda: reactivex.interval(TICK),
    "delay": lambda: never().pipe(ops.delay(TICK)),
    "delay_subscription": lambda: never().pipe(ops.delay_subscription(TICK)),
    "delay_with_mapper": lambda: never().pipe(
        ops.delay_with_mapper(reactivex.timer(TICK), lambda _: reactivex.timer(TICK))
    ),
    "debounce": lambda: never().pipe(ops.debounce(TICK)),
    "throttle_first": lambda: never().pipe(ops.throttle_first(TICK)),
    "sample": lambda: never().pipe(ops.sample(TICK)),
    "buffer_with_time": lambda: never().pipe(ops.buffer_with_time(TICK)),
    "buffer_with_time_or_count": lambda: never().pipe(ops.buffer_with_time_or_count(TICK, 9)),
    "window_with_time": lambda: never().pipe(ops.window_with_time(TICK), ops.flat_map(as_list)),
    "timeout": lambda: reactivex.never().pipe(ops.timeout(TICK, reactivex.of(1))),
    "take_with_time": lambda: never().pipe(ops.take_with_time(TICK), ops.to_list()),
    "take_last_with_time": lambda: reactivex.timer(TICK).pipe(ops.take_last_with_time(1)),
    "timestamp": lambda: never().pipe(ops.timestamp(), ops.delay(TICK)),
    "observe_on": lambda: never().pipe(ops.observe_on(TimeoutScheduler.singleton())),
    "subscribe_on": lambda: never().pipe(ops.subscribe_on(TimeoutScheduler.singleton())),
    "two": lambda: never().pipe(ops.delay(TICK), ops.delay(TICK)),
}

every = pytest.mark.parametrize("name", WAITING)
RUNS: dict[str, Callable[[Any], Any]] = {"real": asyncio.run, "virtual": run_virtual}


async def outcome(name: str, inner: Callable[[], Observable[Any]], **given: Any) -> Any:
    """What comes of an observable that is subscribed to where the first item comes."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end(kind: str, what: Any) -> None:
        if not ended.done():
            ended.set_result((kind, what))

    def tell(kind: str) -> Callable[[Any], Any]:
        return lambda what: loop.call_soon_threadsafe(end, kind, what)

    def begin(_: Any) -> Observable[Any]:
        return inner()

    source: Observable[Any] = WAITING[name]().pipe(ops.take(1), ops.flat_map(begin))
    subscription = source.subscribe(tell("item"), tell("error"), lambda: tell("end")(None), **given)
    kind, what = await ended
    subscription.dispose()
    return kind, type(what) if kind == "error" else what


@every
def test_an_asynchronous_step_begins_there_in_neither_or_in_both(name: str) -> None:
    """It needs the loop, and a thread of a timer has none."""
    outcomes = {run(outcome(name, lambda: flow_of(5))) for run in RUNS.values()}
    assert outcomes == {("item", 5) if name == "at once" else ("error", UsageError)}


@every
def test_with_a_scheduler_of_the_loop_it_begins_in_both(name: str) -> None:
    """That of the outermost subscription is that of all."""

    async def main() -> Any:
        scheduler = AsyncIOThreadSafeScheduler(asyncio.get_running_loop())
        return await outcome(name, lambda: flow_of(5), scheduler=scheduler)

    if name in ("observe_on", "subscribe_on"):
        return  # which say where themselves
    assert {run(main()) for run in RUNS.values()} == {("item", 5)}


@every
def test_a_running_loop_is_found_there_in_neither_or_in_both(name: str) -> None:
    """What a user's function asks for, to begin a task for one."""

    def loop_there() -> Observable[bool]:
        return reactivex.of(asyncio._get_running_loop() is not None)

    real, virtual = (run(outcome(name, loop_there)) for run in RUNS.values())
    assert real == virtual


def test_search_as_one_types_says_what_to_do() -> None:
    """The message names the operator and the scheduler; with that it works."""

    async def main(**given: Any) -> Any:
        subject: Subject[int] = Subject()
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        subject.pipe(
            ops.debounce(TICK), ops.map(flow_of), ops.switch_latest(), ops.take(1)
        ).subscribe(
            *(in_loop(loop, ended.set_result), in_loop(loop, ended.set_exception)),
            **given,
        )
        for letter in range(5):
            subject.on_next(letter)
        return await ended

    async def told() -> Any:
        return await main(scheduler=AsyncIOThreadSafeScheduler(asyncio.get_running_loop()))

    for run in RUNS.values():
        with pytest.raises(UsageError, match=r"debounce.*outermost subscribe\(\)"):
            run(main())
        assert run(told()) == 4


def in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Calls back on the loop, from any thread."""

    def tell(what: Any) -> None:
        loop.call_soon_threadsafe(call, what)

    return tell


def fail(_: Any) -> None:
    raise ZeroDivisionError


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """Errors that threads, or what stands for them, have raised."""
    errors: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))
    return errors


def test_waking_the_loop_from_a_timer_is_refused(lost: list[BaseException | None]) -> None:
    """A loop that waits would not wake; asyncio says so in debug mode, virtual time always."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tried = asyncio.Event()

        def end(_: Any) -> None:
            try:
                loop.call_soon(print)
            finally:
                loop.call_soon_threadsafe(tried.set)

        reactivex.timer(TICK).subscribe(end)
        await tried.wait()

    asyncio.run(main(), debug=True)
    run_virtual(main())
    assert [type(error) for error in lost] == [RuntimeError] * 2
    assert len({str(error)[:75] for error in lost}) == 1


def test_a_deadlock_tells_of_errors_in_timers(lost: list[BaseException | None]) -> None:
    """They reach nobody else, and may well be why the loop waits."""

    async def main() -> None:
        reactivex.timer(TICK).subscribe(fail)
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError) as caught:
        run_virtual(main())
    assert lost == [caught.value.__cause__]
    assert "raised in a timer, where nobody hears of it: ZeroDivisionError" in str(
        caught.value.__notes__
    )


def test_a_scheduler_is_made_by_its_class_as_well() -> None:
    """It is the one that `singleton` returns, and keeps the loop."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[float] = loop.create_future()

        def action(*_: Any) -> None:
            loop.call_soon_threadsafe(ended.set_result, loop.time())

        TimeoutScheduler().schedule_relative(5, action)
        return await ended

    assert run_virtual(main) == 5


def test_a_timer_may_be_cancelled_and_set_from_any_thread() -> None:
    """As one that is a thread."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        scheduler = TimeoutScheduler.singleton()
        called: list[str] = []
        ended = asyncio.Event()

        def call(name: str) -> Callable[..., None]:
            def action(*_: Any) -> None:
                called.append(name)
                if name == "end":
                    loop.call_soon_threadsafe(ended.set)

            return action

        def set_timers() -> None:
            scheduler.schedule_relative(1, call("disposed")).dispose()
            scheduler.schedule_relative(2, call("called"))
            scheduler.schedule_relative(3, call("end"))

        await asyncio.to_thread(set_timers)
        await ended.wait()
        return called

    assert run_virtual(main()) == ["called", "end"]
