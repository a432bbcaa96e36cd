"""Flows that rsocket-py serves and reads, over a connection on loopback."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from fluxus_rx import arun, step
from fluxus_rx.reactive_streams import (
    Publisher,
    Subscriber,
    Subscription,
    from_publisher,
    to_publisher,
)
from tests.support.probes import turns, until

pytest.importorskip("rsocket")

from reactivestreams.publisher import DefaultPublisher
from reactivestreams.subscriber import DefaultSubscriber
from reactivestreams.subscription import DefaultSubscription
from rsocket.awaitable.awaitable_rsocket import AwaitableRSocket
from rsocket.awaitable.collector_subscriber import CollectorSubscriber
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.request_handler import BaseRequestHandler
from rsocket.rsocket_client import RSocketClient
from rsocket.rsocket_server import RSocketServer
from rsocket.streams.stream_from_generator import StreamFromGenerator
from rsocket.transports.tcp import TransportTCP


class Numbers:
    """A flow of payloads 0, 1, 2, …, and what became of it."""

    def __init__(self, end: int | None = None, error: Exception | None = None) -> None:
        self.made = self.opened = self.closed = 0
        self._end = end
        self._error = error

    async def __aiter__(self) -> AsyncIterator[Payload]:
        self.opened += 1
        try:
            for number in itertools.count() if self._end is None else range(self._end):
                self.made += 1
                yield Payload(str(number).encode())
            if self._error is not None:
                raise self._error
        finally:
            self.closed += 1


@asynccontextmanager
async def connected(publisher: Callable[[], Any]) -> AsyncIterator[RSocketClient]:
    """A client of a server that answers each request for a stream with a publisher."""
    closed = asyncio.Event()

    class Handler(BaseRequestHandler):  # type: ignore[misc]  # rsocket-py has no types
        async def request_stream(self, payload: Payload) -> Any:
            return publisher()

        async def on_close(self, rsocket: Any, exception: Exception | None = None) -> None:
            closed.set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        servers.append(RSocketServer(TransportTCP(reader, writer), handler_factory=Handler))

    servers: list[RSocketServer] = []
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = listening.sockets[0].getsockname()
    provider = single_transport_provider(TransportTCP(*await asyncio.open_connection(*address[:2])))
    try:
        async with RSocketClient(provider) as client:
            yield client
    finally:
        await closed.wait()
        for server in servers:
            await server.close()
        listening.close()
        await listening.wait_closed()
        await provider.aclose()


def number_of(payload: Payload) -> int:
    return int(payload.data)


@pytest.mark.parametrize("buffer", [1, 4, 16])
async def test_a_flow_is_served_and_read(buffer: int) -> None:
    """All items come, in their order, and the end."""
    numbers = Numbers(50)
    async with connected(lambda: to_publisher(numbers)) as client:
        source = from_publisher(client.request_stream(Payload(b"numbers")), buffer=buffer)
        assert [number_of(payload) async for payload in source] == list(range(50))
    assert (numbers.opened, numbers.closed) == (1, 1)


async def test_an_empty_flow_is_served_and_read() -> None:
    """The end comes by itself."""
    async with connected(lambda: to_publisher(Numbers(0))) as client:
        source = from_publisher(client.request_stream(Payload(b"numbers")), buffer=1)
        assert [payload async for payload in source] == []


async def test_steps_stand_on_both_sides() -> None:
    """A flow of dictionaries ends in payloads, and payloads become dictionaries again."""

    def serve() -> Publisher[Payload]:
        async def payloads() -> AsyncIterator[Payload]:
            async for product in step("n", [{"n": n} for n in range(3)]) >> step("square", square):
                yield Payload(str(product["square"]).encode())

        return to_publisher(payloads())

    async def square(n: int) -> dict[str, int]:
        return {"square": n * n}

    def parse(answer: Payload) -> dict[str, int]:
        return {"number": number_of(answer)}

    async with connected(serve) as client:
        source = from_publisher(client.request_stream(Payload(b"squares")), "answer", buffer=2)
        result = await arun(source >> step("parse", parse))
    assert [output["parse"]["number"] for output in result.get_outputs()] == [0, 1, 4]


async def test_the_server_makes_no_more_than_the_client_has_room_for() -> None:
    """What a client doesn't take is not made: buffer, and one product read ahead."""
    numbers = Numbers()
    async with connected(lambda: to_publisher(numbers)) as client:
        products = aiter(from_publisher(client.request_stream(Payload(b"numbers")), buffer=4))
        for taken in range(1, 20):
            assert number_of(await anext(products)) == taken - 1
            # Requests are on their way for a while, and can only be fewer than there is room for.
            await turns(20)
            assert taken <= numbers.made <= taken + 4 + 1
        await products.aclose()
        await until(lambda: numbers.closed == 1)


async def test_a_client_that_leaves_closes_the_source_of_the_server() -> None:
    """An early end of the client's run is a `cancel` that reaches the server's run."""
    numbers = Numbers()
    async with connected(lambda: to_publisher(numbers)) as client:
        source = from_publisher(client.request_stream(Payload(b"numbers")), buffer=4)
        async with aclosing(aiter(source)) as payloads:
            async for payload in payloads:
                if number_of(payload) == 5:
                    break
        await until(lambda: numbers.closed == 1)
        made = numbers.made
        await turns(50)
        assert numbers.made == made


async def test_an_error_of_the_server_is_one_of_the_client() -> None:
    """It comes behind the items before it, as the error that rsocket-py makes of it."""
    numbers, taken = Numbers(3, ValueError("no more")), []
    async with connected(lambda: to_publisher(numbers)) as client:
        with pytest.raises(Exception, match="no more"):  # noqa: PT012
            async for payload in from_publisher(client.request_stream(Payload(b"x")), buffer=8):
                taken.append(number_of(payload))
    assert taken == [0, 1, 2]
    assert numbers.closed == 1


async def test_a_lost_connection_ends_both_sides() -> None:
    """The client's run fails, and the server's run is cancelled."""
    numbers = Numbers()
    async with connected(lambda: to_publisher(numbers)) as client:
        products = aiter(from_publisher(client.request_stream(Payload(b"numbers")), buffer=2))
        await anext(products)
        await client.close()
        with pytest.raises(Exception):  # noqa: B017, PT011, PT012 - whatever rsocket-py makes of it
            while True:
                await anext(products)
        await until(lambda: numbers.closed == 1)


async def test_two_streams_share_a_connection() -> None:
    """One that is not read holds up no other."""
    async with connected(lambda: to_publisher(Numbers(30))) as client:
        idle = aiter(from_publisher(client.request_stream(Payload(b"idle")), buffer=1))
        assert number_of(await anext(idle)) == 0
        source = from_publisher(client.request_stream(Payload(b"busy")), buffer=3)
        assert [number_of(payload) async for payload in source] == list(range(30))
        assert [number_of(payload) async for payload in idle] == list(range(1, 30))


async def test_the_client_of_rsocket_itself_reads_a_flow() -> None:
    """Its own subscriber, which requests in batches, gets all items."""
    async with connected(lambda: to_publisher(Numbers(10))) as client:
        payloads = await AwaitableRSocket(client).request_stream(Payload(b"x"), limit_rate=3)
    assert [number_of(payload) for payload in payloads] == list(range(10))


# StreamFromGenerator leaves its own generators open behind the last item.
@pytest.mark.abandons_generators
async def test_a_publisher_of_rsocket_itself_is_read() -> None:
    """The one that it makes of a generator says with the last item that it is the last."""

    def payloads() -> Iterator[tuple[Payload, bool]]:
        for number in range(7):
            yield Payload(str(number).encode()), number == 6

    async with connected(lambda: StreamFromGenerator(payloads)) as client:
        source = from_publisher(client.request_stream(Payload(b"x")), buffer=2)
        assert [number_of(payload) async for payload in source] == list(range(7))


async def test_a_subscriber_of_rsocket_itself_reads_a_flow() -> None:
    """Without a connection, too; what it cancels is cleaned up."""
    numbers = Numbers()
    collector = CollectorSubscriber(limit_rate=2, limit_count=5)
    to_publisher(numbers).subscribe(collector)
    collector.request(2)
    assert [number_of(payload) for payload in await collector.run()] == [0, 1, 2, 3, 4]
    await until(lambda: numbers.closed == 1)


def test_the_classes_of_rsocket_have_the_methods_of_the_protocols() -> None:
    """Its base classes are Publisher, Subscriber and Subscription, and nothing else is."""
    assert isinstance(DefaultPublisher(), Publisher)
    assert isinstance(DefaultSubscriber(), Subscriber)
    assert isinstance(DefaultSubscription(), Subscription)
    assert not isinstance(DefaultSubscriber(), Publisher | Subscription)
