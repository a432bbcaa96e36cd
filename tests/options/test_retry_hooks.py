"""The hooks of a policy are told which step was called, with what."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

import pytest
import tenacity

from fluxus_rx import AsyncTransformer, SimpleProducer, arun, step
from fluxus_rx.testing import run_virtual

AsyncRetrying: Any = tenacity.AsyncRetrying
HOOKS = ["before", "after", "before_sleep", "retry", "wait", "stop"]


def policy(told: dict[str, list[Any]], **more: Any) -> Any:
    """One whose hooks keep what they are told of the call, each a call of its own."""

    def hook(name: str, answer: Any) -> Any:
        def told_hook(state: Any) -> Any:
            told.setdefault(name, []).append((state.fn.__name__, state.args, state.kwargs))
            return answer

        return told_hook

    answers = {"retry": True, "wait": 0, "stop": None}
    hooks = {name: hook(name, answers.get(name)) for name in HOOKS}
    stop = hooks["stop"]
    hooks["stop"] = lambda state: stop(state) or state.attempt_number >= 2
    return AsyncRetrying(**hooks | more)


def failing(n: int, by: int, optional: int = 0, **more: Any) -> Any:
    raise ConnectionError


async def failing_async(n: int, by: int, **more: Any) -> Any:
    raise ConnectionError


async def failing_generator(n: int, by: int, **more: Any) -> AsyncIterator[Any]:
    raise ConnectionError
    yield


def failing_plain_generator(n: int, by: int, **more: Any) -> Iterator[Any]:
    raise ConnectionError
    yield


@pytest.mark.parametrize(
    "function", [failing, failing_async, failing_generator, failing_plain_generator]
)
def test_each_hook_gets_the_name_the_product_and_the_arguments(function: Any) -> None:
    """Of a step: the name is that of the step, not of its function."""
    told: dict[str, list[Any]] = {}
    ask = step("ask", function, by=2).options(retry=policy(told), on_error="skip")
    run_virtual(lambda: arun(step("numbers", [{"n": 1, "other": "x"}]) >> ask))
    assert sorted(told) == sorted(HOOKS)
    for name, args, kwargs in [*chain.from_iterable(told.values())]:
        assert name == "ask"
        assert [dict(product) for product in args] == [{"n": 1, "other": "x"}]
        assert kwargs == {"n": 1, "other": "x", "by": 2}


def test_each_call_has_its_own() -> None:
    told: dict[str, list[Any]] = {}
    ask = step("ask", failing_async, by=2).options(retry=policy(told), on_error="skip")
    run_virtual(lambda: arun(step("numbers", [{"n": n} for n in range(3)]) >> ask))
    assert sorted(kwargs["n"] for _, _, kwargs in told["after"]) == [0, 0, 1, 1, 2, 2]


class Ask(AsyncTransformer[int, int]):
    async def atransform(self, product: int) -> AsyncIterator[int]:
        raise ConnectionError
        yield


def test_those_of_a_class_get_its_name_and_the_product() -> None:
    told: dict[str, list[Any]] = {}
    flow = SimpleProducer([5]) >> Ask().options(retry=policy(told), on_error="skip")

    async def main() -> list[int]:
        return [product async for product in flow]

    assert run_virtual(main) == []
    assert [*chain.from_iterable(told.values())] == len([*chain.from_iterable(told.values())]) * [
        ("Ask", (5,), {})
    ]


def test_the_logs_of_tenacity_name_the_step(caplog: pytest.LogCaptureFixture) -> None:
    """Not `<unknown>`, and neither its arguments, which may be secret."""
    log = logging.getLogger("tests.retry")
    retry = AsyncRetrying(
        stop=tenacity.stop_after_attempt(2),
        before=tenacity.before_log(log, logging.WARNING),
        after=tenacity.after_log(log, logging.WARNING),
        before_sleep=tenacity.before_sleep_log(log, logging.WARNING),
    )
    ask = step("ask", failing_async, by=2).options(retry=retry, on_error="skip")
    run_virtual(lambda: arun(step("numbers", [{"n": 1}]) >> ask))
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) >= 4
    assert [text for text in texts if "ask" not in text or "by" in text.split()] == []


def test_an_attribute_that_is_missing_is_no_matter_of_a_hook() -> None:
    """The hook before the call is told what there is; the call says what isn't."""
    told: dict[str, list[Any]] = {}
    ask = step("ask", failing_async).options(retry=policy(told))
    with pytest.raises(ValueError, match="'by'"):
        run_virtual(lambda: arun(step("numbers", [{"n": 1}]) >> ask))
    assert [kwargs for _, _, kwargs in told["before"]] == [{"n": 1}]
