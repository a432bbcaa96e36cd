"""A source of one's own: the lines that come over a TCP connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fluxus_rx import DictProduct, Producer, SourceStep, run, step


class Lines(SourceStep):
    """The lines that a server sends, until it hangs up."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__(name)
        self.host = host
        self.port = port

    async def call(self) -> AsyncIterator[dict[str, str]]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            # Read as they are asked for: a flow that is slow slows the server, by TCP itself.
            async for line in reader:
                yield {"line": line.decode().strip()}
        finally:  # also where the flow fails, or its reader leaves early
            writer.close()


def parse(line: str) -> dict[str, object]:
    sensor, value = line.split("=")
    return {"sensor": sensor, "value": float(value)}


def flow(port: int) -> Producer[DictProduct]:
    return Lines("lines", "127.0.0.1", port) >> step("parse", parse)


async def serve(ready: asyncio.Future[int]) -> None:
    """The other end: a server that sends three lines to each client."""

    async def feed(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"attic=21.5\ncellar=11\nattic=22\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(feed, "127.0.0.1", 0)
    async with server:
        ready.set_result(server.sockets[0].getsockname()[1])
        await server.serve_forever()


async def main() -> None:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(ready))
    port = await ready
    for output in (await asyncio.to_thread(run, flow(port)))[0]:
        print(f"{output['parse']['sensor']}: {output['parse']['value']}")
    server.cancel()


if __name__ == "__main__":
    asyncio.run(main())
