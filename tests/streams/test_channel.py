"""A channel: room for some items, writers that wait for it in turn, one reader."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx._streams.channel import Channel, CollectingChannel, FanOutChannel
from tests.support.probes import turns


async def write(channel: Channel[int], item: int) -> None:
    """Wait for room if there is none, and put an item."""
    if not channel.ready:
        await channel.wait()
    channel.put(item)


def full(size: int = 1) -> Channel[int]:
    """A channel without room."""
    channel = Channel[int](size)
    for item in range(size):
        channel.put(item)
    return channel


async def writers(channel: Channel[int], *items: int) -> list[asyncio.Task[None]]:
    """Tasks that wait to write an item each, in this order."""
    tasks = [asyncio.create_task(write(channel, item)) for item in items]
    await turns()
    return tasks


async def read(channel: Channel[int]) -> list[int]:
    """All items up to the end."""
    return [item async for item in channel]


class TestOrder:
    @pytest.mark.parametrize("size", [1, 2, 5])
    async def test_writers_are_let_in_as_they_came(self, size: int) -> None:
        """None overtakes, and never is there more than the size."""
        channel = full(size)
        tasks = await writers(channel, *range(size, 20))

        found: list[int] = []
        while len(found) < 20:
            assert len(channel) <= size
            found.append(await anext(channel))
            await turns()

        assert found == [*range(20)]
        await asyncio.gather(*tasks)

    async def test_the_error_comes_once_behind_the_items(self) -> None:
        """Then there is the end."""
        channel = full(2)
        channel.close(LookupError("bad"))
        channel.put(3)

        assert [await anext(channel), await anext(channel)] == [0, 1]
        with pytest.raises(LookupError, match="bad"):
            await anext(channel)
        assert await read(channel) == []

    async def test_an_offer_does_not_take_the_room_of_a_writer_who_was_let_in(self) -> None:
        """The room is his from the moment the reader has made it."""
        channel = full()
        tasks = await writers(channel, 1)

        assert channel.poll() == 0
        assert not channel.ready
        assert not channel.offer(2)
        await asyncio.gather(*tasks)
        assert channel.poll() == 1
        assert channel.offer(2)


class TestTakingAll:
    async def test_all_that_waits_is_taken_and_writers_are_let_in(self) -> None:
        """As many as there is room for; at the end there is nothing, behind the error."""
        channel = full(2)
        tasks = await writers(channel, 2, 3, 4)
        assert channel.take_all() == [0, 1]
        await turns()
        assert channel.take_all() == [2, 3]
        await asyncio.gather(*tasks)
        channel.close(LookupError("bad"))
        assert channel.take_all() == [4]
        with pytest.raises(LookupError, match="bad"):
            channel.take_all()
        assert channel.take_all() == []

    async def test_what_was_taken_counts_for_as_long_as_its_room_is_reserved(self) -> None:
        """Then writers go on; in a channel that was cancelled, they do all the same."""
        channel = full(2)
        tasks = await writers(channel, 2)
        taken = channel.take_all()
        channel.reserve(len(taken))
        await asyncio.gather(*tasks)
        assert not channel.ready
        channel.reserve(-len(taken))
        assert channel.ready
        channel.reserve(2)
        channel.cancel()
        assert channel.ready
        channel.reserve(-2)
        assert channel.ready

    async def test_a_reader_is_told_once_there_is_something(self) -> None:
        """At once, if there is; of the end as well."""
        new = asyncio.get_running_loop().create_future
        channel = Channel[int]()
        channel.tell(waits := new())
        assert not waits.done()
        channel.put(1)
        assert waits.done()
        channel.tell(at_once := new())
        assert at_once.done()
        channel.take_all()
        channel.tell(waits := new())
        channel.close()
        assert waits.done()
        channel.tell(at_the_end := new())
        assert at_the_end.done()

    async def test_a_receiver_numbers_what_it_puts(self) -> None:
        """And drops it once the channel is closed, as `put` does."""
        channel = Channel[tuple[int, str]]()
        reader = asyncio.ensure_future(anext(channel))
        await turns()
        receive = channel.receiver(3)
        receive("a")
        assert await reader == (3, "a")
        channel.close()
        receive("b")
        assert len(channel) == 0


class TestCancelledWriters:
    async def test_one_that_was_just_let_in_gives_its_room_to_the_next(self) -> None:
        """It was told that there is room, and is cancelled before it has a turn."""
        channel = full()
        first, second = await writers(channel, 1, 2)

        assert channel.poll() == 0
        first.cancel()
        await turns()

        assert (first.cancelled(), second.done()) == (True, True)
        assert channel.poll() == 2
        assert channel.ready

    async def test_one_that_waits_is_forgotten(self) -> None:
        """The next one has its turn."""
        channel = full()
        first, second = await writers(channel, 1, 2)

        first.cancel()
        await turns()
        assert channel.poll() == 0
        await second

        assert channel.poll() == 2
        assert channel.ready


class TestAbandoning:
    @pytest.mark.parametrize("error", [None, LookupError("bad")])
    async def test_writers_go_on_and_what_they_write_is_dropped(
        self, error: LookupError | None
    ) -> None:
        """Those that wait, and those that come later."""
        channel = full()
        tasks = await writers(channel, 1, 2)

        channel.cancel(error)
        await asyncio.gather(*tasks)

        assert channel.ready
        assert channel.offer(3)
        await channel.wait()
        channel.put(4)
        assert len(channel) == 0

    async def test_a_reader_that_waits_hears_the_end(self) -> None:
        """Or the error that the channel was cancelled with."""
        for error, expected in ((None, StopAsyncIteration), (LookupError(), LookupError)):
            channel = Channel[int]()
            reader = asyncio.ensure_future(channel.__anext__())
            await turns()

            channel.cancel(error)

            with pytest.raises(expected):
                await reader


class TestFanOut:
    """A channel whose items go to all of several."""

    def test_items_go_to_all(self) -> None:
        """Each has them in their order, and one that collects has them at once."""
        collected: list[int] = []
        first, second = Channel[int](), Channel[int]()
        channel = FanOutChannel([first, second, CollectingChannel(collected.append)])

        channel.put(1)
        assert channel.offer(2)

        assert [*first.items] == [*second.items] == collected == [1, 2]
        assert not channel.items

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=4))
    def test_the_fullest_tells_whether_there_is_room(self, filled: list[tuple[int, int]]) -> None:
        """What is offered then goes to none or to all of them."""
        channels: list[Channel[int]] = [Channel(size) for _, size in filled]
        channel = FanOutChannel(channels)
        for one, (count, _) in zip(channels, filled, strict=True):
            for number in range(count):
                one.put(number)
        before = [len(one) for one in channels]

        has_room = all(count < size for count, size in filled)

        assert channel.ready == has_room
        assert channel.room == min(size - count for count, size in filled)
        assert channel.offer(7) == has_room
        assert [len(one) for one in channels] == [count + has_room for count in before]

    async def test_a_writer_waits_for_all(self) -> None:
        """It goes on once the last of them has room, whichever that is."""
        channels: list[Channel[int]] = [Channel(1) for _ in range(3)]
        channel = FanOutChannel(channels)
        channel.put(1)
        waiting = asyncio.create_task(channel.wait())
        for one in reversed(channels):
            await turns(3)
            assert not waiting.done()
            assert one.poll() == 1
        await waiting
        assert channel.ready

    async def test_one_that_is_cancelled_drops_what_comes(self) -> None:
        """And lets a writer go on that waits."""
        channels: list[Channel[int]] = [Channel(1) for _ in range(2)]
        channel = FanOutChannel(channels)
        channel.put(1)
        waiting = asyncio.create_task(channel.wait())
        await turns(3)

        channel.cancel()

        await waiting
        assert channel.offer(2)
        channel.put(3)
        assert not any(one.items for one in channels)
