"""A client of a message service ends its observable with whatever it has at hand: a text, a code,
or None. None of these is a success, and each is told.
"""

from __future__ import annotations

import asyncio
from typing import Any

import reactivex
from reactivex import operators
from reactivex.subject import Subject

from fluxus_rx import ObservableError, arun, from_observable, run, rx_pipe, step
from fluxus_rx.rx import to_stream


def source(end: Any) -> Any:
    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        observer.on_next({"message": "hello"})
        observer.on_error(end)

    return reactivex.create(subscribe)


shout = step("shout", lambda message: {"loud": message.upper()})


def check(what: str, end: Any, call: Any) -> None:
    raised: ObservableError | None = None
    try:
        call()
    except ObservableError as error:
        raised = error
    assert raised is not None, f"{what}: on_error({end!r}) is a success"
    assert raised.error is end, f"{what}: {raised.error!r} is not {end!r}"
    assert repr(end) in str(raised), f"{what}: {raised} does not tell {end!r}"


async def read(end: Any) -> list[Any]:
    heard: list[Any] = []
    async with to_stream(source(end)).stream() as messages:
        heard += [message async for message in messages]
    return heard


async def hear(end: Any) -> Any:
    messages: Subject[Any] = Subject()
    running = asyncio.ensure_future(arun(from_observable(messages, "message") >> shout))
    await asyncio.sleep(0)
    messages.on_error(end)
    return await running


def check_all(end: Any) -> None:
    check("step", end, lambda: run(step("messages", source(end)) >> shout))
    check("from_observable", end, lambda: run(from_observable(source(end), "m") >> shout))
    dropping = from_observable(source(end), "m", overflow="drop_oldest")
    check("overflow", end, lambda: run(dropping >> shout))
    within = rx_pipe(operators.flat_map(lambda _: source(end)))
    check("rx_pipe", end, lambda: run(step("go", [{}]) >> within >> shout))
    check("to_stream", end, lambda: asyncio.run(read(end)))
    check("a subject", end, lambda: asyncio.run(hear(end)))


for odd in (None, "connection lost", 404, ConnectionError):
    check_all(odd)
