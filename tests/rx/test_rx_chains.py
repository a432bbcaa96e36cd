"""Flows among the operators of Rx, in virtual time: what comes when, how it fails, what is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.scheduler.eventloop import AsyncIOScheduler, AsyncIOThreadSafeScheduler

from fluxus_rx import StepOptions, arun, parallel, passthrough, rx_pipe, step
from fluxus_rx.testing import run_virtual
from tests.support.errors import untyped
from tests.support.probes import Events, alone, turns
from tests.support.reactive import reported
from tests.support.rx_flows import ALL, OPERATORS, PASSING_ERRORS, World, flow_of, odd, y

every_operator = pytest.mark.parametrize("name", OPERATORS)


def of_loop() -> AsyncIOThreadSafeScheduler:
    """For operators that wait: without one they call from threads, in which no flow can begin."""
    return AsyncIOThreadSafeScheduler(asyncio.get_running_loop())


class TestOnFlows:
    @every_operator
    def test_all_comes_at_its_time(self, name: str) -> None:
        """As from any other observable of these times; afterwards nothing is left."""
        make, expected, end = OPERATORS[name]
        world = World()

        async def main() -> None:
            found = await make(world).pipe(ops.to_list())
            assert (sorted(found) if "amid" in name else found) == expected
            assert asyncio.get_running_loop().time() == end
            await turns()
            assert world.opened == world.closed
            assert alone()

        run_virtual(main)

    @every_operator
    def test_it_may_be_left_at_any_time(self, name: str) -> None:
        """All that has been opened is closed; nothing is heard, and nothing told."""
        make, _, _ = OPERATORS[name]

        async def left(after: float) -> None:
            world, events = World(), Events()
            with reported() as told:
                subscription = events.of(make(world), scheduler=of_loop())
                if after:
                    await asyncio.sleep(after)
                subscription.dispose()
                heard = len(events.items), events.completions
                await asyncio.sleep(20)
            assert (len(events.items), events.completions) == heard
            assert events.errors == []
            assert told == []
            assert world.opened == world.closed
            assert alone()

        for after in (0, 0.5, 1, 1.25, 2.25, 3.3, 5.25, 6.2, 8.1):
            run_virtual(left(after))

    @pytest.mark.parametrize("name", PASSING_ERRORS)
    def test_the_very_error_goes_through(self, name: str) -> None:
        """Once; all other flows are closed by then, or a moment later."""
        make, _, _ = OPERATORS[name]
        world = World(failing=99)

        async def main() -> None:
            events = Events()
            with reported() as told:
                events.of(make(world), scheduler=of_loop())
                await events.ended.wait()
                await turns()
            assert [one is world.error for one in events.errors] == [True]
            # Of two flows that fail at once, one has nobody left to tell but the loop.
            assert all(one["exception"] is world.error for one in told)
            assert world.opened == world.closed
            assert alone()

        run_virtual(main)

    @every_operator
    def test_in_a_run_it_is_the_same(self, name: str) -> None:
        """As the source of another flow: the same items, at the same time."""
        make, expected, end = OPERATORS[name]
        world = World()

        async def main() -> None:
            result = await arun(flow_of(make(world)))
            found = [output["same"]["z"] for output in result[0]]
            assert (sorted(found) if "amid" in name else found) == expected
            assert asyncio.get_running_loop().time() == end
            await turns()
            assert world.opened == world.closed
            assert alone()

        run_virtual(main)

    @pytest.mark.parametrize("name", PASSING_ERRORS)
    def test_in_a_run_the_error_is_the_same(self, name: str) -> None:
        """It ends the run, the very object."""
        make, _, _ = OPERATORS[name]
        world = World(failing=99)

        async def main() -> None:
            with pytest.raises(LookupError) as caught:
                await arun(flow_of(make(world)))
            assert caught.value is world.error
            await turns()
            assert world.opened == world.closed
            assert alone()

        run_virtual(main)


class TestErrors:
    @pytest.mark.parametrize("how", ["outside", "rx_pipe"])
    def test_retry_runs_all_of_it_again(self, how: str) -> None:
        """The source, too: three times, if it fails twice."""
        world = World(failing=2)

        async def main() -> None:
            if how == "outside":
                found = await world.products.pipe(ops.retry(3), ops.map(y), ops.to_list())
            else:
                result = await arun(
                    world.flow >> rx_pipe(ops.retry(3)) >> step("z", lambda y: {"z": y})
                )
                found = sorted(output["z"]["z"] for output in result[0])
            assert sorted(found) == sorted([0, 1, 2] * 2 + ALL)
            assert (world.opened, world.closed) == (3, 3)
            assert asyncio.get_running_loop().time() == 4.25 * 2 + 6.25

        run_virtual(main)

    @pytest.mark.parametrize("how", ["outside", "rx_pipe"])
    def test_catch_goes_on_with_another_flow(self, how: str) -> None:
        """It is given the very error."""
        world, other = World(failing=1), World()
        given: list[Any] = []

        def instead(error: Exception, source: Any) -> Observable[Any]:
            given.append(error)
            return other.products

        async def main() -> None:
            caught = ops.catch(instead)
            observed: Any = world.products.pipe(caught)
            if how == "rx_pipe":
                observed = (world.flow >> rx_pipe(caught)).to_observable()
            assert await observed.pipe(ops.map(y), ops.to_list()) == [0, 1, 2, *ALL]
            assert given == [world.error]
            assert (world.closed, other.closed) == (1, 1)

        run_virtual(main)

    def test_on_error_resume_next_goes_on(self) -> None:
        """With the flow that is next, whether there was an error or not."""
        world = World(failing=1)

        async def main() -> None:
            found = await world.ys.pipe(ops.on_error_resume_next(world.ys), ops.to_list())
            assert found == [0, 1, 2, *ALL]
            assert world.opened == world.closed == 2

        run_virtual(main)

    def test_materialize_makes_an_item_of_it(self) -> None:
        """The very error in it."""
        world = World(failing=1)

        async def main() -> None:
            found: list[Any] = await world.ys.pipe(ops.materialize(), ops.to_list())
            assert [one.kind for one in found] == [*"NNNE"]
            assert found[-1].exception is world.error

        run_virtual(main)

    @pytest.mark.parametrize("how", ["outside", "rx_pipe"])
    def test_a_time_out_ends_the_run(self, how: str) -> None:
        """Its error is that of Rx, inside a flow and around one."""
        world = World()

        async def main() -> None:
            observed = world.ys.pipe(ops.timeout(0.5))
            if how == "rx_pipe":
                flow = world.source() >> rx_pipe(ops.timeout(0.5)) >> world.fetch()
                observed = flow.to_observable()
            with pytest.raises(Exception, match="Timeout"):
                await observed
            assert asyncio.get_running_loop().time() == 0.5
            await turns()
            assert world.opened == world.closed
            assert alone()

        run_virtual(main)

    @pytest.mark.parametrize(("failing", "taken"), [(0, 99), (1, 99), (0, 2)])
    def test_finally_action_comes_once_on_every_way_out(self, failing: int, taken: int) -> None:
        """At the end, with an error, and when the flow is left."""
        world = World(failing)
        done: list[int] = []

        async def main() -> None:
            events = Events()
            events.of(world.ys.pipe(ops.finally_action(lambda: done.append(1)), ops.take(taken)))
            await events.ended.wait()
            assert len(events.errors) == failing
            await turns()
            assert done == [1]

        run_virtual(main)

    @pytest.mark.parametrize("where", ["step", "run"])
    def test_an_inner_flow_may_skip_its_failures(self, where: str) -> None:
        """By options of its own; those of a run are those of an inner flow, too."""
        world = World(failing=1)
        skip = StepOptions(on_error="skip")
        inner = world.fetch().options(on_error="skip") if where == "step" else world.fetch()

        async def main() -> None:
            part = ops.flat_map(untyped(lambda part: part >> inner))
            flow = world.source() >> rx_pipe(ops.group_by(odd), part)
            result = await arun(flow, options=None if where == "step" else skip)
            assert [output["fetch"]["y"] for output in result[0]] == [0, 1, 2, 4, 5]

        run_virtual(main)


class TestLineage:
    """Products that pass through operators know what they come of."""

    @pytest.mark.parametrize(
        "operator",
        [
            lambda w: ops.filter(lambda product: untyped(product)["x"] < 9),
            lambda w: ops.delay(1),
            lambda w: ops.debounce(0.1),
            lambda w: ops.observe_on(AsyncIOScheduler(asyncio.get_running_loop())),
            lambda w: ops.share(),
            lambda w: ops.finally_action(lambda: None),
            lambda w: ops.merge(reactivex.empty()),
            lambda w: ops.timeout(5),
            lambda w: ops.take_until(reactivex.never()),
            lambda w: ops.flat_map(untyped(reactivex.of)),
        ],
    )
    def test_products_that_pass_keep_it(self, operator: Any) -> None:
        """The source is in the output."""
        world = World()

        async def main() -> None:
            flow = world.source() >> rx_pipe(operator(world)) >> world.fetch()
            assert (await arun(flow))[0] == [
                {"src": {"x": one}, "fetch": {"y": one}} for one in ALL
            ]

        run_virtual(main)

    def test_an_inner_flow_per_group_adds_to_it(self) -> None:
        """The steps of the inner flow are behind those of the outer one."""
        world = World()

        async def main() -> None:
            inner = world.fetch() >> step("twice", lambda y: {"y": 2 * y})
            grouped = rx_pipe(ops.group_by(odd), ops.flat_map(untyped(lambda part: part >> inner)))
            flow = world.source() >> grouped >> step("last", lambda y: {"z": y})
            outputs = (await arun(flow))[0]
            assert outputs == [
                {
                    "src": {"x": one},
                    "fetch": {"y": one},
                    "twice": {"y": 2 * one},
                    "last": {"z": 2 * one},
                }
                for one in ALL
            ]

        run_virtual(main)

    def test_two_flows_that_are_merged_keep_theirs(self) -> None:
        """Each product has its own."""
        world = World()

        async def main() -> None:
            other = step("other", [{"x": 7}]).to_observable()
            flow = world.source() >> rx_pipe(ops.merge(other)) >> world.fetch()
            outputs = (await arun(flow))[0]
            assert sorted(next(iter(output)) for output in outputs) == ["other", *["src"] * 6]

        run_virtual(main)


class TestGroups:
    def test_branches_may_have_operators_of_their_own(self) -> None:
        """Each in its own time; the source runs once."""
        world = World()

        async def main() -> None:
            flow = world.source() >> parallel(
                rx_pipe(ops.delay(2)) >> world.fetch("late"),
                rx_pipe(ops.take(2)) >> world.fetch("few"),
                rx_pipe(ops.debounce(1.5)) >> world.fetch("last"),
                passthrough(),
            )
            result = await arun(flow)
            assert [len(path) for path in result] == [6, 2, 1, 6]
            assert (world.opened, world.closed) == (1, 1)
            assert asyncio.get_running_loop().time() == 8.25

        run_virtual(main)

    def test_a_flow_may_be_zipped_with_itself(self) -> None:
        """Runs twice, as each subscription is a run; once behind share()."""
        for shared, count in ((False, 2), (True, 1)):
            world = World()

            async def main(world: World = world, shared: bool = shared, count: int = count) -> None:
                observed = world.ys.pipe(ops.share()) if shared else world.ys
                assert len(await observed.pipe(ops.zip(observed), ops.to_list())) == 6
                assert world.opened == world.closed == count

            run_virtual(main)

    def test_to_await_a_flow_of_nothing_is_an_error_of_rx(self) -> None:
        """Is Rx's own error; a list of it is empty."""

        async def main() -> None:
            nothing = (step("src", []) >> World().fetch()).to_observable()
            assert await nothing.pipe(ops.to_list()) == []
            with pytest.raises(reactivex.internal.SequenceContainsNoElementsError):
                await nothing

        run_virtual(main)
