"""What conduits say of themselves: each kind of this library, and those that users write."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops
from reactivex.subject import Subject

import fluxus_rx.graph
from fluxus_rx import (
    AsyncConsumer,
    Consumer,
    InvalidFlowError,
    Producer,
    SimpleProducer,
    Transformer,
    check,
    from_observable,
    parallel,
    passthrough,
    rx_pipe,
    start,
    step,
    stream_pipe,
)
from fluxus_rx.graph import (
    Description,
    Edge,
    FlowGraph,
    Node,
    Parallel,
    Paths,
    Series,
    Through,
)
from fluxus_rx.lineage import LabelingTransformer, LineageOrigin
from fluxus_rx.reactive_streams import from_publisher, to_publisher
from fluxus_rx.viz import to_tree
from tests.support.conduits import Add, AsyncNumbers, Collect, Fetch, Numbers
from tests.support.errors import refused, untyped


def plus(x: int, by: int) -> dict[str, int]:
    return {"x": x + by}


async def fetch(x: int) -> dict[str, int]:
    return {"x": x}


def pairs(x: int) -> Iterator[dict[str, int]]:
    yield {"x": x}


async def rows() -> AsyncIterator[dict[str, int]]:
    yield {"x": 1}


class City(LineageOrigin):
    product_name = "city"


class Label(LabelingTransformer[City, City]):
    def transform(self, product: City) -> Iterator[City]:
        yield product


class Total(AsyncConsumer[int, int]):
    async def aconsume(self, products: Any) -> int:
        return sum([product async for _, product in products])


DATA = [{"x": 1}]
SUBJECT: Subject[Any] = Subject()
PUBLISHER = to_publisher(SimpleProducer([1]))
ITEMS = [1, 2]
ONE = step("one", fetch)

#: Each kind of conduit, and what it says that isn't what it would say by default.
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "step of data": (step("src", DATA), {"role": "producer", "name": "src", "data": DATA}),
    "step of a function without parameters": (
        step("src", rows),
        {"role": "producer", "name": "src", "function": rows, "awaits": True, "is_step": True},
    ),
    "step of an observable": (
        step("src", SUBJECT),
        {"role": "producer", "name": "src", "data": SUBJECT, "awaits": True, "emission": "hot"},
    ),
    "step of a plain function": (
        step("add", plus, by=3),
        {"name": "add", "function": plus, "arguments": {"by": 3}, "is_step": True},
    ),
    "step of an asynchronous function": (
        step("f", fetch),
        {"name": "f", "function": fetch, "awaits": True, "is_step": True},
    ),
    "step of a generator": (
        step("f", pairs),
        {"name": "f", "function": pairs, "is_step": True},
    ),
    "step with options": (
        step("add", plus, by=3).options(concurrency=2),
        {
            "name": "add",
            "function": plus,
            "arguments": {"by": 3},
            "options": {"concurrency": 2},
            "implied": {"executor": "thread"},
            "is_step": True,
        },
    ),
    "producer of a class": (
        SimpleProducer(ITEMS),
        {"role": "producer", "name": "SimpleProducer", "arguments": {"items": ITEMS}},
    ),
    "asynchronous producer": (
        AsyncNumbers(3),
        {
            "role": "producer",
            "name": "AsyncNumbers",
            "arguments": {"end": 3},
            "awaits": True,
        },
    ),
    "producer with an executor": (
        SimpleProducer(ITEMS).options(executor="thread"),
        {
            "role": "producer",
            "name": "SimpleProducer",
            "arguments": {"items": ITEMS},
            "options": {"executor": "thread"},
        },
    ),
    "transformer of a class": (Add(), {"name": "Add"}),
    "asynchronous transformer": (
        Fetch(),
        {"name": "Fetch", "awaits": True},
    ),
    "transformer that labels": (
        Label().label(country="Italy"),
        {
            "name": "Label",
            "arguments": {"#country": "Italy"},
            "connection": "own",
        },
    ),
    "consumer": (Collect(), {"role": "consumer", "name": "Collect"}),
    "asynchronous consumer": (
        Total(),
        {"role": "consumer", "name": "Total", "awaits": True},
    ),
    "observable of which all is kept": (
        from_observable(SUBJECT, "ticks"),
        {
            "role": "producer",
            "name": "ticks",
            "data": SUBJECT,
            "arguments": {"observable": SUBJECT, "name": "ticks"},
            "awaits": True,
            "buffer": 16,
            "overflow": "keep",
            "emission": "hot",
        },
    ),
    "observable that may drop": (
        from_observable(SUBJECT, overflow="latest"),
        {
            "role": "producer",
            "name": "from_observable",
            "data": SUBJECT,
            "arguments": {"observable": SUBJECT, "overflow": "latest"},
            "awaits": True,
            "buffer": 1,
            "overflow": "latest",
        },
    ),
    "publisher": (
        from_publisher(PUBLISHER, buffer=3),
        {
            "role": "producer",
            "name": "from_publisher",
            "data": PUBLISHER,
            "arguments": {"publisher": PUBLISHER, "buffer": 3},
            "awaits": True,
            "buffer": 3,
        },
    ),
}

#: What is not compared: it is the conduit itself, or follows from its class.
FIELDS = (
    "role", "name", "data", "arguments", "options", "inherited", "implied", "awaits", "connection",
    "buffer", "overflow", "emission", "is_step",
)  # fmt: skip

DEFAULTS: dict[str, Any] = {
    "role": "transformer", "data": None, "arguments": {}, "options": {}, "inherited": {},
    "implied": {}, "awaits": False, "connection": "stage", "buffer": None, "overflow": "",
    "emission": "", "is_step": False,
}  # fmt: skip


def only(conduit: Any) -> Description:
    """The description of an atomic conduit."""
    description = conduit.describe()
    assert isinstance(description, Description)
    return description


class TestKinds:
    """What each kind of conduit says of itself."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_atomic_conduit_gives_a_description(self, kind: str) -> None:
        """With what makes it different, and nothing else."""
        conduit, expected = KINDS[kind]
        description = only(conduit)
        found = {name: getattr(description, name) for name in FIELDS}
        wanted = DEFAULTS | expected
        assert description.function is wanted.pop("function", description.function)
        assert found == wanted
        assert description.source is conduit

    @pytest.mark.parametrize(
        ("conduit", "expected"),
        [
            (step("f", pairs), True),
            (step("src", rows), True),
            (step("f", fetch), False),
            (step("src", [{"x": 1}]), False),
            (Add(), True),
            (Fetch(), True),
            (Numbers(3), True),
            (AsyncNumbers(3), False),
            (rx_pipe(ops.take(3)), False),
        ],
        ids=lambda one: getattr(one, "name", str(one)),
    )
    def test_it_says_whether_its_function_is_a_generator(
        self, conduit: Any, expected: bool
    ) -> None:
        """That of a step, or the method of a class."""
        assert only(conduit).is_generator is expected

    def test_a_passthrough_is_no_node(self) -> None:
        """It has a part of its own."""
        assert passthrough().describe() == Through()

    @pytest.mark.parametrize(
        ("conduit", "library"),
        [(rx_pipe(ops.take(3)), "reactivex"), (stream_pipe(pipe.take(3)), "aiostream")],
        ids=["rx", "aiostream"],
    )
    def test_operators_say_whose_they_are(self, conduit: Any, library: str) -> None:
        """What they do, nobody knows."""
        description = only(conduit)
        assert (description.role, description.connection) == ("transformer", library)

    def test_a_buffer_says_how_much_it_holds(self) -> None:
        """And what becomes of the rest."""
        part = Add().buffered(3, "drop_oldest").describe()
        assert isinstance(part, Series)
        buffer, _ = part.parts
        assert isinstance(buffer, Description)
        assert (buffer.connection, buffer.buffer, buffer.overflow) == ("buffer", 3, "drop_oldest")

    def test_a_flow_is_a_series_with_groups_in_parallel(self) -> None:
        """However the brackets stand, a series has no series in it."""
        flow = Numbers(3) >> (Add() >> (Add() & (Add() >> Fetch()) & passthrough())) >> Collect()
        match flow.describe():
            case (
                Series(
                    parts=(
                        Description(role="producer"),
                        Description(name="Add"),
                        Parallel(parts=(Description(), Series(parts=(_, _)), Through())),
                        Description(role="consumer"),
                    )
                ) as whole
            ):
                assert whole.n_paths == 3
            case other:
                pytest.fail(f"got {other}")

    def test_options_of_a_chain_are_inherited(self) -> None:
        """What is set on the step itself is told apart from them."""
        whole = (ONE.options(timeout=1) >> ONE).options(retry=3).describe()
        assert isinstance(whole, Series)
        steps = [one for one in whole.parts if isinstance(one, Description)]
        found = [(one.options, one.inherited) for one in steps]
        assert found == [({"timeout": 1}, {"retry": 3}), ({}, {"retry": 3})]

    def test_item_types_are_those_of_the_conduit(self) -> None:
        """As far as it tells."""
        assert (only(Numbers(3)).product_type, only(Total()).input_type) == (int, int)
        assert Description(role="producer", name="x").product_type is Any

    def test_a_conduit_that_stands_twice_is_the_same_source(self) -> None:
        """Its descriptions are two."""
        whole = (ONE >> ONE).describe()
        assert isinstance(whole, Series)
        first, second = whole.parts
        assert isinstance(first, Description)
        assert isinstance(second, Description)
        assert first is not second
        assert first.source is second.source is ONE

    def test_nothing_is_compared_to_find_the_arguments_of_a_class(self) -> None:
        """A comparison may take long, or raise."""

        class Rude:
            def __eq__(self, other: object) -> bool:
                raise AssertionError

            __hash__ = None  # type: ignore[assignment]  # not needed

        rude = [Rude()]
        assert only(SimpleProducer(rude)).arguments == {"items": rude}


class Query(Producer[int]):
    """A producer of a user's, that says what it asks."""

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def produce(self) -> Iterable[int]:
        yield 1

    def describe(self) -> Description:
        return Description(role="producer", name="query", data=self.sql)


class TestOfUsers:
    """Conduits that users write take part without a line, or with one method."""

    def test_one_that_says_nothing_is_described_by_its_class(self) -> None:
        """With its name, its arguments and its options."""

        class Scale(Transformer[float, float]):
            def __init__(self, factor: float = 1.0) -> None:
                self.factor = factor

            def transform(self, product: float) -> Iterator[float]:
                yield self.factor * product

        description = only(Scale(2.0).options(concurrency=3))
        assert (description.name, description.kind) == ("Scale", "Scale")
        assert description.arguments == {"factor": 2.0}
        assert description.options == {"concurrency": 3}
        assert description.function is not None
        assert list(description.function(2.0)) == [4.0]

    def test_one_may_say_more(self) -> None:
        """Drawings, checks and connections read that."""
        query = Query("SELECT 1")
        flow = query >> Add()
        assert to_tree(flow).splitlines()[0] == "▷ query  'SELECT 1'"
        assert [one.step for one in check(flow)] == ["query → Add"]
        (((first, second)),) = flow.get_connections()
        assert first is query
        assert second.name == "Add"

    def test_one_may_change_what_it_says_by_default(self) -> None:
        """All else stays."""

        class Renamed(Add):
            def describe(self) -> Any:
                description = super().describe()
                assert isinstance(description, Description)
                return dataclasses.replace(description, name="plus one", awaits=True)

        flow = Numbers(3) >> Renamed()
        assert to_tree(flow).splitlines()[1] == "○ plus one"
        assert check(flow)[0].text.endswith("up to 256 are in calls of 'plus one'")

    def test_a_run_compares_no_arguments(self) -> None:
        """With what they are by default, which may take long: it needs no description."""

        class Data:
            __hash__ = None  # type: ignore[assignment]  # as Python says it of a class with __eq__

            def __eq__(self, other: object) -> bool:
                compared.append(other)
                return False

        class Look(Transformer[int, int]):
            def __init__(self, data: Any = 0) -> None:
                self.data = data

            def transform(self, product: int) -> Iterable[int]:
                yield product

        compared: list[object] = []
        assert list(Numbers(3) >> Look(Data())) == [0, 1, 2]
        assert compared == []

    async def test_statistics_call_each_conduit_as_drawings_do(self) -> None:
        """Of this library, and of users, whether they have a name or describe themselves; operators
        call nothing that could be counted."""

        class Named(Transformer[Any, Any]):
            name = "named"

            def transform(self, product: Any) -> Iterable[Any]:
                yield product

        class Described(Named):
            def describe(self) -> Any:
                return dataclasses.replace(only(super()), name="described")

        flow = (
            from_observable(reactivex.of({"x": 1}), "ticks")
            >> rx_pipe(ops.take(2))
            >> Named()
            >> (step("plus", plus, by=1) & step("fetch", fetch) >> Described())
            >> stream_pipe(pipe.take(4), name="four")
            >> step("pairs", pairs)
        )
        running = start(flow)
        await running.result()

        said = [node.description for node in FlowGraph.of(flow).nodes]
        calling = [one.name for one in said if one is not None and one.connection == "stage"]
        assert [one.step for one in running.stats().steps] == calling
        assert calling == ["ticks", "named", "plus", "fetch", "described", "pairs"]

    def test_one_may_consist_of_several(self) -> None:
        """It is drawn as they are."""

        class Pair(Add):
            def describe(self) -> Series:
                return Series(
                    tuple(Description(role="transformer", name=name) for name in ("a", "b"))
                )

        flow = Numbers(3) >> Pair()
        assert [node.name for node in FlowGraph.of(flow).nodes] == ["Numbers", "a", "b", "end"]
        assert [one.step for one in check(flow)] == ["Numbers → a", "a → b"]
        assert [first.name for first, _ in flow.get_connections()] == ["Numbers", "a"]

    def test_what_is_no_description_is_refused(self) -> None:
        """The message has the class and what it returned."""

        class Wrong(Add):
            def describe(self) -> Any:
                return {"name": "a"}

        for reader in (FlowGraph.of, check, to_tree, Transformer.draw):
            with refused(InvalidFlowError, "Wrong.describe() returned {'name': 'a'} (dict)"):
                reader(untyped(Numbers(3) >> Wrong()))

    def test_anything_that_describes_itself_can_be_drawn_and_checked(self) -> None:
        """It need be no conduit; a class of conduits is none yet."""

        class Plan:
            def describe(self) -> Series:
                return Series((Query("SELECT 1").describe(), Through()))

        assert [node.role for node in FlowGraph.of(Plan()).nodes] == ["producer", "end"]
        assert check(Plan()) == []
        with refused(InvalidFlowError, "a drawing shows a flow, not <class"):
            FlowGraph.of(untyped(Plan))
        with refused(InvalidFlowError, "check() takes a flow, or a part of one, not <class"):
            check(untyped(Add))


class TestNodes:
    """What a drawing makes of descriptions."""

    def test_each_node_of_a_conduit_has_its_description(self) -> None:
        """Points that a drawing adds have none."""
        flow = step("add", plus, by=3)
        start, node, end = FlowGraph.of(flow).nodes
        assert start.description is end.description is None
        assert node.description is not None
        assert node.description.arguments == {"by": 3}
        assert "description" not in repr(node)

    def test_the_values_of_a_node_are_texts(self) -> None:
        """Those of its description are the values themselves."""
        node = FlowGraph.of(step("add", plus, by="3")).nodes[1]
        assert node == Node("n1", "transformer", "add", "plus", {"by": "'3'"})

    def test_the_data_of_a_producer_is_told_once(self) -> None:
        """As an argument, or as its content."""
        node = FlowGraph.of(from_observable(reactivex.of(1))).nodes[0]
        assert node.content == ""
        assert list(node.arguments) == ["observable"]

    def test_the_connections_of_a_flow_are_read_one_by_one(self) -> None:
        """Of a wide junction, not all of them are made before the first is asked for."""
        wide = parallel([ONE] * 30)
        edges = (wide >> wide >> wide).get_connections()
        assert next(edges) == (ONE, ONE)


def test_the_classes_are_those_of_the_public_module() -> None:
    """Users see and report what they import."""
    for name in set(fluxus_rx.graph.__all__) - {"Part"}:  # a union of them, for annotations
        assert getattr(fluxus_rx.graph, name).__module__ == "fluxus_rx.graph"
    assert fluxus_rx.graph.__all__ == sorted(fluxus_rx.graph.__all__)
    for kind in (Edge, FlowGraph, Node, Paths):
        assert getattr(fluxus_rx.viz, kind.__name__) is kind


def lines_of(graph: FlowGraph) -> Iterator[str]:
    """A renderer of a user's: a table of what is connected to what."""
    names = {node.key: node.name for node in graph.nodes}
    options: Mapping[str, Any] = {
        node.key: node.description.options for node in graph.nodes if node.description is not None
    }
    for edge in graph.edges:
        arrow = "··>" if edge.through else "-->"
        limit = options.get(edge.target, {}).get("concurrency", "")
        yield f"{names[edge.source]} {arrow} {names[edge.target]} {limit}".rstrip()


def test_a_renderer_needs_no_more_than_the_graph() -> None:
    """Texts are at hand, and so are the values."""
    flow = step("src", DATA) >> (ONE.options(concurrency=3) & passthrough()) >> Collect()
    assert list(lines_of(FlowGraph.of(flow))) == [
        "src --> one 3",
        "one --> Collect",
        "src ··> Collect",
    ]


def test_a_consumer_alone_has_no_product_type() -> None:
    """It returns a result, and no products."""
    consumer: Consumer[int, Any] = Collect()
    assert only(consumer).product_type is Any
