"""What a program does with the real fluxus, and with `fluxus_rx.compat` under its name."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import io
import json
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from fluxus_rx.compat import install

RECORD = Path(__file__).parent / "record.json"

#: the version that the record is of
VERSION = "1.0.3"

#: Programs written for fluxus: in each module, `programs` makes them anew by their names.
MODULES = ("classes", "structure", "steps", "results")

Side = Literal["fluxus", "here"]
Outcome = dict[str, Any]


def is_installed() -> bool:
    """Whether the real fluxus is here, in the version of the record."""
    try:
        return version("fluxus") == VERSION
    except PackageNotFoundError:
        return False


@contextlib.contextmanager
def named_fluxus(side: Side) -> Iterator[types.ModuleType]:
    """A block in which `import fluxus` imports this side; afterwards all is as it was."""
    before = _taken_away()
    sys.modules.update(_LOADED.get(side, {}))
    try:
        if side == "here":
            install()
        yield importlib.import_module("fluxus")
    finally:
        _LOADED[side] = _taken_away()
        sys.modules.update(before)


#: the modules of each side, which are imported once
_LOADED: dict[Side, dict[str, types.ModuleType]] = {}


def _taken_away() -> dict[str, types.ModuleType]:
    return {name: sys.modules.pop(name) for name in [*sys.modules] if is_of_fluxus(name)}


def is_of_fluxus(module: str) -> bool:
    """Whether a module is one of the package `fluxus`."""
    return module.partition(".")[0] == "fluxus"


def titles() -> list[str]:
    """The names of all programs; in a block of `named_fluxus`."""
    return [f"{module}: {title}" for module in MODULES for title in _programs(module)]


def _programs(module: str) -> dict[str, Callable[[], Any]]:
    """Those of a module, made again."""
    found: dict[str, Callable[[], Any]]
    found = importlib.import_module(f"tests.compat.programs.{module}").programs()
    return found


def outcome(name: str, side: Side) -> Outcome:
    """What a program returns, prints or raises, with nothing left of any other."""
    printed = io.StringIO()
    with named_fluxus(side), warnings.catch_warnings():
        warnings.simplefilter("error")
        module, title = name.split(": ", 1)
        program = _programs(module)[title]
        found: Outcome = {}
        try:
            with contextlib.redirect_stdout(printed):
                found["value"] = plain(program())
        except Exception as error:
            found["error"] = kind_of(error)
    if printed.getvalue():
        found["printed"] = printed.getvalue().splitlines()
    as_written: Outcome = json.loads(json.dumps(found))
    return as_written


def kind_of(error: Exception) -> str:
    """The first class of Python itself that an error is of; a program's own errors with text."""
    kind = next(
        kind for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind
    )
    is_own = kind in (OSError, LookupError, ArithmeticError, ZeroDivisionError)
    return f"{kind.__name__}: {error}" if is_own else kind.__name__


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if type(value).__name__ == "RunResult":
        return {"RunResult": [plain(list(path)) for path in value.get_outputs_per_path()]}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f"<{type(value).__name__}>"


def recorded() -> dict[str, dict[str, Any]]:
    """For each program, what the real fluxus does; and what comes here, if that differs."""
    found: dict[str, dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))["programs"]
    return found


def recorded_names() -> dict[str, list[str]]:
    """The public names of fluxus, by module."""
    found: dict[str, list[str]] = json.loads(RECORD.read_text(encoding="utf-8"))["names"]
    return found


def recorded_members() -> dict[str, list[str]]:
    """The public members and arguments (`name=`) of the names of fluxus."""
    found: dict[str, list[str]] = json.loads(RECORD.read_text(encoding="utf-8"))["members"]
    return found
