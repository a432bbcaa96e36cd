"""Counts the house: modules, folders, levels, what is long, what stands twice, what is entangled.

    python -m tests.repository.house                this checkout
    python -m tests.repository.house CHECKOUT ...   others, to compare

Nothing is imported: all is read from the syntax trees of the package. `test_house.py` holds limits.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

#: Names that each module may have at its top.
IN_EACH_MODULE = {"__all__", "_log", "_public"}

NO_CODE = {
    tokenize.COMMENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER, tokenize.INDENT,
    tokenize.NEWLINE, tokenize.NL,
}  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = Mapping[str, set[str]]


@dataclass
class Module:
    """A module of the package, as it is written."""

    #: As it is imported: `_rx.driver`; of the `__init__` of a folder `_rx`, of the package ``.
    name: str
    is_package: bool
    text: str
    tree: ast.Module = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text)

    @property
    def folder(self) -> str:
        """The folder that the module is in, at the top of the package, or its own name."""
        return self.name.partition(".")[0]

    @property
    def lines(self) -> int:
        """How many lines the module has, empty ones too."""
        return len(self.text.splitlines())

    @cached_property
    def code(self) -> set[int]:
        """The numbers of the lines that have more than a comment."""
        found: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in NO_CODE:
                found.update(range(token.start[0], token.end[0] + 1))
        return found

    def functions(self) -> Iterator[tuple[str, int]]:
        """Each function, with its lines of code: without docstring, comments, decorators."""
        for name, node in _functions(self.tree, self.name):
            lines = self.code & set(range(node.lineno, (node.end_lineno or 0) + 1))
            if ast.get_docstring(node, clean=False) is not None:
                lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
            yield name, len(lines)

    def top_names(self) -> set[str]:
        """What the module defines at its top."""
        found: set[str] = set()
        for statement in self.tree.body:
            if isinstance(statement, Function | ast.ClassDef):
                found.add(statement.name)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = getattr(statement, "targets", None) or [statement.target]  # type: ignore[union-attr]  # has either
                found |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        return found - IN_EACH_MODULE

    def imports(self) -> set[str]:
        """What the module imports of the package, wherever: late imports, those for types too."""
        package = ["fluxus_rx", *self.name.split(".")] if self.name else ["fluxus_rx"]
        package = package if self.is_package else package[:-1]
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                origin = package[: len(package) - node.level + 1] if node.level else []
                origin = [*origin, *(node.module or "").split(".")] if node.module else origin
                found |= {".".join([*origin, alias.name]) for alias in node.names}
        return {
            name.removeprefix("fluxus_rx.") for name in found if f"{name}.".startswith("fluxus_rx.")
        }


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            name = f"{prefix}.{child.name}"
            if isinstance(child, Function):
                yield name, child
            yield from _functions(child, name)
        else:
            yield from _functions(child, prefix)


class House:
    """The package of a checkout, counted."""

    def __init__(self, checkout: Path = CHECKOUT) -> None:
        package = checkout / "fluxus_rx"
        self.modules: dict[str, Module] = {}
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            self.modules[name] = Module(name, is_package, path.read_text(encoding="utf-8"))

    def module_sizes(self) -> Counter[str]:
        """The lines of each module."""
        return Counter({name: module.lines for name, module in self.modules.items()})

    def function_sizes(self) -> Counter[str]:
        """The lines of code of each function."""
        sizes = Counter[str]()
        for module in self.modules.values():
            sizes.update(dict(module.functions()))
        return sizes

    def folder_sizes(self) -> Counter[str]:
        """How many modules each folder has itself, without an `__init__`."""
        return Counter(
            name.rpartition(".")[0] or "fluxus_rx"
            for name, module in self.modules.items()
            if not module.is_package
        )

    def shared_names(self) -> dict[str, list[str]]:
        """The names that more than one module defines at its top, with these modules."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for module in self.modules.values():
            # The names of fluxus are there a second time on purpose.
            for name in module.top_names() if module.folder != "compat" else ():
                found[name].append(module.name)
        return {name: modules for name, modules in sorted(found.items()) if len(modules) > 1}

    @cached_property
    def imports(self) -> Graph:
        """Which modules each module imports."""
        return {
            name: {self._module_of(imported) for imported in module.imports()} - {name}
            for name, module in self.modules.items()
        }

    @property
    def folder_imports(self) -> Graph:
        """Which folders, and modules at the top, each of them imports."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name, imported in self.imports.items():
            own = self.modules[name].folder
            found[own] |= {self.modules[one].folder for one in imported} - {own}
        return found

    def _module_of(self, imported: str) -> str:
        """The module that a name is imported from: the longest one whose name begins it."""
        while imported and imported not in self.modules:
            imported = imported.rpartition(".")[0]
        return imported if imported in self.modules else ""

    def conduit_questions(self) -> list[str]:
        """Where a conduit is asked for its class outside of the folder of that class."""
        homes = self._conduit_classes()
        return [
            f"{name}:{node.lineno} {asked}"
            for name, module in self.modules.items()
            for node, asked in _questions(module.tree)
            if homes.get(asked, module.folder) != module.folder
        ]

    def _conduit_classes(self) -> dict[str, str]:
        """The classes that derive from `Conduit`, each with its folder."""
        bases: dict[str, tuple[set[str], str]] = {}
        for module in self.modules.values():
            for node in ast.walk(module.tree) if module.folder != "compat" else ():
                if isinstance(node, ast.ClassDef):
                    named = {name for base in node.bases for name in _names(base)}
                    bases[node.name] = (named, module.folder)
        found = {"Conduit"}
        while more := {name for name, (named, _) in bases.items() if named & found} - found:
            found |= more
        return {name: bases[name][1] for name in found if name in bases}


def _questions(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.pattern, str]]:
    """Each class that something is asked for, in whichever way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchClass):
            yield from ((node, name) for name in sorted(_names(node.cls)))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"isinstance", "issubclass"}
        ):
            yield from ((node, name) for name in sorted(_names(node.args[1])))


def _names(node: ast.expr) -> set[str]:
    """The names in an expression, also those behind a dot; of `Producer[T]` the first."""
    if isinstance(node, ast.Subscript):
        return _names(node.value)
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return found | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


def circles(graph: Graph) -> list[set[str]]:
    """The sets of nodes that lead to each other, the largest first."""
    reached = {node: _reached(graph, node) for node in graph}
    found = {
        frozenset(other for other in reached[node] if node in reached.get(other, ()))
        for node in graph
        if node in reached[node]
    }
    return sorted(map(set, found), key=len, reverse=True)


def _reached(graph: Graph, start: str) -> set[str]:
    """What is reached from a node, itself only if it lies on a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for node in graph.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def levels(graph: Graph) -> int:
    """How many nodes stand on each other at most; a circle stands as one."""
    together = {node: frozenset(circle) for circle in circles(graph) for node in circle}
    heights: dict[frozenset[str], int] = {}

    def height(node: str) -> int:
        own = together.get(node, frozenset([node]))
        if own not in heights:
            below = {other for one in own for other in graph.get(one, ())} - own
            heights[own] = 1 + max(map(height, below), default=0)
        return heights[own]

    return max(map(height, graph), default=0)


def report(house: House) -> Iterator[str]:
    """The counts, a line each, with the worst of each kind."""
    modules, functions, folders = house.module_sizes(), house.function_sizes(), house.folder_sizes()
    written = {name for name, module in house.modules.items() if not module.is_package}
    yield f"modules                     {len(written)}, {sum(modules.values())} lines"
    yield f"folders                     {len(folders)}: {_most(folders, 3)}"
    yield f"levels                      {levels(house.folder_imports)} of folders,"
    yield f"                            {levels(house.imports)} of modules"
    yield f"circles of folders          {[sorted(one) for one in circles(house.folder_imports)]}"
    yield f"circles of modules          {[len(one) for one in circles(house.imports)]}"
    yield f"longest modules             {_most(modules, 5)}"
    yield f"modules above 450 lines     {sum(size > 450 for size in modules.values())}"
    small = [name for name in written if modules[name] < 60]
    yield f"modules under 60 lines      {len(small)}: {', '.join(sorted(small))}"
    yield f"longest functions           {_most(functions, 5)}"
    long = {name: size for name, size in functions.most_common() if size > 40}
    yield f"functions above 40 lines    {len(long)}"
    yield from (f"                            {name} {size}" for name, size in long.items())
    shared = house.shared_names()
    yield f"names in two modules        {len(shared)}"
    yield from (f"                            {name}: {', '.join(shared[name])}" for name in shared)
    asked = house.conduit_questions()
    yield f"isinstance on conduits      {len(asked)} outside of their folder"
    yield from (f"                            {one}" for one in asked)


def _most(sizes: Counter[str], count: int) -> str:
    return ", ".join(f"{name} {size}" for name, size in sizes.most_common(count))


if __name__ == "__main__":
    for checkout in [Path(argument) for argument in sys.argv[1:]] or [CHECKOUT]:
        print(f"\n{checkout}", *report(House(checkout)), sep="\n")
