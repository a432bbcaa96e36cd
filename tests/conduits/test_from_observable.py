"""`from_observable`: what an observable emits, as the producer of a flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import (
    InvalidFlowError,
    InvalidNameError,
    InvalidOptionError,
    InvalidProductError,
    Producer,
    arun,
    astream,
    check,
    from_observable,
    passthrough,
    run,
    rx_pipe,
    start,
    step,
    stream,
)
from tests.support.conduits import Add, Collect
from tests.support.errors import refused, untyped
from tests.support.hot import POLICIES, Counted
from tests.support.probes import listed

double = step("double", lambda x: {"y": 2 * x})


def _raise(given: Any) -> None:
    given["x"] += 1


class TestItems:
    """What comes out."""

    def test_items_come_as_they_are_and_in_their_order(self) -> None:
        """Without a step nothing is made of them."""
        items = [None, 1, "a", {"x": 1}, [2], ()]
        assert list(from_observable(reactivex.from_iterable(items))) == items

    def test_an_observable_without_items_gives_none(self) -> None:
        """An empty one ends at once."""
        assert list(from_observable(reactivex.empty())) == []
        assert run(from_observable(reactivex.empty(), "x") >> double)[0] == []

    @pytest.mark.parametrize("overflow", POLICIES)
    async def test_each_run_subscribes_afresh(self, overflow: Any) -> None:
        """Nothing is kept between runs, and a flow that isn't run subscribes to nothing."""
        source = Counted(1)
        flow = from_observable(source, overflow=overflow)
        assert source.subscribed == 0
        assert [await listed(flow), await listed(flow)] == [[1], [1]]
        assert source.subscribed == 2

    async def test_a_step_takes_in_mappings_as_products_of_the_name(self) -> None:
        """With the attributes that they have."""
        source = from_observable(reactivex.of({"x": 1}, {"x": 2}), "reading")
        (outputs,) = await arun(source >> double)
        assert outputs == [
            {"reading": {"x": 1}, "double": {"y": 2}},
            {"reading": {"x": 2}, "double": {"y": 4}},
        ]

    async def test_a_step_takes_in_anything_else_as_the_attribute_of_the_name(self) -> None:
        """None and other odd values included."""
        source = from_observable(reactivex.of(None, 0, [1]), "x")
        (outputs,) = await arun(source >> step("seen", lambda x: {"seen": x}))
        assert [output["seen"]["seen"] for output in outputs] == [None, 0, [1]]

    async def test_mappings_without_a_name_are_called_input(self) -> None:
        """As those of `run(…, input=…)`."""
        (outputs,) = await arun(from_observable(reactivex.of({"x": 1})) >> double)
        assert outputs == [{"input": {"x": 1}, "double": {"y": 2}}]

    def test_what_is_no_mapping_needs_a_name(self) -> None:
        """The message says how to pass one."""
        with refused(InvalidProductError, "'double'", "1 (int)", "from_observable(…, name='x')"):
            run(from_observable(untyped(reactivex.of(1))) >> double)

    def test_the_error_of_a_mapping_that_is_no_product_names_the_source(self) -> None:
        """A key that isn't an identifier is told with the name that the source has."""
        with pytest.raises(ValueError, match="'reading' yielded an item with the key 'a b'"):
            run(from_observable(reactivex.of({"a b": 1}), "reading") >> double)

    def test_products_of_another_flow_keep_their_lineage(self) -> None:
        """A named source takes them in and adds nothing."""
        inner = step("src", [{"x": 1}]).to_observable()
        assert run(from_observable(inner, "again") >> double)[0] == [
            {"src": {"x": 1}, "double": {"y": 2}}
        ]

    def test_a_mapping_is_copied(self) -> None:
        """One that the source changes later on is as it was when the step took it in."""
        item = {"x": 1}
        observable = reactivex.from_iterable([item, item]).pipe(ops.do_action(_raise))
        flow = from_observable(observable, "in", buffer=1) >> step("out", lambda x: {"y": x})
        first, second = run(flow)[0]
        assert first is not second
        assert [first["in"]["x"], second["in"]["x"]] == [first["out"]["y"], second["out"]["y"]]

    async def test_a_result_shows_items_that_no_step_has_taken(self) -> None:
        """By the name of the source, wherever outputs are shown."""
        flow = from_observable(reactivex.of(1, 2), "x")
        expected = [{"x": {"x": 1}}, {"x": {"x": 2}}]
        assert (await arun(flow))[0] == expected
        assert [output async for _, output in astream(flow)] == expected
        async with start(flow) as running:
            assert (await running.result())[0] == expected

    def test_a_result_of_a_synchronous_run_shows_them_too(self) -> None:
        """`run` and `stream` say the same."""
        flow = from_observable(reactivex.of(1, 2), "x")
        expected = [{"x": {"x": 1}}, {"x": {"x": 2}}]
        assert run(flow)[0] == [output for _, output in stream(flow)] == expected

    def test_a_result_refuses_items_without_a_name(self) -> None:
        """An item that isn't a mapping has no name to be shown by."""
        with refused(InvalidProductError, "run()", "1 (int)"):
            run(from_observable(reactivex.of(1)))

    def test_a_passthrough_in_a_group_gives_them_the_name_too(self) -> None:
        """Each branch takes in what the source emits."""
        flow = from_observable(reactivex.of(1), "x") >> (double & passthrough())
        assert [*run(flow)] == [[{"x": {"x": 1}, "double": {"y": 2}}], [{"x": {"x": 1}}]]

    def test_two_of_them_side_by_side_keep_their_names(self) -> None:
        """Each path has that of its source."""
        ones, tens = (from_observable(reactivex.of(n), "x") for n in (1, 10))
        other = from_observable(reactivex.of(5), "y")
        flow = (ones & tens & other) >> step("seen", lambda x=0, y=0: {"sum": x + y})
        assert [[output["seen"]["sum"] for output in path] for path in run(flow)] == [
            [1],
            [10],
            [5],
        ]

    def test_one_source_may_stand_in_a_flow_twice(self) -> None:
        """Each place subscribes to the observable."""
        observable = Counted(1, 2)
        source = from_observable(observable, "x")
        assert [*run((source & source) >> double)] == [
            [{"x": {"x": x}, "double": {"y": 2 * x}} for x in (1, 2)]
        ] * 2
        assert observable.subscribed == 2

    def test_class_flows_take_the_items(self) -> None:
        """Transformers and consumers get what the observable emits."""
        source = from_observable(reactivex.of(1, 2, 3), overflow="error")
        assert list(source >> Add(10)) == [11, 12, 13]
        assert (source >> Add(1) >> Collect()).run() == [(0, 2), (0, 3), (0, 4)]

    def test_operators_and_steps_stand_behind_it(self) -> None:
        """The same as behind any other producer."""
        flow = from_observable(reactivex.range(10)) >> rx_pipe(ops.take(3)) >> Add(1)
        assert list(flow) == [1, 2, 3]


class TestArguments:
    """What is refused, and how it is shown."""

    def test_only_an_observable_is_taken(self) -> None:
        """The message says what to do with an iterable."""
        with refused(InvalidFlowError, "[1] (list)", "make a step or a SimpleProducer"):
            from_observable(untyped([1]))

    @pytest.mark.parametrize("name", ["", "a b", "1a", "a-b", "ä b", "[x]"])
    def test_a_name_must_be_an_identifier(self, name: str) -> None:
        """Steps take it as a parameter."""
        with refused(InvalidNameError, "from_observable()", repr(name), "identifiers"):
            from_observable(reactivex.of(1), name)

    def test_a_proposal_is_made_for_a_name(self) -> None:
        """As far as there is one."""
        with refused(InvalidNameError, "perhaps 'a_b'"):
            from_observable(reactivex.of(1), "a b")

    def test_a_name_must_be_a_string(self) -> None:
        """A number is none."""
        with refused(InvalidFlowError, "name=3 (int)", "expected a string"):
            from_observable(reactivex.of(1), untyped(3))

    @pytest.mark.parametrize("buffer", [0, -1])
    def test_a_buffer_has_room_for_one_item_at_least(self, buffer: int) -> None:
        """The message has the number."""
        with refused(InvalidOptionError, "from_observable()", f"buffer={buffer}", "from 1 on"):
            from_observable(reactivex.of(1), buffer=buffer)

    @pytest.mark.parametrize("buffer", [1.0, True, "1", float("inf")])
    def test_a_buffer_is_a_whole_number(self, buffer: Any) -> None:
        """Not even True is one."""
        with refused(InvalidFlowError, "from_observable()", "buffer=", "a whole number"):
            from_observable(reactivex.of(1), buffer=buffer)

    @pytest.mark.parametrize("overflow", ["drop", "", "KEEP", None, ["keep"], 1])
    def test_the_choices_of_overflow_are_told(self, overflow: Any) -> None:
        """All of them."""
        with refused(InvalidOptionError, "from_observable()", *map(repr, POLICIES)):
            from_observable(reactivex.of(1), overflow=overflow)

    @pytest.mark.parametrize("buffer", [2, 1_000])
    def test_latest_takes_no_buffer(self, buffer: int) -> None:
        """The message names what keeps more than one."""
        with refused(InvalidOptionError, f"buffer={buffer}", "'latest'", "'drop_oldest'"):
            from_observable(reactivex.of(1), buffer=buffer, overflow="latest")

    def test_a_buffer_of_one_is_what_latest_is(self) -> None:
        """So it may be said."""
        assert list(from_observable(reactivex.of(1, 2), buffer=1, overflow="latest")) == [2]

    @pytest.mark.parametrize(
        ("made", "text"),
        [
            (lambda o: from_observable(o), "from_observable(<obs>)"),
            (lambda o: from_observable(o, "x"), "from_observable(<obs>, name='x')"),
            (lambda o: from_observable(o, buffer=16), "from_observable(<obs>)"),
            (lambda o: from_observable(o, buffer=3), "from_observable(<obs>, buffer=3)"),
            (
                lambda o: from_observable(o, overflow="latest"),
                "from_observable(<obs>, overflow='latest')",
            ),
            (
                lambda o: from_observable(o, "x", buffer=2, overflow="error"),
                "from_observable(<obs>, name='x', buffer=2, overflow='error')",
            ),
        ],
    )
    def test_its_repr_is_how_it_was_made(
        self, made: Callable[[Any], Producer[Any]], text: str
    ) -> None:
        """Without what is the default."""

        class Named(Observable[int]):
            def __repr__(self) -> str:
                return "<obs>"

        assert repr(made(Named())) == text

    def test_check_tells_how_much_waits(self) -> None:
        """What the edge behind it holds is what its policy says."""
        bounded = from_observable(Subject(), "x", buffer=3, overflow="drop_newest")
        assert [f.text for f in check(bounded >> double) if f.step == "x → double"] == [
            "at most 3 products wait (3 in the buffer of 'x'); 'double' takes them one at a time"
        ]

    def test_a_drawing_names_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And shows the arguments that it was made with."""
        (from_observable(Subject(), "tick", overflow="latest") >> double).draw()
        drawn = capsys.readouterr().out
        assert "tick" in drawn
        assert "overflow='latest'" in drawn
        assert "double" in drawn
