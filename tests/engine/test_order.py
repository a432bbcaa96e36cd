"""Order, and windows, of steps: whole flows, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
import reactivex

from fluxus_rx import AsyncTransformer, arun, astream, step
from tests.support import scripted_calls
from tests.support.errors import notes, refused
from tests.support.probes import Calls, Events
from tests.support.scripted_calls import Lasting, lasting, now, numbers

in_time, all_of_it = scripted_calls.in_time, scripted_calls.all_of_it

InTime = Callable[..., Any]


async def streamed(flow: Any, path: int = 0, name: str = "s") -> list[Any]:
    """What the step emits on a path, in the order in which it comes."""
    return [output[name]["y"] async for index, output in astream(flow) if index == path]


class TestOrdered:
    @pytest.mark.parametrize("limit", [1, 2, 7, 256])
    @pytest.mark.parametrize("window", [None, 1, 2, 1_000])
    def test_products_leave_as_they_came(
        self, in_time: InTime, limit: int, window: int | None
    ) -> None:
        """However long each call takes."""
        made = lasting(lambda x: x * 37 % 11)
        ordered = made.options(ordered=True, concurrency=limit, window=window)
        assert in_time(lambda: streamed(numbers(60) >> ordered)) == [*range(60)]

    def test_without_it_they_leave_as_they_are_ready(self, in_time: InTime) -> None:
        """The result sorts them."""
        flow = numbers(5) >> lasting(lambda x: 5 - x)
        assert in_time(lambda: streamed(flow)) == [4, 3, 2, 1, 0]

    @pytest.mark.parametrize("window", [1, 3, 12])
    @pytest.mark.parametrize("limit", [1, 3, 12])
    def test_a_slow_call_holds_back_a_window_of_others(
        self, in_time: InTime, limit: int, window: int
    ) -> None:
        """So many have begun at most, itself included, and all of these do."""
        calls = Calls()

        async def call(x: int) -> dict[str, int]:
            with calls.noted(x):
                await asyncio.sleep(1_000 if x == 5 else 1)
            return {"y": x}

        async def main() -> None:
            made = step("s", call).options(ordered=True, concurrency=limit, window=window)
            task = asyncio.create_task(streamed(numbers(100) >> made))
            await asyncio.sleep(500)
            begun = max(calls.started)
            assert await task == [*range(100)]
            # A limit of one is a sequence: nothing begins beside the slow one.
            assert begun == (5 if limit == 1 else 5 + window - 1)

        in_time(main)

    def test_the_window_is_4_times_the_limit(self, in_time: InTime) -> None:
        """By default."""
        calls = Calls()

        async def main() -> None:
            made = lasting(lambda x: 1_000 if x == 0 else 1, calls)
            task = asyncio.create_task(
                streamed(numbers(100) >> made.options(ordered=True, concurrency=3))
            )
            await asyncio.sleep(500)
            begun = len(calls.started)
            assert await task == [*range(100)]
            assert begun == 12

        in_time(main)

    def test_a_slow_call_does_not_stall_others(self, in_time: InTime) -> None:
        """400 calls, 5 % of them ten times slower, ten at once, and a window for five of these."""

        async def main() -> list[float]:
            took = []
            for ordered in (False, True):
                began = now()
                made = lasting(lambda x: 10 if x % 20 == 7 else 1)
                await arun(
                    numbers(400) >> made.options(ordered=ordered, concurrency=10, window=100)
                )
                took.append(now() - began)
            return took

        unordered, ordered = in_time(main)
        assert ordered <= 1.3 * unordered

    def test_all_products_of_a_call_stay_together(self, in_time: InTime) -> None:
        """Those of a generator too, however many."""

        async def produce(x: int) -> AsyncIterator[dict[str, int]]:
            for y in range(40):
                await asyncio.sleep(x * 7 % 3)
                yield {"y": 100 * x + y}

        made = step("s", produce).options(ordered=True, concurrency=4)
        found = in_time(lambda: streamed(numbers(12) >> made))
        assert found == [100 * x + y for x in range(12) for y in range(40)]

    def test_failures_leave_no_hole(self, in_time: InTime, all_of_it: None) -> None:
        """What is retried keeps its turn, what is skipped loses it, a replacement takes it."""

        def made(**options: Any) -> Any:
            failed: set[int] = set()

            async def call(x: int) -> dict[str, int]:
                await asyncio.sleep(x % 5)
                if x % 3 == 0 and x not in failed:
                    failed.add(x)
                    raise ValueError(x)
                return {"y": x}

            return numbers(30) >> step("s", call).options(ordered=True, concurrency=5, **options)

        assert in_time(lambda: streamed(made(retry=2))) == [*range(30)]
        kept = [x for x in range(30) if x % 3]
        assert in_time(lambda: streamed(made(on_error="skip"))) == kept
        replaced = made(on_error=lambda failure: {"y": -1})
        assert in_time(lambda: streamed(replaced)) == [x if x % 3 else -1 for x in range(30)]

    def test_threads_keep_the_order_too(self) -> None:
        """Of plain functions."""
        made = step("s", lambda x: {"y": x}).options(ordered=True, concurrency=8)
        assert asyncio.run(streamed(numbers(200) >> made)) == [*range(200)]

    def test_an_operator_keeps_the_order(self, in_time: InTime) -> None:
        """On an Observable."""
        made = Lasting(lambda x: x * 7 % 5, Calls()).options(ordered=True)

        async def main() -> list[int]:
            events = Events()
            events.of(reactivex.from_iterable(range(30)).pipe(made))
            return await events.complete()

        assert in_time(main) == [*range(30)]


def keyed(rows: Iterable[tuple[Any, int]]) -> Any:
    """A step `src` of keys and numbers."""
    return step("src", [{"key": key, "x": x} for key, x in rows])


class TestKeys:
    def test_the_order_is_kept_for_each_key(self, in_time: InTime) -> None:
        """Nothing is said of others."""
        made = lasting(lambda x: x * 37 % 11).options(ordered="key", concurrency=7)
        found = in_time(lambda: streamed(keyed((x % 4, x) for x in range(80)) >> made))
        for key in range(4):
            assert [x for x in found if x % 4 == key] == [*range(key, 80, 4)]
        assert found != [*range(80)]

    def test_other_keys_pass_a_slow_call(self, in_time: InTime) -> None:
        """Only those with its key wait for it."""
        made = lasting(lambda x: 100 if x == 0 else 1).options(ordered="key", concurrency=20)
        found = in_time(lambda: streamed(keyed((x % 3, x) for x in range(12)) >> made))
        assert sorted(found[:8]) == [x for x in range(12) if x % 3]
        assert found[8:] == [0, 3, 6, 9]

    def test_calls_with_one_key_run_beside_each_other(self, in_time: InTime) -> None:
        """It is their products that wait."""
        calls = Calls()
        made = lasting(lambda x: 9 - x, calls).options(ordered="key", concurrency=5)
        assert in_time(lambda: streamed(keyed(("a", x) for x in range(9)) >> made)) == [*range(9)]
        assert calls.peak == 5

    def test_the_window_bounds_the_calls_of_all_keys(self, in_time: InTime) -> None:
        """Those that have not all been passed on."""
        calls = Calls()

        async def main() -> None:
            made = lasting(lambda x: 1_000 if x == 0 else 1, calls)
            flow = keyed(("a", x) for x in range(50)) >> made.options(
                ordered="key", concurrency=3, window=8
            )
            task = asyncio.create_task(streamed(flow))
            await asyncio.sleep(500)
            begun = len(calls.started)
            assert await task == [*range(50)]
            assert begun == 8

        in_time(main)

    def test_many_keys_leave_nothing_behind(self, in_time: InTime) -> None:
        """Each may occur once."""
        made = lasting(lambda x: x % 3).options(ordered="key", concurrency=10)
        found = in_time(lambda: streamed(keyed((f"k{x}", x) for x in range(500)) >> made))
        assert sorted(found) == [*range(500)]

    def test_the_latest_value_of_an_attribute_counts(self, in_time: InTime) -> None:
        """From whatever step in the lineage."""
        made = lasting(lambda x: x * 7 % 5).options(ordered="key", concurrency=5)
        source = keyed((x, x) for x in range(30)) >> step("k", lambda x: {"key": x % 2})
        found = in_time(lambda: streamed(source >> step("n", lambda x: {"n": x}) >> made))
        assert [x for x in found if x % 2] == [*range(1, 30, 2)]
        assert [x for x in found if x % 2 == 0] == [*range(0, 30, 2)]
        assert found != [*range(30)]

    def test_a_missing_attribute_is_an_error_of_the_step(self, in_time: InTime) -> None:
        """That says which, and for which product."""
        flow = keyed([("a", 1), ("b", 2)]) >> lasting(lambda x: 1).options(ordered="kay")
        with refused(ValueError, "ordered='kay'", "no attribute 'kay'"):
            in_time(lambda: arun(flow))
        with pytest.raises(ValueError, match="kay") as caught:
            in_time(lambda: arun(flow))
        assert "in step 's'" in notes(caught.value)

    def test_a_value_that_cannot_be_a_key_is_an_error_of_the_step(self, in_time: InTime) -> None:
        """That says which attribute, and why."""
        flow = keyed([([1], 1)]) >> lasting(lambda x: 1).options(ordered="key")
        with pytest.raises(TypeError, match="list") as caught:
            in_time(lambda: arun(flow))
        told = f"{caught.value}\n{notes(caught.value)}"
        assert "in step 's'" in told
        assert "ordered='key'" in told

    def test_items_of_a_class_have_keys_as_well(self, in_time: InTime) -> None:
        """Attributes of objects, and items of mappings."""

        @dataclass(frozen=True)
        class Item:
            key: int
            x: int

        class Slow(AsyncTransformer[Any, Any]):
            async def atransform(self, product: Any) -> AsyncIterator[Any]:
                x = product["x"] if isinstance(product, dict) else product.x
                await asyncio.sleep(x * 7 % 5)
                yield x

        made = Slow().options(ordered="key", concurrency=5)

        async def given(items: list[Any]) -> list[int]:
            events = Events()
            events.of(reactivex.from_iterable(items).pipe(made))
            return await events.complete()

        for items in (
            [Item(x % 2, x) for x in range(20)],
            [{"key": x % 2, "x": x} for x in range(20)],
        ):
            found = in_time(lambda items=items: given(items))
            assert [x for x in found if x % 2] == [*range(1, 20, 2)]
            assert [x for x in found if x % 2 == 0] == [*range(0, 20, 2)]
        with refused(ValueError, "no attribute 'key'"):
            in_time(lambda: given([1]))
