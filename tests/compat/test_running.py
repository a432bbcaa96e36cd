"""How flows of fluxus run: within bounds, cleaned up, and with the calls of inner steps counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from typing import Any

import pytest

from fluxus_rx.compat import AsyncTransformer, Consumer, Producer, Transformer, _running
from fluxus_rx.compat.functional import parallel, passthrough, run, step
from fluxus_rx.compat.functional.product import DictProduct


class Numbers(Producer[int]):
    """Whole numbers without end, and whether somebody has closed them."""

    def __init__(self) -> None:
        self.given = 0
        self.is_closed = False

    def produce(self) -> Iterator[int]:
        try:
            for self.given in count(1):
                yield self.given
        finally:
            self.is_closed = True


class Double(AsyncTransformer[int, int]):
    async def atransform(self, source_product: int) -> AsyncIterator[int]:
        await asyncio.sleep(0)
        yield 2 * source_product


class First(Consumer[Any, list[Any]]):
    """The first three products."""

    def consume(self, products: Any) -> list[Any]:
        return [product for _, product in islice(products, 3)]


def test_a_source_without_end_is_read_as_far_as_there_is_room() -> None:
    """And closed when its reader leaves, or its consumer has enough."""
    numbers = Numbers()
    products = iter(numbers >> Double())
    assert [*islice(products, 3)] == [2, 4, 6]
    products.close()
    assert numbers.is_closed
    assert numbers.given < 400
    consumed = Numbers()
    assert (consumed >> Double() >> First()).run() == [2, 4, 6]
    assert consumed.is_closed


def test_a_run_that_is_looked_at_keeps_no_record_of_its_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Products have their times, and the memory of the run doesn't grow with their number."""
    meter = _running._ProductTimes()
    monkeypatch.setattr(_running, "_ProductTimes", lambda: meter)

    async def later(x: int) -> Any:
        await asyncio.sleep(0)
        yield {"y": x}

    flow = step("src", [{"x": x} for x in range(300)]) >> step("later", later)
    began = time.perf_counter()
    assert all(began < product.start_time <= product.end_time for product in flow)
    assert not meter.records
    assert not meter.gauges.columns()


class Asks(AsyncTransformer[DictProduct, DictProduct]):
    """Calls a step of its own for each product."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def atransform(self, source_product: DictProduct) -> AsyncIterator[DictProduct]:
        async for product in self.inner.atransform(source_product):
            yield product


def test_calls_of_an_inner_step_count_for_its_limit() -> None:
    """Two at once means two, however many products ask for it; their lineage is kept."""
    in_flight: set[int] = set()
    most: list[int] = []

    async def work(x: int) -> dict[str, int]:
        in_flight.add(x)
        most.append(len(in_flight))
        await asyncio.sleep(0)
        in_flight.remove(x)
        return {"y": 2 * x}

    inner = step("work", work).options(concurrency=2)
    rows = [{"x": x} for x in range(15)]
    result = run(step("src", rows) >> Asks(inner))
    assert max(most) == 2
    expected = [{"src": {"x": x}, "work": {"y": 2 * x}} for x in range(15)]
    assert [*result.get_outputs()] == expected


class Times(Transformer[DictProduct, DictProduct]):
    """Makes a product with the times that it finds."""

    def transform(self, source_product: DictProduct) -> Iterator[DictProduct]:
        yield DictProduct(
            "times",
            {"waited": time.perf_counter() - source_product.end_time},
            precursor=source_product,
            start_time=source_product.end_time,
            end_time=time.perf_counter(),
        )


@pytest.mark.parametrize("timestamps", [True, False])
def test_times_are_of_one_clock_and_shown_where_they_are_asked_for(timestamps: bool) -> None:
    """Those of products that a class has made, too, on each path."""
    flow = step("src", [{"x": 1}, {"x": 2}]) >> parallel(Times(), passthrough())
    result = run(flow >> step("end", lambda x: {"z": x}), timestamps=timestamps)
    for output in result.get_outputs():
        assert all(("[start]" in added) is timestamps for added in output.values())
        if "times" in output:
            assert output["times"]["waited"] >= 0
        if timestamps and "times" in output:
            ends = [output[name]["[end]"] for name in ("src", "times", "end")]
            assert 0 <= ends[0] == output["times"]["[start]"]
            assert ends == sorted(ends)
