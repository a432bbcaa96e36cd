"""aiostream operators for any aiostream pipeline: concurrent calls, merging, reading ahead."""

from __future__ import annotations

from ._streams.operators import buffer, flat_map, merge

__all__ = ["buffer", "flat_map", "merge"]

# Users see, pickle and report what they import, not where it is written.
for _public in [globals()[name] for name in __all__]:
    _public.__module__ = __name__
