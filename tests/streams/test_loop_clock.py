"""What counts against the time-out of a call, and what doesn't: in virtual time."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any

import pytest
from reactivex import operators as ops

from fluxus_rx import (
    AsyncConsumer,
    AsyncTransformer,
    Consumer,
    Producer,
    StepOptions,
    Transformer,
    arun,
    astream,
    rx_pipe,
    step,
    stream,
)
from fluxus_rx.testing import VirtualTimeLoop, virtual_time

#: Seconds: of a call, of its time-out, and of those who hold the loop.
CALL, TIMEOUT, HELD = 1.0, 5.0, 60.0


class Holding:
    """Holds the loop for a minute, again and again, on the loop or while nobody runs it."""

    def __init__(self, seconds: float = HELD) -> None:
        self.loop: VirtualTimeLoop | None = None
        self.seconds = seconds

    def __call__(self, *_: object) -> bool:
        if self.loop is not None:
            self.loop.advance(self.seconds)
        return True

    async def ask(self, n: int) -> dict[str, int]:
        """A call of several waits, such as those for a connection, a request and an answer."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.slow_callback_duration = inf
        self.loop = loop
        for _ in range(4):
            await asyncio.sleep(CALL / 4)
        return {"answer": n}


class Ask(AsyncTransformer[int, int]):
    """The same, as a class."""

    def __init__(self, hold: Holding) -> None:
        self.hold = hold

    async def atransform(self, product: int) -> Any:
        yield (await self.hold.ask(product))["answer"]


class Numbers(Producer[int]):
    """0 to 29."""

    def produce(self) -> Iterator[int]:
        return iter(range(30))


class HoldingNumbers(Numbers):
    """The same; each takes a minute."""

    def __init__(self, hold: Holding) -> None:
        self.hold = hold

    def produce(self) -> Iterator[int]:
        for number in range(30):
            self.hold()
            yield number


class HoldingStep(Transformer[int, int]):
    """Takes a minute for each product."""

    def __init__(self, hold: Holding) -> None:
        self.hold = hold

    def transform(self, product: int) -> Iterator[int]:
        self.hold()
        yield product


class HoldingSink(Consumer[Any, int]):
    """Takes a minute for each product."""

    def __init__(self, hold: Holding) -> None:
        self.hold = hold

    def consume(self, products: Iterable[tuple[int, Any]]) -> int:
        return len([self.hold() for _ in products])


class HoldingAsyncSink(AsyncConsumer[Any, int]):
    """The same, on the loop."""

    def __init__(self, hold: Holding) -> None:
        self.hold = hold

    async def aconsume(self, products: Any) -> int:
        return len([self.hold() async for _ in products])


def by_stream(hold: Holding) -> int:
    source = step("source", [{"n": n} for n in range(30)])
    return len([hold() for _ in stream(source >> step("ask", hold.ask).options(timeout=TIMEOUT))])


def by_astream(hold: Holding) -> Any:
    source = step("source", [{"n": n} for n in range(30)])
    flow = source >> step("ask", hold.ask).options(timeout=TIMEOUT)

    async def main() -> int:
        return len([hold() async for _ in astream(flow)])

    return main


def asked(hold: Holding) -> AsyncTransformer[int, int]:
    return Ask(hold).options(timeout=TIMEOUT)


def aiterated(hold: Holding) -> Any:
    async def main() -> int:
        return len([hold() async for _ in Numbers() >> asked(hold)])

    return main


HOLDERS: dict[str, Callable[[Holding], Any]] = {
    "stream": by_stream,
    "astream": by_astream,
    "for": lambda hold: len([hold() for _ in Numbers() >> asked(hold)]),
    "async for": aiterated,
    "consumer": lambda hold: (Numbers() >> asked(hold) >> HoldingSink(hold)).run(),
    "async consumer": lambda hold: (Numbers() >> asked(hold) >> HoldingAsyncSink(hold)).run(),
    "source": lambda hold: len([*(HoldingNumbers(hold) >> asked(hold))]),
    "step before": lambda hold: len([*(Numbers() >> HoldingStep(hold) >> asked(hold))]),
    "step behind": lambda hold: len([*(Numbers() >> asked(hold) >> HoldingStep(hold))]),
    "operator": lambda hold: len([*(Numbers() >> asked(hold) >> rx_pipe(ops.filter(hold)))]),
}


class TestWhatHoldsTheLoop:
    @pytest.mark.parametrize("holder", HOLDERS)
    def test_it_counts_against_no_call(self, holder: str) -> None:
        """If a reader, a computation or an observer takes a minute, no call of a second times
        out."""
        with virtual_time() as run_in:
            made = HOLDERS[holder](Holding())
            assert (run_in(made) if callable(made) else made) == 30

    @pytest.mark.parametrize("seed", range(20))
    def test_a_call_fails_exactly_if_no_answer_comes(self, seed: int) -> None:
        """Held at any moments, for any seconds: quick calls never fail, and one that hangs fails by
        the seconds in which nothing held the loop."""
        rng = random.Random(seed)
        hangs = [rng.random() < 0.3 for _ in range(20)]
        ended: dict[int, float] = {}
        held = 0.0

        async def call(n: int) -> dict[str, int]:
            loop = asyncio.get_running_loop()
            began = loop.time() - held
            try:
                for _ in range(4):
                    await asyncio.sleep(inf if hangs[n] else 1)
            finally:
                ended[n] = loop.time() - held - began
            return {"answer": n}

        async def main() -> None:
            nonlocal held
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.slow_callback_duration = inf
            flow = step("source", [{"n": n} for n in range(20)]) >> step("call", call)
            options = StepOptions(timeout=5, on_error="collect", concurrency=5)
            run = asyncio.create_task(arun(flow, options=options))
            while not run.done():
                await asyncio.sleep(rng.random())
                seconds = rng.choice([0.01, 0.7, 30.0])
                held += seconds
                loop.advance(seconds)
            result = await run
            late = [failure.product["n"] for failure in result.failures]
            assert late == [n for n, hung in enumerate(hangs) if hung]
            # What is held for less than from a tick to the next may count, or not.
            assert all(3.5 < ended[n] < 6.5 for n in late)

        with virtual_time() as run_in:
            run_in(main)

    def test_an_answer_that_is_there_when_the_loop_comes_back_is_taken(self) -> None:
        """Though its time is over by then: it waits in a socket, behind the timers."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)

        async def ask(n: int) -> dict[str, bytes]:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.call_later(4.9, theirs.send, b"answer")
            loop.call_later(4.9, loop.advance, 0.2)  # less than from one tick to the next
            return {"answer": await asyncio.wait_for(loop.sock_recv(ours, 9), 99)}

        with ours, theirs, virtual_time() as run_in:
            flow = step("source", {"n": 0}) >> step("ask", ask).options(timeout=TIMEOUT)
            (output,) = run_in(lambda: arun(flow))[0]
        assert output["ask"] == {"answer": b"answer"}
