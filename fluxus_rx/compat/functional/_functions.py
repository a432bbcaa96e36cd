"""The functions that put flows of steps together, and run them."""

from __future__ import annotations

from typing import Any

from ..._conduits.conduit import Conduit
from ..._functional.combining import chain as core_chain
from ..._functional.combining import parallel as core_parallel
from .._adapted import Passthrough, adapted
from .._running import run_collected
from ._result import RunResult

__all__ = ["chain", "parallel", "passthrough", "run"]


def chain(start: Any, /, *steps: Any) -> Any:
    """Steps one behind the other: `chain(a, b, c)` is `a >> b >> c`.

    Raises TypeError for steps that can't be chained.

    >>> from fluxus_rx.compat.functional import step
    >>> list(chain(step("src", {"x": 1}), step("add", lambda x: {"y": x + 1})).chained_conduits)
    [step('src', {'x': 1}), step('add', <lambda>)]
    """
    return adapted(core_chain(start, *steps))


def parallel(first: Any, /, *more: Any) -> Any:
    """Steps side by side: `parallel(a, b, c)` is `a & b & c`; iterables of steps are unpacked.

    Raises TypeError for steps that can't stand side by side.

    >>> from fluxus_rx.compat.functional import step
    >>> parallel(step("f", lambda x: {"y": x}), passthrough()).n_concurrent_conduits
    2
    """
    return adapted(core_parallel(first, *more))


def passthrough() -> Passthrough:
    """A branch of `parallel` that passes products on as they are.

    >>> passthrough() is passthrough()
    True
    """
    return Passthrough()


def run(
    steps: Conduit, *, input: Any = None, timestamps: bool = False, **settings: Any
) -> RunResult:
    """Run a flow of steps to its end, and return its outputs path by path.

    `settings` are those that `fluxus_rx.run` has besides: `progress`, `options`, `deadline` and
    more. Raises what it raises.

    >>> from fluxus_rx.compat.functional import step
    >>> run(steps=step("add", lambda x: {"y": x + 1}), input={"x": 1})
    RunResult([{'input': {'x': 1}, 'add': {'y': 2}}])
    """
    found = run_collected(steps, input=input, timestamps=timestamps, **settings)
    return adapted(found)  # type: ignore[no-any-return]


for _public in (chain, parallel, passthrough, run):
    _public.__module__ = "fluxus_rx.compat.functional"
