"""Workloads find out what a contender does wrong, before they take any time of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measuring.contenders import Contenders
from benchmarks.measuring.contest import Size
from benchmarks.workloads.catalogue import WORKLOADS
from tests.support.benchmark_workers import worker

HEAD = """
from benchmarks.contenders import by_hand
NAME = "mine"
PROMISES = ("lineage", "limit")
"""
ONCE_MORE = """
async def fan_out(items, groups, limit):
    items = [*items]
    await by_hand.fan_out(items, groups, limit)
    return await by_hand.fan_out(items, groups, limit)
"""
ONE_LESS = """
async def fan_out(items, groups, limit):
    return (await by_hand.fan_out(items, groups, limit))[1:]
"""
ONE_ATTEMPT_MORE = """
async def retrying(items, function, limit, attempts):
    return await by_hand.retrying(items, function, limit, attempts + 1)
"""
ONE_CALL_MORE = """
async def retrying(items, function, limit, attempts):
    return await by_hand.retrying(items, function, limit + 1, attempts)
"""
TOO_FAST = """
async def paced(items, functions, limit, per_second, attempts):
    return await by_hand.paced(items, functions, limit, 1.5 * per_second, attempts)
"""
NO_FAILURES = """
async def paced(items, functions, limit, per_second, attempts):
    outputs, _ = await by_hand.paced(items, functions, limit, per_second, attempts)
    return outputs, []
"""
SMALL_BATCHES = """
def etl(lines, clean, size, write):
    return by_hand.etl(lines, clean, size - 1, write)
"""
A_LINE_LOST = """
def etl(lines, clean, size, write):
    return by_hand.etl(lines[1:], clean, size, write)
"""
NONE_REJECTED = """
def etl(lines, clean, size, write):
    by_hand.etl(lines, clean, size, write)
    return []
"""
ONE_SOURCE_LESS = """
async def merge(sources):
    async for item in by_hand.merge(sources[1:]):
        yield item
"""
CHILDREN_LOST = """
def expand(items, function, per_item):
    return by_hand.expand(items, function, per_item - 1)
"""

WRONG, BROKEN = "wrong outputs", "broke its promise"


@pytest.mark.parametrize(
    ("workload", "code", "error", "message"),
    [
        ("fanout", ONCE_MORE, WRONG, "calls were made, not"),
        ("fanout", ONE_LESS, WRONG, "outputs came, not"),
        ("retrying", ONE_ATTEMPT_MORE, WRONG, "0 items are said to have failed, and 1 have"),
        ("retrying", ONE_CALL_MORE, BROKEN, "limit 10, 11 in flight"),
        ("crawl", ONE_CALL_MORE, BROKEN, "limit 10, 11 requests at once"),
        ("judge", TOO_FAST, BROKEN, "budget"),
        ("judge", NO_FAILURES, WRONG, "0 failures are kept, not 1"),
        ("etl", SMALL_BATCHES, WRONG, "batches of 999 to 999 rows came"),
        ("etl", A_LINE_LOST, WRONG, "the table comes to"),
        ("etl", NONE_REJECTED, WRONG, "0 outputs came, not 17"),
        ("merge", ONE_SOURCE_LESS, WRONG, "700 outputs came, not 800"),
        ("expand", CHILDREN_LOST, WRONG, "{'x': 0, 'total': 171} came"),
    ],
)
def test_what_is_wrong_is_told(
    workload: str, code: str, error: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + code, encoding="utf-8")
    contest = next(iter(WORKLOADS[workload].contests(Size.SMOKE, Contenders([path]))))
    with worker(workload, "mine", path) as child:
        answer = child.ask("verify", contest=contest.name, row="mine")
    assert answer.get("error") == error, answer
    assert message in answer["message"]
