"""Watch sensors on a page that updates itself, however slow its reader is.

    python docs/examples/real_time.py [--small] [--out FOLDER]

Readings come by websocket; the page shows the averages of each tenth of a second. Each of its
readers has an overflow policy. Open the page in a browser while the program runs.
"""

# %%
from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from statistics import fmean
from typing import Any

from live_page import Dashboard, plot
from reactivex import operators as ops
from stand_ins.arguments import arguments
from stand_ins.sensors import sensors
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidMessage

from fluxus_rx import Failure, rx_pipe, step

# %% [markdown]
# Each sensor has a connection. If that drops, `connect` makes another one; if the sensor says
# goodbye, its messages are complete; if the server is gone, that is an error.


# %%
class Sensors:
    """A server of sensors; counts how many connections to each sensor have dropped."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lost: Counter[str] = Counter()

    async def messages(self, sensor: str) -> AsyncIterator[dict[str, Any]]:
        calls: Any = connect(f"{self.url}/{sensor}", proxy=None, process_exception=fatal)
        async with aclosing(aiter(calls)) as connections:
            async for connection in connections:
                try:
                    while True:
                        yield {"message": await connection.recv()}
                except ConnectionClosedOK:
                    return
                except ConnectionClosedError:
                    self.lost[sensor] += 1


def fatal(error: Exception) -> Exception | None:
    passes = isinstance(error, OSError | EOFError | InvalidMessage)
    return None if passes and not isinstance(error, ConnectionRefusedError) else error


def reading(message: str) -> dict[str, float]:
    return {name: float(value) for name, value in json.loads(message).items()}


def averages(window: list[Any]) -> dict[str, Any]:
    degrees = defaultdict(list)
    for product in window:
        degrees[product["sensor"]].append(product["degrees"])
    means = {sensor: fmean(of_sensor) for sensor, of_sensor in sorted(degrees.items())}
    return {"means": means, "readings": len(window), "sent": window[-1]["sent"]}


def watching(sensors: Sensors, names: list[str], on_error: Callable[[Failure], None]) -> Any:
    """The averages of each tenth of a second; a malformed message becomes a failure."""
    source = step("sensor", [{"sensor": name} for name in names])
    read = step("reading", reading).options(on_error=on_error)
    windows = rx_pipe(ops.buffer_with_time(0.1), ops.filter(bool), name="window")
    messages = step("message", sensors.messages)
    return source >> messages >> read >> windows >> step("average", averages)


# %% [markdown]
# All readers of the page share one run. While a reader draws a window, its policy says which of the
# next ones wait: the fast reader may fall 50 behind, the slow one skips to the newest.

# %%
POLICIES: dict[str, Any] = {
    "/fast": {"overflow": "drop_oldest", "buffer": 50},
    "/slow": {"overflow": "latest"},
}


def main(out: Path, small: bool) -> None:
    failures: deque[Failure] = deque(maxlen=1000)
    count = 120 if small else 1500
    # A thread has a loop of its own: that of a notebook runs already.
    with ThreadPoolExecutor() as threads, sensors(count, malformed=2, dropped=1) as url:
        flow = watching(source := Sensors(url), ["attic", "cellar", "roof"], failures.append)
        flow.draw()
        dashboard = Dashboard(flow, POLICIES)
        threads.submit(asyncio.run, dashboard.serve({"/fast": 0.0, "/slow": 0.3})).result()
    for name, seconds in sorted(dashboard.seconds.items()):
        p50, p99 = (1000 * sorted(seconds)[int(share * len(seconds))] for share in (0.5, 0.99))
        print(f"{name}: {len(seconds)} windows shown, {dashboard.dropped(name)} dropped;", end=" ")
        print(f"latency p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    print("reconnected:", *sorted(source.lost))
    print(f"{len(failures)} malformed messages, the first: {failures[0].exception}")
    plot(dashboard.seconds, out / "latency.svg")
    if shutil.which("dot"):
        flow.draw(file=out / "flow.svg")
        flow.draw("graph_dark", file=out / "flow_dark.svg")
    else:
        print("\nThere is no dot (Graphviz), so the flow isn't drawn.")
    print(f"\nThe latencies of all windows and a picture of the flow are in {out}")


if __name__ == "__main__":
    main(*arguments("real_time"))
