"""Operators with a name, whose windows are products."""

from __future__ import annotations

from typing import Any

from reactivex import operators as ops

from fluxus_rx import Transformer, rx_pipe, step, stream_pipe

PIPES: list[Any] = [rx_pipe, stream_pipe]


def windows(size: int = 2, name: str = "window") -> Transformer[Any, Any]:
    """So many products at a time."""
    return rx_pipe(ops.buffer_with_count(size), name=name)


total = step("total", lambda window: {"total": sum(product["x"] for product in window)})
