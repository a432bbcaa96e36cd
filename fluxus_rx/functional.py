"""The functional API, under the names that users of fluxus know."""

from __future__ import annotations

from ._results.run_result import RunResult
from ._run import run
from ._steps import chain, parallel, passthrough, step

__all__ = ["RunResult", "chain", "parallel", "passthrough", "run", "step"]
