"""Bad input, the rows about chains, groups and runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fluxus_rx import RunResult, arun, chain, parallel, passthrough, run, step
from tests.support.errors import refused, untyped


def enrich(x: int) -> dict[str, int]:
    return {"y": x}


def source() -> Any:
    return step("src", {"x": 3})


def enriched() -> Any:
    return step("enrich", enrich)


class TestChains:
    @pytest.mark.parametrize(
        ("other", "shown"),
        [(42, "42 (int)"), ("abc", "(str)"), (None, "None"), ([1], "list"), (enrich, "function")],
    )
    def test_row_9_only_conduits_can_be_chained(self, other: Any, shown: str) -> None:
        """Row 9: what stands on the right is shown with its type, and what may stand there."""
        with refused(TypeError, "'src'", shown, "step", "group", "consumer"):
            source() >> other

    def test_row_10_a_producer_can_only_come_first(self) -> None:
        """Row 10: both names, and why the second is a producer."""
        with refused(TypeError, "'enrich'", "'src'", "producer", "no arguments", "first"):
            enriched() >> step("src", lambda: {"x": 1})
        with refused(TypeError, "'enrich'", "'src'", "producer", "first"):
            enriched() >> source()
        with refused(TypeError, "'src'", "'other'", "producer", "first"):
            source() >> step("other", {"x": 1})
        with refused(TypeError, "'enrich'", "'src'", "producer", "first"):
            chain(enriched(), source())

    def test_row_11_a_list_in_chain_is_recognised(self) -> None:
        """Row 11: the forgotten star is named."""
        with refused(TypeError, "chain()", "argument 0", "list of 2", "chain(*"):
            chain(untyped([source(), enriched()]))

    def test_row_12_an_empty_chain_is_refused(self) -> None:
        """Row 12: a chain has at least one step."""
        with refused(TypeError, "chain()", "at least one step"):
            untyped(chain)()

    def test_row_19_a_passthrough_in_a_chain_is_refused(self) -> None:
        """Row 19: where a passthrough belongs is said."""
        with refused(TypeError, "passthrough", "no effect", "chain", "parallel()"):
            untyped(chain)(source(), passthrough())
        with refused(TypeError, "passthrough", "chain", "parallel()"):
            source() >> untyped(passthrough())
        with refused(TypeError, "passthrough", "chain", "parallel()"):
            untyped(passthrough()) >> enriched()


class TestGroups:
    def test_row_13_an_empty_group_is_refused(self) -> None:
        """Row 13: an empty list is told apart from no argument at all."""
        with refused(TypeError, "parallel()", "at least one step", "list", "empty"):
            parallel([])
        with refused(TypeError, "parallel()", "at least one step"):
            untyped(parallel)()

    @pytest.mark.parametrize("value", [None, 42])
    def test_row_14_only_steps_can_be_in_a_group(self, value: Any) -> None:
        """Row 14: the argument and its place are named, and what may stand there."""
        with refused(
            TypeError, "parallel()", "argument 1", repr(value), "step", "passthrough", "flow"
        ):
            parallel(enriched(), value)

    def test_row_15_a_passthrough_alone_is_refused(self) -> None:
        """Row 15: a group of nothing but a passthrough has no effect."""
        with refused(TypeError, "parallel()", "passthrough", "no effect"):
            untyped(parallel)(passthrough())
        with refused(TypeError, "parallel()", "passthrough", "no effect"):
            untyped(parallel)([passthrough()])

    def test_row_16_two_passthroughs_are_refused(self) -> None:
        """Row 16: both places are named, and what a second one would do."""
        with refused(TypeError, "parallel()", "2 passthroughs", "0 and 2", "double"):
            parallel(passthrough(), enriched(), passthrough())

    def test_row_17_a_passthrough_in_a_nested_group_counts(self) -> None:
        """Row 17: the second passthrough is found in a group within the group."""
        with refused(TypeError, "parallel()", "2 passthroughs", "nested", "argument 2", "double"):
            parallel(enriched(), passthrough(), parallel(enriched(), passthrough()))

    def test_row_17_a_passthrough_behind_a_step_of_a_branch_does_not_count(self) -> None:
        """Row 17: a group inside a chain may have a passthrough of its own."""
        flow = source() >> parallel(
            passthrough(), enriched() >> parallel(passthrough(), step("more", enrich))
        )

        assert len(run(flow)) == 3

    def test_row_18_producers_and_transformers_do_not_mix(self) -> None:
        """Row 18: one of each is named."""
        with refused(TypeError, "producers", "'src'", "transformers", "'enrich'"):
            untyped(parallel)(source(), enriched())
        with refused(TypeError, "'src'", "'enrich'"):
            source() & enriched()
        with refused(TypeError, "'src'", "'enrich'"):
            enriched() & source()

    def test_row_18_a_producer_and_a_passthrough_do_not_mix(self) -> None:
        """Row 18: a passthrough takes input, a producer does not."""
        with refused(TypeError, "'src'", "assthrough", "input"):
            untyped(parallel)(source(), passthrough())


class TestRuns:
    def test_row_20_a_passthrough_alone_cannot_run(self) -> None:
        """Row 20: a passthrough isn't a flow."""
        with refused(TypeError, "run()", "flow", "passthrough"):
            run(untyped(passthrough()))

    def test_row_21_a_stray_comma_is_recognised(self) -> None:
        """Row 21: a tuple of one flow is most likely a comma too many."""
        flow = (source() >> enriched(),)
        with refused(TypeError, "run()", "tuple of 1", "comma"):
            run(untyped(flow))

    def test_row_22_a_list_of_steps_is_recognised(self) -> None:
        """Row 22: a list of steps is most likely meant as a chain."""
        with refused(TypeError, "run()", "list of 2", "run(chain(*"):
            run(untyped([source(), enriched()]))

    @pytest.mark.parametrize(
        ("value", "shown"),
        [(42, "42 (int)"), (None, "None"), ("abc", "(str)"), (enrich, "function")],
    )
    def test_row_22_anything_that_is_no_flow_is_refused(self, value: Any, shown: str) -> None:
        """Row 22: any other value is shown with its type."""
        with refused(TypeError, "run()", shown):
            run(value)

    def test_row_23_input_and_a_producer_exclude_each_other(self) -> None:
        """Row 23: the producer that the flow begins with is named."""
        with refused(TypeError, "run()", "input", "'src'", "producer"):
            untyped(run)(source() >> enriched(), input={"x": 1})

    def test_row_24_input_that_is_no_data_is_refused(self) -> None:
        """Row 24: the value is shown with its type, and what input may be."""
        with refused(TypeError, "run()", "input", "mapping", "iterable", "5 (int)"):
            run(enriched(), input=untyped(5))

    def test_row_24_input_of_non_mappings_is_refused(self) -> None:
        """Row 24: the items of input are checked as those of data are."""
        with refused(TypeError, "input", "item 1", "2 (int)", "mapping"):
            run(enriched(), input=untyped([{"x": 1}, 2]))

    def test_row_25_a_string_is_no_input(self) -> None:
        """Row 25: a string is an iterable, but not of mappings."""
        with refused(TypeError, "run()", "input", "mapping", "iterable", "'abc' (str)"):
            run(enriched(), input=untyped("abc"))

    async def test_row_26_run_works_inside_a_running_loop(self) -> None:
        """Row 26: run() beneath a running loop returns what it returns elsewhere."""
        assert run(source() >> enriched()) == RunResult([{"src": {"x": 3}, "enrich": {"y": 3}}])

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_the_same_mistakes_are_told_by_arun(self, asynchronous: bool) -> None:
        """arun() refuses what run() refuses."""
        bad: list[tuple[Any, dict[str, Any], str]] = [
            (passthrough(), {}, "passthrough"),
            ((source(),), {}, "comma"),
            ([source(), enriched()], {}, "chain(*"),
            (source(), {"input": {"x": 1}}, "'src'"),
            (enriched(), {"input": 5}, "5 (int)"),
        ]

        async def wait(flow: Any, options: dict[str, Any]) -> None:
            await arun(flow, **options)

        def call(flow: Any, options: dict[str, Any]) -> None:
            if asynchronous:
                asyncio.run(wait(flow, options))
            else:
                run(flow, **options)

        for flow, options, part in bad:
            with refused(TypeError, part):
                call(flow, options)

    def test_row_40_a_result_without_outputs_is_an_empty_frame(self) -> None:
        """Row 40: to_frame() of nothing is a frame without rows."""
        pytest.importorskip("pandas")
        for flow in (step("src", []), step("src", []) >> (enriched() & passthrough())):
            assert run(flow).to_frame().empty
