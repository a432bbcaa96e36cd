"""What makes the calls of a step of a class of its own."""

from __future__ import annotations

from typing import Any

__all__ = ["OwnCall"]


class OwnCall:
    """The `call` of a step, as a function. Sent to another process, it is that of a copy without
    options, which may hold what can't go there."""

    __slots__ = ("_step",)

    def __init__(self, step: Any) -> None:
        self._step = step

    def __call__(self, /, **attributes: Any) -> Any:
        return self._step.call(**attributes)

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnCall, (self._step._flow_without_options(),)

    @property
    def __name__(self) -> str:
        return f"{type(self._step).__name__}.call"
