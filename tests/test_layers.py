"""Imports point to a layer above, never below: the order is that of this list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fluxus_rx"

#: From the top down. Modules on one line are of one layer and may not import each other.
LAYERS: list[list[str]] = [
    ["_errors"],
    ["_text"],
    ["_typing"],
    ["_protocols"],
    ["_generics", "_names"],
    ["_signatures"],
    ["_failures", "_retries"],
    ["_options"],
    # streams, which know nothing of Rx and nothing of flows
    ["_channels", "_turns"],
    ["_calls", "_crews", "_gauges"],
    ["_meters"],
    ["_offload"],
    ["_processes"],
    ["_executors"],
    ["_merging", "_workers"],
    ["_streams"],
    # observables, which know nothing of conduits
    ["_scheduler"],
    ["_bridge", "_multicast"],
    ["_overflow"],
    ["_work"],
    ["_walks"],
    ["_control", "_measured", "_pipelines", "_plain", "_steering"],
    ["_stages"],
    ["_loops", "_places", "_together"],
    ["_driving"],
    # conduits
    ["_conduit"],
    ["_composites", "_terms"],
    ["_producers"],
    ["_calling"],
    ["_transformers"],
    ["_consumers"],
    ["_simple"],
    # dictionaries
    ["_lineage"],
    ["_labels", "_products"],
    ["_making", "_observed", "_subscribers"],
    ["_pipes", "_published", "_publishers", "_step", "_step_producer"],
    ["_steps"],
    ["_summary"],
    ["_tables"],
    ["_arrow", "_failed"],
    ["_result"],
    ["_progress"],
    ["_terminal"],
    ["_displays"],
    ["_following"],
    ["_run"],
    ["_stats"],
    ["_handing", "_replay", "_started"],
    ["_check_attributes", "_check_options"],
    ["_check_edges"],
    ["_check"],
    ["viz"],
    ["functional", "lineage", "reactive_streams", "rx", "simple", "streams"],
    ["testing"],
    ["__init__"],
]
LEVELS = {module: level for level, modules in enumerate(LAYERS) for module in modules}

#: What may be imported from below, for annotations alone: what `>>` makes of two roles is a third.
TYPES_ONLY = {
    ("_producers", "_consumers"),
    ("_producers", "_transformers"),
    ("_transformers", "_consumers"),
}

#: Where the engines may be imported: the layers that wrap them, and those that take their objects
#: from users and must know them by type.
ENGINES = {
    "aiostream": {
        "_merging", "_streams", "_driving", "_producers", "_transformers", "_pipes", "testing",
    },
    "reactivex": {
        "_scheduler", "_bridge", "_multicast", "_overflow", "_places", "_plain", "_stages",
        "_together", "_driving", "_calling", "_producers", "_transformers", "_labels",
        "_observed", "_pipes", "_published", "_publishers", "_step", "_step_producer", "_steps",
        "_run", "testing",
    },
}  # fmt: skip

#: What `import fluxus_rx` must not bring in; allowed inside functions.
HEAVY = {
    "IPython", "graphviz", "matplotlib", "numpy", "pandas", "pyarrow", "rich", "tenacity"
}  # fmt: skip

#: What reads flows and results, and is imported when it is used: it points upwards from below, so
#: the methods that call it import it inside of themselves.
ON_USE = {"_check", "viz"}

#: What is made of an optional package from top to bottom: imported where it is used, as that is.
HEAVY_ITSELF = {"_terminal"}


def layer_of(path: Path) -> str:
    """The name of the layer that a file belongs to: that of the top module or package."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file, the same object each time."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """The absolute dotted names that a file imports at run time, each with its statement."""
    package = ("fluxus_rx", *path.relative_to(PACKAGE).parts[:-1])
    tree = tree_of(path)
    # The types of the roles refer to each other; at run time, each knows those above it only.
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = list(package[: len(package) - node.level + 1]) if node.level else []
            origin += [node.module] if node.module else []
            # `from . import x` may name a module, and `from ._module import x` names none.
            if ".".join(origin) == "fluxus_rx":
                yield from ((node, f"fluxus_rx.{alias.name}") for alias in node.names)
            else:
                yield node, ".".join(origin)


def for_types_only(path: Path) -> set[ast.AST]:
    """The statements of a file under `if TYPE_CHECKING:`."""
    return {
        inner
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }


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
def test_each_module_has_a_layer(path: Path) -> None:
    """A module that nobody has given a place is a mistake."""
    assert layer_of(path) in LEVELS


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_point_upwards(path: Path) -> None:
    """No module imports from its own layer or one below."""
    own = layer_of(path)
    for node, name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "fluxus_rx":
            continue
        imported = parts[1] if len(parts) > 1 else "__init__"
        # What is no module is a name that the package itself offers.
        imported = imported if imported in LEVELS else "__init__"
        if imported == own and path.parent != PACKAGE:
            continue
        if (own, imported) in TYPES_ONLY and node in for_types_only(path):
            continue
        if imported in ON_USE and node in in_functions(path):
            continue
        assert LEVELS[imported] < LEVELS[own], (
            f"line {node.lineno}: {own} imports {imported}, which is not above it"
        )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_each_engine_is_imported_in_its_layers_only(path: Path) -> None:
    """The words of an engine don't leak into the layers below it."""
    for node, name in imports_of(path):
        allowed = ENGINES.get(name.split(".")[0])
        assert allowed is None or layer_of(path) in allowed, f"line {node.lineno}: imports {name}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_inside_functions_are_of_optional_packages_only(path: Path) -> None:
    """An import in a function hides a cycle, unless the package may be missing or is a reader."""
    for node in in_functions(path):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or node.names[0].name).split(".")[0]}
        else:
            continue
        assert names <= HEAVY | HEAVY_ITSELF | ON_USE, (
            f"line {node.lineno}: imports {names} in a function"
        )


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("import reactivex.operators as ops", ["reactivex.operators"]),
        ("from . import _bridge", ["fluxus_rx._bridge"]),
        ("from ._bridge import x", ["fluxus_rx._bridge"]),
        ("from fluxus_rx import _bridge", ["fluxus_rx._bridge"]),
        ("from fluxus_rx._bridge import x", ["fluxus_rx._bridge"]),
        ("if TYPE_CHECKING:\n    from ._bridge import x", []),
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
