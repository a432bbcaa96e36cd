"""Neighbouring steps as one call: what stands between two functions costs no call of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

from .._engine.bound_step import BoundStep, CollectedRows, Collector, FusedCalls, Stopped
from .._engine.fused_loop import YIELD_TO_LOOP
from .._products.attributes import known_names
from .._products.dict_product import MISSING, DictProduct
from .._products.factory import SourceItems
from .._streams.context import Items, unmistakable
from .._streams.timing import TimeSlice
from .step_function import NOT_CALLED, StepFunction, found_at_once

__all__ = ["DirectStep"]

#: instead of the attribute that a function takes: any other arguments
_OTHERS: Final[Any] = object()
#: what the steps of a product have added, by their names
_Steps = dict[str, dict[str, Any]]
#: the index and the name of a step, the attribute that its function takes, and the function
_NumberedCall = tuple[int, str, Any, Callable[[Any], Any]]


class DirectStep(NamedTuple):
    """A step whose products extend those of the steps before it.

    `function` takes the value of the `attribute`; where it takes other arguments, there is none,
    and `call` gives what it gives for a product, `call_row` for the steps of a row. `outcome` makes
    of that what `apply` gives.
    """

    apply: Callable[[Any], Any]
    name: str
    attribute: Any
    function: Callable[[Any], Any]
    call: Callable[[DictProduct], Any]
    call_row: Callable[[_Steps], Any]
    owner: object
    outcome: Callable[[Any, DictProduct], Any]

    @classmethod
    def of(
        cls, function: StepFunction, owner: object, apply: Any, outcome: Any
    ) -> DirectStep | None:
        """That of a function, if it has no fixed arguments, which a message may tell of."""
        if function.has_fixed:
            return None
        return cls(
            apply=apply,
            name=function.name,
            attribute=_OTHERS if function.only is MISSING else function.only,
            function=function.by_value,
            call=function.call,
            call_row=function.call_row,
            owner=owner,
            outcome=outcome,
        )

    def stands_for(self, apply: Callable[[Any], Any]) -> bool:
        """See `DirectCall`."""
        return self.apply is apply

    def watched(
        self,
        apply: Callable[[Any], Any],
        watch: Callable[[Callable[[Any], Any]], Callable[[Any], Any]],
        outcome: Callable[[Callable[..., Any], Any, Any], Any],
    ) -> DirectStep:
        """See `DirectCall`."""
        return self._replace(
            apply=apply,
            function=watch(self.function),
            call=watch(self.call),
            call_row=watch(self.call_row),
            outcome=partial(outcome, self.outcome),
        )

    def fused(self, bound_steps: Sequence[BoundStep], position: int) -> FusedCalls:
        """See `DirectCall`."""
        return _FusedSteps(bound_steps, position, self.owner)


class _FusedSteps(FusedCalls):
    """Functions of one attribute each, called one after the other.

    The usual case, a function that gives a dictionary for an attribute of the step before it, is
    written out, for products and for rows: a call of its own for each step is a third of what it
    takes (benchmark "sync").
    """

    __slots__ = ("_bound_steps", "_calls", "_owner", "_position", "_row_calls", "_tail")

    def __init__(self, bound_steps: Sequence[BoundStep], position: int, owner: object) -> None:
        self._bound_steps = bound_steps
        self._position = position
        self._owner = owner
        steps: Any = (step.direct for step in bound_steps)
        self._calls: list[_NumberedCall] = []
        self._row_calls: list[_NumberedCall] = []
        for index, step in enumerate(steps):
            has_attribute = step.attribute is not _OTHERS
            function, of_row = step.function, step.function
            if not has_attribute:
                function, of_row = step.call, step.call_row
            self._calls.append((index, step.name, step.attribute, function))
            self._row_calls.append((index, step.name, step.attribute, of_row))
        self._tail = 0, self._calls

    def carry(self, item: DictProduct, first: int = 0, given: Any = NOT_CALLED) -> Any:
        """See `FusedCalls`; the function of the first step may have given something already."""
        product, index, is_plain = item, first, known_names.issuperset
        while True:
            try:
                if given is NOT_CALLED and product.owner is self._owner:
                    by_step, latest = product.by_step, product.latest
                    calls = self._calls_from(index) if index else self._calls
                    for index, name, attribute, function in calls:  # noqa: B007 - of the error
                        if attribute in latest:
                            given = function(latest[attribute])
                        elif attribute is _OTHERS:
                            product.latest = latest
                            given = function(product)
                        else:
                            product.latest = latest
                            value = product.find(attribute)
                            if value is MISSING:
                                given = NOT_CALLED
                                break
                            given = function(value)
                        if given.__class__ is not dict or not is_plain(given):
                            break
                        by_step[name] = latest = given.copy()
                    else:
                        product.latest = latest
                        return product
                    product.latest = latest
                outcome = self._outcome(product, index, given)
            except BaseException as error:
                raised = self._explained(error, index, product)
                if raised is error:
                    raise
                raise raised from error
            if outcome.__class__ is Items:
                return Stopped(self._position + index, outcome, product)
            product, index, given = outcome, index + 1, NOT_CALLED
            if index == len(self._calls):
                return product

    def _calls_from(self, index: int) -> list[_NumberedCall]:
        # The same as the last time, for all products that one has become.
        if self._tail[0] != index:
            self._tail = index, self._calls[index:]
        return self._tail[1]

    def _outcome(self, product: DictProduct, index: int, given: Any) -> Any:
        """What comes of a call that is not of the usual case."""
        step = self._bound_steps[index]
        if given is NOT_CALLED:
            return step.apply(product)
        direct: Any = step.direct
        return direct.outcome(given, product)

    def _explained(self, error: BaseException, index: int, product: DictProduct) -> BaseException:
        """The error to raise for one of the step with this index."""
        product.latest = next(reversed(product.by_step.values()))
        raised = unmistakable(error)
        self._bound_steps[index].explain(raised, product)
        return raised

    def rows(
        self, source: Iterator[Any], collector: Collector, time_slice: TimeSlice
    ) -> CollectedRows | None:
        """See `FusedCalls`."""
        if not isinstance(source, SourceItems) or source.owner is not self._owner:
            return None
        return CollectedRows(self._collect(source, collector, time_slice), source)

    def _collect(
        self, source: SourceItems, collector: Collector, time_slice: TimeSlice
    ) -> Generator[Any, None, None]:
        add, add_position = collector.rows.append, collector.positions.append
        row_of, position, in_source = self._row_of, -1, True
        try:
            for position, item in source.mappings():
                in_source = False
                if perf_counter() > time_slice.due:
                    yield YIELD_TO_LOOP
                outcome = row_of(source, position, item)
                if outcome.__class__ is dict:
                    add(outcome)
                    add_position(position)
                elif outcome.__class__ is Stopped:
                    source.count = position + 1
                    yield outcome
                else:
                    collector.add(outcome)
                in_source = True
        except BaseException as error:
            if in_source:
                source.explain(error, position + 1)
            raise
        source.close()

    def _row_of(self, source: SourceItems, position: int, item: Any) -> Any:
        """What the last step gives for an item of the source: the attributes by step, if nobody has
        seen a product of them; else the product; or `Stopped`."""
        index, given, is_plain = 0, item, known_names.issuperset
        if item.__class__ is not dict or not item or not is_plain(item):
            return self.carry(source.product(position, item))
        latest = item.copy()
        by_step = {source.name: latest}
        try:
            for index, name, attribute, function in self._row_calls:  # noqa: B007 - of the error
                if attribute in latest:
                    given = function(latest[attribute])
                elif attribute is _OTHERS:
                    given = function(by_step)
                elif (value := found_at_once(by_step, attribute)) is not MISSING:
                    given = function(value)
                else:
                    given = NOT_CALLED
                    break
                if given.__class__ is not dict or not given or not is_plain(given):
                    break
                by_step[name] = latest = given.copy()
            else:
                return by_step
        except BaseException as error:
            raised = self._explained(error, index, source.product_of(by_step, position))
            if raised is error:
                raise
            raise raised from error
        return self.carry(source.product_of(by_step, position), index, given)
