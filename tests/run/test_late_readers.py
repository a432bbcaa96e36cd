"""A late reader of a started run gets what was collected first, then what comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops

from fluxus_rx import Producer, chain, run, rx_pipe, start, step, stream
from tests.support.probes import BUFFER, turns

Row = Mapping[str, int]
COUNT: Final = 40


class Source:
    """Emits numbers, and counts those it has emitted."""

    def __init__(self, count: int = COUNT) -> None:
        self.given = 0
        self._count = count

    def rows(self) -> Iterator[Row]:
        for number in range(self._count):
            self.given += 1
            yield {"x": number}

    async def arows(self) -> AsyncIterator[Row]:
        for row in self.rows():
            yield row
            await asyncio.sleep(0)

    @property
    def step(self) -> Producer[Any]:
        return step("src", self.rows)


def _plus(x: int) -> Row:
    return {"y": x + 1}


def _several(x: int) -> Any:
    return [{"y": x}] * (x % 3)


async def _later(x: int) -> Row:
    await asyncio.sleep(0)
    return {"z": x}


def _at_times_later(x: int) -> Row | Awaitable[Row]:
    return _later(x) if x % 10 == 7 else {"z": x}


#: Flows on a source, and whether they give the same order whoever reads.
FLOWS: Final[dict[str, tuple[Callable[[Source], Any], bool]]] = {
    "rows": (lambda source: chain(source.step, step("f", _plus), step("g", _plus)), True),
    "several of some": (
        lambda source: chain(source.step, step("f", _several), step("g", _plus)),
        True,
    ),
    "some awaited": (lambda source: chain(source.step, step("f", _at_times_later)), False),
    "asynchronous": (lambda source: source.step >> step("f", _later).options(concurrency=4), False),
    "an asynchronous source": (lambda source: step("src", source.arows) >> step("f", _plus), True),
    "Rx": (lambda source: source.step >> rx_pipe(ops.map(lambda row: row)), True),
    "branches": (
        lambda source: source.step >> (step("f", _several) & step("g", _plus) & step("h", _plus)),
        True,
    ),
    "mixed branches": (lambda source: source.step >> (step("f", _later) & step("g", _plus)), False),
    "two sources": (lambda source: source.step & (step("s", [{"x": 1}] * 3)), True),
    "in order": (
        lambda source: source.step >> (step("f", _later) & step("g", _plus)).options(ordered=True),
        False,
    ),
}


@pytest.fixture(autouse=True, scope="module")
def _slow_motion() -> Iterator[None]:
    """Synchronous steps yield to the loop for each item."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fluxus_rx._streams.timing.SLICE", -1.0)
        yield


def _keys(outputs: Any) -> Counter[str]:
    return Counter(map(repr, outputs))


@given(
    kind=st.sampled_from([*FLOWS]),
    waited=st.integers(0, 2 * COUNT),
    looks=st.booleans(),
    read=st.integers(1, COUNT // 4),
)
def test_each_output_is_read_or_in_the_result(
    kind: str, waited: int, looks: bool, read: int
) -> None:
    """An output is read once or in the result, wherever the reader begins and leaves; in the order
    of an iteration, where that is always the same."""
    make, has_order = FLOWS[kind]
    expected = run(make(Source()))
    order = [*stream(make(Source()))]

    async def main() -> None:
        source, seen = Source(), []
        async with start(make(source)) as handle:
            await turns(waited)
            if looks:  # a copy, which doesn't grow
                partial = handle.partial
                before = [_keys(path) for path in partial]
                await turns(3)
                assert [_keys(path) for path in partial] == before
            async for path, output in handle:
                seen.append((path, output))
                if len(seen) == read:
                    break
            result = await handle.result()
        for number, outputs in enumerate(expected):
            of_path = [output for path, output in seen if path == number]
            assert _keys(of_path) + _keys(result[number]) == _keys(outputs)
        if has_order:
            assert seen == order[: len(seen)]

    asyncio.run(main())


@pytest.mark.parametrize("kind", FLOWS)
async def test_a_late_reader_is_waited_for(kind: str) -> None:
    """From the first output that is read on, the run is ahead of its reader by its buffers."""
    make, _ = FLOWS[kind]
    source = Source(400)
    async with start(make(source)) as handle:
        await turns(30)
        await anext(handle)
        given = source.given
        await turns(200)
        assert source.given <= given + 6 * BUFFER
        seen = 1 + len([output async for output in handle])
    assert seen == sum(map(len, run(make(Source(400)))))
