"""A server is down while 100 threads ask it: one error, which is told of in one line."""

import logging
import threading
from typing import Any

from fluxus_rx import run, step

lines: list[str] = []


class Lines(logging.Handler):
    """What a program shows of its log."""

    def emit(self, record: logging.LogRecord) -> None:
        lines.extend(self.format(record).splitlines())


logging.getLogger().addHandler(Lines())
together = threading.Barrier(100)


def ask(page: int) -> Any:
    together.wait(20)
    raise ConnectionError("the server is down")


source = step("source", [{"page": page} for page in range(100)])
came: BaseException | None = None
try:
    run(source >> step("ask", ask).options(executor="thread", concurrency=100))
except ConnectionError as error:
    came = error
assert str(came) == "the server is down", f"what came through: {came!r}"
assert len(lines) <= 1, f"one error that was handled, and {len(lines)} lines: {lines}"
