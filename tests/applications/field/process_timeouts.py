"""Many short calls in a few processes: none of them runs out of its time while it waits for one."""

import os
import time

from fluxus_rx import run, step


def parse(page: int) -> dict[str, int]:
    time.sleep(0.05)
    return {"words": page}


if __name__ == "__main__":
    pages = 10 * (os.cpu_count() or 1)
    source = step("source", [{"page": page} for page in range(pages)])
    parsed = step("parse", parse).options(executor="process", timeout=0.4, on_error="collect")
    result = run(source >> parsed)
    assert not result.failures, f"{len(result.failures)} calls of 0.05 s ran out of 0.4 s"
    assert len(result[0]) == pages, f"{len(result[0])} of {pages} pages"
