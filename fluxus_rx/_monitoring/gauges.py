"""The gauges of a run: one for each step at each of its places, and what they add up to."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from .._common.names import UniqueNames
from .._common.trail import Trail
from .calls import Count
from .gauge import Gauge

__all__ = ["Gauges"]

#: Names in the path of a call at most: all of them, for each step of a long chain, would take a
#: memory that grows with the square of its length.
_NAMES: Final = 32


class Gauges:
    """The gauges of a run.

    A step that doesn't belong to the flow itself, such as one that an Rx operator subscribes to for
    each product, has a gauge in common with all such steps of its name.
    """

    def __init__(self) -> None:
        self._by_trail: dict[Trail, Gauge] = {}
        #: the steps of the flow itself
        self._known: set[Trail] = set()
        self._strangers: dict[str, Gauge] = {}
        self._labels: dict[Hashable, str] = {}
        self._names = UniqueNames()

    def know(self, trail: Trail | None) -> None:
        """The steps on `trail` are those of the flow that is run."""
        for step in trail or ():
            if step in self._known:
                break
            self._known.add(step)

    def at(self, trail: Trail, name: str, key: Hashable) -> Gauge:
        """The gauge of the step at the end of `trail`; `key` is the same at all places of it."""
        found = self._by_trail.get(trail)
        if found is not None:
            return found
        if trail in self._known:
            path = trail.short_path(_NAMES)
            gauge = Gauge(self._label(str(name), key), key, path, trail.depth, trail)
        else:
            if name in self._strangers:
                return self._strangers[name]
            key = ("stranger", name)
            gauge = Gauge(self._label(str(name), key), key, str(name), 1)
            self._strangers[name] = gauge
        self._by_trail[trail] = gauge
        return gauge

    def _label(self, name: str, key: Hashable) -> str:
        """The name of the step, told apart from other steps of that name."""
        if key not in self._labels:
            self._labels[key] = self._names.add(name)
        return self._labels[key]

    def expect(self, trail: Trail, length: int | None) -> None:
        """The producer at the end of `trail` has this many products more."""
        found = self._by_trail.get(trail)
        if found is not None and length is not None:
            found.expect(length)

    # Steps may join while another thread reads: all that is read here is listed in one go before.

    def by_step(self) -> list[list[Gauge]]:
        """The gauges of each step at all its places, in the order of the flow."""
        found: dict[Hashable, list[Gauge]] = {}
        for gauge in [*self._by_trail.values()]:
            found.setdefault(gauge.key, []).append(gauge)
        return sorted(found.values(), key=lambda places: max(gauge.depth for gauge in places))

    def counts(self) -> list[Count]:
        """How far each step has come, in the order of the flow: each step behind those before it.

        >>> Gauges().counts()
        []
        """
        counts: dict[Hashable, Count] = {}
        depths: dict[Hashable, int] = {}
        expected = self._expectations()
        for trail, gauge in [*self._by_trail.items()]:
            own = Count(
                step=gauge.label,
                done=gauge.done,
                in_flight=gauge.in_flight,
                failed=gauge.failed,
                expected=expected.get(trail),
            )
            other = counts.get(gauge.key)
            counts[gauge.key] = own if other is None else _added_up(other, own)
            depths[gauge.key] = max(depths.get(gauge.key, 0), gauge.depth)
        return [counts[key] for key in sorted(counts, key=depths.__getitem__)]

    def _expectations(self) -> dict[Trail, int | None]:
        """What the steps can expect, by the trails to them; sources first."""
        found: dict[Trail, int | None] = {}
        for trail in [*self._by_trail]:
            step: Trail | None = trail
            unknown = []
            while step is not None and step in self._by_trail and step not in found:
                unknown.append(step)
                step = _named_before(step)
            for one in reversed(unknown):
                found[one] = self._expectation(one, found)
        return found

    def _expectation(self, trail: Trail, found: dict[Trail, int | None]) -> int | None:
        gauge = self._by_trail[trail]
        before = _named_before(trail)
        if before is None:
            return gauge.total if trail in self._known else None
        expected = found.get(before)
        if expected is None:
            return None
        upstream = self._by_trail[before]
        expected -= upstream.dropped
        if upstream.over >= expected:
            return upstream.given
        each = upstream.made / upstream.done if upstream.done else 1.0
        return max(round(expected * each), upstream.given)


def _named_before(trail: Trail) -> Trail | None:
    """The trail of the step before; what has no name counts nothing."""
    before = trail.before
    while before is not None and not before.name:
        before = before.before
    return before


def _added_up(one: Count, other: Count) -> Count:
    known = one.expected is not None and other.expected is not None
    return Count(
        step=one.step,
        done=one.done + other.done,
        in_flight=one.in_flight + other.in_flight,
        failed=one.failed + other.failed,
        expected=(one.expected or 0) + (other.expected or 0) if known else None,
    )
