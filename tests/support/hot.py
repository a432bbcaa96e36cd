"""Sources that don't wait, paths that are observed, and what the tests of them share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from fluxus_rx import Producer, step
from tests.support.probes import Events, Source

#: what may become of an item for which there is no room
POLICIES: list[Any] = ["keep", "error", "drop_oldest", "drop_newest", "latest"]

#: the policies that drop items
DROPPING: list[Any] = ["drop_oldest", "drop_newest", "latest"]


def items_of(flow: Producer[Any]) -> AsyncGenerator[Any, None]:
    """What a flow emits, to be read by hand and closed."""
    items = aiter(flow)
    assert isinstance(items, AsyncGenerator)
    return items


class Counted(Observable[Any]):
    """Emits these numbers while it is subscribed to, then ends; counts its subscriptions."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.subscribed = self.disposed = 0

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self.subscribed += 1
        for number in self.numbers:
            observer.on_next(number)
        observer.on_completed()
        return Disposable(self.dispose)

    def dispose(self) -> None:
        self.disposed += 1


class Rude(Observable[Any]):
    """Never ends a subscription; `observers` are those that it has, for events of any kind."""

    def __init__(self) -> None:
        super().__init__()
        self.observers: list[abc.ObserverBase[Any]] = []

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self.observers.append(observer)
        return Disposable()


class Item:
    """Counts those that are alive; made and let go by one thread at a time."""

    alive = 0

    def __init__(self) -> None:
        Item.alive += 1

    def __del__(self) -> None:
        Item.alive -= 1


class Numbers:
    """A source of products, and how often it was opened and closed."""

    def __init__(self, end: int | None = 4) -> None:
        self.source = Source(end)

    def step(self) -> Any:
        async def numbers() -> AsyncIterator[dict[str, int]]:
            async for number in self.source:
                yield {"x": number}

        return step("src", numbers)

    @property
    def counts(self) -> tuple[int, int]:
        return self.source.opened, self.source.closed


def adding(name: str) -> Any:
    """A step that adds the attribute of its name."""
    return step(name, lambda x: {name: x})


def values(products: list[Any], name: str) -> list[Any]:
    """What the products have of an attribute."""
    return [product[name] for product in products]


def observed(*observables: Observable[Any], **kwargs: Any) -> list[Events]:
    """What observers of these see, all subscribed to at once."""
    seen = []
    for observable in observables:
        events = Events()
        events.of(observable, **kwargs)
        seen.append(events)
    return seen


def note(calls: list[int], x: int) -> dict[str, int]:
    """What a step adds that nobody needs; notes that it was called."""
    calls.append(x)
    return {"y": x}


def added(products: Any) -> int:
    """The sum of what the paths have added."""
    return sum(product["x"] for product in products)
