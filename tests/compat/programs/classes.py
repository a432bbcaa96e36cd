"""Programs of classes: producers, transformers, consumers, chains and groups."""

from __future__ import annotations


def programs():
    import asyncio

    from fluxus import (
        AsyncConsumer,
        AsyncProducer,
        AsyncTransformer,
        Consumer,
        Flow,
        FlowWarning,
        Passthrough,
        Producer,
        Transformer,
    )
    from fluxus.core.producer import SimpleConcurrentProducer
    from fluxus.core.transformer import SimpleConcurrentTransformer
    from fluxus.simple import SimpleAsyncProducer, SimpleProducer

    class Numbers(Producer[int]):
        def produce(self):
            yield from (1, 2)

    class Tens(Producer[int]):
        def produce(self):
            return iter([10, 20])

    class Later(AsyncProducer[int]):
        async def aproduce(self):
            for number in (5, 6):
                await asyncio.sleep(0)
                yield number

    class Words(Producer[str]):
        def produce(self):
            yield "one"

    class Add(Transformer[int, int]):
        def __init__(self, by=100):
            self.by = by

        def transform(self, source_product):
            yield source_product + self.by

    class Both(Transformer[int, int]):
        def transform(self, source_product):
            yield source_product
            yield -source_product

    class Odd(Transformer[int, int]):
        def transform(self, source_product):
            if source_product % 2:
                yield source_product

    class Double(AsyncTransformer[int, int]):
        async def atransform(self, source_product):
            await asyncio.sleep(0)
            yield 2 * source_product

    class Patient(AsyncTransformer[int, int]):
        """The first takes longer than the second."""

        async def atransform(self, source_product):
            await asyncio.sleep(0.05 / source_product**2)
            yield source_product

    class Shout(Transformer[str, str]):
        def transform(self, source_product):
            yield source_product.upper()

    class Arrivals(Consumer[int, list]):
        def consume(self, products):
            return list(products)

    class First(Consumer[int, int]):
        def consume(self, products):
            return next(iter(products))[1]

    class Total(AsyncConsumer[int, int]):
        async def aconsume(self, products):
            return sum([product async for _, product in products])

    class Broken(Producer[int]):
        def produce(self):
            yield 1
            raise OSError("the disk is full")

    class Breaks(Transformer[int, int]):
        def transform(self, source_product):
            if source_product == 2:
                raise LookupError(source_product)
            yield source_product

    class Fails(AsyncTransformer[int, int]):
        async def atransform(self, source_product):
            raise LookupError(source_product)
            yield

    class Refuses(Consumer[int, int]):
        def consume(self, products):
            raise ArithmeticError("no sum of this")

    class Sort(Transformer[int, int]):
        """Looks at all products before it gives the first."""

        def transform(self, source_product):
            yield source_product

        def process(self, input):
            yield from sorted(input, reverse=True)

        async def aprocess(self, input):
            for product in sorted([product async for product in input], reverse=True):
                yield product

    class SortLater(AsyncTransformer[int, int]):
        async def atransform(self, source_product):
            yield source_product

        async def aprocess(self, input):
            for product in sorted([product async for product in input], reverse=True):
                yield product

    class TwoSources(Producer[int]):
        """Has a half for each kind of caller."""

        def produce(self):
            yield 1

        async def aproduce(self):
            yield 2

    class TwoSteps(Transformer[int, int]):
        def transform(self, source_product):
            yield source_product + 10

        async def atransform(self, source_product):
            yield source_product + 20

    class TwoEnds(Consumer[int, list]):
        def consume(self, products):
            return ["consume", *products]

        async def aconsume(self, products):
            return ["aconsume", *[product async for product in products]]

    async def counted(*numbers):
        for number in numbers:
            await asyncio.sleep(0)
            yield number

    async def listed(products):
        return [product async for product in products]

    def arun(flow):
        return asyncio.run(flow.arun())

    async def at_most(seconds, awaitable):
        try:
            return await asyncio.wait_for(awaitable, seconds)
        except TimeoutError:
            return "hangs"

    return {
        # A producer
        "a producer is iterated": lambda: list(Numbers()),
        "a producer is iterated twice": lambda: [list(Numbers()) for _ in range(2)],
        "produce gives an iterator": lambda: list(Numbers().produce()),
        "aproduce of a plain producer": lambda: asyncio.run(listed(Numbers().aproduce())),
        "a plain producer is iterated with async for": lambda: asyncio.run(listed(Numbers())),
        "an asynchronous producer is iterated": lambda: list(Later()),
        "produce of an asynchronous producer": lambda: list(Later().produce()),
        "aproduce of an asynchronous producer": lambda: asyncio.run(listed(Later().aproduce())),
        "a producer without produce is abstract": lambda: Producer(),
        "an asynchronous producer without aproduce is abstract": lambda: AsyncProducer(),
        "the type of products of a producer": lambda: Numbers().product_type is int,
        # A transformer
        "transform gives an iterator": lambda: list(Both().transform(3)),
        "atransform of a plain transformer": lambda: asyncio.run(listed(Both().atransform(3))),
        "transform of an asynchronous transformer": lambda: list(Double().transform(3)),
        "atransform of an asynchronous transformer": lambda: asyncio.run(
            listed(Double().atransform(3))
        ),
        "transform of a chain": lambda: list((Both() >> Add()).transform(3)),
        "atransform of a chain": lambda: asyncio.run(listed((Both() >> Add()).atransform(3))),
        "process is an iterator": lambda: iter(found := Add().process([1, 2])) is found,
        "process goes on as it is asked": lambda: (
            [next(found := Add().process(iter([1, 2]))), next(found)]
        ),
        "process of a plain transformer": lambda: list(Both().process([1, 2])),
        "process of nothing": lambda: list(Both().process([])),
        "process of a chain": lambda: list((Both() >> Add()).process([1, 2])),
        "process of a group": lambda: list((Add() & Both()).process([1, 2])),
        "process of a chain with a group": lambda: list(
            (Add() >> (Both() & Add())).process([1, 2])
        ),
        "process of an asynchronous transformer": lambda: list(Double().process([1, 2])),
        "process is of an iterator": lambda: list(Both().process(iter([1, 2]))),
        "aprocess of a plain transformer": lambda: asyncio.run(listed(Add().aprocess(counted(1)))),
        "aprocess of a chain": lambda: sorted(
            asyncio.run(listed((Both() >> Double()).aprocess(counted(1, 2))))
        ),
        "aprocess of a group": lambda: sorted(
            asyncio.run(listed((Both() & Double()).aprocess(counted(1, 2))))
        ),
        "the types of a transformer": lambda: (
            [Add().input_type is int, Add().product_type is int, Shout().input_type is str]
        ),
        "a transformer without transform is abstract": lambda: Transformer(),
        # A consumer
        "process of a consumer": lambda: Arrivals().process([1, 2]),
        "process of an asynchronous consumer": lambda: Total().process([1, 2]),
        "aprocess of a consumer": lambda: asyncio.run(Arrivals().aprocess(counted(1, 2))),
        "aprocess of an asynchronous consumer": lambda: asyncio.run(
            Total().aprocess(counted(1, 2))
        ),
        "consume is called": lambda: Arrivals().consume([(0, 1)]),
        "aconsume of a plain consumer": lambda: asyncio.run(
            Arrivals().aconsume((0, number) async for number in counted(1, 2))
        ),
        "consume of an asynchronous consumer": lambda: Total().consume([(0, 1), (1, 2)]),
        "the input type of a consumer": lambda: Arrivals().input_type is int,
        "a consumer is not iterable": lambda: list(Arrivals()),
        "a consumer that takes the first only": lambda: (Numbers() >> First()).run(),
        # Chains
        "a chain is iterated": lambda: list(Numbers() >> Add()),
        "a longer chain is iterated": lambda: list(Numbers() >> Both() >> Add() >> Odd()),
        "a chain of transformers is chained": lambda: list(Numbers() >> (Both() >> Add())),
        "an asynchronous step in a chain": lambda: list(Numbers() >> Double()),
        "everything is asynchronous": lambda: list(Later() >> Double()),
        "a chain drops products": lambda: list(Numbers() >> Odd()),
        "a chain gives nothing": lambda: list(SimpleProducer[int]([2, 4]) >> Odd()),
        "a chain with async for": lambda: asyncio.run(listed(Numbers() >> Both())),
        "a chain is iterated inside a loop": lambda: asyncio.run(
            as_coroutine(lambda: list(Numbers() >> Double()))
        ),
        "the same chain twice": lambda: [list(chain) for chain in [Numbers() >> Add()] * 2],
        "the order of calls that take their time": lambda: list(Numbers() >> Patient()),
        "completion order with arun": lambda: arun(Numbers() >> Patient() >> Arrivals()),
        "types of a chain": lambda: [(Numbers() >> Add()).product_type is int],
        "source and processor of a chain": lambda: (
            [
                (chain := Numbers() >> Add() >> Both()).source.final_conduit.name,
                chain.processor.name,
            ]
        ),
        "first and second of a chain": lambda: (
            [(chain := Add() >> Both()).first.name, chain.second.name]
        ),
        "the transformer of a chain": lambda: (Numbers() >> Add()).transformer.name,
        "a chain in brackets": lambda: (Numbers() >> (Add() >> Both())).source.name,
        # Groups
        "a group of producers": lambda: list(Numbers() & Tens()),
        "a group of three producers": lambda: list(Numbers() & Tens() & Later()),
        "a group of producers before a step": lambda: list((Numbers() & Tens()) >> Add()),
        "a group of transformers": lambda: list(Numbers() >> (Add() & Both())),
        "groups behind groups": lambda: list((Numbers() & Tens()) >> (Add() & Both())),
        "a group in a group": lambda: list(Numbers() >> (Add() & (Both() & Odd()))),
        "chains in a group": lambda: list(Numbers() >> ((Add() >> Both()) & Odd())),
        "a passthrough last": lambda: list(Numbers() >> (Add() & Passthrough())),
        "a passthrough first": lambda: list(Numbers() >> (Passthrough() & Add())),
        "a passthrough in the middle": lambda: list(
            Numbers() >> (Add() & Passthrough() & Both()) >> Odd()
        ),
        "the parts of a group of producers": lambda: (
            [one.name for one in (Numbers() & Tens()).producers]
        ),
        "the parts of a group of transformers": lambda: (
            [type(one).__name__ for one in (Add() & Passthrough()).transformers]
        ),
        "SimpleConcurrentProducer": lambda: list(SimpleConcurrentProducer(Numbers(), Tens())),
        "SimpleConcurrentTransformer": lambda: list(
            Numbers() >> SimpleConcurrentTransformer(Add(), Passthrough())
        ),
        "types of a group": lambda: (Numbers() & Tens()).product_type is int,
        "iter_concurrent_producers of a group": lambda: (
            [list(one) for one in (Numbers() & Tens()).iter_concurrent_producers()]
        ),
        "iter_concurrent_producers of a chain": lambda: (
            [list(one) for one in (Numbers() >> Add()).iter_concurrent_producers()]
        ),
        "iter_concurrent_producers of groups": lambda: [
            list(one)
            for one in ((Numbers() & Tens()) >> (Add() & Both())).iter_concurrent_producers()
        ],
        "iter_concurrent_producers behind a source": lambda: [
            list(one) for one in (Add() & Both()).iter_concurrent_producers(source=Numbers())
        ],
        # Flows
        "a flow runs": lambda: (Numbers() >> Add() >> Arrivals()).run(),
        "a flow runs asynchronously": lambda: arun(Numbers() >> Add() >> Arrivals()),
        "a flow is not the same as its run": lambda: isinstance(Numbers() >> Arrivals(), Flow),
        "a flow with two sources": lambda: ((Numbers() & Tens()) >> Arrivals()).run(),
        "a flow with branches": lambda: (Numbers() >> (Add() & Both()) >> Arrivals()).run(),
        "a flow with branches and a passthrough": lambda: (
            Numbers() >> (Add() & Both() & Passthrough()) >> Arrivals()
        ).run(),
        "a flow with two sources and branches": lambda: (
            (Numbers() & Tens()) >> (Add() & Both()) >> Arrivals()
        ).run(),
        "a flow with an asynchronous consumer": lambda: (Numbers() >> Total()).run(),
        "a flow where all is asynchronous": lambda: (Later() >> Double() >> Total()).run(),
        "a flow with branches, asynchronously": lambda: sorted(
            arun(Numbers() >> (Add() & Both()) >> Arrivals())
        ),
        "the order of branches with arun": lambda: arun(
            Numbers() >> (Add() & Both() & Passthrough()) >> Arrivals()
        ),
        "a flow runs twice": lambda: [flow.run() for flow in [Numbers() >> Total()] * 2],
        "a flow in a loop": lambda: asyncio.run(
            as_coroutine(lambda: (Numbers() >> Double() >> Total()).run())
        ),
        "the parts of a flow": lambda: (
            [
                (flow := Numbers() >> Add() >> Total()).source.final_conduit.name,
                flow.processor.name,
                flow.final_conduit.name,
                flow.is_chained,
                flow.is_concurrent,
                flow.n_concurrent_conduits,
            ]
        ),
        "a step before a consumer": lambda: isinstance(Add() >> Arrivals(), Consumer),
        # Methods of one's own
        "process of one's own": lambda: list(Numbers() >> Sort()),
        "process of one's own before a step": lambda: list(Numbers() >> Sort() >> Add()),
        "process of one's own with arun": lambda: arun(Numbers() >> Sort() >> Arrivals()),
        "process of one's own is called": lambda: list(Sort().process([1, 3, 2])),
        "aprocess of one's own is called": lambda: asyncio.run(
            listed(Sort().aprocess(counted(1, 2)))
        ),
        "aprocess of one's own with arun": lambda: arun(Numbers() >> SortLater() >> Arrivals()),
        "two halves, with run": lambda: (TwoSources() >> TwoSteps() >> TwoEnds()).run(),
        "two halves, with arun": lambda: arun(TwoSources() >> TwoSteps() >> TwoEnds()),
        "two halves, iterated": lambda: list(TwoSources() >> TwoSteps()),
        "two halves, with async for": lambda: asyncio.run(listed(TwoSources() >> TwoSteps())),
        # Simple producers
        "SimpleProducer": lambda: list(SimpleProducer([1, 2])),
        "SimpleProducer of a type": lambda: list(SimpleProducer[int]([1, 2])),
        "SimpleProducer keeps a tuple": lambda: SimpleProducer(iter([1, 2])).products,
        "SimpleProducer of an iterator, twice": lambda: (
            [list(one) for one in [SimpleProducer(iter([1, 2]))] * 2]
        ),
        "SimpleProducer of a text": lambda: list(SimpleProducer("ab")),
        "SimpleProducer of nothing": lambda: list(SimpleProducer([])),
        "SimpleProducer of a number": lambda: SimpleProducer(3),
        "SimpleProducer knows its type": lambda: SimpleProducer[int]([1]).product_type is int,
        "SimpleAsyncProducer": lambda: list(SimpleAsyncProducer[int](counted(1, 2))),
        "SimpleAsyncProducer has products": lambda: hasattr(
            SimpleAsyncProducer[int](counted()).products, "__anext__"
        ),
        "SimpleAsyncProducer before a step": lambda: list(
            SimpleAsyncProducer[int](counted(1, 2)) >> Add()
        ),
        # Mistakes
        "a producer behind a transformer": lambda: Add() >> Numbers(),
        "a producer behind a producer": lambda: Numbers() >> Tens(),
        "a producer beside a transformer": lambda: Numbers() & Add(),
        "a transformer beside a consumer": lambda: Add() & Arrivals(),
        "consumers side by side": lambda: Arrivals() & Arrivals(),
        "something behind a flow": lambda: (Numbers() >> Arrivals()) >> Add(),
        "types that don't fit": lambda: Words() >> Add(),
        "types that don't fit, in a consumer": lambda: Words() >> Arrivals(),
        "types that don't fit, in a group": lambda: list((Numbers() & Words()) >> Add()),
        "a passthrough in a chain": lambda: Numbers() >> Passthrough(),
        "a passthrough begins a chain": lambda: Passthrough() >> Add(),
        "two passthroughs": lambda: Passthrough() & Passthrough(),
        "two passthroughs in groups": lambda: list(
            Numbers() >> ((Add() & Passthrough()) & (Both() & Passthrough()))
        ),
        "a group of a number": lambda: Numbers() & 3,
        "a chain into a number": lambda: Numbers() >> 3,
        "a chain from a list": lambda: [1, 2] >> Add(),
        # Errors
        "an error of a producer": lambda: list(Broken()),
        "an error of a producer in a flow": lambda: (Broken() >> Add() >> Arrivals()).run(),
        "an error of a producer with arun": lambda: arun(Broken() >> Add() >> Arrivals()),
        "an error of a transformer": lambda: list(Numbers() >> Breaks()),
        "an error of a transformer with arun": lambda: arun(Numbers() >> Breaks() >> Arrivals()),
        "an error of an asynchronous transformer": lambda: list(Numbers() >> Fails()),
        "an error of a consumer": lambda: (Numbers() >> Refuses()).run(),
        "an error of a consumer with arun": lambda: arun(Numbers() >> Refuses()),
        "what came before an error": lambda: (
            [next(products := iter(Numbers() >> Breaks())), *caught(lambda: next(products))]
        ),
        "a source that fails before branches, with arun": lambda: asyncio.run(
            at_most(0.5, (Broken() >> (Add() & Both()) >> Arrivals()).arun())
        ),
        # Others
        "FlowWarning is a warning": lambda: [
            issubclass(FlowWarning, Warning),
            FlowWarning.__name__,
        ],
        "there is one passthrough": lambda: Passthrough() is Passthrough(),
        "a passthrough has no final conduit": lambda: Passthrough().final_conduit,
        "a passthrough has no chain": lambda: Passthrough().chained_conduits,
        "a passthrough has no connections": lambda: Passthrough().get_connections(ingoing=[]),
        "a passthrough is not isolated": lambda: Passthrough().get_isolated_conduits(),
        "what a passthrough is": lambda: (
            [
                Passthrough().is_chained,
                Passthrough().is_concurrent,
                Passthrough().is_atomic,
                list(Passthrough().get_final_conduits()),
            ]
        ),
    }


async def as_coroutine(function):
    return function()


def caught(function):
    try:
        yield function()
    except Exception as error:
        yield type(error).__name__
