"""Where stream() and astream() may be read: on loops, in steps, in threads; and Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fluxus_rx import astream, run, step, stream
from tests.support.probes import turns
from tests.support.scripted_calls import numbers
from tests.support.subprocesses import python


async def brief(x: int) -> dict[str, int]:
    """A call that yields to others."""
    await asyncio.sleep(0)
    return {"y": x}


class TestPlaces:
    async def test_inside_a_running_loop(self) -> None:
        """The loop waits while stream() is read, and goes on afterwards."""
        flow = numbers(40) >> step("s", brief)
        assert len([*stream(flow)]) == 40
        outputs = stream(flow)
        next(outputs)
        await turns()
        outputs.close()
        assert len([one async for one in astream(flow)]) == 40

    def test_in_a_step_and_in_the_reader_of_another(self) -> None:
        """Runs within runs."""

        def nested(x: int) -> dict[str, int]:
            return {"z": sum(output["s"]["y"] for _, output in stream(numbers(x) >> inner))}

        async def anested(x: int) -> dict[str, int]:
            found = [output["s"]["y"] async for _, output in astream(numbers(x) >> inner)]
            return {"a": sum(found)}

        inner = step("s", brief)
        flow = numbers(5) >> step("n", nested) >> step("a", anested)
        for _, output in stream(flow):
            wanted = sum(range(output["src"]["x"]))
            assert (output["n"]["z"], output["a"]["a"]) == (wanted, wanted)
            assert len([*stream(numbers(3) >> inner)]) == len(run(numbers(3) >> inner)[0])

    def test_several_in_turns(self) -> None:
        """Two readers of one flow are two runs."""
        flow = numbers(50) >> step("s", brief).options(ordered=True)
        pairs = [*zip(stream(flow), stream(flow), strict=True)]
        assert [one["s"]["y"] for (_, one), (_, other) in pairs if one == other] == [*range(50)]

    async def test_several_at_once(self) -> None:
        """On one loop."""

        async def read() -> int:
            return len([one async for one in astream(numbers(50) >> made)])

        made = step("s", brief).options(concurrency=2)
        assert await asyncio.gather(*(read() for _ in range(5))) == [50] * 5

    def test_in_threads(self) -> None:
        """At the same time, of the same flow; one may be left while others go on."""
        flow = numbers(200) >> step("s", brief).options(concurrency=4)

        def read(most: int) -> int:
            found = 0
            with contextlib.closing(stream(flow)) as outputs:
                for found, _ in enumerate(outputs, 1):
                    if found == most:
                        break
            return found

        with ThreadPoolExecutor(4) as pool:
            assert [*pool.map(read, [1, 200, 20, 300] * 3)] == [1, 200, 20, 200] * 3

    def test_begun_in_one_thread_and_read_in_another(self) -> None:
        """As any generator may be, one at a time."""
        outputs = stream(numbers(40) >> step("s", brief))
        assert next(outputs)[0] == 0
        rest: list[Any] = []
        thread = threading.Thread(target=lambda: rest.extend(outputs))
        thread.start()
        thread.join()
        assert len(rest) == 39

    @pytest.mark.parametrize("where", ["call", "body"])
    def test_ctrl_c_cleans_up(self, where: str) -> None:
        """Whether the flow or the reader is busy."""
        ended = python("-c", INTERRUPTED, where, interrupt=1)
        assert ended.code != 0
        assert {"source closed", "call ended"} <= {*ended.out.split("\n")}
        assert "KeyboardInterrupt" in ended.err
        assert ended.complaints() == []


INTERRUPTED = """
import asyncio, sys, time
from fluxus_rx import step, stream

def source():
    try:
        yield from ({"x": x} for x in range(10_000))
    finally:
        print("source closed")

async def call(x):
    try:
        if x == 5:
            if sys.argv[1] == "call":
                print("ready")
            await asyncio.Event().wait()
        return {"y": x}
    finally:
        if x == 5:
            await asyncio.sleep(0)
            print("call ended")

for _, output in stream(step("src", source) >> step("call", call).options(concurrency=8)):
    if sys.argv[1] == "body" and output["src"]["x"] > 100:
        print("ready")
        while True:
            time.sleep(0.01)
"""
