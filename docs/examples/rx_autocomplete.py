"""Autocomplete over HTTP, with a server on loopback that is slow for short words.

    python docs/examples/rx_autocomplete.py

Each text that is asked for replaces the one before, so that a late answer never overwrites a newer
one; its connection is closed. Server and client are the standard library's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import reactivex
from reactivex import operators as ops

from fluxus_rx import arun, rx_pipe, step

WORDS = ["flow", "flower", "fluent", "fluid", "fluke", "flux"]


class Server:
    """Answers `GET /complete?prefix=…` with a list of words; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.port = 0

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            prefix = parse_qs(urlsplit(request.split(" ", 2)[1]).query)["prefix"][0]
            self.asked.append(prefix)
            left = asyncio.create_task(reader.read())  # ends when the client goes away
            try:
                await asyncio.wait([left], timeout=0.3 if len(prefix) < 3 else 0.02)
            finally:
                left.cancel()
            if reader.at_eof():
                return
            body = json.dumps([word for word in WORDS if word.startswith(prefix)]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
            await writer.drain()
            self.answered.append(prefix)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away while it asked, or was answered
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The server on a free port of loopback, for as long as the block lasts."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield


async def complete(text: str, port: int) -> dict[str, Any]:
    """The words that begin with a text, as the server knows them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = f"GET /complete?prefix={quote(text)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        writer.write(request.encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = int(head.split()[1])
    if status != 200:
        raise ConnectionError(f"the server said {status}")
    return {"words": json.loads(body)}


async def typing() -> AsyncIterator[dict[str, str]]:
    """The text in the box, pause by pause."""
    for text in ("fl", "flu", "flux"):
        yield {"text": text}
        await asyncio.sleep(0.15)


def completing(port: int) -> Any:
    """The part of the flow from texts to words."""
    ask = step("ask", complete, port=port).options(timeout=5)
    return rx_pipe(
        ops.debounce(0.03),
        ops.switch_map(lambda typed: reactivex.of(typed) >> ask),
    )


async def main() -> None:
    server = Server()
    async with server.running():
        result = await arun(step("typed", typing) >> completing(server.port))
    for output in result[0]:
        print(output["typed"]["text"], "->", ", ".join(output["ask"]["words"]))
    print("given up:", ", ".join(text for text in server.asked if text not in server.answered))


if __name__ == "__main__":
    asyncio.run(main())
