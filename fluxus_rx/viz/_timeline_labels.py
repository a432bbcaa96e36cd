"""Which step's calls made an output, where several steps have one name."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._monitoring.calls import Call, times_of

__all__ = ["Labels"]

#: How many outputs of a path are asked: they all went through the same steps.
_ASKED = 25

Output = Mapping[str, Mapping[str, Any]]


class Labels:
    """The labels of steps by the names in outputs.

    A run tells steps of one name apart, wherever they stand: `model`, `model#1`. An output only
    tells apart those that it went through itself. Where that leaves a choice, times decide: a
    product was made within a call.
    """

    def __init__(self, calls: Mapping[str, Sequence[Call]]) -> None:
        self._calls = calls
        self._starts = {step: [call.start for call in some] for step, some in calls.items()}
        self._choices: dict[str, list[str]] = {}
        for label in calls:
            self._choices.setdefault(_bare(label), []).append(label)

    def of_path(self, outputs: Iterable[Output]) -> Mapping[str, str]:
        """The label for each name in the outputs of one path, where it is another one."""
        votes: dict[str, Counter[str]] = {}
        for output, _ in zip(outputs, range(_ASKED), strict=False):
            for name, attributes in output.items():
                if len(self._choices.get(_bare(name), ())) > 1:
                    times = times_of(attributes) or (0.0, 0.0)
                    label = self._fitting(name, *times)
                    votes.setdefault(name, Counter())[label] += 1
        return {name: counter.most_common(1)[0][0] for name, counter in votes.items()}

    def _fitting(self, name: str, start: float, end: float) -> str:
        """The label whose call began last before the product did, or, as those of producers begin a
        little after, before the product was there."""
        for moment in (start, end):
            fitting = [*self._under_way(name, moment, end)]
            if fitting:
                return max(fitting)[-1]
        return name

    def _under_way(self, name: str, moment: float, end: float) -> Iterator[tuple[float, bool, str]]:
        for label in self._choices[_bare(name)]:
            index = bisect_right(self._starts[label], moment) - 1
            if index >= 0 and self._calls[label][index].end >= end:
                yield self._starts[label][index], label == name, label


def _bare(label: str) -> str:
    name, sign, number = label.rpartition("#")
    return name if sign and number.isdecimal() else label
