"""Some documents make a parser hang: their calls run out of time, and all others are made."""

import time
from typing import Any

from fluxus_rx import run, step

HANGING = 1


def parse(document: int) -> dict[str, int]:
    if document < HANGING:
        time.sleep(3_600)
    return {"words": document}


def parsed(**options: Any) -> Any:
    source = step("source", [{"document": number} for number in range(HANGING + 5)])
    return run(source >> step("parse", parse).options(executor="process", timeout=0.3, **options))


if __name__ == "__main__":
    result = parsed(on_error="collect", concurrency=HANGING)
    done = [output["parse"]["words"] for output in result[0]]
    assert done == [*range(HANGING, HANGING + 5)], f"only {done} came through"
    kinds = {type(failure.exception) for failure in result.failures}
    assert kinds == {TimeoutError}, f"these failed otherwise: {kinds}"
