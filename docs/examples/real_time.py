"""Watch sensors on a page that updates itself, however slow its reader is.

    python docs/examples/real_time.py [--small] [--out FOLDER]

Readings come by websocket, and go on as the averages of a tenth of a second. Each reader of the
page gets them by a policy of its own. Open the page while the program runs.
"""

# %%
from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from live_page import Dashboard, plot
from reactivex import operators as ops
from stand_ins.sensors import sensors
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from fluxus_rx import Failure, rx_pipe, step

# %% [markdown]
# A sensor is a connection. If it is lost, `connect` makes another one; after a goodbye the messages
# are over.


# %%
class Sensors:
    """Where sensors send from; how many connections to each were lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lost: Counter[str] = Counter()

    async def messages(self, sensor: str) -> AsyncIterator[dict[str, Any]]:
        connections: Any = aiter(connect(f"{self.url}/{sensor}", proxy=None))
        async with aclosing(connections):
            async for connection in connections:
                try:
                    async for message in connection:
                        yield {"message": message}
                    return
                except ConnectionClosedError:
                    self.lost[sensor] += 1


def reading(message: str) -> dict[str, float]:
    read = json.loads(message)
    return {"degrees": float(read["degrees"]), "sent": float(read["sent"])}


def averages(window: list[Any]) -> dict[str, Any]:
    degrees = defaultdict(list)
    for product in window:
        degrees[product["sensor"]].append(product["degrees"])
    means = {sensor: fmean(of_sensor) for sensor, of_sensor in sorted(degrees.items())}
    return {"means": means, "readings": len(window), "sent": window[-1]["sent"]}


def watching(sensors: Sensors, names: list[str], on_error: Callable[[Failure], None]) -> Any:
    """The averages of a tenth of a second; a message that can't be read is a failure."""
    received = step("sensor", [{"sensor": name} for name in names])
    received >>= step("message", sensors.messages)
    windows = rx_pipe(ops.buffer_with_time(0.1), ops.filter(bool), name="window")
    read = step("reading", reading).options(on_error=on_error)
    return received >> read >> windows >> step("average", averages)


# %% [markdown]
# One run is for all readers of the page. While a reader draws a window, the next ones wait as its
# policy says: the fast reader may fall behind for a while, the slow one gets what is newest.

# %%
POLICIES: dict[str, Any] = {
    "/fast": {"overflow": "drop_oldest", "buffer": 50},
    "/slow": {"overflow": "latest"},
}


def main(out: Path, small: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    count = 120 if small else 1500
    failures: deque[Failure] = deque(maxlen=1000)
    # A thread has a loop of its own: that of a notebook runs already.
    with sensors(count, malformed=2, dropped=1) as url, ThreadPoolExecutor() as threads:
        flow = watching(source := Sensors(url), ["attic", "cellar", "roof"], failures.append)
        flow.draw()
        dashboard = Dashboard(flow, POLICIES)
        seconds_to_draw = {"/fast": 0.0, "/slow": 0.3}
        threads.submit(asyncio.run, dashboard.serve(seconds_to_draw)).result()
    for name, seconds in sorted(dashboard.seconds.items()):
        p50, p99 = (1000 * quantiles(seconds, n=100)[share] for share in (49, 98))
        print(f"{name}: {len(seconds)} windows shown, {dashboard.dropped(name)} dropped;", end=" ")
        print(f"latency p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    print("connected again:", *sorted(source.lost))
    print(f"{len(failures)} messages can't be read: {failures[0].exception}, …")
    plot(dashboard.seconds, out / "latency.svg")
    if shutil.which("dot"):
        flow.draw(file=out / "flow.svg")
        flow.draw("graph_dark", file=out / "flow_dark.svg")
    else:
        print("\nWithout the program dot of Graphviz, there is no picture of the flow.")
    print(f"\nThe latencies of all windows and a picture of the flow are in {out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a run of a second or two")
    parser.add_argument("--out", type=Path, help="the folder for files (default: a new one)")
    given, _ = parser.parse_known_args()
    main(given.out or Path(tempfile.mkdtemp()), given.small)
