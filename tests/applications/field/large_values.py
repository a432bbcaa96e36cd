"""Calls fail that were given documents of many megabytes; the event loop keeps its beat.

A note that shows what a call was given is cut before the value's `repr`, never after: the `repr` of
20 MB takes longer than all else that this program does.
"""

from __future__ import annotations

import asyncio

from fluxus_rx import arun, step


class Document(bytes):
    """Counts how often somebody asks for its `repr`, which is as long as itself."""

    asked = 0

    def __repr__(self) -> str:
        Document.asked += 1
        return super().__repr__()


def parse(content: Document) -> dict[str, str]:
    raise ValueError("this is no PDF")


async def main() -> None:
    document = Document(b"\xff" * 20_000_000)
    documents = step("documents", [{"content": document} for _ in range(5)])
    flow = documents >> step("parse", parse).options(on_error="collect")
    result = await arun(flow)
    assert len(result.failures) == 5
    for failure in result.failures:
        assert len(" ".join(failure.exception.__notes__)) < 1_000
    assert Document.asked == 0, f"the repr of a large value was taken {Document.asked} times"


if __name__ == "__main__":
    asyncio.run(main())
