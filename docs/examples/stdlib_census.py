"""A census of the source files of the running interpreter's standard library.

The files are listed by a producer, read by an asynchronous step (in threads, at most 16 at a time),
and go to four branches at once: one counts lines, one parses each file and counts its functions and
classes, one collects its imports, and a passthrough keeps the file as it was read, to compare with.
The end adds everything up, shows where the time went, and checks the totals against a plain loop.

    python docs/examples/stdlib_census.py [DIRECTORY]
"""

from __future__ import annotations

import ast
import asyncio
import gc
import sys
import sysconfig
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fluxus_rx import RunResult, parallel, passthrough, run, step


def source_files(directory: Path) -> Iterator[Path]:
    """The source files of a library, in a fixed order, without what was installed into it."""
    for path in sorted(directory.rglob("*.py")):
        if not {"site-packages", "dist-packages"} & set(path.relative_to(directory).parts):
            yield path


# Two branches need the tree of the same file at about the same time, and parsing takes longer than
# all the rest together. A few trees are kept, not all: they take fifty times the room of the files.
@lru_cache(maxsize=32)
def parsed(content: bytes) -> ast.Module | None:
    """The syntax tree of a file; None if it can't be decoded or parsed.

    The library has such files on purpose: its own tests need them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(content)
        except (SyntaxError, ValueError):
            return None


def number_of_lines(content: bytes) -> int:
    return len(content.splitlines())


def statements_in(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements of a file, nested ones included.

    `ast.walk` visits the expressions too, which are most of a tree, and takes five times as long.
    """
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, ())
            if isinstance(inner, list):  # The body of a lambda is an expression.
                nodes += inner


def definitions_in(tree: ast.Module) -> tuple[int, int]:
    """The numbers of functions and of classes, methods and nested ones included."""
    nodes = Counter(map(type, statements_in(tree)))
    return nodes[ast.FunctionDef] + nodes[ast.AsyncFunctionDef], nodes[ast.ClassDef]


def imports_in(tree: ast.Module) -> list[str]:
    """The top modules that a file imports, as often as it does; relative imports are left out."""
    names: list[str] = []
    for node in statements_in(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return [name.partition(".")[0] for name in names]


# The steps of the flow: each takes what it needs by name, and returns what it adds.


async def read(path: Path) -> dict[str, Any]:
    return {"content": await asyncio.to_thread(path.read_bytes)}


def lines(content: bytes) -> dict[str, Any]:
    return {"lines": number_of_lines(content)}


def syntax(content: bytes) -> dict[str, Any]:
    tree = parsed(content)
    functions, classes = definitions_in(tree) if tree else (0, 0)
    return {"functions": functions, "classes": classes, "bad": tree is None}


def imports(content: bytes) -> dict[str, Any]:
    tree = parsed(content)
    return {"modules": imports_in(tree) if tree else []}


@dataclass
class Totals:
    """What a census comes to."""

    files: int = 0
    size: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    bad: int = 0
    modules: Counter[str] = field(default_factory=Counter)


def by_flow(directory: Path) -> RunResult:
    """The outputs of the flow: one path each for lines, syntax, imports and the files as read."""

    def files() -> Iterator[dict[str, Path]]:
        for path in source_files(directory):
            yield {"path": path}

    flow = (
        step("files", files)
        >> step("read", read).options(concurrency=16)
        >> parallel(
            step("lines", lines),
            step("syntax", syntax),
            step("imports", imports),
            passthrough(),
        )
    )
    return run(flow, timestamps=True)


def totals_of(result: RunResult) -> Totals:
    """What the paths of the flow add up to."""
    counted, examined, collected, plain = result
    if not len(counted) == len(examined) == len(collected) == len(plain):
        raise AssertionError("the branches did not see the same number of files")
    return Totals(
        files=len(plain),
        size=sum(len(output["read"]["content"]) for output in plain),
        lines=sum(output["lines"]["lines"] for output in counted),
        functions=sum(output["syntax"]["functions"] for output in examined),
        classes=sum(output["syntax"]["classes"] for output in examined),
        bad=sum(output["syntax"]["bad"] for output in examined),
        modules=Counter(name for output in collected for name in output["imports"]["modules"]),
    )


def totals_by_loop(directory: Path) -> Totals:
    """The same totals, from a plain loop over the same files."""
    totals = Totals()
    for path in source_files(directory):
        content = path.read_bytes()
        totals.files += 1
        totals.size += len(content)
        totals.lines += number_of_lines(content)
        tree = parsed(content)
        if tree is None:
            totals.bad += 1
            continue
        functions, classes = definitions_in(tree)
        totals.functions += functions
        totals.classes += classes
        totals.modules.update(imports_in(tree))
    return totals


def times_of(result: RunResult) -> Iterator[tuple[str, float, float, float]]:
    """Each step, the time that its calls took together, its first start and its last end."""
    for name, outputs in zip(("lines", "syntax", "imports", "read"), result, strict=True):
        spans = [(output[name]["[start]"], output[name]["[end]"]) for output in outputs]
        if spans:
            starts, ends = zip(*spans, strict=True)
            yield name, sum(ends) - sum(starts), min(starts), max(ends)


def report(totals: Totals, result: RunResult) -> Iterable[str]:
    """The census as lines of text."""
    yield f"{totals.files:>9,} files, {totals.size:,} bytes"
    yield f"{totals.lines:>9,} lines"
    yield f"{totals.functions:>9,} functions"
    yield f"{totals.classes:>9,} classes"
    yield f"{totals.bad:>9,} files that can't be decoded or parsed"
    yield "\nThe ten most imported modules:"
    # By name where the numbers are equal, so that two runs print the same.
    ranking = sorted(totals.modules.items(), key=lambda item: (-item[1], item[0]))
    for module, number in ranking[:10]:
        yield f"{number:>9,} {module}"
    yield "\nWhere the time went, in seconds (calls that wait overlap):"
    yield f"{'step':>9} {'calls':>8} {'first':>8} {'last':>8}"
    for name, busy, first, last in times_of(result):
        yield f"{name:>9} {busy:8.2f} {first:8.2f} {last:8.2f}"


def main(arguments: list[str]) -> int:
    """Print the census; 0 if a plain loop comes to the same totals, else 1."""
    directory = Path(arguments[0] if arguments else sysconfig.get_path("stdlib"))
    print(f"The source files of {directory}:\n")
    began = time.perf_counter()
    result = by_flow(directory)
    totals = totals_of(result)
    middle = time.perf_counter()
    print("\n".join(report(totals, result)))
    parsed.cache_clear()
    expected = totals_by_loop(directory)
    print(f"\nThe flow took {middle - began:.1f} s, ", end="")
    print(f"a plain loop {time.perf_counter() - middle:.1f} s.")
    if totals != expected:
        print(f"The totals DIFFER from those of a plain loop: {expected}", file=sys.stderr)
        return 1
    print("The totals are those of a plain loop over the same files.")
    return 0


if __name__ == "__main__":
    # Trees are millions of small objects: half the time went to the collector that looks at them.
    gc.set_threshold(100_000, 20, 20)
    sys.exit(main(sys.argv[1:]))
