"""Applications that answer what somebody types: a search box, and autocomplete over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import arun, run, step
from fluxus_rx.testing import assert_marbles, marbles, run_virtual, virtual_time
from tests.support.applications import Service, example, now, timed
from tests.support.errors import notes
from tests.support.probes import Events, alone, until

box = example("search_box")


def typed(*texts: tuple[float, str]) -> Any:
    """A step that emits each text at its time, and ends with the last."""
    return step(
        "typed",
        reactivex.merge(
            *(reactivex.of({"text": text}).pipe(ops.delay(time)) for time, text in texts)
        ),
    )


def finding(service: Service, **options: Any) -> Any:
    """A step that asks a service."""

    async def find(text: str) -> dict[str, str]:
        return {"found": await service.ask(text)}

    return step("find", find).options(**options)


class TestSearchBox:
    def test_the_example_searches_when_the_typing_pauses(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In virtual time its output is the same each time, and takes no time."""
        with virtual_time():
            box.main()
        assert capsys.readouterr().out == "mid -> Middlemarch\nmob -> Moby-Dick\n"

    def test_a_search_begins_after_the_pause_and_its_answer_comes_when_it_is_found(self) -> None:
        """In a diagram of 100 ms a character: a pause of 200 ms, and a search of 300 ms."""
        values = {
            "a": {"text": "a"},
            "b": {"text": "b"},
            "c": {"text": "c"},
            "B": {"text": "b", "found": "b"},
            "C": {"text": "c", "found": "c"},
        }
        flow = box.searching(finding(Service(0.3)), pause=0.2)
        assert_marbles(
            flow,
            "--------B--------C|",
            source="-a-b--------c-----|",
            values=values,
            unit=0.1,
        )

    def test_a_newer_text_cancels_the_search_under_way(self) -> None:
        """Its call is given up the moment the newer search begins, and returns nothing."""
        service = Service(1)
        keys = typed((0, "a"), (0.5, "ab"), (9, "ab"))
        flow = keys >> box.searching(finding(service), pause=0.1)

        async def main() -> list[Any]:
            return [(time, found["found"]) for time, found in await timed(flow)]

        assert run_virtual(main) == [(1.6, "ab")]
        assert service.asked == [(0.1, "a"), (0.6, "ab")]
        assert service.given_up == [(0.6, "a")]

    def test_the_same_text_is_not_searched_again(self) -> None:
        """A letter that was typed and taken back changes nothing."""
        service = Service(0.5)
        keys = typed((0, "a"), (1, "ab"), (1.05, "a"), (2, "b"))
        with virtual_time():
            run(keys >> box.searching(finding(service), pause=0.1))
        assert [text for _, text in service.asked] == ["a", "b"]

    def test_what_is_found_remembers_what_was_typed(self) -> None:
        """The inner flow continues the lineage of the product that it is given."""
        with virtual_time():
            result = run(typed((0, "a")) >> box.searching(finding(Service(0.1))))
        assert result[0] == [{"typed": {"text": "a"}, "find": {"found": "a"}}]

    def test_a_failed_search_ends_the_run_and_is_named(self) -> None:
        """The very error is raised, with a note of the step and the text."""
        error = ConnectionError("catalogue is closed")
        service = Service(0.1, bad=("b",), error=error)
        keys = typed((0, "a"), (1, "b"), (2, "c"))
        with virtual_time(), pytest.raises(ConnectionError) as caught:
            run(keys >> box.searching(finding(service)))
        assert caught.value is error
        assert "'find'" in notes(error)
        assert "text='b'" in notes(error)
        assert [text for _, text in service.asked] == ["a", "b"]

    def test_a_failed_search_may_be_skipped(self) -> None:
        """With on_error="skip" on the inner step, the box goes on."""
        service = Service(0.1, bad=("b",), error=ConnectionError("catalogue is closed"))
        keys = typed((0, "a"), (1, "b"), (2, "c"))
        with virtual_time():
            result = run(keys >> box.searching(finding(service, on_error="skip")))
        assert [output["find"]["found"] for output in result[0]] == ["a", "c"]

    def test_whoever_leaves_cancels_the_debounce_and_the_search(self) -> None:
        """Left in the middle, nothing is asked any more, and no task is left."""
        service = Service(1)
        keys = typed((0, "a"), (2, "b"), (4, "c"))

        async def main() -> None:
            found = (keys >> box.searching(finding(service))).__aiter__()
            async with aclosing(found):
                await anext(found)
                await asyncio.sleep(1.5)  # the search for "b" goes on
                assert service.active == 1
            assert service.active == 0
            assert alone()
            await asyncio.sleep(10)

        run_virtual(main)
        assert service.given_up == [(2.6, "b")]
        assert [text for _, text in service.asked] == ["a", "b"]

    def test_rx_code_of_its_own_takes_the_search_as_an_operator(self) -> None:
        """The same chain of operators works outside of a flow, and disposing of it cancels."""
        service = Service(1)
        find = finding(service)
        keys: Observable[Any] = marbles("a----b----").pipe(ops.map(lambda text: {"text": text}))

        async def main() -> list[Any]:
            seen = Events()
            subscription = seen.of(keys.pipe(ops.switch_map(lambda key: reactivex.of(key) >> find)))
            await asyncio.sleep(5.5)
            subscription.dispose()
            await until(alone)
            assert now() == 5.5
            return [item["found"] for item in seen.items]

        assert run_virtual(main) == ["a"]
        assert service.given_up == [(5.5, "b")]


complete = example("autocomplete")


class TestAutocomplete:
    """Over real sockets of loopback, and so in real time; events are waited for, not times."""

    async def test_each_text_is_completed_by_the_server(self) -> None:
        """What the server knows comes with the text that it was asked for."""
        server = complete.Server()
        texts = step("typed", [{"text": "flux"}])
        async with server.running():
            result = await arun(texts >> complete.completing(server.port))
        assert result[0] == [{"typed": {"text": "flux"}, "ask": {"words": ["flux"]}}]
        assert server.answered == ["flux"]

    async def test_a_newer_text_closes_the_connection_of_the_older(self) -> None:
        """The server sees its client go away, and the older answer never comes."""
        server = complete.Server()
        texts: Subject[Any] = Subject()
        async with server.running():
            running = asyncio.create_task(
                arun(step("typed", texts) >> complete.completing(server.port))
            )
            await until(lambda: bool(texts.observers))
            texts.on_next({"text": "fl"})  # is answered late
            await until(lambda: server.asked == ["fl"])
            texts.on_next({"text": "flux"})
            await until(lambda: server.answered == ["flux"])
            texts.on_completed()
            result = await running
        assert [output["typed"]["text"] for output in result[0]] == ["flux"]
        assert server.answered == ["flux"]

    async def test_an_answer_that_is_an_error_ends_the_run(self) -> None:
        """The status of the server is in the error, and the step in its notes."""

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ConnectionError, match="503") as caught:
                await arun(step("typed", [{"text": "flux"}]) >> complete.completing(port))
        assert "'ask'" in notes(caught.value)

    async def test_a_server_that_is_gone_ends_the_run(self) -> None:
        """A refused connection is the error of the run."""
        server = complete.Server()
        async with server.running():
            pass
        with pytest.raises(ConnectionError):
            await arun(step("typed", [{"text": "flux"}]) >> complete.completing(server.port))

    async def test_a_cancelled_run_closes_its_connection(self) -> None:
        """The server hears of it, and no task of the run is left."""
        server = complete.Server()
        async with server.running():
            texts = step("typed", [{"text": "fl"}])
            running = asyncio.create_task(arun(texts >> complete.completing(server.port)))
            await until(lambda: server.asked == ["fl"])
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await until(alone)  # the server's task ends as its client goes away
        assert server.answered == []
