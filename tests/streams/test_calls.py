"""What a function of flat_map finds around it: a task, a context, time-outs, task groups."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator

import pytest

from fluxus_rx.streams import flat_map
from tests.support.probes import Source, alone, listed, turns

VARIABLE: contextvars.ContextVar[object] = contextvars.ContextVar("VARIABLE", default="default")


@pytest.fixture(params=[1, 3, 256])
def limit(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


async def test_a_call_sees_the_context_of_the_reader(limit: int) -> None:
    """What the reader has set before it began to read is there in each call."""
    found: list[object] = []

    async def look(item: int) -> int:
        found.append(VARIABLE.get())
        await asyncio.sleep(0)
        found.append(VARIABLE.get())
        return item

    token = VARIABLE.set("reader")
    await listed(flat_map(Source(5), look, concurrency=limit))
    VARIABLE.reset(token)
    assert found == ["reader"] * 10


async def test_a_call_keeps_its_own_changes_to_the_context(limit: int) -> None:
    """What a call sets it finds after each suspension, whatever other calls set in between."""
    lost: list[int] = []

    async def change(item: int) -> int:
        VARIABLE.set(item)
        for _ in range(item % 5):
            await asyncio.sleep(0)
            if VARIABLE.get() != item:
                lost.append(item)
        return item

    await listed(flat_map(Source(50), change, concurrency=limit))
    assert lost == []


async def test_one_call_does_not_see_what_another_has_set(limit: int) -> None:
    """Each call begins with the reader's context, and leaves the reader's as it was."""
    found: list[object] = []

    async def change(item: int) -> int:
        found.append(VARIABLE.get())
        VARIABLE.set(item)
        await asyncio.sleep(0)
        return item

    await listed(flat_map(Source(20), change, concurrency=limit))
    assert found == ["default"] * 20
    assert VARIABLE.get() == "default"


async def test_calls_that_never_suspend_have_contexts_of_their_own(limit: int) -> None:
    """A call that returns at once leaves no trace in the context of the next."""
    found: list[object] = []

    async def change(item: int) -> int:
        found.append(VARIABLE.get())
        VARIABLE.set(item)
        return item

    await listed(flat_map(Source(20, patient=False), change, concurrency=limit))
    assert found == ["default"] * 20


async def test_a_generator_has_one_context_for_all_its_products(limit: int) -> None:
    """What a generator sets it finds after each of its products, and can reset in the end."""
    found: list[tuple[int, object]] = []

    async def change(item: int) -> AsyncIterator[int]:
        token = VARIABLE.set(item)
        try:
            for _ in range(3):
                yield item
                found.append((item, VARIABLE.get()))
        finally:
            VARIABLE.reset(token)

    await listed(flat_map(Source(6), change, concurrency=limit))
    assert sorted(found) == [(item, item) for item in range(6) for _ in range(3)]


async def test_the_context_of_an_open_generator_survives_a_reader_that_leaves(limit: int) -> None:
    """A generator that is closed early can reset in its own context what it has set."""
    errors: list[Exception] = []

    async def change(item: int) -> AsyncIterator[int]:
        token = VARIABLE.set(item)
        try:
            while True:
                await asyncio.sleep(0)
                yield item
        finally:
            try:
                VARIABLE.reset(token)
            except ValueError as error:
                errors.append(error)

    assert len(await listed(flat_map(Source(), change, concurrency=limit)[:5])) == 5
    assert errors == []


async def test_a_call_has_one_task_from_beginning_to_end(limit: int) -> None:
    """The current task is the same before and after each suspension, and differs between calls."""
    tasks: dict[int, set[asyncio.Task[object] | None]] = {}
    running: set[asyncio.Task[object] | None] = set()
    shared: list[int] = []

    async def look(item: int) -> int:
        task = asyncio.current_task()
        if task in running:
            shared.append(item)
        running.add(task)
        tasks[item] = {task}
        for _ in range(3):
            await asyncio.sleep(0)
            tasks[item].add(asyncio.current_task())
        running.discard(task)
        return item

    await listed(flat_map(Source(10), look, concurrency=limit))
    assert all(len(seen) == 1 and None not in seen for seen in tasks.values())
    assert shared == []


async def test_a_timeout_inside_a_call_ends_what_it_is_around(limit: int) -> None:
    """asyncio.timeout in a function raises TimeoutError there, and only there."""

    async def impatient(item: int) -> str:
        try:
            async with asyncio.timeout(0 if item % 2 else None):
                await turns(3)
                if item % 2:
                    await asyncio.Event().wait()
        except TimeoutError:
            return f"{item} late"
        return f"{item} in time"

    found = await listed(flat_map(Source(6), impatient, concurrency=limit, ordered=True))
    assert found == ["0 in time", "1 late", "2 in time", "3 late", "4 in time", "5 late"]


async def test_a_timeout_may_be_held_across_the_products_of_a_call(limit: int) -> None:
    """asyncio.timeout around the products of a generator ends the wait for the next of them."""

    async def impatient(item: int) -> AsyncIterator[object]:
        yield item
        try:
            async with asyncio.timeout(None) as scope:
                yield item
                scope.reschedule(asyncio.get_running_loop().time())
                await asyncio.Event().wait()
        except TimeoutError:
            yield item

    found = await listed(flat_map(Source(4), impatient, concurrency=limit, ordered=True))
    assert found == [item for item in range(4) for _ in range(3)]


async def test_a_timeout_that_ends_while_a_product_waits_is_a_timeout(limit: int) -> None:
    """A deadline that passes while the reader is busy is a TimeoutError of the call as well."""

    async def impatient(item: int) -> AsyncIterator[object]:
        async with asyncio.timeout(0):
            while True:
                yield item

    async def read() -> None:
        async with flat_map(Source(1), impatient, concurrency=limit).stream() as streamer:
            async for _ in streamer:
                await turns(5)

    with pytest.raises(TimeoutError):
        await read()
    assert alone()


async def test_a_timeout_that_a_call_lets_through_is_the_error_of_the_stream() -> None:
    """A TimeoutError from inside a function ends the stream as it is, not as a cancellation."""

    async def impatient(item: int) -> int:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        return item

    with pytest.raises(TimeoutError):
        await flat_map(Source(), impatient, concurrency=3)


async def test_a_task_group_inside_a_call_runs_its_tasks(limit: int) -> None:
    """A function may start tasks of its own and wait for them."""

    async def double(item: int) -> int:
        await asyncio.sleep(0)
        return 2 * item

    async def grouped(item: int) -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(double(item)) for _ in range(3)]
        return sum(task.result() for task in tasks)

    found = await listed(flat_map(Source(5), grouped, concurrency=limit, ordered=True))
    assert found == [0, 6, 12, 18, 24]


async def test_a_task_group_that_fails_inside_a_call_fails_there(limit: int) -> None:
    """A failed task cancels the body of its group, and the function can handle the error."""

    async def fail() -> None:
        raise LookupError

    async def grouped(item: int) -> str:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.Event().wait()
        except* LookupError:
            pass
        return "handled"

    found = await listed(flat_map(Source(4), grouped, concurrency=limit))
    assert found == ["handled"] * 4


async def test_the_tasks_of_a_group_are_cancelled_with_the_call() -> None:
    """When the reader leaves, tasks that a call has started in a group end with it."""
    ended: list[int] = []
    started = asyncio.Event()

    async def wait(item: int) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    async def grouped(item: int) -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait(item))
        return item

    async def read() -> None:
        await flat_map(Source(1), grouped)

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [0]


async def test_a_call_that_cancels_itself_ends_as_cancelled() -> None:
    """A function that cancels the task it runs in ends the stream, and nothing hangs."""
    source = Source()

    async def give_up(item: int) -> int:
        if item == 2:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.Event().wait()
        return item

    with pytest.raises(asyncio.CancelledError):
        await flat_map(source, give_up, concurrency=2)
    assert source.closed == 1


async def test_a_call_may_shield_itself_from_cancelling() -> None:
    """A call that finishes its work after it was cancelled is awaited before the reader goes on."""
    finished: list[int] = []
    started = asyncio.Event()

    async def stubborn(item: int) -> int:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await turns(10)
            finished.append(item)
        return item

    async def read() -> None:
        await flat_map(Source(1), stubborn)

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert finished == [0]


async def test_a_flow_may_be_read_inside_a_call(limit: int) -> None:
    """A function may read a stream of its own, with calls of its own."""

    async def double(item: int) -> int:
        await asyncio.sleep(0)
        return 2 * item

    async def nested(item: int) -> int:
        return sum(await listed(flat_map(Source(item), double)))

    found = await listed(flat_map(Source(5), nested, concurrency=limit, ordered=True))
    assert found == [0, 0, 2, 6, 12]
