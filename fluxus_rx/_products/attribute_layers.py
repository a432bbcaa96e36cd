"""Where the attributes of a lineage are looked up."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

__all__ = ["AttributeLayer", "with_times"]

#: Tables that are looked up one by one before they are merged into one. Merged tables are merged
#: again, eight by eight, so that a look-up takes a number of steps that grows with the logarithm of
#: the chain, and a product costs no more memory at the end of it than at its start.
_FAN: Final = 8


class AttributeLayer:
    """All attributes of a product, or of several in a row, and the layers before them.

    `level` tells how often its table was merged with older ones, and `level_count` how many in a
    row were as often. Of a product that is extended, `n_steps` are in it.
    """

    __slots__ = ("is_own", "level", "level_count", "n_steps", "older", "table")

    def __init__(
        self,
        table: dict[str, Any],
        older: AttributeLayer | None,
        level: int = 0,
        n_steps: int = 0,
        is_own: bool = True,
    ) -> None:
        self.table = table
        self.older = older
        self.level = level
        self.n_steps = n_steps
        #: whether nobody else has the table
        self.is_own = is_own
        self.level_count = 1
        if older is not None and older.level == level:
            self.level_count += older.level_count

    @classmethod
    def of(cls, by_step: dict[str, dict[str, Any]], older: AttributeLayer | None) -> AttributeLayer:
        """That of a product with these steps, whose precursor has the `older` one."""
        steps = iter(by_step.values())
        table, n_steps = next(steps), len(by_step)
        if n_steps > 1:
            table = table.copy()
            for attributes in steps:
                table.update(attributes)
        layer = cls(table, older, n_steps=n_steps, is_own=n_steps > 1)
        while layer.level_count == _FAN:
            layer = layer._merged()
        return layer

    def _merged(self) -> AttributeLayer:
        tables = []
        older: AttributeLayer | None = self
        for _ in range(_FAN):
            assert older is not None
            tables.append(older.table)
            older = older.older
        table: dict[str, Any] = {}
        for newer in reversed(tables):
            table.update(newer)
        return AttributeLayer(table, older, self.level + 1, self.n_steps)

    def update(self, by_step: dict[str, dict[str, Any]]) -> None:
        """Take in the steps that have extended the product since."""
        if not self.is_own:
            self.table, self.is_own = self.table.copy(), True
        newer = [*islice(reversed(by_step.values()), len(by_step) - self.n_steps)]
        for attributes in reversed(newer):
            self.table.update(attributes)
        self.n_steps = len(by_step)


def with_times(
    by_step: dict[str, dict[str, Any]], times: list[tuple[float, float]]
) -> dict[str, dict[str, Any]]:
    """The attributes by step, copied, with the times of each step among them."""
    found = {}
    for (name, attributes), (start, end) in zip(by_step.items(), times, strict=True):
        # A copy first: a new one takes twice as long (benchmark "watching").
        attributes = found[name] = attributes.copy()
        attributes["[start]"], attributes["[end]"] = start, end
    return found
