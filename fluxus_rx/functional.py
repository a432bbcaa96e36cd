"""The functional API, under the names that users of fluxus know."""

from __future__ import annotations

from ._functional.builders import passthrough, step
from ._functional.combining import chain, parallel
from ._results.run_result import RunResult
from ._run.run import run

__all__ = ["RunResult", "chain", "parallel", "passthrough", "run", "step"]
