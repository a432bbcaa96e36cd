"""The calls of a run, as they are written down and counted."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, overload

from .._errors import UsageError

__all__ = [
    "Call",
    "CallColumns",
    "Count",
    "ItemNumber",
    "Journal",
    "Record",
    "Records",
    "RunTimes",
    "Timed",
    "WorkSpans",
    "item_text",
    "times_of",
]


class Call(NamedTuple):
    """One call of a step that is over, or one product that a producer has emitted.

    Times are in seconds since the run began. `busy` is less than `end - start` for a generator,
    which waits between its products for its reader; `spans` tells when it worked, each time from
    one number to the next, and is empty for a call that worked all the time. `item` is the position
    of the product that the step was called with, such as `17` or `17.2`, empty where it isn't
    known; `attempt` is 2 for the second attempt of a call, by the step or by Rx, which subscribes
    again after an error. `error` tells of an exception and of the input.
    """

    step: str
    path: str
    item: str
    start: float
    end: float
    busy: float
    products: int
    attempt: int
    error: str | None
    spans: tuple[float, ...] = ()

    def work(self) -> Iterator[tuple[float, float]]:
        """When it worked: the spans, or all the time from its start to its end.

        >>> call = Call("f", "f", "0", 1.0, 9.0, 3.0, 2, 1, None, spans=(1.0, 2.0, 7.0, 9.0))
        >>> [*call.work()], [*call._replace(spans=()).work()]
        ([(1.0, 2.0), (7.0, 9.0)], [(1.0, 9.0)])
        """
        spans = self.spans or (self.start, self.end)
        return zip(spans[::2], spans[1::2], strict=True)


class WorkSpans:
    """When a generator worked, as a list of spans that stays short.

    What it rests between two products is left out if it is shorter than what is kept of others: at
    first 10 µs, which nobody sees; more, whenever there would be too many spans.
    """

    __slots__ = ("_least", "_times")

    def __init__(self) -> None:
        #: where each span begins and ends
        self._times: list[float] = []
        #: the shortest rest that is kept
        self._least = 1e-5

    def add(self, start: float, end: float) -> None:
        """It has worked from `start` to `end`."""
        times = self._times
        if times and start - times[-1] < self._least:
            times[-1] = end
            return
        times += (start, end)
        if len(times) > 2 * MOST_SPANS:
            rests = sorted(second - first for first, second in self._rests())
            self._least = 2 * rests[len(rests) // 2]
            kept = [rest for rest in self._rests() if rest[1] - rest[0] >= self._least]
            self._times = [times[0], *chain.from_iterable(kept), times[-1]]

    def _rests(self) -> Iterator[tuple[float, float]]:
        return zip(self._times[1::2], self._times[2::2], strict=False)

    def since(self, zero: float) -> tuple[float, ...]:
        """The spans in seconds since `zero`; empty, if it is one."""
        return tuple(time - zero for time in self._times) if len(self._times) > 2 else ()


#: The spans of a call that are kept at most.
MOST_SPANS: Final = 256


#: The fields of a `Call`. A plain tuple, as long as nobody looks at it: of those, and of them only,
#: the garbage collector lets go when it sees that they refer to nothing that it collects.
Record: TypeAlias = tuple[
    str, str, str, float, float, float, int, int, str | None, tuple[float, ...]
]


#: The position of a product: 17, or 17 and 2 for the third product of that with 17; None where it
#: isn't known.
ItemNumber: TypeAlias = int | tuple[int, ...] | None


def item_text(number: ItemNumber) -> str:
    """The position of a product as people read it.

    >>> item_text(17), item_text((17, 2)), item_text(None)
    ('17', '17.2', '')
    """
    if number is None:
        return ""
    return str(number) if isinstance(number, int) else ".".join(map(str, number))


class CallColumns:
    """The calls of a step at one place that returned one product each, at the first attempt: 24
    bytes a call beside its product, where a `Record` has 400 (benchmark "watching").

    Times are those of the clock of the run.
    """

    __slots__ = ("ends", "items", "label", "path", "starts")

    def __init__(self, label: str, path: str) -> None:
        self.label = label
        self.path = path
        self.starts = array("d")
        self.ends = array("d")
        self.items: list[ItemNumber] = []

    def pop(self) -> None:
        """Forget the last one, which has failed after all."""
        for column in (self.starts, self.ends, self.items):
            column.pop()

    def records(self, zero: float) -> Iterator[Record]:
        """The calls, with times since `zero`."""
        label, path = self.label, self.path
        for start, end, item in zip(self.starts, self.ends, self.items, strict=False):
            text, busy = item_text(item), end - start
            yield label, path, text, start - zero, end - zero, busy, 1, 1, None, ()


class Records(Sequence[Record]):
    """The calls of a run, step by step in the order of `steps`, then by their start.

    Put together when somebody looks at them: from the columns of the usual calls, and from the
    records of the `others`. Pickled as a list.
    """

    __slots__ = ("_columns", "_others", "_steps", "_zero")

    def __init__(
        self,
        steps: Sequence[str],
        columns: Sequence[CallColumns],
        others: Sequence[Record],
        zero: float,
    ) -> None:
        self._steps = steps
        self._columns = columns
        self._others = others
        self._zero = zero

    def __len__(self) -> int:
        return len(self._others) + sum(len(column.items) for column in self._columns)

    def __iter__(self) -> Iterator[Record]:
        found: dict[str, list[Record]] = {step: [] for step in self._steps}
        for record in self._others:
            found[record[0]].append(record)
        for column in self._columns:
            found[column.label].extend(column.records(self._zero))
        for records in found.values():
            records.sort(key=itemgetter(3, 4))
            yield from records

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        return [*self][index]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([*self],)


class Count(NamedTuple):
    """How far a step has come, over all its paths.

    `expected` is the number of products that it will be called with, as far as can be told from the
    length of the source and from what the steps before it have made of a product so far; None if
    that length isn't known, or was wrong. It is exact as soon as what comes before is done. A
    producer is not called with anything; its numbers are those of the products it emits.

    `waiting` calls wait for a limiter or for their next attempt, the longest of them for `pause`
    seconds more, as far as that is known. The calls that are over took `busy` seconds together, in
    the `span` of seconds from the first one's beginning to the last one's end. `is_blocked` tells
    whether a product waits for room further down.
    """

    step: str
    done: int
    in_flight: int
    failed: int
    expected: int | None
    waiting: int = 0
    pause: float = 0.0
    busy: float = 0.0
    span: float = 0.0
    is_blocked: bool = False

    @property
    def over(self) -> int:
        """Calls that are over, with success or with an error."""
        return self.done + self.failed


class Journal(NamedTuple):
    """The calls of a run, step by step in the order of the flow, and the seconds that it took.

    `steps` are all steps that might have been called, where they are known. The times of a run
    that goes on from another one begin at `began`.
    """

    calls: Sequence[Call]
    elapsed: float
    steps: Sequence[str] = ()
    began: float = 0.0

    @classmethod
    def of_outputs(
        cls, outputs: Iterable[Mapping[str, Mapping[str, Any]]], is_untimed: bool = False
    ) -> Journal:
        """The journal of a run that kept none, pieced together from the times in its outputs.

        A product that several outputs came from is one call, since its times are the same in each
        of them. Raises UsageError for outputs without times; with `is_untimed`, for none as well.
        """
        by_step: dict[str, dict[tuple[float, float], Call]] = {}
        for output in outputs:
            for step, attributes in output.items():
                times = times_of(attributes)
                if times is None:
                    is_untimed = True
                    continue
                found = by_step.setdefault(step, {})
                if times not in found:
                    start, end = times
                    found[times] = Call(step, "", "", start, end, end - start, 1, 1, None)
        if is_untimed and not by_step:
            raise UsageError(
                "this result has no times; take them with run(flow, timestamps=True), or with"
                " arun(flow, timestamps=True)"
            )
        known = [call for found in by_step.values() for call in found.values()]
        return cls(known, max((call.end for call in known), default=0.0))

    def by_step(self) -> dict[str, list[Call]]:
        """The calls of each step, by their start."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.step, []).append(call)
        for calls in found.values():
            calls.sort(key=attrgetter("start"))
        return found


class RunTimes(NamedTuple):
    """What the result of a run keeps of its times.

    `records` are the calls, `elapsed` the seconds that the run took, if it has kept a journal;
    without one, a result that is `untimed` has no times in its outputs either, as far as is known.
    The run began at `began`, for one that goes on from another.
    """

    records: Sequence[Record] = ()
    elapsed: float | None = None
    steps: tuple[str, ...] = ()
    untimed: bool = False
    began: float = 0.0

    @property
    def calls(self) -> tuple[Call, ...]:
        """The records, for people."""
        return tuple(map(Call._make, self.records))

    def journal(self, outputs: Iterable[Mapping[str, Mapping[str, Any]]]) -> Journal:
        """The journal; of a run that kept none, that of its outputs.

        Raises UsageError for outputs without times.
        """
        if self.elapsed is None:
            return Journal.of_outputs(outputs, self.untimed)
        calls = self.calls
        elapsed = max([self.elapsed, *(call.end for call in calls)])
        return Journal(calls, elapsed, self.steps, self.began)

    def followed_by(self, other: RunTimes) -> RunTimes:
        """The times of this run and of one that went on from its end, as those of one run."""
        elapsed = None
        if self.elapsed is not None and other.elapsed is not None:
            elapsed = max(self.elapsed, other.elapsed)
        return RunTimes(
            records=[*self.records, *other.records],
            elapsed=elapsed,
            steps=(*dict.fromkeys((*self.steps, *other.steps)),),
            untimed=self.untimed or other.untimed,
            began=self.began,
        )


class Timed(Protocol):
    """A result that tells of its calls: outputs by path, and the journal of the run."""

    @property
    def _flow_journal(self) -> Journal:
        """The calls; raises UsageError for a result without times."""
        ...

    @property
    def _flow_path_names(self) -> Sequence[str]:
        """What drawings call the paths."""
        ...

    def __len__(self) -> int:
        """The number of paths."""
        ...

    def __iter__(self) -> Iterator[Sequence[Mapping[str, Mapping[str, Any]]]]:
        """The outputs of each path."""
        ...


def times_of(attributes: Mapping[str, Any]) -> tuple[float, float] | None:
    """When a product was made, in seconds since the run began; None if that isn't known.

    >>> times_of({"x": 1, "[start]": 0.5, "[end]": 0.75}), times_of({"x": 1})
    ((0.5, 0.75), None)
    """
    start, end = attributes.get("[start]"), attributes.get("[end]")
    if isinstance(start, int | float) and isinstance(end, int | float):
        # Anything may stand in what was written by hand or read from a file.
        return (start, end) if 0 <= start <= end and isfinite(end) else None
    return None
