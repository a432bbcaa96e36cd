"""Programs of steps: functions on dictionaries, and their products."""

# Annotations are what they say: fluxus reads them.


def programs():
    import asyncio
    import functools
    from collections.abc import AsyncIterator, Iterator, Mapping
    from typing import Any

    from fluxus import Consumer, Passthrough, Producer, Transformer
    from fluxus.functional import RunResult, chain, parallel, passthrough, run, step
    from fluxus.functional.conduit import DictConsumer, DictProducer, Step
    from fluxus.functional.product import DictProduct

    def outputs(result):
        return [list(path) for path in result.get_outputs_per_path()]

    def two():
        return step("src", [{"x": 1}, {"x": 2}])

    def one():
        return step("src", {"x": 1})

    def add():
        return step("add", lambda x: {"y": x + 1})

    def several(x):
        for number in range(x):
            yield {"y": number}

    async def later(x):
        await asyncio.sleep(0)
        return {"y": x + 1}

    async def several_later(x):
        for number in range(x):
            await asyncio.sleep(0)
            yield {"y": number}

    async def patient(x):
        await asyncio.sleep(0.05 / x**2)
        return {"y": x}

    async def rows_later():
        yield {"x": 1}
        yield {"x": 2}

    async def row_later():
        return {"x": 7}

    def row(x):
        return {"x": x}

    def with_locals():
        found = 3
        return {"x": found}

    def source_of_rows():
        for number in (1, 2):
            yield {"x": number}

    def returns_number(x) -> int:
        return x

    def returns_mapping(x) -> Mapping[str, Any]:
        return {"y": x}

    def returns_iterator(x) -> Iterator[Mapping[str, Any]]:
        yield {"y": x}

    async def returns_later(x) -> AsyncIterator[Mapping[str, Any]]:
        yield {"y": x}

    def unknown(x) -> "Unknown":  # noqa: F821
        return {"y": x}

    def takes_positional(x, /):
        return {"y": x}

    class Callable:
        def __call__(self, x):
            return {"y": x}

    class Increase(Transformer[DictProduct, DictProduct]):
        def transform(self, source_product):
            yield DictProduct(
                "increase",
                {"y": source_product["x"] + 1},
                precursor=source_product,
                start_time=1.0,
                end_time=2.5,
            )

    class Keep(Transformer[DictProduct, DictProduct]):
        def transform(self, source_product):
            if source_product["x"] > 1:
                yield source_product

    class Twice(Transformer[DictProduct, DictProduct]):
        def transform(self, source_product):
            yield source_product
            yield source_product

    class Seen(Transformer[DictProduct, DictProduct]):
        """Shows what it is given."""

        def transform(self, source_product):
            print(facts(source_product))
            yield source_product

    class Begin(Producer[DictProduct]):
        def produce(self):
            for number in (1, 2):
                yield DictProduct("begin", {"x": number}, start_time=0.0, end_time=1.0)

    class Names(Consumer[DictProduct, list]):
        def consume(self, products):
            return [[path, facts(product)] for path, product in products]

    def facts(product):
        return {
            "name": product.name,
            "product_name": product.product_name,
            "own": dict(product),
            "product_attributes": dict(product.product_attributes),
            "attributes": dict(sorted(product.attributes.items())),
            "labels": dict(product.product_labels),
            "precursor": None if product.precursor is None else product.precursor.name,
            "lineage": [step.name for step in product.get_lineage()],
            "lineage_attributes": product.get_lineage_attributes(),
            "times": product.start_time <= product.end_time,
        }

    def product(name="src", attributes=None, before=None, start=0.0, end=1.0):
        return DictProduct(
            name, {"x": 1} if attributes is None else attributes,
            precursor=before, start_time=start, end_time=end,
        )  # fmt: skip

    async def listed(products):
        return [facts(product) for product in [product async for product in products]]

    def durations(result):
        """How long steps took, where their functions say so."""
        return [
            {name: step["[end]"] - step["[start]"] for name, step in output.items() if "y" in step}
            for output in result.get_outputs()
        ]

    def keys(result):
        return [
            {name: sorted(step) for name, step in output.items()} for output in result.get_outputs()
        ]

    def twice(flow):
        return [list(run(flow).get_outputs()) for _ in range(2)]

    return {
        "a generator that is run again": lambda: twice(step("s", ({"x": n} for n in (1, 2)))),
        # Sources
        "one mapping": lambda: run(one()),
        "a list of mappings": lambda: run(two()),
        "a tuple of mappings": lambda: run(step("src", ({"x": 1}, {"x": 2}))),
        "a generator": lambda: run(step("src", ({"x": n} for n in range(2)))),
        "an asynchronous generator": lambda: run(step("src", rows_later())),
        "a function without parameters": lambda: run(step("src", lambda: {"x": 1})),
        "a function that gives several": lambda: run(step("src", lambda: [{"x": 1}, {"x": 2}])),
        "a function with a variable": lambda: run(step("src", with_locals)),
        "a function with a variable, behind a step": lambda: run(two() >> step("f", with_locals)),
        "a function with a variable is a step": lambda: type(step("f", with_locals)).__name__,
        "a generator function": lambda: run(step("src", source_of_rows)),
        "an asynchronous function": lambda: run(step("src", row_later)),
        "an asynchronous generator function": lambda: run(step("src", rows_later)),
        "a partial without parameters": lambda: run(step("src", functools.partial(row, x=1))),
        "a function without parameters behind a step": lambda: two() >> step("f", lambda: {"y": 1}),
        "fixed arguments of a function without parameters": lambda: run(
            step("src", lambda: {"x": 1}, y=2)
        ),
        "no mappings": lambda: run(step("src", [])),
        "a text as data": lambda: run(step("src", "text")),
        "numbers as data": lambda: run(step("src", [1])),
        "a number as data": lambda: step("src", 3),
        "None as data": lambda: step("src", None),
        # Steps
        "a plain function": lambda: run(two() >> add()),
        "a generator of products": lambda: run(two() >> step("several", several)),
        "a list of products": lambda: run(two() >> step("f", lambda x: [{"y": x}, {"y": -x}])),
        "no products": lambda: run(two() >> step("f", lambda x: [{"y": x}] if x > 1 else [])),
        "an awaited function": lambda: run(two() >> step("f", later)),
        "an asynchronous generator of products": lambda: run(two() >> step("f", several_later)),
        "a function that returns a coroutine": lambda: run(two() >> step("f", lambda x: later(x))),
        "an object that is called": lambda: run(two() >> step("f", Callable())),
        "a bound method": lambda: run(two() >> step("f", Callable().__call__)),
        "a partial": lambda: run(
            two() >> step("f", functools.partial(lambda x, y: {"z": x + y}, y=1))
        ),
        "a fixed argument": lambda: run(two() >> step("f", lambda x, by: {"y": x + by}, by=2)),
        "a fixed argument hides an attribute": lambda: run(
            two() >> step("f", lambda x: {"y": x}, x=5)
        ),
        "a default": lambda: run(two() >> step("f", lambda x, by=3: {"y": x + by})),
        "a default that an attribute replaces": lambda: run(
            step("src", {"x": 1, "by": 7}) >> step("f", lambda x, by=3: {"y": x + by})
        ),
        "all attributes": lambda: run(
            step("src", {"x": 1, "z": 2})
            >> step("f", lambda **all_of_them: {"n": len(all_of_them)})
        ),
        "the other attributes": lambda: run(
            step("src", {"x": 1, "z": 2}) >> step("f", lambda x, **others: {"o": others})
        ),
        "any positional arguments": lambda: run(two() >> step("f", lambda *args: {"n": len(args)})),
        "an attribute of an earlier step": lambda: run(
            one() >> add() >> step("f", lambda x, y: {"z": [x, y]})
        ),
        "the latest value of an attribute": lambda: run(
            one() >> step("f", lambda x: {"x": x + 1}) >> step("g", lambda x: {"z": x})
        ),
        "a step that occurs again": lambda: run(
            one() >> step("f", lambda x: {"x": x + 1}) >> step("f", lambda x: {"x": x + 1})
        ),
        "a step that adds nothing": lambda: run(one() >> step("f", lambda x: {}) >> add()),
        "a step that adds nothing, and occurs again": lambda: run(
            one() >> step("f", lambda x: {}) >> step("f", lambda x: {"y": x})
        ),
        "calls that take their time": lambda: run(two() >> step("f", patient)),
        "an annotated mapping": lambda: run(two() >> step("f", returns_mapping)),
        "an annotated iterator": lambda: run(two() >> step("f", returns_iterator)),
        "an annotated asynchronous iterator": lambda: run(two() >> step("f", returns_later)),
        "an annotation that is no mapping": lambda: step("f", returns_number),
        "an annotation that is not there": lambda: type(step("f", unknown)).__name__,
        # Mistakes of steps
        "a name that is no identifier": lambda: step("a b", lambda x: {}),
        "a name of data that is no identifier": lambda: step("a b", {"x": 1}),
        "a positional-only parameter": lambda: step("f", takes_positional),
        "a fixed argument that is no parameter": lambda: step("f", lambda x: {}, y=1),
        "an attribute that is missing": lambda: run(one() >> step("f", lambda z: {"y": z})),
        "a step that gives a number": lambda: run(one() >> step("f", lambda x: x)),
        "a step that gives None": lambda: run(one() >> step("f", lambda x: None)),
        "a step that gives numbers": lambda: run(one() >> step("f", lambda x: [x])),
        "an attribute that is no identifier": lambda: run(one() >> step("f", lambda x: {"a b": x})),
        "a step that raises": lambda: run(one() >> step("f", lambda x: {"y": x / 0})),
        "an asynchronous step that raises": lambda: run(one() >> step("f", raising)),
        "a source that raises": lambda: run(step("src", lambda: {"y": 1 / 0})),
        "a step without a function": lambda: step("f"),
        # Runs
        "run with steps=": lambda: run(steps=two() >> add()),
        "run with an input": lambda: run(add(), input={"x": 3}),
        "run with several inputs": lambda: run(add(), input=[{"x": 3}, {"x": 4}]),
        "run with a generator of inputs": lambda: run(add(), input=({"x": n} for n in range(2))),
        "run without an input": lambda: run(step("f", lambda x=4: {"y": x})),
        "run with no inputs": lambda: run(step("f", lambda x=4: {"y": x}), input=[]),
        "run with an input of no kind": lambda: run(add(), input=3),
        "run with an input and a source": lambda: run(two(), input={"x": 1}),
        "run with branches and an input": lambda: run(
            parallel(add(), step("f", lambda x: {"z": -x})), input={"x": 3}
        ),
        "run in a loop": lambda: asyncio.run(as_coroutine(lambda: run(two() >> step("f", later)))),
        "run twice": lambda: [run(flow) for flow in [two() >> add()] * 2],
        "run a number": lambda: run(3),
        "run a tuple": lambda: run((two(),)),
        "run a passthrough": lambda: run(passthrough()),
        "run a flow with a consumer": lambda: run(two() >> DictConsumer()),
        "run nothing": lambda: run(),
        "run with timestamps": lambda: keys(run(two() >> add(), timestamps=True)),
        "times are in their order": lambda: [
            0 <= output["src"]["[start]"] <= output["add"]["[start]"] <= output["add"]["[end]"]
            for output in run(two() >> add(), timestamps=True).get_outputs()
        ],
        # Chains and groups
        "branches": lambda: run(two() >> (add() & step("f", lambda x: {"z": -x}))),
        "branches with a passthrough": lambda: run(two() >> (add() & passthrough())),
        "a passthrough first": lambda: run(two() >> (Passthrough() & add())),
        "branches meet again": lambda: run(
            one()
            >> (add() & step("f", lambda x: {"y": -x}) & passthrough())
            >> step("g", lambda y=0: {"z": y})
        ),
        "a branch gives nothing": lambda: run(one() >> (step("f", lambda x: []) & add())),
        "the last branch gives nothing": lambda: run(one() >> (add() & step("f", lambda x: []))),
        "two sources": lambda: run((one() & step("more", [{"x": 5}])) >> add()),
        "sources with a chain": lambda: run((one() >> add()) & step("more", [{"x": 5}])),
        "chain": lambda: run(chain(two(), add())),
        "chain of transformers": lambda: run(
            chain(two(), chain(add(), step("f", lambda y: {"z": y})))
        ),
        "chain of one": lambda: run(chain(two())),
        "chain of nothing": lambda: chain(),
        "chain of a list": lambda: chain([two(), add()]),
        "parallel": lambda: run(chain(two(), parallel(add(), step("f", lambda x: {"z": -x})))),
        "parallel of a list": lambda: run(two() >> parallel([add(), passthrough()])),
        "parallel of a generator": lambda: run(
            two() >> parallel(step(name, lambda x: {"y": x}) for name in "ab")
        ),
        "parallel of lists and steps": lambda: run(
            two() >> parallel([add(), passthrough()], step("f", lambda x: {"z": -x}))
        ),
        "parallel of sources": lambda: run(parallel(one(), step("more", {"x": 5}))),
        "parallel of one": lambda: run(two() >> parallel(add())),
        "parallel of one in a list": lambda: run(two() >> parallel([add()])),
        "parallel of nothing": lambda: parallel(),
        "parallel of an empty list": lambda: parallel([]),
        "parallel of a passthrough": lambda: parallel(passthrough()),
        "parallel of two passthroughs": lambda: parallel(passthrough(), passthrough()),
        "parallel of a number": lambda: parallel(add(), 3),
        "parallel of a source and a step": lambda: parallel(one(), add()),
        "parallel of a step and a source": lambda: parallel(add(), one()),
        # Steps as objects
        "the facts of a step": lambda: (
            [
                (f := step("f", abs_of, by=2)).name,
                f.kwargs,
                f.function is abs_of,
                f.get_repr_attributes(),
                f.function(x=-1, by=1),
            ]
        ),
        "Step": lambda: run(two() >> Step("f", abs_of, by=2)),
        "Step without parameters": lambda: run(two() >> Step("f", lambda: {"y": 1})),
        "Step without parameters has its function": lambda: (
            Step("f", with_locals).function is with_locals
        ),
        "Step of no function": lambda: Step("f", 3),
        "Step with a bad name": lambda: Step("a b", abs_of),
        "Step transforms": lambda: [facts(made) for made in add().transform(product())],
        "Step transforms asynchronously": lambda: asyncio.run(listed(add().atransform(product()))),
        "Step processes": lambda: [facts(made) for made in add().process([product(), product()])],
        "DictProducer": lambda: run(DictProducer(lambda: {"x": 1}, name="src")),
        "DictProducer of several": lambda: run(
            DictProducer(lambda: [{"x": 1}, {"x": 2}], name="src")
        ),
        "DictProducer that awaits": lambda: run(DictProducer(row_later, name="src")),
        "DictProducer with an asynchronous generator": lambda: run(
            DictProducer(rows_later, name="src")
        ),
        "the facts of a DictProducer": lambda: (
            [(p := DictProducer(with_locals, name="src")).name, p.producer is with_locals]
        ),
        "the producer of data": lambda: step("src", {"x": 1}).producer(),
        "DictProducer is iterated": lambda: [
            facts(p) for p in DictProducer(with_locals, name="src")
        ],
        "DictProducer with a bad name": lambda: DictProducer(with_locals, name="a b"),
        "DictConsumer": lambda: (two() >> add() >> DictConsumer()).run(),
        "DictConsumer with branches": lambda: (
            two() >> (add() & passthrough()) >> DictConsumer()
        ).run(),
        "DictConsumer with arun": lambda: asyncio.run((two() >> add() >> DictConsumer()).arun()),
        "DictConsumer with timestamps": lambda: keys(
            (two() >> add() >> DictConsumer(timestamps=True)).run()
        ),
        "the facts of a DictConsumer": lambda: (
            [DictConsumer().name, DictConsumer(name="end").name, DictConsumer().timestamps]
        ),
        "DictConsumer with a bad name": lambda: DictConsumer(name="a b"),
        "a step that occurs again, collected": lambda: (
            one()
            >> step("f", lambda x: {"x": x + 1})
            >> step("f", lambda x: {"x": x})
            >> DictConsumer()
        ).run(),
        # Products
        "a flow of steps is iterated": lambda: [facts(product) for product in two() >> add()],
        "a flow of steps with async for": lambda: asyncio.run(listed(two() >> add())),
        "a product": lambda: facts(product()),
        "a product of a product": lambda: facts(product("add", {"y": 2}, product())),
        "a product that replaces an attribute": lambda: facts(product("add", {"x": 2}, product())),
        "a product of three": lambda: facts(
            product("c", {"z": 3}, product("b", {"y": 2}, product("a", {"x": 1})))
        ),
        "the times of a product": lambda: [product().start_time, product(end=2.5).end_time],
        "the text of a product": lambda: repr(product()),
        "an attribute of a product": lambda: product()["x"],
        "an attribute of the product before": lambda: product("add", {"y": 2}, product())["x"],
        "a product as a mapping": lambda: (
            [len(p := product("add", {"y": 2}, product())), list(p), "x" in p, p.get("x"), {**p}]
        ),
        "a product with labels": lambda: facts(product().label(colour="red")),
        "a label that is an attribute": lambda: product().label(x=1),
        "products are equal": lambda: product() == {"x": 1},
        "a product of a number": lambda: product("src", 3),
        "a product with a bad name of an attribute": lambda: product("src", {"a b": 1}),
        "names of times": lambda: [DictProduct.KEY_START_TIME, DictProduct.KEY_END_TIME],
        # Classes between steps
        "a class between steps": lambda: run(
            two() >> Increase() >> step("f", lambda x, y: {"z": x + y})
        ),
        "a class at the end": lambda: run(two() >> Increase()),
        "a class with timestamps": lambda: keys(run(two() >> Increase(), timestamps=True)),
        "times that a class has given": lambda: durations(
            run(two() >> Increase(), timestamps=True)
        ),
        "a class that filters": lambda: run(two() >> Keep() >> add()),
        "a class that doubles": lambda: run(two() >> Twice() >> add()),
        "a class sees products": lambda: run(two() >> add() >> Seen()),
        "a class sees products of a class": lambda: run(two() >> Increase() >> Seen()),
        "a class sees labels": lambda: [facts(p) for p in two() >> Keep() >> Seen()],
        "a class begins": lambda: run(Begin() >> add()),
        "a class begins, and another goes on": lambda: run(Begin() >> Increase() >> add()),
        "a consumer of products": lambda: (two() >> (add() & passthrough()) >> Names()).run(),
        "a consumer of products of a class": lambda: (Begin() >> Increase() >> Names()).run(),
        "a class in a branch": lambda: run(
            two() >> (Increase() & passthrough()) >> step("f", abs_y)
        ),
        "a class with an input": lambda: run(Increase(), input=[{"x": 3}]),
        # Results
        "outputs path by path": lambda: outputs(run(two() >> (add() & passthrough()))),
        "all outputs": lambda: list(run(two() >> (add() & passthrough())).get_outputs()),
        "a result by hand": lambda: RunResult([{"a": {"x": 1}}], [{"b": {"y": 2}}]),
        "results are equal": lambda: (
            [RunResult([{"a": {"x": 1}}]) == run(step("a", {"x": 1})), RunResult([]) == 3]
        ),
        "a result of a number": lambda: RunResult(3),
        "a result of a list of numbers": lambda: RunResult([3]),
        "a result of numbers for steps": lambda: RunResult([{"a": 3}]),
        "a result has no hash": lambda: hash(RunResult([])),
    }


async def as_coroutine(function):
    return function()


async def raising(x):
    raise LookupError(x)


def abs_of(x, by):
    return {"y": abs(x) + by}


def abs_y(y=0):
    return {"z": abs(y)}
