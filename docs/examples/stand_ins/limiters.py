"""A limiter of calls per second, as a step takes it; how long a server asks to wait.

>>> import asyncio
>>> async def main():
...     pause, began = Pause(0.01), asyncio.get_running_loop().time()
...     for _ in range(4):
...         async with pause:
...             pass
...     return asyncio.get_running_loop().time() - began >= 0.03
>>> asyncio.run(main())
True
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["Pause", "retry_after"]


class Pause:
    """Lets calls in one by one, so many seconds apart."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due = 0.0

    async def __aenter__(self) -> None:
        now = asyncio.get_running_loop().time()
        self._due = max(now, self._due + self._seconds)
        await asyncio.sleep(self._due - now)

    async def __aexit__(self, *exc_info: object) -> None:
        pass


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds for which a server asks a client to wait, as a number or until a date; 1 if it
    doesn't say, or says it in a way that nobody can read.

    >>> retry_after({"retry-after": "2"}), retry_after({"retry-after-ms": "250"}), retry_after({})
    (2.0, 0.25, 1.0)
    >>> retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})
    0.0
    """
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        text = headers.get(name, "")
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?", text):
            return float(text) / unit
    try:
        return max(parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time(), 0.0)
    except (KeyError, ValueError, OverflowError):
        return 1.0
