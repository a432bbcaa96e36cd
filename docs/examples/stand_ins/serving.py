"""An HTTP server on loopback, in threads, that answers as a function says.

>>> from urllib.request import urlopen
>>> with serve(lambda request: Answer({"path": request.path})) as url:
...     print(urlopen(f"{url}/a/b?c=1").read())
b'{"path": "/a/b"}'
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Answer", "Request", "serve"]


@dataclass(frozen=True)
class Request:
    """What the client asks for; `query` has the last value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the server sends after `delay` seconds, or closes the connection instead, if `dropped`.

    The body is bytes, text, an iterator of bytes that is sent in chunks as they come, or anything
    else as JSON.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    dropped: bool = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Connections are kept, as by a real server.
    # One packet an answer: else the kernel holds the second one back, for 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def _answered(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query))
        body = self.rfile.read(length)
        answer = self.server.answer(Request(self.command, parts.path, query, headers, body))
        time.sleep(answer.delay)
        if answer.dropped:
            self.close_connection = True
        else:
            self._send(answer)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _answered

    def _send(self, answer: Answer) -> None:
        body = answer.body
        headers = dict(answer.headers)
        if isinstance(body, Iterator):
            headers["Transfer-Encoding"] = "chunked"
        else:
            if isinstance(body, str):
                body = body.encode()
            elif not isinstance(body, bytes):
                body = json.dumps(body).encode()
                headers.setdefault("Content-Type", "application/json")
            headers["Content-Length"] = str(len(body))
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if isinstance(body, bytes):
            self.wfile.write(body if self.command != "HEAD" else b"")
            return
        for chunk in body:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        """Nothing is printed for a request."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self._clients: set[socket.socket] = set()
        self._serving: set[threading.Thread] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self._clients.add(request)
        self._serving.add(threading.current_thread())
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._clients.discard(request)
            self._serving.discard(threading.current_thread())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is nothing to tell of."""

    def left(self) -> None:
        """Close what clients still keep open, and wait for the threads."""
        self.server_close()
        for connection in list(self._clients):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._serving):
            thread.join(5)


@contextmanager
def serve(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """Serve on a free port of loopback for as long as the block lasts; yields the URL."""
    server = _Server(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.left()
