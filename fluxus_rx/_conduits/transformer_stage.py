"""What is called with one product after the other: its options, and what a call comes to."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self, cast

from reactivex import Observable

from .._common.messages import note, short, shown
from .._engine.bound_step import BoundStep
from .._engine.observable import FlowObservable, flow_observable
from .._engine.stage import Stage, StepContext, path_of
from .._errors import InvalidFlowError
from .._options.executors import check_picklable, in_processes
from .._options.step_options import StepOptions
from .._streams.context import Items
from .conduit import Conduit
from .producer import iterator_of, offloaded

__all__ = ["TransformerStage"]

_IN_THREADS: Final = StepOptions(executor="thread")


class TransformerStage(Conduit):
    """What a transformer is for each product alone."""

    _flow_options = StepOptions()
    _flow_defaults = StepOptions()
    _flow_shows_items = True

    @abstractmethod
    def transform(self, product: Any) -> Iterable[Any]:
        """Give the outputs for one product."""

    def options(self, **options: Any) -> Self:
        """A copy of this transformer with other options; see `StepOptions` for their names.

        What was set before stays, but for what is set anew. Raises TypeError for a name that is no
        option, for what can't go to another process, and for an executor of what awaits; ValueError
        for a value out of its range.
        """
        changed = copy.copy(self)
        replaced = self._flow_options.replaced(options, self._flow_label)
        object.__setattr__(changed, "_flow_options", replaced)
        changed._flow_check_options(StepOptions())
        return changed

    @property
    def _flow_settings(self) -> StepOptions:
        """The options that are set on this transformer, and on what it is in."""
        return self._flow_options.over(self._flow_defaults)

    @property
    def _flow_implied(self) -> StepOptions:
        """What these imply where nothing else is said: calls at once, or that can be given up, of a
        plain function take threads."""
        own = self._flow_options
        if not self._flow_awaits and (own.has("concurrency") or own.timeout is not None):
            return _IN_THREADS
        return StepOptions()

    def _flow_defaulted(self, defaults: StepOptions, known: dict[int, Conduit]) -> Self:
        if id(self) not in known:
            changed = copy.copy(self)
            object.__setattr__(changed, "_flow_defaults", self._flow_defaults.over(defaults))
            changed._flow_check_options(StepOptions())
            known[id(self)] = changed
        return cast(Self, known[id(self)])

    def _flow_check_options(self, defaults: StepOptions) -> None:
        if self._flow_awaits:
            if self._flow_options.executor is not None:
                raise InvalidFlowError(
                    f"{self._flow_label}: executor={shown(self._flow_options.executor)} is for"
                    " plain functions, and this one is asynchronous: it runs on the loop, with up"
                    " to `concurrency` calls at once"
                )
            return
        executor = self._flow_settings.over(defaults).over(self._flow_implied).executor
        if executor is not None and in_processes(executor):
            check_picklable(self._flow_label, *self._flow_called)

    @property
    def _flow_called(self) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        """What runs in an executor: a function, and its fixed arguments."""
        return self.transform, {}

    def connect(self, source: Observable[Any]) -> list[FlowObservable[Any]]:
        """This transformer on an observable: one observable per path, in path order."""
        stage = Stage(
            *(self._flow_bind, ("limit", id(self)), self._flow_is_async, self.name),
            shows_items=self._flow_shows_items,
            options=self._flow_settings,
            implied=self._flow_implied,
        )
        return [flow_observable(source).then(stage)]

    def _flow_bind(self, place: StepContext) -> BoundStep:
        def apply(product: Any) -> Any:
            return Items(iterator_of(self.transform(product), self, "transform"))

        def explain(error: BaseException, product: Any) -> None:
            note(
                error,
                f"in {self.name}, path {path_of(place.trail)}, with the input {short(product)}",
            )

        def given(replacement: Any, product: Any, count: int) -> Any:
            return Items(iterator_of(replacement, self, "on_error"))

        elsewhere = None if self._flow_awaits else offloaded(self, place.scope, place.options)

        async def acall(product: Any) -> Any:
            if elsewhere is None:
                return await self._flow_acall(product)
            products = await elsewhere.call(self.transform, product)
            return Items(elsewhere.iterated(iterator_of(products, self, "transform")))

        return BoundStep(
            *(apply, acall, explain, place.options, ("limit", id(self))),
            given=given,
        )

    @property
    def _flow_is_async(self) -> bool:
        return self._flow_awaits or self._flow_settings.over(self._flow_implied).waits

    async def _flow_acall(self, product: Any) -> Any:
        return Items(iterator_of(self.transform(product), self, "transform"))
