"""The flow of a run may be given as `steps=`, as in fluxus."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fluxus_rx import InvalidFlowError, arun, astream, run, start, step, stream

FLOW = step("src", [{"x": 1}, {"x": 2}]) >> step("double", lambda x: {"x": 2 * x})
OUTPUTS = [{"src": {"x": 1}, "double": {"x": 2}}, {"src": {"x": 2}, "double": {"x": 4}}]


async def result_of_start(*flow: Any, **settings: Any) -> Any:
    async with start(*flow, **settings) as running:
        return (await running.result())[0]


async def outputs_of_astream(*flow: Any, **settings: Any) -> Any:
    return [output async for _, output in astream(*flow, **settings)]


WAYS: dict[str, Any] = {
    "run()": lambda *flow, **settings: run(*flow, **settings)[0],
    "arun()": lambda *flow, **settings: asyncio.run(arun(*flow, **settings))[0],
    "stream()": lambda *flow, **settings: [output for _, output in stream(*flow, **settings)],
    "astream()": lambda *flow, **settings: asyncio.run(outputs_of_astream(*flow, **settings)),
    "start()": lambda *flow, **settings: asyncio.run(result_of_start(*flow, **settings)),
}


@pytest.mark.parametrize("who", WAYS)
class TestSteps:
    def test_is_another_name_for_the_flow(self, who: str) -> None:
        assert WAYS[who](steps=FLOW) == WAYS[who](flow=FLOW) == WAYS[who](FLOW) == OUTPUTS

    def test_beside_the_flow_it_is_refused(self, who: str) -> None:
        """The message names both, and the way out."""
        with pytest.raises(InvalidFlowError) as caught:
            WAYS[who](FLOW, steps=FLOW)
        assert str(caught.value).startswith(f"{who} got ")
        assert "steps=" in str(caught.value)
        assert "leave out one of the two" in str(caught.value)

    def test_without_either_both_ways_are_told(self, who: str) -> None:
        with pytest.raises(InvalidFlowError) as caught:
            WAYS[who]()
        call = who.removesuffix(")")
        text = f"{who} needs a flow made of steps, not None: {call}flow), or {call}steps=flow)"
        assert str(caught.value) == text
