"""What has a price, and which contest tells it."""

from __future__ import annotations

from typing import NamedTuple

from ..measuring.contest import BY_HAND, OURS

__all__ = ["SECTIONS", "Price", "Remark", "Section"]


class Price(NamedTuple):
    """What is paid for, in reStructuredText; the contest and the row that tell its cost; the row
    that it is held against, and what readers call that."""

    what: str
    contest: str
    beside: str = "code by hand"
    of: str = BY_HAND
    row: str = OURS


class Remark(NamedTuple):
    """A sentence with the figures of a price: `{times}`, and `{total}` of so many units."""

    text: str
    price: Price
    units: int = 1


class Section(NamedTuple):
    """`adds`: whether it tells of a cost how much more it is than that of the row beside it."""

    title: str
    intro: str
    remarks: tuple[Remark, ...]
    prices: tuple[Price, ...]
    adds: bool = False


def _other(what: str, contest: str, beside: str, row: str) -> Price:
    """Another row of ours, by what comes after our name, next to ours."""
    return Price(what, contest, beside, OURS, f"{OURS}{row}")


def _next_to(what: str, contest: str, beside: str, of: str) -> Price:
    """Ours, next to another row of ours."""
    return Price(what, contest, beside, f"{OURS}{of}")


def _named(what: str, contest: str, of: str) -> Price:
    """Ours, next to a row whose name says what it is."""
    return Price(what, contest, of, of)


def _slept(what: str, contest: str, of: str = "timers") -> Price:
    return Price(what, contest, "only sleeping", of)


_FIVE = Price("a plain function, in a chain of 5", "sync, 5 steps")
_AT_ONCE = Price("a coroutine function that returns at once, limit 100", "async, limit 100")

_STEP = Section(
    "A step",
    "These functions do next to nothing: what a function of yours does comes on top. Costs are CPU"
    " time, lineage kept.",
    (
        Remark("A million calls of plain functions take {total}.", _FIVE, 1_000_000),
        Remark("A million calls of coroutine functions take {total}.", _AT_ONCE, 1_000_000),
    ),
    (
        _FIVE,
        Price("the same, in a chain of 80", "sync, 80 steps"),
        Price("alone, with the source and the result", "sync, 1 step"),
        Price("a coroutine function that returns at once, limit 10", "async, limit 10"),
        _AT_ONCE,
        Price("the same, limit 1,000", "async, limit 1,000"),
        Price("the same, limit 100, ``ordered=True``", "async, limit 100, ordered"),
        Price("one that yields to the loop once, limit 100", "async, limit 100, yielding"),
        Price("generators that yield a thousand, and a step that adds these", "expand and reduce"),
        *(
            _other(f"alone, {what}", f"classes, {kind}", beside, row)
            for kind, beside, generator, transformer in (
                ("sync", "a plain function", "a plain generator", "a ``Transformer``"),
                (
                    "async",
                    "a coroutine function",
                    "an asynchronous generator",
                    "an ``AsyncTransformer``",
                ),
            )
            for what, row in (
                (f"{generator} that yields one product", ", generators"),
                (f"{transformer} without lineage", ", classes"),
                (f"{transformer} with lineage, which is read", ", classes with lineage"),
            )
        ),
        Price("``retry=3``, where 2 % of the calls fail once", "retrying, 2 % fail once"),
        Price("items of any type into batches of 10", "batches of 10"),
        Price("items of any type into batches of 1,000", "batches of 1,000"),
        Price("lines of CSV, checked, into SQLite in batches", "etl, CSV to SQLite"),
    ),
)

_CALLS = _slept("calls of 10 ms, limit 100", "calls, limit 100")

_WAITING = Section(
    "What waits hides it",
    "Costs are time that passes, next to sleeping as often and as long. Where a thousand calls of"
    " 10 ms are in flight, one is due every 10 µs, and what computes shows most.",
    (Remark("Calls that take 10 ms, 100 at once, take {times}x of only sleeping.", _CALLS),),
    (
        _slept("calls of 10 ms, limit 10", "calls, limit 10"),
        _CALLS,
        _slept("calls of 10 ms, limit 1,000", "calls, limit 1,000"),
        _slept("calls of which 1 % take 50 times as long", "skew, unordered"),
        _slept("the same, ``ordered=True``", "skew, ordered", "timers, window 4 x limit"),
        _slept("the same, in order per key", "skew, in order per key"),
        _slept("red teaming: two models within a budget", "red teaming, target and judge"),
        _slept("two steps that share a pace", "paced"),
        Price("a crawl: pages of a server, limit 50", "crawl"),
    ),
)

_JOINED = Price("8 branches and a passthrough, then a step: 17 calls", "fan-out, joined")

_GROUPS = Section(
    "Groups",
    "Each branch gets each item, and all outputs go into the step behind the group; costs are"
    " CPU time of an item with all that comes of it.",
    (Remark("A thousand items through 8 branches and a step take {total}.", _JOINED, 1_000),),
    (
        _JOINED,
        Price("two such groups in series: 170 calls", "fan-out, two groups in series"),
        Price("8 sources merged, one of which comes in bursts", "merge, one source bursty"),
    ),
)

_OPTIONS = Section(
    "Options",
    "What an option adds to a call of a coroutine function that returns at once, in CPU time, at"
    " limit 100. It adds the same to a call that takes long, and is hidden there.",
    (),
    tuple(
        _other(what, f"options, {name}", "without", f" with {name}")
        for what, name in (
            ("``retry=3``, where nothing fails", "retry"),
            ('``on_error="skip"``, where nothing fails', "on_error"),
            ("``timeout=10``", "timeout"),
            ("``limiter=`` a semaphore that has room", "limiter"),
            ("all four", "all four"),
        )
    ),
    adds=True,
)

_PROGRESS = _other(
    "``progress=True``, coroutine functions", "watched, async", "unwatched", " with progress=True"
)

_WATCHING = Section(
    "Watching",
    "What watching adds, in CPU time, next to the same run that nobody watches. Here too functions"
    " do next to nothing.",
    (Remark("Ten thousand calls with ``progress=True`` take {total}.", _PROGRESS, 10_000),),
    (
        _other(
            "``progress=True``, plain functions",
            "watched, sync",
            "unwatched",
            " with progress=True",
        ),
        _PROGRESS,
        *(
            _other(f"{what}, {functions}", f"watched, {kind}", "unwatched", row)
            for what, row in (
                ("a ``progress`` function", " with a progress function"),
                ("``timestamps=True``", " with timestamps=True"),
            )
            for kind, functions in (("sync", "plain functions"), ("async", "coroutine functions"))
        ),
        _other("``start()``, a plain function", "started, sync", "``arun()``", " with start"),
        _other("``start()``, a coroutine function", "started, async", "``arun()``", " with start"),
    ),
    adds=True,
)

_EDGES = Section(
    "Edges",
    "What it costs to go into a flow, out of one, or off the loop, in CPU time of the whole flow;"
    " beside it, what does the same without.",
    (),
    (
        *(
            _other(
                f"{a} ``{consumer}`` in ``{how}()``",
                f"consumers, {how}()",
                "a loop over the flow",
                f" with {a} {consumer}",
            )
            for how in ("run", "arun")
            for a, consumer in (("a", "Consumer"), ("an", "AsyncConsumer"))
        ),
        Price('plain functions, ``executor="thread"``', "threads, functions"),
        _other(
            'plain generators, ``executor="thread"``',
            "threads, generators",
            "on the loop",
            " in threads",
        ),
        *(
            _next_to(what, f"publishers, {name}", "an Observable", ", an Observable")
            for what, name in (
                ("``to_publisher``", "out of a flow"),
                ("``from_publisher``", "into a flow"),
            )
        ),
        *(
            _next_to(what, f"boundary, {name}", beside, f", {beside}")
            for what, name, beside in (
                ("``from_observable``", "from_observable", "of a list"),
                ("``to_observable``", "to_observable", "its result"),
                ("``rx_pipe``", "rx_pipe", "a step instead"),
                ("``rx_pipe`` with a name", "rx_pipe with a name", "a step instead"),
                ("``to_stream``", "to_stream", "its result"),
                ("``stream_pipe``", "stream_pipe", "a step instead"),
            )
        ),
        *(
            Price(what, f"boundary, {name}", f"{engine}, no lineage", engine)
            for what, name, engine in (
                ("an Observable into a step", "Rx >> step", "reactivex"),
                ("an Observable into an asynchronous step", "Rx >> async step", "reactivex"),
                ("a stream into a step", "aiostream | step", "aiostream"),
                ("a stream into an asynchronous step", "aiostream | async step", "aiostream"),
            )
        ),
        *(
            Price(what, f"hot, {name}")
            for what, name in (
                ("a source that doesn't wait, all kept", "keep, in bursts"),
                ("the same, from a thread", "keep, from a thread"),
                ('``overflow="drop_oldest"``, nothing dropped', "drop_oldest, in bursts"),
                ('``overflow="drop_oldest"``, most dropped', "drop_oldest, too many"),
                ('``overflow="latest"``, most dropped', "latest, too many"),
            )
        ),
        *(
            Price(what, contest)
            for what, contest in (
                ("``rx.to_observable`` of an iterator", "bridge, stream to Observable"),
                ("``rx.to_stream`` of an Observable", "bridge, Observable to stream"),
                ("``streams.flat_map``", "streams, flat_map"),
                ("``streams.merge`` of 10", "streams, merge of 10"),
            )
        ),
        Price("``to_frame()``", "tables, to_frame"),
        Price("``to_arrow()``", "tables, to_arrow"),
    ),
)

_KEPT = Price("an output that is collected, with 2 steps", "memory, outputs collected")
_IN_FLIGHT = Price("a call in flight", "memory, calls in flight")

_MEMORY = Section(
    "Memory",
    "What is streamed is not kept, so the peak of a streamed run doesn't depend on how many items"
    " there are.",
    (
        Remark("A million outputs that are collected take {total}.", _KEPT, 1_000_000),
        Remark("A hundred thousand calls in flight take {total}.", _IN_FLIGHT, 100_000),
    ),
    (
        _KEPT,
        _IN_FLIGHT,
        *(
            _next_to(
                f"peak of a streamed run, {what}",
                f"memory, peak of a streamed run, {kind}",
                "a tenth of the items",
                ", a tenth of the items",
            )
            for what, kind in (
                ("plain functions", "sync steps"),
                ("coroutine functions", "async steps"),
                ("branches", "branches"),
            )
        ),
        Price("peak of a streamed run, its second stage slow", "slow stage, peak memory"),
        *(
            _named(
                f"ahead of a slow reader, {what}",
                f"memory, ahead of a slow reader, {kind}",
                "limits plus buffers",
            )
            for what, kind in (
                ("plain functions", "sync steps"),
                ("coroutine functions", "async steps"),
                ("branches", "branches"),
            )
        ),
    ),
)

_IMPORT = _named("``import fluxus_rx``", "startup, import", "reactivex and aiostream")

_RUN = Section(
    "A run",
    "What comes once: before the first item, and after what ends a run early.",
    (Remark("Importing the library takes {total} of CPU time.", _IMPORT),),
    (
        _IMPORT,
        *(
            _other(what, f"startup, {name}", "100 in a chain", row)
            for what, name, row in (
                ("building 1,000 steps in a chain", "building", ", many steps"),
                ("building 1,000 groups of two", "building", ", many groups"),
                ("from building to the first result, one step", "first result", ", 1 step"),
                ("from building to the first result, 1,000 steps", "first result", ", many steps"),
            )
        ),
        Price("the first output of a stream, its second stage slow", "slow stage, first output"),
        *(
            Price(f"ending 1,000 calls in flight: {what}", f"cancel, {name}")
            for what, name in (
                ("the reader leaves", "left early"),
                ("its task is cancelled", "cancelled"),
                ("it is out of time", "out of time"),
                ("a call fails", "an error"),
            )
        ),
    ),
)

SECTIONS = (_STEP, _WAITING, _GROUPS, _OPTIONS, _WATCHING, _EDGES, _MEMORY, _RUN)
