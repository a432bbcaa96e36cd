"""What may be typed, and what is refused."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..measuring.children import LOOPS
from ..measuring.contenders import Contenders
from ..measuring.contest import Size, Workload
from ..measuring.session import ROUNDS
from ..workloads.catalogue import WORKLOADS

__all__ = ["COMMANDS", "parsed"]

#: Fewer rounds have no interval.
_FEWEST = 3
_SHORTEST = 10.0

_USAGE = """\
python -m benchmarks [NAME ...] [--quick | --smoke] [--rounds N | --budget SECONDS] ...
       python -m benchmarks list | contenders
       python -m benchmarks compare FILE.json ... [--plot FILE] [--fail-on-slower]
       python -m benchmarks show RUN.json [--plot FILE] [--table FILE.rst] [--prices FILE.rst]
       python -m benchmarks env DIR"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help tells more\n")


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """What was typed, with the `command` that it is; ends the process with 2 where it is wrong."""
    if arguments and arguments[0] in COMMANDS:
        given = COMMANDS[arguments[0]]().parse_args(arguments[1:])
        given.command = arguments[0]
        return given
    parser = _run()
    given = parser.parse_intermixed_args(arguments)
    given.command = "run"
    _check(parser, given)
    return given


def _run() -> _Parser:
    parser = _Parser(
        prog="python -m benchmarks",
        usage=_USAGE,
        description="Measures fluxus_rx beside code by hand and other libraries, each in a process"
        " of its own, and tells ratios. Exit status: 0; 1 wrong outputs or a crash; 2 wrong usage;"
        " 3 slower than before, with --fail-on-slower. Goals never change it.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="workloads, or contests of them; all by default"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="a minute: wider intervals")
    sizes.add_argument("--smoke", action="store_true", help="are all outputs right? No numbers")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--rounds", metavar="N", help=f"rounds of each contest ({ROUNDS[Size.FULL]} by default)"
    )
    effort.add_argument(
        "--budget",
        metavar="SECONDS",
        help="add rounds, where intervals are widest, until all are within 5 %% or time is over",
    )
    parser.add_argument("--only", type=_names, metavar="A,B", help="only these contenders")
    parser.add_argument("--without", type=_names, metavar="A,B", help="all but these contenders")
    parser.add_argument(
        "--with",
        dest="files",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.py",
        help="a contender of yours",
    )
    parser.add_argument("--env", type=Path, metavar="DIR", help="environments made by env DIR")
    parser.add_argument("--loop", choices=LOOPS, default=LOOPS[0], help="the event loop of all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values to a file")
    _add_outputs(parser)
    _add_prices(parser)
    parser.add_argument("--against", type=Path, metavar="OLD.json", help="compare with a run")
    parser.add_argument("--fail-on-slower", action="store_true", help="exit status 3 if slower")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw to an .svg or .png")
    parser.add_argument("--table", type=Path, metavar="FILE.rst", help="write as a page")


def _add_prices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prices", type=Path, metavar="FILE.rst", help="write what it costs as a page"
    )


def _check(parser: _Parser, given: argparse.Namespace) -> None:
    """Refuse what means nothing; put numbers in the place of their texts."""
    given.size = Size.QUICK if given.quick else Size.SMOKE if given.smoke else Size.FULL
    for path in [*given.files, *([given.against] if given.against else [])]:
        if not path.is_file():
            parser.error(f"there is no file {path}")
    for path in [given.json, given.plot, given.table, given.prices]:
        if path is not None and not path.parent.is_dir():
            parser.error(f"there is no folder {path.parent} to write {path.name} to; make it first")
    given.workloads, given.contests = _chosen(parser, given)
    if given.smoke and (given.rounds or given.budget):
        parser.error("--smoke measures nothing, so it takes no --rounds and no --budget")
    if given.smoke and (given.plot or given.table or given.prices):
        parser.error(
            "--smoke measures nothing that --plot, --table or --prices could show; take --quick"
        )
    if given.fail_on_slower and given.against is None:
        parser.error("--fail-on-slower needs the run to compare with: --against OLD.json")
    rounds = given.rounds
    given.rounds = ROUNDS[given.size]
    if rounds is not None:
        if not rounds.isdecimal() or int(rounds) < _FEWEST:
            parser.error(
                f"--rounds takes a whole number from {_FEWEST} on, and not {rounds!r}: fewer have"
                " no interval. For a short run take --quick"
            )
        given.rounds = int(rounds)
    if given.budget is not None:
        given.budget = _seconds(parser, given.budget)


def _chosen(
    parser: _Parser, given: argparse.Namespace
) -> tuple[list[Workload], frozenset[str] | None]:
    """The workloads that were named, or have contests that were; which contests, if not all."""
    names = set(given.names or WORKLOADS)
    if names <= WORKLOADS.keys():
        return [workload for name, workload in WORKLOADS.items() if name in names], None
    chosen: dict[Workload, list[str]] = {}
    contenders = Contenders(given.files)
    for workload in WORKLOADS.values():
        contests = [each.name for each in workload.contests(given.size, contenders)]
        if named := contests if workload.name in names else [*names.intersection(contests)]:
            chosen[workload] = named
    found = {name for contests in chosen.values() for name in contests}
    if unknown := names - found - WORKLOADS.keys():
        parser.error(
            f"nothing is called {', '.join(sorted(unknown))}; workloads are"
            f" {', '.join(WORKLOADS)}, and python -m benchmarks list has their contests"
        )
    return [*chosen], frozenset(found)


def _seconds(parser: _Parser, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not _SHORTEST <= seconds < float("inf"):
        parser.error(f"--budget takes seconds, {_SHORTEST:g} at least, and not {text!r}")
    return seconds


def _compare() -> _Parser:
    parser = _Parser(
        prog="python -m benchmarks compare",
        description="What has become slower, or faster, from one file to the next. Of more than two"
        " files it draws a line for each contest.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="FILE.json")
    parser.add_argument("--fail-on-slower", action="store_true", help="exit status 3 if slower")
    _add_outputs(parser)
    return parser


def _show() -> _Parser:
    parser = _Parser(
        prog="python -m benchmarks show", description="What a run came to, from its file."
    )
    parser.add_argument("run", type=Path, metavar="RUN.json")
    _add_outputs(parser)
    _add_prices(parser)
    return parser


def _env() -> _Parser:
    parser = _Parser(
        prog="python -m benchmarks env",
        description="Makes an environment for each group of contenders that can live together;"
        " --env DIR runs them there.",
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--only", type=_names, metavar="A,B", help="for these contenders only")
    return parser


def _list() -> _Parser:
    return _Parser(prog="python -m benchmarks list", description="All workloads.")


def _contenders() -> _Parser:
    parser = _Parser(prog="python -m benchmarks contenders", description="All contenders.")
    parser.add_argument("--env", type=Path, metavar="DIR", help="environments made by env DIR")
    return parser


COMMANDS = {
    "list": _list,
    "contenders": _contenders,
    "compare": _compare,
    "show": _show,
    "env": _env,
}
