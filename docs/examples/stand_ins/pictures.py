"""The pictures of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fluxus_rx import RunResult, UsageError

__all__ = ["draw"]


def draw(flow: Any, result: RunResult, folder: Path) -> None:
    """Draw the flow and the timeline of a run with timestamps, for light and for dark pages.

    Prints where the pictures are; without Graphviz or matplotlib, says so, and goes on.
    """
    for dark in ("", "_dark"):
        try:
            flow.draw(f"graph{dark}", file=folder / f"flow{dark}.svg")
        except (ImportError, UsageError) as error:
            print(f"no picture of the flow: {error}")
            break
    for dark in ("", "_dark"):
        try:
            result.draw_timeline(f"matplot{dark}", file=folder / f"timeline{dark}.svg")
        except ImportError as error:
            print(f"no picture of the timeline: {error}")
            break
    print(f"\nFiles and pictures are in {folder}")
