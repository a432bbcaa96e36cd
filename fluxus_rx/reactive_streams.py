"""Flows as publishers and subscribers of the Reactive Streams protocol, as rsocket-py speaks it."""

from __future__ import annotations

from ._protocols import Publisher, Subscriber, Subscription
from ._published import from_publisher
from ._publishers import to_publisher

__all__ = ["Publisher", "Subscriber", "Subscription", "from_publisher", "to_publisher"]
