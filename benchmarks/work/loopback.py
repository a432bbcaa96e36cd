"""The web server that calls are made to, and a client by hand, the same for all contenders.

The client keeps its connections, from one run to the next too.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from .web_server import number_of

__all__ = ["Answers", "Response", "Seen", "Server", "getter", "number_of", "server"]

#: What is answered to one request for a path after the other: status, and seconds until then.
Answers = Mapping[str, Sequence[tuple[int, float]]]

_REQUEST = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_CHUNK = 65_536


@dataclass(frozen=True)
class Seen:
    """What the server has seen: requests for each path, and those in flight at once, at most."""

    requests: Counter[str]
    highest: int


class Server:
    """The process of the server; it ends with the process that has started it."""

    def __init__(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.work.web_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout
        self.port = int(self._line())

    def lay_out(self, answers: Answers) -> None:
        """Answer so from now on, and start counting again."""
        self._ask(answers)

    def seen(self) -> Seen:
        """What it has seen since."""
        told = self._ask(None)
        return Seen(Counter(told["requests"]), told["highest"])

    def _ask(self, question: Any) -> Any:
        self._questions.write(json.dumps(question) + "\n")
        self._questions.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        line = self._answers.readline()
        if not line:
            raise RuntimeError("the server on loopback has ended")
        return line


@cache
def server() -> Server:
    """The server of this process, started when it is first asked for."""
    return Server()


@dataclass(frozen=True)
class Response:
    """An answer: `x` is the number in its text, `retry_after` the seconds that it asks to wait."""

    status: int
    retry_after: float
    x: int

    @classmethod
    def parse(cls, received: bytes) -> Response | None:
        """The response, once all of it is here."""
        head, end, body = received.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        if len(body) < int(headers["content-length"]):
            return None
        status = int(first.split(" ", 2)[1])
        return cls(status, float(headers.get("retry-after", 0)), json.loads(body)["x"])


class _Pool:
    """Connections that are open and idle; it grows to as many as are needed at once."""

    def __init__(self, port: int, *, blocking: bool) -> None:
        self._port = port
        self._blocking = blocking
        self._idle: deque[socket.socket] = deque()

    @contextmanager
    def connection(self) -> Generator[socket.socket, None, None]:
        """One that nobody else uses meanwhile; it is closed where something goes wrong."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = socket.create_connection(("127.0.0.1", self._port))
            connection.setblocking(self._blocking)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)


@cache
def getter(calls: str, port: int) -> Callable[[str], Any]:
    """What gets a path, for functions of this kind: a coroutine function of asyncio or trio, or a
    plain one that blocks."""
    pool = _Pool(port, blocking=calls == "threads")

    def get(path: str) -> Response:
        with pool.connection() as connection:
            return _blocking(connection, _request(path))

    async def get_later(path: str) -> Response:
        with pool.connection() as connection:
            return await _EXCHANGES[calls](connection, _request(path))

    return get if calls == "threads" else get_later


def _request(path: str) -> bytes:
    return _REQUEST.format(path).encode()


def _blocking(connection: socket.socket, request: bytes) -> Response:
    connection.sendall(request)
    received = connection.recv(_CHUNK)
    while (response := Response.parse(received)) is None:
        received += _some(connection.recv(_CHUNK))
    return response


async def _asyncio(connection: socket.socket, request: bytes) -> Response:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request)
    received = await loop.sock_recv(connection, _CHUNK)
    while (response := Response.parse(received)) is None:
        received += _some(await loop.sock_recv(connection, _CHUNK))
    return response


async def _trio(connection: socket.socket, request: bytes) -> Response:
    import trio  # only in the process of a contender that is made of it

    stream = trio.socket.from_stdlib_socket(connection)
    await stream.send(request)  # so little that it goes at once
    received = await stream.recv(_CHUNK)
    while (response := Response.parse(received)) is None:
        received += _some(await stream.recv(_CHUNK))
    return response


def _some(chunk: bytes) -> bytes:
    if not chunk:
        raise ConnectionError("the server has closed the connection")
    return chunk


_EXCHANGES: Mapping[str, Callable[[socket.socket, bytes], Awaitable[Response]]] = {
    "asyncio": _asyncio,
    "trio": _trio,
}
