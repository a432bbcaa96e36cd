"""No view of a flow, and no text of a run, shows a value that is secret."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fluxus_rx import (
    AsyncTransformer,
    MissingAttributeError,
    Producer,
    RunResult,
    SimpleProducer,
    StepOptions,
    Transformer,
    check,
    run,
    step,
)
from fluxus_rx.graph import FlowGraph
from fluxus_rx.viz import to_dot, to_mermaid, to_tree

SECRET = "s3cret-0123456789"

HEADERS = {"Authorization": f"Bearer {SECRET}"}


def ask(n: int, api_key: str, headers: Any = None, dsn: str = "", **more: Any) -> Any:
    raise ValueError("bad request")


def replace(failure: Any, token: str) -> Any:
    return {"y": 1}


class Reading(Producer[dict[str, Any]]):
    def __init__(self, url: str, password: str) -> None:
        self.url = url
        self._password = password

    def produce(self) -> Iterator[dict[str, Any]]:
        yield {"n": 1, "password": self._password}


class Asking(Transformer[Any, Any]):
    def __init__(self, api_key: str) -> None:
        self.api_key = api_key

    def transform(self, product: Any) -> Iterator[Any]:
        raise ValueError("bad request")
        yield


class AskingAsync(AsyncTransformer[Any, Any]):
    def __init__(self, credentials: Any) -> None:
        self.credentials = credentials

    async def atransform(self, product: Any) -> Any:
        raise ValueError("bad request")
        yield


def flows() -> dict[str, Any]:
    source = step("source", [{"n": 1}])
    own = step("source", [{"n": 1, "api_key": SECRET, "token": SECRET, "headers": HEADERS}])
    url = f"db://me:{SECRET}@host/db"
    partial = functools.partial(ask, api_key=SECRET)
    return {
        "fixed": source >> step("ask", ask, api_key=SECRET, headers=HEADERS, dsn=url),
        "fixed, and hidden": own >> step("ask", ask, api_key=SECRET),
        "partial": source >> step("ask", partial),
        "attributes": own >> step("ask", ask),
        "missing": own
        >> step("ask", lambda other: {}, other=1).options(timeout=5)
        >> step("more", lambda another, api_key: {}, api_key=SECRET),
        "on_error": source
        >> step("ask", ask, api_key=SECRET).options(
            on_error=functools.partial(replace, token=SECRET)
        ),
        "class": Reading(url, SECRET) >> Asking(SECRET),
        "async class": Reading(url, SECRET) >> AskingAsync({"user": "me", "key": SECRET}),
        "group": source
        >> (step("ask", ask, api_key=SECRET) & step("again", ask, api_key=SECRET).options(retry=1)),
        "data": SimpleProducer([{"password": SECRET}]) >> Asking(SECRET),
    }


def views(flow: Any) -> Iterator[tuple[str, str]]:
    yield "repr", repr(flow)
    yield "str", str(flow)
    yield "description", repr(flow.describe())
    yield "graph", repr(FlowGraph.of(flow))
    yield "check", str(check(flow)) + repr([*check(flow)])
    yield "dot", to_dot(flow)
    yield "mermaid", to_mermaid(flow)
    yield "tree", to_tree(flow)
    yield "bundle", str(flow._repr_mimebundle_(include=["text/plain", "text/vnd.mermaid"]))
    for style in ("text", "tree", "mermaid"):
        flow.draw(style, file=(file := io.StringIO()))
        yield f"drawing {style}", file.getvalue()


def texts_of_runs(flow: Any, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, str]]:
    caplog.clear()
    try:
        run(flow)
    except Exception as error:
        yield "error", f"{error!r} {error} {getattr(error, '__notes__', ())}"
    told: list[Any] = []
    collecting = StepOptions(on_error="collect")
    partial: list[RunResult] = []
    with contextlib.suppress(MissingAttributeError):  # which is never collected
        partial.append(
            run(flow, options=collecting, timestamps=True, progress=told.append, partial=partial)
        )
    result = partial[0]
    yield "progress", f"{told} {told[-1]}"
    yield "failures", f"{result.failures!r} {[str(failure) for failure in result.failures]}"
    yield "summary", str(result.summary())
    for ending in ("txt", "html", "json"):
        result.draw_timeline(file=(file := io.StringIO()), format=ending)
        yield f"timeline {ending}", file.getvalue()
    yield "log", "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", flows())
def test_no_text_shows_a_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a drawing nor an expression, neither a note nor a log."""
    caplog.set_level(logging.DEBUG, logger="fluxus_rx")
    flow = flows()[name]
    shown = [*views(flow), *texts_of_runs(flow, caplog)]
    assert [(where, text) for where, text in shown if SECRET in text] == []


def test_what_is_given_and_what_is_described_are_not_masked() -> None:
    """A function gets its arguments, a result has its data, a description the values themselves."""
    flow = step("source", {"token": SECRET}) >> step(
        "ask", lambda token, api_key: {"password": token + api_key}, api_key=SECRET
    )
    assert run(flow)[0][0]["ask"] == {"password": SECRET + SECRET}
    assert step("ask", ask, api_key=SECRET).describe().arguments == {"api_key": SECRET}  # type: ignore[union-attr]  # a description
