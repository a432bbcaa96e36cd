"""A name of a branch tells whose outputs are whose, and changes nothing else."""

from __future__ import annotations

import pickle
import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fluxus_rx import RunResult, parallel, path, rerun, run, step
from fluxus_rx.testing import virtual_time
from tests.support.planned_flows import Beside, Graph, World, graphs, named, nodes, one_passthrough
from tests.support.tables import as_many

SOURCE = [{"uid": (number,)} for number in range(3)]


@dataclass
class NamingWorld(World):
    """Sets names to branches of groups, or to a part of a flow elsewhere."""

    names: list[str] = field(default_factory=list)

    def flow(self, graph: Graph) -> Any:
        """The flow that the graph describes."""
        if isinstance(graph, Beside):
            return parallel(*(self.named(self.flow(part), 0.7) for part in graph.parts))
        return self.named(super().flow(graph), 0.0 if "Pass" in repr(graph) else 0.2)

    def named(self, flow: Any, often: float) -> Any:
        """The flow with a name, as often as that."""
        if random.Random(f"{self.seed} {len(self.names)} {flow!r}").random() >= often:
            return flow
        self.names.append(f"branch {len(self.names)}")
        return path(self.names[-1], flow)


def told(result: RunResult) -> Any:
    """All that a result has, but for the names of its paths, by which failures with products of one
    position are sorted."""
    failures = [(one.step, one.product["uid"], one.attempts) for one in result.failures]
    positions = [one.product.positions() for one in result.failures]
    return list(result), sorted(failures, key=repr), positions, result.complete


@settings(max_examples=as_many(15, thoroughly=500))
@given(graphs(nodes()), st.integers(0, 999))
def test_a_flow_gives_the_same_with_names_and_without(graph: Graph, seed: int) -> None:
    """Outputs, their order, failures, and what a rerun of those returns; also once it was
    pickled."""
    assume(one_passthrough(graph))
    graph = named(graph)
    results, merged = [], []
    naming = NamingWorld(seed)
    for world in (World(seed), naming):
        flow = step("source", SOURCE) >> world.flow(graph)
        with virtual_time():
            results.append(run(flow))
            again = rerun(flow, results[-1].failures)
        merged.append(told(results[-1].merged(again)))
    plain, result = results
    assert told(result) == told(plain)
    assert merged[0] == merged[1]
    loaded = pickle.loads(pickle.dumps(result))
    assert (loaded, loaded.paths) == (result, result.paths)
    assert len({*result.paths}) == len(result)
    for index, name in enumerate(result.paths):
        if name not in naming.names:
            assert result[name] == result[index]
    for name in naming.names:
        assert all(output in [*result.get_outputs()] for output in result[name])
