"""Imports point to a lower folder: the order is that of `ORDER`, and has no exceptions.

Late imports and imports for types count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fluxus_rx"

#: From the bottom up. Folders, and modules at the top of the package, on one line do not know each
#: other.
ORDER: list[list[str]] = [
    ["_errors", "_typing"],
    ["_common"],
    ["_graph", "_streams"],
    ["_monitoring", "_options"],
    ["_products", "_rx", "viz"],
    ["_engine", "_results"],
    ["_check"],
    ["_conduits"],
    ["_functional", "_reactive_streams"],
    ["_run"],
    ["functional", "graph", "lineage", "reactive_streams", "rx", "simple", "streams", "testing"],
    ["__init__"],
]
LEVELS = {folder: level for level, folders in enumerate(ORDER) for folder in folders}

#: Where the engines may be imported: the folders that wrap them, and those that take their objects
#: from users and must know them by type.
ENGINES = {
    "aiostream": {"_streams", "_engine", "_conduits", "testing"},
    "reactivex": {
        "_rx", "_engine", "_conduits", "_functional", "_reactive_streams", "_run", "testing",
    },
}  # fmt: skip

#: What `import fluxus_rx` must not bring in, as it may be missing, or takes long: imported inside
#: functions, or for types.
HEAVY = {
    "IPython", "graphviz", "matplotlib", "multiprocessing", "numpy", "pandas", "pyarrow", "rich",
    "tenacity",
}  # fmt: skip

#: What of our own is imported inside functions: drawings, which take an eighth of the time of
#: `import fluxus_rx`, and the module that is made of an optional package from top to bottom.
ON_USE = {"fluxus_rx.viz", "fluxus_rx._monitoring.terminal"}


def folder_of(path: Path) -> str:
    """The name of the folder that a file lies in; of a module at the top, its own."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file, the same object each time."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path) -> list[tuple[ast.stmt, str]]:
    """The absolute dotted names that a file imports, wherever in it, each with its statement."""
    return [*_imports(path)]


def _imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    package = ("fluxus_rx", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = list(package[: len(package) - node.level + 1]) if node.level else []
            origin += [node.module] if node.module else []
            # `from . import x` may name a module, and `from ._module import x` names none.
            yield from ((node, ".".join([*origin, alias.name])) for alias in node.names)


@cache
def in_functions(path: Path) -> set[ast.AST]:
    """The statements of a file that run when one of its functions is called."""
    return {
        inner
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }


FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_point_to_a_lower_folder(path: Path) -> None:
    """No module imports from another folder of its own level, or from one above."""
    own = folder_of(path)
    for node, name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "fluxus_rx":
            continue
        # What is no folder and no module at the top is a name that the package itself offers.
        imported = parts[1] if len(parts) > 1 else "__init__"
        if imported == own:
            continue
        assert LEVELS[imported] < LEVELS[own], (
            f"line {node.lineno}: {own} imports {imported}, which is not below it"
        )


def late_imports(path: Path) -> set[ast.AST]:
    """The imports of a file that do not run when it is imported."""
    for_types = {
        inner
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    return in_functions(path) | for_types


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_optional_packages_are_imported_on_use(path: Path) -> None:
    """`import fluxus_rx` brings in none of them."""
    late = late_imports(path)
    for node, name in imports_of(path):
        if name.split(".")[0] in HEAVY and path.stem != "terminal":
            assert node in late, f"line {node.lineno}: imports {name}, which is optional"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_inside_functions_are_of_what_is_dear_to_import(path: Path) -> None:
    """An import in a function hides a circle, unless the package may be missing or takes long."""
    late = in_functions(path)
    for node, name in imports_of(path):
        if node in late and name.split(".")[0] not in HEAVY:
            assert any(name.startswith(own) for own in ON_USE), (
                f"line {node.lineno}: imports {name} in a function"
            )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_each_engine_is_imported_in_its_folders_only(path: Path) -> None:
    """The words of an engine don't leak into the folders below it."""
    own = folder_of(path)
    for node, name in imports_of(path):
        allowed = ENGINES.get(name.split(".")[0])
        assert allowed is None or own in allowed, f"line {node.lineno}: imports {name}"


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("import reactivex.operators as ops", ["reactivex.operators"]),
        ("from . import _bridge", ["fluxus_rx._bridge"]),
        ("from ._bridge import x", ["fluxus_rx._bridge.x"]),
        ("from fluxus_rx import _bridge", ["fluxus_rx._bridge"]),
        ("from fluxus_rx._bridge import x", ["fluxus_rx._bridge.x"]),
        ("if TYPE_CHECKING:\n    from ._bridge import x", ["fluxus_rx._bridge.x"]),
        ("def f():\n    from ._bridge import x", ["fluxus_rx._bridge.x"]),
    ],
)
def test_each_way_to_write_an_import_is_seen(
    statement: str, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules above hold whichever way an import is written."""
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    file = tmp_path / "module.py"
    file.write_text(statement, encoding="utf-8")
    assert [name for _, name in imports_of(file)] == names
