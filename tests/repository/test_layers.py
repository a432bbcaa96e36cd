"""Imports point to a lower folder: the order is that of `ORDER`, and has no exceptions.

Late imports and imports for types count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fluxus_rx"

#: From the bottom up. Folders, and modules at the top of the package, on one line do not know each
#: other.
ORDER: list[list[str]] = [
    ["_errors", "_typing"],
    ["_common"],
    ["_graph", "_loops", "_streams"],
    ["_monitoring", "_options"],
    ["_products", "_rx", "viz"],
    ["_check", "_engine", "_results"],
    ["_conduits"],
    ["_components"],
    ["_functional", "_reactive_streams"],
    ["_run"],
    [
        "_command", "compat", "functional", "graph", "lineage", "reactive_streams", "rx", "simple",
        "streams", "testing",
    ],
    ["__init__", "__main__"],
]  # fmt: skip
LEVELS = {folder: level for level, folders in enumerate(ORDER) for folder in folders}

#: Where the engines may be imported: the folders that wrap them, and those that take their objects
#: from users and must know them by type.
ENGINES = {
    "aiostream": {"_streams", "_engine", "_conduits", "_components", "testing"},
    "reactivex": {
        "_rx", "_engine", "_conduits", "_components", "_functional", "_reactive_streams", "_run",
        "streams", "testing",
    },
}  # fmt: skip

#: What may be missing: imported inside functions, or for types.
OPTIONAL = {
    "IPython",
    "graphviz",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "pytools",
    "rich",
    "tenacity",
}

#: What takes a millisecond or more of `import fluxus_rx`, and is needed in few places: imported
#: inside functions, but for the folders that are themselves imported on use.
SLOW = {"html", "json", "multiprocessing", "pickle", "random"}
SLOW_FOLDERS = {"_command", "testing", "viz"}

#: What of our own is imported inside functions: what takes half a millisecond or more of
#: `import fluxus_rx` and no run needs, and the module that is made of an optional package.
ON_USE = {
    "fluxus_rx._check",
    "fluxus_rx._components.labeling",
    "fluxus_rx._conduits.lifetime",
    "fluxus_rx._conduits.whole_stream",
    "fluxus_rx._engine.hot_source",
    "fluxus_rx._engine.path_observables",
    "fluxus_rx._functional.selecting",
    "fluxus_rx._functional.using",
    "fluxus_rx._graph.parts",
    "fluxus_rx._graph.wiring",
    "fluxus_rx._monitoring.stats",
    "fluxus_rx._monitoring.terminal",
    "fluxus_rx._options.executors",
    "fluxus_rx._options.pickling",
    "fluxus_rx._options.processes",
    "fluxus_rx._results.display",
    "fluxus_rx._rx.process_resources",
    "fluxus_rx._rx.run_resources",
    "fluxus_rx.compat._expressions",
    "fluxus_rx.compat.viz",
    "fluxus_rx.viz",
}


def folder_of(path: Path) -> str:
    """The name of the folder that a file lies in; of a module at the top, its own."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


class Source:
    """A file, with the imports in it; each import is a statement and an absolute dotted name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = folder_of(path)
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.imports = [*self._imports()]

    def _imports(self) -> Iterator[tuple[ast.stmt, str]]:
        package = ("fluxus_rx", *self.path.relative_to(PACKAGE).parts[:-1])
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = list(package[: len(package) - node.level + 1]) if node.level else []
                origin += [node.module] if node.module else []
                # `from . import x` may name a module, and `from ._module import x` names none.
                yield from ((node, ".".join([*origin, alias.name])) for alias in node.names)

    def inside(self, matches: Callable[[ast.AST], bool]) -> set[ast.AST]:
        """What stands inside the statements that match."""
        return {inner for node in ast.walk(self.tree) if matches(node) for inner in ast.walk(node)}

    def at(self, node: ast.stmt) -> str:
        """Where a statement stands."""
        return f"{self.path.relative_to(PACKAGE)}:{node.lineno}"


def is_function(node: ast.AST) -> bool:
    """Whether it is a function, whose statements run when it is called."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def is_for_types(node: ast.AST) -> bool:
    """Whether it is a block that never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    """All files of the package."""
    return [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]


def test_imports_point_to_a_lower_folder(sources: list[Source]) -> None:
    """No module imports from another folder of its own level, or from one above."""
    wrong = []
    for source in sources:
        for node, name in source.imports:
            parts = name.split(".")
            # What is no folder and no module at the top is a name that the package itself offers.
            imported = parts[1] if len(parts) > 1 else "__init__"
            if parts[0] != "fluxus_rx" or imported == source.folder:
                continue
            if LEVELS[imported] >= LEVELS[source.folder]:
                wrong.append(f"{source.at(node)}: {imported} is not below {source.folder}")
    assert wrong == []


def test_optional_and_slow_packages_are_imported_on_use(sources: list[Source]) -> None:
    """`import fluxus_rx` brings in none of them."""
    wrong = []
    for source in sources:
        late = source.inside(lambda node: is_function(node) or is_for_types(node))
        on_use = SLOW if source.folder not in SLOW_FOLDERS else set[str]()
        if source.path.stem != "terminal":
            on_use = on_use | OPTIONAL
        for node, name in source.imports:
            if name.split(".")[0] in on_use and node not in late:
                wrong.append(f"{source.at(node)}: {name} is imported before it is used")
    assert wrong == []


def test_imports_inside_functions_are_of_what_is_dear_to_import(sources: list[Source]) -> None:
    """An import in a function hides a circle, unless the package may be missing or takes long."""
    wrong = []
    for source in sources:
        late = source.inside(is_function)
        for node, name in source.imports:
            is_dear = name.split(".")[0] in OPTIONAL | SLOW or any(
                name.startswith(own) for own in ON_USE
            )
            if node in late and not is_dear:
                wrong.append(f"{source.at(node)}: {name} is imported in a function")
    assert wrong == []


def test_each_engine_is_imported_in_its_folders_only(sources: list[Source]) -> None:
    """The words of an engine don't leak into the folders below it."""
    wrong = []
    for source in sources:
        for node, name in source.imports:
            allowed = ENGINES.get(name.split(".")[0])
            if allowed is not None and source.folder not in allowed:
                wrong.append(f"{source.at(node)}: {name} is not for {source.folder}")
    assert wrong == []


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
    assert [name for _, name in Source(file).imports] == names
