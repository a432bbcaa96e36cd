"""One client, made when the module is imported, keeps its connection: `run`, `rerun` and `stream`
use it, also inside of a running loop, as in a notebook. In another thread the error says why."""

import asyncio
import socket
import threading
from typing import Any

from fluxus_rx import rerun, run, step, stream


class Client:
    """A pool of one connection, which is opened once; a task of its own reads from it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.writer: asyncio.StreamWriter | None = None
        self.waiting: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()

    async def get(self, key: str) -> str:
        if self.writer is None:
            self.loop = asyncio.get_running_loop()
            reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.connections += 1
            self.reading = asyncio.create_task(self.read(reader))
        answered = self.loop.create_future()
        self.waiting.put_nowait(answered)
        self.writer.write(f"{key}\n".encode())
        return str(await answered)

    async def read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            (await self.waiting.get()).set_result(line.decode().strip())

    async def aclose(self) -> None:
        assert self.writer is not None
        self.writer.close()
        await self.writer.wait_closed()
        await self.reading


def serve(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while received := connection.recv(100):
            connection.sendall(received.upper())


server = socket.create_server(("127.0.0.1", 0))
serving = threading.Thread(target=serve, args=(server,))
serving.start()
client = Client(server.getsockname()[1])
may_fail = True


async def fetch(key: str) -> dict[str, str]:
    if key == "b" and may_fail:
        raise ConnectionError("try again")
    return {"value": await client.get(key)}


async def close() -> list[Any]:
    await client.aclose()
    return []


keys = step("keys", [{"key": key} for key in "abc"])
flow = keys >> step("fetch", fetch).options(concurrency=1, on_error="collect")


def all_ways() -> None:
    global may_fail
    may_fail = True
    result = run(flow)
    may_fail = False
    result = result.merged(rerun(flow, result.failures))
    assert [output["fetch"]["value"] for output in result[0]] == ["A", "B", "C"], result
    assert len([*stream(flow, on_failure=print)]) == 3


async def cell() -> None:
    all_ways()


def elsewhere() -> None:
    failures = run(flow).failures
    assert len(failures) == 3, failures
    for failure in failures:
        notes = " ".join(failure.exception.__notes__)
        assert "other threads" in notes, notes
        assert "arun()" in notes, notes


asyncio.run(cell())
asyncio.run(cell())
all_ways()
assert client.connections == 1, client.connections
other = threading.Thread(target=elsewhere)
other.start()
other.join()
run(step("close", close))
serving.join()
server.close()
