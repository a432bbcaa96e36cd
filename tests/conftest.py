"""What holds for every test: a test cleans up, and whatever went wrong behind its back is told.

A test fails if it leaves a task, a thread or an open async generator behind, if an event loop
reported an error that nobody asked for, or if an exception was lost in a finalizer.
"""

from __future__ import annotations

import asyncio
import asyncio.constants
import contextlib
import gc
import logging
import os
import reprlib
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from types import AsyncGeneratorType
from typing import Any

import hypothesis
import pytest

# The setting of pytest-asyncio holds for the loops that it makes; this one for those of `run()`.
os.environ.setdefault("PYTHONASYNCIODEBUG", "1")

# Debug mode takes the stack for each handle and each future, and that took a third of the time of
# all tests. Set FLUXUS_RX_STACKS to see where a task that was left running was made.
asyncio.constants.DEBUG_STACK_DEPTH = 10 if os.environ.get("FLUXUS_RX_STACKS") else 0  # type: ignore[misc]
if not os.environ.get("FLUXUS_RX_STACKS"):
    # Futures and tasks of C keep this very function, and ask for the whole stack.
    traceback.extract_stack.__defaults__ = (None, 0)

hypothesis.settings.register_profile("dev", deadline=None, max_examples=30)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=20, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

#: Programs: tests run them, each in a process of its own.
collect_ignore_glob = ["applications/field/*.py"]

#: How long a thread may take to end after the test that started it, in seconds.
PATIENCE = 2.0

Loop = asyncio.AbstractEventLoop
AnyGenerator = AsyncGeneratorType[Any, Any]

_short = reprlib.Repr()
_short.maxother = 160


class Leftovers:
    """What one test leaves behind, noted where it shows: before loops are wound up.

    `asyncio.Runner` cancels the tasks and closes the generators that are left when it closes, so
    that afterwards there is nothing to see.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self.abandoned: list[str] = []
        self._generators: weakref.WeakKeyDictionary[AnyGenerator, weakref.ref[Loop]]
        self._generators = weakref.WeakKeyDictionary()
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self._seen.update(_unfinished_tasks(None))

    def iterated(self, generator: AnyGenerator) -> None:
        """An async generator was iterated for the first time."""
        with contextlib.suppress(RuntimeError):
            self._generators[generator] = weakref.ref(asyncio.get_running_loop())

    def collected(self, generator: AnyGenerator) -> None:
        """An async generator reached the garbage collector while it was suspended."""
        if generator not in self._seen:
            self._seen.add(generator)
            self.abandoned.append(
                f"async generator {generator.__qualname__!r} was left to the garbage collector"
            )

    def note(self, loop: Loop | None) -> None:
        """Note what is unfinished on this loop, or on any."""
        for task in _unfinished_tasks(loop):
            if task not in self._seen:
                self._seen.add(task)
                # Closing a generator that nobody closed takes a task: one complaint is enough.
                if getattr(task.get_coro(), "__name__", "") != "aclose":
                    self.found.append(f"task left running: {_short.repr(task)}")
        for generator, its_loop in list(self._generators.items()):
            if (
                (loop is None or its_loop() is loop)
                and generator.ag_frame is not None
                and generator not in self._seen
            ):
                self._seen.add(generator)
                self.found.append(f"async generator left open: {generator.__qualname__!r}")


def _unfinished_tasks(loop: Loop | None) -> list[asyncio.Task[Any]]:
    if loop is not None:
        return list(asyncio.all_tasks(loop))
    known: set[asyncio.Task[Any]] = set()
    for registry in ("_all_tasks", "_scheduled_tasks", "_eager_tasks"):
        # Another thread may add to the registry while it is read, as in `asyncio.all_tasks`.
        for _ in range(100):
            with contextlib.suppress(RuntimeError):
                known.update(getattr(asyncio.tasks, registry, ()))
                break
    return [task for task in known if not task.done()]


class ErrorLog(logging.Handler):
    """What event loops report that no handler of the test's own has taken.

    The default exception handler logs: "never retrieved", "was destroyed", "Exception in callback".
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            # The text alone: a kept exception would keep alive what its frames hold.
            message += f"\n{record.exc_info[1]!r}"
        self.messages.append(message)


_current: Leftovers | None = None


def _watch_generators() -> None:
    """See each async generator that a loop sees, with asyncio's loops and with uvloop's.

    For good, and before uvloop is imported, since it keeps a reference to the function.
    """
    set_hooks = sys.set_asyncgen_hooks

    def wrapped(hook: Callable[[AnyGenerator], None] | None, event: str) -> Any:
        if hook is None or hasattr(hook, "__wrapped__"):
            return hook

        def tell_and_call(generator: AnyGenerator) -> None:
            if _current is not None:
                getattr(_current, event)(generator)
            hook(generator)

        tell_and_call.__wrapped__ = hook  # type: ignore[attr-defined]
        return tell_and_call

    def set_asyncgen_hooks(*args: Any, **kwargs: Any) -> None:
        hooks = dict(zip(("firstiter", "finalizer"), args, strict=False)) | kwargs
        if "firstiter" in hooks:
            hooks["firstiter"] = wrapped(hooks["firstiter"], "iterated")
        if "finalizer" in hooks:
            hooks["finalizer"] = wrapped(hooks["finalizer"], "collected")
        set_hooks(**hooks)

    sys.set_asyncgen_hooks = set_asyncgen_hooks


_watch_generators()


@contextlib.contextmanager
def _noted_before(owner: Any, name: str, leftovers: Leftovers) -> Iterator[None]:
    """Note what is left on a loop before this function winds it up, whose first argument is the
    loop, or has it."""
    wind_up = getattr(owner, name)

    def note_and_wind_up(first: Any, *args: Any) -> Any:
        loop: Loop = getattr(first, "loop", first)
        if not loop.is_closed():
            leftovers.note(loop)
        return wind_up(first, *args)

    setattr(owner, name, note_and_wind_up)
    try:
        yield
    finally:
        setattr(owner, name, wind_up)


def _library_loops() -> tuple[Any, str]:
    """What winds up the loops of `run()`, if the library is there."""
    kept_loop = sys.modules.get("fluxus_rx._loops.kept_loop")
    return (asyncio.BaseEventLoop if kept_loop is None else kept_loop.KeptLoop), "close"


def _wait_for_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    deadline = time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threading.enumerate() if thread not in before]


class _Modules:
    """How many modules there were when the objects of the session were last frozen."""

    count = 0


def _collect() -> list[str]:
    """Collect garbage, and tell what finalizers raised.

    What was there before the first test, or came with an import, is frozen: a collection then looks
    at what the test itself has made, and takes a millisecond rather than a hundred.
    """
    lost: list[str] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: lost.append(
        f"exception lost in a finalizer: {args.exc_value!r} in {args.object!r}"
    )
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook
    if _Modules.count != len(sys.modules):
        _Modules.count = len(sys.modules)
        gc.freeze()
    return lost


class Cleanliness:
    """A plugin, and not a fixture of this file, so that it holds for the doctests of the package.

    Its fixture comes before all others, and so ends last: after those of the test, and after the
    loop that pytest-asyncio made for it is closed.
    """

    @pytest.fixture(autouse=True)
    def nothing_left_behind(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Fail a test that leaves a task, a thread, an async generator or an error behind."""
        global _current
        outer = _current  # A test of this fixture runs tests in tests.
        if not _Modules.count:
            _collect()
        threads = set(threading.enumerate())
        leftovers = Leftovers()
        log = ErrorLog()
        logging.getLogger("asyncio").addHandler(log)
        _current = leftovers
        try:
            with (
                _noted_before(asyncio.runners, "_cancel_all_tasks", leftovers),
                _noted_before(asyncio.BaseEventLoop, "close", leftovers),
                # A loop of the library stays open after the test, without a task or a thread.
                _noted_before(*_library_loops(), leftovers),
            ):
                yield
                left_threads = _wait_for_threads(threads)
                leftovers.note(None)
                lost = _collect()
        finally:
            _current = outer
            logging.getLogger("asyncio").removeHandler(log)
        problems = leftovers.found + lost + log.messages
        problems += [f"thread left running: {thread!r}" for thread in left_threads]
        if not request.node.get_closest_marker("abandons_generators"):
            problems += leftovers.abandoned
        if problems:
            pytest.fail("\n".join(["The test left behind:", *problems]), pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Cleanliness(), "cleanliness")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough, unless `-m` says something of it."""
    if "thorough" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
