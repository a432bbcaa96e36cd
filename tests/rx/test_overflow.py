"""What becomes of items for which there is no room: the laws of each policy."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import reactivex
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import BufferOverflowError, FlowError, Producer, from_observable, start, step
from tests.support.hot import DROPPING, POLICIES, Item, Rude, items_of
from tests.support.probes import listed, turns, until

#: What happens: so many items are emitted in one go, or, below 0, so many are read.
HAPPENINGS = st.lists(st.integers(-6, 12).filter(bool), max_size=12)
SIZES = st.integers(1, 6)


class Model:
    """What a policy says, by the book."""

    def __init__(self, overflow: str, size: int) -> None:
        self.overflow = overflow
        self.size = 1 if overflow == "latest" else size
        self.waiting: deque[int] = deque()
        self.dropped = 0
        self.failed = False

    def emit(self, item: int) -> None:
        if self.failed:
            return
        if len(self.waiting) < self.size or self.overflow == "keep":
            self.waiting.append(item)
        elif self.overflow == "error":
            self.failed = True
        else:
            self.dropped += 1
            if self.overflow != "drop_newest":
                self.waiting.popleft()
                self.waiting.append(item)


class Reading:
    """One reading of a source that doesn't wait, by hand: nothing is read ahead."""

    def __init__(self, overflow: Any, size: int) -> None:
        self.subject: Subject[int] = Subject()
        buffer = None if overflow == "latest" else size
        source = from_observable(self.subject, buffer=buffer, overflow=overflow)
        self.items = items_of(source)
        self.emitted = 0

    async def begin(self) -> None:
        """Subscribe, and have nobody wait for an item."""
        first = asyncio.ensure_future(anext(self.items))
        await until(lambda: bool(self.subject.observers))
        self.subject.on_next(-1)
        assert await first == -1

    def emit(self, number: int, also: Callable[[int], object] = bool) -> None:
        """Emit so many numbers, in one go."""
        for _ in range(number):
            self.subject.on_next(self.emitted)
            also(self.emitted)
            self.emitted += 1

    async def rest(self) -> tuple[list[int], Exception | None]:
        """What waits, and the error behind it."""
        self.subject.on_completed()
        rest: list[int] = []
        try:
            async for item in self.items:
                rest.append(item)
        except FlowError as error:
            return rest, error
        return rest, None


def by_hand(happenings: list[int], overflow: str, size: int) -> tuple[list[int], Exception | None]:
    """What comes out in all; each reading is what the model says."""

    async def main() -> tuple[list[int], Exception | None]:
        reading, model, seen = Reading(overflow, size), Model(overflow, size), []
        await reading.begin()
        for number in happenings:
            reading.emit(number, model.emit)
            for _ in range(min(-number, len(model.waiting))):
                seen.append(await anext(reading.items))
                assert seen[-1] == model.waiting.popleft()
        rest, error = await reading.rest()
        assert rest == [*model.waiting]
        assert (error is not None) == model.failed
        return seen + rest, error

    return asyncio.run(main())


class TestLaws:
    """For any sequence of bursts and readings, any policy and any size."""

    @pytest.mark.parametrize("overflow", POLICIES)
    @given(happenings=HAPPENINGS, size=SIZES)
    def test_what_is_read_is_what_the_policy_says(
        self, overflow: str, happenings: list[int], size: int
    ) -> None:
        """Item by item, and up to the end."""
        by_hand(happenings, overflow, size)

    @given(happenings=HAPPENINGS, size=SIZES)
    def test_keep_loses_nothing(self, happenings: list[int], size: int) -> None:
        """All comes, in its order, whatever the size."""
        seen, error = by_hand(happenings, "keep", size)
        assert error is None
        assert seen == [*range(sum(number for number in happenings if number > 0))]

    @given(happenings=HAPPENINGS)
    def test_latest_is_a_buffer_of_one_that_drops_the_oldest(self, happenings: list[int]) -> None:
        """They emit the same for the same happenings."""
        assert by_hand(happenings, "latest", 1) == by_hand(happenings, "drop_oldest", 1)

    @pytest.mark.parametrize("overflow", POLICIES)
    @given(happenings=HAPPENINGS, size=SIZES)
    def test_items_come_in_their_order_and_once(
        self, overflow: str, happenings: list[int], size: int
    ) -> None:
        """Whatever is dropped between them."""
        seen, _ = by_hand(happenings, overflow, size)
        assert seen == sorted(set(seen))

    @given(count=st.integers(0, 40), size=SIZES)
    def test_of_one_burst_the_newest_or_the_oldest_are_left(self, count: int, size: int) -> None:
        """As many as there is room for, in their order."""
        numbers = [*range(count)]
        assert by_hand([count] if count else [], "drop_oldest", size)[0] == numbers[-size:]
        assert by_hand([count] if count else [], "drop_newest", size)[0] == numbers[:size]

    @given(happenings=HAPPENINGS, size=SIZES)
    def test_an_error_comes_behind_what_waited(self, happenings: list[int], size: int) -> None:
        """What was emitted before the overflow is read first, without a gap."""
        seen, error = by_hand(happenings, "error", size)
        assert seen == [*range(len(seen))]
        assert error is None or isinstance(error, BufferOverflowError)

    @pytest.mark.parametrize("overflow", POLICIES)
    @given(bursts=st.lists(st.integers(0, 12), max_size=8), size=SIZES)
    def test_what_is_done_and_what_is_dropped_is_all_that_was_emitted(
        self, overflow: Any, bursts: list[int], size: int
    ) -> None:
        """In the statistics, at each moment when nothing waits, and at the end."""

        async def main() -> None:
            subject: Subject[int] = Subject()
            buffer = None if overflow == "latest" else size
            source = from_observable(subject, "x", buffer=buffer, overflow=overflow)
            async with start(source >> step("seen", lambda x: {"seen": x})) as running:
                await turns(5)
                model, emitted = Model(overflow, size), 0
                for burst in bursts:
                    for _ in range(burst):
                        subject.on_next(emitted)
                        model.emit(emitted)
                        emitted += 1
                    await turns(20)
                    model.waiting.clear()
                    if model.failed:
                        with pytest.raises(BufferOverflowError):
                            await running.result()
                        return
                    stats = running.stats()["x"]
                    assert stats.done + stats.dropped == emitted
                    assert stats.dropped == model.dropped
                subject.on_completed()
                (outputs,) = await running.result()
                stats = running.stats()["x"]
                assert (stats.done, stats.dropped) == (len(outputs), model.dropped)
                assert len(outputs) + model.dropped == emitted

        asyncio.run(main())


class TestMemory:
    """What is held."""

    @pytest.mark.parametrize("overflow", DROPPING)
    @pytest.mark.parametrize("size", [1, 7, 100])
    async def test_no_more_than_the_size_wait_at_any_moment(self, overflow: Any, size: int) -> None:
        """A dropped item is let go at once."""
        gc.collect()
        assert Item.alive == 0
        size = 1 if overflow == "latest" else size
        subject: Subject[Item] = Subject()
        source = from_observable(subject, buffer=size, overflow=overflow)
        items = items_of(source)
        task = asyncio.ensure_future(anext(items))
        await until(lambda: bool(subject.observers))
        most = 0
        for _ in range(1_000):
            subject.on_next(Item())
            most = max(most, Item.alive)
        assert most == size
        await task
        await items.aclose()
        assert Item.alive <= 1  # the one that was read

    async def test_an_overflow_lets_go_of_the_item_that_has_come(self) -> None:
        """Those that wait are delivered, the others are nobody's."""
        subject: Subject[Item] = Subject()
        source = from_observable(subject, buffer=3, overflow="error")
        reading = asyncio.ensure_future(listed(source))
        await until(lambda: bool(subject.observers))
        for _ in range(10):
            subject.on_next(Item())
        assert Item.alive == 3
        with pytest.raises(BufferOverflowError):
            await reading
        del reading


async def overflowed(source: Producer[Any], subject: Subject[int], count: int) -> Exception:
    """The error of a run into which so many items come at once."""
    async with start(source >> step("seen", lambda **all_of_it: all_of_it)) as running:
        for number in range(count):
            subject.on_next(number)
        with pytest.raises(BufferOverflowError) as caught:
            await running.result()
    return caught.value


class TestError:
    """overflow="error"."""

    async def test_its_message_names_the_source_the_size_and_the_choices(self) -> None:
        """And says what one can do."""
        subject: Subject[int] = Subject()
        source = from_observable(subject, "tick", buffer=2, overflow="error")
        message = str(await overflowed(source, subject, 3))
        for part in ("source 'tick'", "2 items wait", "one more", *map(repr, POLICIES)):
            assert part in message

    async def test_a_source_without_a_name_is_named_by_its_observable(self) -> None:
        """As it was made."""

        class Ticks(Subject[Any]):
            def __repr__(self) -> str:
                return "<ticks>"

        subject = Ticks()
        source = from_observable(subject, buffer=1, overflow="error")
        reading = asyncio.ensure_future(listed(source))
        await until(lambda: bool(subject.observers))
        subject.on_next(1)
        subject.on_next(2)
        with pytest.raises(BufferOverflowError, match=r"from_observable\(<ticks>\): 1 items? wait"):
            await reading

    async def test_it_is_an_error_of_the_library(self) -> None:
        """And one at run time, that can be pickled."""
        subject: Subject[int] = Subject()
        error = await overflowed(from_observable(subject, "x", overflow="error"), subject, 17)
        assert isinstance(error, FlowError)
        assert isinstance(error, RuntimeError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)

    async def test_the_source_is_left_at_once(self) -> None:
        """Before anybody has read what waits."""
        reading = Reading("error", 2)
        await reading.begin()
        reading.emit(2)
        assert len(reading.subject.observers) == 1
        reading.emit(1)
        assert reading.subject.observers == []
        assert [await anext(reading.items), await anext(reading.items)] == [0, 1]
        with pytest.raises(BufferOverflowError):
            await anext(reading.items)

    async def test_an_operator_behind_may_catch_it(self) -> None:
        """It comes down as any error does."""
        source = from_observable(
            reactivex.of(*range(5)), buffer=3, overflow="error"
        ).to_observable()
        caught = source.pipe(ops.catch(reactivex.of(-1)), ops.to_list())
        assert await caught == [0, 1, 2, -1]

    async def test_a_buffer_that_is_exactly_full_is_no_error(self) -> None:
        """Neither is the end behind it."""
        assert await listed(
            from_observable(reactivex.of(*range(5)), buffer=5, overflow="error")
        ) == [*range(5)]


class TestEnds:
    """What comes behind the items that wait."""

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_an_error_of_the_source_comes_behind_them_if_the_buffer_is_full(
        self, overflow: Any
    ) -> None:
        """It takes no room, and drops nothing."""
        error = LookupError("bad")
        reading = Reading(overflow, 3)
        await reading.begin()
        reading.emit(1 if overflow == "latest" else 3)
        reading.subject.on_error(error)
        seen: list[int] = []
        read: Callable[[], Awaitable[int]] = lambda: anext(reading.items)  # noqa: E731
        for _ in range(reading.emitted):
            seen.append(await read())
        with pytest.raises(LookupError) as caught:
            await read()
        assert caught.value is error
        assert seen == [*range(reading.emitted)]

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_only_the_first_end_counts(self, overflow: Any) -> None:
        """What a source says behind its end is not heard, against the grammar of Rx as it is."""
        source = Rude()
        reading = asyncio.ensure_future(listed(from_observable(source, overflow=overflow)))
        await until(lambda: bool(source.observers))
        (observer,) = source.observers
        observer.on_next(1)
        observer.on_completed()
        observer.on_next(2)
        observer.on_error(LookupError("too late"))
        observer.on_completed()
        assert await reading == [1]


class TestLog:
    """What the library's logger is told."""

    async def test_how_many_were_dropped_is_told_at_the_end_of_a_run(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Once, on the level INFO, with the name, the size and the policy."""
        subject: Subject[int] = Subject()
        source = from_observable(subject, "tick", buffer=2, overflow="drop_oldest")
        with caplog.at_level(logging.INFO, "fluxus_rx"):
            async with start(source >> step("seen", lambda tick: {"seen": tick})) as running:
                for number in range(10):
                    subject.on_next(number)
                assert caplog.records == []
                subject.on_completed()
                await running.result()
        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert record.name.startswith("fluxus_rx")
        assert record.getMessage() == (
            "source 'tick': 8 of 10 items were dropped (buffer=2, overflow='drop_oldest')"
        )

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_nothing_is_told_where_nothing_was_dropped(
        self, overflow: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A run that loses nothing is silent."""
        with caplog.at_level(logging.INFO, "fluxus_rx"):
            assert await listed(from_observable(reactivex.of(1), overflow=overflow)) == [1]
        assert caplog.records == []

    @pytest.mark.parametrize("count", [10_000, 10_001, 30_000])
    async def test_keep_warns_once_past_10_000_that_wait(
        self, count: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With the name of the source, and what to do."""
        source = from_observable(reactivex.from_iterable(range(count)), "tick")
        assert await listed(source) == [*range(count)]
        # asyncio may have something to say of so many in one go.
        records = [record for record in caplog.records if record.name != "asyncio"]
        warnings = [record.getMessage() for record in records]
        assert len(warnings) == (count > 10_000)
        for warning in warnings:
            assert "more than 10,000 items of source 'tick' wait" in warning
            assert "overflow=" in warning
