"""Whatever is meant to be printed can be printed, also where stdout has a narrow encoding."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import fluxus_rx
from fluxus_rx import (
    Consumer,
    Flow,
    Pending,
    SimpleProducer,
    StepOptions,
    Transformer,
    check,
    from_observable,
    functional,
    graph,
    lineage,
    reactive_streams,
    run,
    rx,
    rx_pipe,
    start,
    step,
    stream_pipe,
    streams,
    viz,
)
from fluxus_rx._common.encoding import PrintedText, printed, to_print
from fluxus_rx._errors import encodable
from fluxus_rx._monitoring.displays import Lines
from fluxus_rx.testing import run_virtual

ENCODINGS = ["cp1252", "ascii", "latin-1", "cp437", "cp1250", "shift_jis", "utf-8"]
FACES = [fluxus_rx, functional, graph, lineage, reactive_streams, rx, streams, viz]


@contextlib.contextmanager
def narrow(encoding: str) -> Iterator[io.BytesIO]:
    """What stdout and stderr have written, which refuse what their encoding doesn't have."""
    written = io.BytesIO()
    # Not by a fixture: pytest has streams of its own for each phase of a test.
    with (
        io.TextIOWrapper(written, encoding, errors="strict", write_through=True) as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        yield written


class Halve(Transformer[Any, Any]):
    def __init__(self, where: str) -> None:
        self.where = where

    def transform(self, product: Any) -> Iterator[Any]:
        yield product


class Count(Consumer[Any, int]):
    def consume(self, products: Any) -> int:
        return len([*products])


def falle(größe: str, wo: str = "") -> Any:
    if größe == "東京":
        raise ValueError("too far → ✗")
    return {"länge": len(größe)}


def flow() -> Any:
    source = step("städte", [{"größe": "東京"}, {"größe": "Zürich…"}])
    return source >> (step("länge", falle, wo="→") & step("x", falle)).options(on_error="collect")


async def steered() -> list[Any]:
    async with start(flow()) as under_way:
        result = await under_way.result()
        stats = under_way.stats()
        return [under_way, result, stats, stats.explain(), stats["länge"]]


def objects() -> Iterator[Any]:
    """One of each kind that says what it is."""
    whole = flow()
    yield from (whole, check(whole), whole.describe(), graph.FlowGraph.of(whole, paths=True))
    yield from (*check(whole), *graph.FlowGraph.of(whole).nodes, *graph.FlowGraph.of(whole).edges)
    yield viz.to_tree(whole)
    yield from (SimpleProducer(["→ 東"]) >> Halve("größe"), rx_pipe(falle, name="größe"))
    yield from (stream_pipe(falle, name="größe"), Flow(SimpleProducer(["→"]), Count()))
    yield from (
        Halve("→") & Halve("東"),
        Halve("→").buffered(2, "error"),
    )
    yield from_observable(rx.to_observable(_nothing()), "größe")
    yield reactive_streams.to_publisher(SimpleProducer(["東"]))
    yield StepOptions(ordered="größe")
    told: list[Any] = []
    result = run(whole, timestamps=True, progress=told.append)
    yield from (result, result.failures, *result.failures, result.summary(), *told, *told[-1].steps)
    yield from result.summary().steps
    yield from run_virtual(steered)
    for made in (lambda: step("a b…", falle), lambda: whole >> "→", lambda: run(whole >> _needy())):
        with pytest.raises(fluxus_rx.FlowError) as caught:
            made()
        yield from (caught.value, *getattr(caught.value, "__notes__", ()))
    with pytest.raises(ValueError, match="far") as far:
        run(step("städte", [{"größe": "東京"}]) >> step("länge", falle))
    far.value.args = ()  # which are the user's
    yield "".join(traceback.format_exception_only(far.value))


async def _nothing() -> Any:
    return
    yield


def _needy() -> Any:
    return step("needy", lambda preis: {})


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_text_can_be_printed(encoding: str) -> None:
    """By itself, by its repr, and in a list."""
    with narrow(encoding) as written:
        for one in objects():
            print(one, repr(one), [one], f"{one}")
        for style in ("tree", "text", "mermaid"):
            flow().draw(style)
        run(flow(), timestamps=True).draw_timeline()
        assert written.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_reports_are_made_of_can_be_printed(encoding: str) -> None:
    """Paths, notes, findings and sentences, one by one."""

    def fail(n: int) -> dict[str, int]:
        raise ValueError("no")

    with narrow(encoding) as written:
        whole: Any = step("src", [{"n": 1}]) >> step("µs", fail).options(on_error="collect")
        failures = run(whole).failures
        for again in (failures, pickle.loads(pickle.dumps(failures)), copy.copy(failures)):
            failure = again[0]
            print(failure.path, [failure.path], f"{failure.path:>30}", failure.note)
            assert failure.path == "src → µs"
        pending = Pending("s", "src → s", 1)
        for one in (pending, pickle.loads(pickle.dumps(pending))):
            print(one.path, [one.path])
        for finding in check(whole):
            print(finding.step, finding.text, finding.remedy)
        explained = run_virtual(steered)[3]
        print(explained.sentence)
        assert written.getvalue()


def test_a_path_is_pickled_and_written_as_plain_text() -> None:
    """A reader elsewhere needs no class of the library."""
    path = PrintedText("a → b")
    assert type(pickle.loads(pickle.dumps(path))) is str
    assert json.dumps(path, ensure_ascii=False) == '"a → b"'


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_line_of_progress_is_written_in_any_encoding(encoding: str) -> None:
    """None is left out."""
    told: list[Any] = []
    run(flow(), progress=told.append)
    with narrow(encoding) as written:
        for progress in told:
            Lines().show(progress)
        assert len(written.getvalue().splitlines()) == len(told)


def test_a_log_has_plain_characters_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """A file of a narrow encoding gets each line; names and values are the user's."""
    caplog.set_level(logging.INFO, logger="fluxus_rx")
    run(step("src", [{"x": 1}]) >> step("a", lambda x: {"y": x}, x=2))
    assert caplog.records
    assert all(record.getMessage().isascii() for record in caplog.records)


def test_what_the_encoding_has_stays() -> None:
    """All in UTF-8; else, characters of drawings have plain ones of their width."""
    text = "a → ä, 東 ├─"
    assert to_print(text) == text
    assert encodable(text, io.TextIOWrapper(io.BytesIO(), "latin-1")) == "a > ä, \\u6771 +-"
    assert encodable(text, None) == text


def test_each_public_class_that_says_what_it_is_can_be_printed() -> None:
    """Its own `repr` and `str` are made for stdout."""
    unready = [
        f"{kind.__name__}.{name}"
        for face in FACES
        for kind in map(face.__dict__.get, face.__all__)
        if isinstance(kind, type) and not issubclass(kind, BaseException)
        for name in ("__repr__", "__str__")
        if inspect.isfunction(method := getattr(kind, name))
        and method.__module__.startswith("fluxus_rx")
        and not hasattr(method, "__wrapped__")
    ]
    assert unready == []


def test_a_drawing_in_a_file_has_its_characters(tmp_path: Any) -> None:
    """Whatever stdout has: files are UTF-8."""
    with narrow("ascii"):
        flow().draw("tree", file=tmp_path / "flow.txt")
    assert "▷ städte" in (tmp_path / "flow.txt").read_text(encoding="utf-8")


def test_a_class_of_which_nothing_is_said_stays_as_it_is() -> None:
    class Plain: ...

    assert printed(Plain) is Plain
    assert "__repr__" not in vars(Plain)
