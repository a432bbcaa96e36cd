"""`step(…, using=…)`: what a run makes for a step, and closes at its end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import pickle
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fluxus_rx import arun, check, parallel, rerun, run, step
from fluxus_rx.graph import Description
from tests.support.recorded_resources import Record


def give(x: int, client: Any) -> dict[str, Any]:
    return {"client": client}


def numbers(count: int = 2) -> Any:
    return step("source", [{"x": x} for x in range(count)])


class Client:
    """A client that can be told from others, and knows what is done with it."""

    def __init__(self, token: str = "sk-secret") -> None:
        self.token = token
        self.is_open = False

    def __repr__(self) -> str:
        return f"Client({self.token!r})"

    async def __aenter__(self) -> Client:
        self.is_open = True
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.is_open = False

    async def get(self, x: int) -> dict[str, int]:
        await asyncio.sleep(0)
        assert self.is_open
        return {"y": x + 1}


async def fetch(x: int, client: Client) -> dict[str, int]:
    return await client.get(x)


def clients_of(result: Any) -> list[Any]:
    return [
        attributes["client"]
        for path in result
        for output in path
        for attributes in [output[name] for name in output if "client" in output[name]]
    ]


@pytest.mark.parametrize(
    "factory",
    [
        pytest.param(Client, id="a class"),
        pytest.param(lambda: Client(), id="a function"),
        pytest.param(functools.partial(Client, "t"), id="a partial"),
    ],
)
def test_a_step_gets_what_was_entered(factory: Callable[[], Client]) -> None:
    """By the name of the parameter, open for the time of its calls."""
    flow = numbers() >> step("fetch", fetch, using={"client": factory})
    assert [output["fetch"]["y"] for output in run(flow)[0]] == [1, 2]


def test_what_is_no_context_manager_is_handed_on() -> None:
    """Made once in a run, also by a coroutine function; locks are not taken by making them."""

    async def table() -> dict[str, int]:
        await asyncio.sleep(0)
        return {"rate": 3}

    async def look(x: int, rates: dict[str, int], lock: asyncio.Lock, kept: Any) -> dict[str, Any]:
        async with lock:
            return {"y": x * rates["rate"], "kept": kept}

    using = {"rates": table, "lock": asyncio.Lock, "kept": threading.Lock}
    result = run(numbers() >> step("look", look, using=using))
    assert [output["look"]["y"] for output in result[0]] == [0, 3]
    assert len({id(output["look"]["kept"]) for output in result[0]}) == 1


def client() -> Client:
    return Client()


def test_a_function_makes_one_for_all_steps_of_a_run() -> None:
    """Also for a step that stands in two branches; each run has its own."""
    first, second = (step(name, give, using={"client": client}) for name in ("first", "second"))
    flow = numbers() >> first >> parallel(second, first >> second)
    results = [run(flow), run(flow)]
    assert [len({*map(id, clients_of(result))}) for result in results] == [1, 1]
    assert clients_of(results[0])[0] is not clients_of(results[1])[0]


def test_a_class_makes_one_for_each_step() -> None:
    """One, wherever the step stands; so that steps with a set each have a set each."""
    first, second = (step(name, give, using={"client": set}) for name in ("first", "second"))
    clients = clients_of(run(numbers() >> first >> parallel(second, first >> second)))
    assert len({id(client) for client in clients}) == 2


def test_methods_of_one_object_are_one_function() -> None:
    """Though each time that one is asked for, it is another object; what has no hash is itself."""

    class Settings:
        def client(self) -> Client:
            return Client()

    class Unhashable(Settings):
        __hash__ = None  # type: ignore[assignment]  # as that of a dataclass

        def __call__(self) -> Client:
            return Client()

    settings, one = Settings(), Unhashable()
    for factories in ((settings.client, settings.client), (one, one)):
        steps = [step(f"s{n}", give, using={"client": make}) for n, make in enumerate(factories)]
        assert len({*map(id, clients_of(run(numbers(1) >> steps[0] >> steps[1])))}) == 1


async def test_runs_at_once_have_their_own() -> None:
    """Those of the same flow, too."""
    flow = numbers(20) >> step("fetch", fetch, using={"client": Client})
    many = flow >> step("which", give, using={"client": client})
    results = await asyncio.gather(*(arun(many) for _ in range(3)))
    assert len({id(client) for result in results for client in clients_of(result)}) == 3


def test_a_function_of_nothing_else_is_a_source(tmp_path: Path) -> None:
    """Its rows are read while its resource is open."""
    path = tmp_path / "cities.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("create table city (name text)")
        db.executemany("insert into city values (?)", [("Rome",), ("Paris",)])

    @contextlib.contextmanager
    def connect() -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(path)) as db:
            yield db

    def cities(db: sqlite3.Connection) -> Iterator[dict[str, str]]:
        for (name,) in db.execute("select name from city"):
            yield {"name": name}

    source = step("city", cities, using={"db": connect})
    flow = source >> step("shout", lambda name: {"name": name.upper()})
    assert [output["shout"]["name"] for output in run(flow)[0]] == ["ROME", "PARIS"]


@pytest.mark.parametrize("source", ["def", "generator", "async def", "async generator"])
@pytest.mark.parametrize("manager", ["plain", "asynchronous", "awaited"])
@pytest.mark.parametrize("executor", [None, "thread"])
def test_sources_of_all_kinds_have_resources(
    source: str, manager: str, executor: str | None
) -> None:
    """Open until the run ends."""
    record = Record()

    def one(resource: str) -> list[dict[str, int]]:
        record.use(resource)
        return [{"x": 1}]

    def several(resource: str) -> Iterator[dict[str, int]]:
        yield from one(resource)

    async def aone(resource: str) -> list[dict[str, int]]:
        return one(resource)

    async def aseveral(resource: str) -> AsyncIterator[dict[str, int]]:
        await asyncio.sleep(0)
        yield one(resource)[0]

    kinds: dict[str, Any] = {
        "def": one, "generator": several, "async def": aone, "async generator": aseveral
    }  # fmt: skip
    made = step("s", kinds[source], using={"resource": lambda: getattr(record, manager)("r")})
    if executor is not None and not source.startswith("async"):
        made = made.options(executor=executor)
    assert run(made)[0] == [{"s": {"x": 1}}]
    assert record.events == [("open", "r"), ("use", "r"), ("close", "r")]


def test_a_step_that_is_not_reached_opens_nothing() -> None:
    """Neither for an empty source, nor in a rerun that begins behind it."""
    record = Record()

    def make(name: str) -> Callable[[], Any]:
        return lambda: record.plain(name)

    fails = [True]

    def second(x: int, client: Any) -> dict[str, int]:
        if fails[0]:
            raise KeyError(x)
        return {"y": x}

    first = step("first", give, using={"client": make("first")})
    behind = step("second", second, using={"client": make("second")})
    run(step("none", []) >> first)
    assert record.events == []
    flow = numbers() >> first >> behind.options(on_error="collect")
    failures = run(flow).failures
    assert record.names("open") == ["first", "second"]
    fails[0] = False
    assert len(rerun(flow, failures)[0]) == 2
    assert record.names("open") == ["first", "second", "second"]


def test_options_are_about_calls_and_not_about_opening() -> None:
    """What could not be opened ends the run, and is not retried, replaced or timed."""
    tried = []

    def broken() -> Any:
        tried.append(1)
        raise ConnectionError("no server")

    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "late"

    options: dict[str, Any] = {"retry": 3, "on_error": "skip", "timeout": 0.01}
    for executor in (None, "thread"):
        flow = numbers() >> step("give", give, using={"client": broken}).options(
            **options, executor=executor
        )
        with pytest.raises(ConnectionError) as caught:
            run(flow)
        assert "as the resource 'client' of step 'give' was opened" in caught.value.__notes__
    assert len(tried) == 2
    result = run(numbers() >> step("give", give, using={"client": slow}).options(**options))
    assert clients_of(result) == ["late", "late"]


def test_order_of_a_plain_step_outlasts_an_opening_that_waits() -> None:
    """Calls come one after the other, as they do without resources."""

    async def late() -> str:
        await asyncio.sleep(0.001)
        return "late"

    called: list[tuple[str, int]] = []

    def one(x: int, client: str) -> Iterator[dict[str, int]]:
        for n in range(30):
            called.append(("one", x))
            yield {"n": n}

    flow = numbers(3) >> step("one", one, using={"client": late})
    assert len(run(flow)[0]) == 90
    assert called == sorted(called, key=lambda call: call[1])


def test_messages_show_no_resource() -> None:
    """Notes, failures and results of a run can be shown and sent, whatever was open in it."""

    def fails(x: int, client: Client) -> dict[str, int]:
        raise KeyError(x)

    flow = numbers(1) >> step("fails", fails, using={"client": Client})
    with pytest.raises(KeyError) as caught:
        run(flow)
    assert "called with x=0" in caught.value.__notes__[0]
    assert "secret" not in " ".join(caught.value.__notes__)
    collected = numbers(1) >> step("fails", fails, using={"client": Client}).options(
        on_error="collect"
    )
    failures = run(collected).failures
    assert "secret" not in repr(failures)
    assert pickle.loads(pickle.dumps(failures[0].product)) == failures[0].product


def test_a_resource_that_hides_an_attribute_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Once, as a fixed value is."""
    source = step("source", [{"x": 1, "client": 2}, {"x": 3, "client": 4}])
    run(source >> step("give", give, using={"client": Client}))
    (told,) = [record.message for record in caplog.records if "hides" in record.message]
    assert "the resource 'client' hides the attribute 'client'" in told


def test_what_reads_a_flow_opens_nothing() -> None:
    """Checks, drawings and expressions know the names, and show them shortly."""

    def never() -> Any:
        raise AssertionError("opened")

    made = step("give", give, using={"client": never})
    flow = numbers() >> made
    assert {finding.level for finding in check(flow)} <= {"info"}
    assert repr(made) == "step('give', give, using={'client': never})"
    described = made.describe()
    assert isinstance(described, Description)
    assert described.using == {"client": never}
    assert described.parameters is not None
    assert described.parameters.names == ("x",)


def test_drawings_show_what_makes_a_resource(capsys: pytest.CaptureFixture[str]) -> None:
    """As an argument of the step."""
    (numbers() >> step("give", give, using={"client": Client})).draw("tree")
    assert "client=Client()" in capsys.readouterr().out


def taking_using(x: int, using: int) -> dict[str, int]:
    return {"y": x + using}


def anything(**attributes: Any) -> dict[str, Any]:
    return {"names": sorted(attributes)}


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: step("s", give, using=5), "using=5 (int): expected a mapping"),
    (lambda: step("s", give, using={1: Client}), "expected a mapping of the names"),
    (lambda: step("s", give, using={"a b": Client}), "'a b' in using isn't an identifier"),
    (lambda: step("s", give, using={"other": Client}), "has no parameter 'other'"),
    (lambda: step("s", give, using={"client": Client()}), "lambda: Client(…)"),
    (lambda: step("s", give, client=1, using={"client": Client}), "is a fixed keyword"),
    (lambda: step("s", give, using={"client": lambda dsn: dsn}), "'dsn'"),
    (lambda: step("s", taking_using, using=5), "functools.partial(taking_using, using=…)"),
    (lambda: step("s", [{"x": 1}], using={"x": Client}), "data takes no keywords"),  # type: ignore[arg-type]  # a mistake
]


@pytest.mark.parametrize(("mistake", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_what_cannot_work_is_refused_at_once(mistake: Callable[[], Any], told: str) -> None:
    """With the way out."""
    with pytest.raises((TypeError, ValueError)) as caught:
        mistake()
    assert told in str(caught.value)


def test_generators_that_nobody_would_close_are_refused() -> None:
    """At once where it can be known, and else when the run comes there."""

    def rows() -> Iterator[int]:
        yield 1

    async def arows() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"@contextlib\.contextmanager"):
        step("s", give, using={"client": rows})
    with pytest.raises(TypeError, match=r"@contextlib\.asynccontextmanager"):
        step("s", give, using={"client": arows})
    with pytest.raises(TypeError, match=r"@contextlib\.contextmanager"):
        run(numbers() >> step("s", give, using={"client": lambda: rows()}))


def test_a_function_of_any_attributes_gets_its_resources() -> None:
    """Beside the attributes, whatever it calls them."""
    result = run(numbers(1) >> step("s", anything, using={"client": Client}))
    assert result[0][0]["s"]["names"] == ["client", "x"]


def test_a_parameter_called_using_gets_attributes_or_a_partial() -> None:
    """As any other one."""
    source = step("source", [{"x": 1, "using": 2}])
    assert run(source >> step("s", taking_using))[0][0]["s"] == {"y": 3}
    fixed = step("s", functools.partial(taking_using, using=4))
    assert run(numbers(1) >> fixed)[0][0]["s"] == {"y": 4}
