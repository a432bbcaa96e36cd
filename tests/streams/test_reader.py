"""Reading what others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fluxus_rx._streams.iteration import Reader
from fluxus_rx.streams import buffer, merge


async def numbers() -> AsyncIterator[int]:
    for number in range(3):
        yield number


@pytest.mark.parametrize("operator", [merge, lambda source: buffer(source, 2)])
async def test_a_cancellation_goes_past_a_stream_that_is_no_generator(operator: Any) -> None:
    """A stream of aiostream has `athrow` always, and fails there if it reads one of ours."""
    async with operator(numbers()).stream() as streamer:
        reader: Reader[int] = Reader(streamer)
        assert await reader.next() == 0

        with pytest.raises(asyncio.CancelledError):
            reader.throw(asyncio.CancelledError())

        assert await reader.next() == 1
