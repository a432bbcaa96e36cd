"""Products that a drained run has not finished."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .._common.encoding import PrintedText, printed
from .._common.messages import short

__all__ = ["Pending"]


@printed
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pending:
    """A product whose next call has not been made, or not to its end, because the run was told to
    end: by `drain`, a deadline, or a `Stopper`.

    - `step`: the name of the step that was next; `path`: the names of the steps on the way to it,
      and its own
    - `product`: the product that the step was to be called with, with its whole lineage

    `rerun` continues with it. It can be pickled if its product can.

    >>> print(Pending("fetch", "src → fetch", {"x": 1}))
    fetch is still to be called with {'x': 1}
    """

    step: str
    path: str
    product: Any
    #: which of the places with this path it was, for flows in which several have the same one
    _place: int = 0
    #: seconds of the run that it was in, after which a run of it goes on
    _elapsed: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", PrintedText(self.path))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, path=PrintedText(state["path"]))

    @property
    def lineage(self) -> Any:
        """The attributes by step, as a result shows them; a product of a type of your own as it
        is.

        >>> from fluxus_rx import DictProduct
        >>> Pending("fetch", "src → fetch", DictProduct("src", {"x": 1})).lineage
        {'src': {'x': 1}}
        """
        nested = getattr(self.product, "nested", None)
        return self.product if nested is None else nested()

    def _flow_of_run(self, elapsed: float) -> Pending:
        """The same, of a run that has taken so many seconds; itself, if it knows that."""
        if self._elapsed or not elapsed:
            return self
        return dataclasses.replace(self, _elapsed=elapsed)

    def __repr__(self) -> str:
        return (
            f"Pending(step={self.step!r}, path={short(self.path)}, product={short(self.product)})"
        )

    def __str__(self) -> str:
        given = dict(self.product) if isinstance(self.product, Mapping) else self.product
        return f"{self.step} is still to be called with {short(given)}"
