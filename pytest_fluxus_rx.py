"""The pytest plugin of fluxus_rx: virtual time, as a mark and as a fixture.

A module of its own beside the package, so that the start of pytest doesn't import fluxus_rx: a test
that asks for virtual time does.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from types import MethodType
from typing import Any

import pytest

__all__ = ["virtual_time"]

_MARK = "virtual_time"

#: What the mark asks for: a fixture of a user's own may be called `virtual_time`.
_FIXTURE = "_fluxus_rx_virtual_time"


@pytest.fixture(name=_FIXTURE)
def _virtual_time(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    from fluxus_rx import testing

    marker = request.node.get_closest_marker(_MARK)
    settings = _settings_of(marker) if marker else {}
    with testing.virtual_time(**settings) as run_in:
        yield run_in


@pytest.fixture
def virtual_time(_fluxus_rx_virtual_time: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Virtual time for the test: flows that it runs take no real time, however long they sleep.

    A function that runs a coroutine, or what a function without arguments makes, to its end; called
    again, it goes on with the same loop. See `fluxus_rx.testing.virtual_time`.
    """
    return _fluxus_rx_virtual_time


def _settings_of(marker: pytest.Mark) -> dict[str, Any]:
    if marker.args or marker.kwargs.keys() - {"patience"}:
        raise pytest.UsageError(
            f"@pytest.mark.{_MARK} takes no more than patience=, in real seconds; got"
            f" {', '.join([*map(repr, marker.args), *marker.kwargs])}"
        )
    return dict(marker.kwargs)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(patience=5): run the test, also an asynchronous one, in the virtual time of"
        " fluxus_rx: sleeps, time-outs, retries and timers of Rx take no real time",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test with the mark gets the fixture, before all others: what they run is in virtual
    time, too."""
    if item.get_closest_marker(_MARK) is not None:
        names: list[str] = getattr(item, "fixturenames", [])
        names.insert(0, _FIXTURE)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """An asynchronous test with the mark runs on the loop of virtual time, and on no loop that
    another plugin would make for it."""
    if (
        isinstance(item, pytest.Function)
        and item.get_closest_marker(_MARK) is not None
        and inspect.iscoroutinefunction(item.obj)
    ):
        run_in: Any = item.funcargs[_FIXTURE]
        item.obj = _synchronous(item.obj, run_in)
        # pytest-asyncio has a class of its own for such a test.
        item.runtest = MethodType(pytest.Function.runtest, item)  # type: ignore[method-assign]
    return (yield)


def _synchronous(test: Callable[..., Any], run_in: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        return run_in(test(*args, **kwargs))

    return run
