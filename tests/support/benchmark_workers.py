"""Processes of contenders, for tests of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring.children import Child, Nursery
from benchmarks.measuring.contest import Size

__all__ = ["worker"]


@contextmanager
def worker(workload: str, contender: str, *files: Path) -> Iterator[Child]:
    """The process of a contender for a workload of the smallest size, ready to be asked."""
    nursery = Nursery(contender, Size.SMOKE, files)
    try:
        child = nursery.child(workload)
        assert "error" not in child.ready()
        yield child
        child.close()
    finally:
        nursery.close()
