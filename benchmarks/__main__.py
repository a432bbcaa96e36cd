"""`python -m benchmarks [NAME ...] [--rounds N] [--smoke] [--list]`: a table of ratios."""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import import_module

from .harness import REGISTRY, Benchmark, Outcome, Scale, hold, label, peer, table

#: The modules that register a benchmark, in the order of the questions.
MODULES = (
    "bench_sync",
    "bench_async",
    "bench_fanout",
    "bench_latency",
    "bench_growth",
    "bench_memory",
    "bench_import",
    "bench_streams",
    "bench_bridge",
    "bench_boundary",
    "bench_hot",
    "bench_publishers",
    "bench_tables",
    "bench_watching",
    "bench_skew",
    "bench_options",
    "bench_soak",
)
PACKAGES = ("fluxus_rx", "fluxus", "streamable", "aiostream", "reactivex")

#: Imported first, and then out of the collector's sight.
OTHERS = ("fluxus.functional.conduit", "streamable")
ROUNDS = 5


def load() -> dict[str, Benchmark]:
    """Import every benchmark module and return what they registered."""
    for module in MODULES:
        import_module(f"{__package__}.{module}")
    return REGISTRY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all; 1 if any outputs were wrong, else 0.

    A goal that isn't met is printed, and is no failure: it depends on the machine and on what
    else runs on it.
    """
    registry = load()
    options = _options(arguments, registry)
    if options.list:
        for each in registry.values():
            print(f"{each.name:<10} {each.question}")
        return 0
    _set_others_aside()
    rounds = options.rounds or (1 if options.smoke else ROUNDS)
    print(_circumstances(rounds))
    begin = time.perf_counter()
    outcomes: list[Outcome] = []
    for name in options.names or registry:
        outcomes += _run(registry[name], Scale(options.smoke), rounds)
    print(f"\n{_summary(outcomes, options.smoke)}\n{time.perf_counter() - begin:.0f} s")
    return 1 if any(outcome.errors for outcome in outcomes) else 0


def _options(arguments: Sequence[str] | None, registry: dict[str, Benchmark]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(registry)}"
    )
    parser.add_argument("--rounds", type=int, help=f"rounds of each contest (default {ROUNDS})")
    parser.add_argument(
        "--smoke", action="store_true", help="short: one round, small sizes, outputs checked"
    )
    parser.add_argument("--list", action="store_true", help="list the questions")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in registry]:
        parser.error(
            f"no benchmark is called {', '.join(unknown)}; there are {', '.join(registry)}"
        )
    return options


def _set_others_aside() -> None:
    """Import the peers that a program with fluxus_rx wouldn't, and freeze what they made.

    fluxus comes with pandas: tens of thousands of objects that every full collection would visit,
    whoever caused it. That alone made 5 sync steps cost 4.4 µs instead of 2.8.
    """
    for package in OTHERS:
        peer(package)
    gc.collect()
    gc.freeze()


def _circumstances(rounds: int) -> str:
    packages = ", ".join(
        label(package) if peer(package) else f"{package} (missing)" for package in PACKAGES
    )
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{python}, {os.cpu_count()} cores, medians of {rounds} interleaved rounds\n{packages}\n"
        "Read the ratios: costs depend on the machine."
    )


def _run(benchmark: Benchmark, scale: Scale, rounds: int) -> list[Outcome]:
    print(f"\n{benchmark.name}: {benchmark.question}\n  goal: {benchmark.goal}")
    outcomes = []
    for contest in benchmark.contests(scale):
        outcome = hold(contest, rounds)
        print(f"\n{table(outcome, judge=not scale.smoke)}", flush=True)
        outcomes.append(outcome)
    return outcomes


def _summary(outcomes: Sequence[Outcome], smoke: bool) -> str:
    if any(outcome.errors for outcome in outcomes):
        failed = [
            f"  {outcome.contest.title}: {name}: {type(error).__name__}: {error!s:.300}"
            for outcome in outcomes
            for name, error in outcome.errors.items()
        ]
        return "\n".join(["FAILED:", *failed])
    missing = sorted({package for outcome in outcomes for package in outcome.missing.values()})
    checked = "All outputs were right." + (
        f" Not compared, not installed: {', '.join(missing)}." if missing else ""
    )
    if smoke:
        return f"{checked} Sizes were too small for the ratios to mean anything."
    verdicts = [outcome.met(goal) for outcome in outcomes for goal in outcome.contest.goals]
    return f"{checked} Goals met: {verdicts.count(True)} of {len(verdicts)}."


if __name__ == "__main__":
    sys.exit(main())
