"""The pictures of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fluxus_rx import RunResult, UsageError

__all__ = ["draw"]


def draw(flow: Any, result: RunResult, folder: Path) -> None:
    """Draw the flow, for light and dark pages, and the timeline of a run with timestamps.

    Without Graphviz or matplotlib, says so, and goes on.
    """
    try:
        flow.draw(file=folder / "flow.svg", style="graph")
        flow.draw(file=folder / "flow_dark.svg", style="graph_dark")
        result.draw_timeline(file=folder / "timeline.svg")
    except (ImportError, UsageError) as error:
        print(f"not all is drawn: {error}")
