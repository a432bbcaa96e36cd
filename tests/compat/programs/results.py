"""Programs of data frames, and of products with a lineage."""

from __future__ import annotations


def programs():
    from fluxus.functional import RunResult, passthrough, run, step
    from fluxus.lineage import HasLineage, LabelingProducer, LabelingTransformer, LineageOrigin

    def frame(result, **arguments):
        found = result.to_frame(**arguments)
        return {
            "columns": [list(column) for column in found.columns],
            "names": [list(found.columns.names), list(found.index.names)],
            "index": [repr(item) for item in found.index.tolist()],
            "dtypes": [str(dtype) for dtype in found.dtypes],
            "rows": [[repr(cell) for cell in row] for row in found.astype(object).values.tolist()],
        }

    def result(*outputs):
        return RunResult(list(outputs))

    class City(LineageOrigin):
        product_name = "city"

        def __init__(self, name):
            self.name = name

    class Leg(HasLineage[HasLineage]):
        product_name = "leg"

        def __init__(self, before, to):
            self.before = before
            self.to = to

        @property
        def precursor(self):
            return self.before

    class Cities(LabelingProducer[City]):
        def __init__(self, names=("Rome", "Oslo")):
            self.names = names

        def produce(self):
            for name in self.names:
                yield City(name)

    class Trips(LabelingTransformer[City, Leg]):
        def transform(self, source_product):
            yield Leg(source_product, "Paris")

    def lineages(products):
        return [product.get_lineage_attributes() for product in products]

    trip = Leg(Leg(City("Rome"), "Paris"), "London")

    return {
        # Frames
        "a frame": lambda: frame(result({"a": {"x": 1}, "b": {"y": "text"}})),
        "a frame of several outputs": lambda: frame(
            result({"a": {"x": 1, "y": 1.5}}, {"a": {"x": 2, "y": 2.5}})
        ),
        "a frame of a run": lambda: frame(
            run(step("src", [{"x": 1}, {"x": 2}]) >> step("add", lambda x: {"y": x + 0.5}))
        ),
        "a frame of a path": lambda: frame(RunResult([{"a": {"x": 1}}], [{"b": {"x": 2}}]), path=1),
        "a frame of several paths": lambda: frame(
            RunResult([{"a": {"x": 1}}], [{"a": {"x": 2}}, {"a": {"x": 3}, "b": {"y": 1}}])
        ),
        "a frame of paths of a run": lambda: frame(
            run(step("src", {"x": 1}) >> (step("add", lambda x: {"y": x}) & passthrough()))
        ),
        "a frame with values that are missing": lambda: frame(
            result({"a": {"x": 1, "s": "a"}}, {"a": {"y": True}})
        ),
        "a frame with None": lambda: frame(result({"a": {"x": 1}}, {"a": {"x": None}})),
        "a frame with lists": lambda: frame(result({"a": {"x": [1, 2]}}, {"a": {"x": []}})),
        "a frame of whole floats": lambda: frame(result({"a": {"x": 1.0}}, {"a": {"x": 2.0}})),
        "a frame of texts": lambda: frame(result({"a": {"x": "one"}}, {"a": {"x": "two"}})),
        "a frame of booleans": lambda: frame(result({"a": {"x": True}}, {"a": {"x": False}})),
        "a frame with an empty path": lambda: frame(RunResult([], [{"a": {"x": 1}}])),
        "a frame of a nested dictionary": lambda: frame(
            result({"a": {"d": {"p": 1, "q": 2}}}, {"a": {"d": {"p": 3, "q": 4}}})
        ),
        "a frame of a nested dictionary with a key that is missing": lambda: frame(
            result({"a": {"d": {"p": 1, "q": 2}}}, {"a": {"d": {"p": 3}}})
        ),
        "a frame of dictionaries in dictionaries": lambda: frame(
            result({"a": {"d": {"p": {"r": 1, "s": 2}}}})
        ),
        "a frame of dictionaries beside values": lambda: frame(
            result({"a": {"x": 1, "d": {"p": 1, "q": 2}}})
        ),
        "a frame of an empty dictionary": lambda: frame(result({"a": {"x": 1, "d": {}}})),
        "a frame with timestamps": lambda: frame(run(step("src", {"x": 1}), timestamps=True))[
            "columns"
        ],
        "a simple frame": lambda: frame(
            result({"a": {"x": [1], "y": 1, "z": "text", "t": (1, 2)}}), simplify=True
        ),
        "a simple frame of dictionaries": lambda: frame(
            result({"a": {"d": {"p": [1]}}}), simplify=True
        ),
        "a frame of a path that there is not": lambda: frame(result({"a": {"x": 1}}), path=1),
        "a frame of a path before the first": lambda: frame(result({"a": {"x": 1}}), path=-1),
        "a frame of a path without outputs": lambda: frame(RunResult([]), path=0),
        "a frame without outputs": lambda: frame(RunResult([], [])),
        "a frame without paths": lambda: frame(RunResult()),
        # Lineage
        "a lineage": lambda: trip.get_lineage_attributes(),
        "the products of a lineage": lambda: [one.product_name for one in trip.get_lineage()],
        "what a product adds": lambda: [dict(City("Rome").product_attributes), trip.to],
        "a product without labels": lambda: dict(City("Rome").product_labels),
        "a product with labels": lambda: dict(City("Rome").label(size="big").product_labels),
        "labels are added": lambda: dict(City("Rome").label(a=1).label(b=2).product_labels),
        "labels are replaced": lambda: dict(City("Rome").label(a=1).label(a=2).product_labels),
        "a label gives the product": lambda: (city := City("Rome")).label(a=1) is city,
        "a label that is an attribute": lambda: City("Rome").label(name="Roma"),
        "labels in a lineage": lambda: (
            Leg(City("Rome").label(size="big"), "Paris")
            .label(mode="train")
            .get_lineage_attributes()
        ),
        "the text of a short result": lambda: str(result({"a": {"x": 1}})),
        "the text of a result without outputs": lambda: [str(result()), str(RunResult())],
        "the text of a tuple of one": lambda: repr(result({"a": {"x": (1,)}})),
        "the text of two paths": lambda: str(
            RunResult([{"a": {"x": "1" * 20}}], [{"a": {"x": "2" * 20}}])
        ),
        "the text of a long result": lambda: str(
            result({"a": {"x": "x" * 70, "y": ["y" * n for n in (30, 50, 9)]}}, {"a": {"x": 1}})
        ),
        "the text of a result that is deep": lambda: str(
            RunResult([{"a": {"x": {"b": [("c" * 80,), {1}, {}, [{"d": "e" * 49}] * 2]}}}], [])
        ),
        "the text of texts as wide as a line": lambda: [
            str(result({"a": {"x": "x" * n, "y": ["y" * n]}}, {"b": {"z": (n, n)}}))
            for n in range(40, 64)
        ],
        "an origin has no precursor": lambda: City("Rome").precursor,
        "a product without a name is abstract": lambda: LineageOrigin(),
        "a producer labels": lambda: [
            dict(one.product_labels) for one in Cities().label(kind="city")
        ],
        "a producer without labels": lambda: [dict(one.product_labels) for one in Cities()],
        "a transformer labels": lambda: lineages(Cities() >> Trips().label(mode="train")),
        "both label": lambda: lineages(Cities().label(kind="city") >> Trips().label(mode="train")),
        "labels of labels": lambda: [
            dict(one.product_labels) for one in Cities(["Rome"]).label(a=1).label(b=2)
        ],
        "labels as arguments": lambda: dict(Cities().label(kind="city").get_repr_attributes()),
        "the name of what labels": lambda: Cities().label(kind="city").name,
        "a producer with a label that is an attribute": lambda: list(Cities().label(name="x")),
    }
