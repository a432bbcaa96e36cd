"""A flow as nodes and edges: what is shown of each, and which paths lead where."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    InvalidFlowError,
    SimpleProducer,
    chain,
    parallel,
    passthrough,
    rx_pipe,
    step,
)
from fluxus_rx._conduits.conduit import role_of
from fluxus_rx.viz import Edge, FlowGraph, Node, Paths, to_tree
from tests.support.drawings import (
    Named,
    Scale,
    Total,
    Unshowable,
    classes,
    hello,
    one,
    part,
    plain,
    plus,
)
from tests.support.graphs import Recorder, flows, transformers
from tests.support.oracle import Graph


def only(conduit: Any, role: str = "transformer") -> Node:
    """The only node of a role."""
    [found] = [node for node in FlowGraph.of(conduit).nodes if node.role == role]
    return found


@dataclasses.dataclass
class Wide:
    """Has a long `repr`."""

    first: int
    second: int
    third: int
    fourth: int
    fifth: int


def named_edges(graph: FlowGraph) -> list[tuple[str, str]]:
    names = {node.key: node.name for node in graph.nodes}
    return [(names[edge.source], names[edge.target]) for edge in graph.edges]


class TestNodes:
    """What a node says of its conduit."""

    def test_a_step_shows_its_function_its_fixed_arguments_and_its_options(self) -> None:
        """The function by name, as it isn't that of the step; the options that were changed."""
        node = only(step("add", plus, by=3).options(concurrency=7))
        assert (node.name, node.content) == ("add", "plus")
        assert (node.arguments, node.options) == ({"by": "3"}, {"concurrency": "7"})

    @pytest.mark.parametrize("function", [lambda x: {}, plus], ids=["lambda", "same name"])
    def test_a_function_without_a_name_of_its_own_is_not_shown(self, function: Any) -> None:
        """It would tell nothing."""
        assert only(step("plus", function)).details == []

    def test_a_partial_is_shown_as_its_function(self) -> None:
        """The name is that of what is called in the end."""
        assert only(step("add", functools.partial(plus, by=1))).content == "plus"

    def test_a_producer_shows_its_data_or_its_function(self) -> None:
        """Data in short, a function by name."""
        assert only(step("src", [{"x": 1}]), "producer").content == "[{'x': 1}]"
        assert only(step("src", one), "producer").content == "one"

    def test_a_conduit_of_a_class_shows_its_arguments(self) -> None:
        """Those that differ from the defaults, as in its repr."""
        assert only(Scale(2.5)).details == ["factor=2.5"]
        assert only(Scale()).details == []
        assert only(SimpleProducer([1]), "producer").details == ["items=[1]"]

    def test_labels_are_shown_with_their_mark(self) -> None:
        """As the conduit has them among its attributes."""

        class Labelled(Scale):
            def get_repr_attributes(self) -> Mapping[str, object]:
                return {"#city": "Rome"}

        assert only(Labelled()).details == ["#city='Rome'"]

    def test_a_conduit_without_a_name_is_called_by_its_class(self) -> None:
        """A node is never blank."""
        assert only(Named(" ", 1)).name == "Named"

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (Unshowable(), "<Unshowable: its repr raised ValueError>"),
            ([Unshowable()], "[<Unshowable: its repr raised ValueError>]"),
            (object(), "<object>"),
            (plus, "plus"),
            (Scale, "Scale"),
            ((plus, len), "(plus, len)"),
            (iter([]), "<list_iterator>"),
            ("<x at 0x12>", "'<x at 0x12>'"),
            (asyncio.Semaphore(3), "<Semaphore>"),
            (asyncio.Lock(), "<Lock>"),
            ([asyncio.Lock()], "[<asyncio.locks.Lock object [unlocked]>]"),
            (threading.Lock(), "<unlocked _thread.lock object>"),
            (Wide(*range(10**6, 10**6 + 5)), "<Wide>"),
            (
                PurePosixPath("data/sales/2026/november/0001.parquet"),
                "PurePosixPath('data/sales/2026/november/0001.parquet')",
            ),
            ([10**8] * 5, "[100000000, 100000000, 100000000, 100000000, 100000000]"),
            (Decimal(10) ** 50, "Decimal('1.000000000000000000000000000E+50')"),
            ("a\nb", r"'a\nb'"),
        ],
    )
    def test_a_value_is_shown_on_one_line_the_same_in_every_run(
        self, value: object, shown: str
    ) -> None:
        """Without addresses; and what has a repr that raises is shown by its type."""
        assert only(Named("a", value)).arguments == {"value": shown}

    def test_operators_of_rx_are_shown_by_name(self) -> None:
        """A pipe has nothing else to show."""
        assert only(rx_pipe(plus, len)).details == ["plus, len"]

    @pytest.mark.parametrize(
        ("conduit", "roles"),
        [
            (hello(), {"producer": 1, "transformer": 4, "end": 1}),
            (classes(), {"producer": 1, "transformer": 2, "consumer": 1}),
            (part(), {"start": 1, "transformer": 3, "end": 1}),
            (Scale() >> Total(1), {"start": 1, "transformer": 1, "consumer": 1}),
            (Total(1), {"start": 1, "consumer": 1}),
            (passthrough(), {"start": 1, "end": 1}),
            (parallel(step("a", one), step("b", one)), {"producer": 2, "end": 1}),
        ],
        ids=["functions", "classes", "part", "to a consumer", "consumer", "passthrough", "sources"],
    )
    def test_what_lacks_a_producer_or_a_consumer_gets_a_start_or_an_end(
        self, conduit: Any, roles: dict[str, int]
    ) -> None:
        """Every drawing begins and ends somewhere."""
        assert Counter(node.role for node in FlowGraph.of(conduit).nodes) == roles

    def test_a_conduit_that_occurs_twice_is_two_nodes(self) -> None:
        """They stand in two places, so they are drawn in two places."""
        again = plain("again")
        assert named_edges(FlowGraph.of(again >> again)) == [
            ("start", "again"),
            ("again", "again"),
            ("again", "end"),
        ]

    def test_what_is_no_flow_is_refused(self) -> None:
        """The message shows what came."""
        with pytest.raises(InvalidFlowError, match=r"a drawing shows a flow, not 5 \(int\)"):
            FlowGraph.of(5)  # type: ignore[arg-type]  # the mistake


class TestEdges:
    """Which nodes are joined."""

    def test_a_passthrough_is_an_edge_of_its_own_kind(self) -> None:
        """It leads from what feeds the group to what the group feeds."""
        through = [edge for edge in FlowGraph.of(hello()).edges if edge.through]
        assert through == [Edge("n0", "n5", through=True)]

    def test_a_wide_junction_is_a_point(self) -> None:
        """Six exits and six entries are twelve edges, not thirty-six."""
        sixes = [parallel(plain(f"{kind}{number}") for number in range(6)) for kind in "ab"]
        graph = FlowGraph.of(chain(*sixes))
        assert Counter(node.role for node in graph.nodes)["join"] == 1
        assert len(graph.edges) == 6 + 6 + 6 + 6

    def test_a_small_junction_has_all_its_edges(self) -> None:
        """Five exits and five entries can still be told apart."""
        fives = [parallel(plain(f"{kind}{number}") for number in range(5)) for kind in "ab"]
        graph = FlowGraph.of(chain(*fives))
        assert len(graph.edges) == 5 + 25 + 5

    @given(graph=transformers())
    def test_they_are_the_connections_of_the_flow(self, graph: Graph) -> None:
        """But for start, end and points, an edge is what `get_connections` yields."""
        flow = Recorder().flow(graph)
        drawn = FlowGraph.of(flow)
        keys = {node.key for node in drawn.nodes if node.role == "transformer"}
        inner = [edge for edge in drawn.edges if {edge.source, edge.target} <= keys]
        if not any(node.role == "join" for node in drawn.nodes):
            # The same conduit may occur twice in a graph, and is named alike.
            names = {(first.name, second.name) for first, second in flow.get_connections()}
            by_key = {node.key: node.name for node in drawn.nodes}
            assert {(by_key[edge.source], by_key[edge.target]) for edge in inner} == names

    @given(graph=st.one_of(flows(), transformers()))
    def test_no_two_lead_from_the_same_node_to_the_same_node(self, graph: Graph) -> None:
        """Paths that run side by side share an edge."""
        edges = FlowGraph.of(Recorder().flow(graph)).edges
        assert len({(edge.source, edge.target) for edge in edges}) == len(edges)


class TestPaths:
    """Which paths lead along an edge."""

    @given(graph=st.one_of(flows(), transformers()))
    def test_each_index_is_that_of_the_path_in_the_result(self, graph: Graph) -> None:
        """Following the edges of one index leads to the conduits of that path."""
        flow = Recorder().flow(graph)
        drawn = FlowGraph.of(flow, paths=True)
        names = {node.key: node.name for node in drawn.nodes if node.role not in UNNAMED}
        for index, path in enumerate(flow.iter_concurrent_conduits()):
            walked = [names[key] for key in walk(drawn, index) if key in names]
            expected = [one.name for one in path.chained_conduits if role_of(one) != "passthrough"]
            assert walked == expected

    @given(graph=st.one_of(flows(), transformers()))
    def test_they_are_asked_for(self, graph: Graph) -> None:
        """Without them, all else is the same."""
        flow = Recorder().flow(graph)
        with_paths, without = FlowGraph.of(flow, paths=True), FlowGraph.of(flow)
        assert with_paths.nodes == without.nodes
        assert without.edges == tuple(
            Edge(edge.source, edge.target, edge.through) for edge in with_paths.edges
        )

    def test_of_too_many_there_is_the_number(self) -> None:
        """Two to the sixty-fourth paths are counted, not listed."""
        pair = parallel(plain("a"), plain("b"))
        edges = FlowGraph.of(chain(*[pair] * 64), paths=True).edges
        assert edges[0].paths == Paths(2**63)
        assert str(edges[0].paths) == "about 10^18 paths"

    @pytest.mark.parametrize(
        ("paths", "text"),
        [
            (Paths(1, (range(1),)), "0"),
            (Paths(5, (range(4), range(7, 8))), "0-3, 7"),
            (
                Paths(8, tuple(range(n, n + 1) for n in range(0, 16, 2))),
                "0, 2, 4, 6, 8, … (8 paths)",
            ),
            (Paths(5_000), "5,000 paths"),
        ],
        ids=["one", "ranges", "many ranges", "number"],
    )
    def test_they_are_told_in_a_few_characters(self, paths: Paths, text: str) -> None:
        """Ranges, the first of them, or the number alone."""
        assert str(paths) == text


UNNAMED = ("start", "end", "join")


def walk(graph: FlowGraph, index: int) -> Iterator[str]:
    """The keys of the nodes along one path."""
    following = {
        edge.source: edge.target
        for edge in graph.edges
        if edge.paths is not None and any(index in one for one in edge.paths.ranges or ())
    }
    first = (following.keys() - following.values()).pop()
    yield first
    while first in following:
        yield (first := following[first])


class TestSize:
    """How large a flow may be."""

    @pytest.mark.parametrize(
        ("link", "length"),
        [
            (lambda: plain("a"), 2_000),
            (lambda: parallel(plain("a"), plain("b")), 2_000),
            # A chain of more takes long to build, as types are checked past each passthrough.
            (lambda: parallel(plain("a"), passthrough()), 300),
        ],
        ids=["steps", "pairs", "passthroughs"],
    )
    def test_a_long_chain_has_edges_in_proportion(self, link: Any, length: int) -> None:
        """No more than some per link, however many exits might add up."""
        flow = chain(*(link() for _ in range(length)))
        assert len(FlowGraph.of(flow, paths=True).edges) < 14 * length

    def test_a_group_of_two_thousand_has_an_edge_in_and_out_for_each(self) -> None:
        """The width costs as much as the length."""
        graph = FlowGraph.of(parallel(map(plain, ["a"] * 2_000)), paths=True)
        assert len(graph.edges) == 4_000

    def test_a_deep_graph_is_long(self) -> None:
        """From ten nodes on, drawings run down the page."""
        assert not FlowGraph.of(chain(*map(plain, "abcdefg"))).is_long
        assert FlowGraph.of(chain(*map(plain, "abcdefgh"))).is_long


def test_addresses_within_values_are_left_out() -> None:
    """A drawing is the same in every run, whatever functions its values hold."""
    flow = step("f", lambda x, a: {}, a=[lambda: 1, object()])
    assert "0x" not in to_tree(flow)
