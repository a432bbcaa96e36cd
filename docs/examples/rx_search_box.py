"""A search box: wait for a pause in the typing, search, and forget the search before.

    python docs/examples/rx_search_box.py

Each key stroke emits the text so far. `debounce` waits for a pause; `switch_map` runs the flow for
the text that it lets through, and disposes of the run before, which cancels its search.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import reactivex
from reactivex import operators as ops

from fluxus_rx import Transformer, run, rx_pipe, step

BOOKS = ["A Room of One's Own", "Emma", "Middlemarch", "Moby-Dick", "The Waves", "Mrs Dalloway"]


async def search(text: str) -> dict[str, Any]:
    """Ask the catalogue, which takes its time."""
    await asyncio.sleep(0.3)
    return {"found": [title for title in BOOKS if text.lower() in title.lower()]}


def searching(find: Transformer[Any, Any], pause: float = 0.1) -> Transformer[Any, Any]:
    """From what is typed to what is found."""
    return rx_pipe(
        ops.debounce(pause),
        ops.distinct_until_changed(lambda typed: typed["text"]),
        ops.switch_map(lambda typed: reactivex.of(typed) >> find),
    )


#: what is typed into the box, and how long it takes until the next key
TYPED = [("m", 0.02), ("mi", 0.02), ("mid", 0.6), ("mo", 0.2), ("mob", 0.2)]


async def typing() -> AsyncIterator[dict[str, str]]:
    """The text in the box after each key stroke."""
    for text, pause in TYPED:
        yield {"text": text}
        await asyncio.sleep(pause)


def main() -> None:
    flow = step("typed", typing) >> searching(step("search", search))
    for output in run(flow)[0]:
        print(output["typed"]["text"], "->", ", ".join(output["search"]["found"]))


if __name__ == "__main__":
    main()
