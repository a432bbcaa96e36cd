"""A web server on loopback, in a process of its own: `python -m benchmarks.work.web_server`.

It tells its port on stdout, then is asked line by line, in JSON, on stdin: a dictionary lays out
what it answers from now on, null asks for what it has seen since. It ends where stdin does, so that
it never outlives the process that started it.

An answer is `[status, seconds]`: it comes so much later. Each path has a list of them, one for
each request; the last is given again. The text of an answer has the number that stands for its
path.
"""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from collections import Counter
from typing import Any

__all__ = ["RETRY_AFTER", "number_of"]

#: Seconds that an answer 429 asks to wait.
RETRY_AFTER = 0.02

_HEAD = "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}"
_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
_TEXT = "All that is on a page. " * 50
#: Bytes of a line on stdin, at most.
_LINE = 2**24


def number_of(path: str) -> int:
    """The number that the text of this path has."""
    return zlib.crc32(path.encode())


class _Site:
    """Answers as laid out, and counts."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.lay_out({})

    def lay_out(self, answers: dict[str, list[tuple[int, float]]]) -> None:
        self._answers = answers
        self._requests: Counter[str] = Counter()
        self._at_once = 0
        self._highest = 0

    def seen(self) -> dict[str, Any]:
        """How often each path was asked for, and how many requests were in flight at most."""
        return {"requests": self._requests, "highest": self._highest}

    def begin(self, path: str, transport: asyncio.Transport) -> None:
        """Take a request, and answer it in time."""
        answers = self._answers.get(path, [(404, 0.0)])
        status, seconds = answers[min(self._requests[path], len(answers) - 1)]
        self._requests[path] += 1
        self._at_once += 1
        self._highest = max(self._highest, self._at_once)
        self._loop.call_later(seconds, self._end, path, status, transport)

    def _end(self, path: str, status: int, transport: asyncio.Transport) -> None:
        self._at_once -= 1
        body = json.dumps({"x": number_of(path), "text": _TEXT})
        more = f"Retry-After: {RETRY_AFTER:g}\r\n" if status == 429 else ""
        head = _HEAD.format(status, _REASONS[status], len(body), more, body)
        transport.write(head.encode())


class _Connection(asyncio.Protocol):
    """Requests without a body, one after the other over the same connection."""

    def __init__(self, site: _Site) -> None:
        self._site = site
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for request in requests:
            self._site.begin(request.split(b" ", 2)[1].decode(), self._transport)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    site = _Site()
    server = await loop.create_server(lambda: _Connection(site), "127.0.0.1", 0, backlog=1_024)
    lines = asyncio.StreamReader(limit=_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await lines.readline():
        answers = json.loads(line)
        if answers is not None:
            site.lay_out(answers)
        print(json.dumps(site.seen()), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(_main())
