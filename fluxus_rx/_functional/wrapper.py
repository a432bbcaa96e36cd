"""A conduit around another one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from .._common.encoding import printed
from .._common.messages import shown
from .._conduits.conduit import Conduit, options_repr, role_of
from .._conduits.subclassing import fact
from .._conduits.transformer import AsyncTransformer, Transformer
from .._errors import InvalidFlowError
from .._typing import A_contra, B_co

if TYPE_CHECKING:
    from .._graph.parts import Part

__all__ = ["Wrapper"]


@printed
class Wrapper(AsyncTransformer[A_contra, B_co]):
    """A transformer around another one: a step, a chain, a group or a transformer of a class.

    A subclass overrides `atransform`, and decides when the `inner` one is called, with which
    products, and what becomes of its outputs: for a cache, a retry of its own, or a measurement.
    The calls of the inner one count for its own options, and for the run's statistics and failures,
    and its outputs keep their lineage. The options of the wrapper are those of its own calls, up to
    256 of which are in flight at once.

    A drawing shows the wrapper as one step, with its inner one inside; a check looks into it.

    Raises TypeError for a conduit that takes no products.

    >>> from fluxus_rx import run, step
    >>> class Cached(Wrapper):
    ...     def __init__(self, inner, key):
    ...         super().__init__(inner)
    ...         self.key = key
    ...         self.known = {}
    ...     async def atransform(self, product):
    ...         if product[self.key] not in self.known:
    ...             outputs = [output async for output in self.inner.atransform(product)]
    ...             self.known[product[self.key]] = [output["y"] for output in outputs]
    ...         for y in self.known[product[self.key]]:
    ...             yield {"y": y}
    >>> double = step("double", lambda x: {"y": 2 * x})
    >>> run(step("src", [{"x": 1}, {"x": 1}]) >> Cached(double, "x"))[0][1]
    {'src': {'x': 1}, 'Cached': {'y': 2}}
    """

    #: what it is around
    inner: Transformer[A_contra, B_co]

    def __init__(self, inner: Transformer[A_contra, B_co]) -> None:
        if role_of(inner) != "transformer":
            what = shown(inner) if role_of(inner) is None else inner._flow_label
            raise InvalidFlowError(
                f"{type(self).__name__}: {what} takes no products, and a wrapper is around what"
                " does; expected a step, a transformer, a chain or a group of them"
            )
        self.inner = inner

    async def atransform(self, product: A_contra) -> AsyncIterator[B_co]:
        """Yield the outputs for one product: those of the inner one, unless a subclass overrides
        it."""
        inner: Any = self.inner
        async with contextlib.aclosing(inner.atransform(product)) as outputs:
            async for output in outputs:
                yield output

    @fact
    def input_type(self) -> Any:
        """The type of products that the inner one takes."""
        return self.inner.input_type

    @fact
    def product_type(self) -> Any:
        """Any: a subclass may emit others than the inner one."""
        return Any

    @property
    def _flow_entries(self) -> list[Conduit]:
        return [self] if self.inner._flow_entries else []

    def describe(self) -> Part:
        """This wrapper as data, with what is in it; see `Conduit.describe`."""
        from .._graph.parts import part_of

        return self._flow_description(
            function=self.atransform,
            options=self._flow_options.given(),
            inherited=self._flow_defaults.given(),
            arguments={
                name: value
                for name, value in self._flow_arguments().items()
                if value is not self.inner
            },
            inner=part_of(self.inner),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}){options_repr(self)}"


# Users see, pickle and report what they import, not where it is written.
Wrapper.__module__ = "fluxus_rx"
