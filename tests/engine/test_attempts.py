"""Calls that are made again: whole flows, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import reactivex
import tenacity

from fluxus_rx import AsyncTransformer, UsageError, arun, passthrough, run, step
from tests.support import scripted_calls
from tests.support.errors import notes, untyped
from tests.support.probes import Events, alone, turns
from tests.support.scripted_calls import GENERATORS, KINDS, Script, failing, now, numbers, ys

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

every_kind = pytest.mark.parametrize("kind", KINDS)
every_function = pytest.mark.parametrize("kind", scripted_calls.FUNCTIONS)
every_generator = pytest.mark.parametrize("kind", GENERATORS)

#: of tenacity; its annotations leave out what it takes
Retrying: Any = tenacity.Retrying
AsyncRetrying: Any = tenacity.AsyncRetrying

InTime = Callable[..., Any]


@pytest.mark.usefixtures("all_of_it")
@every_kind
class TestEveryKind:
    def test_a_call_that_fails_is_made_again(self, in_time: InTime, kind: str) -> None:
        """Each product comes once, in its place."""
        script = Script(lambda x, attempt: failing(x % 3)(x, attempt))
        assert in_time(lambda: script.values_of(kind, 9, retry=3)) == [*range(9)]
        assert script.attempts == {x: x % 3 + 1 for x in range(9)}

    def test_the_last_error_is_raised_with_the_number_of_attempts(
        self, in_time: InTime, kind: str
    ) -> None:
        """As the object that it is, with the step and the input as ever."""
        errors: list[ValueError] = []

        def plan(x: int, attempt: int) -> Iterator[Any]:
            errors.append(ValueError(x))
            yield from ()
            raise errors[-1]

        script = Script(plan)
        with pytest.raises(ValueError, match="0") as caught:
            in_time(lambda: script.values_of(kind, 1, retry=3))
        assert script.attempts == {0: 3}
        assert caught.value is errors[-1]
        assert "after 3 attempts" in notes(caught.value)
        assert "0" in notes(caught.value)
        assert "attempts" not in notes(errors[0])

    def test_the_waits_in_between_grow(self, in_time: InTime, kind: str) -> None:
        """Up to 1, 2, 4 seconds."""
        script = Script(failing(3))
        assert in_time(lambda: script.values_of(kind, 1, retry=4)) == [0]
        assert [time for time, _ in script.began] == [0, 1, 3, 7]

    def test_others_go_on_meanwhile(self, in_time: InTime, kind: str) -> None:
        """A plain function too: its step becomes asynchronous."""
        script = Script(lambda x, attempt: failing(1 if x == 0 else 0)(x, attempt))
        assert in_time(lambda: script.values_of(kind, 5, retry=2)) == [*range(5)]
        assert script.began == [*((0, x) for x in range(5)), (1, 0)]

    def test_each_call_has_attempts_of_its_own(self, in_time: InTime, kind: str) -> None:
        """They wait beside each other."""
        script = Script(failing(2))
        assert in_time(lambda: script.values_of(kind, 100, retry=3)) == [*range(100)]
        assert set(script.attempts.values()) == {3}

    @pytest.mark.parametrize("retry", [None, 1, AsyncRetrying(stop=tenacity.stop_after_attempt(1))])
    def test_one_attempt_is_none_again(self, in_time: InTime, kind: str, retry: Any) -> None:
        """The note tells of attempts only if there were several."""
        script = Script(failing(1))
        with pytest.raises(ValueError, match="0") as caught:
            in_time(lambda: script.values_of(kind, 1, retry=retry))
        assert script.attempts == {0: 1}
        assert "attempts" not in notes(caught.value)

    @pytest.mark.parametrize("policy", [Retrying, AsyncRetrying])
    def test_a_policy_of_tenacity_decides(self, in_time: InTime, kind: str, policy: Any) -> None:
        """What is made again, how often, and when."""
        retry = policy(
            retry=tenacity.retry_if_exception_type(OSError),
            wait=tenacity.wait_fixed(5),
            stop=tenacity.stop_after_attempt(3),
        )
        script = Script(failing(2, error=OSError))
        assert in_time(lambda: script.values_of(kind, 1, retry=retry)) == [0]
        assert [time for time, _ in script.began] == pytest.approx([0, 5, 10])
        other = Script(failing(1))
        with pytest.raises(ValueError, match="0"):
            in_time(lambda: other.values_of(kind, 1, retry=retry))
        assert other.attempts == {0: 1}

    @pytest.mark.parametrize("repeatable", [False, True])
    def test_an_error_of_ours_is_final(self, in_time: InTime, kind: str, repeatable: bool) -> None:
        """A step that is written wrongly stays so."""
        script = Script(failing(1, error=UsageError))
        with pytest.raises(UsageError, match="0"):
            in_time(lambda: script.values_of(kind, 1, retry=9, repeatable=repeatable))
        assert script.attempts == {0: 1}

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    def test_what_is_no_exception_is_final(self, kind: str, error: Any) -> None:
        """Nor kept nor replaced: it ends the run."""
        script = Script(failing(1, error=error))
        made = script.step(kind, retry=9, on_error="skip")
        with pytest.raises(error):
            made.process(range(3)) if kind in scripted_calls.CLASSES else run(numbers(3) >> made)
        assert script.attempts == {0: 1} or kind in ("async def", "lambda", "async generator")
        assert max(script.attempts.values()) == 1

    def test_a_run_that_is_cancelled_makes_no_call_again(self, in_time: InTime, kind: str) -> None:
        """Not while it waits for the next attempt."""
        script = Script(failing(9))

        async def main() -> None:
            task = asyncio.create_task(script.values_of(kind, 3, retry=9))
            await turns()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert now() < 1
            await asyncio.sleep(1_000)
            assert alone()

        in_time(main)
        assert script.attempts == {0: 1, 1: 1, 2: 1}


@pytest.mark.usefixtures("all_of_it")
class TestCancelled:
    def test_a_call_that_is_cancelled_is_not_made_again(self, in_time: InTime) -> None:
        """Nor is the cancellation replaced by what the call makes of it."""
        script = Script(failing(0), seconds=100)

        async def main() -> None:
            task = asyncio.create_task(script.values_of("async def", 3, retry=9))
            await asyncio.sleep(50)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert now() == 50

        in_time(main)
        assert script.attempts == {0: 1, 1: 1, 2: 1}
        assert script.closed == 3

    def test_a_failure_beside_it_ends_a_wait(self, in_time: InTime) -> None:
        """The first error of a run ends it at once."""

        def broken(x: int) -> dict[str, int]:
            raise KeyError(x)

        script = Script(failing(9))

        async def main() -> None:
            flow = numbers(1) >> (script.step("async def", retry=9) & step("broken", broken))
            with pytest.raises(KeyError):
                await arun(flow)
            assert now() == 0

        in_time(main)


def midway(given: int, times: int) -> Any:
    """A plan of products `10 x`, `10 x + 1`, … that fails behind so many of them, so many times."""

    def plan(x: int, attempt: int) -> Iterator[int]:
        for number in range(5):
            if number == given and attempt <= times:
                raise ValueError(x)
            yield 10 * x + number

    return plan


@pytest.mark.usefixtures("all_of_it")
@every_generator
class TestGenerators:
    def test_a_generator_is_made_again_before_its_first_product(
        self, in_time: InTime, kind: str
    ) -> None:
        """It has yielded nothing that could come twice."""
        script = Script(midway(0, 2))
        assert in_time(lambda: script.values_of(kind, 2, retry=3)) == [
            0,
            1,
            2,
            3,
            4,
            *range(10, 15),
        ]
        assert script.attempts == {0: 3, 1: 3}
        assert script.closed == 6

    @pytest.mark.parametrize("given", [1, 3])
    def test_a_generator_is_not_made_again_behind_it(
        self, in_time: InTime, kind: str, given: int
    ) -> None:
        """Whether it would yield the same again, nobody can know."""
        script = Script(midway(given, 1))
        with pytest.raises(ValueError, match="0") as caught:
            in_time(lambda: script.values_of(kind, 1, retry=9))
        assert script.attempts == {0: 1}
        assert "attempts" not in notes(caught.value)

    def test_what_it_has_given_stays(self, in_time: InTime, kind: str) -> None:
        """Where a failure doesn't end the run."""
        script = Script(midway(2, 1))
        assert in_time(lambda: script.values_of(kind, 1, retry=9, on_error="skip")) == [0, 1]

    @pytest.mark.parametrize("given", [0, 1, 4])
    def test_one_that_can_be_repeated_passes_over_what_it_has_given(
        self, in_time: InTime, kind: str, given: int
    ) -> None:
        """Each product comes once, and in its place."""
        script = Script(midway(given, 2))
        options: dict[str, Any] = {"retry": 3, "repeatable": True}
        found = in_time(lambda: script.values_of(kind, 3, **options))
        assert found == [10 * x + number for x in range(3) for number in range(5)]
        assert script.attempts == {0: 3, 1: 3, 2: 3}
        assert script.closed == 9

    def test_it_may_fail_at_another_product_each_time(self, in_time: InTime, kind: str) -> None:
        """Further on, or earlier, behind what has been given."""

        def plan(x: int, attempt: int) -> Iterator[int]:
            for number in range(5):
                if number == (3, 1, 4, 9)[attempt - 1]:
                    raise ValueError(x)
                yield number

        script = Script(plan)
        found = in_time(lambda: script.values_of(kind, 1, retry=4, repeatable=True))
        assert found == [0, 1, 2, 3, 4]

    def test_it_gives_up_after_its_attempts(self, in_time: InTime, kind: str) -> None:
        """What it has yielded by then stays; attempts are counted over all of it."""
        script = Script(midway(3, 9))
        options: dict[str, Any] = {"retry": 4, "repeatable": True, "on_error": "skip"}
        assert in_time(lambda: script.values_of(kind, 1, **options)) == [0, 1, 2]
        assert script.attempts == {0: 4}


@pytest.mark.usefixtures("all_of_it")
class TestPlaces:
    @every_function
    def test_outputs_stand_where_they_would_without_a_failure(
        self, in_time: InTime, kind: str
    ) -> None:
        """Whichever come late."""

        def plan(x: int, attempt: int) -> Iterator[int]:
            yield from failing(x * 7 % 4, x, x + 100)(x, attempt)

        script, calm = Script(plan), Script(failing(0))

        async def main() -> Any:
            after = step("after", calm.function("async def"))
            group = script.step(kind, retry=4) & passthrough()
            return await arun(numbers(20) >> group >> step("t", lambda x: {"z": -x}) >> after)

        result = in_time(main)
        assert ys(result) == [y for x in range(20) for y in (x, x + 100)]
        assert [output["after"]["y"] for output in result[1]] == [*range(20)]

    def test_only_the_branch_that_failed_is_made_again(self, in_time: InTime) -> None:
        """Others have their products."""
        one, other = Script(failing(2)), Script(failing(0))

        async def main() -> Any:
            beside = step("other", other.function("async def"))
            return await arun(numbers(3) >> (one.step("async def") & beside).options(retry=3))

        result = in_time(main)
        assert ys(result) == [0, 1, 2] == ys(result, 1, "other")
        assert set(one.attempts.values()) == {3}
        assert set(other.attempts.values()) == {1}

    def test_a_plain_step_without_the_option_stays_as_it_is(self, in_time: InTime) -> None:
        """Beside one that has it."""
        script, plain = Script(failing(1)), Script(failing(0))

        async def main() -> Any:
            first = step("first", plain.function("def"))
            return await arun(numbers(3) >> first >> script.step("def", retry=2))

        assert ys(in_time(main)) == [0, 1, 2]
        assert plain.attempts == {0: 1, 1: 1, 2: 1}

    async def test_an_operator_makes_calls_again(self, all_of_it: None) -> None:
        """On an Observable as in a flow; here without a wait."""
        calls: list[int] = []

        class Flaky(AsyncTransformer[int, int]):
            async def atransform(self, product: int) -> AsyncIterator[int]:
                calls.append(product)
                if calls.count(product) < 3:
                    raise OSError
                yield product

        policy = AsyncRetrying(stop=tenacity.stop_after_attempt(3))
        events = Events()
        events.of(reactivex.of(1, 2).pipe(Flaky().options(retry=policy)))
        assert sorted(await events.complete()) == [1, 2]
        assert sorted(calls) == [1, 1, 1, 2, 2, 2]


@pytest.mark.usefixtures("all_of_it")
class TestTold:
    @every_function
    def test_a_summary_counts_the_calls_that_were_made_again(
        self, in_time: InTime, kind: str
    ) -> None:
        """An attempt is a call in the timestamps."""
        script = Script(failing(2))

        async def main() -> Any:
            return await arun(numbers(3) >> script.step(kind, retry=3), timestamps=True)

        result = in_time(main)
        told = {line.step: line for line in result.summary().steps}["s"]
        assert (told.calls, told.failures, told.retries, told.products) == (9, 6, 6, 3)
        calls = [call for call in result._times.calls if call.step == "s"]
        assert sorted((call.item, call.attempt) for call in calls) == [
            (str(x), attempt) for x in range(3) for attempt in (1, 2, 3)
        ]
        failed = [call for call in result._times.calls if call.error]
        assert {call.attempt for call in failed} == {1, 2}
        assert all("ValueError" in str(call.error) for call in failed)

    def test_a_failure_has_the_number_of_attempts(self, in_time: InTime) -> None:
        """And its exception a note of it."""
        script = Script(failing(9))

        async def main() -> Any:
            return await arun(numbers(2) >> script.step("def", retry=3, on_error="collect"))

        failures = in_time(main).failures
        assert [failure.attempts for failure in failures] == [3, 3]
        assert "after 3 attempts" in notes(failures[0].exception)
        assert "after 3 attempts" in str(failures[0])

    @pytest.mark.parametrize("retry", ["3", untyped(0)])
    def test_what_is_no_number_of_attempts_is_refused(self, retry: Any) -> None:
        """Where it is set."""
        with pytest.raises(ValueError, match="retry="):
            Script(failing(0)).step("def", retry=retry)
