"""Runs that come and go behind what reactivex multicasts, compared with reactivex alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NamedTuple

import reactivex
from hypothesis import given
from hypothesis import strategies as st
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler
from reactivex.subject import Subject

from fluxus_rx import arun, from_observable, rx_pipe, step
from fluxus_rx.testing import run_virtual


def is_even(number: Any) -> bool:
    """Whether it is even."""
    return bool(number % 2 == 0)


def number_of(product: Any) -> Any:
    """The number in it."""
    return product["m"]


#: how several may share one source
SHARED: dict[str, Callable[[Observable[Any]], Observable[Any]]] = {
    "share": lambda source: source.pipe(ops.share()),
    "publish": lambda source: source.pipe(ops.publish(), ops.ref_count()),
    "replay": lambda source: source.pipe(ops.replay(buffer_size=2), ops.ref_count()),
    "publish_value": lambda source: source.pipe(ops.publish_value(-1), ops.ref_count()),
    "multicast": lambda source: source.pipe(ops.multicast(Subject()), ops.ref_count()),
    "partition": lambda source: reactivex.merge(*source.pipe(ops.partition(is_even))),
    "operators": lambda source: source.pipe(ops.map(lambda n: n), ops.share(), ops.scan(max)),
    "twice": lambda source: source.pipe(ops.share(), ops.share()),
}


class LostError(Exception):
    """What the source may end with."""


class Client(NamedTuple):
    """A subscriber: after how many seconds it comes, and how it leaves: after so many items, or
    as many seconds, if not at the end."""

    kind: str
    joins: int
    leaves: int


Listen = Callable[[Client, Observable[Any], list[Any]], Awaitable[None]]


async def numbers(count: int, *, fails: bool) -> AsyncIterator[dict[str, int]]:
    """A number each second, and the end a second later."""
    for number in range(count):
        await asyncio.sleep(1)
        yield {"n": number}
    await asyncio.sleep(1)
    if fails:
        raise LostError


def plain_numbers(count: int, *, fails: bool) -> Observable[int]:
    """The same in plain Rx."""
    end = reactivex.throw(LostError()) if fails else reactivex.empty()
    later = reactivex.timer(1).pipe(ops.ignore_elements(), ops.concat(end))
    return reactivex.interval(1).pipe(ops.take(count), ops.concat(later))


async def at_once(n: int) -> dict[str, int]:
    """What a step takes no time for."""
    return {"m": n}


async def slowly(n: int) -> dict[str, int]:
    """What a step takes a tenth of a second for."""
    await asyncio.sleep(0.1)
    return {"m": n}


async def listen(client: Client, shared: Observable[Any], seen: list[Any]) -> None:
    """Subscribe with a flow, and leave it as the client does."""

    async def note(n: int) -> dict[str, int]:
        seen.append(n)
        if client.kind == "error" and len(seen) == client.leaves:
            raise ZeroDivisionError
        return {"m": n}

    flow = from_observable(shared, "n")
    noting = step("note", note).options(concurrency=1) >> step("slow", slowly)
    if client.kind == "plain":
        await shared.pipe(ops.take(client.leaves), ops.do_action(seen.append), ops.count())
    elif client.kind == "take":
        await arun(flow >> rx_pipe(ops.take(client.leaves)) >> noting)
    elif client.kind == "break":
        async with aclosing(aiter(flow >> step("at_once", at_once))) as products:
            async for product in products:
                seen.append(product["n"])
                if len(seen) == client.leaves:
                    return
    else:
        await arun(flow >> noting)


async def listen_plainly(client: Client, shared: Observable[Any], seen: list[Any]) -> None:
    """The same without a flow."""
    if client.kind in ("take", "break", "error", "plain"):
        shared = shared.pipe(ops.take(client.leaves))
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    subscription = shared.subscribe(
        seen.append,
        ended.set_exception,
        lambda: ended.set_result(None),
        scheduler=AsyncIOScheduler(asyncio.get_running_loop()),
    )
    try:
        await ended
    finally:
        subscription.dispose()


async def everybody(
    shared: Observable[Any], clients: list[Client], listening: Listen
) -> list[tuple[list[Any], str]]:
    """What each client has seen, and how it came to its end."""

    async def one(index: int, client: Client) -> tuple[list[Any], str]:
        seen: list[Any] = []
        await asyncio.sleep(client.joins + 0.01 * index)  # nobody at a moment of the source
        try:
            async with asyncio.timeout(client.leaves + 0.25 if client.kind == "cancel" else None):
                await listening(client, shared, seen)
        except (LostError, TimeoutError) as error:
            return seen, type(error).__name__
        except ZeroDivisionError:
            pass
        return seen, "end"

    return await asyncio.gather(*map(one, range(1, len(clients) + 1), clients))


CLIENTS = st.builds(
    Client,
    st.sampled_from(["take", "break", "error", "cancel", "plain", "stay"]),
    st.integers(0, 6),
    st.integers(1, 5),
)


@given(
    shared=st.sampled_from([*SHARED]),
    clients=st.lists(CLIENTS, min_size=1, max_size=5),
    count=st.integers(0, 6),
    fails=st.booleans(),
)
def test_each_run_gets_what_it_would_get_of_rx_alone(
    shared: str, clients: list[Client], count: int, fails: bool
) -> None:
    """However the subscribers come and leave: the source goes on as long as anybody
    listens, and begins again for the next subscriber, as it does in Rx."""
    share = SHARED[shared]

    async def with_flows() -> Any:
        source = step("source", lambda: numbers(count, fails=fails))
        inner = step("inner", lambda n: {"m": n})
        flow = (source >> inner).to_observable().pipe(ops.map(number_of))
        return await everybody(share(flow), clients, listen)

    async def plainly() -> Any:
        return await everybody(share(plain_numbers(count, fails=fails)), clients, listen_plainly)

    assert run_virtual(with_flows) == run_virtual(plainly)
