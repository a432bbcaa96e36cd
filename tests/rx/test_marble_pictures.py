"""The marbles that the docs draw are what the operators between them do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import from_observable, rx_pipe, step
from fluxus_rx.testing import assert_marbles, marbles

DOCS = Path(__file__).parents[2] / "docs"
PICTURE = re.compile(r"^\.\. marble-picture::\n((?:   \S.*\n|      .*\n| *\n)+)", re.MULTILINE)


async def fetch(**attributes: Any) -> dict[str, Any]:
    """Answers the letter in capitals, or the square of the number, after two seconds."""
    await asyncio.sleep(2)
    [(_, value)] = attributes.items()
    return {"fetched": value**2 if isinstance(value, int) else value.upper()}


def joined(items: Iterable[Any]) -> str:
    """Several items as one of a diagram."""
    return "".join(map(str, items))


async def slow(**attributes: Any) -> dict[str, Any]:
    """Answers what it was asked, after five seconds."""
    await asyncio.sleep(5)
    return {"fetched": attributes["item"]}


def stepped(function: Callable[..., Any], **options: Any) -> Any:
    """The step on items of any kind, and what it adds to each."""
    return (
        rx_pipe(ops.map(lambda item: {"item": item}), name="item")
        >> step("fetch", function).options(**options)
        >> rx_pipe(ops.map(lambda product: product["fetched"]))
    )


#: What an operator line stands for, on its source, and with the others that the picture draws.
LINES: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "debounce(2)": lambda source, _: source >> rx_pipe(ops.debounce(2)),
    "debounce(3)": lambda source, _: source >> rx_pipe(ops.debounce(3)),
    "filter(large)": lambda source, _: source >> rx_pipe(ops.filter(lambda item: item > 1)),
    "buffer_with_time_or_count(4, 2), filter(bool)": lambda source, _: (
        source >> rx_pipe(ops.buffer_with_time_or_count(4, 2), ops.filter(bool), ops.map(joined))
    ),
    "with_latest_from(rates)": lambda source, others: (
        source >> rx_pipe(ops.with_latest_from(others["rates"]), ops.map(joined))
    ),
    "merge(more)": lambda source, others: source >> rx_pipe(ops.merge(others["more"])),
    "retry(2), catch(c)": lambda source, _: (
        source >> rx_pipe(ops.retry(2), ops.catch(reactivex.of("c")))
    ),
    "take(2)": lambda source, _: source >> rx_pipe(ops.take(2)),
    "step('fetch', fetch)": lambda source, _: source >> stepped(fetch),
    "overflow='latest', then step('slow', slow)": lambda source, _: (
        from_observable(source, "item", overflow="latest")
        >> step("slow", slow).options(concurrency=1)
        >> rx_pipe(ops.map(lambda product: product["fetched"]))
    ),
}


def pictures() -> list[Any]:
    """Each picture of the docs as its lines."""
    found = []
    for path in sorted(DOCS.rglob("*.rst")):
        for number, match in enumerate(PICTURE.finditer(path.read_text(encoding="utf-8"))):
            lines = [line.strip() for line in match[1].splitlines()]
            body = lines[lines.index("") :] if lines[0].startswith(":") else lines
            name = f"{path.relative_to(DOCS).with_suffix('')}, {number}"
            found.append(pytest.param([line for line in body if line], id=name))
    return found


@pytest.mark.parametrize("lines", pictures())
def test_a_picture_of_marbles_shows_what_happens(lines: list[str]) -> None:
    """Each operator line stands between its source, drawn above, and what comes out, below."""
    drawn: dict[str, str] = {}
    last = ""
    pending = None
    compared = 0
    for line in lines:
        name, colon, diagram = line.partition(": ")
        if not colon:
            others = {name: marbles(drawn[name]) for name in drawn if name != last}
            pending = LINES[line](marbles(drawn[last]), others)
            continue
        last, drawn[name] = name, diagram.strip()
        if pending is not None:
            assert_marbles(pending, drawn[name])
            pending = None
            compared += 1
    assert pending is None
    assert compared
