"""Where and when a run took place, as far as that tells something of its numbers."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .children import ENVIRONMENT

__all__ = ["Watch", "circumstances"]

_ROOT = Path(__file__).parent.parent.parent


def circumstances(loop: str) -> dict[str, Any]:
    """What doesn't change during a run with this kind of event loop."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "build": _build(),
        "loop": loop,
        "commit": _commit(),
        "environment": {name: value or "unset" for name, value in ENVIRONMENT.items()},
    }


class Watch:
    """How busy the machine is, and with what, since it was made."""

    def __init__(self) -> None:
        self._stat, self._own, self._since = _stat(), _own(), time.monotonic()
        self.load = _load()

    def others(self) -> float | None:
        """The share of all cores' time that other processes, or other machines on the same
        hardware, have used; None where that can't be read."""
        now = _stat()
        if self._stat is None or now is None:
            return None
        cores = (time.monotonic() - self._since) * (os.cpu_count() or 1)
        busy = now["busy"] + now["steal"] - self._stat["busy"] - self._stat["steal"]
        return max(0.0, (busy - (_own() - self._own)) / cores) if cores else 0.0

    def told(self) -> Mapping[str, Any]:
        """For the record."""
        now, steal = _stat(), None
        if self._stat is not None and now is not None:
            steal = round(now["steal"] - self._stat["steal"], 2)
        others = self.others()
        return {
            "load_before": self.load,
            "load_after": _load(),
            "steal_seconds": steal,
            "others": None if others is None else round(others, 3),
            "seconds": round(time.monotonic() - self._since, 1),
        }


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def _own() -> float:
    """Seconds of CPU of this process and the children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _stat() -> dict[str, float] | None:
    """Seconds of all cores, of Linux; see proc_stat(5)."""
    line = _read("/proc/stat").partition("\n")[0].split()
    if len(line) < 9:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(float, line[1:9])
    ticks = os.sysconf("SC_CLK_TCK")
    return {"busy": (user + nice + system + irq + softirq) / ticks, "steal": steal / ticks}


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _build() -> str:
    """How the interpreter was made, as far as it changes its speed."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = [flag for flag in ("--enable-optimizations", "--with-lto") if flag in arguments]
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        flags.append("free-threaded")
    if hasattr(sys, "gettotalrefcount"):
        flags.append("debug")
    return " ".join(flags) or "plain"


def _commit() -> str:
    """The commit of the checkout, with a + where files differ from it; "" outside of one."""
    try:
        commit = _git("rev-parse", "--short=10", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
