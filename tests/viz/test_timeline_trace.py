"""Timelines as traces in Chrome's format, for Perfetto and speedscope."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxus_rx import InvalidOptionError, RunResult, UsageError, run, step
from fluxus_rx.viz._timeline import trace
from fluxus_rx.viz._timeline.model import Timeline
from tests.support.timelines import call, failing, odd, result, run_of, small, wide

#: What the format's specification demands of complete events and of metadata, and no more.
NUMBER = {"type": "number", "minimum": 0}
COMPLETE = {
    "type": "object",
    "properties": {
        "ph": {"const": "X"},
        "name": {"type": "string"},
        "cat": {"type": "string", "pattern": "^[a-z]+(,[a-z]+)*$"},
        "ts": NUMBER,
        "dur": NUMBER,
        "pid": {"type": "integer"},
        "tid": {"type": "integer"},
        "args": {"type": "object"},
    },
    "required": ["name", "cat", "ts", "dur", "pid", "tid", "args"],
    "additionalProperties": False,
}
METADATA = {
    "type": "object",
    "properties": {
        "ph": {"const": "M"},
        "name": {
            "enum": [
                "process_name",
                "process_sort_index",
                "thread_name",
                "thread_sort_index",
            ]
        },
        "pid": {"type": "integer"},
        "tid": {"type": "integer"},
        "args": {"type": "object", "minProperties": 1, "maxProperties": 1},
    },
    "required": ["name", "pid", "tid", "args"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "traceEvents": {"type": "array", "items": {"anyOf": [COMPLETE, METADATA]}},
        "otherData": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["traceEvents"],
    "additionalProperties": False,
}

Event = dict[str, Any]


def traced(made: RunResult) -> dict[str, Any]:
    """The trace of a result."""
    made.draw_timeline("trace", file=(file := io.StringIO()))
    read: dict[str, Any] = json.loads(file.getvalue())
    return read


def complete(made: RunResult) -> list[Event]:
    """The events that have a duration."""
    return [event for event in traced(made)["traceEvents"] if event["ph"] == "X"]


def names(made: RunResult, kind: str) -> dict[tuple[int, int], str]:
    """The names of the processes or threads of a trace."""
    return {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in traced(made)["traceEvents"]
        if event["name"] == f"{kind}_name"
    }


@pytest.mark.parametrize("made", [small, failing, wide, odd, lambda: result([], elapsed=1.0)])
def test_the_trace_has_the_form_of_the_format(made: Callable[[], RunResult]) -> None:
    """Each event has the fields that the specification demands, and no others."""
    jsonschema.validate(traced(made()), SCHEMA)


@pytest.mark.parametrize("made", [small, failing, wide, odd])
def test_the_trace_has_each_call_of_the_timeline(made: Callable[[], RunResult]) -> None:
    """With its times to a nanosecond, its attempt, and its error."""
    known = Counter(
        (lane.step + 1, round(1e6 * call.start, 3), call.item, call.attempt, call.error is None)
        for lane in Timeline.of(made()).lanes
        for call in lane.calls
    )
    found = Counter(
        (event["pid"], event["ts"], told["item"], told.get("attempt", 1), "error" not in told)
        for event in complete(made())
        if event["cat"] != "output" and (told := event["args"])
    )
    assert found == known


@pytest.mark.parametrize("made", [small, failing, wide, odd])
def test_the_trace_has_each_output_of_the_timeline(made: Callable[[], RunResult]) -> None:
    """The work of each step on it, in a process for each path; a wait is a gap and a number."""
    timeline = Timeline.of(made())
    known = Counter(
        (row.path, row.item, round(1e6 * span.start, 3), round(1e6 * span.end, 3))
        for row in timeline.rows
        for span in row.spans
    )
    events = [event for event in complete(made()) if event["cat"] == "output"]
    first = len(timeline.steps) + 1
    assert known == Counter(
        (one["pid"] - first, one["args"]["output"], one["ts"], round(one["ts"] + one["dur"], 3))
        for one in events
    )
    waits = sum(end - start for row in timeline.rows for start, end in row.waits())
    assert sum(one["args"]["waited_ms"] for one in events) == pytest.approx(1e3 * waits, abs=0.5)


TIMES = st.tuples(st.integers(0, 30), st.integers(0, 9)).map(lambda one: (one[0], sum(one)))


@settings(max_examples=40)
@given(st.lists(st.lists(TIMES, min_size=1, max_size=3), max_size=12))
def test_events_of_a_lane_never_overlap(items: list[list[tuple[int, int]]]) -> None:
    """Whatever the times are: else a viewer takes one for a call out of the other."""
    outputs = [
        {f"s{n}": {"[start]": start, "[end]": end} for n, (start, end) in enumerate(times)}
        for times in items
    ]
    calls = [
        call(f"s{n}", start, end, item=f"{item}")
        for item, times in enumerate(items)
        for n, (start, end) in enumerate(times)
    ]
    events = complete(result(outputs, calls=calls, elapsed=40.0))
    events.sort(key=lambda one: (one["pid"], one["tid"], one["ts"], one["dur"]))
    assert len(events) == 2 * len(calls)
    for _, lane in groupby(events, lambda one: (one["pid"], one["tid"])):
        for one, other in pairwise(lane):
            assert one["ts"] + one["dur"] <= other["ts"]


def test_a_step_has_a_lane_for_each_call_in_flight() -> None:
    """As many as were in flight at its peak, and they have names."""
    made = run_of(40, limit=5)
    timeline = Timeline.of(made)
    assert {pid: name for (pid, _), name in names(made, "process").items()} == {
        1: "src", 2: "fetch", 3: "parse", 4: "store", 5: "outputs of path 0",
    }  # fmt: skip
    lanes = Counter(pid for pid, _ in names(made, "thread"))
    assert [lanes[lane.step + 1] for lane in timeline.lanes] == [
        lane.summary.peak for lane in timeline.lanes
    ]
    assert names(made, "thread")[2, 5] == "slot 5"


def test_a_step_on_several_paths_has_lanes_for_each() -> None:
    """The way to it is in the name of the lane."""
    twice = [call("f")._replace(path=path) for path in ("a → f", "b → f")]
    made = result([], calls=twice, elapsed=1.0)
    assert [*names(made, "thread").values()] == ["a → f · slot 1", "b → f · slot 1"]


def test_waits_failures_and_attempts_are_told() -> None:
    """A failed call is found by its name; the call that repeats it says how long it waited."""
    calls = [call(end=1.0, error="ValueError('no')"), call(start=1.5, end=2.0, attempt=2)]
    generator = call("g", 0.0, 2.0)._replace(busy=0.5, item="")
    failed, again, slow = complete(result([], calls=[*calls, generator], elapsed=2.0))
    assert (failed["name"], failed["cat"]) == ("fetch (failed)", "call,failed")
    assert failed["args"] == {"products": 0, "item": "0", "error": "ValueError('no')"}
    assert again["args"] == {
        "products": 1, "item": "0", "attempt": 2, "waited_for_attempt_ms": 500.0,
    }  # fmt: skip
    assert slow["args"] == {"products": 1, "waited_for_reader_ms": 1500.0}


def test_a_real_run_writes_a_trace(tmp_path: Path) -> None:
    """By the ending of the file."""

    async def fetch(x: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"y": x}

    flow = step("src", [{"x": 1}, {"x": 2}]) >> step("fetch", fetch)
    run(flow, timestamps=True).draw_timeline(file=tmp_path / "run.json")
    read = json.loads((tmp_path / "run.json").read_bytes())
    jsonschema.validate(read, SCHEMA)
    assert read["otherData"]["run"].startswith("2 outputs from 4 calls. ")


def test_more_outputs_at_once_than_can_be_looked_at_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All calls are in the trace all the same."""
    monkeypatch.setattr(trace, "MOST_OUTPUT_LANES", 3)
    outputs = [{"src": {"[start]": 0, "[end]": 1}} for _ in range(5)]
    made = result(outputs, calls=[call("src")] * 5, elapsed=1.0)
    assert Counter(event["cat"] for event in complete(made)) == {"call": 5, "output": 3}
    assert traced(made)["otherData"]["left_out"].startswith("2 outputs: more than 3 ")


def test_the_trace_is_written_line_by_line() -> None:
    """The events, before they are text, are never all there at once."""

    class Counting(io.RawIOBase):
        size = 0

        def write(self, data: Any) -> int:
            self.size += len(data)
            return len(data)

    timeline, file = Timeline.of(run_of(800)), Counting()
    tracemalloc.start()
    try:
        for line in trace.to_trace(timeline):
            file.write(line.encode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < file.size / 3


def test_a_trace_needs_a_file() -> None:
    """There is nothing to look at without a viewer, and the message says so."""
    with pytest.raises(UsageError, match=r"Perfetto.*draw_timeline\(file='run.json'\)"):
        small().draw_timeline("trace")
    with pytest.raises(InvalidOptionError, match=r"style='trace'.*expected one of \.json"):
        small().draw_timeline("trace", file="run.html")
