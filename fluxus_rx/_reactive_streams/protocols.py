"""The protocols of Reactive Streams, as Python's `reactivestreams` names their methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .._typing import A_contra, P_co

__all__ = ["Publisher", "Subscriber", "Subscription", "missing"]


@runtime_checkable
class Subscription(Protocol):
    """What a subscriber steers its publisher with; any object with these two methods."""

    def request(self, n: int, /) -> None:
        """Ask for `n` more items."""
        ...

    def cancel(self) -> None:
        """Ask for no more."""
        ...


@runtime_checkable
class Subscriber(Protocol[A_contra]):
    """What a publisher passes its items to; any object with these four methods.

    It hears `on_subscribe` first, then `on_next` at most as often as it has asked for, then
    `on_error` or `on_complete`, unless it cancels before; one at a time, and nothing after the end.
    """

    def on_subscribe(self, subscription: Subscription, /) -> None:
        """It is subscribed, and may ask for items."""
        ...

    def on_next(self, value: A_contra, /) -> None:
        """An item, one of those that were asked for."""
        ...

    def on_error(self, exception: Exception, /) -> None:
        """The end, with an error."""
        ...

    def on_complete(self) -> None:
        """The end."""
        ...


@runtime_checkable
class Publisher(Protocol[P_co]):
    """What sends items to its subscribers, as they request them; any object with this method."""

    def subscribe(self, subscriber: Subscriber[P_co], /) -> None:
        """Have `subscriber` given the items."""
        ...


def missing(thing: object, *methods: str) -> str:
    """The methods among these that a thing doesn't have, for a message; empty if it has all."""
    return ", ".join(
        f"{method}()" for method in methods if not callable(getattr(thing, method, None))
    )
