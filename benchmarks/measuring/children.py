"""The processes of contenders, seen from the parent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .contest import Size

__all__ = ["ENVIRONMENT", "LOOPS", "LOOP_VARIABLE", "Child", "Nursery"]

#: The same for everybody, and told in what comes out.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONASYNCIODEBUG": "", "PYTHONDEVMODE": ""}
#: Event loops that can be asked for: that of asyncio by default.
LOOPS = ("asyncio", "uvloop")
#: Tells a child which of them.
LOOP_VARIABLE = "FLUXUS_RX_BENCHMARKS_LOOP"

_ROOT = Path(__file__).parent.parent.parent
#: Seconds within which an answer must come.
_PATIENCE = 300.0


class Nursery:
    """A process that has imported a contender, and nothing else is done in it but to fork.

    So a contender has a fresh process for each workload, and is imported once. For its last
    workload it needs no fork: the process does that itself.
    """

    def __init__(
        self,
        contender: str,
        size: Size,
        files: Sequence[Path] = (),
        python: str = sys.executable,
        loop: str = LOOPS[0],
    ) -> None:
        self._control, theirs = socket.socketpair()
        # A file, as a pipe that nobody reads would stop a process that says too much.
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 see close()
        command = [python, "-m", "benchmarks.measuring.worker", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                [*command, contender, size.value, *(str(file.resolve()) for file in files)],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                env=_environment(loop),
                cwd=_ROOT,
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for the parent, which closes its children.
                start_new_session=True,
            )

    def child(self, workload: str, last: bool = True) -> Child:
        """A process for a workload; after the `last` there is none."""
        ours, theirs = socket.socketpair()
        request = json.dumps({"workload": workload, "last": last}).encode()
        with theirs, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._control, [request], [theirs.fileno()])
        return Child(self, ours)

    def last_words(self) -> str:
        """The last line that it, or a child, has said, where nothing else tells why it ended."""
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        return lines[-1] if lines else "its process ended, and said nothing"

    def close(self) -> None:
        """End it, and whatever it has begun that is still there."""
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._said.close()


class Child:
    """A process that does the trials of one contender for one workload."""

    def __init__(self, nursery: Nursery, answers: socket.socket) -> None:
        self._nursery = nursery
        self._socket = answers
        self._answers = answers.makefile("r", encoding="utf-8")
        self._failed: dict[str, Any] | None = None
        self._pid: int | None = None

    def ready(self) -> dict[str, Any]:
        """Wait until it has imported what it needs; its answer has an error if that failed."""
        answer = self._read(_PATIENCE)
        self._pid = answer.get("pid")
        if "error" in answer:
            self._failed = answer
        return answer

    def ask(self, do: str, patience: float = _PATIENCE, **what: str) -> dict[str, Any]:
        """Its answer; one with an error where it crashes or doesn't answer within `patience`
        seconds, and from then on always."""
        if self._failed is not None:
            return self._failed
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer tells
            self._socket.sendall(json.dumps({"do": do, **what}).encode() + b"\n")
        return self._read(patience)

    def _read(self, patience: float) -> dict[str, Any]:
        self._socket.settimeout(patience)
        try:
            line = self._answers.readline()
        except TimeoutError:
            self._failed = {"error": "crashed", "message": f"no answer after {patience:g} s"}
            self.close()
            return self._failed
        except ConnectionResetError:
            line = ""
        if not line:
            self._failed = {"error": "crashed", "message": self._nursery.last_words()}
            return self._failed
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it, whatever it does."""
        self.kill()
        self._answers.close()
        self._socket.close()

    def kill(self) -> None:
        """End the process: callers that wait for an answer, in whatever thread, get an error."""
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)


def _environment(loop: str) -> Mapping[str, str]:
    """That of this process, but for what changes times; children find the library of this checkout
    in it."""
    given = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    path = [str(_ROOT), *filter(None, [given.get("PYTHONPATH")])]
    told = {name: value for name, value in ENVIRONMENT.items() if value}
    return {**given, **told, "PYTHONPATH": os.pathsep.join(path), LOOP_VARIABLE: loop}
