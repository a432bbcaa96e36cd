"""The contenders of a run: what is installed, where, and what was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ..measuring.contenders import Contender, Contenders
from ..measuring.contest import Refused
from ..measuring.session import Entrants

__all__ = ["entrants", "make_environments", "versions"]

NOT_INSTALLED = "not installed"

_ROOT = Path(__file__).parent.parent.parent

_VERSIONS = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def entrants(
    files: Sequence[Path],
    only: Collection[str] | None = None,
    without: Collection[str] | None = None,
    environments: Path | None = None,
) -> Entrants:
    """Those that are installed and were asked for; raises ValueError where somebody is unknown."""
    contenders = Contenders(files)
    for name in [*(only or ()), *(without or ())]:
        if name not in contenders:
            names = ", ".join(one.name for one in contenders)
            raise Refused(f"no contender is called {name}; there are {names}")
    pythons: dict[str, str] = {}
    absent: dict[str, str] = {}
    found = versions(contenders, environments)
    for one in contenders:
        if (only and one.name not in only) or (without and one.name in without):
            continue
        if one.on_request and not (only and one.name in only):
            absent[one.name] = f"on request: --only {one.name},…"
        elif one.name not in found:
            absent[one.name] = NOT_INSTALLED
        elif not one.takes(found[one.name]):
            absent[one.name] = f"needs {one.requires}"
        else:
            pythons[one.name] = _python(one, environments)
    return Entrants(contenders, pythons, absent, files)


def versions(contenders: Iterable[Contender], environments: Path | None) -> dict[str, str]:
    """The version of each contender that is installed, "" where there is nothing to install."""
    found: dict[str, str] = {}
    elsewhere: dict[str, list[Contender]] = {}
    for one in contenders:
        python = _python(one, environments)
        if python != sys.executable and one.package is not None:
            elsewhere.setdefault(python, []).append(one)
        elif (version := one.installed) is not None:
            found[one.name] = version
    for python, those in elsewhere.items():
        packages = {one.package: one.name for one in those if one.package}
        done = subprocess.run(
            [python, "-c", _VERSIONS, *packages], capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout)
        found |= {packages[package]: version for package, version in told.items()}
    return found


def _python(contender: Contender, environments: Path | None) -> str:
    """The interpreter of a contender: this one, if it has no environment of its own."""
    if environments is not None and contender.package not in (None, "fluxus_rx"):
        python = environments / contender.group / "bin" / "python"
        if python.exists():
            return str(python.absolute())
    return sys.executable


def make_environments(directory: Path, only: Collection[str] | None = None) -> None:
    """A virtual environment for each group of contenders, in `directory`, with what they need.

    Raises CalledProcessError where something can't be installed; pip has told why.
    """
    groups: dict[str, list[str]] = {}
    for one in Contenders():
        asked = one.name in only if only else not one.on_request
        if asked and one.requires is not None and one.package != "fluxus_rx":
            groups.setdefault(one.group, []).append(one.requires)
    for group, requirements in groups.items():
        print(f"{directory / group}: {', '.join(requirements)}", flush=True)
        venv.create(directory / group, with_pip=True)
        python = directory / group / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
