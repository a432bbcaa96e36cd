"""How much longer than code by hand does it take to get pages from a real server?"""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..measuring.contenders import Contenders
from ..measuring.contest import BrokenPromise, Clock, Contest, Goal, Size, Workload, WrongOutputs
from ..work.functions import Attributes, Function, Lineage, Probe, items, pause_of
from ..work.loopback import Answers, Response, getter, number_of, server
from ..work.operations import Work, left_out, operation_rows

__all__ = ["WORKLOAD"]

LIMIT = 50
ATTEMPTS = 3
#: Pages of a hundred that are answered 429 when they are first asked for.
BUSY = 3
#: Seconds that an answer takes: at least, on average beyond that, and at most.
LATENCY = 0.005, 0.01, 0.05


def contests(size: Size, contenders: Contenders) -> Iterable[Contest]:
    """Pages from a server on this machine, which asks to wait for some of them."""
    count = size.pick(2_000, 100, 100)
    rows, absent = operation_rows(
        contenders,
        "retrying",
        partial(_work, count, LIMIT),
        checked=partial(_work, 40, 10),
        units=count,
        promises=("limit",),
        repeats=False,
        without=left_out(size, "aiostream", "reactivex", why="waits long"),
    )
    yield Contest(
        "crawl",
        f"How long does a page take at limit {LIMIT}, where 3 % are answered 429 with Retry-After?",
        "µs per page",
        rows,
        clock=Clock.WALL,
        goals=[Goal(1.1)],
        absent=absent,
    )


class TooManyRequests(Exception):
    """A page is to be asked for again."""


def _work(count: int, limit: int, calls: str, probe: Probe | None) -> Work:
    answers = _answers(count)
    server().lay_out(answers)
    fetch = _fetching(calls)
    source = items(count)
    return Work(
        {
            "items": source if probe is None else probe.source(source),
            "function": fetch if probe is None else probe.watched(calls, "step1", fetch),
            "limit": limit,
            "attempts": ATTEMPTS,
        },
        expected=partial(_outputs, count),
        judge=partial(_judge, answers, limit),
        limit=limit,
    )


def _answers(count: int) -> Answers:
    """How long each page takes, and which are answered 429 at first."""
    chance = random.Random(5)
    least, more, most = LATENCY
    busy = frozenset(chance.sample(range(count), count * BUSY // 100))
    return {
        _path(x): [*([(429, least)] if x in busy else []), (200, seconds)]
        for x in range(count)
        for seconds in [min(most, least + chance.expovariate(1 / more))]
    }


def _path(x: int) -> str:
    return f"/page/{x}"


def _fetching(calls: str) -> Function:
    """What fetches a page; where it is asked to, it waits, and then fails."""
    get, pause = getter(calls, server().port), pause_of(calls)

    def page(response: Response) -> Attributes:
        if response.status != 200:
            raise TooManyRequests(response.status)
        return {"x": response.x}

    def fetch(x: int) -> Attributes:
        response = get(_path(x))
        if response.retry_after:
            pause(response.retry_after)
        return page(response)

    async def fetch_later(x: int) -> Attributes:
        response = await get(_path(x))
        if response.retry_after:
            await pause(response.retry_after)
        return page(response)

    return fetch if calls == "threads" else fetch_later


def _outputs(count: int) -> list[Lineage]:
    return [{"src": {"x": x}, "step1": {"x": number_of(_path(x))}} for x in range(count)]


def _judge(answers: Answers, limit: int, returned: Any) -> list[Any]:
    """Whether each page was asked for as often as it had to be, and never too many at once."""
    outputs, failed = returned
    seen = server().seen()
    if failed:
        raise WrongOutputs(f"{len(failed):,} pages are said to have failed, and none has")
    if seen.requests != {path: len(given) for path, given in answers.items()}:
        needed = sum(map(len, answers.values()))
        raise WrongOutputs(f"{seen.requests.total():,} requests were sent, not {needed:,}")
    if seen.highest > limit:
        raise BrokenPromise(f"limit {limit:,}, {seen.highest:,} requests at once")
    return [*outputs]


WORKLOAD = Workload(
    "crawl",
    "How much longer than code by hand does it take to get pages from a real server?",
    contests,
    sizes="2,000 pages (quick 100)",
    seconds=60,
    rank=5,
)
