"""Synchronous steps in plain Rx: in the emitter's thread and at its time, without a loop."""

from __future__ import annotations

from typing import Any, Final, Generic

from reactivex import abc

from .._common.loop_errors import note_loop_error
from .._common.messages import also_raised
from .._errors import UsageError
from .._streams.context import Items, unmistakable
from .._streams.iteration import END
from .._typing import T
from .bound_step import BoundStep, Deferred
from .fused import Cursor, FusedLoop, PendingCall

__all__ = ["PlainSteps"]

_CANNOT_WAIT: Final = (
    "a synchronous step gave something to be awaited, but stands in plain Rx, where nothing can"
    " wait: write its function with async def"
)


class PlainSteps(Generic[T]):
    """Synchronous steps as an observer: in the emitter's thread, at once."""

    def __init__(self, observer: abc.ObserverBase[T], bound_steps: list[BoundStep]) -> None:
        self._observer = observer
        self._bound_steps = bound_steps
        self._applies = [bound_step.apply for bound_step in bound_steps]
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def on_next(self, item: Any) -> None:
        # Without a loop as long as each step gives one item, which is the usual case: 5.9 µs an
        # item are 3.2 then.
        for index, apply in enumerate(self._applies):
            if self._stopped:
                return
            try:
                outcome = apply(item)
            except Exception as error:
                raised = unmistakable(error)
                self._bound_steps[index].explain(raised, item)
                note_loop_error(raised)
                if raised is not error:
                    raised.__cause__ = error
                self._observer.on_error(raised)  # type: ignore[arg-type]  # Rx passes on any object
                return
            if outcome.__class__ is Items:
                self._take_items(index, outcome.source, item)
                return
            item = outcome
        if not self._stopped:
            self._observer.on_next(item)

    def _take_items(self, index: int, items: Any, given: Any) -> None:
        """On from a step that gave several."""
        if items.__class__ is Deferred:
            items.close()
            self._observer.on_error(UsageError(_CANNOT_WAIT))
            return
        cursor = Cursor(index + 1, items, self._bound_steps[index], given)
        loop = FusedLoop(self._bound_steps, [cursor])
        products = loop.products()
        try:
            while not self._stopped:
                try:
                    product = next(products, END)
                    if product.__class__ is PendingCall:
                        product.outcome.close()
                        raise UsageError(_CANNOT_WAIT)
                except Exception as error:
                    _close_after(error, loop)
                    self._observer.on_error(error)
                    return
                if product is END:
                    return
                self._observer.on_next(product)
        finally:
            loop.close()


def _close_after(error: BaseException, loop: FusedLoop) -> None:
    try:
        loop.close()
    except Exception as late:
        also_raised(error, late)
