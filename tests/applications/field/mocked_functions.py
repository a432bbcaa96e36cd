"""A test of a pipeline puts mocks in the place of its functions, and a model of layers, which can
be iterated, is one of them. Each is called, and the test sees with what.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, create_autospec

from fluxus_rx import run, step


async def fetch(url: str) -> dict[str, Any]:
    raise AssertionError("the test goes to the network")


class Model:
    """Layers one behind the other."""

    def __init__(self, *layers: Any) -> None:
        self.layers = layers

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __call__(self, page: str) -> dict[str, Any]:
        for layer in self.layers:
            page = layer(page)
        return {"answer": page}


pages = step("urls", [{"url": "a"}, {"url": "b"}])
model = step("model", Model(str.upper, str.strip))

for fetched in (
    AsyncMock(return_value={"page": " text "}),
    MagicMock(return_value={"page": " text "}),
    create_autospec(fetch, return_value={"page": " text "}),
):
    fetch_mocked: Any = step("fetch", fetched)
    result = run(pages >> fetch_mocked >> model)
    answers = [output["model"]["answer"] for output in result[0]]
    assert answers == ["TEXT", "TEXT"], f"{type(fetched).__name__} gives {result}"
    assert fetched.call_count == 2, (
        f"{type(fetched).__name__} was called {fetched.call_count} times"
    )
    fetched.assert_called_with(url="b")
