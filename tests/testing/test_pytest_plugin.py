"""The pytest plugin: a mark and a fixture for virtual time, in tests of users."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import asyncio
import time

import pytest

from fluxus_rx import run, step


async def slow(x):
    await asyncio.sleep(3600)
    return {"y": x}


flow = step("source", [{"x": 1}]) >> step("slow", slow)


@pytest.fixture
def began():
    return time.monotonic()


@pytest.fixture
def ran():
    return run(flow)


@pytest.mark.virtual_time
def test_a_plain_test(ran, began):
    assert run(flow).values("slow.y") == ran.values("slow.y") == [1]
    assert time.monotonic() - began < 60


@pytest.mark.virtual_time
async def test_an_asynchronous_test(began):
    await asyncio.sleep(86_400)
    assert asyncio.get_running_loop().time() == 86_400
    assert time.monotonic() - began < 60


@pytest.mark.virtual_time(patience=0.01)
class TestMethods:
    @pytest.mark.parametrize("seconds", [1, 2])
    async def test_a_method(self, seconds):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.sleep(10)
        assert asyncio.get_running_loop().time() == seconds
        assert isinstance(self, TestMethods)

    async def test_a_deadlock_is_an_error(self):
        await asyncio.Event().wait()


def test_the_fixture(virtual_time):
    assert virtual_time(asyncio.sleep(5, "slept")) == "slept"
    assert virtual_time(lambda: asyncio.sleep(5, asyncio.get_event_loop_policy())) is not None
    assert run(flow).values("slow.y") == [1]


@pytest.mark.virtual_time
def test_both(virtual_time):
    assert virtual_time(asyncio.sleep(5, "slept")) == "slept"


@pytest.mark.virtual_time(5)
def test_wrong_arguments():
    pass


def test_real_time_comes_back(began):
    asyncio.run(asyncio.sleep(0.01))
    assert time.monotonic() - began >= 0.01
"""


#: Warnings are errors, but for one of pytest-asyncio about its own settings.
INI = """
[pytest]
filterwarnings =
    error
    ignore:The configuration option "asyncio_default_fixture_loop_scope"
"""


def told_by_pytest(folder: Path, *arguments: str, text: str = TESTS) -> str:
    """What pytest prints of these tests, in a process and a folder of its own."""
    (folder / "test_flows.py").write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text(INI, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_fluxus_rx", "-p", "no:cacheprovider",
         "--strict-markers", "-vv", *arguments],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-p", "no:asyncio", "-p", "no:anyio"], id="alone"),
        pytest.param(["--asyncio-mode=auto"], id="beside pytest-asyncio"),
        pytest.param(["--asyncio-mode=strict"], id="beside pytest-asyncio, strict"),
    ],
)
def test_marked_tests_and_the_fixture_run_in_virtual_time(
    arguments: list[str], tmp_path: Path
) -> None:
    """Plain and asynchronous ones, methods, and fixtures that they use; and no others."""
    told = told_by_pytest(tmp_path, *arguments)
    assert re.search(r"1 failed, 7 passed, 1 error in", told), told
    assert "DeadlockError: nothing is left to wait for at 0 s of virtual time" in told
    assert "@pytest.mark.virtual_time takes no more than patience=, in real seconds; got 5" in told


def test_the_mark_works_where_a_fixture_of_the_user_has_its_name(tmp_path: Path) -> None:
    """The user's fixture stays what it is."""
    text = """
import asyncio
import pytest

@pytest.fixture
def virtual_time():
    return 42

@pytest.mark.virtual_time
async def test_marked(virtual_time):
    await asyncio.sleep(86_400)
    assert virtual_time == 42
"""
    assert "1 passed in" in told_by_pytest(tmp_path, text=text)


def test_the_start_of_pytest_does_not_import_the_library(tmp_path: Path) -> None:
    """Nor does a test that asks for no virtual time: reactivex alone takes a tenth of a second."""
    text = """
import sys

def test_nothing():
    assert "pytest_fluxus_rx" in sys.modules
    assert not {"aiostream", "fluxus_rx", "reactivex"} & sys.modules.keys()
"""
    assert "1 passed in" in told_by_pytest(tmp_path, text=text)


def test_the_plugin_is_an_entry_point() -> None:
    """Its name is that of the module, so that `-p` and pytest's own loading don't load it twice."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    assert settings["options.entry_points"]["pytest11"].split() == [
        "pytest_fluxus_rx", "=", "pytest_fluxus_rx",
    ]  # fmt: skip
    assert settings["options"]["py_modules"] == "pytest_fluxus_rx"
