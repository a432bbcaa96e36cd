"""Python in a process of its own: in development mode, with warnings as errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

#: What asyncio and Python print when somebody has not cleaned up.
COMPLAINTS = (
    "never awaited",
    "never retrieved",
    "was destroyed",
    "Exception ignored",
    "Exception in callback",
    "ResourceWarning",
    "Unclosed",
    "Unhandled",
)


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    def complaints(self) -> list[str]:
        return [complaint for complaint in COMPLAINTS if complaint in self.err]

    def printed(self) -> list[str]:
        """What is on stderr, but for what debug mode says of a machine that is busy."""
        return [line for line in self.err.splitlines() if not line.startswith("Executing <")]


def python(*arguments: str, interrupt: int = 0) -> Ended:
    """Run the interpreter with these arguments; send SIGINT for each of so many lines "ready".

    The process is killed should it outlive the time limit of the tests.
    """
    command = [sys.executable, "-X", "dev", "-W", "error", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        # Unbuffered: `communicate` would miss what `readline` has read beyond its line.
        bufsize=0,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            seen = b""
            while interrupt and (line := process.stdout.readline()):
                seen += line
                if line == b"ready\n":
                    process.send_signal(signal.SIGINT)
                    interrupt -= 1
            out, err = process.communicate(timeout=50)
        finally:
            process.kill()
    return Ended(process.returncode, (seen + out).decode(), err.decode())
