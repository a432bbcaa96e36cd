"""A limiter around each attempt: whole flows, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import (
    AsyncTransformer,
    Failure,
    StepOptions,
    Transformer,
    UsageError,
    arun,
    astream,
    passthrough,
    run,
    step,
)
from tests.support import scripted_calls
from tests.support.conduits import Collect, Fetch, First, Numbers
from tests.support.probes import Calls, Events, alone, turns, until
from tests.support.scripted_calls import KINDS, Script, failing, now, numbers, ys
from tests.support.tables import all_pairs

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

every_kind = pytest.mark.parametrize("kind", KINDS)

InTime = Callable[..., Any]


class Gate:
    """So many inside at once; counts those that came and went, and notes with what."""

    def __init__(self, size: int = 10**6) -> None:
        self.size = asyncio.Semaphore(size)
        self.entered = self.left = self.inside = self.peak = 0
        self.errors: list[type[BaseException] | None] = []

    async def __aenter__(self) -> None:
        await self.size.acquire()
        self.entered += 1
        self.inside += 1
        self.peak = max(self.peak, self.inside)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert error is None or type(error) is kind
        self.errors.append(kind)
        self.left += 1
        self.inside -= 1
        self.size.release()

    @property
    def settled(self) -> bool:
        """Whether all who came have gone."""
        return self.entered > 0 and self.inside == 0 and self.entered == self.left


class Rate:
    """One entry per second."""

    def __init__(self) -> None:
        self.entries: list[float] = []

    async def __aenter__(self) -> None:
        self.entries.append(max(now(), self.entries[-1] + 1 if self.entries else 0.0))
        await asyncio.sleep(self.entries[-1] - now())

    async def __aexit__(self, *_: object) -> None:
        pass


@every_kind
class TestEveryKind:
    def test_each_call_waits_for_its_rate(self, in_time: InTime, kind: str) -> None:
        """Ten calls at one per second take nine seconds."""
        script = Script(failing(0))
        assert in_time(lambda: script.values_of(kind, 10, limiter=Rate())) == [*range(10)]
        assert sorted(time for time, _ in script.began) == [*range(10)]

    def test_each_attempt_enters_it(self, in_time: InTime, all_of_it: None, kind: str) -> None:
        """And leaves it with what it raised."""
        gate, script = Gate(), Script(failing(2))
        assert in_time(lambda: script.values_of(kind, 3, limiter=gate, retry=3)) == [0, 1, 2]
        assert gate.settled
        assert gate.entered == 9
        assert sorted(gate.errors, key=str) == [*[ValueError] * 6, *[None] * 3]

    def test_it_is_not_held_while_a_call_waits_for_its_next_attempt(
        self, in_time: InTime, all_of_it: None, kind: str
    ) -> None:
        """Others are served meanwhile."""
        script = Script(lambda x, attempt: failing(2 if x == 0 else 0)(x, attempt))
        semaphore = asyncio.Semaphore(1)
        found = in_time(lambda: script.values_of(kind, 4, limiter=semaphore, retry=3))
        assert found == [0, 1, 2, 3]
        assert script.began == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (3, 0)]

    def test_a_call_that_fails_leaves_it(self, in_time: InTime, kind: str) -> None:
        """Whether it ends the run or not."""
        gate = Gate(2)
        script = Script(lambda x, attempt: failing(x % 2)(x, attempt))
        found = in_time(lambda: script.values_of(kind, 9, limiter=gate, on_error="skip"))
        assert found == [0, 2, 4, 6, 8]
        assert gate.settled
        assert gate.peak <= 2
        with pytest.raises(ValueError, match="0"):
            in_time(lambda: Script(failing(1)).values_of(kind, 9, limiter=gate))
        assert gate.settled

    def test_a_run_that_is_cancelled_leaves_it(self, in_time: InTime, kind: str) -> None:
        """Those that are inside, and those that wait to be."""
        gate, script = Gate(1), Script(failing(0), seconds=10)

        async def main() -> None:
            await gate.__aenter__()
            task = asyncio.create_task(script.values_of(kind, 5, limiter=gate))
            await asyncio.sleep(5)
            await gate.__aexit__(None, None, None)
            await asyncio.sleep(5)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert alone()

        in_time(main)
        assert gate.settled
        assert script.closed == sum(script.attempts.values())

    def test_an_error_of_the_limiter_surfaces(self, in_time: InTime, kind: str) -> None:
        """As the call can't be made."""

        class Closed(Gate):
            async def __aenter__(self) -> None:
                raise OSError("closed")

        script = Script(failing(0))
        with pytest.raises(OSError, match="closed"):
            in_time(lambda: script.values_of(kind, 3, limiter=Closed()))
        assert not script.attempts


class TestShared:
    def test_steps_share_it(self, in_time: InTime) -> None:
        """Two steps with one semaphore are inside together as often as it allows."""
        gate = Gate(3)
        one, other = Script(failing(0), seconds=1), Script(failing(0), seconds=1)

        async def main() -> Any:
            group = one.step("async def") & step("t", other.function("async def"))
            return await arun(numbers(9) >> group, options=StepOptions(limiter=gate))

        result = in_time(main)
        assert ys(result) == [*range(9)] == ys(result, 1, "t")
        assert gate.peak == 3
        assert gate.entered == 18

    def test_branches_and_what_is_behind_them_share_it(self, in_time: InTime) -> None:
        """One rate for all."""
        rate, script = Rate(), Script(failing(0))

        async def main() -> Any:
            one = script.step("async def", limiter=rate)
            return await arun(numbers(3) >> (one & passthrough()) >> one)

        result = in_time(main)
        assert [len(path) for path in result] == [3, 3]
        assert rate.entries == [*range(9)]

    @pytest.mark.parametrize("shared", [False, True])
    @pytest.mark.parametrize("kind", ["def", "async def", "lambda"])
    def test_a_call_that_gives_a_list_enters_it_once(
        self, in_time: InTime, kind: str, shared: bool
    ) -> None:
        """It is over when the list is there; so it is whatever else has the same limiter."""
        gate, script, held = Gate(1), Script(lambda x, attempt: range(30)), asyncio.Event()

        async def behind(y: int) -> dict[str, int]:
            await held.wait()
            return {"z": y}

        async def main() -> None:
            last = step("t", behind).options(concurrency=1, limiter=gate if shared else None)
            flow = numbers(4) >> script.step(kind, limiter=gate) >> last
            task = asyncio.create_task(arun(flow))
            await turns(1_000)  # of which a call takes 30
            inside = gate.inside
            held.set()
            assert len((await task)[0]) == 120
            assert inside == (1 if shared else 0)

        in_time(main)
        assert gate.entered == (124 if shared else 4)

    def test_runs_share_it(self, in_time: InTime) -> None:
        """Two runs at the same time, of one flow or of two."""
        rate, script = Rate(), Script(failing(0))

        async def main() -> None:
            flow = numbers(3) >> script.step("async def", limiter=rate)
            other = numbers(3) >> Script(failing(0)).step("def", limiter=rate)
            await asyncio.gather(arun(flow), arun(flow), arun(other))

        in_time(main)
        assert rate.entries == [*range(9)]

    def test_another_object_is_another_limiter(self, in_time: InTime) -> None:
        """However equal."""

        async def main() -> None:
            flows = [numbers(5) >> Script(failing(0)).step("def", limiter=Rate()) for _ in "ab"]
            await asyncio.gather(*map(arun, flows))
            assert now() == 4

        in_time(main)


class TestLeft:
    def test_a_time_out_leaves_it(self, in_time: InTime) -> None:
        """The seconds count from when it has been entered."""
        gate, script = Gate(1), Script(failing(0), seconds=100)

        async def main() -> None:
            options: dict[str, Any] = {"limiter": gate, "timeout": 5, "on_error": "skip"}
            assert await script.values_of("async def", 4, **options) == []
            assert [time for time, _ in script.began] == [0, 5, 10, 15]

        in_time(main)
        assert gate.settled
        assert gate.errors == [TimeoutError] * 4

    def test_a_wait_for_it_is_no_part_of_the_time(self, in_time: InTime) -> None:
        """Ten calls of 4 seconds, one by one, are all within 5."""
        script = Script(failing(0), seconds=4)
        options: dict[str, Any] = {"limiter": asyncio.Semaphore(1), "timeout": 5}
        assert in_time(lambda: script.values_of("async def", 10, **options)) == [*range(10)]

    @pytest.mark.parametrize("kind", ["async generator", "generator"])
    async def test_a_reader_that_leaves_early_leaves_it(self, kind: str) -> None:
        """The generators in flight are closed."""
        gate, script = Gate(2), Script(lambda x, attempt: range(1_000))
        flow = numbers(9) >> script.step(kind, limiter=gate)
        async with contextlib.aclosing(astream(flow)) as outputs:
            async for _ in outputs:
                break
        assert gate.settled
        assert script.closed == sum(script.attempts.values())
        assert alone()

    @pytest.mark.parametrize("kind", scripted_calls.CLASSES)
    def test_a_consumer_that_has_enough_leaves_it(self, kind: str) -> None:
        """In a flow of classes."""
        gate, script = Gate(2), Script(lambda x, attempt: range(1_000))
        assert len((Numbers(9) >> script.step(kind, limiter=gate) >> First(3)).run()) == 3
        assert gate.settled
        assert script.closed == sum(script.attempts.values())

    @pytest.mark.parametrize("kind", scripted_calls.CLASSES)
    async def test_a_subscriber_that_has_enough_leaves_it(self, kind: str) -> None:
        """On an Observable."""
        gate, script = Gate(2), Script(lambda x, attempt: range(1_000))
        made = script.step(kind, limiter=gate)
        events = Events()
        events.of(reactivex.of(1, 2, 3).pipe(made, ops.take(3)))
        assert len(await events.complete()) == 3
        await until(alone)
        assert gate.settled

    def test_a_thread_leaves_it(self) -> None:
        """A plain function in threads enters it on the loop."""
        gate = Gate(3)
        made = step("s", lambda x: {"y": x}).options(limiter=gate, executor="thread")
        assert ys(run(numbers(50) >> made)) == [*range(50)]
        assert gate.settled
        assert gate.peak <= 3
        assert gate.entered == 50


class Items(Transformer[int, int]):
    """Yields each number so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def transform(self, product: int) -> Iterator[int]:
        for _ in range(self.times):
            yield product


class AsyncSeveral(AsyncTransformer[int, int]):
    """The same, asynchronously."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def atransform(self, product: int) -> AsyncIterator[int]:
        for _ in range(self.times):
            await asyncio.sleep(0)
            yield product


class TestNoHang:
    @all_pairs(
        "first, second, times",
        scripted_calls.GENERATORS[:2],
        scripted_calls.FUNCTIONS,
        [1, 2, 30],
    )
    def test_one_permit_is_enough_for_a_generator_and_the_step_behind_it(
        self, in_time: InTime, first: str, second: str, times: int
    ) -> None:
        """Nobody holds it while it waits for a reader."""
        gate = Gate(1)
        one, other = Script(lambda x, attempt: range(times)), Script(failing(0))

        async def main() -> Any:
            behind = step("t", other.function("async def"))
            last = other.step(second)
            flow = numbers(5) >> step("first", one.function(first)) >> last >> behind
            return await arun(flow, options=StepOptions(limiter=gate))

        result = in_time(main)
        assert len(result[0]) == 5 * times
        assert gate.peak == 1
        assert gate.settled

    @all_pairs("kind, limit, ordered", [Items, AsyncSeveral], [None, 1, 3], [False, True])
    def test_nor_does_a_chain_of_classes_wait_for_itself(
        self, kind: Any, limit: int | None, ordered: bool
    ) -> None:
        """Nor one step that stands in several places."""
        gate = Gate(1)
        options: dict[str, Any] = {} if limit is None else {"concurrency": limit}
        one = kind(7).options(limiter=gate, ordered=ordered, **options)
        flow = Numbers(5) >> one >> (one & (Fetch(1).options(limiter=gate) >> one)) >> Collect()
        assert len(flow.run()) == 5 * 7 * 7 * 2
        assert gate.peak == 1
        assert gate.settled

    @pytest.mark.parametrize("ordered", [False, True, "x"])
    def test_nor_does_a_generator_in_front_of_a_group(
        self, in_time: InTime, ordered: bool | str
    ) -> None:
        """Whose branches have the same permit."""
        gate = Gate(1)
        one, other = Script(lambda x, attempt: range(50)), Script(failing(0))

        async def main() -> Any:
            branches = step("t", other.function("async def")) & step("u", other.function("def"))
            flow = numbers(5) >> one.step("async generator", ordered=ordered) >> branches
            return await arun(flow.options(limiter=gate, buffer=1))

        result = in_time(main)
        assert [len(path) for path in result] == [250, 250]
        assert gate.peak == 1
        assert gate.settled

    def test_a_permit_is_held_as_long_as_code_of_a_call_runs(self, in_time: InTime) -> None:
        """A generator without such a step behind it keeps it to its end."""
        calls = Calls()

        async def produce(x: int) -> AsyncIterator[dict[str, int]]:
            with calls.noted(x):
                for y in range(3):
                    await asyncio.sleep(1)
                    yield {"y": y}

        async def main() -> Any:
            made = step("s", produce).options(limiter=asyncio.Semaphore(2))
            return await arun(numbers(6) >> made)

        assert ys(in_time(main)) == [0, 1, 2] * 6
        assert calls.peak == 2

    def test_an_earlier_call_in_a_line_gets_the_permit_of_a_later_one(
        self, in_time: InTime
    ) -> None:
        """The later one waits for its turn, which comes when the earlier one has been retried."""
        attempts = 0

        async def produce(x: int) -> AsyncIterator[dict[str, int]]:
            nonlocal attempts
            attempts += x == 0
            if x == 0 and attempts == 1:
                raise ValueError(x)
            for y in range(100):
                yield {"y": y}

        async def main() -> Any:
            options: dict[str, Any] = {"ordered": True, "retry": 2, "concurrency": 2}
            made = step("s", produce).options(limiter=asyncio.Semaphore(1), **options)
            return await arun(numbers(2) >> made)

        assert ys(in_time(main)) == [*range(100)] * 2
        assert attempts == 2

    def test_a_place_in_a_step_that_was_lent_is_waited_for_without_a_permit(
        self, in_time: InTime
    ) -> None:
        """A call gets its place back when those further down have ended, which need the permit."""
        gate, script = Gate(1), Script(lambda x, attempt: range(20))

        async def main() -> Any:
            twice = script.step("async generator", limiter=gate, concurrency=1)
            last = step("t", lambda y: {"x": y})
            return await arun(numbers(2) >> twice >> last >> twice >> last.options(limiter=gate))

        assert len(in_time(main)[0]) == 800
        assert gate.peak == 1
        assert gate.settled


class TestInsideOfACall:
    """A flow that a call runs, with the limiter of that call."""

    @staticmethod
    async def nested(limiter: Any, calls: int, seconds: float = 1) -> Any:
        async def fetch(n: int) -> dict[str, int]:
            await asyncio.sleep(seconds)
            return {"y": n}

        inner = step("fetch", fetch).options(limiter=limiter)

        async def crawl(x: int) -> dict[str, int]:
            await asyncio.sleep(seconds)
            return {"y": sum(ys(await arun(inner, input=[{"n": x}, {"n": x}]), 0, "fetch"))}

        return await arun(numbers(calls) >> step("crawl", crawl).options(limiter=limiter))

    @pytest.mark.parametrize("size", [1, 3])
    def test_a_permit_that_only_callers_hold_is_an_error(self, in_time: InTime, size: int) -> None:
        """It would never come; the error names the steps, whatever becomes of their failures."""
        with pytest.raises(
            UsageError, match=r"step 'crawl' → step 'fetch'. Use another limiter for the flow"
        ):
            in_time(lambda: self.nested(asyncio.Semaphore(size), size))

    def test_a_lock_is_no_different(self, in_time: InTime) -> None:
        """It admits one."""
        with pytest.raises(UsageError, match="step 'fetch' would wait for ever"):
            in_time(lambda: self.nested(asyncio.Lock(), 1))

    def test_one_that_another_call_will_leave_is_waited_for(self, in_time: InTime) -> None:
        """With three places and two callers, the flows inside go through one by one."""
        assert ys(in_time(lambda: self.nested(asyncio.Semaphore(3), 2)), 0, "crawl") == [0, 2]

    def test_calls_per_second_are_waited_for(self, in_time: InTime) -> None:
        """Nobody holds them."""
        rate = Rate()
        assert ys(in_time(lambda: self.nested(rate, 2)), 0, "crawl") == [0, 2]
        assert len(rate.entries) == 6

    def test_what_a_call_no_longer_holds_is_waited_for(self, in_time: InTime) -> None:
        """As in a function for `on_error`, which runs when its call has left the limiter."""
        semaphore = asyncio.Semaphore(1)

        async def fail(x: int) -> dict[str, int]:
            raise ValueError(x)

        async def instead(failure: Failure) -> dict[str, int]:
            fetch = step("fetch", lambda n: {"y": n}).options(limiter=semaphore)
            return {"y": ys(await arun(fetch, input={"n": failure.product["x"]}), 0, "fetch")[0]}

        async def main() -> Any:
            made = step("s", fail).options(limiter=semaphore, on_error=instead, concurrency=1)
            return await arun(numbers(3) >> made)

        assert ys(in_time(main)) == [0, 1, 2]

    @staticmethod
    async def crosswise(first: Any, second: Any, is_last_inside: bool) -> Any:
        """Two branches; in each, a call with one limiter runs a flow with the other one."""

        async def fetch(n: int) -> dict[str, int]:
            await asyncio.sleep(1)
            return {"y": n}

        def branch(name: str, outer: Any, inner: Any) -> Any:
            async def crawl(x: int) -> dict[str, int]:
                await asyncio.sleep(1)
                within = step(f"in_{name}", fetch)
                within = within.options(limiter=inner) if inner is not None else within
                return {"y": ys(await arun(within, input={"n": x}), 0, f"in_{name}")[0]}

            return step(name, crawl).options(limiter=outer)

        b = branch("b", second, first if is_last_inside else None)
        return await arun(numbers(1) >> (branch("a", first, second) & b))

    def test_limiters_that_are_taken_in_two_orders_are_an_error(self, in_time: InTime) -> None:
        """Each call holds what the flow inside of the other one waits for."""
        with pytest.raises(
            UsageError, match=r"step '(a|b)' → step 'in_(a|b)'. Use another limiter for the flow"
        ):
            in_time(lambda: self.crosswise(asyncio.Semaphore(1), asyncio.Lock(), True))

    def test_limiters_that_are_taken_in_one_order_are_waited_for(self, in_time: InTime) -> None:
        """The call that holds the inner one waits for nothing."""
        made = in_time(lambda: self.crosswise(asyncio.Semaphore(1), asyncio.Lock(), False))
        assert ys(made, 0, "a") == ys(made, 1, "b") == [0]

    def test_a_second_place_in_one_of_two_limiters_is_waited_for(self, in_time: InTime) -> None:
        """It lets the one flow inside go through, and then the other."""
        made = in_time(lambda: self.crosswise(asyncio.Semaphore(2), asyncio.Lock(), True))
        assert ys(made, 0, "a") == ys(made, 1, "b") == [0]


def test_a_semaphore_is_an_error_while_a_run_in_another_thread_has_it() -> None:
    """Even if it has room: a call that leaves it there would wake nobody here."""
    semaphore = asyncio.Semaphore(2)
    is_held, may_end = threading.Event(), threading.Event()

    async def hold(x: int) -> dict[str, int]:
        is_held.set()
        await asyncio.to_thread(may_end.wait, 20)
        return {"y": x}

    held = numbers(1) >> step("hold", hold).options(limiter=semaphore)
    other = threading.Thread(target=run, args=(held,), daemon=True)
    other.start()
    assert is_held.wait(20)
    try:
        with pytest.raises(UsageError, match="belongs to the event loop that it was first used"):
            run(held)
    finally:
        may_end.set()
        other.join(20)
    assert ys(run(held), 0, "hold") == [0]
