"""Exceptions of classes that can't be asked, shown or noted: their failures are kept all the
same."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

from fluxus_rx import Failures, run, step


class ApiError(Exception):
    """As those of clients that pass on what a body has."""

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["body"][name]


class Bare(Exception):
    __notes__ = None  # type: ignore[assignment]  # that is what is odd


class Unshown(Exception):
    def __str__(self) -> str:
        raise OSError("gone")

    __repr__ = __str__


class Noted(Exception):
    def __init__(self) -> None:
        self.__notes__ = [Unshown()]  # type: ignore[list-item]  # that is what is odd


KINDS = [ApiError, Bare, Unshown, Noted]


def flow_with(kind: type[Exception], **options: Any) -> Any:
    def fail(x: int) -> dict[str, int]:
        raise kind()

    return step("src", [{"x": 1}, {"x": 2}]) >> step("fail", fail).options(**options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"on_error": "skip"}, {"on_error": "collect", "retry": 2}])
def test_an_odd_error_ends_no_run_that_goes_on(
    kind: type[Exception], options: dict[str, Any]
) -> None:
    """Each call is skipped, or kept with the very error that it has raised."""
    failures = run(flow_with(kind, **options)).failures
    assert {type(failure.exception) for failure in failures} == (
        {kind} if len(options) > 1 else set()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_error_that_ends_a_run_is_raised_itself(kind: type[Exception]) -> None:
    """What looks for its notes raises nothing in its place."""
    with pytest.raises(kind):
        run(flow_with(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_failures_with_an_odd_error_are_shown_and_written(kind: type[Exception]) -> None:
    """As a text, as JSON, as a pickle, and as a table."""
    failures = run(flow_with(kind, on_error="collect")).failures
    assert "fail" in repr(failures)
    assert "fail" in str(failures[0])
    file = io.StringIO()
    failures.to_json(file)
    file.seek(0)
    for again in (Failures.from_json(file), pickle.loads(pickle.dumps(failures))):
        assert [failure.step for failure in again] == ["fail", "fail"]
        assert again[0].exception is again[0].exception
    assert failures.to_frame()["[failure]", "error"].tolist() == 2 * [kind.__name__]
