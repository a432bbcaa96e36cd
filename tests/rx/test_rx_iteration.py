"""Loops over flows that are left before their end: all is cleaned up by then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fluxus_rx import (
    astream,
    step,
)
from tests.support.conduits import Add, Fetch, Numbers
from tests.support.probes import alone, turns
from tests.support.rx_closing import (
    FLOWS,
    Careful,
    every_flow,
)


class TestIteration:
    @every_flow
    @pytest.mark.parametrize("how", ["break", "error", "return", "cancel"])
    async def test_async_for_may_be_left(self, flow: str, how: str) -> None:
        """With aclosing: by the end of the block all is cleaned up."""
        careful = Careful()

        async def read() -> int:
            async with contextlib.aclosing(aiter(FLOWS[flow](careful))) as products:
                count = 0
                async for _ in products:
                    count += 1
                    if count == 3:
                        if how == "return":
                            return count
                        if how == "error":
                            raise LookupError
                        if how == "cancel":
                            await asyncio.Event().wait()
                        break
                return count

        task = asyncio.create_task(read())
        if how == "cancel":
            await turns(30)
            task.cancel()
        with contextlib.suppress(LookupError, asyncio.CancelledError):
            assert await task == 3
        assert careful.opened == careful.closed == (2 if flow == "two" else 1)
        assert alone()

    @every_flow
    @pytest.mark.parametrize("how", ["break", "error", "close", "return"])
    def test_for_may_be_left(self, flow: str, how: str) -> None:
        """Where no loop runs: all is cleaned up at once."""
        careful = Careful()

        def given() -> Iterator[Any]:
            for count, product in enumerate(FLOWS[flow](careful)):
                yield product
                if count == 2 and how == "return":
                    return
                if count == 2 and how == "error":
                    raise LookupError

        products = given()
        with contextlib.suppress(LookupError):
            for count, _ in enumerate(products):
                if count == 2 and how == "break":
                    break
                if count == 2 and how == "close":
                    products.close()  # type: ignore[attr-defined]
        del products
        assert careful.opened == careful.closed == (2 if flow == "two" else 1)

    @pytest.mark.parametrize("pace", range(0, 16, 2))
    @pytest.mark.parametrize("how", ["astream", "aiter"])
    async def test_a_busy_reader_does_not_break_into_the_clean_up(
        self, how: str, pace: int
    ) -> None:
        """When a path has failed while the reader is away, sources close in peace."""
        careful, error = Careful(), ValueError("no")

        async def rows() -> AsyncIterator[dict[str, int]]:
            await turns(4)
            yield {"x": 1}

        def fail(x: int) -> dict[str, int]:
            raise error

        flow: Any = careful.source() & (step("late", rows) >> step("fail", fail))

        async def read() -> None:
            products: Any = astream(flow) if how == "astream" else aiter(flow)
            async with contextlib.aclosing(products):
                async for _ in products:
                    await turns(pace)

        with pytest.raises(ValueError, match="no") as caught:
            await read()
        assert caught.value is error
        assert careful.opened == careful.closed
        assert alone()

    def test_a_plain_source_is_closed_too(self) -> None:
        """By `for` and `break`, after so many products."""
        for count in (1, 5, 40):
            numbers = Numbers()
            for number in numbers >> Add(0) >> Fetch(0):
                if number == count:
                    break
            assert (numbers.opened, numbers.closed) == (1, 1)
