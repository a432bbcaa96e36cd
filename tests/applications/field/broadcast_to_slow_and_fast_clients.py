"""A server sends one feed to all its clients, over sockets. Some read fast, one reads nothing for a
while, some leave in the middle, by closing or by breaking the connection.

Right is: the feed runs once; a slow client holds up neither the feed nor the others; what it misses
is counted and bounded; each fast client gets every message from when it came; all get the end.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from fluxus_rx import SharedFlow, step

COUNT = 120
PADDING = "x" * 2_000
#: bytes that each end of a connection takes for one that isn't read; the kernel doubles it
SOCKET_BUFFER = 4_096
WAITING = 8

runs = 0
lost: list[int] = []
#: the last message that each fast client has read; they pace the feed, as a clock would that isn't
#: too fast for them
read: dict[object, int] = {}
has_read = asyncio.Condition()


async def feed() -> AsyncIterator[dict[str, Any]]:
    """Messages, as they come."""
    global runs
    runs += 1
    for number in range(COUNT):
        async with has_read:
            while any(one <= number - WAITING for one in read.values()):
                await has_read.wait()
        yield {"number": number, "padding": PADDING}


def encode(number: int, padding: str) -> dict[str, bytes]:
    """A line for the clients; encoded once for all of them."""
    return {"line": json.dumps([number, padding]).encode() + b"\n"}


async def serve(hub: SharedFlow[Any], reader: Any, writer: asyncio.StreamWriter) -> None:
    """Send the feed to one client; at most 8 messages wait for it."""
    mine = hub.subscriber(overflow="drop_oldest", buffer=WAITING)
    writer.transport.set_write_buffer_limits(high=SOCKET_BUFFER)
    with suppress(ConnectionError):
        async for message in mine:
            writer.write(message["line"])
            await writer.drain()
    lost.append(mine.dropped)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def client(
    port: int, *, begins: asyncio.Event | None = None, leaves_after: int = COUNT
) -> list[int]:
    """Read the feed, once the event has come; the numbers of the messages."""
    me = object()
    if begins is None and leaves_after == COUNT:
        read[me] = -1
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=SOCKET_BUFFER)
    numbers: list[int] = []
    if begins is not None:
        await begins.wait()
    while len(numbers) < leaves_after and (line := await reader.readline()):
        numbers.append(json.loads(line)[0])
        async with has_read:
            if me in read:
                read[me] = numbers[-1]
            has_read.notify_all()
    if leaves_after < COUNT:
        writer.transport.abort()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return numbers


async def main() -> None:
    """Run the server with its clients."""
    handlers: set[asyncio.Task[Any]] = set()
    over, halfway = asyncio.Event(), asyncio.Event()
    flow = step("feed", feed) >> step("encode", encode)
    hub = flow.share(replay=1)

    async def handle(reader: Any, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        await serve(hub, reader, writer)

    async def watch() -> None:
        seen = 0
        async for product in hub.subscriber(overflow="latest"):
            seen = product["number"]
            if seen >= COUNT // 2:
                halfway.set()
        over.set()

    server = await asyncio.start_server(handle, sock=_listening())
    port = server.sockets[0].getsockname()[1]
    slow = asyncio.create_task(client(port, begins=over))
    leaving = [asyncio.create_task(client(port, leaves_after=n)) for n in (1, 5, 20)]
    early = [asyncio.create_task(client(port)) for _ in range(3)]
    async with hub:
        watching = asyncio.create_task(watch())
        await halfway.wait()
        late = asyncio.create_task(client(port))
        for numbers in await asyncio.gather(*early):
            assert numbers == [*range(numbers[0], COUNT)], "a fast client has lost something"
            assert numbers[0] < WAITING, "the early ones were there"
        numbers = await late
        assert numbers == [*range(numbers[0], COUNT)], "a late client gets the rest"
        assert 0 < len(numbers) <= COUNT // 2 + 1, "the feed is hot"
        numbers = await slow
        assert numbers == sorted(set(numbers)), "order is kept"
        assert numbers[-1] == COUNT - 1, "the slow client gets the newest, and the end"
        missed = COUNT - numbers[0] - len(numbers)
        assert missed > 0, "the slow client has lost what it had no room for"
        assert [len(one) for one in await asyncio.gather(*leaving)] == [1, 5, 20]
        await asyncio.wait([watching, *handlers])
    server.close()
    await server.wait_closed()
    assert runs == 1, f"the feed ran {runs} times"
    assert [*filter(None, lost)] == [missed], f"what was lost is counted: {lost}"
    assert len(asyncio.all_tasks()) == 1, "no task is left"


def _listening() -> socket.socket:
    """Where the server listens; the connections that it accepts have its small buffers."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
    listening.bind(("127.0.0.1", 0))
    return listening


asyncio.run(main())
