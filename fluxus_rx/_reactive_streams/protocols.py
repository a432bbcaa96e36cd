"""The protocols of Reactive Streams, as Python's `reactivestreams` names their methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .._typing import A_contra, P_co

__all__ = ["Publisher", "Subscriber", "Subscription", "missing"]


@runtime_checkable
class Subscription(Protocol):
    """Controls a publisher on behalf of its subscriber: any object with these two methods."""

    def request(self, n: int, /) -> None:
        """Request `n` more items; the publisher sends no more than were requested."""
        ...

    def cancel(self) -> None:
        """Request no more items; the publisher stops, and forgets the subscriber."""
        ...


@runtime_checkable
class Subscriber(Protocol[A_contra]):
    """Receives the items of a publisher: any object with these four methods.

    It gets `on_subscribe` first, then `on_next` at most as often as it has requested, then
    `on_error` or `on_complete`, unless it cancels before; one signal at a time, and none after the
    end.

    >>> class Printer:
    ...     def on_subscribe(self, subscription):
    ...         subscription.request(10)
    ...     def on_next(self, value):
    ...         print(value)
    ...     def on_error(self, exception):
    ...         print("failed:", exception)
    ...     def on_complete(self):
    ...         print("done")
    >>> printer: Subscriber[object] = Printer()
    """

    def on_subscribe(self, subscription: Subscription, /) -> None:
        """Called first: the subscriber keeps the subscription, and may request items."""
        ...

    def on_next(self, value: A_contra, /) -> None:
        """Called with an item, one of those that were requested."""
        ...

    def on_error(self, exception: Exception, /) -> None:
        """Called at the end, with the error; no signal comes after it."""
        ...

    def on_complete(self) -> None:
        """Called at the end, without error; no signal comes after it."""
        ...


@runtime_checkable
class Publisher(Protocol[P_co]):
    """Sends items to its subscribers, as many as they request: any object with this method."""

    def subscribe(self, subscriber: Subscriber[P_co], /) -> None:
        """Call `subscriber.on_subscribe`, and then send it the items that it requests."""
        ...


def missing(thing: object, *methods: str) -> str:
    """Those of these methods that an object doesn't have, for a message; empty if it has all."""
    return ", ".join(
        f"{method}()" for method in methods if not callable(getattr(thing, method, None))
    )
