"""Workers between channels, started in a task group: anyio and trio have the same ones."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

__all__ = ["Workers"]


class Workers:
    """Starts tasks in `group` that hand values on through what `open_channel(size)` opens.

    A channel is a pair of what sends and what receives. It ends when all clones of the sender are
    closed; here each task closes its own.
    """

    def __init__(self, group: Any, open_channel: Callable[[int], Any], limit: int) -> None:
        self._start: Callable[..., None] = group.start_soon
        self._open, self._limit = open_channel, limit

    def source(self, items: Iterable[Any]) -> Any:
        """The receiver of the items."""
        send, receive = self._open(self._limit)
        self._start(_feed, items, send)
        return receive

    def merged(self, sources: Iterable[AsyncIterable[Any]]) -> Any:
        """The receiver of what all sources emit."""
        send, receive = self._open(self._limit)
        with send:
            for source in sources:
                self._start(_forward, source, send.clone())
        return receive

    def stage(self, step: Any, receive: Any) -> Any:
        """The receiver of what the workers of a step make of what is received."""
        send, results = self._open(self._limit)
        self._work(step, receive, send)
        return results

    def group(self, steps: Iterable[Any], receive: Any) -> Any:
        """The receiver of what all of the steps make of what is received, and of that itself."""
        send, results = self._open(self._limit)
        senders = [send]
        for step in steps:
            to_step, given = self._open(self._limit)
            senders.append(to_step)
            self._work(step, given, send.clone())
        self._start(_spread, receive, senders)
        return results

    def last(self, step: Any, receive: Any) -> None:
        """Workers that hand nothing on."""
        with receive:
            for _ in range(self._limit):
                self._start(_finish, step, receive.clone())

    def _work(self, step: Any, receive: Any, send: Any) -> None:
        with receive, send:
            for _ in range(self._limit):
                self._start(_work, step, receive.clone(), send.clone())


async def _feed(items: Iterable[Any], send: Any) -> None:
    with send:
        for item in items:
            await send.send(item)


async def _forward(source: AsyncIterable[Any], send: Any) -> None:
    with send:
        async for item in source:
            await send.send(item)


async def _spread(receive: Any, senders: list[Any]) -> None:
    async for value in receive:
        for send in senders:
            await send.send(value)
    for send in senders:
        send.close()


async def _work(step: Any, receive: Any, send: Any) -> None:
    with receive, send:
        async for value in receive:
            await send.send(await step(value))


async def _finish(step: Any, receive: Any) -> None:
    with receive:
        async for value in receive:
            await step(value)
