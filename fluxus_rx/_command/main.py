"""The command `python -m fluxus_rx`: its arguments, what it prints, and how it exits.

Rules of this file:

1. The exit code is 0 where all is well, 1 where the flow has an error, 2 where the command is used
   wrongly; an interrupt is 130, a reader of stdout that leaves 141, as in a shell.
2. Results go to stdout; progress and errors go to stderr, each error on one line."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, Final

from .._check.check import check
from .._common.messages import notes_of
from .._errors import FlowError, MissingAttributeError, encodable
from .._monitoring.stats import Explanation
from .._run.handle import Run, start
from ..viz._draw import FORMATS, draw
from ..viz._timeline.draw import TIMELINE_PICTURES, timeline_target
from ..viz._timeline.matplot import require_matplotlib
from .target import UnusableArgumentError, flow_named, mappings_of_lines

__all__ = ["main"]

_FINE: Final = 0
_HAS_ERRORS: Final = 1
_WRONG_USAGE: Final = 2
_INTERRUPTED: Final = 130
_READER_LEFT: Final = 141

_EXAMPLES: Final = """\
examples:
  python -m fluxus_rx check my_package.flows:flow
  python -m fluxus_rx draw my_package.flows:flow --file flow.svg
  python -m fluxus_rx explain my_package.flows:flow --input items.jsonl --timeline run.json

MODULE:FLOW is a flow in a module, or a function without arguments that returns one. Modules are
looked for in the working directory first.
exit codes: 0 all is well, 1 the flow has an error, 2 wrong usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say, or those of the process, and return the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        code = int(chosen.act(chosen))
        if sys.stdout is not None:
            sys.stdout.flush()  # what can't be written is told here, not when Python ends
        return code
    except BrokenPipeError:
        _drop_output()
        return _READER_LEFT
    except (UnusableArgumentError, FlowError, ImportError, OSError) as error:
        # What the library refuses before a run begins, and files that can't be written.
        if isinstance(error, OSError):
            _drop_output()
        return _exit_with(f"{parser.prog} {chosen.command}: error", error, chosen, _WRONG_USAGE)
    except SystemExit as error:
        return _exit_with("the run failed: a step called sys.exit", error, chosen, _HAS_ERRORS)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _drop_output() -> None:
    """Drop what stdout still holds, if nobody takes it, as Python would complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fluxus_rx",
        description="Check, draw and explain flows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{check,draw,explain}")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}.",
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(act=_ACTS[name])
        added.add_argument("flow", metavar="MODULE:FLOW", help="the flow, such as flows:flow")
        added.add_argument("--traceback", action="store_true", help="print tracebacks of errors")
        return added

    checking = command("check", "tell what is wrong with a flow, without running it")
    checking.add_argument("--strict", action="store_true", help="count warnings as errors")
    checking.add_argument("--quiet", action="store_true", help="leave out findings of level info")
    drawing = command("draw", "draw a flow in the terminal, or into a file")
    drawing.add_argument("--style", choices=[*FORMATS], help="by default, what fits the file")
    drawing.add_argument("--file", help="a path, such as flow.svg, flow.mmd or flow.txt")
    drawing.add_argument("--paths", action="store_true", help="number the paths")
    explaining = command("explain", "run a flow, and tell which step holds it up")
    explaining.add_argument("--input", metavar="FILE", help="lines of JSON; - for stdin")
    explaining.add_argument(
        "--timeline",
        metavar="FILE",
        help="draw the timeline of the run: run.json, run.html or run.svg",
    )
    return parser


def _check(chosen: argparse.Namespace) -> int:
    findings = check(flow_named(chosen.flow))
    for one in findings:
        if one.level != "info" or not chosen.quiet:
            _print(str(one))
    worst = ("error", "warning") if chosen.strict else ("error",)
    return _HAS_ERRORS if any(one.level in worst for one in findings) else _FINE


def _draw(chosen: argparse.Namespace) -> int:
    if chosen.file is None and chosen.style in ("graph", "graph_dark"):
        raise UnusableArgumentError(
            f"--style {chosen.style} is a picture; say where it goes, such as --file flow.svg"
        )
    draw(flow_named(chosen.flow), chosen.style, file=chosen.file, paths=chosen.paths)
    return _FINE


def _explain(chosen: argparse.Namespace) -> int:
    flow = flow_named(chosen.flow)
    if chosen.timeline is not None:
        _check_timeline_file(chosen.timeline)
    with _opened_input(chosen.input) as given:
        try:
            running, told, error = asyncio.run(
                _run_to_end(flow, given, chosen.timeline is not None)
            )
        except MissingAttributeError as missing:
            way_out = "" if chosen.input else "; on the command line, --input FILE has them"
            raise UnusableArgumentError(f"{missing}{way_out}") from missing
    if isinstance(error, UnusableArgumentError):
        raise error
    try:
        _print(str(told))
    finally:
        if chosen.timeline is not None:
            running.partial.draw_timeline(file=chosen.timeline)
    if isinstance(error, Exception):
        return _exit_with("the run failed", error, chosen, _HAS_ERRORS)
    return _FINE if error is None else _INTERRUPTED


def _check_timeline_file(path: str) -> None:
    """Before the run, which may take long."""
    if timeline_target(None, path, None).format in TIMELINE_PICTURES:
        require_matplotlib()
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise UnusableArgumentError(f"--timeline {path}: there is no folder {folder!r}; make it")


@contextlib.contextmanager
def _opened_input(path: str | None) -> Iterator[Any]:
    """The input that a file has, line by line as the run takes it."""
    if path is None:
        yield None
    elif path == "-":
        if sys.stdin is None:
            raise UnusableArgumentError("--input -: stdin is closed; pipe the lines in")
        yield mappings_of_lines(sys.stdin.buffer, "stdin")
    else:
        with open(path, "rb") as file:
            yield mappings_of_lines(file, path)


async def _run_to_end(
    flow: Any, given: Any, keeps: bool
) -> tuple[Run, Explanation, BaseException | None]:
    """A run that is over, what held it up, and what ended it: an error, or Ctrl-C."""
    ended_by: BaseException | None = None
    async with start(flow, input=given, progress=sys.stderr.isatty(), timestamps=keeps) as running:
        try:
            if keeps:
                await running.result()
            else:
                async for _ in running:  # nobody needs the outputs
                    pass
        except (Exception, asyncio.CancelledError) as error:
            ended_by = error
        # Here, while the calls that an interrupt will cancel are in flight still.
        explanation = running.explain()
    return running, explanation, ended_by


def _print(text: str) -> None:
    print(encodable(text, sys.stdout))


def _exit_with(head: str, error: BaseException, chosen: argparse.Namespace, code: int) -> int:
    """Tell of an error on one line, or with its traceback, and return the exit code."""
    if chosen.traceback:
        traceback.print_exception(error)
    kind = (
        "" if isinstance(error, UnusableArgumentError | FlowError) else f"{type(error).__name__}: "
    )
    notes = [one for one in notes_of(error) if isinstance(one, str)]
    text = " ".join(" ".join([f"{head}: {kind}{error}", *(f"({one})" for one in notes)]).split())
    print(encodable(text, sys.stderr), file=sys.stderr)
    return code


_ACTS: Final = {"check": _check, "draw": _draw, "explain": _explain}
