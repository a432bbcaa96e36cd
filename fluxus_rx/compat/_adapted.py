"""What conduits of fluxus can do that those of this library do otherwise, or not at all.

A class of ours with these methods in front is one of fluxus's. Chains and groups are made by the
operators of ours, and then taken for the class that has these methods (`adapted`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import aclosing
from functools import reduce
from importlib import import_module
from operator import itemgetter, rshift
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn, Self, TypeVar

from .._common.item_types import fits
from .._components.simple_producer import SimpleAsyncProducer, SimpleProducer
from .._conduits.conduit import Conduit, role_of
from .._conduits.consumer import Consumer
from .._conduits.consumer import Flow as CoreFlow
from .._conduits.producer import Producer, _ParallelProducers
from .._conduits.subclassing import derived
from .._conduits.transformer import (
    ChainedProducer as CoreChainedProducer,
)
from .._conduits.transformer import (
    ChainedTransformer as CoreChainedTransformer,
)
from .._conduits.transformer import (
    Passthrough as CorePassthrough,
)
from .._conduits.transformer import (
    Transformer,
    _ParallelTransformers,
)
from .._engine.conversions import async_arrivals
from .._engine.execution import Execution
from .._rx.run_settings import RunSettings
from .._typing import A_contra, B_co, P_co, R_co
from ._products import view_of
from ._roles import SerialSource
from ._running import execution

if TYPE_CHECKING:
    from pytools.expression import Expression

__all__ = [
    "Adapted",
    "AdaptedConsumer",
    "AdaptedProducer",
    "AdaptedTransformer",
    "Flow",
    "Passthrough",
    "adapted",
    "stands_for",
]

_Kind = TypeVar("_Kind", bound=type)

#: the classes that are made of those of ours
_ADAPTED: Final[dict[type, type]] = {}


def stands_for(kind: type) -> Callable[[_Kind], _Kind]:
    """Conduits of that class are taken for those of the decorated one, which derives from it."""

    def decorate(own: _Kind) -> _Kind:
        _ADAPTED[kind] = own
        return own

    return decorate


def adapted(conduit: Any) -> Any:
    """A conduit as one of fluxus; what is one already stays, and what fluxus doesn't have."""
    kind = _ADAPTED.get(type(conduit))
    if kind is None:
        return conduit
    made: Any = object.__new__(kind)
    vars(made).update(vars(conduit))
    return made


class Adapted(Conduit):
    """What all conduits of fluxus can do."""

    #: how it is made of others
    _flow_form: ClassVar[Literal["", "chain", "group"]] = ""

    if not TYPE_CHECKING:  # the types are those of the class behind

        def __rshift__(self, other):
            return adapted(super().__rshift__(other))

        def __and__(self, other):
            return adapted(super().__and__(other))

        def _flow_after(self, first):
            return adapted(super()._flow_after(first))

    def draw(self, style: str | None = "graph", **where: Any) -> None:
        """Draw this conduit: as "text", "graph" or "graph_dark", or with `file`, `format` or
        `paths` as `fluxus_rx.viz.draw` does. Raises KeyError for another style.

        >>> from fluxus_rx.compat.functional import step
        >>> step("src", {"x": 1}).draw("text")
        ===================================== Flow =====================================
        <BLANKLINE>
        step('src', {'x': 1})
        <BLANKLINE>
        """
        if where or style is None:
            super().draw(style, **where)
        else:
            _late("viz").FlowDrawer(style).draw(self, title="Flow")

    def to_expression(self, *, compact: bool = False) -> Expression:
        """This conduit as an expression of gamma-pytools, which has to be installed for it."""
        made: Expression = _late("_expressions").conduit_expression(self, compact)
        return made

    def get_isolated_conduits(self) -> Iterator[Conduit]:
        """The conduits in it that are connected with no other."""
        if self._flow_form == "group":
            for one in _branches(self):
                yield from one.get_isolated_conduits()
        elif self.is_atomic:
            yield self

    @property
    def final_conduit(self) -> Any:
        """The last conduit of a chain; of what has a group in it, itself."""
        return self if self.is_concurrent else super().final_conduit

    def get_final_conduits(self) -> Iterator[Conduit]:
        """The conduits that end it: where they are beside a passthrough, those before it first."""
        if self._flow_form == "group":
            for one in _branches(self):
                yield from one.get_final_conduits()
        elif self._flow_form == "chain":
            for conduit in reversed([*_last_conduits(self)]):
                yield from conduit.get_final_conduits()
        else:
            yield self

    def _flow_accepts(self, source: Any, kind: Any) -> bool:
        fits_role = isinstance(source, SerialSource)
        return fits_role and fits(getattr(source, "product_type", Any), kind)


def _branches(group: Any) -> Iterator[Any]:
    return (one for one in group.conduits if role_of(one) != "passthrough")


def _last_conduits(chain: Any) -> Iterator[Any]:
    """The last conduit of a chain, and those before it that its passthroughs let through."""
    for conduit in reversed(chain.conduits):
        yield conduit
        if not any(role_of(one) == "passthrough" for one in getattr(conduit, "conduits", ())):
            return


class _Chained(Adapted):
    """A chain: `processor` is its last conduit, `source` those before it."""

    _flow_form = "chain"

    @property
    def source(self) -> Any:
        """The chain without its last conduit."""
        conduits: Any = self.chained_conduits
        return reduce(rshift, [*conduits][:-1])

    @property
    def processor(self) -> Any:
        """The last conduit."""
        *_, last = self.chained_conduits
        return last


class AdaptedProducer(Adapted, Producer[P_co]):
    """What producers of fluxus can do."""

    def iter_concurrent_producers(self) -> Iterator[Any]:
        """For each path, the producer that is that path alone."""
        return self.iter_concurrent_conduits()

    @derived
    async def aproduce(self) -> AsyncIterator[P_co]:
        """The products, for an asynchronous reader."""
        for product in self.produce():
            yield product

    def _flow_execution(self, *, plain: bool = False) -> Execution:
        return execution(self, RunSettings(plain=plain), ordered=plain)

    def __aiter__(self) -> Any:
        return async_arrivals(self._flow_execution, itemgetter(1))


class AdaptedTransformer(Adapted, Transformer[A_contra, B_co]):
    """What transformers of fluxus can do."""

    def is_valid_source(self, source: Any) -> bool:
        """Whether the products of a source without a group fit."""
        return self._flow_accepts(source, self.input_type)

    def iter_concurrent_producers(self, *, source: Any) -> Iterator[Any]:
        """For each path behind this source, the producer that is that path alone."""
        return adapted(source >> self).iter_concurrent_producers()  # type: ignore[no-any-return]

    if not TYPE_CHECKING:  # ours return lists

        @derived
        def process(self, input):
            """The outputs for all of `input`, one after the other as they are asked for; path by
            path."""
            return iter(_flow_from(input, self._flow_by_calls() if self._flow_whole[0] else self))

        @derived
        def aprocess(self, input):
            """The outputs for all of `input`, as they come."""
            return aiter(_flow_from(input, self._flow_by_calls() if self._flow_whole[1] else self))

        @derived
        def transform(self, source_product):
            """The outputs for one product."""
            return iter(_flow_from([source_product], self))

        @derived
        async def atransform(self, source_product):
            """The outputs for one product, as they come; inside of a run, by calls of that run."""
            view = view_of(None)
            async with aclosing(super().atransform(source_product)) as products:
                async for product in products:
                    yield view(product)


def _flow_from(items: Any, transformer: Any) -> Any:
    make: Any = SimpleAsyncProducer if hasattr(items, "__aiter__") else SimpleProducer
    return adapted(make(items) >> transformer)


class AdaptedConsumer(Adapted, Consumer[A_contra, R_co]):
    """What consumers of fluxus can do."""

    def is_valid_source(self, source: Any) -> bool:
        """Whether the products of a source without a group fit."""
        return self._flow_accepts(source, self.input_type)

    def process(self, input: Any) -> R_co:
        """The result for these products, as those of one path."""
        return _flow_from(input, self).run()  # type: ignore[no-any-return]

    async def aprocess(self, input: Any) -> R_co:
        """The same on the running loop; `input` may be asynchronous."""
        return await _flow_from(input, self).arun()  # type: ignore[no-any-return]


@stands_for(CoreFlow)
class Flow(_Chained, CoreFlow[R_co]):
    """A producer and the consumer of its products: `producer >> consumer`.

    `run` feeds the consumer path by path, `arun` with products as they come.

    >>> from fluxus_rx.compat import Flow
    >>> from fluxus_rx.compat.functional import step
    >>> from fluxus_rx.compat.functional.conduit import DictConsumer
    >>> flow = step("src", {"x": 1}) >> DictConsumer()
    >>> isinstance(flow, Flow), flow.run()
    (True, RunResult([{'src': {'x': 1}}]))
    """

    _flow_in_order = False

    @property
    def final_conduit(self) -> Any:
        """The consumer."""
        return self.consumer

    def get_final_conduits(self) -> Iterator[Conduit]:
        """The consumer."""
        yield self.consumer

    def run(self, **settings: Any) -> R_co:
        """Run the flow, and return what the consumer returns; path by path."""
        in_order = adapted(CoreFlow(self.producer, self.consumer))
        in_order._flow_in_order = True
        result: R_co = CoreFlow.run(in_order, **settings)
        return result

    def _flow_execution(self, settings: RunSettings) -> Execution:
        return execution(self.producer, settings, ordered=self._flow_in_order)


@stands_for(CorePassthrough)
class Passthrough(Adapted, CorePassthrough):
    """Stands in a group, and passes products on as they are. There is one of it.

    >>> from fluxus_rx.compat import Passthrough
    >>> Passthrough() is Passthrough()
    True
    """

    _flow_only: ClassVar[Passthrough | None] = None

    def __new__(cls) -> Self:
        """The only one."""
        if cls._flow_only is None:
            cls._flow_only = super().__new__(cls)
        return cls._flow_only  # type: ignore[return-value]  # it is final

    @property
    def final_conduit(self) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError("a passthrough has no final conduit: what comes before it has")

    @property
    def chained_conduits(self) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError("a passthrough is in no chain")

    def get_final_conduits(self) -> Iterator[Conduit]:
        """None."""
        return iter(())

    def get_connections(self, *, ingoing: Collection[Conduit] = ()) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError("a passthrough has no connections: what is beside it has")

    def get_isolated_conduits(self) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError("a passthrough isn't a conduit of a graph")


@stands_for(CoreChainedProducer)
class ChainedProducer(_Chained, AdaptedProducer[P_co], CoreChainedProducer[P_co]):
    """A producer and the transformers behind it."""

    @property
    def transformer(self) -> Any:
        """The last conduit."""
        return self.processor

    def aproduce(self) -> Any:
        """The products as they come."""
        return aiter(self)


@stands_for(_ParallelProducers)
class ProducerGroup(AdaptedProducer[P_co], _ParallelProducers[P_co]):
    """Producers side by side."""

    _flow_form = "group"

    @property
    def producers(self) -> tuple[Any, ...]:
        """The branches."""
        return self.conduits

    def aproduce(self) -> Any:
        """The products as they come."""
        return aiter(self)


@stands_for(CoreChainedTransformer)
class ChainedTransformer(
    _Chained, AdaptedTransformer[A_contra, B_co], CoreChainedTransformer[A_contra, B_co]
):
    """Transformers one behind the other."""

    @property
    def first(self) -> Any:
        """All but the last conduit."""
        return self.source

    @property
    def second(self) -> Any:
        """The last conduit."""
        return self.processor


@stands_for(_ParallelTransformers)
class TransformerGroup(AdaptedTransformer[A_contra, B_co], _ParallelTransformers[A_contra, B_co]):
    """Transformers side by side, each fed with every product."""

    _flow_form = "group"

    @property
    def transformers(self) -> tuple[Any, ...]:
        """The branches."""
        return self.conduits


def _late(module: str) -> Any:
    """A module of this package that few programs need."""
    return import_module(f"{__package__}.{module}")
