"""Sensors on loopback that send their readings by websocket, each from a thread.

>>> from websockets.sync.client import connect
>>> with sensors(1) as url, connect(f"{url}/attic", proxy=None) as connection:
...     sorted(json.loads(connection.recv()))
['degrees', 'number', 'sent']
"""

from __future__ import annotations

import json
import logging
import math
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

__all__ = ["sensors"]


@contextmanager
def sensors(
    readings: int, *, every: float = 0.01, malformed: int = 0, dropped: int = 0
) -> Iterator[str]:
    """Serve on a free port for as long as the block lasts; yields the URL, to add a name to.

    A client that connects to a name receives its `readings`, one `every` so many seconds, and then
    a goodbye. So many of the readings are `malformed`. The server drops the connection `dropped`
    times; the next connection goes on with the next reading.
    """
    begun: dict[str, int] = defaultdict(int)
    stopped = threading.Event()
    spoilt = {round((n + 0.5) * readings / malformed) for n in range(malformed)}
    lost = {round((n + 0.7) * readings / dropped) for n in range(dropped)}

    def send(connection: ServerConnection) -> None:
        assert connection.request is not None
        name = connection.request.path
        while (number := begun[name]) < readings and not stopped.wait(every):
            begun[name] += 1
            try:
                connection.send("{malformed" if number in spoilt else reading(name, number))
            except ConnectionClosed:
                return
            if number in lost:  # without a goodbye
                connection.socket.shutdown(socket.SHUT_RDWR)
                return

    logger = logging.getLogger("sensors")
    logger.propagate = False  # it tells of each connection that is dropped
    with serve(send, "127.0.0.1", 0, logger=logger, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            stopped.set()
            server.shutdown()
            thread.join()


def reading(name: str, number: int) -> str:
    """What a sensor sends: its degrees, a wave of its own, and when it did."""
    degrees = 20 + len(name) + 3 * math.sin(number / 40 + len(name))
    return json.dumps({"degrees": degrees, "number": number, "sent": time.time()})
