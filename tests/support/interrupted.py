"""Flows that wait for Ctrl-C: `python -m tests.support.interrupted <name>`, for tests of endings.

Each prints "ready" once it runs, and what it closes as it ends.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from fluxus_rx import AsyncConsumer, Consumer, arun, run, step

ready = False


def say_ready() -> None:
    global ready
    if not ready:
        ready = True
        print("ready")


def source() -> Iterator[dict[str, int]]:
    try:
        yield from ({"x": x} for x in range(10))
    finally:
        print("source closed")


async def async_source() -> AsyncIterator[dict[str, int]]:
    try:
        # More than are ever read: the generator stands at a yield when the interrupt comes.
        for x in range(1_000):
            yield {"x": x}
    finally:
        await asyncio.sleep(0)
        print("source closed")


def endless() -> Iterator[dict[str, int]]:
    x = 0
    try:
        while True:
            yield {"x": x}
            x += 1
            if x == 1_000:
                say_ready()
    finally:
        print("source closed")


async def wait(x: int) -> dict[str, int]:
    say_ready()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        if x == 0:
            print("call ended")
    return {}


async def wait_in_generator(x: int) -> AsyncIterator[dict[str, int]]:
    try:
        yield {"y": 1}
        await wait(1)
    finally:
        if x == 0:
            print("call ended")


def asynchronous() -> None:
    run(step("src", source) >> step("wait", wait))


def generators() -> None:
    run(step("src", async_source) >> step("wait", wait_in_generator))


def group() -> None:
    run(step("src", source) >> (step("wait", wait) & step("other", lambda x: {})))


def synchronous() -> None:
    run(step("src", endless) >> step("drop", lambda x: []))


def expanding() -> None:
    def endless_step(x: int) -> Iterator[dict[str, int]]:
        yield from endless()

    run(step("src", {"x": 1}) >> step("expand", endless_step) >> step("drop", lambda x: []))


def awaited() -> None:
    asyncio.run(arun(step("src", source) >> step("wait", wait)))


def inside_a_loop() -> None:
    async def main() -> None:
        run(step("src", source) >> step("wait", wait))

    asyncio.run(main())


def iterated() -> None:
    for _ in step("src", source) >> step("wait", wait):
        pass


def iterated_body() -> None:
    for _ in step("src", endless):
        say_ready()


def iterated_asynchronously() -> None:
    async def main() -> None:
        async for _ in step("src", source) >> step("wait", wait):
            pass

    asyncio.run(main())


def consumed() -> None:
    class Count(Consumer[Any, int]):
        def consume(self, products: Iterable[tuple[int, Any]]) -> int:
            try:
                return sum(1 for _ in products)
            finally:
                print("consumer ended")

    flow: Any = step("src", endless) >> Count()
    flow.run()


def consumed_in_a_thread() -> None:
    class Count(Consumer[Any, int]):
        def consume(self, products: Iterable[tuple[int, Any]]) -> int:
            try:
                return sum(1 for _ in products)
            finally:
                print("consumer ended")

    flow: Any = step("src", endless) >> Count()
    asyncio.run(flow.arun())


def consumed_asynchronously() -> None:
    class Count(AsyncConsumer[Any, int]):
        async def aconsume(self, products: AsyncIterable[tuple[int, Any]]) -> int:
            try:
                return len([1 async for _ in products])
            finally:
                print("consumer ended")

    flow: Any = step("src", source) >> step("wait", wait) >> Count()
    flow.run()


SCRIPTS: dict[str, tuple[Callable[[], None], set[str]]] = {
    "asynchronous": (asynchronous, {"source closed", "call ended"}),
    "generators": (generators, {"source closed", "call ended"}),
    "group": (group, {"source closed", "call ended"}),
    "synchronous": (synchronous, {"source closed"}),
    "expanding": (expanding, {"source closed"}),
    "awaited": (awaited, {"source closed", "call ended"}),
    "inside a loop": (inside_a_loop, {"source closed", "call ended"}),
    "iterated": (iterated, {"source closed", "call ended"}),
    "iterated body": (iterated_body, {"source closed"}),
    "iterated asynchronously": (iterated_asynchronously, {"source closed", "call ended"}),
    "consumed": (consumed, {"source closed", "consumer ended"}),
    "consumed in a thread": (consumed_in_a_thread, {"source closed", "consumer ended"}),
    "consumed asynchronously": (
        consumed_asynchronously,
        {"source closed", "call ended", "consumer ended"},
    ),
}

if __name__ == "__main__":
    SCRIPTS[sys.argv[1]][0]()
