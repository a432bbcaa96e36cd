"""What does `import fluxus_rx` cost on top of the two libraries that it is made with?"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

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
HEAVY = ("graphviz", "matplotlib", "numpy", "pandas", "pyarrow", "rich", "tenacity")

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
    """Each import in interpreters of its own, compiled files being there already."""
    children = scale.pick(5, 1)
    with TemporaryDirectory() as cache:
        contenders = [
            Contender(OURS, partial(_import, OURS, children, cache), package=OURS),
            Contender(PARENTS, partial(_import, PARENTS, children, cache)),
            Contender(
                label("fluxus"), partial(_import, "fluxus", 1, cache, HEAVY), package="fluxus"
            ),
            Contender(
                label("streamable"),
                partial(_import, "streamable", 1, cache, HEAVY),
                package="streamable",
            ),
        ]
        yield Contest("import", "ms", contenders, [Goal(PARENTS, 1.5)], decimals=0)


def _import(modules: str, children: int, cache: str, allowed: tuple[str, ...] = ()) -> float:
    """The median of several children, in milliseconds; one before them compiles and warms up."""
    _child(modules, cache, allowed)
    times = [_child(modules, cache, allowed) for _ in range(children)]
    return MILLISECONDS * statistics.median(times)


def _child(modules: str, cache: str, allowed: tuple[str, ...]) -> float:
    code = CHILD.format(modules=modules, heavy=HEAVY)
    # Compiled files of everybody in one place that can be written to: where they can't be written
    # beside the sources, a checkout would be compiled anew each time, an installed peer not.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    if heavy := set(output[1:]) - set(allowed):
        raise WrongOutputs(f"import {modules} imports {', '.join(sorted(heavy))} too")
    return float(output[0])
