"""A first job: 300 orders from a slow and flaky HTTP service, with the failed calls kept.

The service is real, on loopback: an answer takes 200 ms on average, one request in 15 is refused
with 429 Too Many Requests, one in 50 loses its connection, and three orders are gone. The run shows
its progress. Then come the failed calls, the time it took, and two files: the drawing of the flow,
and the timeline of all calls, a page for the browser.

    python docs/examples/first_job.py [--out FOLDER]
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# Not typed on purpose: README.rst shows a part of this program, as a newcomer would write it.

from __future__ import annotations

import logging
from pathlib import Path
from random import Random

import httpx
from stand_ins.arguments import arguments
from stand_ins.serving import Answer, Request, serve

from fluxus_rx import run, step

LOST = {57, 134, 211}


# README: begin
async def fetch(url, client):
    response = await client.get(url)
    response.raise_for_status()
    return response.json()


def prices(url):
    return (
        step("orders", [{"url": f"{url}/orders/{number}"} for number in range(300)])
        >> step("fetch", fetch, using={"client": httpx.AsyncClient}).options(
            concurrency=40, retry=2, timeout=5, on_error="collect"
        )
        >> step("price", lambda net: {"gross": round(net * 1.19, 2)})
    )


# README: end


class Shop:
    """Answers for orders: how long it takes depends on the order, how well on the request too."""

    def __init__(self) -> None:
        self.asked: dict[int, int] = {}

    def __call__(self, request: Request) -> Answer:
        order = int(request.path.rsplit("/", 1)[-1])
        self.asked[order] = attempt = self.asked.get(order, 0) + 1
        chance = Random(f"{order} {attempt}")
        delay = 0.1 + min(chance.expovariate(10), 0.9)
        if order in LOST:
            return Answer({"error": f"order {order} is lost"}, status=410, delay=delay)
        if (fate := chance.random()) < 1 / 15:
            return Answer({"error": "slow down"}, status=429, delay=0.02)
        return Answer({"net": 10.0 + order % 90}, delay=delay, dropped=fate > 49 / 50)


def told(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.reason_phrase}"
    return str(error)


def main(out: Path) -> None:
    with serve(Shop()) as url:
        flow = prices(url)
        result = run(flow, progress=True, timestamps=True)
    summary = result.summary()
    print(f"\n{len(result.values('gross'))} orders, {sum(result.values('gross')):,.2f} in all")
    print(f"{len(result.failures)} failed for good, and are kept:")
    for failure in result.failures:
        print(f"  {failure.product['url'].split('/', 3)[-1]}: {told(failure.exception)}")
    flow.draw(file=out / "flow.md")
    result.draw_timeline(file=out / "timeline.html")
    print(f"drawing:  {out / 'flow.md'}\ntimeline: {out / 'timeline.html'}")
    print(
        f"{summary.elapsed:.1f} s; one after the other {summary.busy:.0f} s:"
        f" {summary.busy / summary.elapsed:.0f} times as fast as one after the other"
    )


if __name__ == "__main__":
    logging.getLogger("httpx").setLevel(logging.WARNING)
    main(arguments("first_job")[0])
