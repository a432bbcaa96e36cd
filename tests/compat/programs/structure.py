"""Programs that look at flows: roles, parts, connections, expressions, drawings."""

from __future__ import annotations


def programs():
    import io

    from fluxus import (
        AsyncConsumer,
        AsyncProducer,
        AsyncTransformer,
        Consumer,
        Flow,
        Passthrough,
        Producer,
        Transformer,
    )
    from fluxus.core import (
        AtomicConduit,
        ConcurrentConduit,
        Conduit,
        Processor,
        SerialConduit,
        SerialProcessor,
        SerialSource,
        Source,
    )
    from fluxus.core.producer import (
        BaseProducer,
        ConcurrentProducer,
        SerialProducer,
        SimpleConcurrentProducer,
    )
    from fluxus.core.transformer import (
        BaseTransformer,
        ConcurrentTransformer,
        SerialTransformer,
        SimpleConcurrentTransformer,
    )
    from fluxus.functional import RunResult, step
    from fluxus.functional.conduit import DictConsumer, DictProducer, Step
    from fluxus.util import simplify_repr_attributes
    from fluxus.viz import (
        FlowDrawer,
        FlowGraph,
        FlowGraphStyle,
        FlowTextStyle,
        TimelineDrawer,
        TimelineMatplotStyle,
        TimelineTextStyle,
    )
    from fluxus.viz.base import FlowStyle, TimelineStyle

    class Numbers(Producer[int]):
        def __init__(self, count=2, title="numbers of all kinds"):
            self.count = count
            self.title = title

        def produce(self):
            yield from range(self.count)

    class Tens(Producer[int]):
        def produce(self):
            yield 10

    class Later(AsyncProducer[int]):
        async def aproduce(self):
            yield 5

    class Add(Transformer[int, int]):
        def __init__(self, by=100):
            self.by = by

        def transform(self, source_product):
            yield source_product + self.by

    class Both(Transformer[int, int]):
        def transform(self, source_product):
            yield source_product
            yield -source_product

    class Double(AsyncTransformer[int, int]):
        async def atransform(self, source_product):
            yield 2 * source_product

    class Text(Producer[str]):
        def produce(self):
            yield "x"

    class Arrivals(Consumer[int, list]):
        def consume(self, products):
            return list(products)

    class Total(AsyncConsumer[int, int]):
        async def aconsume(self, products):
            return sum([product async for _, product in products])

    conduits = {
        "producer": Numbers(),
        "asynchronous producer": Later(),
        "producer chain": Numbers() >> Add(),
        "producer group": Numbers() & Tens(),
        "chain of a producer group": (Numbers() & Tens()) >> Add(),
        "chain into a group": Numbers() >> (Add() & Both()),
        "transformer": Add(),
        "asynchronous transformer": Double(),
        "transformer chain": Add() >> Both(),
        "transformer group": Add() & Both(),
        "transformer chain with a group": Add() >> (Add() & Both()),
        "group with a chain": (Add() >> Both()) & Add(),
        "consumer": Arrivals(),
        "asynchronous consumer": Total(),
        "flow": Numbers() >> Arrivals(),
        "flow of a group": (Numbers() & Tens()) >> Arrivals(),
        "passthrough": Passthrough(),
        "data": step("src", {"x": 1}),
        "step": step("add", lambda x: {"y": x}),
        "collector": DictConsumer(),
        "number": 3,
    }
    roles = [
        AsyncConsumer,
        AsyncProducer,
        AsyncTransformer,
        AtomicConduit,
        BaseProducer,
        BaseTransformer,
        ConcurrentConduit,
        ConcurrentProducer,
        ConcurrentTransformer,
        Conduit,
        Consumer,
        Flow,
        Passthrough,
        Processor,
        Producer,
        SerialConduit,
        SerialProcessor,
        SerialProducer,
        SerialSource,
        SerialTransformer,
        SimpleConcurrentProducer,
        SimpleConcurrentTransformer,
        Source,
        Transformer,
        DictConsumer,
        DictProducer,
        Step,
    ]
    kinds = [
        Producer,
        AsyncProducer,
        Transformer,
        AsyncTransformer,
        Consumer,
        AsyncConsumer,
        Passthrough,
        Step,
        DictProducer,
        DictConsumer,
        Numbers,
        Double,
        int,
    ]

    def names(conduits):
        return [one.name for one in conduits]

    def pairs(connections):
        return sorted([source.name, target.name] for source, target in connections)

    def graph(conduit):
        found = FlowGraph.from_conduit(conduit)
        return [pairs(found.connections), sorted(names(found.single_conduits))]

    def subclass(role):
        class Own(role):
            pass

    class Names(FlowStyle):
        """A style of one's own."""

        @classmethod
        def get_default_style_name(cls):
            return "names"

        def render_flow(self, flow):
            print([one.name for one in flow.chained_conduits])

    class Bars(TimelineStyle):
        """A style of one's own."""

        @classmethod
        def get_default_style_name(cls):
            return "bars"

        def render_timeline(self, output_index, timeline):
            print(output_index, list(timeline))

    times = {"[start]": 0.0, "[end]": 1.5}
    more_times = {"[start]": 1.5, "[end]": 2.25}
    timed = RunResult(
        [{"src": {"x": 1, **times}, "add": {"y": 1, **more_times}}],
        [{"src": {"x": 2, **times}}, {"src": {"x": 3, **more_times}}],
    )
    in_part = RunResult([{"src": {"x": 1, **times}}, {"src": {"x": 2}}])

    def drawn_to(style, result):
        out = io.StringIO()
        TimelineDrawer(style(out)).draw(result, title="Run")
        return out.getvalue()

    def with_pyplot(style, result):
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot

        figure = pyplot.figure()
        try:
            result.draw_timeline(style=style)
            axes = figure.axes[0]
            widths = [round(bar.get_width(), 3) for bar in axes.patches]
            return [axes.get_xlabel(), axes.get_ylabel(), widths[:3]]
        finally:
            pyplot.close(figure)

    def on_axes():
        from matplotlib.figure import Figure

        axes = Figure().subplots()
        TimelineDrawer(TimelineMatplotStyle(ax=axes)).draw(timed, title="Run")
        return [axes.get_title(), len(axes.patches) > 0]

    def picture(conduit, format):
        out = io.BytesIO()
        FlowDrawer(FlowGraphStyle(out, format=format)).draw(conduit, title="Flow")
        return out.getvalue()[:4].decode("latin-1")

    return {
        **{
            f"what is a {role.__name__}": lambda role=role: [
                name for name, conduit in conduits.items() if isinstance(conduit, role)
            ]
            for role in roles
        },
        **{
            f"what derives from {role.__name__}": lambda role=role: [
                kind.__name__ for kind in kinds if issubclass(kind, role)
            ]
            for role in roles
            if role.__module__.startswith(("fluxus.core", "fluxus_rx.compat.core"))
        },
        "roles take types": lambda: [
            str(role[(int,) * len(role.__parameters__)]).split(".")[-1].split("[")[0]
            for role in roles[:-3]
            if role is not Passthrough
        ],
        "a class of a role": lambda: subclass(SerialProducer),
        # Facts
        **{
            f"facts of a {name}": lambda one=one: [
                one.is_chained,
                one.is_concurrent,
                one.is_atomic,
                one.n_concurrent_conduits,
            ]
            for name, one in conduits.items()
            if isinstance(one, Conduit)
        },
        "the name of a class": lambda: Numbers().name,
        "the final conduit of a chain": lambda: (Numbers() >> Add()).final_conduit.name,
        "the final conduit of a group": lambda: (
            (one := Numbers() >> (Add() & Both())).final_conduit is one
        ),
        "the final conduit of itself": lambda: (one := Add()).final_conduit is one,
        "the final conduits of a chain": lambda: names((Numbers() >> Add()).get_final_conduits()),
        "the final conduits of a group": lambda: names(
            (Numbers() >> (Add() & Both())).get_final_conduits()
        ),
        "the final conduits beside a passthrough": lambda: names(
            (Numbers() >> (Add() & Passthrough())).get_final_conduits()
        ),
        "the final conduits of a flow": lambda: names(
            (Numbers() >> Arrivals()).get_final_conduits()
        ),
        "the conduits of a chain": lambda: names((Numbers() >> Add() >> Both()).chained_conduits),
        "the conduits of a flow": lambda: names((Numbers() >> Add() >> Total()).chained_conduits),
        "the conduits of itself": lambda: names(Add().chained_conduits),
        "isolated conduits of a producer": lambda: names(Numbers().get_isolated_conduits()),
        "isolated conduits of a chain": lambda: names((Numbers() >> Add()).get_isolated_conduits()),
        "isolated conduits of a group": lambda: names((Numbers() & Tens()).get_isolated_conduits()),
        "isolated conduits of a flow": lambda: names(
            (Numbers() >> Total()).get_isolated_conduits()
        ),
        "is_valid_source": lambda: [
            Add().is_valid_source(Numbers()),
            Add().is_valid_source(Text()),
            Add().is_valid_source(Both()),
            Add().is_valid_source(Numbers() >> Add()),
            Add().is_valid_source(Arrivals()),
            Arrivals().is_valid_source(Numbers()),
            Total().is_valid_source(Text()),
            (Add() & Both()).is_valid_source(Numbers()),
        ],
        # Connections
        "connections of a chain": lambda: pairs(
            (Numbers() >> Add() >> Both()).get_connections(ingoing=[])
        ),
        "connections of a group": lambda: pairs(
            (Numbers() >> (Add() & Both()) >> Double()).get_connections(ingoing=[])
        ),
        "connections of two sources": lambda: pairs(
            ((Numbers() & Tens()) >> (Add() & Both())).get_connections(ingoing=[])
        ),
        "connections around a passthrough": lambda: pairs(
            (Numbers() >> (Add() & Passthrough()) >> Both()).get_connections(ingoing=[])
        ),
        "connections of a flow": lambda: pairs(
            (Numbers() >> Add() >> Total()).get_connections(ingoing=[])
        ),
        "connections with what comes before": lambda: pairs(
            Add().get_connections(ingoing=[Numbers(), Tens()])
        ),
        "connections into a producer": lambda: list(Numbers().get_connections(ingoing=[Add()])),
        "connections of a producer": lambda: list(Numbers().get_connections(ingoing=[])),
        # Graphs
        "the graph of a flow": lambda: graph(Numbers() >> Add() >> Total()),
        "the graph of a producer": lambda: graph(Numbers()),
        "the graph of a transformer": lambda: graph(Add()),
        "the graph of a consumer": lambda: graph(Total()),
        "the graph of a chain": lambda: graph(Numbers() >> Add()),
        "the graph of branches": lambda: graph(Numbers() >> (Add() & Passthrough()) >> Both()),
        "the graph of two sources": lambda: graph(Numbers() & Tens()),
        "an empty graph": lambda: [*FlowGraph().connections, *FlowGraph().single_conduits],
        "a graph in the language of Graphviz": lambda: (
            (text := FlowGraph.from_conduit(Numbers() >> Add()).to_dot()).startswith("digraph")
            and text.count("->")
        ),
        "the look of a graph": lambda: (
            FlowGraph.from_conduit(Numbers()).to_dot(width=3.5).splitlines()[0]
        ),
        # Arguments
        "arguments that are not the default": lambda: dict(Numbers(3).get_repr_attributes()),
        "arguments that are the default": lambda: dict(Numbers().get_repr_attributes()),
        "simplify_repr_attributes": lambda: {
            name: str(value)
            for name, value in simplify_repr_attributes(
                {
                    "number": 1,
                    "part": 1.5,
                    "yes": True,
                    "short": "text",
                    "long": "x" * 20,
                    "spaces": "  a longer text of words  ",
                    "line": "one\ntwo and three and four",
                    "bytes": b"ab",
                    "rows": [1, 2],
                    "table": {1: 2},
                    "nothing": None,
                    "thing": object(),
                    "complex": 2j,
                    "set": {1},
                }
            ).items()
        },
        "an expression, compact": lambda: str(Numbers(3).to_expression(compact=True)),
        "an expression of a chain": lambda: str(
            (Numbers() >> (Add(2) & Both())).to_expression(compact=True)
        ),
        "an expression of a step": lambda: str(
            (step("src", {"x": 1}) >> step("add", abs_of, by=2)).to_expression(compact=True)
        ),
        "a whole expression": lambda: str((Numbers(3) >> Add(by=5)).to_expression()),
        "an expression of a result": lambda: str(RunResult([{"src": {"x": 1}}]).to_expression()),
        "the text of a conduit": lambda: str(Numbers(3) >> Add(by=5)),
        "the text of a step": lambda: str(step("add", abs_of, by=2)),
        # Drawings
        "the names of styles of flows": lambda: sorted(FlowDrawer.get_named_styles()),
        "the names of styles of timelines": lambda: sorted(TimelineDrawer.get_named_styles()),
        "the classes of styles": lambda: [
            [one.__name__ for one in drawer.get_style_classes()]
            for drawer in (FlowDrawer, TimelineDrawer)
        ],
        "the default styles": lambda: [
            type(drawer.get_default_style()).__name__ for drawer in (FlowDrawer, TimelineDrawer)
        ],
        "a style by its name": lambda: [
            type(FlowDrawer.get_style("text")).__name__,
            type(FlowDrawer("graph_dark").style).__name__,
            type(TimelineDrawer("matplot").style).__name__,
        ],
        "a style that there is not": lambda: FlowDrawer("crayon"),
        "a style that is none": lambda: FlowDrawer(3),
        "names of styles": lambda: [
            style.get_default_style_name()
            for style in (FlowTextStyle, FlowGraphStyle, TimelineTextStyle, TimelineMatplotStyle)
        ],
        "named styles of a class": lambda: [
            sorted(style.get_named_styles()) for style in (FlowTextStyle, FlowGraphStyle)
        ],
        "arguments of a graph style": lambda: [
            FlowGraphStyle("flow", format="svg").file,
            FlowGraphStyle("flow", format="svg").format,
            FlowGraphStyle().file,
            FlowGraphStyle().format,
        ],
        "a flow is drawn as text": lambda: (Numbers(3) >> Add(by=5)).draw("text"),
        "a flow is drawn in a style that there is not": lambda: Numbers().draw("crayon"),
        "a flow is drawn to a stream": lambda: (
            FlowDrawer(FlowTextStyle(out := io.StringIO())).draw(Numbers(3), title="Mine"),
            out.getvalue(),
        )[1],
        "a flow is drawn in a style of one's own": lambda: FlowDrawer(Names()).draw(
            Numbers() >> Add(), title="Mine"
        ),
        "a flow is drawn as PNG": lambda: picture(Numbers() >> Add(), "png"),
        "a flow is drawn as PDF": lambda: picture(Numbers() >> Add(), "pdf"),
        "a timeline is drawn": lambda: timed.draw_timeline(style="text"),
        "a timeline is drawn to a stream": lambda: (
            timed.draw_timeline(style="text", out=(out := io.StringIO())),
            out.getvalue(),
        )[1],
        "a timeline drawer draws": lambda: drawn_to(TimelineTextStyle, timed),
        "a timeline in a style of one's own": lambda: TimelineDrawer(Bars()).draw(
            timed, title="Run"
        ),
        "a timeline with pyplot": lambda: with_pyplot("matplot", timed),
        "a timeline with pyplot where an output has no times": lambda: with_pyplot(
            "matplot", in_part
        ),
        "a timeline where an output has no times": lambda: in_part.draw_timeline(style="text"),
        "a dark timeline with pyplot": lambda: with_pyplot("matplot_dark", timed),
        "a timeline on axes": on_axes,
        "a timeline without times": lambda: RunResult([{"a": {"x": 1}}]).draw_timeline(),
        "a timeline in a style that there is not": lambda: timed.draw_timeline(style="crayon"),
        "a picture to a stream of text": lambda: timed.draw_timeline(
            style="matplot", out=io.StringIO()
        ),
    }


def abs_of(x, by):
    return {"y": abs(x) + by}
