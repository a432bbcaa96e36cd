"""Logging: one logger for a module, lazy, and silent unless asked."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fluxus_rx
from fluxus_rx import arun, run, step

PACKAGE = Path(fluxus_rx.__file__).parent
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if "import logging" in path.read_text("utf-8")
)
LEVELS = {"debug", "info", "warning"}


def calls(path: Path) -> Iterator[ast.Call]:
    """The calls of a method of the module's logger."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in {"_log", "logging"}
        ):
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_module_has_a_logger_of_its_own(path: Path) -> None:
    """It is called by the module's name, and there is nothing else to log with."""
    text = path.read_text(encoding="utf-8")
    assert text.count("_log = logging.getLogger(__name__)") == 1
    names = {ast.unparse(call.func) for call in calls(path)}
    allowed = {f"_log.{level}" for level in LEVELS} | {"logging.getLogger", "_log.isEnabledFor"}
    assert names <= allowed
    assert names & {f"_log.{level}" for level in LEVELS}, "a logger that nothing is logged with"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_built_for_a_message_that_nobody_reads(path: Path) -> None:
    """A message is a literal, and its arguments are at hand, unless somebody asked whether to."""
    conditions = [
        (node.lineno, node.end_lineno or 0)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.If)
    ]
    for call in calls(path):
        if ast.unparse(call.func).removeprefix("_log.") not in LEVELS:
            continue
        message, *arguments = call.args
        assert isinstance(message, ast.Constant), f"line {call.lineno}"
        if any(first <= call.lineno <= last for first, last in conditions):
            continue
        for argument in arguments:
            text = ast.unparse(argument)
            cheap = isinstance(
                argument, ast.Name | ast.Constant | ast.Attribute
            ) or text.startswith(("len(", "type("))
            assert cheap, f"line {call.lineno}: {text}"


def test_the_root_logger_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """What the library logs is under its own name, so that it can be told from all else."""
    caplog.set_level(logging.DEBUG)
    run(step("src", [{"x": 1}]) >> step("f", lambda x: {"y": x}))
    names = {record.name.split(".")[0] for record in caplog.records}
    assert "fluxus_rx" in names
    assert "root" not in names


def test_a_run_is_silent_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    """At the level that is usual nothing is logged for a run that goes well."""
    run(step("src", [{"x": 1}]) >> step("f", lambda x: {"y": x}))
    assert [record for record in caplog.records if record.name.startswith("fluxus_rx")] == []


def test_at_debug_a_run_tells_its_story(caplog: pytest.LogCaptureFixture) -> None:
    """When it began, which paths it opened, and how it ended."""

    def fails(x: int) -> dict[str, int]:
        raise ZeroDivisionError

    caplog.set_level(logging.DEBUG, "fluxus_rx")
    with pytest.raises(ZeroDivisionError):
        run(step("src", [{"x": 1}]) >> step("fails", fails))
    story = "\n".join(record.getMessage() for record in caplog.records)
    for words in ("1 path in", "opens path src → fails", "closes", "ends with ZeroDivisionError"):
        assert words in story


def test_a_run_beneath_a_loop_says_that_it_has_a_thread(caplog: pytest.LogCaptureFixture) -> None:
    """In a notebook this explains why the loop stands still."""
    caplog.set_level(logging.DEBUG, "fluxus_rx")

    async def main() -> None:
        run(step("src", [{"x": 1}]))

    asyncio.run(main())
    assert "a thread of its own" in caplog.text


async def test_a_warning_comes_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not for each product, and not for each run of the same flow."""
    flow = step("src", [{"x": 1}, {"x": 2}]) >> step("f", lambda x: {"y": x}, x=3)
    await arun(flow)
    await arun(flow)
    warnings: list[Any] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == 1
