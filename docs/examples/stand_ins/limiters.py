"""A limiter of calls per second, as a step takes it.

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

__all__ = ["Pause"]


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
