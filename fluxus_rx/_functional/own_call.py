"""What makes the calls of a step of a class of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["OwnCall"]


class OwnCall:
    """The `call` of a step, as a function. Sent to another process, it is that of a copy without
    options, which may hold what can't go there.

    `opened_there` makes a call one of a process in which the step is open.
    """

    __slots__ = ("_opened_there", "_step")

    def __init__(self, step: Any, opened_there: Callable[..., Any] | None = None) -> None:
        self._step = step
        self._opened_there = opened_there

    def __call__(self, /, **attributes: Any) -> Any:
        if self._opened_there is None:
            return self._step.call(**attributes)
        return self._opened_there(_CallThere(self._step, attributes))()

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnCall, (self._step._flow_without_options(), self._opened_there)

    @property
    def __name__(self) -> str:
        return f"{type(self._step).__name__}.call"


class _CallThere:
    """One call of a step, to be made on the copy that is open."""

    def __init__(self, step: Any, attributes: dict[str, Any]) -> None:
        self.conduit = step
        self._attributes = attributes

    def on(self, step: Any) -> Callable[[], Any]:
        """The same call of another step."""
        return partial(step.call, **self._attributes)
