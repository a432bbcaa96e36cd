"""Outputs of the branches of a group: a change of one changes nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fluxus_rx import chain, parallel, passthrough, run, start, step, stream


def plain(x: int) -> dict[str, int]:
    return {"x": x + 1}


async def awaited(x: int) -> dict[str, int]:
    return {"x": x + 1}


def several(x: int) -> list[dict[str, int]]:
    return [{"x": x + 1}, {"x": x + 2}]


def flow(function: Callable[..., Any], n_before: int, *behind: str) -> Any:
    """Two branches and a passthrough, with steps in front of them and behind."""
    before = [step(f"before{number}", function) for number in range(n_before)]
    group = parallel(step("a", function), passthrough(), step("b", function))
    after = [step(name, function) for name in behind]
    return chain(step("src", [{"x": 1}, {"x": 5}]), *before, group, *after)


def started(whole: Any) -> Any:
    async def main() -> Any:
        async with start(whole) as handle:
            return await handle.result()

    return asyncio.run(main())


TABLE = [
    (function, n_before, behind)
    for function in (plain, awaited, several)
    for n_before in (0, 2)
    for behind in ((), ("join",), ("src", "a"))
]
# A product of more steps than are copied to each branch.
TABLE += [(plain, 9, ()), (awaited, 9, ()), (awaited, 9, ("join",))]


@pytest.mark.parametrize(("function", "n_before", "behind"), TABLE)
class TestOutputs:
    @pytest.mark.parametrize("run", [run, started])
    def test_who_changes_an_output_of_a_result_changes_no_other(
        self,
        run: Callable[[Any], Any],
        function: Callable[..., Any],
        n_before: int,
        behind: tuple[str, ...],
    ) -> None:
        """Whichever is changed first, those that nobody has looked at yet stay what they are."""
        untouched = [[*path] for path in run(flow(function, n_before, *behind))]
        for changed in range(3):
            result = run(flow(function, n_before, *behind))
            for output in result[changed]:
                for attributes in output.values():
                    attributes["x"] = -1
            others = [index for index in range(3) if index != changed]
            assert [result[index] for index in others] == [untouched[index] for index in others]

    def test_who_changes_an_output_of_a_stream_changes_none_that_comes_later(
        self, function: Callable[..., Any], n_before: int, behind: tuple[str, ...]
    ) -> None:
        """Nor what the steps of other branches see."""

        def outputs(changes: bool) -> list[tuple[int, list[int]]]:
            found = []
            for path, output in stream(flow(function, n_before, *behind)):
                found.append((path, [attributes["x"] for attributes in output.values()]))
                for attributes in output.values() if changes else ():
                    attributes["x"] = -1
            return sorted(found)

        assert outputs(changes=True) == outputs(changes=False)
