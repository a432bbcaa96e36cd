"""Runs that a thread starts one after the other share a loop, and with it clients and limiters."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import AsyncTransformer, rerun, run, step, stream
from fluxus_rx._loops.kept_loop import KeptLoop, at_standstill
from fluxus_rx.testing import virtual_time
from tests.support.conduits import AsyncCollect, Collect
from tests.support.scripted_calls import numbers
from tests.support.subprocesses import python

Loop = asyncio.AbstractEventLoop


class Seen:
    """Steps that note the loop that they are called on."""

    def __init__(self) -> None:
        self.loops: list[Loop] = []

    async def note(self, x: int) -> dict[str, int]:
        self.loops.append(asyncio.get_running_loop())
        return {"y": x}

    def flow(self, count: int = 1) -> Any:
        return numbers(count) >> step("note", self.note)

    def in_turn(self) -> str:
        """A letter for each loop, in the order of the calls: the first one is A."""
        letters: dict[int, str] = {}
        return "".join(
            letters.setdefault(id(loop), "ABCDEFGH"[len(letters)]) for loop in self.loops
        )


class Noting(AsyncTransformer[Any, Any]):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    async def atransform(self, source_product: Any) -> AsyncIterator[Any]:
        self.seen.loops.append(asyncio.get_running_loop())
        yield source_product


def ways(seen: Seen) -> Iterator[Callable[[], Any]]:
    """All that runs a flow for a synchronous caller, with one call each."""

    async def fail_first(x: int) -> dict[str, int]:
        raise ValueError(x)

    flow: Any = seen.flow()
    failed = run(numbers(1) >> step("note", fail_first).options(on_error="collect"))
    yield lambda: run(flow)
    yield lambda: rerun(flow, failed.failures)
    yield lambda: [*stream(flow)]
    yield lambda: [*flow]
    yield lambda: (flow >> Collect()).run()
    yield lambda: (flow >> AsyncCollect()).run()
    yield lambda: Noting(seen).process([1])
    yield lambda: run(flow)


@pytest.fixture
def seen() -> Seen:
    return Seen()


class TestOneLoop:
    def test_all_that_runs_a_flow_has_it(self, seen: Seen) -> None:
        """run, rerun, stream, iteration, the run of a consumer and process, one after the other."""
        for way in ways(seen):
            way()
        assert seen.in_turn() == "A" * 8

    def test_the_same_while_a_loop_runs_in_the_thread(self, seen: Seen) -> None:
        """As in Jupyter, for one outer loop after the other."""

        async def cell() -> None:
            for way in ways(seen):
                way()

        asyncio.run(cell())
        asyncio.run(cell())
        assert seen.in_turn() == "A" * 16

    def test_a_limiter_of_asyncio_serves_several_runs(self) -> None:
        """Though its calls had to wait for it, which ties it to a loop."""
        at_once = asyncio.Semaphore(1)

        async def call(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            return {"y": x}

        flow = numbers(3) >> step("call", call).options(limiter=at_once)
        assert len(run(flow)[0]) == len(run(flow)[0]) == len([*stream(flow)]) == 3

    def test_a_run_within_a_run_has_another_which_stays_as_well(self, seen: Seen) -> None:
        """The outer steps have theirs, the inner ones theirs, also of the next run."""

        def inner(x: int) -> dict[str, int]:
            return {"z": len(run(seen.flow())[0])}

        flow = seen.flow(2) >> step("inner", inner)
        run(flow)
        assert seen.in_turn() in ("ABAB", "AABB")
        run(flow)
        assert {*seen.in_turn()} == {*"AB"}

    def test_a_run_beside_an_open_iteration_has_another(self, seen: Seen) -> None:
        """An iteration may be read by a run, which would stand still on one and the same loop."""
        for _ in stream(seen.flow(2)):
            run(seen.flow())
        outputs = stream(seen.flow(2))
        next(outputs)
        rest = (output["note"] for _, output in outputs)
        assert len(run(step("rest", lambda: rest) >> step("same", lambda y: {"z": y}))[0]) == 1
        run(seen.flow())
        assert seen.in_turn() == "AABBAAA"

    def test_no_more_than_a_few_are_kept(self, seen: Seen) -> None:
        """Those of many iterations that were open at a time are closed."""
        opened = [stream(seen.flow()) for _ in range(7)]
        for outputs in opened:
            next(outputs)
        for outputs in opened:
            outputs.close()
        assert [loop.is_closed() for loop in seen.loops] == [False] * 4 + [True] * 3
        run(seen.flow())
        assert seen.in_turn() == "ABCDEFGA"

    def test_in_virtual_time_each_run_has_its_own(self, seen: Seen) -> None:
        """With a clock that begins at 0, and is closed with the run."""
        run(seen.flow())
        with virtual_time():
            run(seen.flow())
            run(seen.flow())
        run(seen.flow())
        assert [loop.is_closed() for loop in seen.loops] == [False, True, True, False]
        assert seen.loops[0] is seen.loops[3]


class TestThreads:
    def test_each_has_its_own_closed_after_its_end(self, seen: Seen) -> None:
        """By the next run of any thread, so that there are no more than there are threads."""
        for _ in range(3):
            thread = threading.Thread(target=run, args=(seen.flow(),))
            thread.start()
            thread.join()
        run(seen.flow())
        assert len({*map(id, seen.loops)}) == 4
        assert [loop.is_closed() for loop in seen.loops] == [True] * 3 + [False]

    def test_an_iteration_takes_its_own_along_into_another_thread(self, seen: Seen) -> None:
        """Its first thread has another one meanwhile, and both at the same time."""
        outputs = stream(seen.flow(3))
        next(outputs)

        def read_on(x: int) -> dict[str, int]:
            thread = threading.Thread(target=lambda: [*outputs])
            thread.start()
            thread.join()
            return {}

        run(seen.flow() >> step("read", read_on))
        run(seen.flow())
        assert seen.in_turn() in ("AAABA", "ABAAA", "AABAA")

    def test_a_forked_process_has_its_own(self) -> None:
        """Which leaves that of its parent as it is: threads wake it still, and tasks go on."""
        ended = python("-c", FORKED)
        assert (ended.code, ended.printed()) == (0, [])
        assert ended.out.splitlines() == ["child: another loop", "parent: woken", "task ended"]


FORKED = """
import asyncio, os, sys
from fluxus_rx import run, step

loops, tasks = [], []

async def reader():
    try:
        await asyncio.Event().wait()
    finally:
        if os.getpid() == parent:
            print("task ended", flush=True)

async def first():
    loops.append(asyncio.get_running_loop())
    tasks.append(asyncio.create_task(reader()))
    return {}

async def note():
    loops.append(asyncio.get_running_loop())
    return {"woken": await asyncio.to_thread(str, "woken")}

parent = os.getpid()
run(step("first", first))
run(step("note", note))
child = os.fork()
if not child:
    run(step("note", note))
    print("child: another loop" if loops[2] is not loops[1] else "child: the same", flush=True)
    sys.exit()
os.waitpid(child, 0)
assert not tasks[0].done()
print("parent:", run(step("note", note))[0][0]["note"]["woken"], flush=True)
"""


class TestBetweenRuns:
    def test_a_task_of_a_client_lives_on(self) -> None:
        """It stands still between the runs, and goes on in the next one."""
        requests: asyncio.Queue[tuple[int, asyncio.Future[int]]] = asyncio.Queue()
        tasks: list[asyncio.Task[None]] = []

        async def answer() -> None:
            while True:
                number, answered = await requests.get()
                answered.set_result(-number)

        async def ask(x: int) -> dict[str, int]:
            if not tasks:
                tasks.append(asyncio.create_task(answer()))
            answered = asyncio.get_running_loop().create_future()
            requests.put_nowait((x, answered))
            return {"y": await answered}

        async def close() -> list[Any]:
            tasks[0].cancel()
            await asyncio.wait(tasks)
            return []

        flow = numbers(2) >> step("ask", ask)
        assert run(flow) == run(flow)
        run(step("close", close))
        assert tasks[0].cancelled()

    def test_a_connection_that_was_closed_meanwhile_is_noticed_before_the_run_begins(self) -> None:
        """A client that asks whether its connection is still there is told the truth."""
        server = socket.create_server(("127.0.0.1", 0))
        streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        ends: list[bool] = []

        async def connect() -> list[Any]:
            streams.append(await asyncio.open_connection(*server.getsockname()))
            return []

        async def look() -> list[Any]:
            reader, writer = streams[0]
            ends.append(reader.at_eof())
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            return []

        with server:
            run(step("connect", connect))
            connection, _ = server.accept()
            connection.close()
            run(step("look", look))
        assert ends == [True]

    @pytest.mark.abandons_generators
    def test_a_generator_that_was_left_is_closed_with_the_run(self) -> None:
        """Though it has to wait as it closes."""
        events: list[str] = []

        async def several() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                for _ in range(50):
                    await asyncio.sleep(0)
                events.append("closed")

        async def leave() -> list[Any]:
            async for _ in several():
                break
            gc.collect()
            return []

        run(step("leave", leave))
        assert events == ["closed"]

    @pytest.mark.skipif(os.name == "nt", reason="SIGINT is POSIX")
    def test_ctrl_c_leaves_it_as_good_as_new(self, seen: Seen) -> None:
        """What ran is cancelled; the next run has the same loop."""
        ended: list[str] = []

        async def interrupted() -> list[Any]:
            signal.raise_signal(signal.SIGINT)
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("call")
            return []

        run(seen.flow())
        with pytest.raises(KeyboardInterrupt):
            run(step("interrupted", interrupted))
        run(seen.flow())
        assert ended == ["call"]
        assert seen.in_turn() == "AA"

    @pytest.mark.parametrize("how", ["closed", "another policy"])
    def test_a_loop_that_is_not_what_it_should_be_is_replaced(self, how: str, seen: Seen) -> None:
        """One that somebody has closed, or whose kind is not what is asked for now."""
        run(seen.flow())
        policy = asyncio.get_event_loop_policy()
        if how == "closed":
            seen.loops[0].close()
        else:
            asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
        try:
            run(seen.flow())
            run(seen.flow())
        finally:
            asyncio.set_event_loop_policy(policy)
        run(seen.flow())
        assert seen.loops[0].is_closed()
        assert seen.in_turn() == ("ABBC" if how == "another policy" else "ABBB")

    def test_a_loop_that_was_stopped_under_way_is_closed(self) -> None:
        """With all that the run had begun on it; the next run has another one."""
        ended = python("-c", STOPPED)
        assert (ended.code, ended.printed()) == (0, [])
        assert ended.out.splitlines() == ["call ended", "closed: True"]

    def test_python_ends_it_at_its_exit(self) -> None:
        """Tasks that are left are cancelled; exit handlers may run flows before that, and after; a
        run in a daemon thread stays as it is; no complaint is printed."""
        ended = python("-c", EXITING)
        assert (ended.code, ended.printed()) == (0, [])
        assert ended.out.splitlines() == ["handler: 1", "task ended", "late: 2"]


EXITING = """
import atexit

def late():
    print("late:", run(step("count", count))[0][0]["count"]["loops"], flush=True)

atexit.register(late)

import asyncio, threading
from fluxus_rx import run, step

loops, tasks, began = [], [], threading.Event()

async def reader():
    try:
        await asyncio.Event().wait()
    finally:
        print("task ended", flush=True)

async def first():
    loops.append(asyncio.get_running_loop())
    tasks.append(asyncio.create_task(reader()))
    return {}

async def count():
    loops.append(asyncio.get_running_loop())
    return {"loops": len({id(loop) for loop in loops})}

async def forever():
    began.set()
    await asyncio.Event().wait()

def handler():
    print("handler:", run(step("count", count))[0][0]["count"]["loops"], flush=True)

atexit.register(handler)
run(step("first", first))
threading.Thread(target=run, args=(step("forever", forever),), daemon=True).start()
began.wait(20)
"""

STOPPED = """
import asyncio
from fluxus_rx import run, step

loops = []

async def stop():
    loops.append(asyncio.get_running_loop())
    loops[0].stop()
    try:
        await asyncio.Event().wait()
    finally:
        print("call ended")

async def note():
    loops.append(asyncio.get_running_loop())
    return {}

try:
    run(step("stop", stop))
except RuntimeError as error:
    assert "stopped before" in str(error), error
run(step("note", note))
assert loops[1] is not loops[0]
print("closed:", loops[0].is_closed())
"""


class TestAtRest:
    """A loop is looked at from inside, so that a run which has left nothing ends at once."""

    @pytest.fixture
    def kept(self) -> Iterator[KeptLoop]:
        """A loop on which nothing was run."""
        kept = KeptLoop(asyncio.new_event_loop, 0)
        yield kept
        kept.close()

    @pytest.mark.skipif(os.name == "nt", reason="of its loops there, nothing is known")
    def test_a_new_loop_is(self, kept: KeptLoop) -> None:
        """Fails where asyncio changes: then `_is_bare` has to follow, or all runs cost more."""
        kept.loop.run_until_complete(asyncio.sleep(0))
        assert kept.is_at_rest()

    def test_one_with_a_connection_is_not(self, kept: KeptLoop) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            kept.loop.add_reader(ours, print)
            assert not kept.is_at_rest()
            kept.loop.remove_reader(ours)

    def test_one_with_a_timer_is_not(self, kept: KeptLoop) -> None:
        kept.loop.call_later(60, print)
        assert not kept.is_at_rest()

    def test_one_with_a_callback_is_not(self, kept: KeptLoop) -> None:
        kept.loop.call_soon(list)
        assert not kept.is_at_rest()

    def test_one_with_a_task_is_not(self, kept: KeptLoop) -> None:
        async def leave_a_task() -> asyncio.Task[None]:
            async def wait() -> None:
                await asyncio.get_running_loop().create_future()

            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            return task

        task = kept.loop.run_until_complete(leave_a_task())
        assert not kept.is_at_rest()
        task.cancel()
        kept.loop.run_until_complete(asyncio.wait([task]))

    def test_one_with_a_thread_is_not(self, kept: KeptLoop) -> None:
        kept.loop.run_until_complete(asyncio.wait_for(_in_thread(), 60))
        assert not kept.is_at_rest()

    def test_one_whose_standstill_somebody_waits_for_is_not(self, kept: KeptLoop) -> None:
        take_back = at_standstill(kept.loop, lambda: None)
        assert not kept.is_at_rest()
        take_back()

    def test_one_of_another_kind_is_not(self) -> None:
        """Nobody knows what waits on it."""

        class OtherLoop(asyncio.SelectorEventLoop):
            pass

        kept = KeptLoop(OtherLoop, 0)
        try:
            assert not kept.is_at_rest()
        finally:
            kept.close()


async def _in_thread() -> None:
    await asyncio.to_thread(list)
