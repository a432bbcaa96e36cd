"""aiostream operators, usable in any aiostream pipeline."""

from __future__ import annotations

from ._streams.operators import buffer, flat_map, merge

__all__ = ["buffer", "flat_map", "merge"]
