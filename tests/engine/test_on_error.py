"""Calls that fail for good, in a run that goes on: skipped, collected, replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import pytest
import reactivex

from fluxus_rx import (
    Failure,
    InvalidProductError,
    UsageError,
    arun,
    run,
    step,
)
from tests.support import scripted_calls
from tests.support.conduits import Collect, Numbers
from tests.support.errors import notes, refused
from tests.support.probes import Events
from tests.support.scripted_calls import (
    GENERATORS,
    KINDS,
    Script,
    failing,
    numbers,
    odd_fail,
    replacing,
)
from tests.support.tables import all_values

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

every_kind = pytest.mark.parametrize("kind", KINDS)
every_function = pytest.mark.parametrize("kind", scripted_calls.FUNCTIONS)
every_generator = pytest.mark.parametrize("kind", GENERATORS)

InTime = Callable[..., Any]


@every_kind
class TestEveryKind:
    def test_the_default_raises(self, in_time: InTime, kind: str) -> None:
        """As does saying so."""
        for options in ({}, {"on_error": "raise"}):
            with pytest.raises(ValueError, match="no 1"):
                in_time(lambda options=options: odd_fail().values_of(kind, 4, **options))

    def test_skip_leaves_out_what_failed(self, in_time: InTime, kind: str) -> None:
        """All others come, in their places."""
        found = in_time(lambda: odd_fail().values_of(kind, 5, on_error="skip"))
        assert found == [0, 1, 20, 21, 40, 41]

    @all_values(
        "form, answer",
        ["def", "async def", "lambda", "generator"],
        {"None": None, "nothing": [], "one": [-1], "three": [-1, -2, -3]},
        keep=lambda form, answer: answer == [-1] or form == "def",
    )
    def test_a_function_gives_what_comes_instead(
        self, in_time: InTime, kind: str, form: str, answer: list[int] | None
    ) -> None:
        """None, or any number of products; they stand where those of the call would."""
        seen, function = replacing(answer, form, kind in scripted_calls.CLASSES)
        if form == "lambda" and kind in ("generator", "Transformer"):
            pytest.skip("refused, see below")
        found = in_time(lambda: odd_fail().values_of(kind, 5, on_error=function))
        instead = answer or []
        assert found == [0, 1, *instead, 20, 21, *instead, 40, 41]
        assert sorted(str(failure.exception) for failure in seen) == ["no 1", "no 3"]

    @pytest.mark.parametrize("form", ["def", "async def", "lambda"])
    def test_what_the_function_raises_ends_the_run(
        self, in_time: InTime, kind: str, form: str
    ) -> None:
        """With a note of the failure that it was called with."""

        def fail(failure: Failure) -> Any:
            raise KeyError("handler")

        async def afail(failure: Failure) -> Any:
            await asyncio.sleep(0)
            raise KeyError("handler")

        if form == "lambda" and kind in ("generator", "Transformer"):
            pytest.skip("refused, see below")
        function = {"def": fail, "async def": afail, "lambda": lambda failure: afail(failure)}
        with pytest.raises(KeyError, match="handler") as caught:
            in_time(lambda: odd_fail().values_of(kind, 2, on_error=function[form]))
        assert "no 1" in notes(caught.value)
        assert "on_error" in notes(caught.value)

    @all_values(
        "error, on_error",
        [KeyboardInterrupt, asyncio.CancelledError, SystemExit],
        ["skip", "collect", repr],
    )
    def test_what_is_no_exception_ends_the_run(self, kind: str, on_error: Any, error: Any) -> None:
        """It is not the failure of one call."""
        script = Script(failing(1, error=error))
        made = script.step(kind, on_error=on_error)
        if kind in scripted_calls.FUNCTIONS:
            begin: Callable[[], object] = partial(run, numbers(2) >> made)
        else:
            begin = partial((Numbers(2) >> made >> Collect()).run, on_failure=print)
        with pytest.raises(error):
            begin()

    def test_all_that_fail_may_be_skipped(self, in_time: InTime, kind: str) -> None:
        """A thousand of them, too."""
        script = Script(failing(1))
        assert in_time(lambda: script.values_of(kind, 1_000, on_error="skip")) == []


@every_generator
class TestMidway:
    @pytest.mark.parametrize("given", [1, 2])
    def test_what_was_given_before_stays(self, in_time: InTime, kind: str, given: int) -> None:
        """The reader may have it already."""
        found = in_time(lambda: odd_fail(given).values_of(kind, 4, on_error="skip"))
        assert found == [0, 1, *[10, 11][:given], 20, 21, *[30, 31][:given]]

    @pytest.mark.parametrize("form", ["def", "async def", "lambda", "generator"])
    @pytest.mark.parametrize("given", [1, 2])
    def test_replacements_come_behind_it(
        self, in_time: InTime, kind: str, given: int, form: str
    ) -> None:
        """In the place of what the generator would have gone on with."""
        _, function = replacing([-1, -2], form, kind in scripted_calls.CLASSES)
        if form == "lambda" and kind in ("generator", "Transformer"):
            pytest.skip("refused, see below")
        found = in_time(lambda: odd_fail(given).values_of(kind, 3, on_error=function))
        assert found == [0, 1, *[10, 11][:given], -1, -2, 20, 21]

    def test_a_failure_counts_once(self, in_time: InTime, kind: str) -> None:
        """However many products came before."""
        seen, function = replacing(None, "def", kind in scripted_calls.CLASSES)
        in_time(lambda: odd_fail(1).values_of(kind, 4, on_error=function))
        assert len(seen) == 2


class TestReplacements:
    @pytest.mark.parametrize("kind", ["generator", "Transformer"])
    @pytest.mark.parametrize("given", [0, 1, 2])
    def test_a_plain_generator_cannot_wait_for_what_turns_out_to_be_a_coroutine(
        self, in_time: InTime, kind: str, given: int
    ) -> None:
        """Of a function that doesn't look like it; the message says what does."""
        _, function = replacing([-1], "lambda", kind in scripted_calls.CLASSES)
        with refused(UsageError, "on_error", "async def"):
            in_time(lambda: odd_fail(given).values_of(kind, 3, on_error=function))

    @every_function
    def test_a_mapping_is_one_product(self, in_time: InTime, kind: str) -> None:
        """As what a step returns is."""
        on_error = lambda failure: {"y": -1}  # noqa: E731 - shown in messages as such
        found = in_time(lambda: odd_fail().values_of(kind, 3, on_error=on_error))
        assert found == [0, 1, -1, 20, 21]

    @pytest.mark.parametrize("kind", ["generator", "async generator"])
    def test_a_mapping_is_one_product_behind_others(self, in_time: InTime, kind: str) -> None:
        """Of a generator that failed midway."""
        on_error = lambda failure: {"y": -1}  # noqa: E731
        found = in_time(lambda: odd_fail(1).values_of(kind, 3, on_error=on_error))
        assert found == [0, 1, 10, -1, 20, 21]

    @every_function
    @pytest.mark.parametrize("answer", [5, "text", [5]])
    def test_what_is_no_product_is_refused(self, kind: str, answer: Any) -> None:
        """As from the step itself."""
        made = odd_fail().step(kind, on_error=lambda failure: answer)
        with refused(InvalidProductError, "'s'"):
            run(numbers(2) >> made)

    @pytest.mark.parametrize("kind", ["generator", "async generator"])
    @pytest.mark.parametrize("answer", [5, "text", [5]])
    def test_what_is_no_product_is_refused_behind_others(self, kind: str, answer: Any) -> None:
        """Of a generator that failed midway."""
        made = odd_fail(1).step(kind, on_error=lambda failure: answer)
        with refused(InvalidProductError, "'s'"):
            run(numbers(2) >> made)

    @every_function
    def test_replacements_go_through_the_steps_behind(self, in_time: InTime, kind: str) -> None:
        """With the lineage of the failed product."""

        async def main() -> Any:
            made = odd_fail().step(kind, on_error=lambda failure: {"y": -5})
            return await arun(numbers(2) >> made >> step("t", lambda x, y: {"z": x + y}))

        assert in_time(main)[0][-1] == {"src": {"x": 1}, "s": {"y": -5}, "t": {"z": -4}}

    @pytest.mark.parametrize("kind", scripted_calls.CLASSES)
    def test_a_class_may_be_replaced_by_anything_iterable(self, kind: str) -> None:
        """What can't be iterated is refused."""
        made = odd_fail().step(kind, on_error=lambda failure: (-1,))
        assert made.process(range(2)) == [0, 1, -1]
        with refused(InvalidProductError, "on_error"):
            odd_fail().step(kind, on_error=lambda failure: 5).process(range(2))

    def test_a_function_gives_an_async_iterable(self, in_time: InTime) -> None:
        """As a step may."""

        async def given(failure: Failure) -> AsyncIterator[Mapping[str, int]]:
            for y in (-1, -2):
                await asyncio.sleep(1)
                yield {"y": y}

        found = in_time(lambda: odd_fail().values_of("async def", 3, on_error=given))
        assert found == [0, 1, -1, -2, 20, 21]

    @pytest.mark.parametrize("kind", scripted_calls.CLASSES)
    async def test_an_operator_skips_and_replaces(self, kind: str) -> None:
        """On an Observable as in a flow."""
        events = Events()
        made = odd_fail().step(kind, on_error=lambda failure: [-1])
        events.of(reactivex.of(0, 1, 2).pipe(made))
        assert sorted(await events.complete()) == [-1, 0, 1, 20, 21]
