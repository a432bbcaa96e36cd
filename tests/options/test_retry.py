"""How often a failed call is made again, and after what wait: all of it in virtual time."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import logging
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import FlowError, InvalidFlowError, InvalidOptionError, UsageError, step
from fluxus_rx._common.messages import short
from fluxus_rx._graph.flow_graph import FlowGraph
from fluxus_rx._options.retry import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Attempts,
    check_retry,
    longest_wait,
    retries,
)
from fluxus_rx.testing import virtual_time
from tests.support.subprocesses import ROOT

#: The classes take what their annotations leave out, such as sync and async functions in turn.
Retrying: Any = tenacity.Retrying
AsyncRetrying: Any = tenacity.AsyncRetrying
KINDS = [Retrying, AsyncRetrying]

either = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture
def in_time() -> Iterator[Callable[..., Any]]:
    """Runs coroutine functions in virtual time, which tenacity's clock goes by as well."""
    with virtual_time() as run_in, pytest.MonkeyPatch.context() as patch:

        async def clock() -> Callable[[], float]:
            return asyncio.get_running_loop().time

        patch.setattr("tenacity.time", SimpleNamespace(monotonic=run_in(clock)))
        yield run_in


@pytest.fixture
def all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each random part of a wait is all of it."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


def begun(retry: object) -> Attempts:
    """The attempts of one call."""
    check_retry(retry)
    begin = retries(retry)
    assert begin is not None
    return begin(None)


async def waits_of(
    retry: object, failures: int = 99, error: Exception | None = None
) -> list[float]:
    """The waits before each further attempt, of a call that fails so many times."""
    now = asyncio.get_running_loop().time
    waits: list[float] = []
    attempts = begun(retry)
    for number in range(1, failures + 1):
        assert attempts.number == number
        before = now()
        if not await attempts.again(ValueError(number) if error is None else error):
            assert now() == before
            assert attempts.number == number
            break
        waits.append(now() - before)
    return waits


class TestNumbers:
    @pytest.mark.parametrize("attempts", [2, 3, 5])
    def test_a_number_is_that_of_all_attempts(self, in_time: Any, attempts: int) -> None:
        """The first one counts."""
        assert len(in_time(lambda: waits_of(attempts))) == attempts - 1

    @pytest.mark.usefixtures("all_of_it")
    def test_the_longest_waits_double_up_to_a_minute(self, in_time: Any) -> None:
        """1, 2, 4 … 32, 60, 60."""
        assert in_time(lambda: waits_of(9)) == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_a_wait_is_what_random_uniform_gives(
        self, in_time: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between 0 and the longest: full jitter."""
        asked: list[tuple[float, float]] = []

        def quarter(low: float, high: float) -> float:
            asked.append((low, high))
            return high / 4

        monkeypatch.setattr(random, "uniform", quarter)
        assert in_time(lambda: waits_of(4)) == [0.25, 0.5, 1.0]
        assert asked == [(0, 1), (0, 2), (0, 4)]

    @given(st.integers(2, 12), st.randoms(use_true_random=False))
    def test_each_wait_is_within_its_bounds(self, attempts: int, source: random.Random) -> None:
        """Whatever the random numbers."""
        with pytest.MonkeyPatch.context() as patch, virtual_time() as run_in:
            patch.setattr(random, "uniform", source.uniform)
            waits = run_in(lambda: waits_of(attempts))
        assert len(waits) == attempts - 1
        for failed, wait in enumerate(waits, 1):
            # A time is a sum of waits: as exact as a float of that size.
            assert -1e-9 <= wait <= longest_wait(failed) + 1e-9

    @given(st.integers(1, 10**30))
    def test_the_longest_wait_is_defined_for_any_number(self, failed: int) -> None:
        """No overflow, never shorter than the one before, never over a minute."""
        assert FIRST_WAIT <= longest_wait(failed) <= longest_wait(failed + 1) <= LONGEST_WAIT

    @given(st.integers(1, 80))
    def test_the_longest_waits_are_those_of_tenacity(self, failed: int) -> None:
        """`wait_random_exponential(multiplier=1, max=60)`."""
        wait = tenacity.wait_exponential(multiplier=1, max=60)
        state = tenacity.RetryCallState(Retrying(), None, (), {})
        state.attempt_number = failed
        assert wait(state) == longest_wait(failed)

    def test_calls_of_one_step_count_for_themselves(self, in_time: Any) -> None:
        """What begins attempts holds nothing of them."""
        begin = retries(3)
        assert begin is not None

        async def main() -> list[int]:
            first, second = begin(None), begin(None)
            assert await first.again(ValueError())
            assert await first.again(ValueError())
            assert await second.again(ValueError())
            return [first.number, second.number]

        assert in_time(main) == [3, 2]

    def test_one_attempt_needs_nothing(self) -> None:
        """Nor does no option."""
        assert retries(None) is None
        assert retries(1) is None


class TestFinalErrors:
    @pytest.mark.parametrize(
        "error",
        [
            FlowError(),
            InvalidFlowError(),
            UsageError(),
            asyncio.CancelledError(),
            KeyboardInterrupt(),
            SystemExit(),
            GeneratorExit(),
        ],
        ids=lambda error: type(error).__name__,
    )
    @pytest.mark.parametrize(
        "retry",
        [5, Retrying(), AsyncRetrying(retry=tenacity.retry_if_exception_type(BaseException))],
        ids=["number", "sync", "async"],
    )
    def test_an_error_of_ours_or_none_of_a_call_is_final(
        self, in_time: Any, retry: object, error: Any
    ) -> None:
        """Whatever the policy says; its hooks aren't called."""
        assert in_time(lambda: waits_of(retry, error=error)) == []

    @pytest.mark.usefixtures("all_of_it")
    @pytest.mark.parametrize("error", [TimeoutError(), ExceptionGroup("both", [ValueError()])])
    def test_any_other_exception_is_not(self, in_time: Any, error: Exception) -> None:
        """A time-out, for one."""
        assert in_time(lambda: waits_of(2, error=error)) == [1]


@either
class TestPolicies:
    def test_a_policy_stops_after_attempts(self, in_time: Any, kind: Any) -> None:
        """`stop_after_attempt` counts the first one too; the wait is none by default."""
        assert in_time(lambda: waits_of(kind(stop=tenacity.stop_after_attempt(3)))) == [0, 0]

    def test_a_policy_stops_after_a_time(self, in_time: Any, kind: Any) -> None:
        """`stop_after_delay` counts from the first attempt on."""
        retry = kind(stop=tenacity.stop_after_delay(10), wait=tenacity.wait_fixed(4))
        assert in_time(lambda: waits_of(retry)) == [4, 4, 4]

    def test_a_policy_stops_before_a_time(self, in_time: Any, kind: Any) -> None:
        """`stop_before_delay` knows of the wait that would come next."""
        if not hasattr(tenacity, "stop_before_delay"):
            pytest.skip("not in this version of tenacity")
        retry = kind(stop=tenacity.stop_before_delay(10), wait=tenacity.wait_fixed(4))
        assert in_time(lambda: waits_of(retry)) == [4, 4]

    def test_the_time_of_the_attempts_counts(self, in_time: Any, kind: Any) -> None:
        """Not that of the waits alone."""

        async def main() -> bool:
            attempts = begun(kind(stop=tenacity.stop_after_delay(10)))
            await asyncio.sleep(5)
            assert await attempts.again(ValueError())
            await asyncio.sleep(5)
            return await attempts.again(ValueError())

        assert in_time(main) is False

    def test_a_policy_that_never_stops_goes_on(self, in_time: Any, kind: Any) -> None:
        """As is tenacity's default."""
        assert in_time(lambda: waits_of(kind(), failures=500)) == [0] * 500

    def test_a_policy_without_a_wait_lets_others_run(self, in_time: Any, kind: Any) -> None:
        """Or a call that fails at once would stop the loop."""

        async def main() -> bool:
            ran = asyncio.Event()
            asyncio.get_running_loop().call_soon(ran.set)
            attempts = begun(kind())
            assert await attempts.again(ValueError())
            return ran.is_set()

        assert in_time(main)

    @pytest.mark.parametrize("wait", [None, 0])
    def test_none_and_zero_are_no_wait(self, in_time: Any, kind: Any, wait: object) -> None:
        """As tenacity has it."""
        policy = kind(stop=tenacity.stop_after_attempt(2))
        policy.wait = wait
        assert in_time(lambda: waits_of(policy)) == [0]

    def test_waits_grow_as_the_policy_says(self, in_time: Any, kind: Any) -> None:
        """The attempt that has failed decides the wait."""
        retry = kind(wait=tenacity.wait_incrementing(1, 2), stop=tenacity.stop_after_attempt(4))
        assert in_time(lambda: waits_of(retry)) == [1, 3, 5]

    def test_a_predicate_decides(self, in_time: Any, kind: Any) -> None:
        """`retry_if_exception_type`: any other error is final."""
        retry = kind(
            retry=tenacity.retry_if_exception_type(OSError), stop=tenacity.stop_after_attempt(3)
        )
        assert in_time(lambda: waits_of(retry, error=ConnectionError())) == [0, 0]
        assert in_time(lambda: waits_of(retry, error=ValueError())) == []

    @pytest.mark.parametrize("yes", [True, False])
    def test_anything_a_policy_calls_may_be_async(self, in_time: Any, kind: Any, yes: bool) -> None:
        """The predicate, stop, wait and the hooks, of a sync object too."""
        calls: list[tuple[str, int]] = []

        def telling(name: str, answer: Callable[[int], object]) -> Callable[[Any], Any]:
            async def called(state: Any) -> object:
                await asyncio.sleep(0)
                calls.append((name, state.attempt_number))
                return answer(state.attempt_number)

            return called

        retry = kind(
            retry=telling("retry", lambda number: yes),
            stop=telling("stop", lambda number: number == 2),
            wait=telling("wait", lambda number: 3.0),
            after=telling("after", lambda number: None),
            before_sleep=telling("before_sleep", lambda number: None),
        )
        assert in_time(lambda: waits_of(retry)) == ([3] if yes else [])
        first = [(name, 1) for name in ("retry", "after", "wait", "stop", "before_sleep")]
        second = [(name, 2) for name in ("retry", "after", "wait", "stop")]
        assert calls == (first + second if yes else [("retry", 1)])

    def test_hooks_are_called_in_order_with_the_attempt(self, in_time: Any, kind: Any) -> None:
        """`before` each attempt, `after` each that failed, `before_sleep` if one is to follow."""
        calls: list[tuple[object, ...]] = []

        def telling(name: str) -> Callable[[Any], None]:
            def called(state: Any) -> None:
                failed = state.outcome and repr(state.outcome.exception())
                calls.append((name, state.attempt_number, failed))

            return called

        def before_sleep(state: Any) -> None:
            calls.append(("sleep", state.next_action.sleep, state.idle_for))

        retry = kind(
            before=telling("before"),
            after=telling("after"),
            before_sleep=before_sleep,
            stop=tenacity.stop_after_attempt(3),
            wait=tenacity.wait_fixed(2),
        )
        in_time(lambda: waits_of(retry))
        assert calls == [
            ("before", 1, None),
            ("after", 1, "ValueError(1)"),
            ("sleep", 2, 2),
            ("before", 2, None),
            ("after", 2, "ValueError(2)"),
            ("sleep", 2, 4),
            ("before", 3, None),
            ("after", 3, "ValueError(3)"),
        ]

    def test_hooks_may_be_left_out(self, in_time: Any, kind: Any) -> None:
        """With None."""
        retry = kind(before=None, after=None, stop=tenacity.stop_after_attempt(2))
        assert in_time(lambda: waits_of(retry)) == [0]

    def test_the_hooks_of_tenacity_work(
        self, in_time: Any, kind: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """They read more of the state than others."""
        log = logging.getLogger("retried")
        caplog.set_level(logging.INFO)
        retry = kind(
            before=tenacity.before_log(log, logging.INFO),
            after=tenacity.after_log(log, logging.INFO),
            before_sleep=tenacity.before_sleep_log(log, logging.INFO, exc_info=True),
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_fixed(3),
        )
        in_time(lambda: waits_of(retry))
        messages = [record.getMessage() for record in caplog.records if record.name == "retried"]
        assert len(messages) == 5
        assert "seconds as it raised ValueError: 1" in messages[2]

    @pytest.mark.parametrize("name", ["retry", "after", "wait", "stop", "before_sleep", "before"])
    def test_an_error_of_a_hook_surfaces(self, in_time: Any, kind: Any, name: str) -> None:
        """With the error of the attempt as its context, and that error as it was."""
        broken = ZeroDivisionError()

        def hook(state: Any) -> None:
            if name != "before" or state.attempt_number > 1:
                raise broken

        async def main() -> None:
            attempts = begun(kind(**{name: hook}))
            try:
                raise ValueError("of the attempt")
            except ValueError as raised:
                failed = raised
            traceback = failed.__traceback__
            with pytest.raises(ZeroDivisionError) as caught:
                await attempts.again(failed)
            assert caught.value is broken
            assert caught.value.__context__ is failed
            assert failed.__context__ is None
            assert failed.__traceback__ is traceback

        in_time(main)

    def test_an_error_before_the_first_attempt_surfaces_at_once(self, kind: Any) -> None:
        """There is no attempt yet that it could follow from."""

        def hook(state: Any) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            begun(kind(before=hook))

    def test_a_hook_may_raise_the_error_itself(self, in_time: Any, kind: Any) -> None:
        """No error is its own context."""

        def hook(state: Any) -> None:
            raise state.outcome.exception()

        async def main() -> None:
            error = ValueError()
            with pytest.raises(ValueError, match=r"^$") as caught:
                await begun(kind(after=hook)).again(error)
            assert caught.value is error
            assert error.__context__ is None

        in_time(main)

    def test_predicates_on_results_have_no_effect(self, in_time: Any, kind: Any) -> None:
        """Only errors are told: beside another predicate, they change nothing."""
        on_results = tenacity.retry_if_result(lambda result: True)
        on_errors = tenacity.retry_if_exception_type(OSError)
        stop = tenacity.stop_after_attempt(2)
        assert in_time(lambda: waits_of(kind(retry=on_results, stop=stop))) == []
        both = kind(retry=on_results | on_errors, stop=stop)
        assert in_time(lambda: waits_of(both, error=OSError())) == [0]

    def test_try_again_asks_for_another_attempt(self, in_time: Any, kind: Any) -> None:
        """Whatever the predicate says; stop and wait hold."""
        retry = kind(
            retry=tenacity.retry_never,
            stop=tenacity.stop_after_attempt(3),
            wait=tenacity.wait_fixed(1),
        )
        assert in_time(lambda: waits_of(retry, error=tenacity.TryAgain())) == [1, 1]

    @pytest.mark.parametrize("reraise", [True, False])
    def test_giving_up_raises_nothing(self, in_time: Any, kind: Any, reraise: bool) -> None:
        """Neither a RetryError nor an error class of the policy's own."""

        class Own(tenacity.RetryError):
            pass

        retry = kind(stop=tenacity.stop_after_attempt(1), reraise=reraise, retry_error_cls=Own)
        assert in_time(lambda: waits_of(retry)) == []

    def test_a_hook_may_change_the_wait(self, in_time: Any, kind: Any) -> None:
        """As with tenacity 9."""

        def longer(state: Any) -> None:
            state.upcoming_sleep = 7.0

        retry = kind(before_sleep=longer, stop=tenacity.stop_after_attempt(2))
        assert in_time(lambda: waits_of(retry)) == [7]

    def test_a_policy_that_is_switched_off_does_nothing(self, kind: Any) -> None:
        """As users do in their tests."""
        policy = kind(stop=tenacity.stop_after_attempt(3))
        policy.enabled = False
        check_retry(policy)
        assert retries(policy) is None

    def test_a_subclass_may_have_arguments_of_its_own(self, in_time: Any, kind: Any) -> None:
        """No copy is made of the object."""

        class Ours(kind):  # type: ignore[misc]
            def __init__(self, attempts: int) -> None:
                super().__init__(stop=tenacity.stop_after_attempt(attempts))

        assert in_time(lambda: waits_of(Ours(3))) == [0, 0]

    def test_calls_at_once_count_for_themselves(self, in_time: Any, kind: Any) -> None:
        """A hundred, with one object between them, each with its own number of failures."""
        retry = kind(stop=tenacity.stop_after_attempt(60), wait=tenacity.wait_incrementing(1, 1))

        async def main() -> list[list[float]]:
            return await asyncio.gather(*[waits_of(retry, failures) for failures in range(100)])

        for failures, waits in enumerate(in_time(main)):
            assert waits == list(range(1, min(failures, 59) + 1))

    def test_threads_count_for_themselves(self, kind: Any) -> None:
        """Each with a loop of its own."""
        retry = kind(stop=tenacity.stop_after_attempt(50))
        counts: list[int] = []

        async def main() -> int:
            attempts = begun(retry)
            while await attempts.again(ValueError()):
                pass
            return attempts.number

        def work() -> None:
            counts.append(asyncio.run(main()))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == [50] * 8

    def test_the_object_stays_as_it_was(self, in_time: Any, kind: Any) -> None:
        """Users may go on using it elsewhere."""
        retry = kind(stop=tenacity.stop_after_attempt(3))
        before = dict(vars(retry))
        in_time(lambda: waits_of(retry))
        assert vars(retry) == before
        assert retry.statistics == {}

    def test_nothing_holds_the_error_of_a_call_that_has_failed(
        self, in_time: Any, kind: Any
    ) -> None:
        """It goes without a garbage collection, as would the error of a function."""

        class Failed(Exception):
            pass

        async def call() -> None:
            attempts = begun(kind(stop=tenacity.stop_after_attempt(2)))
            while True:
                try:
                    raise Failed
                except Failed as error:
                    if not await attempts.again(error):
                        raise

        async def main() -> bool:
            gc.disable()
            try:
                try:
                    await call()
                except Failed as error:
                    reference = weakref.ref(error)
                return reference() is None
            finally:
                gc.enable()

        assert in_time(main)


class TestSleeping:
    @pytest.mark.usefixtures("all_of_it")
    @pytest.mark.parametrize(
        "retry",
        [5, Retrying(wait=tenacity.wait_fixed(1)), AsyncRetrying(wait=tenacity.wait_fixed(1))],
        ids=["number", "sync", "async"],
    )
    def test_a_wait_can_be_cancelled(self, in_time: Any, retry: object) -> None:
        """The cancellation goes through, at the time it comes."""

        async def main() -> float:
            waiting = asyncio.ensure_future(begun(retry).again(ValueError()))
            await asyncio.sleep(0.25)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return asyncio.get_running_loop().time()

        assert in_time(main) == 0.25

    @pytest.mark.usefixtures("all_of_it")
    def test_a_time_out_ends_a_wait(self, in_time: Any) -> None:
        """As it does any other."""

        async def main() -> None:
            attempts = begun(Retrying(wait=tenacity.wait_fixed(100)))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await attempts.again(ValueError())

        in_time(main)

    def test_a_sync_object_never_sleeps_itself(self, in_time: Any) -> None:
        """That would stop the loop."""

        def sleep(seconds: float) -> None:
            raise AssertionError

        retry = Retrying(
            sleep=sleep, wait=tenacity.wait_fixed(5), stop=tenacity.stop_after_attempt(2)
        )
        assert in_time(lambda: waits_of(retry)) == [5]

    def test_an_async_object_sleeps_itself(self, in_time: Any) -> None:
        """Such as not at all, in users' tests."""
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        retry = AsyncRetrying(
            sleep=sleep, wait=tenacity.wait_fixed(5), stop=tenacity.stop_after_attempt(3)
        )
        assert in_time(lambda: waits_of(retry)) == [0, 0]
        assert slept == [5, 5]

    def test_a_sleep_that_returns_at_once_is_one(self, in_time: Any) -> None:
        """Sync, that is."""
        slept: list[float] = []
        retry = AsyncRetrying(
            sleep=slept.append, wait=tenacity.wait_fixed(5), stop=tenacity.stop_after_attempt(2)
        )
        assert in_time(lambda: waits_of(retry)) == [0]
        assert slept == [5]

    def test_the_async_predicates_of_tenacity_are_awaited(self, in_time: Any) -> None:
        """`tenacity.asyncio.retry_if_exception`."""
        try:
            predicates: Any = importlib.import_module("tenacity.asyncio.retry")
        except ModuleNotFoundError:
            pytest.skip("not in this version of tenacity")

        async def of_system(error: BaseException) -> bool:
            await asyncio.sleep(0)
            return isinstance(error, OSError)

        for kind in KINDS:
            retry = kind(
                retry=predicates.retry_if_exception(of_system), stop=tenacity.stop_after_attempt(2)
            )
            assert in_time(functools.partial(waits_of, retry, error=OSError())) == [0]
            assert in_time(functools.partial(waits_of, retry, error=ValueError())) == []


def undecorated() -> None:
    """A function to decorate."""


def problem_of(value: object) -> str:
    """What the message says after the value."""
    with pytest.raises(InvalidOptionError) as caught:
        check_retry(value)
    text = str(caught.value)
    assert text.startswith("retry=")
    return text.partition("): ")[2]


class Strange:
    """Nothing that anyone would pass."""

    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError


class TestMistakes:
    @pytest.mark.parametrize(
        "value", [None, 1, 2, 10**30, Retrying(), AsyncRetrying(wait=tenacity.wait_fixed(1))]
    )
    def test_what_is_expected_is_taken(self, value: object) -> None:
        """Also a policy that never stops."""
        check_retry(value)

    @pytest.mark.parametrize(
        "value",
        [0, -1, True, False, 2.0, "3", (), [3], {}, print, undecorated, int, object(), Strange()],
        ids=lambda value: type(value).__name__,
    )
    def test_anything_else_is_refused(self, value: object) -> None:
        """With all that is possible."""
        assert problem_of(value) == (
            "expected a number of attempts from 1 on, a tenacity retrying object such as"
            " AsyncRetrying(...), or None"
        )

    def test_an_error_is_for_a_policy(self) -> None:
        """The message has the very words to retry only that."""
        assert problem_of(ConnectionError) == (
            "to retry some errors only, write"
            " AsyncRetrying(retry=retry_if_exception_type(ConnectionError),"
            " stop=stop_after_attempt(3)), of tenacity"
        )

    def test_the_message_says_what_was_given(self) -> None:
        """With its type; it is a ValueError."""
        with pytest.raises(ValueError, match=r"^retry=0 \(int\): expected a number"):
            check_retry(0)

    @pytest.mark.parametrize(
        ("part", "advice"),
        [
            (tenacity.stop_after_attempt(3), "AsyncRetrying(stop=...)"),
            (tenacity.stop_never, "AsyncRetrying(stop=...)"),
            (
                tenacity.stop_after_attempt(3) | tenacity.stop_after_delay(3),
                "AsyncRetrying(stop=...)",
            ),
            (tenacity.wait_fixed(1), "AsyncRetrying(wait=..., stop=...)"),
            (tenacity.retry_if_exception_type(OSError), "AsyncRetrying(retry=..., stop=...)"),
        ],
    )
    def test_a_part_of_a_policy_is_to_be_wrapped(self, part: object, advice: str) -> None:
        """The message has the very words to write."""
        assert problem_of(part) == f"that is one part of a policy; wrap it: {advice}"

    @pytest.mark.parametrize(
        "value",
        [
            tenacity.retry,
            tenacity.retry(stop=tenacity.stop_after_attempt(3)),
            tenacity.retry(undecorated),
            Retrying,
            AsyncRetrying,
            tenacity.stop_after_attempt,
        ],
    )
    def test_a_function_or_a_class_of_tenacity_is_no_policy(self, value: object) -> None:
        """Nor is a function that has been decorated with one."""
        assert problem_of(value) == (
            "pass the policy itself, no function and no class: AsyncRetrying(stop=...)"
        )

    @either
    def test_a_callback_for_a_replacement_is_refused(self, kind: Any) -> None:
        """It would never be called."""
        retry = kind(retry_error_callback=lambda state: None)
        assert "use on_error for a replacement" in problem_of(retry)

    @either
    def test_an_async_hook_before_the_first_attempt_is_refused(self, kind: Any) -> None:
        """A function, a partial one, or an object with an async `__call__`."""

        async def before(state: Any, more: int = 0) -> None:
            raise AssertionError

        class Before:
            async def __call__(self, state: Any) -> None:
                raise AssertionError

        for hook in (before, functools.partial(before, more=1), Before()):
            assert "before can't be async" in problem_of(kind(before=hook))


class TestImports:
    def test_tenacity_is_not_imported(self) -> None:
        """It is an optional extra: a number and any mistake do without."""
        code = (
            "import asyncio, sys\n"
            "from fluxus_rx import InvalidOptionError\n"
            "from fluxus_rx._options.retry import check_retry, retries\n"
            "sys.modules.pop('tenacity', None)\n"
            "for value in (0, print, object()):\n"
            "    try: check_retry(value)\n"
            "    except InvalidOptionError: pass\n"
            "check_retry(2)\n"
            "asyncio.run(retries(2)(None).again(InvalidOptionError()))\n"
            "assert 'tenacity' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

    def test_time_is_not_slept_away(self, in_time: Any) -> None:
        """Of this file: an hour of waits takes no time."""
        began = time.perf_counter()
        in_time(lambda: waits_of(Retrying(wait=tenacity.wait_fixed(60)), failures=60))
        assert time.perf_counter() - began < 10


POLICIES: dict[str, Any] = {
    "AsyncRetrying()": AsyncRetrying(),
    "Retrying(stop=stop_after_attempt(3))": Retrying(stop=tenacity.stop_after_attempt(3)),
    "AsyncRetrying(stop=stop_any(stop_after_attempt(3), stop_after_delay(9.0)))": AsyncRetrying(
        stop=tenacity.stop_after_attempt(3) | tenacity.stop_after_delay(9)
    ),
    "AsyncRetrying(wait=wait_exponential_jitter(…))": AsyncRetrying(
        wait=tenacity.wait_exponential_jitter()
    ),
    "AsyncRetrying(retry=retry_if_exception_type(KeyError, OSError))": AsyncRetrying(
        retry=tenacity.retry_if_exception_type((KeyError, OSError))
    ),
}


@pytest.mark.parametrize("text", POLICIES)
def test_a_policy_is_shown_by_what_is_set(text: str) -> None:
    """In the expression, in drawings and in errors: without addresses, and in a line."""
    retried = step("s", lambda x: {"y": x}).options(retry=POLICIES[text])
    assert repr(retried) == f"step('s', <lambda>).options(retry={text})"
    (node,) = [node for node in FlowGraph.of(retried).nodes if node.name == "s"]
    assert node.options == {"retry": text}
    assert short(POLICIES[text]) == text


def test_a_huge_policy_is_cut() -> None:
    """However many parts it has."""
    chained = tenacity.wait_chain(*map(tenacity.wait_fixed, range(99)))
    text = repr(step("s", lambda x: {"y": x}).options(retry=AsyncRetrying(wait=chained)))
    assert text.startswith("step('s', <lambda>).options(retry=AsyncRetrying(wait=wait_chain(")
    assert len(text) < 200
