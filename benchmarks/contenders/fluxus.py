"""fluxus: the library whose functional API fluxus_rx keeps."""

from __future__ import annotations

from typing import Any

from fluxus.functional import chain, parallel, passthrough, step
from fluxus.functional.conduit import DictConsumer

NAME = "fluxus"
PACKAGE = "fluxus"
LICENCE = "Apache-2.0"
GROUP = "bench-fluxus"
REQUIRES = "fluxus==1.0.3"
PROMISES = ("lineage",)
NOTE = "no limit"
CANT = {
    "stream": "returns nothing before the end",
    "merge": "returns nothing before the end",
    "expand": "can't reduce",
    "batches": "one input for each call",
    "retrying": "an error ends all",
    "paced": "keeps no pace",
    "etl": "an error ends all",
}


async def sync_chain(items: Any, functions: Any) -> Any:
    """A chain of steps."""
    steps = (step(name, function) for name, function in functions.items())
    return await _outputs(chain(step("src", lambda: items), *steps))


async def async_chain(items: Any, functions: Any, limit: int, ordered: bool) -> Any:
    """The same chain: it makes no difference whether functions are asynchronous."""
    return await sync_chain(items, functions)


async def fan_out(items: Any, groups: Any, limit: int) -> Any:
    """Groups of steps and a passthrough, each followed by a step."""
    flow = step("src", lambda: items)
    for branches, join in groups:
        steps = (step(name, function) for name, function in branches.items())
        flow = flow >> parallel([*steps, passthrough()]) >> step(*join)
    return await _outputs(flow)


async def _outputs(flow: Any) -> list[Any]:
    """What `run` does, less the `asyncio.run` that takes two `repr`s of the result."""
    result = await (flow >> DictConsumer()).arun()
    return list(result.get_outputs())
