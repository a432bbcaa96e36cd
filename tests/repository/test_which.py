"""The lines of code on the page "Which do I need?" can be written so."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator
from typing import Any

import aiostream
import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops

import fluxus_rx
from fluxus_rx import Transformer, step
from tests.repository.test_readme import CHECKOUT

PAGE = (CHECKOUT / "docs" / "which.rst").read_text(encoding="utf-8")

#: the need, the line of code, and the page that has more
ROWS = re.findall(
    r"^   \* - (.+)\n     - ``(.+)``\n     - :(?:doc|ref):`(.+)`$", PAGE, re.MULTILINE
)


class Half(Transformer[int, float]):
    def transform(self, product: int) -> Iterator[float]:
        yield product / 2


class PerSecond:
    def __init__(self, calls: float) -> None:
        self.calls = calls

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *exc_info: object) -> None: ...


def f(n: int, client: object = None) -> dict[str, int]:
    return {"n": n + 1}


async def named(n: int) -> dict[str, int]:
    return {"n": n}


def names() -> dict[str, Any]:
    numbers = step("numbers", [{"n": n, "kind": "bug", "text": "a b"} for n in range(3)])
    public = {name: getattr(fluxus_rx, name) for name in fluxus_rx.__all__}
    return public | {
        "Client": object,
        "Half": Half,
        "PerSecond": PerSecond,
        "a": step("a", f),
        "aiostream": aiostream,
        "asyncio": asyncio,
        "b": step("b", named),
        "f": f,
        "flow": numbers >> step("f", f),
        "numbers": numbers,
        "ops": ops,
        "pipe": pipe,
        "reactivex": reactivex,
    }


def test_each_row_of_the_tables_has_a_line_of_code_and_a_page() -> None:
    """And none is left out."""
    assert len(ROWS) == PAGE.count("\n   * - ") - PAGE.count("\n   * - Need\n")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_line_of_code_is_valid(row: tuple[str, str, str]) -> None:
    """It makes a flow, which runs behind numbers; or it begins, reads or checks a run."""

    async def main() -> None:
        made = eval(row[1], names())
        if isinstance(made, fluxus_rx.Step | fluxus_rx.Transformer):
            made = names()["numbers"] >> made
            if "process" not in row[1]:
                await fluxus_rx.arun(made)
        elif isinstance(made, fluxus_rx.Run):
            await made.result()
        elif inspect.iscoroutine(made):
            await made
        elif inspect.isgenerator(made):
            made.close()

    asyncio.run(main())
