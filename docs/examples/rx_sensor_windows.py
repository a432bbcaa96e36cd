"""Readings of sensors, gathered into windows of time, and averaged by sensor.

    python docs/examples/rx_sensor_windows.py

A window ends after a tenth of a second, or as soon as it has eight readings. It is a product made
of many, with a name of its own, and its `precursors` are the readings in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import fmean
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from fluxus_rx import DictProduct, run, rx_pipe, step


def readings(every: float = 0.02, times: int = 6) -> Observable[dict[str, Any]]:
    """Two sensors: one is read so many times, the other one three times as often."""

    def cellar(n: int) -> dict[str, Any]:
        return {"sensor": "cellar", "degrees": 10 + n % 3}

    def attic(n: int) -> dict[str, Any]:
        return {"sensor": "attic", "degrees": 30 + n % 2}

    return reactivex.merge(
        reactivex.interval(every).pipe(ops.take(3 * times), ops.map(cellar)),
        reactivex.interval(3 * every).pipe(ops.take(times), ops.map(attic)),
    )


def windows(seconds: float = 0.1, count: int = 8) -> Any:
    """Gathers readings; a window in which there were none is left out."""
    return rx_pipe(
        ops.buffer_with_time_or_count(seconds, count),
        ops.filter(bool),
        name="window",
    )


def averages(window: list[DictProduct]) -> Iterator[dict[str, Any]]:
    """The mean of each sensor in a window."""
    by_sensor = defaultdict(list)
    for reading in window:
        by_sensor[reading["sensor"]].append(reading["degrees"])
    for sensor, degrees in sorted(by_sensor.items()):
        yield {"sensor": sensor, "mean": fmean(degrees), "readings": len(degrees)}


def main() -> None:
    flow = step("reading", readings()) >> windows() >> step("average", averages)
    averaged = [output["average"] for output in run(flow)[0]]
    for sensor in ("attic", "cellar"):
        of_sensor = [one for one in averaged if one["sensor"] == sensor]
        count = sum(one["readings"] for one in of_sensor)
        mean = sum(one["mean"] * one["readings"] for one in of_sensor) / count
        print(f"{sensor}: {count} readings, {mean:.1f} degrees on average")


if __name__ == "__main__":
    main()
