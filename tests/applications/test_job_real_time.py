"""Sensors on a page that updates itself, for slow and fast readers."""

from __future__ import annotations

import asyncio
import json
import runpy
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve

from fluxus_rx import Failure, run, step
from tests.support.browser import browser, console_errors, picture

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SENSORS = ["attic", "cellar", "roof"]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The names of the program, which is not run."""
    monkeypatch.syspath_prepend(EXAMPLES)
    path = str(EXAMPLES / "real_time.py")
    return SimpleNamespace(**runpy.run_path(path, run_name="real_time"))


def test_a_dropped_connection_is_made_again_and_a_malformed_message_is_a_failure(
    program: Any,
) -> None:
    """No reading is lost or comes twice, and each sensor's stay in order."""
    failures: list[Failure] = []
    with program.sensors(40, every=0.001, malformed=3, dropped=2) as url:
        sensors = program.Sensors(url)
        result = run(program.watching(sensors, SENSORS, failures.append))
    assert sensors.lost == dict.fromkeys(SENSORS, 2)
    readings = [reading for output in result[0] for reading in output["window"]["window"]]
    assert sum(result.values("readings")) == len(readings) == 3 * 37
    for name in SENSORS:
        numbers = [
            json.loads(one["message"])["number"] for one in readings if one["sensor"] == name
        ]
        assert numbers == [number for number in range(40) if number not in (7, 20, 33)]
    assert sorted(failure.lineage["sensor"]["sensor"] for failure in failures) == sorted(
        SENSORS * 3
    )
    assert {failure.lineage["message"]["message"] for failure in failures} == {"{malformed"}


def test_a_server_that_is_gone_ends_the_run(program: Any) -> None:
    """Nobody waits for it: Ctrl-C while a sensor reconnects would never end the program."""
    with program.sensors(1) as url:
        pass
    with pytest.raises(ConnectionRefusedError):
        run(program.watching(program.Sensors(url), SENSORS, print))


class Feed:
    """Windows that come when a test says so."""

    def __init__(self, program: Any) -> None:
        self.queue: asyncio.Queue[int | None] = asyncio.Queue()
        self.dashboard = program.Dashboard(step("average", self.windows), program.POLICIES)

    async def windows(self) -> AsyncIterator[dict[str, Any]]:
        while (number := await self.queue.get()) is not None:
            yield {"means": {"attic": float(number)}, "readings": number, "sent": 0.0}

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Callable[[str], Any]]:
        """How to connect to the page as a reader of some name."""
        show, page = self.dashboard.show, self.dashboard.page
        async with serve(show, "127.0.0.1", 0, process_request=page) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with self.dashboard.hub:
                yield lambda name: connect(f"ws://{address}{name}", proxy=None)


async def shown(connection: ClientConnection) -> int:
    """The number of the window that comes next."""
    window: dict[str, int] = json.loads(await connection.recv())
    return window["readings"]


async def test_a_slow_reader_gets_the_newest_and_delays_nobody(program: Any) -> None:
    """The fast one gets all, and what the slow one doesn't get is counted."""
    feed = Feed(program)
    async with feed.served() as reader, reader("/slow") as slow, reader("/fast") as fast:
        feed.queue.put_nowait(0)
        assert (await shown(slow), await shown(fast)) == (0, 0)
        for number in range(1, 11):  # while the slow one draws
            await fast.send("drawn")
            feed.queue.put_nowait(number)
            assert await shown(fast) == number
        await slow.send("drawn")
        assert await shown(slow) == 10
        for connection in (slow, fast):
            await connection.send("drawn")
        feed.queue.put_nowait(None)
        await asyncio.gather(slow.wait_closed(), fast.wait_closed())
    dashboard = feed.dashboard
    assert {name: len(seen) for name, seen in dashboard.seconds.items()} == {
        "/slow": 2,
        "/fast": 11,
    }
    assert (dashboard.dropped("/slow"), dashboard.dropped("/fast")) == (9, 0)


async def test_a_reader_that_leaves_disturbs_no_other(program: Any) -> None:
    """Neither while it draws, nor without a goodbye."""
    feed = Feed(program)
    async with feed.served() as reader, reader("/fast") as fast:
        async with reader("/slow") as leaving:
            feed.queue.put_nowait(0)
            assert (await shown(leaving), await shown(fast)) == (0, 0)
        gone = await reader("/slow")
        gone.transport.abort()
        for number in (1, 2):
            await fast.send("drawn")
            feed.queue.put_nowait(number)
            assert await shown(fast) == number
        feed.queue.put_nowait(None)
        await gone.wait_closed()


@contextmanager
def live(program: Any) -> Iterator[str]:
    """A dashboard in a thread, of sensors that go on for as long as the block lasts."""
    begun: list[str] = []
    ready, ended = threading.Event(), threading.Event()

    async def watch() -> None:
        async with (
            serve(dashboard.show, "127.0.0.1", 0, process_request=dashboard.page) as server,
            dashboard.hub,
        ):
            begun.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            ready.set()
            await asyncio.to_thread(ended.wait)

    with program.sensors(100_000) as url:
        flow = program.watching(program.Sensors(url), SENSORS, print)
        dashboard = program.Dashboard(flow, program.POLICIES)
        thread = threading.Thread(target=asyncio.run, args=[watch()])
        thread.start()
        try:
            assert ready.wait(10)
            yield begun[0]
        finally:
            ended.set()
            thread.join()


def number(driver: Chrome, name: str) -> int:
    return int(driver.find_element(By.ID, name).text)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_page_updates_itself_in_a_browser(program: Any, tmp_path: Path) -> None:
    """For a fast and a slow reader, who misses windows; no page has an error."""
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    with live(program) as url, browser(blank, size=(760, 420)) as driver:
        for name in ("fast", "slow"):
            driver.get(f"{url}/{name}")
            WebDriverWait(driver, 30).until(lambda it: number(it, "shown") >= 4)
            rows = driver.find_elements(By.CSS_SELECTOR, "#sensors tr")
            assert [row.text.split()[0] for row in rows] == SENSORS
            for row in rows:
                points = row.find_element(By.TAG_NAME, "polyline").get_attribute("points")
                assert points is not None
                assert len(points.split()) >= 4
            assert driver.find_element(By.ID, "reader").text == name
            assert driver.find_element(By.ID, "state").text == "live:"
            assert name == "fast" or number(driver, "dropped") > 0
            picture(driver, f"live_page_{name}")
        assert console_errors(driver) == []


@pytest.mark.slow
def test_the_program_tells_what_each_reader_has_seen(
    program: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many windows are shown and dropped for the slow one as for the fast one."""
    program.main(tmp_path, small=True)
    printed = capsys.readouterr().out
    assert "reconnected: attic cellar roof" in printed
    assert "6 malformed messages, the first: Expecting property name" in printed
    for name in ("/fast", "/slow"):
        assert f"\n{name}: " in printed
    assert len([*tmp_path.glob("latency*.svg")]) == 2  # light and dark
    assert (tmp_path / "flow_dark.svg").exists() == (shutil.which("dot") is not None)
