"""The messages on the page of troubleshooting are those that the library raises."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import fluxus_rx
from fluxus_rx import (
    Consumer,
    Producer,
    SimpleProducer,
    Transformer,
    arun,
    passthrough,
    rerun,
    run,
    start,
    stream,
)
from tests.repository.test_readme import CHECKOUT

PAGE = (CHECKOUT / "docs" / "troubleshooting.rst").read_text(encoding="utf-8")

#: the texts as they are written: terms of a definition, in literals
MESSAGES = re.findall(r"^``(.+)``\n   \S", PAGE, re.MULTILINE)

#: Mistakes are made here on purpose, which type checkers would tell.
step: Any = fluxus_rx.step
src = step("src", [{"x": 1}, {"x": 2}])


def double(x: Any) -> dict[str, Any]:
    return {"y": 2 * x}


async def fetch(x: Any) -> dict[str, Any]:
    return {"y": x}


def down(x: Any) -> dict[str, Any]:
    raise OSError("down")


failing = step("d", down).options(on_error="collect")


class Item(Producer[int]):
    def produce(self) -> Any:
        yield 1


class Text(Transformer[str, str]):
    def transform(self, product: str) -> Any:
        yield product


class Wrong(Transformer[int, int]):
    def transform(self, product: int) -> Any:
        return product + 1


class Count(Consumer[int, int]):
    def consume(self, products: Any) -> int:
        return sum(1 for _ in products)


def awaiting_transform() -> None:
    class T(Transformer[int, int]):
        async def transform(self, product: int) -> Any:  # type: ignore[override]
            return product


def class_of_a_transformer() -> None:
    class T(Transformer[int, int]):
        def transform(self, product: int) -> Any:
            yield product

    src >> T


def wrong_transform() -> None:
    T: Any = type("T", (Wrong,), {})
    list(SimpleProducer([1]) >> T())


def wrong_types() -> None:
    A: Any = type("A", (Item,), {})
    B: Any = type("B", (Text,), {})
    A() >> B()


def passed_call() -> None:
    step("s", fetch(1))


def limiter_for_once() -> None:
    @asynccontextmanager
    async def limiter() -> Any:
        yield

    step("s", double).options(limiter=limiter())


def used_up() -> None:
    flow = step("s", (item for item in [{"x": 1}])) >> step("d", double)
    run(flow)
    run(flow)


def too_slow() -> None:
    async def hang(x: Any) -> Any:
        await asyncio.sleep(3600)

    run(src >> step("h", hang).options(timeout=0.01))


def own_loop() -> None:
    async def main() -> None:
        await arun(src >> step("s", lambda x: asyncio.run(asyncio.sleep(0))))

    asyncio.run(main())


def two_loops() -> None:
    semaphore = asyncio.Semaphore(1)

    async def slow(x: Any) -> Any:
        await asyncio.sleep(0.02)  # so that the other call waits
        return {}

    async def main() -> None:
        await arun(src >> step("s", slow).options(limiter=semaphore))

    asyncio.run(main())
    asyncio.run(main())


def waits_for_itself() -> None:
    async def main() -> None:
        limiter = asyncio.Semaphore(1)
        inner = step("inner", fetch).options(limiter=limiter)

        async def outer(x: Any) -> Any:
            await arun(inner, input={"x": x})

        await arun(src >> step("outer", outer).options(limiter=limiter))

    asyncio.run(main())


anything: Any = run
unchanged: Any = passthrough

#: in the order of the page
MISTAKES: list[Callable[[], Any]] = [
    lambda: src & step("a", double) >> step("b", double),
    lambda: src >> double,
    lambda: [{"x": 1}] >> step("d", double),
    class_of_a_transformer,
    wrong_types,
    lambda: src >> step("s", double(1)),
    passed_call,
    lambda: step(double),
    lambda: step("a b", double),
    lambda: step("s", double, concurrency=3),
    lambda: step("s", double).options(max_conc=3),
    lambda: step("s", double).options(limiter=20),
    lambda: step("s", double).options(retry=OSError),
    lambda: step("s", double).options(concurrency="3"),
    lambda: step("s", double).options(on_error="ignore"),
    limiter_for_once,
    lambda: step("a", double) | step("b", double),
    lambda: unchanged() & unchanged(),
    awaiting_transform,
    lambda: anything(src, [{"x": 1}]),
    lambda: run(step("double", double)),
    lambda: anything(src, input={"x": 1}),
    lambda: anything(SimpleProducer([1]) >> Count()),
    lambda: start(src),
    used_up,
    lambda: run(src >> step("d", double), max_failures=5),
    lambda: list(stream(src >> step("d", double).options(on_error="collect"))),
    lambda: run(src >> step("s", lambda x: {"y": x}).options(executor="process")),
    lambda: run(src >> step("save", lambda name: {"saved": name})),
    lambda: run(src >> step("s", lambda x: None)),
    lambda: run(step("s", lambda: [{"my key": 1}])),
    wrong_transform,
    too_slow,
    lambda: run(src >> failing, max_failures=0),
    own_loop,
    two_loops,
    waits_for_itself,
    lambda: list(stream(src >> step("s", fetch).options(ordered="customer"))),
    lambda: run(src)["fetch"],
    lambda: run(src).draw_timeline(),
    lambda: rerun(src >> step("e", down), run(src >> failing).failures),
    lambda: run(src).merged(run(src)),
    lambda: src.draw(file="flow.jpeg"),
]


def test_all_messages_of_the_page_are_made_here() -> None:
    """Each one, and no more; at least thirty."""
    assert len(MESSAGES) == len(MISTAKES) >= 30


PAIRS = [*zip(MESSAGES, MISTAKES, strict=False)]


def raised_by(mistake: Callable[[], Any]) -> Exception:
    try:
        mistake()
    except Exception as error:
        return error
    pytest.fail("nothing was raised")


@pytest.mark.parametrize(("message", "mistake"), PAIRS, ids=[str(n) for n in range(len(PAIRS))])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_message_is_raised_as_it_is_written(message: str, mistake: Callable[[], Any]) -> None:
    """`…` stands for anything, also for itself."""
    error = raised_by(mistake)
    said = error.args[0] if isinstance(error, KeyError) else str(error)
    pattern = ".*".join(re.escape(part) for part in message.split("…"))
    assert re.fullmatch(pattern, said, re.DOTALL), said
