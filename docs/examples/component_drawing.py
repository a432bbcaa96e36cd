"""A drawing style of one's own: a flow as D2, a language of diagrams."""

from __future__ import annotations

import json

from fluxus_rx import parallel, passthrough, step
from fluxus_rx.graph import Describable, FlowGraph

SHAPES = {"producer": "cylinder", "transformer": "rectangle", "consumer": "page"}


def to_d2(flow: Describable) -> str:
    """The text of a drawing; steps that are called many times at once are stacked."""
    # Nodes have short texts, the same in every run, with secrets masked; their description has
    # the values themselves.
    graph = FlowGraph.of(flow)
    lines = ["direction: right"]
    for node in graph.nodes:
        lines.append(f"{node.key}: {json.dumps(' '.join([node.name, *node.details]))}")
        lines.append(f"{node.key}.shape: {SHAPES.get(node.role, 'circle')}")
        if node.description is not None and node.description.options.get("concurrency"):
            lines.append(f"{node.key}.style.multiple: true")
    for edge in graph.edges:
        dashes = ": {style.stroke-dash: 4}" if edge.through else ""
        lines.append(f"{edge.source} -> {edge.target}{dashes}")
    return "\n".join(lines)


async def fetch(url: str) -> dict[str, str]:
    return {"page": url}


flow = step("urls", [{"url": "a"}]) >> parallel(
    step("fetch", fetch).options(concurrency=5), passthrough()
)


def main() -> None:
    print(to_d2(flow))


if __name__ == "__main__":
    main()
