"""aiostream operators, usable in any aiostream pipeline."""

from __future__ import annotations

from ._streams import buffer, flat_map, merge

__all__ = ["buffer", "flat_map", "merge"]
