"""Flows as publishers and subscribers of the Reactive Streams protocol, as rsocket-py speaks it."""

from __future__ import annotations

from ._reactive_streams.from_publisher import from_publisher
from ._reactive_streams.protocols import Publisher, Subscriber, Subscription
from ._reactive_streams.publisher import to_publisher

__all__ = ["Publisher", "Subscriber", "Subscription", "from_publisher", "to_publisher"]

# Users see, pickle and report what they import, not where it is written.
for _public in [globals()[name] for name in __all__]:
    _public.__module__ = __name__
