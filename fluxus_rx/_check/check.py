"""What can be known of a flow before it runs: what it can hold, and what is wrong with it.

Follows how stages are put together in `_stages` and `_pipelines`; a test holds each number to what
a run does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Final

from .._common.messages import shown
from .._common.text import printable
from .._conduits.composites import Group
from .._conduits.conduit import Conduit
from .._conduits.consumer import AsyncConsumer
from .._conduits.pipes import _RxPipe, _StreamPipe
from .._conduits.transformer import Buffer, Transformer
from .._errors import InvalidFlowError, InvalidOptionError
from .._functional.step import Step
from .._options.step_options import StepOptions
from .._streams.channel import BUFFER
from .attributes import attributes_of, merged_attributes, missing_attributes
from .edges import (
    UNKNOWN,
    Capacity,
    CheckedEdge,
    Port,
    buffer_size_of,
    capacity_of_calls,
    joined_ports,
    port_keys,
)
from .options import (
    Remark,
    Severity,
    calls_of,
    emission_of,
    is_awaited,
    producer_remarks,
    settled_options,
    step_remarks,
)

__all__ = ["Finding", "check"]

#: From how many edges at one junction on they are told as one for each step behind it.
MANY_EDGES: Final = 25

_SEVERITIES: Final = ("error", "warning", "info")


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is known of a flow before it runs.

    - `level`: `"error"` for what makes the run fail as soon as a product comes there, `"warning"`
      for what is hardly meant, `"info"` for what is good to know
    - `step`: the name of the step concerned; of what lies between two, `"a → b"`
    - `text`: what was found; `remedy`: the way out, empty where none is needed

    >>> print(Finding("warning", "fetch", "has no limit", "set concurrency="))
    warning: fetch: has no limit; set concurrency=
    """

    level: Severity
    step: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{self.level}: {self.step}: {self.text}{remedy}")


class _Findings(list[Finding]):
    """Findings that print one to a line."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "[]"


def check(flow: Conduit, *, options: StepOptions | None = None) -> list[Finding]:
    """What can be known of a flow, or of a part of one, before it runs: errors first, then
    warnings, then infos, each in the order of the flow.

    - errors: attributes that a step needs and nothing before it provides. Known are the keys of
      data, and of the TypedDict that a function is annotated to return; behind any other function
      anything may be there. Also what can't be sent to the processes of the run's `executor`.
    - warnings: steps without limit, observables that emit whether or not there is room, options
      that contradict each other or have no effect.
    - infos: for each edge, the most products that wait there, in `run`, `arun`, `stream`, `astream`
      and the `run` of a `Flow`. A call counts as one product, that of a generator as those that it
      has ready; what a list still has in it is not counted, nor what operators in `rx_pipe` and
      `stream_pipe` hold. On 25 edges between two groups and more, there is one info for each step
      behind them.

    `options` are those of the run. Nothing is run: no function is called, no iterator touched. A
    plain function counts as what its signature says, though what it returns may turn out to be
    awaitable. A transformer alone is checked without knowing its input. Takes time in proportion to
    the length of the flow.

    Raises TypeError for what is no conduit, ValueError for `options` that are none.

    >>> from fluxus_rx import step
    >>> check(step("src", [{"x": 1}]) >> step("add", lambda x, y: {"z": x + y}))
    error: add: needs the attribute 'y', which nothing before it provides on the path src → add; it
    is given 'x' (from 'src'); give the parameter a default, or a fixed value: step('add', <lambda>,
    y=…)
    info: src → add: no products wait; 'add' takes them one at a time
    """
    if not isinstance(flow, Conduit):
        raise InvalidFlowError(f"check() takes a flow, or a part of one, not {shown(flow)}")
    if options is not None and not isinstance(options, StepOptions):
        raise InvalidOptionError(
            f"options={shown(options)}: expected StepOptions(…), such as StepOptions(concurrency=3)"
        )
    *_, last = flow.chained_conduits
    checking = _Checking(options or StepOptions(), last._flow_is_end)
    # What comes into a transformer that is checked alone, nobody knows.
    checking.lay(flow, [Port(None, next(port_keys), queues=(UNKNOWN,))])
    return checking.findings()


class _Checking:
    """Walks through a flow once, from its sources on."""

    def __init__(self, options: StepOptions, has_consumer: bool) -> None:
        self._options = options
        self._has_consumer = has_consumer
        #: in the order of the flow; told when all is known
        self._found: list[tuple[str, Remark | Callable[[], Remark | None]]] = []
        self._seen: set[int] = set()
        #: steps with a queue in front of them whose size their `buffer` sets, or may set
        self._buffered: set[int] = set()

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

    def _once(self, conduit: Conduit) -> bool:
        """Whether this conduit is seen for the first time: it may stand in several places."""
        if id(conduit) in self._seen:
            return False
        self._seen.add(id(conduit))
        return True

    def lay(self, conduit: Conduit, ports: list[Port]) -> list[Port]:
        """Feed a conduit from these ports, and give its own.

        Recursive in the depth to which groups are nested, not in the length of chains.
        """
        if isinstance(conduit, Group):
            return self._split(conduit, ports)
        if not conduit.is_atomic:
            for one in conduit.chained_conduits:
                ports = self.lay(one, ports)
            return ports
        if conduit._flow_is_passthrough:
            return ports
        if conduit._flow_is_source:
            return [self._begun(conduit)]
        if conduit._flow_is_end:
            self._end(conduit, ports)
            return []
        assert isinstance(conduit, Transformer)
        if self._once(conduit):
            self._tell(conduit.name, step_remarks(conduit, self._options, self._has_consumer))
        port = self._reach(conduit, ports)
        if isinstance(conduit, Step):
            settled, _ = settled_options(conduit, self._options)
            missing, known = missing_attributes(conduit, settled, [one.known for one in ports])
            self._tell(conduit.name, (Remark("error", *one) for one in missing))
            port = port._replace(known=known)
        return [port._replace(many=len(ports) > 1 or any(one.many for one in ports))]

    def _split(self, group: Group, ports: list[Port]) -> list[Port]:
        if not group._flow_is_source:
            ports = [port.emitted() for port in ports]
            if len(ports) > 1 and len(ports) * len(group.conduits) >= MANY_EDGES:
                ports = [joined_ports(ports)]
        # One for each step: a passthrough may lie beside a chain of groups that have one each.
        distinct: dict[int, Port] = {}
        for branch in group.conduits:
            for port in self.lay(branch, ports):
                same = distinct.setdefault(port.key, port)
                if same is not port:
                    known = merged_attributes((same.known, port.known))
                    distinct[port.key] = same._replace(many=True, known=known)
        return [*distinct.values()]

    def _begun(self, producer: Any) -> Port:
        name = producer.name
        if self._once(producer):
            self._tell(name, producer_remarks(producer))
        port = Port(name, next(port_keys), known=attributes_of(producer))
        if (most := buffer_size_of(producer)) is not None:
            return port._replace(parts=(Capacity(most, f"in the buffer of {name!r}"),))
        match emission_of(producer):
            case "" if is_awaited(producer):
                held = Capacity(0, f"read ahead from {name!r}", ahead=True)
            case "":
                return port
            case "with demand":
                policy = getattr(producer, "policy", None)
                held = Capacity(policy.size if policy else BUFFER, f"in the queue behind {name!r}")
            case _:
                return port._replace(parts=(Capacity(inf, "emitted without heeding demand"),))
        return port._replace(parts=(held,), queues=(held,))

    def _end(self, consumer: Conduit, ports: list[Port]) -> None:
        alone = isinstance(consumer, AsyncConsumer)
        takes = "them one at a time" if alone else f"up to {BUFFER} at once"
        queue = Capacity(BUFFER, "in the queue of the consumer, from all paths")
        for port in [port.emitted() for port in ports]:
            fed = port._replace(parts=(*port.parts, queue))
            self._edge(fed, consumer.name, f"{consumer.name!r} takes {takes}")

    def _edge(self, port: Port, target: str, taken: str) -> None:
        if port.source is not None:
            self._found.append((f"{port.source} → {target}", CheckedEdge(port, taken).told))

    def _reach(self, conduit: Transformer[Any, Any], ports: list[Port]) -> Port:
        """Lay the edges to a transformer, and give the port behind it."""
        name = conduit.name
        port = Port(name, next(port_keys))
        taken = f"{name!r} takes them one at a time"
        if type(conduit).connect in _OURS:
            ports = [one.taken_in() for one in ports]
            settled, is_async = settled_options(conduit, self._options)
            if is_async:
                self._size(conduit, settled, ports)
                calls = calls_of(settled)
                number = "any number" if calls == inf else f"up to {calls:,}"
                taken = f"{number} are in calls of {name!r}"
                queue = Capacity(BUFFER, f"in the queue behind {name!r}")
                parts = (queue, capacity_of_calls(conduit, settled))
                port = port._replace(parts=parts, queues=(queue,))
            else:
                if isinstance(conduit, Step) or callable(settled.on_error):
                    _read_ahead(ports)  # it may turn out to be asynchronous
                queues = dict.fromkeys(queue for one in ports for queue in one.queues)
                port = port._replace(queues=tuple(queues))
        elif isinstance(conduit, Buffer):
            taken = f"{name!r} takes them at once"
            most = inf if conduit.policy.overflow == "keep" else conduit.policy.size
            port = port._replace(parts=(Capacity(most, "in the buffer"),))
        elif isinstance(conduit, _RxPipe | _StreamPipe):
            taken += ", and its operators may hold more"
            if isinstance(conduit, _RxPipe):
                ports = [one.emitted() for one in ports]
                port = port._replace(come="through operators")
            else:
                ports = [one.taken_in() for one in ports]
                ahead = Capacity(0, f"read ahead from {name!r}", ahead=True)
                port = port._replace(parts=(ahead,), queues=(ahead,))
        else:
            ports = [one._replace(parts=(*one.parts, UNKNOWN)) for one in ports]
            port = port._replace(parts=(UNKNOWN,), queues=(UNKNOWN,))
        for one in ports:
            self._edge(one, name, taken)
        return port

    def _size(
        self, conduit: Transformer[Any, Any], settled: StepOptions, ports: list[Port]
    ) -> None:
        """Set the sizes of the queues in front of an asynchronous step."""
        buffer, name = settled.buffer, conduit.name
        for queue in dict.fromkeys(queue for port in ports for queue in port.queues):
            self._buffered.add(id(conduit))
            if queue is UNKNOWN:
                continue
            queue.lower = f"buffer= of {name!r}"
            if queue.ahead or buffer is not None:
                queue.size = buffer or BUFFER
        if conduit._flow_options.buffer is not None:
            told = Remark(
                "warning",
                f"buffer={buffer} has no effect: there is no queue in front of it that has a limit",
                "leave it out",
            )
            self._found.append((name, lambda: None if id(conduit) in self._buffered else told))


#: What puts a step into a flow, and how it does that is known.
_OURS: Final = (Transformer.connect, Step.connect)


def _read_ahead(ports: list[Port]) -> None:
    """In front of what may turn out to be asynchronous."""
    for port in ports:
        for queue in port.queues:
            if queue.ahead and not queue.size:
                queue.size = BUFFER
