"""fluxus's `fluxus.functional`: steps on dictionaries."""

from __future__ import annotations

from ._functions import chain, parallel, passthrough, run
from ._result import RunResult
from ._steps import step

__all__ = ["RunResult", "chain", "parallel", "passthrough", "run", "step"]
