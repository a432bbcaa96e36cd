"""Requests that run out of time go on in their threads: three at once are three all the same."""

import asyncio
import threading
import time

from fluxus_rx import arun, step

lock = threading.Lock()
now = most = 0


def ask(page: int) -> dict[str, int]:
    global now, most
    with lock:
        now += 1
        most = max(most, now)
    time.sleep(0.1)
    with lock:
        now -= 1
    return {"answer": page}


async def main() -> None:
    source = step("source", [{"page": page} for page in range(12)])
    asked = step("ask", ask).options(concurrency=3, timeout=0.01, on_error="skip")
    await arun(source >> asked)
    assert most == 3, f"{most} calls ran at once, with concurrency=3"
    limiter = asyncio.Semaphore(2)
    await arun(source >> asked.options(limiter=limiter, concurrency=5))
    assert most == 3, f"{most} calls ran at once, with a limiter of 2"


asyncio.run(main())
