"""`to_observable(paths=True)`: the paths of a flow as observables that share a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

from fluxus_rx import UsageError, passthrough, run, step
from tests.support.hot import Item, Numbers, added, adding, note, observed, values
from tests.support.probes import Events, alone, turns, until


class TestSharing:
    """The paths that run together."""

    async def test_there_is_one_observable_for_each_path_in_path_order(self) -> None:
        """Also of groups in groups, of a passthrough, and of parallel sources."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & (adding("b") & adding("c")) & passthrough())
        paths = flow.to_observable(paths=True)
        seen = observed(*paths)
        products = [await events.complete() for events in seen]
        assert [dict(path[1]) for path in products] == [
            {"x": 1, "a": 1},
            {"x": 1, "b": 1},
            {"x": 1, "c": 1},
            {"x": 1},
        ]
        assert numbers.counts == (1, 1)

    async def test_a_flow_of_one_path_gives_one(self) -> None:
        """In a list, too."""
        (path,) = (Numbers().step() >> adding("a")).to_observable(paths=True)
        assert values(await path.pipe(ops.to_list()), "a") == [0, 1, 2, 3]

    async def test_those_subscribed_to_together_share_a_run(self) -> None:
        """The steps that they share run once."""
        numbers = Numbers()
        calls: list[int] = []
        before = step("before", lambda x: note(calls, x))
        flow = numbers.step() >> before >> (adding("a") & adding("b"))
        first, second = observed(*flow.to_observable(paths=True))
        assert values(await first.complete(), "a") == values(await second.complete(), "b")
        assert (numbers.counts, calls) == ((1, 1), [0, 1, 2, 3])

    async def test_they_need_not_be_subscribed_to_in_their_order(self) -> None:
        """Nor all of them directly: operators may stand behind."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b") & adding("c"))
        a, b, c = flow.to_observable(paths=True)
        sums = reactivex.zip(c, a, b).pipe(ops.map(added))
        assert await sums.pipe(ops.to_list()) == [0, 3, 6, 9]
        assert numbers.counts == (1, 1)

    async def test_merging_them_is_what_the_observable_of_all_gives(self) -> None:
        """Each path in its order."""
        flow = Numbers().step() >> (adding("a") & adding("b"))
        merged = await reactivex.merge(*flow.to_observable(paths=True)).pipe(ops.to_list())
        for name in "ab":
            assert [p[name] for p in merged if name in p] == [0, 1, 2, 3]

    async def test_one_that_nobody_subscribes_to_does_not_run(self) -> None:
        """And doesn't hold up the others."""
        calls: list[int] = []
        flow = Numbers().step() >> (adding("a") & step("b", lambda x: note(calls, x)) & adding("c"))
        a, _, c = flow.to_observable(paths=True)
        first, third = observed(a, c)
        assert values(await first.complete(), "a") == values(await third.complete(), "c")
        assert calls == []

    @pytest.mark.parametrize("chosen", range(4))
    async def test_any_one_of_groups_behind_groups_may_run_alone(self, chosen: int) -> None:
        """The source waits for nobody else."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b")) >> (adding("c") & adding("d"))
        path = flow.to_observable(paths=True)[chosen]
        first, second = ("ac", "ad", "bc", "bd")[chosen]
        products = await path.pipe(ops.to_list())
        assert [set(product) for product in products] == [{"x", first, second}] * 4
        assert numbers.counts == (1, 1)

    async def test_a_later_subscription_runs_afresh(self) -> None:
        """While the first run goes on, and after its end."""
        numbers = Numbers()
        first, second = (numbers.step() >> (adding("a") & adding("b"))).to_observable(paths=True)
        (early,) = observed(first)
        await until(lambda: numbers.source.made == 2)
        (late,) = observed(second)
        await asyncio.gather(early.complete(), late.complete())
        assert numbers.counts == (2, 2)
        assert values(late.items, "b") == [0, 1, 2, 3]
        for events in observed(first, second):
            await events.complete()
        assert numbers.counts == (3, 3)

    async def test_one_path_subscribed_to_twice_runs_twice(self) -> None:
        """As any cold observable."""
        numbers = Numbers()
        path, _ = (numbers.step() >> (adding("a") & adding("b"))).to_observable(paths=True)
        for events in observed(path, path):
            assert values(await events.complete(), "a") == [0, 1, 2, 3]
        assert numbers.counts == (2, 2)

    def test_the_same_observables_serve_several_loops(self) -> None:
        """One after the other."""
        numbers = Numbers()
        paths = (numbers.step() >> (adding("a") & adding("b"))).to_observable(paths=True)

        async def main() -> list[int]:
            a, b = observed(*paths)
            await b.complete()
            return values(await a.complete(), "a")

        assert asyncio.run(main()) == asyncio.run(main()) == [0, 1, 2, 3]
        assert numbers.counts == (2, 2)

    async def test_nothing_runs_before_somebody_subscribes(self) -> None:
        """To ask for the paths costs nothing."""
        numbers = Numbers()
        (numbers.step() >> (adding("a") & adding("b"))).to_observable(paths=True)
        await turns()
        assert numbers.counts == (0, 0)
        assert alone()

    def test_without_a_loop_it_says_what_to_do(self) -> None:
        """As the observable of all does."""
        a, _ = (Numbers().step() >> (adding("a") & adding("b"))).to_observable(paths=True)
        with pytest.raises(UsageError, match="subscribe inside a coroutine"):
            a.subscribe()


class TestEndings:
    """The end, an error, and those who leave."""

    async def test_all_hear_the_end_when_all_has_been_cleaned_up(self) -> None:
        """Together, whichever has had its last item first."""
        closed: list[str] = []

        async def cleaning() -> AsyncIterator[dict[str, int]]:
            try:
                yield {"x": 1}
            finally:
                await asyncio.sleep(0)
                closed.append("closed")

        flow = step("src", cleaning) >> (adding("a") & adding("b"))
        for path in flow.to_observable(paths=True):
            path.subscribe(on_completed=lambda: closed.append("end"))
        await until(lambda: closed.count("end") == 2)
        assert closed == ["closed", "end", "end"]

    async def test_all_hear_of_an_error(self) -> None:
        """Of the source, or of a step of one path: the very object, once, and nothing more."""
        error = LookupError("bad")

        def bad(x: int) -> dict[str, int]:
            if x == 2:
                raise error
            return {"b": x}

        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & step("b", bad))
        seen = observed(*flow.to_observable(paths=True))
        for events in seen:
            await events.ended.wait()
        await turns()
        assert [(events.errors, events.completions) for events in seen] == [([error], 0)] * 2
        assert values(seen[1].items, "b") == [0, 1]
        assert numbers.counts == (1, 1)

    async def test_all_hear_of_an_error_of_the_source(self) -> None:
        """Once all have what came before it: an error does not wait for calls in flight."""
        error = LookupError("bad")

        async def numbers() -> AsyncIterator[dict[str, int]]:
            yield {"x": 1}
            await until(lambda: all(events.items for events in seen))
            raise error

        flow = step("src", numbers) >> (adding("a") & adding("b"))
        seen = observed(*flow.to_observable(paths=True))
        for events, name in zip(seen, "ab", strict=True):
            await events.ended.wait()
            assert (values(events.items, name), events.errors) == ([1], [error])

    @pytest.mark.parametrize("leaving", [0, 1, 2])
    async def test_one_that_is_left_early_lets_the_others_go_on(self, leaving: int) -> None:
        """They get all, and hear the end."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b") & adding("c"))
        paths = [*flow.to_observable(paths=True)]
        paths[leaving] = paths[leaving].pipe(ops.take(1))
        seen = observed(*paths)
        for index, events in enumerate(seen):
            assert values(await events.complete(), "x") == (
                [0] if index == leaving else [*range(4)]
            )
        assert numbers.counts == (1, 1)
        assert alone()

    async def test_two_of_three_may_leave(self) -> None:
        """The third one still hears the end."""
        flow = Numbers().step() >> (adding("a") & adding("b") & adding("c"))
        a, b, c = flow.to_observable(paths=True)
        for events, count in zip(
            observed(a.pipe(ops.take(1)), b, c.pipe(ops.take(2))), (1, 4, 2), strict=True
        ):
            assert len(await events.complete()) == count

    async def test_when_all_have_left_the_run_is_over(self) -> None:
        """A source without end is closed, and nobody is told anything."""
        numbers = Numbers(None)
        flow = numbers.step() >> (adding("a") & adding("b"))
        seen = [Events(), Events()]
        left = [e.of(p) for e, p in zip(seen, flow.to_observable(paths=True), strict=True)]
        await until(lambda: len(seen[1].items) > 3)
        left[0].dispose()
        count = len(seen[0].items)
        await turns()
        assert numbers.counts == (1, 0)
        assert len(seen[1].items) > count == len(seen[0].items)
        left[1].dispose()
        await until(alone)
        assert numbers.counts == (1, 1)
        assert [(events.errors, events.completions) for events in seen] == [([], 0)] * 2

    async def test_all_may_take_their_part_of_a_source_without_end(self) -> None:
        """Each as much as it likes."""
        numbers = Numbers(None)
        flow = numbers.step() >> (adding("a") & adding("b"))
        a, b = flow.to_observable(paths=True)
        for events, count in zip(
            observed(a.pipe(ops.take(2)), b.pipe(ops.take(5))), (2, 5), strict=True
        ):
            assert values(await events.complete(), "x") == [*range(count)]
        await until(alone)
        assert numbers.counts == (1, 1)

    async def test_one_that_is_left_before_the_run_begins_is_as_if_never_subscribed_to(
        self,
    ) -> None:
        """It doesn't hold up the others."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b") & adding("c"))
        a, b, _ = flow.to_observable(paths=True)
        a.subscribe().dispose()
        (events,) = observed(b)
        again = a.subscribe()
        again.dispose()
        assert values(await events.complete(), "b") == [0, 1, 2, 3]
        assert numbers.counts == (1, 1)

    async def test_if_all_are_left_before_it_begins_nothing_runs(self) -> None:
        """Not even the source is opened."""
        numbers = Numbers()
        flow = numbers.step() >> (adding("a") & adding("b") & adding("c"))
        for path in flow.to_observable(paths=True)[:2]:
            path.subscribe().dispose()
        await turns()
        assert numbers.counts == (0, 0)
        assert alone()

    async def test_all_of_them_left_at_once_end_a_run_that_has_just_begun(self) -> None:
        """The run begins as soon as all are subscribed to."""
        numbers = Numbers(None)
        flow = numbers.step() >> (adding("a") & adding("b"))
        left = [path.subscribe() for path in flow.to_observable(paths=True)]
        for subscription in left:
            subscription.dispose()
        await until(alone)
        assert numbers.source.opened == numbers.source.closed

    async def test_an_observer_that_raises_at_the_end_does_not_keep_it_from_the_others(
        self,
    ) -> None:
        """The error goes to the loop's exception handler."""
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(context.get("exception"))
        )
        error = LookupError("bad observer")

        def complain() -> None:
            raise error

        flow = Numbers().step() >> (adding("a") & adding("b"))
        a, b = flow.to_observable(paths=True)
        a.subscribe(on_completed=complain)
        (events,) = observed(b)
        await events.complete()
        assert told == [error]


async def test_a_run_that_is_over_lets_go_of_its_products() -> None:
    """The observables hold nothing of it."""
    flow = step("src", lambda: iter([{"x": Item()} for _ in range(3)])) >> (
        adding("a") & adding("b")
    )
    paths = flow.to_observable(paths=True)
    for path in paths:
        done = asyncio.Event()
        path.subscribe(on_completed=done.set)
        await done.wait()
    assert Item.alive == 0


def test_the_result_of_a_run_is_what_they_give() -> None:
    """Path by path."""
    flow = Numbers().step() >> (adding("a") & adding("b") >> adding("c"))

    async def main() -> list[list[dict[str, Any]]]:
        seen = observed(*flow.to_observable(paths=True))
        return [[p.get_lineage_attributes() for p in await events.complete()] for events in seen]

    assert asyncio.run(main()) == [*run(flow)]
