"""The contenders that can take part: read from the files of contenders, without importing what they
import."""

from __future__ import annotations

import ast
import configparser
import importlib
import importlib.util
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from .contest import OURS, Refused

__all__ = ["OPERATIONS", "PROMISES", "Contender", "Contenders"]

#: What a contender may promise, and the letter that stands for it.
PROMISES: Mapping[str, str] = {
    "lineage": "L",
    "limit": "l",
    "order": "O",
    "bounded": "B",
    "cleanup": "C",
}

#: What workloads ask contenders to do.
OPERATIONS = (
    "sync_chain",
    "async_chain",
    "fan_out",
    "stream",
    "merge",
    "expand",
    "batches",
    "retrying",
    "paced",
    "etl",
)

_FOLDER = Path(__file__).parent.parent / "contenders"


@dataclass(frozen=True)
class Contender:
    """A file that does what workloads ask for, as far as it tells without being imported.

    - `package` is the distribution that must be installed, None for none.
    - `promises`: see `PROMISES`. `note` is what keeps a comparison from being quite even.
    - `calls` is what its functions must be: "asyncio" (coroutine functions), "trio" (those of
      trio), or "threads" (plain functions that block).
    - `cant` has reasons for what it can't do; `group` is the environment that it lives in.
    - `yardstick`: it does a part of the work only, and takes part where a workload names it.
    """

    name: str
    path: Path
    package: str | None = None
    licence: str = ""
    promises: frozenset[str] = frozenset()
    note: str = ""
    calls: str = "asyncio"
    group: str = "bench"
    requires: str | None = None
    on_request: bool = False
    yardstick: bool = False
    cant: Mapping[str, str] = field(default_factory=dict)
    operations: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Contender:
        """What the file at `path` tells; raises ValueError where that is nonsense."""
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        told = dict(_constants(tree))
        if not isinstance(told.get("NAME"), str):
            raise Refused(f"{path} isn't a contender: it needs NAME, a string")
        promises = frozenset(told.get("PROMISES", ()))
        if unknown := promises - PROMISES.keys():
            raise Refused(
                f"PROMISES of {path} has {', '.join(sorted(unknown))}; there are"
                f" {', '.join(PROMISES)}"
            )
        operations = frozenset(_functions(tree)) & frozenset(OPERATIONS)
        yardstick = told.get("YARDSTICK", False)
        if not operations and not yardstick:
            raise Refused(f"{path} can do nothing: it needs one of {', '.join(OPERATIONS)}")
        return cls(
            name=told["NAME"],
            path=path,
            package=told.get("PACKAGE"),
            licence=told.get("LICENCE", ""),
            promises=promises,
            note=told.get("NOTE", ""),
            calls=told.get("CALLS", "asyncio"),
            group=told.get("GROUP", "bench"),
            requires=told.get("REQUIRES", told.get("PACKAGE")),
            on_request=told.get("ON_REQUEST", False),
            yardstick=yardstick,
            cant=told.get("CANT", {}),
            operations=operations,
        )

    @property
    def installed(self) -> str | None:
        """The version that is installed here; "" where there is nothing to install."""
        if self.package is None:
            return ""
        if self.package == OURS:
            return _version_of_checkout()
        try:
            return version(self.package)
        except PackageNotFoundError:
            return "" if importlib.util.find_spec(self.package) else None

    def takes(self, version: str) -> bool:
        """Whether this version of its package will do: `requires` may name the one, or the first.

        What isn't made of numbers will, as nothing is known of it.
        """
        _, one, wanted = (self.requires or "").replace(">=", "==").partition("==")
        numbers = [_numbers(each) for each in (version, wanted)]
        if not one or not all(numbers):
            return True
        return numbers[0] >= numbers[1] if ">=" in str(self.requires) else version == wanted

    @property
    def letters(self) -> str:
        """The promises as letters."""
        return "".join(letter for name, letter in PROMISES.items() if name in self.promises)

    def load(self) -> ModuleType:
        """The module itself, with all that it imports."""
        if self.path.parent == _FOLDER:
            return importlib.import_module(f"benchmarks.contenders.{self.path.stem}")
        spec = importlib.util.spec_from_file_location(f"contender_{self.path.stem}", self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with."""
    parts = itertools.takewhile(str.isdecimal, version.split("."))
    return tuple(map(int, parts))


def _version_of_checkout() -> str:
    """The version of the library that is measured: processes of contenders find that of the
    checkout first, whatever is installed."""
    settings = configparser.ConfigParser()
    settings.read(_FOLDER.parent.parent / "setup.cfg", encoding="utf-8")
    return settings["metadata"]["version"]


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """What is assigned at the top of a module, where it is a literal."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[target], value=value):
                yield from _assigned(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _assigned(target, value)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Any]]:
    """Names and values of `target = value`; both may be tuples."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each in zip(target.elts, value.elts, strict=False):
            yield from _assigned(*each)
        return
    try:
        yield ast.unparse(target), ast.literal_eval(value)
    except ValueError:
        return  # no literal: nothing that is told here


def _functions(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement.name


class Contenders:
    """All that can take part in a run, by name, in the order of their names; ours and by hand
    first."""

    FIRST = ("fluxus_rx", "fluxus_rx classes", "by-hand")

    def __init__(self, files: Sequence[Path] = ()) -> None:
        """Those of the folder, and those in `files` beside them."""
        paths = [path for path in sorted(_FOLDER.glob("*.py")) if path.stem != "__init__"]
        read = [Contender.read(path) for path in [*paths, *files]]
        ranks = {name: rank for rank, name in enumerate(self.FIRST)}
        read.sort(key=lambda one: (ranks.get(one.name, len(ranks)), one.name))
        self._by_name = {one.name: one for one in read}
        if len(self._by_name) != len(read):
            names = [one.name for one in read]
            twice = next(name for name in names if names.count(name) > 1)
            raise Refused(f"two contenders are called {twice!r}; choose another NAME for yours")

    def __iter__(self) -> Iterator[Contender]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Contender:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def offering(self, operation: str, *promises: str) -> tuple[list[Contender], dict[str, str]]:
        """The contenders that can do this and promise that, and why others can't."""
        able: list[Contender] = []
        absent: dict[str, str] = {}
        for one in self:
            if one.yardstick:
                continue
            if operation not in one.operations:
                absent[one.name] = one.cant.get(operation, f"has no {operation}")
            elif lacking := [name for name in promises if name not in one.promises]:
                absent[one.name] = f"doesn't promise {' and '.join(lacking)}"
            else:
                able.append(one)
        return able, absent
