"""Calls on a loop that are asked for in any thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from fluxus_rx._loops.inbox import Inbox, Wakeup


def in_thread(call: Callable[[], object]) -> None:
    """Make a call in another thread, while the loop stands still."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(call).result()


class TestInbox:
    async def test_calls_back_at_once_on_its_loop(self) -> None:
        """Before `post` returns."""
        called: list[int] = []
        Inbox(asyncio.get_running_loop()).post(called.append, 1)
        assert called == [1]

    async def test_calls_back_on_the_loop_for_a_thread(self) -> None:
        """When the loop has its turn."""
        called: list[object] = []
        loop = asyncio.get_running_loop()
        inbox = Inbox(loop)
        in_thread(lambda: inbox.post(lambda: called.append(asyncio.get_running_loop())))
        assert called == []
        await asyncio.sleep(0)
        assert called == [loop]

    async def test_keeps_the_order_over_all_threads(self) -> None:
        """What the loop posts comes behind what a thread has posted before."""
        called: list[int] = []
        inbox = Inbox(asyncio.get_running_loop())
        in_thread(lambda: inbox.post(called.append, 1))
        in_thread(lambda: inbox.post(called.append, 2))
        inbox.post(called.append, 3)
        assert called == [1, 2, 3]
        await asyncio.sleep(0)
        assert called == [1, 2, 3]

    async def test_a_call_may_post_calls(self) -> None:
        """They are made inside it, behind those that waited."""
        called: list[int] = []
        inbox = Inbox(asyncio.get_running_loop())

        def call() -> None:
            inbox.post(called.append, 2)
            called.append(3)

        in_thread(lambda: inbox.post(call))
        in_thread(lambda: inbox.post(called.append, 1))
        await asyncio.sleep(0)
        assert called == [1, 2, 3]

    async def test_wakes_the_loop_once_for_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many have posted before it comes round; and again for those after that."""
        called: list[int] = []
        loop = asyncio.get_running_loop()
        inbox = Inbox(loop)
        waking = Mock(wraps=loop.call_soon_threadsafe)
        monkeypatch.setattr(loop, "call_soon_threadsafe", waking)

        def post() -> None:
            for number in range(10):
                inbox.post(called.append, number)

        for turn in (1, 2):
            in_thread(post)
            assert waking.call_count == turn
            await asyncio.sleep(0)
            assert called == [*range(10)] * turn

    async def test_gives_way_to_the_loop_where_threads_are_faster(self) -> None:
        """What is posted while it calls is called in the next turn."""
        turns: list[str] = []
        loop = asyncio.get_running_loop()
        inbox = Inbox(loop)

        def call(left: int) -> None:
            turns.append("call")
            if left:
                in_thread(lambda: inbox.post(call, left - 1))

        in_thread(lambda: inbox.post(call, 3))
        for _ in range(4):
            await asyncio.sleep(0)
            turns.append("loop")
        assert turns == ["call", "loop"] * 4

    @pytest.mark.parametrize("closed", ["before", "meanwhile"])
    def test_a_closed_loop_calls_nothing(self, closed: str) -> None:
        """`try_post` returns so; `post` raises no error."""
        called: list[int] = []
        loop = asyncio.new_event_loop()
        inbox = Inbox(loop)
        if closed == "meanwhile":
            assert inbox.try_post(called.append, 1)
        loop.close()
        inbox.post(called.append, 2)
        assert not inbox.try_post(called.append, 3)
        assert called == []


class TestWakeup:
    async def test_calls_once_for_all_who_have_asked(self) -> None:
        """From threads, until it has called; and once more for who asks then."""
        called: list[int] = []
        wakeup = Wakeup(asyncio.get_running_loop(), lambda: called.append(1))
        for turn in (1, 2):
            for _ in range(5):
                in_thread(wakeup.request)
            assert wakeup.is_due
            await asyncio.sleep(0)
            assert (len(called), wakeup.is_due) == (turn, False)

    async def test_an_error_of_the_loop_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unless it says that the loop is closed."""
        loop = asyncio.get_running_loop()
        wakeup = Wakeup(loop, print)
        monkeypatch.setattr(loop, "call_soon_threadsafe", Mock(side_effect=RuntimeError("broken")))
        with pytest.raises(RuntimeError, match="broken"):
            in_thread(wakeup.request)
        monkeypatch.undo()
