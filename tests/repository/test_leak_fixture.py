"""The fixture that every test of this project runs under catches what it says it does."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

pytest_plugins = "pytester"

CONFTEST = (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8")

SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_debug = true
asyncio_default_fixture_loop_scope = function
filterwarnings = error
timeout = 20
markers =
    abandons_generators: leaves an async generator to the garbage collector on purpose
"""

IMPORTS = """
import asyncio
import threading
import time

import pytest
import uvloop

async def numbers():
    yield 1
    yield 2

async def fail():
    raise ValueError("nobody looks")

kept = []
"""

LEAKS = {
    "a task": (
        """
        async def test():
            kept.append(asyncio.create_task(asyncio.sleep(60)))
        """,
        "task left running",
    ),
    "a task in a loop of the test's own": (
        """
        def test():
            async def main():
                kept.append(asyncio.create_task(asyncio.sleep(60)))
            asyncio.run(main())
        """,
        "task left running",
    ),
    "a task in a loop in a thread": (
        """
        def test():
            async def main():
                kept.append(asyncio.create_task(asyncio.sleep(60)))
            thread = threading.Thread(target=asyncio.run, args=(main(),))
            thread.start()
            thread.join()
        """,
        "task left running",
    ),
    "a task in a loop that is not wound up": (
        """
        def test():
            loop = asyncio.new_event_loop()
            kept.append(loop.create_task(asyncio.sleep(60)))
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        """,
        "task left running",
    ),
    "a task in a loop of uvloop": (
        """
        def test():
            async def main():
                kept.append(asyncio.create_task(asyncio.sleep(60)))
            uvloop.run(main())
        """,
        "task left running",
    ),
    "a thread": (
        """
        def test():
            event = threading.Event()
            kept.append(event)
            threading.Thread(target=event.wait, args=(10,), daemon=True).start()
        """,
        "thread left running",
    ),
    "an open async generator": (
        """
        async def test():
            generator = numbers()
            await anext(generator)
            kept.append(generator)
        """,
        "async generator left open: 'numbers'",
    ),
    "an open async generator in a loop of the test's own": (
        """
        def test():
            async def main():
                kept.append(numbers())
                await anext(kept[-1])
            asyncio.run(main())
        """,
        "async generator left open: 'numbers'",
    ),
    "an open async generator in a loop of uvloop": (
        """
        def test():
            async def main():
                kept.append(numbers())
                await anext(kept[-1])
            uvloop.run(main())
        """,
        "async generator left open: 'numbers'",
    ),
    "an async generator dropped halfway": (
        """
        async def test():
            async for _ in numbers():
                break
            await asyncio.sleep(0)
        """,
        "async generator 'numbers' was left to the garbage collector",
    ),
    "an exception that nobody retrieves": (
        """
        async def test():
            task = asyncio.create_task(fail())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        """,
        "exception was never retrieved",
    ),
    "an exception that nobody retrieves, in a reference cycle": (
        """
        async def test():
            future = asyncio.get_running_loop().create_future()
            future.set_exception(ValueError("nobody looks"))
            cycle = [future]
            cycle.append(cycle)
        """,
        "exception was never retrieved",
    ),
    "an exception in a callback of the loop": (
        """
        async def test():
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
        """,
        "ZeroDivisionError",
    ),
    "an exception lost in a finalizer": (
        """
        class Bad:
            def __init__(self):
                self.me = self
            def __del__(self):
                raise ValueError("in the finalizer")
        def test():
            Bad()
        """,
        "exception lost in a finalizer",
    ),
    "a coroutine that nobody awaits": (
        """
        def test():
            fail()
        """,
        "was never awaited",
    ),
}

CLEAN = """
class Later:
    async def __aenter__(self):
        self.task = asyncio.create_task(asyncio.sleep(60))
    async def __aexit__(self, *exc_info):
        self.task.cancel()
        await asyncio.wait([self.task])

@pytest.fixture
async def background():
    async with Later():
        yield

async def test_fixture_with_a_task(background):
    await asyncio.sleep(0)

async def test_task_awaited():
    await asyncio.create_task(asyncio.sleep(0))

async def test_generator_closed():
    generator = numbers()
    await anext(generator)
    await generator.aclose()

async def test_generator_exhausted():
    assert [n async for n in numbers()] == [1, 2]

async def test_default_executor():
    await asyncio.to_thread(time.sleep, 0)

def test_loop_of_its_own():
    async def main():
        assert [n async for n in numbers()] == [1, 2]
        await asyncio.to_thread(time.sleep, 0)
    asyncio.run(main())
    uvloop.run(main())

def test_thread_that_ends_soon():
    threading.Thread(target=time.sleep, args=(0.05,)).start()

@pytest.mark.abandons_generators
async def test_generator_abandoned_on_purpose():
    async for _ in numbers():
        break
    await asyncio.sleep(0)

def test_error_with_a_handler_of_its_own():
    async def main():
        seen = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: seen.append(context))
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        assert len(seen) == 1
    asyncio.run(main())
"""


def complaints(pytester: pytest.Pytester, text: str) -> dict[str, str]:
    """What pytest says of each test in this text, under a copy of the project's conftest.

    In a process of its own: a leak of an inner test must not become one of the outer test.
    """
    pytester.makeini(SETTINGS)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(text)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--junit-xml=report.xml")
    report = ElementTree.parse(pytester.path / "report.xml")
    said: dict[str, str] = {}
    for case in report.iter("testcase"):
        # A test that passes and has an error in its teardown is reported twice.
        parts = [part.text or "" for part in case if part.tag in ("failure", "error", "skipped")]
        name = case.get("name", "")
        said[name] = said.get(name, "") + "".join(parts)
    assert result.ret == (1 if any(said.values()) else 0)
    return said


def test_each_kind_of_leak_fails_its_own_test_and_no_other(pytester: pytest.Pytester) -> None:
    """All leaks in one process, each with an innocent test after it."""
    text = IMPORTS
    expected: dict[str, str] = {}
    for what, (body, message) in LEAKS.items():
        name = re.sub(r"\W+", "_", what)
        text += dedent(body).replace("def test()", f"def test_{name}()")
        text += f"def test_after_{name}(): pass\n"
        expected |= {f"test_{name}": message, f"test_after_{name}": ""}
    said = complaints(pytester, text)
    assert said.keys() == expected.keys()
    for name, message in expected.items():
        if message:
            assert message in said[name], name
        else:
            assert not said[name], name


def test_what_cleans_up_passes(pytester: pytest.Pytester) -> None:
    """Nothing that a test may rightly do is taken for a leak."""
    said = complaints(pytester, IMPORTS + CLEAN)
    assert len(said) == CLEAN.count("def test_")
    assert not any(said.values()), said


def test_doctests_outside_the_tests_directory_are_held_to_it_too(
    pytester: pytest.Pytester,
) -> None:
    """The package's own examples run under the same rule."""
    pytester.mkdir("tests").joinpath("conftest.py").write_text(CONFTEST, encoding="utf-8")
    pytester.makeini(f"{SETTINGS}\ntestpaths = tests package.py\naddopts = --doctest-modules")
    pytester.makepyfile(
        package="""
        '''
        >>> import threading
        >>> threading.Thread(target=threading.Event().wait, args=(10,), daemon=True).start()
        '''
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["thread left running*"])
