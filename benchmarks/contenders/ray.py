"""ray: a pool of actors, which are processes of their own; lists of lines go to them and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import ray
from ray.util import ActorPool

NAME = "ray actors"
PACKAGE = "ray"
LICENCE = "Apache-2.0"
GROUP = "bench-ray"
ON_REQUEST = True
PROMISES = ()
NOTE = "CPU of its processes isn't counted"
CANT = {
    "sync_chain": "is for processes",
    "async_chain": "calls are in processes, uncounted",
    "fan_out": "calls are in processes, uncounted",
    "stream": "calls are in processes, uncounted",
    "merge": "is for processes",
    "expand": "is for processes",
    "batches": "is for processes",
    "retrying": "calls are in processes, uncounted",
    "paced": "keeps no pace",
}


class _Cleaner:
    """An actor that cleans lines."""

    def __init__(self, clean: Any) -> None:
        self._clean = clean

    def clean(self, lines: list[str]) -> tuple[list[Any], list[str]]:
        """Good rows, and lines that are rejected."""
        rows, rejected = [], []
        for line in lines:
            try:
                rows.append(self._clean(line))
            except ValueError:
                rejected.append(line)
        return rows, rejected


def etl(lines: Any, clean: Any, size: int, write: Any) -> Any:
    """An actor for each core cleans lists of lines, and this process writes."""
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
        ray.init(include_dashboard=False, log_to_driver=False)
    cleaner = ray.remote(_Cleaner)
    actors = [cleaner.remote(clean) for _ in range(os.cpu_count() or 1)]
    source = iter(lines)
    lists = iter(lambda: [*islice(source, size)], [])
    rejected: list[Any] = []

    def cleaned() -> Iterator[Any]:
        pool = ActorPool(actors)
        for rows, bad in pool.map(lambda actor, some: actor.clean.remote(some), lists):
            rejected.extend(bad)
            yield from rows

    good = cleaned()
    while batch := [*islice(good, size)]:
        write(batch)
    for actor in actors:
        ray.kill(actor)
    return rejected
