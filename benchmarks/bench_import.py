"""What does `import fluxus_rx` cost on top of the two libraries that it is made with?"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from .harness import (
    MILLISECONDS,
    OURS,
    Contender,
    Contest,
    Goal,
    Scale,
    WrongOutputs,
    benchmark,
    label,
)

#: What nobody should pay for who only imports the library.
HEAVY = ("graphviz", "matplotlib", "numpy", "pandas", "rich", "tenacity")

PARENTS = "reactivex, aiostream"

CHILD = """
import sys, time
begin = time.perf_counter()
import {modules}
spent = time.perf_counter() - begin
print(spent, *(name for name in {heavy} if name in sys.modules))
"""


@benchmark(
    "import",
    question="How long does `import fluxus_rx` take, next to importing reactivex and aiostream?",
    goal="at most 1.5x",
)
def contests(scale: Scale) -> Iterable[Contest]:
    """Each import in interpreters of its own; compiled files are there already."""
    children = scale.pick(5, 1)
    contenders = [
        Contender(OURS, partial(_import, OURS, children, ()), package=OURS),
        Contender(PARENTS, partial(_import, PARENTS, children, ())),
        Contender(label("fluxus"), partial(_import, "fluxus", 1, HEAVY), package="fluxus"),
        Contender(
            label("streamable"), partial(_import, "streamable", 1, HEAVY), package="streamable"
        ),
    ]
    yield Contest("import", "ms", contenders, [Goal(PARENTS, 1.5)], decimals=0)


def _import(modules: str, children: int, allowed: tuple[str, ...]) -> float:
    """The median of several children, in milliseconds; the first of all only warms up."""
    _child(modules, allowed)
    return MILLISECONDS * statistics.median(_child(modules, allowed) for _ in range(children))


def _child(modules: str, allowed: tuple[str, ...]) -> float:
    code = CHILD.format(modules=modules, heavy=HEAVY)
    root = Path(__file__).parent.parent
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    if heavy := set(output[1:]) - set(allowed):
        raise WrongOutputs(f"import {modules} imports {', '.join(sorted(heavy))} too")
    return float(output[0])
