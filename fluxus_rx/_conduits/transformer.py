"""Transformers: what a flow is made of; also operators of Rx and of aiostream."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, overload

from aiostream import Stream
from reactivex import Observable

from .._common.item_types import fits, type_arguments, type_name
from .._common.messages import shown
from .._engine.conversions import to_stream
from .._engine.observable import (
    FlowObservable,
    buffered,
    flow_observable,
)
from .._errors import InvalidFlowError
from .._graph.mistakes import cannot_chain, cannot_group, passthrough_chained
from .._graph.trampoline import trampoline
from .._rx.overflow import Overflow, OverflowPolicy
from .._streams.iteration import iterate
from .._typing import A, A_contra, B, B_co, Behind, C, P_co, T, Whole
from .composites import Chain, Group, compiled, entries_of, flat, union_of_products
from .conduit import Conduit, ConduitRole
from .producer import Producer
from .subclassing import derived, fact
from .transformer_stage import TransformerStage

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = [
    "AsyncTransformer",
    "Buffer",
    "ChainedProducer",
    "ChainedTransformer",
    "Passthrough",
    "Transformer",
    "group",
    "passes_through",
]


class Transformer(TransformerStage, Generic[A_contra, B_co]):
    """Takes products one by one, and emits any number of products for each.

    A subclass implements `transform`, which runs on the loop's thread: one product at a time, the
    outputs in the order of the inputs. Steps that wait for something are an `AsyncTransformer`. An
    error of `transform` ends the run, unless `on_error` says otherwise. Resources that each run
    needs are opened by a method `opened`, which returns a context manager that sets them on `self`.

    In a flow of steps, a mapping that it yields becomes a product that descends from its input,
    with the `name` of the transformer; its keys must be identifiers. A product that is passed on,
    that isn't a mapping, or that has a lineage of its own stays as it is.

    A transformer is an operator in Rx and in aiostream, too: called with an Observable it returns
    an Observable, called with an asynchronous iterable it returns a Stream.

    >>> class Half(Transformer[float, float]):
    ...     def transform(self, product):
    ...         yield product / 2
    >>> (Half() >> Half()).process([4, 8])
    [1.0, 2.0]
    """

    @abstractmethod
    def transform(self, product: A_contra) -> Iterable[B_co]:
        """Yield the outputs for one product: a plain generator, or return any iterable but text and
        mappings."""

    @fact
    def input_type(self) -> Any:
        """The type of the products it takes, as the class says it; Any if it doesn't say."""
        return type_arguments(self, Transformer)[0]

    @fact
    def product_type(self) -> Any:
        """The type of the products it emits, as the class says it; Any if it doesn't say."""
        return type_arguments(self, Transformer)[1]

    def buffered(self, size: int, overflow: Overflow) -> Transformer[A_contra, B_co]:
        """This transformer behind a buffer that takes products without backpressure.

        In a group, a slow branch behind a buffer doesn't slow the others. Up to `size` products
        wait here, in their order; `overflow` says what becomes of one more:

        - `"drop_oldest"`: the product that has waited longest is dropped
        - `"drop_newest"`: the new product is dropped
        - `"latest"`: only the newest product waits; `size` is 1
        - `"error"`: `BufferOverflowError` ends the run
        - `"keep"`: all products wait, without bound; past 10,000 the library's logger warns once

        The statistics of a run (`start`) count dropped products in the row `buffered`; the
        library's logger reports them at the end of a run, on the level INFO.

        Raises ValueError or TypeError for a size that isn't a whole number from 1 on, ValueError
        for any other overflow.

        >>> from fluxus_rx import rx_pipe
        >>> from reactivex import operators as ops
        >>> rx_pipe(ops.map(abs)).buffered(2, "drop_oldest").process([-1, -2, -3])
        [2, 3]
        """
        label = f"the buffer in front of {self._flow_label}"
        policy = OverflowPolicy.of("buffered()", label, "size", size, overflow, False)
        steps = [*self._flow_firsts()]
        takes_products = any(getattr(one, "_flow_shows_items", True) for one in steps)
        kind = self.input_type if takes_products else Any
        return ChainedTransformer((Buffer(policy, kind), *self._flow_links))

    @overload
    def __call__(self, source: Observable[A_contra]) -> Observable[B_co]: ...
    @overload
    def __call__(self, source: AsyncIterable[A_contra]) -> Stream[B_co]: ...
    def __call__(self, source: Any) -> Any:
        """This transformer as an operator: an Observable becomes an Observable, any other
        asynchronous iterable a Stream."""
        if isinstance(source, Observable):
            return self._flow_on(source)
        if hasattr(source, "__aiter__"):
            root: FlowObservable[Any] = FlowObservable(lambda flow, owner: iterate(source))
            return to_stream(self(root))
        raise InvalidFlowError(
            f"{self._flow_label} was called with {shown(source)}; as an operator it takes an"
            " Observable or an asynchronous iterable. For a plain iterable there is process(); for"
            " one item, as in flat_map: lambda item: reactivex.of(item) >> transformer"
        )

    @derived
    def atransform(self, product: A_contra) -> AsyncIterable[B_co]:
        """The outputs for one product, on the running loop, as an asynchronous iterable.

        Inside a run, in a step, a transformer or a consumer, the calls are calls of that run: they
        count for its limits, in its statistics and for its failures, with the path of the calling
        step, and have the options of this transformer. A call inside a call of the same transformer
        shares the slot of that call. Elsewhere, this is a run of its own.

        Use `contextlib.aclosing` if you may leave early; otherwise it is cleaned up only when the
        loop gets to it, or the run ends. Raises `UsageError` if calls would wait for each other for
        ever.

        >>> import asyncio
        >>> from fluxus_rx import step
        >>> double = step("double", lambda x: {"x": 2 * x})
        >>> async def main():
        ...     return [product["x"] async for product in (double >> double).atransform({"x": 1})]
        >>> asyncio.run(main())
        [4]
        """
        return self._flow_atransform(product)

    @overload
    def _flow_after(self, first: Producer[A_contra], /) -> Producer[B_co]: ...
    @overload
    def _flow_after(self, first: Transformer[A, A_contra], /) -> Transformer[A, B_co]: ...
    def _flow_after(self, first: Any, /) -> Any:
        if isinstance(first, Producer):
            return Chain.of(ChainedProducer, first, self)
        return Chain.of(ChainedTransformer, first, self)

    @derived
    def process(self, items: Iterable[A_contra]) -> list[B_co]:
        """Run this transformer over `items`, and return a list of the outputs: path by path, each
        path in the order of the items. Raises the first error of any call.

        A class may override `process`, which takes all items and yields all outputs, to batch or to
        sort them: in a flow it is called once, in a thread, and reads the stream as it comes.
        Inside it, `super().process(items)` yields what `transform` yields for these items.

        >>> class Largest(Transformer[int, int]):
        ...     def transform(self, product):
        ...         yield product
        ...     def process(self, items):
        ...         yield max(super().process(items))
        >>> (Largest() >> Largest()).process([1, 3, 2])
        [3]
        """
        one = self._flow_by_calls() if self._flow_whole[0] else self
        return one._flow_process(items)

    @derived
    async def aprocess(self, items: Iterable[A_contra] | AsyncIterable[A_contra]) -> list[B_co]:
        """The same as `process`, on the running loop; `items` may be asynchronous.

        A class may override `aprocess`: an asynchronous generator that takes an asynchronous
        iterable of all items. If it has a `process` too, plain callers call that.
        """
        one = self._flow_by_calls() if self._flow_whole[1] else self
        return await one._flow_aprocess(items)

    def __rshift__(self, other: Behind[Transformer[A_contra, B_co], Whole]) -> Whole:
        if isinstance(other, Conduit):
            return other._flow_after(self)
        raise cannot_chain(self, other)

    def __rrshift__(self, source: Observable[A_contra]) -> Observable[B_co]:
        if isinstance(source, Observable):
            return self(source)
        raise cannot_chain(source, self)

    @overload
    def __and__(self, other: Transformer[A_contra, C]) -> Transformer[A_contra, B_co | C]: ...
    @overload
    def __and__(self, other: Passthrough) -> Transformer[A_contra, Any]: ...
    def __and__(self, other: Any) -> Any:
        if not isinstance(other, Transformer | Passthrough):
            raise cannot_group(self, other)
        return group((self, other))


class AsyncTransformer(Transformer[A_contra, B_co]):
    """A transformer that awaits: a subclass implements `atransform`, an asynchronous generator.

    Up to `concurrency` calls (256 by default) are in flight at once, over all paths of a run. The
    outputs come in the order of completion, or of the inputs with `.options(ordered=True)`.

    If a subclass defines `transform` as well, whatever its base, plain callers (`run`, `stream`,
    `process`, `for`) call that, as they call that of a plain transformer.

    >>> class Fetch(AsyncTransformer[str, str]):
    ...     async def atransform(self, product):
    ...         yield product.upper()
    >>> Fetch().process(["a", "b"])
    ['A', 'B']
    """

    @abstractmethod
    def atransform(self, product: A_contra) -> AsyncIterable[B_co]:
        """Yield the outputs for one product; an asynchronous generator."""

    @derived
    def transform(self, product: A_contra) -> Iterable[B_co]:
        """The outputs for one product, for a synchronous caller."""
        return self._flow_process([product])

    _flow_awaits = True


class Passthrough(Conduit):
    """A branch of a group that passes products on as they are; `passthrough()` makes one.

    It can't be chained, and a group has at most one: a second would duplicate the outputs.

    >>> from fluxus_rx import passthrough, step
    >>> step("ask", lambda x: {"y": x}) & passthrough()
    step('ask', <lambda>) & Passthrough()
    """

    _flow_role: ConduitRole = "passthrough"

    if not TYPE_CHECKING:

        def _flow_after(self, first):
            raise passthrough_chained()

    def describe(self) -> Part:
        """A `Through`: it isn't a node of a graph."""
        from .._graph.parts import Through

        return Through()

    def _flow_connect(self, source: Observable[T]) -> list[FlowObservable[T]]:
        """The source itself."""
        return [flow_observable(source)]

    def _flow_finals(self) -> Iterator[Conduit]:
        return iter(())

    @property
    def _flow_exits(self) -> list[Conduit]:
        return []

    @property
    def _flow_entries(self) -> list[Conduit]:
        return []

    @property
    def _flow_passes(self) -> bool:
        return True

    def _flow_firsts(self) -> Iterator[Conduit]:
        return iter(())

    if not TYPE_CHECKING:  # refused by a type checker without it

        def __rrshift__(self, other):
            raise passthrough_chained()

    def __and__(self, other: Transformer[A, B]) -> Transformer[A, Any]:
        if not isinstance(other, Transformer | Passthrough):
            raise cannot_group(self, other)
        return group((self, other))


class Buffer(Transformer[T, T]):
    """Holds products for what is behind it, by a policy."""

    _flow_awaits = True

    def __init__(self, policy: OverflowPolicy, kind: Any = Any) -> None:
        self.policy = policy
        self._kind = kind

    @property
    def input_type(self) -> Any:
        """What is taken by what is behind it."""
        return self._kind

    @property
    def product_type(self) -> Any:
        """The same."""
        return self._kind

    @property
    def name(self) -> str:
        """What messages and statistics call it."""
        return "buffered"

    def transform(self, product: T) -> Iterable[T]:
        """The product."""
        return (product,)

    def _flow_connect(self, source: Observable[T]) -> list[FlowObservable[T]]:
        """The buffer on an observable."""
        return [buffered(source, self.policy, ("held", id(self)), self.name)]

    def describe(self) -> Part:
        """The buffer as data, see `Conduit.describe`."""
        facts = {"buffer": self.policy.size, "overflow": self.policy.overflow, "passes_on": True}
        return self._flow_description(connection="buffer", **facts)

    def get_repr_attributes(self) -> Mapping[str, Any]:
        """Its size and its policy."""
        return {"size": self.policy.size, "overflow": self.policy.overflow}

    def __repr__(self) -> str:
        return f"buffered({self.policy.size}, {self.policy.overflow!r})"


class ChainedProducer(Chain, Producer[P_co]):
    """A producer and the transformers behind it."""

    @property
    def product_type(self) -> Any:
        """That of the last conduit."""
        return self._flow_fact("product_type", lambda inside: inside[-1].product_type)

    @derived
    def produce(self) -> Iterable[P_co]:
        """The products, for a synchronous reader."""
        return iter(self)

    def _flow_observables(self) -> list[FlowObservable[P_co]]:
        """One observable per path, in path order."""
        return trampoline(compiled(self, None))


class ChainedTransformer(Chain, Transformer[A_contra, B_co]):
    """Transformers one behind the other."""

    @property
    def input_type(self) -> Any:
        """That of the first conduit."""
        return self._flow_fact("input_type", lambda inside: inside[0].input_type)

    @property
    def product_type(self) -> Any:
        """That of the last conduit."""
        return self._flow_fact("product_type", lambda inside: inside[-1].product_type)

    @derived
    def transform(self, product: A_contra) -> Iterable[B_co]:
        """The outputs for one product, for a synchronous caller."""
        return self._flow_process([product])

    def _flow_connect(self, source: Observable[A_contra]) -> list[FlowObservable[B_co]]:
        """The chain on an observable: one observable per path, in path order."""
        return trampoline(compiled(self, source))


class _ParallelTransformers(Group, Transformer[A_contra, B_co]):
    """Transformers side by side, each fed with every product."""

    def __init__(self, conduits: tuple[Any, ...], passes_through: bool) -> None:
        super().__init__(conduits)
        self.passes_through = passes_through

    @property
    def input_type(self) -> Any:
        """That of the conduits, where they agree; else Any, and each of them is checked."""
        return self._flow_fact("input_type", _common_input)

    @derived
    def transform(self, product: A_contra) -> Iterable[B_co]:
        """The outputs for one product, for a synchronous caller."""
        return self._flow_process([product])

    def _flow_of(self, conduits: tuple[Conduit, ...]) -> Self:
        return type(self)(conduits, self.passes_through)

    def _flow_connect(self, source: Observable[A_contra]) -> list[FlowObservable[B_co]]:
        """The group on an observable, which runs once: one observable per path, in path order."""
        return trampoline(compiled(self, source))


def _common_input(conduits: tuple[Any, ...]) -> Any:
    # Not a set: what is annotated may have no hash.
    kinds = [conduit.input_type for conduit in conduits if hasattr(conduit, "input_type")]
    return kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else Any


def group(conduits: Collection[Conduit]) -> Transformer[Any, Any]:
    """Two or more transformers and at most one passthrough, side by side."""
    if sum(map(passes_through, conduits)) > 1:
        raise InvalidFlowError(
            "a group got 2 passthroughs; the second would double the outputs, leave it out"
        )
    through = any(map(passes_through, conduits))
    made: _ParallelTransformers[Any, Any] = _ParallelTransformers(flat(conduits), through)
    if through:
        # Of those given and not of all in them, so that `a & b & c & …` looks at each branch once.
        made._flow_facts["product_type"] = union_of_products(conduits)
        made._flow_facts["_flow_entries"] = entries_of(conduits)
        for first in made._flow_entries:
            taken = getattr(first, "input_type", Any)
            if not fits(taken, made.product_type):
                raise InvalidFlowError(
                    f"a passthrough beside {made._flow_label} would pass on {type_name(taken)}, but"
                    f" the group emits {type_name(made.product_type)}; widen its product type"
                )
    return made


def passes_through(conduit: Conduit) -> bool:
    """Whether this is a passthrough, or a group with one in it; also one that has a name."""
    # Kept by the group, so that `a & b & c & …` looks at each branch once.
    while conduit._flow_branch and isinstance(conduit, ChainedTransformer):
        conduit = conduit.conduits[0]
    if isinstance(conduit, _ParallelTransformers):
        return conduit.passes_through
    return isinstance(conduit, Passthrough)
