"""The calls of a run, as they are written down and counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeAlias

from .._errors import UsageError

__all__ = ["Call", "Count", "Journal", "Record", "RunTimes", "Timed", "times_of"]


class Call(NamedTuple):
    """One call of a step that is over, or one product that a producer has given.

    Times are in seconds since the run began. `busy` is less than `end - start` for a generator,
    which waits between its products for its reader. `item` is the position of the product that the
    step was called with, such as `17` or `17.2`, empty where it isn't known; `attempt` is 2 for the
    first call with the same one after a failure. `error` tells of an exception and of the input.
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


#: The fields of a `Call`. A plain tuple, as long as nobody looks at it: of those, and of them only,
#: the garbage collector lets go when it sees that they refer to nothing that it collects.
Record: TypeAlias = tuple[str, str, str, float, float, float, int, int, str | None]


class Count(NamedTuple):
    """How far a step has come, over all its paths.

    `expected` is the number of products that it will be called with, as far as can be told from the
    length of the source and from what the steps before it have made of a product so far; None if
    that length isn't known, or was wrong. It is exact as soon as what comes before is done. A
    producer is not called with anything; its numbers are those of the products it gives.

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

    `steps` are all steps that might have been called, where they are known.
    """

    calls: Sequence[Call]
    elapsed: float
    steps: Sequence[str] = ()

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
    """

    records: Sequence[Record] = ()
    elapsed: float | None = None
    steps: tuple[str, ...] = ()
    untimed: bool = False

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
        return Journal(calls, max([self.elapsed, *(call.end for call in calls)]), self.steps)

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
        )


class Timed(Protocol):
    """A result that tells of its calls: outputs by path, and the journal of the run."""

    @property
    def _flow_journal(self) -> Journal:
        """The calls; raises UsageError for a result without times."""
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
