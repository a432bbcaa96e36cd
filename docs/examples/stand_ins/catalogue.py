"""A shop's catalogue over HTTP on loopback, with the troubles of a real service.

It has 60 items. A request takes 80 to 120 ms. Where it is `troubled`, item 13 drops its first
connection, item 26 is down (503) for its first two requests, and item 39 isn't there (404). With
`per_second`, it refuses (429) what comes faster than that, after a burst of 20.

>>> from urllib.request import urlopen
>>> with catalogue() as url:
...     print(urlopen(f"{url}/items/7").read())
b'{"title": "Item 7", "price": 9.5}'
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stand_ins.serving import Answer, Request, serve

__all__ = ["catalogue"]

#: seconds that a request takes, a fifth more or less
LATENCY = 0.1
#: calls that may come at once, before the rate counts
BURST = 20


@contextmanager
def catalogue(*, troubled: bool = False, per_second: float | None = None) -> Iterator[str]:
    """Serve the catalogue for as long as the block lasts; yields the URL."""
    asked: Counter[int] = Counter()
    admits = Rate(per_second).admits if per_second is not None else lambda: True

    def answered(request: Request) -> Answer:
        item = int(request.path.rpartition("/")[2])
        delay = LATENCY * (0.8 + item % 5 * 0.1)
        if not admits():
            return Answer({"error": "too many requests"}, status=429)
        asked[item] += 1
        if troubled and item == 13 and asked[item] == 1:
            return Answer(delay=delay, dropped=True)
        if troubled and item == 26 and asked[item] <= 2:
            return Answer({"error": "down"}, status=503, delay=delay)
        if item >= 60 or (troubled and item == 39):
            return Answer({"error": "no such item"}, status=404, delay=delay)
        return Answer({"title": f"Item {item}", "price": 2.5 + item}, delay=delay)

    with serve(answered) as url:
        yield url


class Rate:
    """Admits so many calls per second, and a burst of them."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._left, self._last = float(BURST), clock()
        self._lock = threading.Lock()

    def admits(self) -> bool:
        with self._lock:
            now = self._clock()
            self._left = min(BURST, self._left + (now - self._last) * self._per_second)
            self._last = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
