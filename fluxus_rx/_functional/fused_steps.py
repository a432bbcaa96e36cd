"""Neighbouring steps as one call: what stands between two functions costs no call of its own."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from math import inf
from time import perf_counter
from typing import Any, Final

from .._engine.bound_step import BoundStep, CallCounter, CollectedRows, FusedCalls, Stopped
from .._engine.fused_loop import YIELD_TO_LOOP
from .._products.attributes import known_names
from .._products.collector import Collector
from .._products.dict_product import MISSING, DictProduct
from .._products.factory import SourceItems
from .._streams.context import Items, unmistakable
from .._streams.timing import TimeSlice
from .step_function import NOT_CALLED, found_at_once

__all__ = ["OTHER_ARGUMENTS", "CountedSteps", "FusedSteps", "TimedSteps"]

#: instead of the attribute that a function takes: any other arguments
OTHER_ARGUMENTS: Final[Any] = object()
#: what the steps of a product have added, by their names
_Steps = dict[str, dict[str, Any]]
#: the index and the name of a step, the attribute that its function takes, and the function
_NumberedCall = tuple[int, str, Any, Callable[[Any], Any]]


class FusedSteps(FusedCalls):
    """Functions of one attribute each, called one after the other.

    The usual case, a function that returns a dictionary for an attribute of the step before it, is
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
            function = step.call if step.attribute is OTHER_ARGUMENTS else step.function
            self._calls.append((index, step.name, step.attribute, function))
            self._row_calls.append((index, step.name, step.attribute, step.row_call))
        self._tail = 0, self._calls

    def carry(self, item: DictProduct, first: int = 0, given: Any = NOT_CALLED) -> Any:
        """See `FusedCalls`; the function of the first step may have returned something already."""
        product, index, is_plain = item, first, known_names.issuperset
        while True:
            try:
                if given is NOT_CALLED and product.owner is self._owner:
                    by_step, latest = product.by_step, product.latest
                    calls = self._calls_from(index) if index else self._calls
                    for index, name, attribute, function in calls:  # noqa: B007 - of the error
                        if attribute in latest:
                            given = function(latest[attribute])
                        elif attribute is OTHER_ARGUMENTS:
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
                outcome = row_of(source, position, item)
                if outcome.__class__ is dict:
                    add(outcome)
                    add_position(position)
                elif outcome.__class__ is Stopped:
                    source.count = position + 1
                    yield outcome
                else:
                    collector.add(outcome)
                if perf_counter() > time_slice.due:
                    source.count = position + 1  # others may go on from here
                    yield YIELD_TO_LOOP
                in_source = True
        except BaseException as error:
            if in_source:
                source.explain(error, position + 1)
            raise
        source.close()

    def _row_of(self, source: SourceItems, position: int, item: Any) -> Any:
        """What the last step returns for an item of the source: the attributes by step, if nobody
        has seen a product of them; else the product; or `Stopped`."""
        index, given, is_plain = 0, item, known_names.issuperset
        if item.__class__ is not dict or not item or not is_plain(item):
            return self.carry(source.product(position, item))
        latest = item.copy()
        by_step = {source.name: latest}
        try:
            for index, name, attribute, function in self._row_calls:  # noqa: B007 - of the error
                if attribute in latest:
                    given = function(latest[attribute])
                elif attribute is OTHER_ARGUMENTS:
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


class CountedSteps(FusedSteps):
    """The same in a run that counts.

    The usual calls for rows are counted here, each timed from the end of the one before it: that is
    one look at the clock and no call, a third of the price (benchmark "watching"). All others are
    counted by the functions that are called then; so is a whole row where one of its calls is to be
    looked at more closely.
    """

    __slots__ = ("_counted_calls", "_counters", "_look_due", "_now")

    def __init__(self, bound_steps: Sequence[BoundStep], position: int, owner: object) -> None:
        super().__init__(bound_steps, position, owner)
        steps: list[Any] = [step.direct for step in bound_steps]
        self._counters: list[CallCounter] = [step.counter for step in steps]
        self._counted_calls = [
            (index, step.name, step.attribute, step.uncounted.row_call, step.counter.plain)
            for index, step in enumerate(steps)
        ]
        self._now = self._counters[0].clock
        #: when a call may be due to be looked at
        self._look_due = -inf

    def _row_of(self, source: SourceItems, position: int, item: Any) -> Any:
        since, is_plain = self._taken_at(source), known_names.issuperset
        if since >= self._look_due and self._has_due(since):
            return super()._row_of(source, position, item)
        if item.__class__ is not dict or not item or not is_plain(item):
            return self.carry(source.product(position, item))
        index, given, now = 0, item, self._now
        latest = item.copy()
        by_step = {source.name: latest}
        try:
            for index, name, attribute, function, plain in self._counted_calls:  # noqa: B007
                plain.entered = since
                if attribute in latest:
                    given = function(latest[attribute])
                elif attribute is OTHER_ARGUMENTS:
                    given = function(by_step)
                elif (value := found_at_once(by_step, attribute)) is not MISSING:
                    given = function(value)
                else:
                    given = NOT_CALLED
                if given.__class__ is not dict or not given or not is_plain(given):
                    break
                plain.ended = end = now()
                plain.inline_seconds += end - since
                plain.entered = None
                plain.over += 1
                since = end
                by_step[name] = latest = given.copy()
            else:
                return by_step
        except BaseException as error:
            product = source.product_of(by_step, position)
            self._counters[index].failed(error, product)
            raised = self._explained(error, index, product)
            if raised is error:
                raise
            raise raised from error
        if given is NOT_CALLED:
            plain.entered = None
        return self.carry(source.product_of(by_step, position), index, given)

    def _taken_at(self, source: SourceItems) -> float:
        """When the item came that is taken through the steps now."""
        counts = source.counts
        return (0.0 if counts is None else counts.ended) or self._now()

    def _has_due(self, now: float) -> bool:
        if any(counter.is_due for counter in self._counters):
            return True
        self._look_due = now + min(counter.next_look for counter in self._counters)
        return False


class TimedSteps(CountedSteps):
    """The same in a run that keeps the times of calls: rows have them, as outputs show them."""

    __slots__ = ("_starts", "_timed_calls", "_zero")

    def __init__(self, bound_steps: Sequence[BoundStep], position: int, owner: object) -> None:
        super().__init__(bound_steps, position, owner)
        steps: list[Any] = [step.direct for step in bound_steps]
        self._zero = steps[0].zero
        #: when the calls of the source began
        self._starts = array("d")
        self._timed_calls = [
            (*call, columns.starts.append, columns.ends.append, columns.items.append)
            for call, step in zip(self._counted_calls, steps, strict=True)
            if (columns := step.counter.columns) is not None
        ]

    def rows(
        self, source: Iterator[Any], collector: Collector, time_slice: TimeSlice
    ) -> CollectedRows | None:
        """See `FusedCalls`."""
        columns = source.columns if isinstance(source, SourceItems) else None
        if columns is None:
            return None
        self._starts = columns.starts
        return super().rows(source, collector, time_slice)

    def carry(self, item: DictProduct, first: int = 0, given: Any = NOT_CALLED) -> Any:
        """See `FusedCalls`: one step after the other, each of which keeps times."""
        product = item
        for index in range(first, len(self._bound_steps)):
            try:
                outcome = self._outcome(product, index, given)
            except BaseException as error:
                raised = self._explained(error, index, product)
                if raised is error:
                    raise
                raise raised from error
            if outcome.__class__ is Items:
                return Stopped(self._position + index, outcome, product)
            product, given = outcome, NOT_CALLED
        return product

    def _row_of(self, source: SourceItems, position: int, item: Any) -> Any:
        since, is_plain, zero = self._taken_at(source), known_names.issuperset, self._zero
        is_row = item.__class__ is dict and item and is_plain(item)
        if not is_row or (since >= self._look_due and self._has_due(since)):
            return self.carry(source.product(position, item))
        index, given, now = 0, item, self._now
        latest = item.copy()
        latest["[start]"], latest["[end]"] = self._starts[-1] - zero, since - zero
        by_step = {source.name: latest}
        try:
            for index, name, attribute, function, plain, *adds in self._timed_calls:  # noqa: B007
                plain.entered = since
                if attribute in latest:
                    given = function(latest[attribute])
                elif attribute is OTHER_ARGUMENTS:
                    given = function(by_step)
                elif (value := found_at_once(by_step, attribute)) is not MISSING:
                    given = function(value)
                else:
                    given = NOT_CALLED
                if given.__class__ is not dict or not given or not is_plain(given):
                    break
                plain.ended = end = now()
                plain.inline_seconds += end - since
                plain.entered = None
                plain.over += 1
                latest = given.copy()
                latest["[start]"], latest["[end]"] = since - zero, end - zero
                by_step[name] = latest
                add_start, add_end, add_item = adds
                add_start(since)
                add_end(end)
                add_item(position)
                since = end
            else:
                return by_step
        except BaseException as error:
            product = self._timed_product(source, by_step, position)
            self._counters[index].failed(error, product)
            raised = self._explained(error, index, product)
            if raised is error:
                raise
            raise raised from error
        if given is NOT_CALLED:
            plain.entered = None
        return self.carry(self._timed_product(source, by_step, position), index, given)

    def _timed_product(self, source: SourceItems, by_step: _Steps, position: int) -> DictProduct:
        """A product of these steps, whose attributes have times among them."""
        times = [(one.pop("[start]"), one.pop("[end]")) for one in by_step.values()]
        product = source.product_of(by_step, position)
        product.times = times
        return product
