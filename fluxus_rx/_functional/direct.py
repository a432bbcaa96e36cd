"""How a step may be called as one with its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from .._engine.bound_step import (
    BoundStep,
    CallCounter,
    FusedCalls,
)
from .._monitoring.counters import PlainCalls
from .._products.dict_product import MISSING, DictProduct
from .fused_steps import OTHER_ARGUMENTS, CountedSteps, FusedSteps, TimedSteps
from .step_function import StepFunction

__all__ = ["DirectStep"]


class DirectStep(NamedTuple):
    """A step whose products extend those of the steps before it.

    `function` takes the value of the `attribute`; where it takes other arguments, there is none,
    and `call` returns what it returns for a product, `call_row` for the steps of a row. `outcome`
    makes of that what `apply` returns.
    """

    apply: Callable[[Any], Any]
    name: str
    attribute: Any
    function: Callable[[Any], Any]
    call: Callable[[DictProduct], Any]
    call_row: Callable[[dict[str, dict[str, Any]]], Any]
    owner: object
    outcome: Callable[[Any, DictProduct], Any]
    #: what counts its calls, unless the callers of these functions do that
    counter: CallCounter | None = None
    #: the same without
    uncounted: DirectStep | None = None
    #: when the run began by its clock, where products get times
    zero: float | None = None

    @classmethod
    def of(
        cls,
        function: StepFunction,
        owner: object,
        apply: Any,
        outcome: Any,
        zero: float | None = None,
    ) -> DirectStep | None:
        """That of a function, if it has no fixed arguments, which a message may tell of."""
        if function.has_fixed:
            return None
        return cls(
            apply=apply,
            name=function.name,
            attribute=OTHER_ARGUMENTS if function.only is MISSING else function.only,
            function=function.by_value,
            call=function.call,
            call_row=function.call_row,
            owner=owner,
            outcome=outcome,
            zero=zero,
        )

    def stands_for(self, apply: Callable[[Any], Any]) -> bool:
        """See `DirectCall`."""
        return self.apply is apply

    def counted(self, apply: Callable[[Any], Any], counter: CallCounter) -> DirectStep:
        """See `DirectCall`."""
        outcome, zero = self.outcome, self.zero
        if zero is not None:
            outcome = _timed_outcome(outcome, counter.plain, zero)
        return self._replace(
            apply=apply,
            function=counter.direct(self.function),
            call=counter.direct(self.call),
            call_row=counter.direct(self.call_row),
            outcome=partial(counter.direct_outcome, outcome),
            counter=counter,
            uncounted=self,
        )

    @property
    def row_call(self) -> Callable[[Any], Any]:
        """What is called for a row: with the value of the attribute, if there is one."""
        return self.call_row if self.attribute is OTHER_ARGUMENTS else self.function

    def fused(self, bound_steps: Sequence[BoundStep], position: int) -> FusedCalls:
        """See `DirectCall`."""
        steps: list[Any] = [step.direct for step in bound_steps]
        kind = FusedSteps
        if all(step.counter is not None for step in steps):
            kind = CountedSteps if self.zero is None else TimedSteps
        return kind(bound_steps, position, self.owner)


def _timed_outcome(
    outcome: Callable[..., Any], plain: PlainCalls, zero: float
) -> Callable[[Any, DictProduct], Any]:
    """Makes an outcome of the return value of the call that holds the thread."""

    def made(given: Any, product: DictProduct) -> Any:
        return outcome(given, product, (plain.entered or 0.0) - zero)

    return made
