"""Plain functions in processes: what goes there and back, how calls are ended, and how processes
live on and end."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from fluxus_rx import close_processes
from fluxus_rx._options import process_pool
from fluxus_rx._options.executors import offload
from tests.support.errors import notes
from tests.support.offloads import FETCH, VARIABLE, cancelled, opened, said
from tests.support.probes import until
from tests.support.subprocesses import ROOT, python


@pytest.fixture(scope="module", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """What the pool keeps is ended after the last test."""
    yield
    close_processes()


# What runs in processes: it must be found at the top of a module.


class Clumsy(Exception):
    """An error that can be pickled, and can't be unpickled."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


def clumsy() -> None:
    raise Clumsy(404, "not found")


def count_up(stop: int) -> Iterator[int]:
    yield from range(stop)


def lock() -> Any:
    return threading.Lock()


def place() -> tuple[int, str, Any]:
    return os.getpid(), VARIABLE.get(), signal.getsignal(signal.SIGINT)


def begun(path: Path) -> int:
    """The number of the process that has begun a call; tells so by a file."""
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    return os.getpid()


def crash(path: Path) -> None:
    """Say that it has begun, and die when it may."""
    begun(path / "begun")
    while not (path / "go").exists():
        time.sleep(0.001)
    os._exit(3)


def hang(path: Path) -> None:
    """Say that it has begun, and then pay no attention to anyone."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begun(path)
    time.sleep(1_000)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def number_in(path: Path) -> int:
    """What a call has written that has begun."""
    await until(path.exists)
    return int(path.read_text())  # noqa: ASYNC240 - a few bytes


class TestCalls:
    async def test_calls_run_in_processes(self) -> None:
        """Results, lists for generators, and errors with their traceback come back."""
        token = VARIABLE.set("caller")
        async with opened("process", size=1) as processes:
            pid, variable, on_interrupt = await processes.call(place)
            assert pid != os.getpid()
            assert (variable, on_interrupt) == ("default", signal.SIG_IGN)
            assert await processes.call(count_up, stop=3) == [0, 1, 2]
            with pytest.raises(ValueError, match="invalid literal") as caught:
                await processes.call(int, "x")
            assert "Traceback" in str(caught.value.__cause__)
            assert not notes(caught.value)
            with pytest.raises(RuntimeError, match="raised StopIteration"):
                await processes.call(next, iter([]))
        VARIABLE.reset(token)

    async def test_what_cannot_be_sent_says_so(self) -> None:
        """An argument, a result, an error: a note names the step, and the process lives on."""
        async with opened("process", size=1) as processes:
            pid = await processes.call(os.getpid)
            for call in (
                functools.partial(processes.call, len, threading.Lock()),
                functools.partial(processes.call, lock),
                functools.partial(processes.call, lambda: 1),
            ):
                with pytest.raises((TypeError, AttributeError), match="pickle") as caught:
                    await call()
                assert notes(caught.value) == (
                    "step 'fetch': what goes to a process and back must be picklable"
                )
            with pytest.raises(RuntimeError, match=r"Clumsy\('404: not found'\) was raised"):
                await processes.call(clumsy)
            assert await processes.call(os.getpid) == pid

    async def test_no_more_run_at_once_than_there_are_processors(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However many calls there may be of the step."""
        monkeypatch.setattr(os, "cpu_count", lambda: 1)
        async with opened("process") as processes:
            pids = await asyncio.gather(*(processes.call(os.getpid) for _ in range(8)))
        assert len(set(pids)) == 1


class TestEndings:
    async def test_a_process_that_dies_fails_its_call_alone(self, tmp_path: Path) -> None:
        """By itself or by a signal: the error says how, and the next call gets another process."""
        async with opened("process", size=2) as processes:
            crashing = asyncio.create_task(processes.call(crash, tmp_path))
            crashed = await number_in(tmp_path / "begun")
            beside = await processes.call(os.getpid)
            assert beside != crashed
            (tmp_path / "go").touch()
            with pytest.raises(futures.BrokenExecutor, match="ended with exit code 3") as caught:
                await crashing
            assert FETCH in str(caught.value)
            assert await processes.call(os.getpid) == beside
            assert 'if __name__ == "__main__":' in notes(caught.value)
            hanging = asyncio.create_task(processes.call(hang, tmp_path / "hang"))
            os.kill(await number_in(tmp_path / "hang"), signal.SIGKILL)
            with pytest.raises(futures.BrokenExecutor, match="was ended by SIGKILL"):
                await hanging
            assert await processes.call(abs, -1) == 1

    async def test_a_process_that_has_died_while_it_was_idle_fails_no_call(self) -> None:
        """Such as one that was killed when memory was short: another one makes the call."""
        async with opened("process", size=1) as processes:
            pid = await processes.call(os.getpid)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not is_alive(pid))
            assert await processes.call(os.getpid) != pid

    async def test_a_call_that_is_left_ends_with_its_process(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Though it ignores being asked; those that wait for a slot go on, without a word."""
        async with opened("process", size=1) as processes:
            left = asyncio.create_task(processes.call(hang, tmp_path / "begun"))
            pid = await number_in(tmp_path / "begun")
            waiting = [asyncio.create_task(processes.call(abs, -x)) for x in range(3)]
            await asyncio.sleep(0)
            await cancelled(left)
            assert await asyncio.gather(*waiting) == [0, 1, 2]
            await until(lambda: not is_alive(pid))
        assert said(caplog) == []

    async def test_the_end_drops_what_waits(self, tmp_path: Path) -> None:
        """A call that waits for a slot is cancelled, one that runs is so with its caller."""
        processes = offload("process", FETCH, 1)
        left = asyncio.create_task(processes.call(hang, tmp_path / "begun"))
        pid = await number_in(tmp_path / "begun")
        waiting = asyncio.create_task(processes.call(abs, -1))
        await asyncio.sleep(0)
        processes.cancel()
        await cancelled(left)
        assert await processes.aclose() is None
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: not is_alive(pid))

    @pytest.mark.parametrize("turns", range(6))
    async def test_a_call_can_be_left_at_any_moment(self, turns: int) -> None:
        """Whether its process begins, has the call or has just made it: the next one is made."""
        async with opened("process", size=1) as processes:
            if turns == 0:
                close_processes()
            left = asyncio.create_task(processes.call(abs, -1))
            for _ in range(turns):
                await asyncio.sleep(0)
            left.cancel()
            await asyncio.wait([left])
            assert await processes.call(abs, -2) == 2


class TestPool:
    async def test_the_next_run_has_the_same_processes(self) -> None:
        """Also on another loop, and in another thread."""

        async def pid() -> int:
            async with opened("process", size=1) as processes:
                found: int = await processes.call(os.getpid)
                return found

        first = await pid()
        assert await pid() == first
        assert await asyncio.to_thread(lambda: asyncio.run(pid())) == first

    async def test_they_end_when_they_are_closed(self) -> None:
        """Those that have no call; the next call begins another one."""
        async with opened("process", size=1) as processes:
            pid = await processes.call(os.getpid)
            close_processes()
            assert not is_alive(pid)
            assert await processes.call(os.getpid) != pid

    async def test_one_that_has_waited_for_long_is_not_used(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It ends, to free its memory."""
        async with opened("process", size=1) as processes:
            pid = await processes.call(os.getpid)
            monkeypatch.setattr(process_pool, "IDLE_SECONDS", -1.0)
            assert await processes.call(os.getpid) != pid
            await until(lambda: not is_alive(pid))

    @pytest.mark.thorough
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no os.fork")
    async def test_a_fork_has_none_of_them(self) -> None:
        """It begins its own, and ends without waiting for those of the process it came from."""
        ended = await asyncio.to_thread(python, "-c", FORK)
        assert ended.code == 0, ended
        assert ended.complaints() == []
        assert ended.out.split() == ["True", "True", "0"]

    def test_they_end_with_a_program_that_is_killed(self, tmp_path: Path) -> None:
        """Idle or at work: kill -9 leaves no orphan."""
        script = tmp_path / "script.py"
        script.write_text(KILLED)
        with subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            text=True,
        ) as program:
            assert program.stdout is not None
            pids = [int(program.stdout.readline()) for _ in range(2)]
            assert all(map(is_alive, pids))
            program.kill()
        until_dead = time.monotonic() + 20
        while any(map(is_alive, pids)) and time.monotonic() < until_dead:
            time.sleep(0.005)
        assert not any(map(is_alive, pids))

    def test_a_script_without_a_guard_says_what_it_lacks(self, tmp_path: Path) -> None:
        """Each process would run the script: Python ends it, and the note says why."""
        script = tmp_path / "script.py"
        script.write_text(UNGUARDED)
        ended = python(str(script))
        assert ended.code == 0, ended
        assert 'must stand under `if __name__ == "__main__":`' in ended.out


UNGUARDED = """
import asyncio
from concurrent import futures
from fluxus_rx._options import executors

async def main():
    processes = executors.offload('process', 'step 1', 1)
    try:
        await processes.call(abs, -1)
    except futures.BrokenExecutor as error:
        print(*error.__notes__)
    finally:
        await processes.aclose()

asyncio.run(main())
"""

#: Prints the numbers of a process that works, and of one that is idle.
KILLED = """
import asyncio, os, time
from fluxus_rx._options.executors import offload

def work():
    print(os.getpid(), flush=True)
    time.sleep(1_000)

async def main():
    processes = offload("process", "step 1", 2)
    working = asyncio.create_task(processes.call(work))
    print(await processes.call(os.getpid), flush=True)
    await working

if __name__ == "__main__":
    asyncio.run(main())
"""

FORK = """
import asyncio, os
from fluxus_rx._options.executors import offload

async def main():
    processes = offload("process", "step 1", 1)
    try:
        return await processes.call(os.getpid)
    finally:
        await processes.aclose()

first = asyncio.run(main())
child = os.fork()
if not child:
    print(asyncio.run(main()) != first, flush=True)
    raise SystemExit
_, status = os.waitpid(child, 0)
print(asyncio.run(main()) == first, status)
"""


def test_no_process_begins_once_python_exits() -> None:
    """It would be waited for until it has been idle for long."""
    pool = process_pool._Pool()
    pool._exit()
    with pytest.raises(futures.CancelledError, match="Python exits"):
        pool.take()


def test_a_process_whose_caller_is_gone_when_it_is_ready_ends_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after Ctrl-C in the first second of a run: a traceback would tell nobody anything."""
    caller, process = multiprocessing.Pipe()
    caller.close()
    monkeypatch.setattr(process_pool, "_end_with_parent", lambda: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        with process:
            process_pool._serve(process)
    finally:
        signal.signal(signal.SIGINT, before)
