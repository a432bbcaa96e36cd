"""What is known of a flow before it runs: how much it can hold, and what is wrong with it.

Follows how `_engine.observable` and `_engine.pipeline` put stages together; a test holds each
number to what a run does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable
from math import inf
from typing import Final

from .._common.encoding import PrintedText, printed
from .._common.messages import shown
from .._common.text import counted, printable
from .._errors import InvalidFlowError, InvalidOptionError
from .._graph.mistakes import meant_by
from .._graph.parts import (
    Describable,
    Description,
    Node,
    Part,
    Through,
    is_describable,
    last_role,
    part_of,
)
from .._graph.wiring import Wiring
from .._options.step_options import StepOptions
from .._streams.channel import BUFFER
from .attributes import (
    attributes_of,
    merged_attributes,
    missing_attributes,
    passed_attributes,
)
from .edges import UNKNOWN, Capacity, CheckedEdge, Port, capacity_of_calls, joined_ports, port_keys
from .options import Remark, Severity, calls_of, producer_remarks, settled_options, step_remarks

__all__ = ["Finding", "check"]

#: Above, the edges at one junction are told as one for each step behind it.
MOST_CHECKED_EDGES: Final = 24

_SEVERITIES: Final = ("error", "warning", "info")


@printed
@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that `check` found in a flow before it runs.

    - `level`: `"error"` if the run will fail as soon as a product comes there, `"warning"` for a
      likely mistake, `"info"` for what is good to know
    - `step`: the name of the step; of an edge between two steps, `"a → b"`
    - `text`: what was found; `remedy`: what to do, empty if nothing is needed

    >>> print(Finding("warning", "fetch", "has no limit", "set concurrency="))
    warning: fetch: has no limit; set concurrency=
    """

    level: Severity
    step: str
    text: str
    remedy: str = ""

    def __post_init__(self) -> None:
        for name in ("step", "text", "remedy"):
            object.__setattr__(self, name, PrintedText(getattr(self, name)))

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{self.level}: {self.step}: {self.text}{remedy}")


@printed
class _Findings(list[Finding]):
    """Findings that print one to a line."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "[]"


def check(flow: Describable, *, options: StepOptions | None = None) -> list[Finding]:
    """Find mistakes in a flow, or in a part of one, before it runs.

    Returns a list of `Finding` objects that prints one to a line: errors first, then warnings, then
    infos, each in the order of the flow. It is empty for a flow without mistakes and edges.

    - errors: attributes that a step needs, or keeps its order by, and nothing before it provides.
      Known attributes are the keys of data, and of the TypedDict that a function is annotated to
      return; behind any other function all attributes may be there. Also what can't be sent to the
      processes of the run's `executor`.
    - warnings: steps without a concurrency limit, observables that emit whether or not there is
      room, options that contradict each other or have no effect; attributes that a step in a
      `Wrapper` lacks, unless the wrapper adds them.
    - infos: for each edge, the most products that wait there, in `run`, `arun`, `stream`, `astream`
      and the `run` of a `Flow`. A call counts as one product, that of a generator as the products
      that it has ready; items that are still in a list aren't counted, nor those that operators in
      `rx_pipe` and `stream_pipe` hold. If 25 or more edges join two groups, there is one info per
      downstream step instead of one per edge.

    `options` are those of the run. No function is called and no iterator is read. A plain function
    is taken for what its signature says, though it may turn out to return an awaitable. A
    transformer alone is checked without knowing its input. Takes time in proportion to the length
    of the flow.

    Raises TypeError for anything but a conduit, ValueError for invalid `options`.

    >>> from fluxus_rx import step
    >>> check(step("src", [{"x": 1}]) >> step("add", lambda x, y: {"z": x + y}))
    error: add: needs the attribute 'y', which nothing before it provides on the path src → add; it
    is given 'x' (from 'src'); set a default for the parameter, or pass a fixed value: step('add',
    <lambda>, y=…)
    info: src → add: no products wait; 'add' takes them one at a time
    """
    if not is_describable(flow):
        raise InvalidFlowError(
            f"check() takes a flow, or a part of one, not {shown(flow)}{meant_by(flow)}"
        )
    if options is not None and not isinstance(options, StepOptions):
        raise InvalidOptionError(
            f"options={shown(options)}: expected StepOptions(…), such as StepOptions(concurrency=3)"
        )
    whole = part_of(flow)
    checking = _Checking(options or StepOptions(), last_role(whole) == "consumer")
    # What comes into a transformer that is checked alone, nobody knows.
    checking.lay(whole, [Port(None, next(port_keys), queues=(UNKNOWN,))])
    return checking.findings()


class _Checking(Wiring[Port]):
    """Walks through a flow once, from its sources on."""

    most_edges = MOST_CHECKED_EDGES

    def __init__(self, options: StepOptions, has_consumer: bool) -> None:
        self._options = options
        self._has_consumer = has_consumer
        #: in the order of the flow; told when all is known
        self._found: list[tuple[str, Remark | Callable[[], Remark | None]]] = []
        self._seen: set[int] = set()
        #: steps with a queue in front of them whose size their `buffer` sets, or may set
        self._buffered: set[int] = set()
        #: the conduit that calls all of this by itself, if one does
        self._caller = ""

    def findings(self) -> _Findings:
        """What was found, the worst first."""
        made = []
        for step, found in self._found:
            told = found if isinstance(found, Remark) else found()
            if told is not None:
                made.append(Finding(told.level, step, told.text, told.remedy))
        return _Findings(sorted(made, key=lambda finding: _SEVERITIES.index(finding.level)))

    def _tell(self, name: str, told: Iterable[Remark]) -> None:
        self._found += [(name, one) for one in told]

    def _once(self, one: Description) -> bool:
        """Whether a conduit is seen for the first time: it may stand in several places."""
        if _identity(one) in self._seen:
            return False
        self._seen.add(_identity(one))
        return True

    def reach(self, one: Description | Node, ports: list[Port]) -> list[Port]:
        """Check a conduit, and the edges to it."""
        assert isinstance(one, Description)
        if one.role == "producer":
            return [self._begin(one)]
        if one.role == "consumer":
            self._end(one, ports)
            return []
        if self._once(one):
            self._tell(one.name, step_remarks(one, self._options, self._has_consumer))
        port = self._pass(one, ports)
        if one.is_step:
            settled, is_async = settled_options(one, self._options)
            ways = [way.known for way in ports]
            missing, known = missing_attributes(one, settled, ways, is_async=is_async)
            self._tell(one.name, (self._lacking(*texts) for texts in missing))
        else:
            known = passed_attributes(one, [way.known for way in ports])
        if one.inner is not None:
            self._check_inner(one.name, one.inner, ports)
        port = port._replace(known=known)
        return [port._replace(many=len(ports) > 1 or any(way.many for way in ports))]

    def _lacking(self, text: str, remedy: str) -> Remark:
        """What is told of an attribute that is missing; a caller of a single step may provide
        it."""
        if not self._caller:
            return Remark("error", text, remedy)
        return Remark("warning", f"{text}, unless {self._caller!r} adds it in its calls", remedy)

    def _check_inner(self, caller: str, inner: Part, ports: list[Port]) -> None:
        """Check what a conduit is around and calls by itself; of what waits in it, nothing is
        known."""
        inside = _Checking(self._options, self._has_consumer)
        inside._seen = self._seen
        inside._caller = caller
        known = merged_attributes(port.known for port in ports)
        inside.lay(inner, [Port(None, next(port_keys), queues=(UNKNOWN,), known=known)])
        self._found += [(step, told) for step, told in inside._found if isinstance(told, Remark)]

    def pass_by(self, through: Through, ports: list[Port]) -> list[Port]:
        """The same: nothing waits in a passthrough."""
        return ports

    def fan_out(self, ports: list[Port]) -> list[Port]:
        """The ports out of their pipelines, for all branches to share."""
        return [port.emitted() for port in ports]

    def join(self, ports: list[Port]) -> Port:
        """What the one holds that holds most."""
        return joined_ports(ports)

    def origin(self, port: Port) -> Hashable:
        """The step, at this place."""
        return port.key

    def meet(self, ports: list[Port]) -> Port:
        """The step, and what is known of all ways from it."""
        known = merged_attributes(port.known for port in ports)
        return ports[0]._replace(many=True, known=known)

    def _begin(self, producer: Description) -> Port:
        name = producer.name
        if self._once(producer):
            self._tell(name, producer_remarks(producer))
        port = Port(name, next(port_keys), known=attributes_of(producer))
        if producer.buffer is not None and producer.overflow != "keep":
            held = Capacity(producer.buffer, f"in the buffer of {name!r}")
            return port._replace(parts=(held,))
        match producer.emission:
            case "":
                if not producer.awaits and producer.options.get("executor") is None:
                    return port
                held = Capacity(0, f"read ahead from {name!r}", ahead=True)
            case "with demand":
                held = Capacity(producer.buffer or BUFFER, f"in the queue behind {name!r}")
            case _:
                return port._replace(parts=(Capacity(inf, "emitted without respecting demand"),))
        return port._replace(parts=(held,), queues=(held,))

    def _end(self, consumer: Description, ports: list[Port]) -> None:
        takes = "them one at a time" if consumer.awaits else f"up to {BUFFER} at once"
        queue = Capacity(BUFFER, "in the queue of the consumer, from all paths")
        for port in [port.emitted() for port in ports]:
            fed = port._replace(parts=(*port.parts, queue))
            self._edge(fed, consumer.name, f"{consumer.name!r} takes {takes}")

    def _edge(self, port: Port, target: str, taken: str) -> None:
        if port.source is not None:
            self._found.append((f"{port.source} → {target}", CheckedEdge(port, taken).told))

    def _pass(self, one: Description, ports: list[Port]) -> Port:
        """Lay the edges to a transformer, and return the port behind it."""
        name = one.name
        port = Port(name, next(port_keys))
        taken = f"{name!r} takes them one at a time"
        match one.connection:
            case "stage":
                return self._call(one, [port.taken_in() for port in ports], port)
            case "buffer":
                taken = f"{name!r} takes them at once"
                most = inf if one.overflow == "keep" or one.buffer is None else one.buffer
                port = port._replace(parts=(Capacity(most, "in the buffer"),))
            case "reactivex":
                taken += ", and its operators may hold more"
                ports = [port.emitted() for port in ports]
                port = port._replace(come="through operators")
            case "aiostream":
                taken += ", and its operators may hold more"
                ports = [port.taken_in() for port in ports]
                ahead = Capacity(0, f"read ahead from {name!r}", ahead=True)
                port = port._replace(parts=(ahead,), queues=(ahead,))
            case _:
                ports = [port._replace(parts=(*port.parts, UNKNOWN)) for port in ports]
                port = port._replace(parts=(UNKNOWN,), queues=(UNKNOWN,))
        for before in ports:
            self._edge(before, name, taken)
        return port

    def _call(self, step: Description, ports: list[Port], port: Port) -> Port:
        """The same for a transformer that calls its function for each product, in a pipeline."""
        name = step.name
        taken = f"{name!r} takes them one at a time"
        settled, is_async = settled_options(step, self._options)
        if is_async:
            self._size(step, settled, ports)
            calls = calls_of(settled)
            those = "any number are" if calls == inf else f"up to {counted(calls, 'is', 'are')}"
            taken = f"{those} in calls of {name!r}"
            queue = Capacity(BUFFER, f"in the queue behind {name!r}")
            port = port._replace(parts=(queue, capacity_of_calls(step, settled)), queues=(queue,))
        else:
            if step.is_step or callable(settled.on_error):
                _read_ahead(ports)  # it may turn out to be asynchronous
            queues = dict.fromkeys(queue for before in ports for queue in before.queues)
            port = port._replace(queues=tuple(queues))
        for before in ports:
            self._edge(before, name, taken)
        return port

    def _size(self, step: Description, settled: StepOptions, ports: list[Port]) -> None:
        """Set the sizes of the queues in front of an asynchronous step."""
        buffer, name, key = settled.buffer, step.name, _identity(step)
        for queue in dict.fromkeys(queue for port in ports for queue in port.queues):
            self._buffered.add(key)
            if queue is UNKNOWN:
                continue
            queue.lower = f"buffer= of {name!r}"
            if queue.ahead or buffer is not None:
                queue.size = buffer or BUFFER
        if step.options.get("buffer") is not None:
            told = Remark(
                "warning",
                f"buffer={buffer} has no effect: there is no queue in front of it that has a limit",
                "leave it out",
            )
            self._found.append((name, lambda: None if key in self._buffered else told))


def _identity(one: Description) -> int:
    """The same for all descriptions of one conduit, while its flow is checked."""
    return id(one if one.source is None else one.source)


def _read_ahead(ports: list[Port]) -> None:
    """In front of what may turn out to be asynchronous."""
    for port in ports:
        for queue in port.queues:
            if queue.ahead and not queue.size:
                queue.size = BUFFER


# Users see, pickle and report what they import, not where it is written.
for _public in (Finding, check):
    _public.__module__ = "fluxus_rx"
