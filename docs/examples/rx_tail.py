"""Follow a file that grows, as `tail -f` does, and count what goes wrong, minute by minute.

    python docs/examples/rx_tail.py

A thread writes the file while the flow reads it. The flow ends with the line that says so, and
closes the file.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from reactivex import operators as ops

from fluxus_rx import Producer, run, rx_pipe, step

LINES = [
    "12:00 INFO start",
    "12:00 ERROR disk full",
    "12:00 ERROR disk full",
    "12:01 INFO cleaned up",
    "12:01 ERROR no route",
    "12:02 INFO bye",
]


async def tail(path: Path, every: float) -> AsyncIterator[dict[str, str]]:
    """The lines of a file, those too that are yet to come; without end."""
    with path.open(encoding="utf-8") as file:
        line = ""
        while True:
            # A line may be written in parts.
            line += file.readline()
            if line.endswith("\n"):
                yield {"line": line.rstrip("\n")}
                line = ""
            else:
                await asyncio.sleep(every)


def parse(line: str) -> dict[str, str]:
    minute, level, text = line.split(" ", 2)
    return {"minute": minute, "level": level, "text": text}


def counted(path: Path, every: float = 0.01) -> Producer[Any]:
    """How many errors each minute had, up to the line "bye"."""
    minutes = rx_pipe(
        ops.take_while(lambda entry: entry["text"] != "bye"),
        ops.filter(lambda entry: entry["level"] == "ERROR"),
        ops.group_by(lambda entry: entry["minute"]),
        ops.flat_map(
            lambda minute: minute.pipe(
                ops.count(), ops.map(lambda errors: {"at": minute.key, "errors": errors})
            )
        ),
        name="count",
    )
    return step("log", lambda: tail(path, every)) >> step("entry", parse) >> minutes


def write(path: Path, pause: float) -> None:
    """Write the lines, one after the other, each in two parts."""
    with path.open("a", encoding="utf-8") as file:
        for line in LINES:
            for part in (line[:5], f"{line[5:]}\n"):
                file.write(part)
                file.flush()
                time.sleep(pause)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "app.log")
        path.touch()
        writer = threading.Thread(target=write, args=(path, 0.01))
        writer.start()
        for output in run(counted(path))[0]:
            print(output["count"]["at"], output["count"]["errors"])
        writer.join()


if __name__ == "__main__":
    main()
