"""The laws of failures that run again, on random flows in virtual time.

The same flow runs three times: with calls that fail, with those run again, and with no call that
fails. What the first two come to is what the third one returns.
"""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from fluxus_rx import Failure, RunResult, arerun, arun
from fluxus_rx.testing import virtual_time
from tests.support.planned_flows import (
    Graph,
    Node,
    Plan,
    Told,
    Uid,
    World,
    graphs,
    named,
    nodes,
    nodes_of,
    one_passthrough,
    replaced,
    seeds,
    sizes,
    source_of,
    uid_of,
)
from tests.support.probes import alone

Failed = Sequence[Failure]


@dataclass
class Mended(World):
    """A world in which so many of a hundred calls fail; `times` counts how often it was mended, and
    each time others fail and all of them take another while."""

    percent: int = 0
    times: int = 0

    def plan(self, node: Node, uid: Uid) -> Plan:
        """The same products in each, and other failures and delays."""
        plan = super().plan(node, uid)
        source = random.Random(f"{self.seed} {self.times} {node.name} {uid}")
        fails = 99 if source.randrange(100) < self.percent else 0
        given = source.randint(0, plan.products) if "generator" in node.kind else 0
        seconds = tuple(source.choice([0, 0, 1, 3, 9]) for _ in plan.seconds)
        return replace(plan, fails=fails, given=given, seconds=seconds)


@dataclass
class Case:
    """A random flow, and what it returns in worlds in which more or less goes well."""

    graph: Graph
    count: int
    seed: int

    def flow(self, world: World) -> Any:
        """The flow, in that world."""
        return source_of(self.count) >> world.flow(self.graph)

    def failing(self, percent: int = 30, times: int = 0) -> Any:
        """A flow in which many calls fail."""
        return self.flow(Mended(self.seed, percent=percent, times=times))

    def well(self) -> Any:
        """The flow in which none does."""
        return self.flow(Mended(self.seed, times=99))

    def uids(self) -> list[list[Uid]]:
        """What nested loops would return if all went well."""
        world, inputs = Mended(self.seed), [(number,) for number in range(self.count)]
        return world.paths(self.graph, inputs, Told())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A small flow of steps that collect their failures, and as many attempts as they like."""
    graph = replaced(named(draw(graphs(nodes()))), {"on_error": "collect"})
    assume(one_passthrough(graph))
    case = Case(graph, draw(sizes), draw(seeds))
    told = Told()
    inputs = [(number,) for number in range(case.count)]
    Mended(case.seed).paths(graph, inputs, told)
    assume(told.calls < 200)
    return case


def uids(result: RunResult) -> list[list[Uid]]:
    """What a result has, by where it comes from."""
    return [[uid_of(output) for output in path] for path in result]


def in_time(main: Callable[[], Any]) -> None:
    """Run it, and see that it leaves nothing."""

    async def checked() -> None:
        await main()
        assert alone()

    with virtual_time() as run_in:
        run_in(checked)


class TestMerged:
    @given(cases(), st.integers(2, 4), st.randoms(use_true_random=False))
    def test_in_any_number_of_goes_in_any_order(
        self, case: Case, goes: int, shuffle: random.Random
    ) -> None:
        """Each failure in one of them; failures in front of others may come later."""

        async def main() -> None:
            merged = await arun(case.failing())
            parts: list[list[Failure]] = [[] for _ in range(goes)]
            for failure in merged.failures:
                shuffle.choice(parts).append(failure)
            for part in parts:
                merged = merged.merged(await arerun(case.well(), part))
            assert uids(merged) == case.uids()
            assert not merged.failures

        in_time(main)

    @given(cases(), st.integers(1, 3))
    def test_what_fails_again_can_run_again(self, case: Case, rounds: int) -> None:
        """As often as it takes; of the merged result, or of the reruns merged before it."""

        async def main() -> None:
            first = await arun(case.failing())
            merged, later = first, None
            for number in range(1, rounds + 1):
                flow = case.well() if number == rounds else case.failing(times=number)
                failures = first.failures if later is None else later.failures
                assert shown(failures) == shown(merged.failures)
                again = await arerun(flow, failures)
                merged = merged.merged(again)
                later = again if later is None else later.merged(again)
            assert later is not None
            assert uids(merged) == case.uids()
            assert not merged.failures
            assert first.merged(later) == merged
            assert not first.merged(later).failures

        in_time(main)

    @given(cases())
    def test_running_the_same_failures_twice_changes_nothing(self, case: Case) -> None:
        """A second rerun stands in for the first one."""

        async def main() -> None:
            broken = await arun(case.failing())
            once = broken.merged(await arerun(case.well(), broken.failures))
            twice = once.merged(await arerun(case.well(), [*broken.failures, *broken.failures]))
            assert once == twice
            assert not twice.failures

        in_time(main)

    @given(cases(), st.integers(2, 3))
    def test_failures_that_did_not_run_again_are_left(self, case: Case, every: int) -> None:
        """But for those of products that have been made again."""

        async def main() -> None:
            broken = await arun(case.failing())
            part = broken.failures[::every]
            merged = broken.merged(await arerun(case.well(), part))
            assert [*merged.failures] == [
                one
                for one in broken.failures
                if one not in part and not any(comes_of(one, other) for other in part)
            ]
            rest = await arerun(case.well(), merged.failures)
            assert uids(merged.merged(rest)) == case.uids()

        in_time(main)


class TestCalls:
    @given(cases(), st.sampled_from([10, 30, 100]), st.booleans())
    def test_what_failed_runs_again_and_nothing_else(
        self, case: Case, percent: int, all_of_it: bool
    ) -> None:
        """Each failed call once, and those that come of it; no other call."""
        whole, again = (Mended(case.seed, times=times) for times in (98, 99))

        async def main() -> None:
            await arun(case.flow(whole))
            failures: Failed = (await arun(case.failing(percent))).failures
            failures = failures if all_of_it else failures[::2]
            await arerun(case.flow(again), failures)
            assert again.attempts == {
                (name, uid): 1
                for name, uid in whole.attempts
                if any(
                    (name, uid) == (one.step, one.product["uid"]) or below(uid, one)
                    for one in failures
                )
            }

        in_time(main)

    @given(cases(), st.integers(0, 9), st.booleans())
    def test_they_may_run_again_from_an_earlier_step(
        self, case: Case, which: int, apart: bool
    ) -> None:
        """Once for all failures that came of one of its calls; all of it stands in for these."""
        names = [node.name for node in nodes_of(case.graph)]
        start = names[which % len(names)]
        whole, again = Mended(case.seed, times=98), Mended(case.seed, times=99)

        async def main() -> None:
            broken = await arun(case.failing())
            behind = [one for one in broken.failures if start in one.path.split(" → ")]
            behind = pickle.loads(pickle.dumps(behind)) if apart else behind
            merged = broken.merged(await arerun(case.flow(again), behind, start=start))
            # Product and steps by turns, from the source to the call.
            heads = {
                uid[: uid.index(start)] if start in uid else uid
                for uid in (one.product["uid"] for one in behind)
            }
            assert {uid for name, uid in again.attempts if name == start} == heads
            assert set(again.attempts.values()) <= {1}
            assert not any(start in one.path.split(" → ") for one in merged.failures)
            merged = merged.merged(await arerun(case.flow(whole), merged.failures))
            assert uids(merged) == case.uids()
            assert not merged.failures

        in_time(main)


class TestTimes:
    @given(cases(), st.sampled_from([10, 30]), st.integers(1, 2))
    def test_the_second_run_comes_after_the_first(
        self, case: Case, percent: int, rounds: int
    ) -> None:
        """Its calls are added to those of the first; a summary and a timeline can be made."""

        async def main() -> None:
            merged = await arun(case.failing(percent), timestamps=True)
            for number in range(1, rounds + 1):
                flow = case.well() if number == rounds else case.failing(percent, number)
                again = await arerun(flow, merged.failures, timestamps=True)
                ended, calls = elapsed(merged), merged._times.calls
                assert all(call.start >= ended for call in again._times.calls)
                merged = merged.merged(again)
                assert merged._times.calls == (*calls, *again._times.calls)
                assert elapsed(merged) == max(ended, elapsed(again))
            assert [[uid_of(output) for output in path] for path in merged] == case.uids()
            assert sum(one.calls for one in merged.summary().steps) == len(merged._times.calls)
            drawn = io.StringIO()
            merged.draw_timeline("text", file=drawn)
            assert "call" in drawn.getvalue()

        in_time(main)


def elapsed(result: RunResult) -> float:
    """How long the run took."""
    assert result._times.elapsed is not None
    return result._times.elapsed


def shown(failures: Failed) -> list[tuple[str, Uid]]:
    """The failures, by step and product."""
    return [(failure.step, failure.product["uid"]) for failure in failures]


def comes_of(one: Failure, other: Failure) -> bool:
    """Whether one call was made with what the other one had yielded before it failed."""
    return below(one.product["uid"], other)


def below(uid: Uid, failure: Failure) -> bool:
    """Whether a product comes of the call that has failed."""
    call = (*failure.product["uid"], failure.step)
    return uid[: len(call)] == call
