"""The web server of the benchmarks, in a process of its own, and its client."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.work.loopback import Response, number_of

CHECKOUT = Path(__file__).parents[3]

BEGIN = """
import asyncio, json, os, signal
from concurrent.futures import ThreadPoolExecutor
from benchmarks.work.loopback import getter, server

server().lay_out({"/a": [(429, 0.0), (200, 0.0)], "/b": [(200, 0.2)]})
paths = ["/a", "/a", "/a", "/c", "/b", "/b", "/b"]
"""
#: How a kind of functions gets all paths: the first four one by one, the others at once.
GETTING = {
    "threads": """
get = getter("threads", server().port)
with ThreadPoolExecutor(3) as pool:
    answers = [*map(get, paths[:4]), *pool.map(get, paths[4:])]
""",
    "asyncio": """
get = getter("asyncio", server().port)
async def main():
    return [*[await get(path) for path in paths[:4]], *await asyncio.gather(*map(get, paths[4:]))]
answers = asyncio.run(main())
""",
}
END = """
seen = server().seen()
told = {"port": server().port, "requests": seen.requests, "highest": seen.highest}
told["answers"] = [[one.status, one.retry_after, one.x] for one in answers]
print(json.dumps(told), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def told(getting: str) -> dict[str, Any]:
    """What a process tells that has got all paths from its server; then it is killed."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + GETTING[getting] + END],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("calls", GETTING)
def test_requests_get_the_answers_laid_out_and_are_counted(calls: str) -> None:
    answer = told(calls)
    a, b, c = (number_of(path) for path in ("/a", "/b", "/c"))
    assert answer["answers"] == [
        [429, 0.02, a],
        *[[200, 0, a]] * 2,
        [404, 0, c],
        *[[200, 0, b]] * 3,
    ]
    assert answer["requests"] == {"/a": 3, "/b": 3, "/c": 1}
    assert answer["highest"] == 3


def test_the_server_ends_with_the_process_that_has_started_it() -> None:
    port = told("threads")["port"]
    until = time.monotonic() + 10
    while _is_open(port):
        assert time.monotonic() < until, "the server outlives its process"
        time.sleep(0.02)


def _is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_a_response_is_complete_when_its_whole_text_is_here() -> None:
    text = b'{"x": 7}'
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
    assert [Response.parse(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    assert Response.parse(whole) == Response(200, 0.0, 7)
