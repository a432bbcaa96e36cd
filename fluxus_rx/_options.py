"""The options of a step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ._errors import InvalidOptionError, shown

__all__ = ["StepOptions"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepOptions:
    """How a step runs; set with `.options(…)` on a step or a transformer.

    - `concurrency`: calls of the step in flight at most, over all its paths in the run; None for no
      limit, which lets memory grow with the speed of the source. A synchronous function runs one
      call at a time whatever it says.
    - `ordered`: whether products leave in the order in which they came. A slow call then holds back
      what others have ready, up to 4 times `concurrency` products.

    Raises `InvalidOptionError` (a ValueError) for a value out of its range.

    >>> StepOptions(concurrency=3)
    StepOptions(concurrency=3, ordered=False)
    """

    concurrency: int | None = 256
    ordered: bool = False

    def __post_init__(self) -> None:
        number = self.concurrency
        if number is not None and (type(number) is not int or number < 1):
            raise InvalidOptionError(
                f"concurrency={shown(number)}: expected a whole number of calls from 1 on,"
                " or None for no limit"
            )
        if type(self.ordered) is not bool:
            raise InvalidOptionError(f"ordered={shown(self.ordered)}: expected True or False")

    @property
    def limit(self) -> float:
        """`concurrency` as a number.

        >>> StepOptions(concurrency=None).limit
        inf
        """
        return float("inf") if self.concurrency is None else self.concurrency

    def replaced(self, options: Mapping[str, Any]) -> StepOptions:
        """These options, with some of them set anew.

        >>> StepOptions(concurrency=3).replaced({"ordered": True})
        StepOptions(concurrency=3, ordered=True)
        """
        return dataclasses.replace(self, **options)

    def changed(self) -> dict[str, object]:
        """The options that differ from the defaults.

        >>> StepOptions(ordered=True).changed()
        {'ordered': True}
        """
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
