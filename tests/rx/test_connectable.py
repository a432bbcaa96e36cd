"""What reactivex multicasts belongs to all who listen, and to no run."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
import reactivex
from reactivex import ConnectableObservable, Observable
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import UsageError, arun, from_observable, rx_pipe, start, step
from fluxus_rx.rx import to_observable
from fluxus_rx.testing import run_virtual
from tests.support.probes import BUFFER

COUNT = 8


async def numbers() -> AsyncIterator[dict[str, int]]:
    """A number each second."""
    for number in range(COUNT):
        await asyncio.sleep(1)
        yield {"n": number}


async def slowly(n: int) -> dict[str, int]:
    """What a step takes a while for."""
    await asyncio.sleep(0.1)
    return {"m": n}


def number_of(product: Any) -> Any:
    """What it was made of."""
    return product["n"]


def fetched() -> Observable[Any]:
    """A source with an asynchronous step behind it."""
    return (step("src", numbers) >> step("fetch", slowly)).to_observable()


def listening(shared: Observable[Any], *more: Any) -> Any:
    """A run that listens to all of it."""
    return arun(
        from_observable(shared) >> rx_pipe(ops.map(lambda p: p), *more) >> step("s", slowly)
    )


def test_all_multicasting_operators_are_made_of_one_class() -> None:
    """If this fails, `_rx/connectable.py` has to know more than that one."""
    operators: list[Any] = [
        ops.publish(),
        ops.replay(buffer_size=1),
        ops.publish_value(0),
        ops.multicast(Subject()),
    ]
    for operator in operators:
        assert isinstance(reactivex.never().pipe(operator), ConnectableObservable)


SOURCES: dict[str, Callable[[], Observable[Any]]] = {
    "flow": fetched,
    "operators in front": lambda: fetched().pipe(ops.map(lambda p: p), ops.filter(bool)),
    "flow for each item": lambda: reactivex.interval(1).pipe(
        ops.take(COUNT),
        ops.flat_map(lambda n: reactivex.of({"n": n}) >> step("inner", slowly)),
    ),
    "one after the other": lambda: reactivex.concat(
        fetched().pipe(ops.take(3)), fetched().pipe(ops.skip(3))
    ),
    "retried": lambda: reactivex.concat(
        fetched().pipe(ops.take(2)), reactivex.throw(OSError())
    ).pipe(ops.retry(4)),
    "paths": lambda: reactivex.merge(
        *(step("src", numbers) >> (step("a", slowly) & step("b", slowly))).to_observable(paths=True)
    ).pipe(ops.distinct_until_changed(number_of)),
    "shared twice": lambda: fetched().pipe(ops.share(), ops.replay(buffer_size=3), ops.ref_count()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_others_get_the_rest_when_the_first_has_left(source: str) -> None:
    """Whatever stands in front of `share`, also what is subscribed to after that."""

    async def main() -> tuple[int, list[str]]:
        shared = SOURCES[source]().pipe(ops.share())
        first = asyncio.create_task(listening(shared, ops.take(2)))
        await asyncio.sleep(0.5)
        ends: list[str] = []
        shared.subscribe(on_error=lambda _: ends.append("error"), on_completed=lambda: None)
        second = asyncio.create_task(listening(shared, ops.catch(reactivex.empty())))
        await first
        (outputs,) = await second
        return len(outputs), ends

    assert run_virtual(main) == (COUNT, ["error"] if source == "retried" else [])


def test_an_error_of_the_source_is_the_error_of_all_who_listen() -> None:
    """The very object."""
    broken = ValueError("broken")

    def fail(n: int) -> dict[str, int]:
        if n == 3:
            raise broken
        return {"n": n}

    async def main() -> list[BaseException]:
        flow = step("src", numbers) >> step("fail", fail)
        shared = flow.to_observable().pipe(ops.share())
        runs = [listening(shared) for _ in range(3)]
        return [*await asyncio.gather(*runs, return_exceptions=True)]

    assert all(error is broken for error in run_virtual(main))


def test_a_source_that_is_shared_is_not_part_of_the_run_that_came_first() -> None:
    """Its steps are in no run's statistics, whichever comes first; those behind it are."""

    async def main() -> list[list[str]]:
        shared = fetched().pipe(ops.share())
        flow = from_observable(shared, "p") >> step("s", slowly)
        async with start(flow) as first, start(flow) as second:
            await asyncio.gather(first.result(), second.result())
        return [[one.step for one in run.stats().steps] for run in (first, second)]

    assert run_virtual(main) == [["p", "s"]] * 2


def test_what_rx_pipe_multicasts_is_part_of_the_run() -> None:
    """What stands in front of it counts, and so do the inner flows."""

    async def main() -> tuple[dict[str, int], int]:
        async def fail(n: int) -> dict[str, int]:
            raise ValueError(n)

        inner = step("inner", fail).options(on_error="collect")
        flow = (
            step("src", numbers)
            >> step("fetch", slowly)
            >> rx_pipe(
                ops.flat_map(lambda p: reactivex.concat(reactivex.of(p), reactivex.of(p) >> inner)),
                ops.share(),
            )
        )
        async with start(flow) as run:
            result = await run.result()
        done = {one.step: one.done for one in run.stats().steps}
        return done, len(result.failures)

    done, failures = run_virtual(main)
    assert (done["src"], done["fetch"], failures) == (COUNT, COUNT, COUNT)


def test_each_subscription_to_a_flow_has_operators_of_its_own() -> None:
    """A flow is cold, whatever its operators multicast."""

    async def main() -> tuple[int, int]:
        flow = (step("src", numbers) >> rx_pipe(ops.share()) >> step("s", slowly)).to_observable()
        first, second = list[Any](), list[Any]()
        ended = asyncio.Event()
        subscription = flow.subscribe(first.append)
        await asyncio.sleep(2.5)
        flow.subscribe(second.append, on_completed=ended.set)
        subscription.dispose()
        await ended.wait()
        return len(first), len(second)

    assert run_virtual(main) == (2, COUNT)


def test_the_fastest_who_listens_sets_the_pace() -> None:
    """One that doesn't read holds up nobody; when it is alone, the source waits for it."""
    made = 0

    async def many() -> AsyncIterator[dict[str, int]]:
        nonlocal made
        for made in range(1, 201):
            yield {"n": made}

    async def never(n: int) -> dict[str, int]:
        await asyncio.sleep(10_000)
        return {}

    async def main() -> None:
        shared = step("src", many).to_observable().pipe(ops.share())
        flow = from_observable(shared) >> step("never", never).options(concurrency=1)
        stuck = asyncio.create_task(arun(flow))
        await asyncio.sleep(10)
        alone = made
        assert alone <= BUFFER + 2
        (outputs,) = await listening(shared)
        assert (made, len(outputs)) == (200, 200 - alone + 1)
        stuck.cancel()
        await asyncio.wait([stuck])

    run_virtual(main)


@pytest.mark.parametrize("leaving", ["take", "break", "cancel"])
def test_the_last_run_that_leaves_waits_until_the_source_has_cleaned_up(leaving: str) -> None:
    """However it leaves, and whichever came first."""
    closed_at = 0.0

    async def closing() -> AsyncIterator[dict[str, int]]:
        nonlocal closed_at
        try:
            async for item in numbers():
                yield item
        finally:
            await asyncio.sleep(5)
            closed_at = asyncio.get_running_loop().time()

    async def leave(shared: Observable[Any]) -> None:
        if leaving == "take":
            await listening(shared, ops.take(4))
        elif leaving == "cancel":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4):
                    await listening(shared)
        else:
            async with aclosing(aiter(from_observable(shared))) as items:
                async for item in items:
                    if item["n"] == 3:
                        break

    async def main() -> None:
        shared = to_observable(closing()).pipe(ops.share())
        first = asyncio.create_task(listening(shared, ops.take(2)))
        await asyncio.sleep(0)
        await leave(shared)
        assert asyncio.get_running_loop().time() >= closed_at > 8
        await first

    run_virtual(main)


def test_an_error_in_cleaning_up_is_raised_by_the_run_that_leaves_last() -> None:
    """Those that have left before have got all that they wanted."""

    async def closing() -> AsyncIterator[dict[str, int]]:
        try:
            async for item in numbers():
                yield item
        finally:
            raise OSError("not closed")

    async def main() -> None:
        shared = to_observable(closing()).pipe(ops.share())
        first = asyncio.create_task(listening(shared, ops.take(2)))
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="not closed"):
            await listening(shared, ops.take(4))
        await first

    run_virtual(main)


@pytest.mark.parametrize("hands_out", ["group", "window", "own operator"])
def test_who_listens_to_a_part_of_a_run_hears_that_the_run_has_ended(hands_out: str) -> None:
    """Instead of waiting for ever; with `share` behind the operator, it gets the rest."""

    def own(source: Observable[Any]) -> Observable[Any]:
        """Hands out a subject that it never takes from the source."""
        subject: Subject[Any] = Subject()

        def subscribe(observer: Any, scheduler: Any = None) -> Any:
            observer.on_next(subject)
            source.subscribe(subject, scheduler=scheduler)
            return reactivex.empty().subscribe()

        return Observable(subscribe)

    operators: dict[str, Any] = {
        "group": ops.group_by(lambda p: "all"),
        "window": ops.window_with_count(100),
        "own operator": own,
    }

    async def main(share: Any) -> Any:
        handed_out = fetched().pipe(operators[hands_out], share)
        parts: list[Observable[Any]] = []

        def keep(part: Observable[Any]) -> dict[str, int]:
            parts.append(part)
            return {}

        first = asyncio.create_task(arun(from_observable(handed_out, "part") >> step("keep", keep)))
        await asyncio.sleep(2.5)
        second = asyncio.create_task(listening(parts[0]))
        await asyncio.sleep(0.5)
        first.cancel()
        return (await asyncio.gather(second, return_exceptions=True))[0]

    error = run_virtual(lambda: main(ops.map(lambda part: part)))
    (outputs,) = run_virtual(lambda: main(ops.share()))
    assert isinstance(error, UsageError)
    assert "put ops.share() behind" in str(error)
    assert len(outputs) >= COUNT - 3


@pytest.mark.parametrize("source", ["flow", "timer"])
def test_when_the_loop_of_the_source_ends_those_on_other_loops_are_told(source: str) -> None:
    """Instead of waiting for ever; and nothing is told twice."""
    made, subscribed = threading.Event(), threading.Event()

    async def ticking() -> AsyncIterator[dict[str, int]]:
        yield {"n": 0}
        await asyncio.Event().wait()

    sources: dict[str, Observable[Any]] = {
        "flow": step("src", ticking).to_observable(),
        "timer": reactivex.timer(3600).pipe(ops.start_with(0), ops.map(lambda n: {"n": n})),
    }
    shared = sources[source].pipe(ops.replay(), ops.ref_count())

    async def first() -> None:
        run = asyncio.create_task(listening(shared.pipe(ops.do_action(lambda _: made.set()))))
        await asyncio.to_thread(subscribed.wait)
        # As the loop does at its end; here, for a test leaves no task running.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.wait([run, *left])

    async def second() -> None:
        with pytest.raises(UsageError, match="loop of the run that subscribed first"):
            await listening(shared.pipe(ops.do_action(lambda _: subscribed.set())))

    thread = threading.Thread(target=lambda: asyncio.run(first()))
    thread.start()
    made.wait()
    asyncio.run(second())
    thread.join()
