"""A timeline as a trace in the JSON format of Chrome, which Perfetto, speedscope and browsers open.

Rules of this file:

1. Times are microseconds since the run began, as the format wants them.
2. What stands in one lane doesn't overlap: readers of the format take an event that lies in
   another one for a call out of that, and refuse or misplace one that lies across its end.
3. The trace is made line by line, so that it takes no memory beside the timeline."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ..._common.text import counted, printable
from ..._monitoring.calls import Call
from .model import Lane, Span, Timeline, TimelineRow

__all__ = ["to_trace"]

#: Outputs in flight at once that have lanes: nobody can read a picture of more.
MOST_OUTPUT_LANES: Final = 200

#: The category of an event, by which viewers filter.
_CALL, _FAILED_CALL, _OUTPUT = "call", "call,failed", "output"


def to_trace(timeline: Timeline) -> Iterator[str]:
    """The lines of the JSON text: each step is a process, and each of its slots a thread.

    Behind them stands a process for each path, in which an output is what each step has done for
    it.
    """
    writer = _TraceWriter(timeline)
    yield '{"displayTimeUnit": "ms", "traceEvents": ['
    before = "\n"
    for event in writer.events():
        yield before + json.dumps(event, separators=(",", ":"))
        before = ",\n"
    yield f'\n], "otherData": {json.dumps(writer.about())}}}\n'


class _TraceWriter:
    """The events of a timeline, and what was left out of them."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._names = [printable(name) for name in timeline.steps]
        #: outputs for which there was no lane
        self._left_out = 0

    def about(self) -> dict[str, str]:
        """What the run has done; complete when all events were read."""
        outputs, gain = self._timeline.said()
        about = {"run": f"{outputs} {gain}"}
        if self._left_out:
            text = counted(self._left_out, "output")
            about["left_out"] = f"{text}: more than {MOST_OUTPUT_LANES} were in flight at once"
        return about

    def events(self) -> Iterator[dict[str, Any]]:
        """All events, one process after the other."""
        for lane in self._timeline.lanes:
            yield from self._calls(lane, pid=lane.step + 1)
        by_path: dict[int, list[TimelineRow]] = {}
        for row in self._timeline.rows:
            by_path.setdefault(row.path, []).append(row)
        for path, rows in by_path.items():
            yield from self._outputs(path, rows, pid=len(self._names) + path + 1)

    def _calls(self, lane: Lane, pid: int) -> Iterator[dict[str, Any]]:
        """A lane for each slot that was in use, apart for each way on which the step stands."""
        by_path: dict[str, list[Call]] = {}
        for call in lane.calls:
            by_path.setdefault(call.path, []).append(call)
        name = self._names[lane.step]
        yield from _named("process", name, pid, 0, pid)
        first = 1
        for path, calls in by_path.items():
            slots = _Slots()
            for call, pause in _after_failures(calls):
                tid = first + slots.take(call.start, call.end)
                failed = call.error is not None
                yield _complete_event(
                    f"{name} (failed)" if failed else name,
                    _FAILED_CALL if failed else _CALL,
                    (call.start, call.end),
                    (pid, tid),
                    _told_of(call, pause),
                )
            for slot in range(slots.count):
                place = f"{printable(path)} · " if len(by_path) > 1 else ""
                yield from _named("thread", f"{place}slot {slot + 1}", pid, first + slot, first)
            first += slots.count

    def _outputs(
        self, path: int, rows: Sequence[TimelineRow], pid: int
    ) -> Iterator[dict[str, Any]]:
        """Outputs in as many lanes as were in flight at once; a gap is a wait."""
        name = printable(str(self._timeline.paths[path]))
        yield from _named("process", f"outputs of {name}", pid, 0, pid)
        slots = _Slots()
        lines = [(spans, row.item) for row in rows for spans in _side_by_side(row.spans)]
        left_out = set[int]()
        for spans, item in sorted(lines, key=lambda line: line[0][0].start):
            if slots.is_full(spans[0].start, MOST_OUTPUT_LANES):
                left_out.add(item)
                continue
            tid = slots.take(spans[0].start, spans[-1].end) + 1
            before = spans[0].start
            for step, start, end in spans:
                told = {"output": item, "waited_ms": _rounded(1e3 * (start - before))}
                yield _complete_event(self._names[step], _OUTPUT, (start, end), (pid, tid), told)
                before = end
        self._left_out += len(left_out)
        for slot in range(slots.count):
            yield from _named("thread", f"lane {slot + 1}", pid, slot + 1, slot)


def _start(span: Span) -> float:
    return span.start


def _side_by_side(spans: Sequence[Span]) -> list[list[Span]]:
    """The spans in as few rows as they need: one, unless times were written by hand."""
    rows: list[list[Span]] = []
    for span in sorted(spans, key=_start):
        for row in rows:
            if row[-1].end <= span.start:
                row.append(span)
                break
        else:
            rows.append([span])
    return rows


class _Slots:
    """Lanes for what comes by its start: the lowest one that is free."""

    def __init__(self) -> None:
        self.count = 0
        self._free: list[int] = []
        #: by its end, what takes each lane
        self._taken: list[tuple[float, int]] = []

    def is_full(self, start: float, most: int) -> bool:
        """Whether none of so many lanes is free by then."""
        while self._taken and self._taken[0][0] <= start:
            heapq.heappush(self._free, heapq.heappop(self._taken)[1])
        return not self._free and self.count >= most

    def take(self, start: float, end: float) -> int:
        """The number of the lane that is taken from now on."""
        if self.is_full(start, self.count):
            self.count += 1
            slot = self.count - 1
        else:
            slot = heapq.heappop(self._free)
        heapq.heappush(self._taken, (end, slot))
        return slot


def _after_failures(calls: Iterable[Call]) -> Iterator[tuple[Call, float | None]]:
    """Each call, and for one that is made again the seconds since the one before it failed."""
    failed: dict[str, float] = {}
    for call in calls:
        pause = call.start - failed[call.item] if call.item in failed else None
        yield call, pause if call.attempt > 1 else None
        if call.error is not None:
            failed[call.item] = call.end


def _told_of(call: Call, pause: float | None) -> dict[str, Any]:
    """What a viewer shows of a call that is clicked on."""
    told: dict[str, Any] = {"products": call.products}
    if call.item:
        told["item"] = call.item
    if call.attempt > 1:
        told["attempt"] = call.attempt
    if pause is not None:
        told["waited_for_attempt_ms"] = _rounded(1e3 * pause)
    if call.busy < call.end - call.start:
        told["waited_for_reader_ms"] = _rounded(1e3 * (call.end - call.start - call.busy))
    if call.error is not None:
        told["error"] = printable(call.error)
    return told


def _complete_event(
    name: str,
    category: str,
    times: tuple[float, float],
    place: tuple[int, int],
    args: Mapping[str, Any],
) -> dict[str, Any]:
    """A complete event, from its start to its end."""
    start, end = (_rounded(1e6 * time) for time in times)
    pid, tid = place
    event = {"name": name, "cat": category, "ph": "X", "ts": start, "dur": _rounded(end - start)}
    return {**event, "pid": pid, "tid": tid, "args": args}


def _named(kind: str, name: str, pid: int, tid: int, index: int) -> Iterator[dict[str, Any]]:
    """The name of a process or thread, and where it stands among the others."""
    for event, args in (("name", {"name": name}), ("sort_index", {"sort_index": index})):
        yield {"name": f"{kind}_{event}", "ph": "M", "pid": pid, "tid": tid, "args": args}


def _rounded(number: float) -> float:
    """To a nanosecond, or to a thousandth of a millisecond, as a file should not be all digits."""
    return round(number, 3)
