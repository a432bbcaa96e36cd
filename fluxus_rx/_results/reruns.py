"""Putting a rerun in the place of the failures that it ran again."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter

from .._errors import InvalidFlowError
from .._options.failure import Failure
from .failures import Failures, elapsed_of, location_of, position_of, sorted_failures
from .rows import Output, PathOutputs

__all__ = ["Origins", "Position", "Replacement", "merged_failures", "merged_outputs"]

#: where a product stands among those of a plain loop
Position = tuple[int, ...]


class Origins:
    """Positions of products, for whoever wants to know what comes of them.

    >>> origins = Origins([(1,), (2, 0)])
    >>> [origins.lead_to(position) for position in [(1,), (1, 7), (2,), (2, 0, 1), (3,)]]
    [True, True, False, True, False]
    """

    def __init__(self, positions: Collection[Position]) -> None:
        self._positions = positions
        self._lengths = {len(position) for position in positions}

    def lead_to(self, position: Sequence[int]) -> bool:
        """Whether the product at `position` is one of them, or comes of one."""
        return any(tuple(position[:length]) in self._positions for length in self._lengths)


@dataclasses.dataclass(frozen=True)
class Replacement:
    """What the result of a rerun stands in for: all that came of the products that it ran again.

    - `outputs`: for each path, the positions of the products whose outputs on it are replaced
    - `calls`: for each step that products entered at, the locations that are reached from it, its
      own among them, and the positions of these products
    """

    outputs: Mapping[int, Collection[Position]]
    calls: Sequence[tuple[Collection[tuple[str, int]], Collection[Position]]]


def merged_outputs(
    first: PathOutputs, second: PathOutputs, replaced: Collection[Position]
) -> PathOutputs:
    """The outputs of a path with those of a rerun, which come in the place of what came of the
    products at the `replaced` positions; in the order of a plain loop.

    Raises InvalidFlowError (a TypeError) for outputs whose order isn't known.
    """
    origins = Origins(replaced)
    merged = [pair for pair in _placed(first) if not origins.lead_to(pair[0])]
    merged += _placed(second)
    merged.sort(key=itemgetter(0))
    return PathOutputs([output for _, output in merged], [position for position, _ in merged])


def _placed(path: PathOutputs) -> Iterator[tuple[list[int], Output]]:
    """The outputs of a path, each behind its position."""
    outputs, positions = path.outputs, path.positions
    if positions is None or len(positions) != len(outputs):
        raise InvalidFlowError(
            "merged() takes results of runs as they came; of one that was made by hand, or"
            " whose outputs were taken away or added to, the order is not known"
        )
    return zip(positions, outputs, strict=True)


def merged_failures(first: Failures, second: Failures, replacement: Replacement) -> Failures:
    """The failures whose calls have not been made again, nor one that they came of, and those of
    the rerun."""
    again = [(locations, Origins(positions)) for locations, positions in replacement.calls]

    def is_left(failure: Failure) -> bool:
        location, position = location_of(failure), position_of(failure)
        return not any(
            location in locations and origins.lead_to(position) for locations, origins in again
        )

    return sorted_failures(
        [*filter(is_left, first), *second], max(elapsed_of(first), elapsed_of(second))
    )
