"""A service shuts down while its consumer is writing; what waits in the buffers must not follow.

The consumer is told by a cancellation in place of a product, so that it doesn't commit what it has
as if that were all.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, Iterable, Iterator

from fluxus_rx import AsyncConsumer, Consumer, Producer


class Endless(Producer[int]):
    def produce(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1


class Sink(Consumer[int, None]):
    """Writes, and waits in its third write for the shutdown."""

    def __init__(self) -> None:
        self.in_third, self.shut_down = threading.Event(), threading.Event()
        self.written: list[int] = []
        self.end = "none"

    def consume(self, products: Iterable[tuple[int, int]]) -> None:
        try:
            for _, product in products:
                self.written.append(product)
                if len(self.written) == 3:
                    self.in_third.set()
                    self.shut_down.wait(5)
            self.end = "complete"
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise


class AsyncSink(AsyncConsumer[int, None]):
    """Writes without ever waiting; takes a cancellation for an error of one write."""

    def __init__(self) -> None:
        self.written = 0

    async def aconsume(self, products: AsyncIterable[tuple[int, int]]) -> None:
        items = aiter(products)
        while True:
            try:
                await anext(items)
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                return
            self.written += 1


async def main() -> None:
    sink = Sink()
    writing = asyncio.create_task((Endless() >> sink).arun())
    await asyncio.to_thread(sink.in_third.wait, 5)
    writing.cancel()
    await asyncio.sleep(0)
    sink.shut_down.set()
    await asyncio.wait([writing])
    assert writing.cancelled()
    assert sink.written == [0, 1, 2], f"written: {sink.written}"
    assert sink.end == "cancelled", f"the consumer took it for the end: {sink.end}"

    stubborn = AsyncSink()
    async with asyncio.timeout(2):
        writing = asyncio.create_task((Endless() >> stubborn).arun())
        await asyncio.sleep(0.05)
        writing.cancel()
        written = stubborn.written
        await asyncio.wait([writing])
    assert stubborn.written == written, f"{stubborn.written - written} more after the cancellation"


asyncio.run(main())
