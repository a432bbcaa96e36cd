"""Demand: a fast source waits for a slow stage, through Rx operators that know nothing of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.subject import ReplaySubject, Subject

from fluxus_rx.rx import to_observable, to_stream
from fluxus_rx.streams import flat_map
from tests.support.conduits import Held
from tests.support.probes import BUFFER, Calls, Source, alone, drained, listed, turns, until

Rx: TypeAlias = Callable[[Observable[Any]], Observable[Any]]

#: Rx operators, and how many items of the source stand behind one item after them.
OPERATORS: dict[str, tuple[int, tuple[Rx, ...]]] = {
    "nothing": (1, ()),
    "map": (1, (ops.map(str),)),
    "filter": (2, (ops.filter(lambda item: bool(item % 2)),)),
    "scan": (1, (ops.scan(lambda total, item: total + item, 0),)),
    "pairwise": (1, (ops.pairwise(),)),
    "distinct_until_changed": (
        2,
        (ops.map(lambda item: item // 2), ops.distinct_until_changed()),
    ),
    "buffer_with_count": (5, (ops.buffer_with_count(5),)),
    "flat_map": (1, (ops.flat_map(lambda item: reactivex.of(item)),)),
    "group_by": (
        1,
        (ops.group_by(lambda item: item % 3), ops.flat_map(lambda group: group)),
    ),
    "merge": (1, (ops.merge(reactivex.empty()),)),
    "share": (1, (ops.share(),)),
    "materialize": (1, (ops.materialize(), ops.dematerialize())),
    "do_action": (1, (ops.do_action(lambda _: None),)),
    "take_while": (1, (ops.take_while(lambda _: True),)),
    "start_with": (1, (ops.start_with(-1),)),
    "several": (
        2,
        (
            ops.map(lambda item: item + 1),
            ops.filter(lambda item: bool(item % 2)),
            ops.scan(lambda total, item: total + item, 0),
            ops.pairwise(),
            ops.share(),
        ),
    ),
}


@pytest.fixture(params=OPERATORS)
def operators(request: pytest.FixtureRequest) -> tuple[int, tuple[Rx, ...]]:
    return OPERATORS[request.param]


@pytest.mark.parametrize("patient", [True, False])
async def test_a_fast_source_waits_for_a_slow_reader(
    operators: tuple[int, tuple[Rx, ...]], patient: bool
) -> None:
    """Through unmodified Rx operators a source stays within the buffer of who reads it."""
    factor, rx = operators
    source = Source(patient=patient)
    async with to_stream(to_observable(source).pipe(*rx)).stream() as streamer:
        for read in range(1, 60):
            await streamer.__anext__()
            await turns(20)
            assert source.made <= factor * (read + BUFFER + 2) + 2
    assert source.closed == 1


async def test_a_fast_source_waits_for_slow_calls(operators: tuple[int, tuple[Rx, ...]]) -> None:
    """Through unmodified Rx operators a source stays near the calls of an asynchronous stage."""
    factor, rx = operators
    calls = Calls()

    async def held(item: Any) -> Any:
        return await calls.held(len(calls.started))

    source = Source(patient=False)
    results = flat_map(to_stream(to_observable(source).pipe(*rx)), held, concurrency=4)
    task = asyncio.create_task(listed(results))
    await turns(200)
    assert calls.active == 4
    # The calls, a buffer behind the Observable and one behind the stream of it.
    assert source.made <= factor * (4 + 2 * BUFFER + 2) + 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1


async def test_a_fast_source_waits_for_a_slow_step(operators: tuple[int, tuple[Rx, ...]]) -> None:
    """Through unmodified Rx operators a source stays near the calls of a transformer."""
    factor, rx = operators
    held = Held()
    source = Source(patient=False)
    piped = to_observable(source).pipe(*rx).pipe(held.options(concurrency=4))
    subscription = piped.subscribe()
    await turns(200)
    assert held.calls.active == 4
    assert source.made <= factor * (4 + BUFFER + 2) + 2
    subscription.dispose()
    await turns()
    assert source.closed == 1
    assert alone()


@pytest.mark.parametrize("name", OPERATORS)
async def test_nothing_is_lost_by_waiting(name: str) -> None:
    """With a demand in play the items are those that Rx emits without one."""
    _, rx = OPERATORS[name]
    waited = await drained(to_stream(to_observable(Source(100)).pipe(*rx)), [], 2)
    plain: list[Any] = []
    reactivex.from_iterable(range(100)).pipe(*rx).subscribe(plain.append)
    assert waited == plain


async def test_two_merged_sources_both_wait() -> None:
    """Sources that Rx merges share the buffer of the one who reads them."""
    sources = [Source(patient=False), Source(patient=False)]
    merged = reactivex.merge(*map(to_observable, sources))
    async with to_stream(merged).stream() as streamer:
        for read in range(1, 40):
            await streamer.__anext__()
            await turns(20)
            assert sum(source.made for source in sources) <= read + BUFFER + 4
    assert [source.closed for source in sources] == [1, 1]


async def test_a_source_shared_by_two_readers_loses_nothing() -> None:
    """With share(), both readers see each item, whatever their pace."""
    source = Source(50)
    shared = to_observable(source).pipe(ops.share())
    found = await asyncio.gather(
        *[drained(to_stream(shared), [], pace) for pace in (1, 20)],
    )
    assert found == [list(range(50))] * 2
    assert source.opened == 1


async def test_a_source_without_a_demand_runs_freely() -> None:
    """A plain subscriber puts no brake on a source: Rx's own contract."""
    seen: list[int] = []
    source = Source(500)
    to_observable(source).subscribe(seen.append)
    await until(lambda: source.closed == 1)
    await turns()
    assert seen == list(range(500))


class TestSourcesThatCannotWait:
    """A source that emits when it likes loses nothing; its items queue up."""

    async def test_a_cold_source_that_emits_in_subscribe_loses_nothing(self) -> None:
        """What of(...) emits at once is all there for a slow reader."""
        found = await drained(to_stream(reactivex.from_iterable(range(1_000))), [], 1)
        assert found == list(range(1_000))

    async def test_a_subject_loses_nothing(self) -> None:
        """What is pushed into a Subject while the reader is busy waits for it."""
        subject: Subject[int] = Subject()
        task = asyncio.create_task(drained(to_stream(subject), [], 2))
        await until(lambda: len(subject.observers) == 1)
        for number in range(500):
            subject.on_next(number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        subject.on_completed()
        assert await task == list(range(500))

    async def test_a_subject_that_fails_gives_its_items_before_its_error(self) -> None:
        """An error pushed behind items that wait is raised behind them."""
        subject: Subject[int] = Subject()
        error = LookupError("subject")
        seen: list[int] = []
        task = asyncio.create_task(drained(to_stream(subject), seen))
        await until(lambda: len(subject.observers) == 1)
        for number in range(100):
            subject.on_next(number)
        subject.on_error(error)
        with pytest.raises(LookupError) as caught:
            await task
        assert caught.value is error
        assert seen == list(range(100))

    async def test_a_replayed_history_loses_nothing(self) -> None:
        """A ReplaySubject's past arrives complete before its present."""
        subject: ReplaySubject[int] = ReplaySubject()
        for number in range(100):
            subject.on_next(number)
        task = asyncio.create_task(drained(to_stream(subject), [], 1))
        await turns()
        subject.on_next(100)
        subject.on_completed()
        assert await task == list(range(101))

    async def test_up_to_ten_thousand_items_may_wait_in_silence(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A crowd of 10,000 waiting items isn't a reason for a warning."""
        await self._push(10_000)
        assert _warnings(caplog) == []

    async def test_more_than_ten_thousand_waiting_items_are_warned_of_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Past 10,000 waiting items one warning names the source and says what can be done."""
        await self._push(25_000)
        (record,) = _warnings(caplog)
        message = record.getMessage()
        assert "10,000" in message or "10000" in message
        assert "Subject" in message

    async def test_items_that_are_read_in_time_are_not_warned_of(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It counts how many items wait, not how many there were."""
        subject: Subject[int] = Subject()
        seen: list[int] = []
        task = asyncio.create_task(drained(to_stream(subject), seen))
        await until(lambda: len(subject.observers) == 1)
        for crowd in range(1, 16):
            for number in range(1_000):
                subject.on_next(number)
            await until(partial(lambda crowd: len(seen) == crowd * 1_000, crowd))
        subject.on_completed()
        await task
        assert _warnings(caplog) == []

    async def _push(self, number: int) -> None:
        subject: Subject[int] = Subject()
        task = asyncio.create_task(listed(to_stream(subject)))
        await until(lambda: len(subject.observers) == 1)
        for item in range(number):
            subject.on_next(item)
        subject.on_completed()
        assert await task == list(range(number))


def _warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [
        record
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("fluxus_rx")
    ]
