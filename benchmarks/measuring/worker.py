"""The processes of a contender: `python -m benchmarks.measuring.worker`.

The first imports the contender, and forks one for each workload, which is asked line by line, in
JSON, and answers so. What a contender prints goes elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import resource
import socket
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from ..workloads import catalogue
from .children import LOOP_VARIABLE
from .contenders import Contenders
from .contest import BrokenPromise, CannotDo, Clock, Contest, Row, Size, Trial, WrongOutputs

Answer = dict[str, Any]

#: Seconds that a process gets to end which has been killed.
_MOMENT = 0.2
#: Seconds of a run that isn't done again to look at its memory.
_LONG = 0.2


class Worker:
    """Does the trials of one contender."""

    def __init__(
        self,
        workload: str,
        contenders: Contenders,
        contender: str,
        module: ModuleType,
        size: Size,
    ) -> None:
        self._module = module
        self._size = size
        self._rows: dict[tuple[str, str], tuple[Contest, Row]] = {
            (contest.name, row.name): (contest, row)
            for contest in catalogue.WORKLOADS[workload].contests(size, contenders)
            for row in contest.rows
            if row.contender == contender
        }
        self._trials: dict[tuple[str, str], Trial] = {}
        #: seconds that passed in the last run of each
        self._seconds: dict[tuple[str, str], float] = {}

    def answer(self, request: dict[str, Any]) -> Answer:
        """What a request comes to; errors are answers too."""
        handlers: dict[str, Callable[..., Answer]] = {
            "verify": self._verify,
            "measure": self._measure,
            "memory": self._memory,
            "modules": self._modules,
        }
        try:
            return handlers[request.pop("do")](**request)
        except WrongOutputs as error:
            return {"error": "wrong outputs", "message": str(error)}
        except BrokenPromise as error:
            return {"error": "broke its promise", "message": str(error)}
        except CannotDo as error:
            return {"error": "can't", "message": str(error)}
        except Exception as error:
            return {"error": "crashed", "message": f"{type(error).__name__}: {error}"}

    def _trial(self, contest: str, row: str) -> Trial:
        key = contest, row
        if key not in self._trials:
            self._trials[key] = self._rows[key][1].prepare(self._module)
        return self._trials[key]

    def _verify(self, contest: str, row: str) -> Answer:
        """Check promises, and do the work once, which warms up."""
        trial = self._trial(contest, row)
        if trial.verify is not None:
            trial.verify()
        if trial.repeats or self._size is Size.SMOKE:
            self._once(trial)
        return {}

    def _measure(self, contest: str, row: str) -> Answer:
        """The cost of a unit by both clocks, in seconds; or the value."""
        trial, clock = self._trial(contest, row), self._rows[contest, row][0].clock
        cpu, wall, outputs = self._once(trial, collects=True)
        runs = 1
        if clock is Clock.VALUE:
            assert trial.value is not None
            return {"value": trial.value(outputs), "cpu": cpu, "wall": wall}
        del outputs
        self._seconds[contest, row] = wall
        while trial.repeats and max(cpu, 0.5 * wall) < self._size.seconds:
            more = self._once(trial)
            cpu, wall, runs = cpu + more[0], wall + more[1], runs + 1
        units = runs * trial.units
        return {"cpu": cpu / units, "wall": wall / units}

    def _once(self, trial: Trial, collects: bool = False) -> tuple[float, float, Any]:
        """Seconds of CPU and seconds that passed in one run, and what it returned, checked.

        The collector stays on, as in any program. What others have left is collected before the
        first run of a value, and not before each, which would take longer than the runs.
        """
        if trial.setup is not None:
            trial.setup()
        if collects:
            gc.collect()
        wall, cpu = time.perf_counter(), _cpu()
        outputs = trial.run()
        cpu, wall = _cpu() - cpu, time.perf_counter() - wall
        trial.check(outputs)
        return cpu, wall, outputs

    def _memory(self, contest: str, row: str) -> Answer:
        """The peak that Python's allocator sees in a run of its own, and that of the process so
        far, both in bytes; nothing where a run is long, as it takes several times longer then."""
        trial = self._trial(contest, row)
        if not trial.repeats or self._seconds.get((contest, row), 0.0) > _LONG:
            return {}
        if trial.setup is not None:
            trial.setup()
        gc.collect()
        tracemalloc.start()
        try:
            trial.run()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        unit = 1 if sys.platform == "darwin" else 1024
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return {"traced": peak, "rss": rss}

    def _modules(self) -> Answer:
        """The packages that are imported in this process."""
        return {"modules": sorted({name.partition(".")[0] for name in sys.modules})}


def _cpu() -> float:
    """Seconds of CPU of this process, its threads, and the children that it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def main() -> None:
    """Fork a worker for each workload that is asked for; be the one of the last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("control", type=int)
    parser.add_argument("contender")
    parser.add_argument("size")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    _set_loop(os.environ.get(LOOP_VARIABLE, ""))
    make = _maker(given.contender, Size(given.size), given.files)
    with socket.socket(fileno=given.control) as control:
        while True:
            message, fds, _, _ = socket.recv_fds(control, 4096, 1)
            if not message:
                break
            _reap()
            request = json.loads(message)
            if request["last"] or not os.fork():
                control.close()
                _serve(socket.socket(fileno=fds[0]), partial(make, request["workload"]))
                return
            os.close(fds[0])
        _reap()


def _maker(contender: str, size: Size, files: list[Path]) -> Callable[[str], Worker]:
    """What makes workers; an error of the import is raised by that."""
    contenders = Contenders(files)
    try:
        module = contenders[contender].load()
        # As the documentation of `gc.freeze` advises before a fork. And what is imported isn't
        # garbage: looking through it before each value would take longer than most runs do.
        gc.collect()
        gc.freeze()
    except Exception as error:
        late = error

        def fail(workload: str) -> Worker:
            raise late

        return fail
    return lambda workload: Worker(workload, contenders, contender, module, size)


def _reap() -> None:
    """Wait for children that have been ended, which takes them a moment: what they have used counts
    as used by this run, and not by others."""
    until = time.monotonic() + _MOMENT
    with contextlib.suppress(ChildProcessError):  # there are no more
        while time.monotonic() < until:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.002)


def _serve(asked: socket.socket, make: Callable[[], Worker]) -> None:
    """Answer requests until there are no more."""
    with asked, asked.makefile("rw", encoding="utf-8") as lines:
        try:
            worker = make()
            _tell(lines, {"pid": os.getpid()})
        except Exception as error:
            _tell(lines, {"error": "crashed", "message": f"{type(error).__name__}: {error}"})
            return
        for line in iter(lines.readline, ""):
            _tell(lines, worker.answer(json.loads(line)))


def _set_loop(name: str) -> None:
    """Have `asyncio.run` and `fluxus_rx.run` make loops of this kind."""
    if name == "uvloop":
        import uvloop  # on request only

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def _tell(lines: TextIO, answer: Answer) -> None:
    lines.write(json.dumps(answer) + "\n")
    lines.flush()


if __name__ == "__main__":
    main()
