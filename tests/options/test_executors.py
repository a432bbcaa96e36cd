"""Plain functions off the loop: what they return and raise, how they are left, and how all ends."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import aclosing
from typing import Any

import pytest

from fluxus_rx._errors import InvalidOptionError
from fluxus_rx._options import offload as _offload
from fluxus_rx._options.executors import in_processes, offload
from fluxus_rx.testing import virtual_time
from tests.support.errors import notes, refused, untyped
from tests.support.offloads import FETCH, VARIABLE, Gate, cancelled, logged, opened, said
from tests.support.probes import until
from tests.support.subprocesses import python


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the latest when the test is over."""
    gate = Gate()
    yield gate
    gate.open.set()


class Counted:
    """An endless iterator that isn't a generator; counts how often it is closed, and where."""

    def __init__(self) -> None:
        self.count = itertools.count()
        self.closed: list[threading.Thread] = []

    def __iter__(self) -> Counted:
        return self

    def __next__(self) -> int:
        return next(self.count)

    def close(self) -> None:
        self.closed.append(threading.current_thread())


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if FETCH in thread.name]


def raising(error: BaseException) -> Any:
    raise error


class TestThreads:
    async def test_a_call_gives_what_its_function_gives(self) -> None:
        """Arguments go there, and the result comes back as the object that it is."""
        given = object()
        async with opened() as threads:
            assert await threads.call(divmod, 7, 2) == (3, 1)
            assert await threads.call(int, "ff", base=16) == 255
            assert await threads.call(lambda function, self: function, given, self=1) is given

    async def test_a_call_runs_in_a_daemon_thread_that_is_named_after_the_step(self) -> None:
        """A thread that shows up in a debugger says whose it is."""
        async with opened() as threads:
            thread = await threads.call(threading.current_thread)
        assert thread is not threading.current_thread()
        assert thread.daemon
        assert thread.name == "fluxus_rx step 'fetch'"

    @pytest.mark.parametrize(
        "kind",
        [
            ValueError,
            TimeoutError,
            futures.CancelledError,
            asyncio.CancelledError,
            asyncio.InvalidStateError,
            KeyboardInterrupt,
            SystemExit,
            GeneratorExit,
        ],
    )
    async def test_a_call_raises_what_its_function_raises(self, kind: type[BaseException]) -> None:
        """It is the very object, and the thread lives on."""
        error = kind("price")
        async with opened() as threads:
            with pytest.raises(kind) as caught:
                await threads.call(raising, error)
            assert await threads.call(abs, -1) == 1
        assert caught.value is error
        assert not notes(error)

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    async def test_the_end_of_an_iteration_is_an_error(self, kind: type[Exception]) -> None:
        """StopIteration would end what iterates over the calls."""
        error = kind()
        async with opened() as threads:
            with pytest.raises(RuntimeError, match=f"{FETCH} raised {kind.__name__}") as caught:
                await threads.call(raising, error)
        assert caught.value.__cause__ is error

    async def test_an_idle_thread_is_used_again(self) -> None:
        """One call after the other takes one thread."""
        async with opened() as threads:
            seen = {await threads.call(threading.get_ident) for _ in range(200)}
            assert len(seen) == len(own_threads()) == 1

    async def test_no_call_waits_for_a_thread_that_is_busy(self, gate: Gate) -> None:
        """A thread may be held by a call that was left: the next call gets another one."""
        async with opened(size=2) as threads:
            task = asyncio.create_task(threads.call(gate))
            await gate.entered()
            await cancelled(task)
            assert await threads.call(abs, -1) == 1
            gate.open.set()

    async def test_calls_run_side_by_side(self) -> None:
        """Ten calls that wait for each other all end."""
        barrier = threading.Barrier(10)
        async with opened() as threads:
            places = await asyncio.gather(*(threads.call(barrier.wait) for _ in range(10)))
            assert len(own_threads()) == 10
        assert sorted(places) == list(range(10))

    async def test_a_call_sees_the_context_and_keeps_its_changes_to_itself(self) -> None:
        """What the caller has set is there; what a call sets, no one else sees."""

        def change() -> str:
            before = VARIABLE.get()
            VARIABLE.set("changed")
            return before

        async with opened() as threads:
            token = VARIABLE.set("caller")
            assert [await threads.call(change), await threads.call(change)] == ["caller"] * 2
            assert VARIABLE.get() == "caller"
            VARIABLE.reset(token)

    async def test_nothing_is_kept_of_a_call_that_is_over(self) -> None:
        """An idle thread does not hold on to the last result, or the last error."""

        class Big(Exception):
            pass

        async with opened() as threads:
            result = weakref.ref(await threads.call(Big))
            try:
                await threads.call(raising, Big())
            except Big as raised:
                error = weakref.ref(raised)
            # The thread tells of the result before it lets go of it.
            await until(lambda: (gc.collect(), result(), error())[1:] == (None, None))


class TestLeaving:
    async def test_a_cancelled_call_ends_at_once(self, gate: Gate) -> None:
        """The call in its thread goes on; the thread is idle when it has ended."""
        async with opened() as threads:
            task = asyncio.create_task(threads.call(gate))
            await gate.entered()
            await cancelled(task)
            gate.open.set()
            await until(lambda: not untyped(threads)._pending())
            assert await threads.call(threading.current_thread) is gate.threads[0]

    async def test_a_timeout_ends_a_call(self, gate: Gate) -> None:
        """`asyncio.timeout` is a timeout, whatever the thread does."""
        async with opened() as threads:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await threads.call(gate)
            gate.open.set()

    async def test_what_a_left_call_raises_is_logged(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In one line; with its traceback, at level DEBUG."""
        gate.error = KeyboardInterrupt("too late")
        async with opened() as threads:
            task = asyncio.create_task(threads.call(gate))
            await gate.entered()
            await cancelled(task)
            assert said(caplog) == []
            gate.open.set()
        assert said(caplog) == [
            "step 'fetch': a call that was left failed: KeyboardInterrupt('too late')"
        ]
        (record,) = logged(caplog)
        assert record.exc_info is None

    async def test_a_late_result_is_dropped(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A left call that ends well isn't news."""
        async with opened() as threads:
            task = asyncio.create_task(threads.call(gate, "late"))
            await gate.entered()
            await cancelled(task)
            gate.open.set()
        assert said(caplog) == []

    async def test_an_error_that_came_in_the_moment_of_cancelling_is_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The call has failed, but its caller was cancelled before it could know."""
        failed = threading.Event()

        def fail() -> None:
            failed.set()
            raise ValueError("price")

        async with opened() as threads:
            task = asyncio.create_task(threads.call(fail))
            await asyncio.sleep(0)
            assert failed.wait(10)
            await cancelled(task)
        assert len(said(caplog)) == 1
        assert "ValueError('price')" in said(caplog)[0]

    def test_a_call_may_outlive_its_loop(
        self, gate: Gate, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A result for a loop that is closed is dropped without a word."""
        monkeypatch.setattr(_offload, "GRACE_SECONDS", 0.0)

        async def leave() -> None:
            threads = offload("thread", FETCH, 1)
            task = asyncio.create_task(threads.call(gate))
            await gate.entered()
            await cancelled(task)
            assert await threads.aclose() is not None

        asyncio.run(leave())
        caplog.clear()
        gate.open.set()
        gate.threads[0].join()
        assert said(caplog) == []


class TestEnding:
    async def test_no_thread_is_left(self) -> None:
        """When `aclose` returns, the threads of ten calls have ended."""
        barrier = threading.Barrier(10)
        threads = offload("thread", FETCH, 10)
        await asyncio.gather(*(threads.call(barrier.wait) for _ in range(10)))
        assert await threads.aclose() is None
        assert own_threads() == []

    async def test_closing_what_was_never_used_does_nothing(self) -> None:
        """No call, no thread, no process."""
        for kind in ("thread", "process"):
            unused = offload(kind, FETCH, 10)
            unused.cancel()
            assert await unused.aclose() is None
            assert await unused.aclose() is None

    async def test_cancel_ends_idle_threads_and_leaves_calls(self, gate: Gate) -> None:
        """It does not wait; the caller of a running call still gets its result."""
        async with opened() as threads:
            task = asyncio.create_task(threads.call(gate, "result"))
            await gate.entered()
            idle = await threads.call(threading.current_thread)
            threads.cancel()
            idle.join(10)
            assert own_threads() == gate.threads
            gate.open.set()
            assert await task == "result"

    async def test_no_call_begins_after_cancel(self) -> None:
        """Code that asks for one is told that it is over as a cancelled task is."""
        async with opened() as threads:
            threads.cancel()
            with pytest.raises(asyncio.CancelledError, match="step 'fetch': the run has ended"):
                await threads.call(abs, -1)
        assert own_threads() == []

    async def test_closing_waits_for_running_calls(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A call that was left, and ends in time, is waited for, while the loop goes on."""
        threads = offload("thread", FETCH, 1)
        task = asyncio.create_task(threads.call(gate))
        await gate.entered()
        await cancelled(task)
        closing = asyncio.create_task(threads.aclose())
        await asyncio.sleep(0.01)
        assert not closing.done()
        gate.open.set()
        assert await closing is None
        assert own_threads() == []
        assert said(caplog) == []

    @pytest.mark.parametrize(("calls", "counted"), [(1, "1 call"), (2, "2 calls")])
    def test_calls_that_hang_are_left_and_told_of(
        self, gate: Gate, caplog: pytest.LogCaptureFixture, calls: int, counted: str
    ) -> None:
        """After five seconds by the loop's clock, once, in the log and to the caller."""

        async def main() -> tuple[float, str | None, str | None]:
            threads = offload("thread", FETCH, calls)
            tasks = [asyncio.create_task(threads.call(gate)) for _ in range(calls)]
            await gate.entered(calls)
            for task in tasks:
                await cancelled(task)
            began = asyncio.get_running_loop().time()
            told = await threads.aclose()
            return asyncio.get_running_loop().time() - began, told, await threads.aclose()

        with virtual_time(patience=0.05) as run:
            seconds, told, again = run(main)
        assert seconds == 5.0
        assert told == (
            f"step 'fetch': {counted} still ran 5 s after the run ended; threads can't be stopped,"
            " and are left to end by themselves"
        )
        assert again is None
        assert said(caplog) == [told]

    async def test_closing_can_be_cancelled(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It waits no longer, ends what is idle, and tells of what still runs."""
        threads = offload("thread", FETCH, 2)
        task = asyncio.create_task(threads.call(gate))
        await gate.entered()
        await threads.call(abs, -1)
        closing = asyncio.create_task(threads.aclose())
        await asyncio.sleep(0)
        await cancelled(closing)
        assert own_threads() == gate.threads
        assert ["1 call still ran as the run ended" in text for text in said(caplog)] == [True]
        gate.open.set()
        assert await task is None

    async def test_a_loop_with_calls_that_hang_is_not_blocked(
        self, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While calls are waited for, other tasks run."""
        monkeypatch.setattr(_offload, "GRACE_SECONDS", 0.05)
        threads = offload("thread", FETCH, 1)
        task = asyncio.create_task(threads.call(gate))
        await gate.entered()
        closing = asyncio.create_task(threads.aclose())
        turns = 0
        while not closing.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 5
        assert "0.05 s" in (closing.result() or "")
        await cancelled(task)

    def test_a_call_that_hangs_does_not_keep_the_process(self) -> None:
        """The interpreter exits at once, with a thread that never ends."""
        script = """if True:
            import asyncio, threading
            from fluxus_rx._options import executors, offload

            async def main():
                threads = executors.offload("thread", "step 'fetch'", 1)
                begun, never = asyncio.Event(), threading.Event()
                loop = asyncio.get_running_loop()

                def hang():
                    loop.call_soon_threadsafe(begun.set)
                    never.wait()

                task = asyncio.create_task(threads.call(hang))
                await begun.wait()
                task.cancel()
                offload.GRACE_SECONDS = 0.01
                print(await threads.aclose())

            asyncio.run(main())
        """
        began = time.monotonic()
        ended = python("-c", script)
        assert time.monotonic() - began < 20  # the limit of `python` is 50
        assert ended.code == 0, ended
        assert ended.complaints() == []
        assert ended.out.startswith("step 'fetch': 1 call still ran 0.01 s after")


class TestIterating:
    async def test_items_come_in_order_from_another_thread(self) -> None:
        """Each step of the iterator runs elsewhere."""
        seen = []

        def generate() -> Iterator[int]:
            for x in range(5):
                seen.append(threading.current_thread())
                yield x

        async with opened() as threads:
            assert [x async for x in threads.iterate(generate())] == [0, 1, 2, 3, 4]
        assert threading.current_thread() not in seen
        assert len(seen) == 5

    @pytest.mark.parametrize(
        "make",
        [
            list,
            lambda: [1, 2],
            lambda: (3, None),
            lambda: range(3),
            lambda: {4: 5},
            lambda: "xyz",
            lambda: iter([6, 7]),
        ],
        ids=["nothing", "a list", "a tuple", "a range", "a dictionary", "a text", "an iterator"],
    )
    async def test_any_iterable_can_be_iterated(self, make: Callable[[], Iterable[Any]]) -> None:
        """None and nothing at all are items like others."""
        async with opened() as threads:
            assert [item async for item in threads.iterate(make())] == [*make()]

    async def test_an_iteration_has_one_context(self) -> None:
        """What a generator sets it can reset, also when it is closed early."""
        found = []

        def generate() -> Iterator[str]:
            token = VARIABLE.set("generator")
            try:
                for _ in range(5):
                    found.append(VARIABLE.get())
                    yield VARIABLE.get()
            finally:
                VARIABLE.reset(token)
                found.append(VARIABLE.get())

        token = VARIABLE.set("caller")
        async with opened() as threads, aclosing(threads.iterate(generate())) as items:
            async for _ in items:
                break
        async with opened() as threads:
            assert [x async for x in threads.iterate(generate())] == ["generator"] * 5
        VARIABLE.reset(token)
        assert found == ["generator", "caller", *["generator"] * 5, "caller"]

    async def test_an_iterator_is_closed_elsewhere_when_its_reader_leaves(self) -> None:
        """Once, and before `aclose` of the iteration returns."""
        items = Counted()
        async with opened() as threads:
            async with aclosing(threads.iterate(items)) as stream:
                async for x in stream:
                    if x == 3:
                        break
            assert len(items.closed) == 1
        assert items.closed[0] is not threading.current_thread()

    async def test_an_iterator_is_closed_at_its_end_and_at_its_error(self) -> None:
        """Also one that isn't a generator, and would not close itself."""
        short, failing = Counted(), Counted()
        short.count = iter(range(3))  # type: ignore[assignment]
        error = LookupError("price")
        failing.count = map(raising, [error])  # type: ignore[assignment]
        async with opened() as threads:
            assert [x async for x in threads.iterate(short)] == [0, 1, 2]
            with pytest.raises(LookupError) as caught:
                await anext(threads.iterate(failing))
        assert caught.value is error
        assert (len(short.closed), len(failing.closed)) == (1, 1)

    async def test_what_closing_raises_is_raised(self) -> None:
        """An error of a `finally` surfaces to the code that closes."""

        def generate() -> Iterator[int]:
            try:
                yield 1
            finally:
                raise OSError("disk full")

        async with opened() as threads:
            stream = threads.iterate(generate())
            await anext(stream)
            with pytest.raises(OSError, match="disk full"):
                await stream.aclose()

    async def test_an_iterator_that_cannot_be_made_raises(self) -> None:
        """`iter` runs elsewhere too, and fails there."""
        async with opened() as threads:
            with pytest.raises(TypeError, match="not iterable"):
                await anext(threads.iterate(untyped(5)))

    async def test_a_cancelled_iteration_is_closed_as_soon_as_its_step_is_done(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Never while it runs; in the same thread, and `aclose` waits for it."""
        closed = []

        def generate() -> Iterator[int]:
            try:
                yield 1
                gate()
                yield 2
            finally:
                closed.append(threading.current_thread())

        threads = offload("thread", FETCH, 1)
        seen = []

        async def read() -> None:
            async with aclosing(threads.iterate(generate())) as stream:
                async for item in stream:
                    seen.append(item)

        task = asyncio.create_task(read())
        await gate.entered()
        await cancelled(task)
        assert closed == []
        gate.open.set()
        assert await threads.aclose() is None
        assert closed == gate.threads
        assert seen == [1]
        assert said(caplog) == []

    async def test_an_error_of_a_left_iteration_is_logged(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What its closing raises too."""

        def generate() -> Iterator[int]:
            try:
                yield gate()
            finally:
                raise OSError("disk full")

        async with opened() as threads:
            task = asyncio.create_task(untyped(anext)(threads.iterate(generate())))
            await gate.entered()
            await cancelled(task)
            gate.open.set()
        assert ["OSError('disk full')" in text for text in said(caplog)] == [True]

    @pytest.mark.parametrize("turns", range(30))
    async def test_an_iteration_can_be_cancelled_at_any_moment(self, turns: int) -> None:
        """Whether a step runs, has just ended or is not yet asked for: it is closed once."""
        items = Counted()
        seen: list[int] = []
        async with opened() as threads:

            async def read() -> None:
                async with aclosing(threads.iterate(items)) as stream:
                    async for item in stream:
                        seen.append(item)

            task = asyncio.create_task(read())
            await until(lambda: len(seen) > 0)
            for _ in range(turns):
                await asyncio.sleep(0)
            await cancelled(task)
        assert len(items.closed) == 1
        assert items.closed[0] is not threading.current_thread()

    async def test_an_iteration_ends_with_its_run(self) -> None:
        """After `cancel` there is no next step, but the iterator is closed all the same."""
        items = Counted()
        threads = offload("thread", FETCH, 1)
        stream = threads.iterate(items)
        assert await anext(stream) == 0
        threads.cancel()
        with pytest.raises(asyncio.CancelledError):
            await anext(stream)
        assert await threads.aclose() is None
        assert len(items.closed) == 1
        assert own_threads() == []

    async def test_a_reader_that_leaves_after_the_run_closes_too(self) -> None:
        """Even when all threads have ended, closing gets one."""
        items = Counted()
        threads = offload("thread", FETCH, 1)
        stream = threads.iterate(items)
        await anext(stream)
        await threads.aclose()
        await stream.aclose()
        assert len(items.closed) == 1
        assert items.closed[0] is not threading.current_thread()


@pytest.fixture
def single() -> Iterator[futures.ThreadPoolExecutor]:
    """An executor of the user's, with one thread."""
    with futures.ThreadPoolExecutor(1) as executor:
        yield executor


class TestExecutors:
    async def test_calls_run_in_the_executor(self, single: futures.ThreadPoolExecutor) -> None:
        """With the context of the caller; it is open when the run has ended."""
        theirs = single.submit(threading.current_thread).result()
        token = VARIABLE.set("caller")
        async with opened(single) as given:
            assert await given.call(threading.current_thread) is theirs
            assert await given.call(VARIABLE.get) == "caller"
        VARIABLE.reset(token)
        assert single.submit(abs, -1).result() == 1

    async def test_iterators_step_in_the_executor(self, single: futures.ThreadPoolExecutor) -> None:
        """And are closed there."""
        theirs = single.submit(threading.current_thread).result()
        items = Counted()
        async with opened(single) as given, aclosing(given.iterate(items)) as stream:
            assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        assert items.closed == [theirs]

    async def test_the_very_error_surfaces(self, single: futures.ThreadPoolExecutor) -> None:
        """As it does from a thread of ours."""
        error = TimeoutError("price")
        async with opened(single) as given:
            with pytest.raises(TimeoutError) as caught:
                await given.call(raising, error)
            with pytest.raises(RuntimeError, match="raised StopIteration"):
                await given.call(raising, StopIteration())
        assert caught.value is error

    async def test_an_executor_that_is_shut_down_says_whose_call_it_refused(self) -> None:
        """A note names the step."""
        executor = futures.ThreadPoolExecutor(1)
        executor.shutdown()
        async with opened(executor) as given:
            with pytest.raises(RuntimeError, match="after shutdown") as caught:
                await given.call(abs, -1)
        assert "step 'fetch' can't hand a call to its executor" in notes(caught.value)

    async def test_an_iterator_is_closed_even_if_its_executor_is_shut_down(self) -> None:
        """On the loop then, for want of another place; and the refusal is raised."""
        executor = futures.ThreadPoolExecutor(1)
        items = Counted()
        async with opened(executor) as given:
            stream = given.iterate(items)
            await anext(stream)
            executor.shutdown()
            with pytest.raises(RuntimeError, match="after shutdown"):
                await anext(stream)
            await stream.aclose()
        assert items.closed == [threading.current_thread()]

    async def test_a_shutdown_that_drops_calls_is_an_error(self, gate: Gate) -> None:
        """Nobody has cancelled the caller, so that CancelledError would be wrong."""
        executor = futures.ThreadPoolExecutor(1)
        async with opened(executor) as given:
            executor.submit(gate)
            await gate.entered()
            call = asyncio.create_task(given.call(gate))
            await asyncio.sleep(0)
            executor.shutdown(wait=False, cancel_futures=True)
            with pytest.raises(RuntimeError, match="step 'fetch': its executor was shut down"):
                await call
            gate.open.set()

    async def test_a_cancelled_call_that_waits_never_runs(
        self, gate: Gate, single: futures.ThreadPoolExecutor
    ) -> None:
        """Its place in the queue is given up."""
        async with opened(single) as given:
            first = asyncio.create_task(given.call(gate))
            await gate.entered()
            second = asyncio.create_task(given.call(gate))
            await asyncio.sleep(0)
            await cancelled(second)
            gate.open.set()
            await first
        assert gate.calls == 1

    async def test_a_cancelled_iteration_that_waits_is_closed_in_its_turn(
        self, gate: Gate, single: futures.ThreadPoolExecutor
    ) -> None:
        """Its step never runs, its closing does."""
        items = Counted()
        async with opened(single) as given:
            first = asyncio.create_task(given.call(gate))
            await gate.entered()
            second = asyncio.create_task(untyped(anext)(given.iterate(items)))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.sleep(0)
            gate.open.set()
            with pytest.raises(asyncio.CancelledError):
                await second
            await first
        assert next(items.count) == 0
        assert items.closed == gate.threads

    def test_the_end_drops_what_waits_and_tells_of_what_runs(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The executor itself is left alone."""
        executor = futures.ThreadPoolExecutor(1)

        async def main() -> str | None:
            given = offload(executor, FETCH, 2)
            first = asyncio.create_task(given.call(gate))
            await gate.entered()
            second = asyncio.create_task(given.call(gate))
            await asyncio.sleep(0)
            given.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            told = await given.aclose()
            gate.open.set()
            await first
            return told

        with virtual_time(patience=0.05) as run:
            told = run(main)
        assert told == (
            "step 'fetch': 1 call still ran 5 s after the run ended; what runs in an executor"
            " can't be stopped, and is left to end by itself"
        )
        assert said(caplog) == [told]
        assert executor.submit(abs, -1).result() == 1
        executor.shutdown()


class TestKinds:
    def test_an_executor_of_another_kind_is_refused(self) -> None:
        """The message lists what there is."""
        for wrong in ("fibre", None, 5, futures.ThreadPoolExecutor):
            with refused(InvalidOptionError, FETCH, '"thread", "process" or an Executor'):
                offload(untyped(wrong), FETCH, 1)

    def test_executors_of_processes_are_known(self) -> None:
        """By name and by type."""
        with futures.ProcessPoolExecutor(1) as pool, futures.ThreadPoolExecutor(1) as threads:
            assert [in_processes(one) for one in ("process", pool)] == [True, True]
            assert [in_processes(one) for one in ("thread", threads)] == [False, False]


async def test_a_coroutine_that_comes_too_late_is_closed() -> None:
    """A plain function may return one; of a call that was left nobody would await it."""
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    async def never() -> None:
        """Not awaited."""

    def late() -> Any:
        loop.call_soon_threadsafe(begun.set)
        go.wait(10)
        return never()

    threads = offload("thread", "step 'late'", 1)
    task = asyncio.create_task(threads.call(late))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert await threads.aclose() is None
