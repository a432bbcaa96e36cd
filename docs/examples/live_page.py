"""The page of real_time.py: any number of browsers watch one flow, each at its own pace."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing, nullcontext, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from stand_ins.readers import read
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from fluxus_rx import Producer, SharedFlow


class Dashboard:
    """A page that shows a flow to readers; each name of a reader has an overflow policy.

    `seconds` has the latency of each window that a reader has drawn.
    """

    def __init__(self, flow: Producer[Any], policies: Mapping[str, Any]) -> None:
        self.hub = flow.share(replay=1)  # who comes later sees the newest at once
        self.policies = policies
        self.readers: dict[str, list[SharedFlow[Any]]] = defaultdict(list)
        self.seconds: dict[str, list[float]] = defaultdict(list)

    async def show(self, connection: ServerConnection) -> None:
        """Show the flow to one reader, for as long as both are there."""
        assert connection.request is not None
        name = connection.request.path
        reader = self.hub.subscriber(**self.policies[name])
        self.readers[name].append(reader)
        with suppress(ConnectionClosed):
            async with aclosing(aiter(reader)) as windows:
                async for window in windows:
                    news = {**window.product_attributes, "dropped": reader.dropped}
                    await connection.send(json.dumps(news))
                    await connection.recv()  # it says when it has drawn this one
                    self.seconds[name].append(time.time() - window["sent"])

    def page(self, connection: ServerConnection, request: Request) -> Response | None:
        """The page, for a browser; a websocket, for the page."""
        if request.path not in self.policies:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such reader.\n")
        if "Upgrade" in request.headers:
            return None
        response = connection.respond(HTTPStatus.OK, PAGE)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response

    def dropped(self, name: str) -> int:
        """How many windows the readers of this name have skipped."""
        return sum(reader.dropped for reader in self.readers[name])

    async def serve(self, readers: Mapping[str, float]) -> None:
        """Serve the page until the flow ends, to readers that take so many seconds to draw it, and
        to browsers."""
        async with serve(self.show, "127.0.0.1", 0, process_request=self.page) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            print("\nopen", *(f"http://{address}{name}" for name in self.policies))
            async with self.hub:
                urls = {f"ws://{address}{name}": wait for name, wait in readers.items()}
                await asyncio.gather(*(asyncio.to_thread(read, *one) for one in urls.items()))


def plot(latencies: Mapping[str, Sequence[float]], file: Path) -> None:
    """Draw the share of its windows that each reader had seen by when, for dark and light pages."""
    import matplotlib.pyplot as plt

    dark = plt.style.context("dark_background")
    for style, suffix in ((nullcontext(), ""), (dark, "_dark")):
        with style:
            figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
            for reader, seconds in sorted(latencies.items()):
                milliseconds = sorted(1000 * one for one in seconds)
                shares = [100 * (n + 1) / len(seconds) for n in range(len(seconds))]
                axes.step(milliseconds, shares, where="post", label=reader)
            axes.set(xlabel="milliseconds from sensor to page", ylabel="windows seen by then, %")
            axes.legend()
            figure.savefig(file.with_stem(f"{file.stem}{suffix}"), transparent=True)
        if suffix:
            plt.close(figure)  # a notebook shows the other one


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sensors</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.3rem } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
  .number { font-variant-numeric: tabular-nums; text-align: right }
  svg { width: min(16rem, 45vw); height: 2.5rem; overflow: visible }
  polyline { fill: none; stroke: #2f7fd6; stroke-width: 2; vector-effect: non-scaling-stroke }
</style></head><body>
<h1>Sensors, for a <span id="reader"></span> reader</h1>
<table><thead><tr><th>sensor</th><th class="number">degrees</th><th>so far</th></tr></thead>
<tbody id="sensors"></tbody></table>
<p><span id="state">connecting …</span> <span id="shown">0</span> windows shown,
<span id="dropped">0</span> dropped; the last one is of <span id="readings">0</span> readings.</p>
<script>
const show = (id, text) => { document.getElementById(id).textContent = text };
const reader = location.pathname.slice(1), history = {};
const wait = reader === "slow" ? 500 : 0;
let shown = 0;
show("reader", reader);
const rowOf = sensor => {
  const row = document.getElementById("sensors").insertRow();
  row.insertCell().textContent = sensor;
  row.insertCell().className = "number";
  row.insertCell().innerHTML =
    '<svg viewBox="0 0 100 30" preserveAspectRatio="none"><polyline/></svg>';
  return {row, degrees: []};
};
const draw = window => {
  for (const [sensor, mean] of Object.entries(window.means)) {
    const {row, degrees} = history[sensor] ??= rowOf(sensor);
    degrees.push(mean);
    if (degrees.length > 50) degrees.shift();
    row.cells[1].textContent = mean.toFixed(1);
    const low = Math.min(...degrees) - .1, high = Math.max(...degrees) + .1;
    row.querySelector("polyline").setAttribute("points", degrees.map(
      (value, n) => `${n * 2},${(30 * (high - value) / (high - low)).toFixed(1)}`).join(" "));
  }
  show("shown", ++shown);
  show("dropped", window.dropped);
  show("readings", window.readings);
};
const socket = new WebSocket(location.href.replace("http", "ws"));
socket.onopen = () => show("state", "live:");
socket.onclose = () => show("state", "ended:");
socket.onmessage = message => {
  draw(JSON.parse(message.data));
  setTimeout(() => socket.send("drawn"), wait);
};
</script></body></html>
"""
