"""All workloads, found by listing the folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from ..measuring.contest import Workload

__all__ = ["WORKLOADS"]

_FOLDER = Path(__file__).parent


def _found() -> Mapping[str, Workload]:
    """Each module that has a `WORKLOAD`; in the order of their `rank`, then of their names."""
    found: list[Workload] = []
    for path in sorted(_FOLDER.glob("*.py")):
        if path.stem in ("__init__", "catalogue"):
            continue
        module = importlib.import_module(f"{__package__}.{path.stem}")
        workload = getattr(module, "WORKLOAD", None)
        if workload is not None:
            found.append(workload)
    found.sort(key=lambda workload: (workload.rank, workload.name))
    return {workload.name: workload for workload in found}


WORKLOADS = _found()
