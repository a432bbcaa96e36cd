"""`rx_pipe(…, name=…)` and `stream_pipe(…, name=…)`: what operators create, as products."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import pytest
import reactivex
from aiostream import pipe
from reactivex import operators as ops

from fluxus_rx import (
    InvalidAttributeError,
    InvalidProductError,
    MissingAttributeError,
    from_observable,
    parallel,
    passthrough,
    run,
    rx_pipe,
    step,
)
from fluxus_rx._conduits.remaker import is_one_by_one
from fluxus_rx.testing import virtual_time
from tests.support.errors import refused
from tests.support.named_pipes import PIPES, total, windows
from tests.support.scripted_calls import numbers


def x_of(product: Any) -> int:
    """Its x."""
    x: int = product["x"]
    return x


def odd(product: Any) -> int:
    """1 where its x is odd, else 0."""
    return x_of(product) % 2


def added(before: int, product: Any) -> int:
    """What an accumulator comes to."""
    return before + x_of(product)


def made(flow: Any) -> list[tuple[str, dict[str, Any], list[int]]]:
    """What comes out: its name, its attributes, and the x of each of its precursors."""
    return [
        (p.product_name, dict(p.product_attributes), [before["x"] for before in p.precursors])
        for p in flow
    ]


class TestPassing:
    """Products that operators pass, or drop."""

    @pytest.mark.parametrize(
        "operators",
        [
            [ops.filter(bool)],
            [ops.take(4)],
            [ops.distinct(x_of)],
            [ops.pairwise(), ops.map(lambda pair: pair[0]), ops.merge(reactivex.empty())],
            [ops.do_action(print)],
            [ops.scan(lambda before, product: product)],
            [ops.group_by(odd), ops.merge_all()],
        ],
    )
    @pytest.mark.parametrize("name", [None, "made"])
    def test_they_keep_their_lineage(self, operators: Any, name: str | None) -> None:
        """With a name for those that aren't passed, too."""
        products = [*(numbers(4) >> rx_pipe(*operators, name=name))]
        assert len(products) in (3, 4)
        assert {product.product_name for product in products} == {"src"}
        outputs = run(numbers(4) >> rx_pipe(*operators, name=name) >> step("y", lambda x: {"y": x}))
        assert all(output["src"]["x"] == output["y"]["y"] for output in outputs[0])

    def test_an_inner_flow_per_group_goes_on_with_the_lineage(self) -> None:
        """Its steps take the products of the group."""
        square = step("square", lambda x: {"square": x * x})
        grouped = rx_pipe(
            ops.group_by(odd),
            ops.flat_map(lambda group: group.pipe(square)),
            name="group",
        )
        assert sorted(run(numbers(4) >> grouped)[0], key=lambda output: output["src"]["x"]) == [
            {"src": {"x": x}, "square": {"square": x * x}} for x in range(4)
        ]

    def test_an_asynchronous_inner_flow_does_too(self) -> None:
        """Its products belong to the group's lineage."""

        async def square(x: int) -> dict[str, int]:
            await asyncio.sleep(0)
            return {"square": x * x}

        grouped = rx_pipe(
            ops.group_by(odd),
            ops.flat_map(lambda group: group.pipe(step("square", square), ops.to_list())),
            name="group",
        )
        for product in numbers(4) >> grouped:
            assert product.product_name == "group"
            for before in product.precursors:
                assert before.get_lineage_attributes() == {
                    "src": {"x": before["x"]},
                    "square": {"square": before["x"] ** 2},
                }

    def test_a_pipe_passes_some_and_makes_others(self) -> None:
        """Each is what it is."""
        mixed = rx_pipe(ops.map(lambda p: p if p["x"] % 2 else p["x"]), name="even")
        assert run(numbers(4) >> mixed)[0] == [
            {"src": {"x": 0}, "even": {"even": 0}},
            {"src": {"x": 1}},
            {"src": {"x": 2}, "even": {"even": 2}},
            {"src": {"x": 3}},
        ]


class TestMaking:
    """What operators make of products."""

    @pytest.mark.parametrize(
        ("operators", "attributes", "precursors"),
        [
            ([ops.map(x_of)], [0, 1, 2, 3], [[0], [1], [2], [3]]),
            ([ops.map(lambda p: None)], [None] * 4, [[0], [1], [2], [3]]),
            ([ops.scan(added, 0)], [0, 1, 3, 6], [[0], [1], [2], [3]]),
            ([ops.reduce(added, 0)], [6], [[]]),
            ([ops.count()], [4], [[]]),
            ([ops.with_latest_from(reactivex.of(7)), ops.map(itemgetter(1))], [7] * 4, None),
            ([ops.all(lambda p: x_of(p) < 2)], [False], [[2]]),
        ],
    )
    def test_what_is_no_mapping_is_the_attribute_of_the_name(
        self, operators: Any, attributes: list[Any], precursors: list[list[int]] | None
    ) -> None:
        """It came of the product that the operators were given when they emitted it, if any."""
        pipe = rx_pipe(*operators, name="n")
        expected = precursors or [[0], [1], [2], [3]]
        assert made(numbers(4) >> pipe) == [
            ("n", {"n": value}, before) for value, before in zip(attributes, expected, strict=True)
        ]
        assert [output["n"] for output in run(numbers(4) >> pipe)[0]] == [
            {"n": value} for value in attributes
        ]

    @pytest.mark.parametrize("name", [None, "m"])
    def test_what_is_made_of_one_product_alone_has_its_lineage(self, name: str | None) -> None:
        """By operators that are known to emit one item for one, at once; also steps behind it."""
        one_by_one = rx_pipe(
            ops.filter(lambda p: bool(odd(p))),
            ops.map(lambda p: {"y": p["x"]}),
            ops.take(2),
            name=name,
        )
        called = name or "rx_pipe"
        flow = numbers(4) >> one_by_one >> step("z", lambda x, y: {"z": x + y})
        assert run(flow)[0] == [
            {"src": {"x": x}, called: {"y": x}, "z": {"z": 2 * x}} for x in (1, 3)
        ]
        several = rx_pipe(ops.map(lambda p: {"y": p["x"]}), ops.scan(lambda a, b: b), name="m")
        assert run(numbers(2) >> several)[0] == [{"m": {"y": 0}}, {"m": {"y": 1}}]

    @pytest.mark.parametrize(
        ("operators", "is_known"),
        [
            ([ops.map(abs)], True),
            ([ops.map_indexed(max)], True),
            ([ops.starmap(max)], True),
            ([ops.pluck("x")], True),
            ([ops.filter(bool), ops.map(abs), ops.take(1), ops.skip(1)], True),
            ([ops.map(abs), ops.take_while(bool), ops.skip_while(bool), ops.first()], True),
            ([ops.map(abs), ops.distinct(), ops.distinct_until_changed(), ops.do_action()], True),
            ([ops.map(abs), ops.filter_indexed(lambda x, i: bool(i))], True),
            ([ops.filter(bool)], False),  # makes nothing
            ([ops.map(abs), ops.delay(1)], False),
            ([ops.map(abs), ops.buffer_with_count(2)], False),
            ([ops.map(abs), lambda source: source], False),
            ([ops.flat_map(reactivex.of)], False),
            ([ops.scan(max)], False),
            ([ops.pairwise(), ops.map(abs)], False),
        ],
    )
    def test_operators_that_give_one_item_for_one_are_told(
        self, operators: Any, is_known: bool
    ) -> None:
        """By how reactivex makes them; of others, nothing is known."""
        assert is_one_by_one(operators) is is_known

    def test_a_mapping_has_the_attributes_that_it_has(self) -> None:
        """It came of the products in it; if there are none, of that which was given."""
        plain = rx_pipe(ops.map(lambda p: {"y": p["x"]}), name="m")
        assert made(numbers(2) >> plain) == [("m", {"y": 0}, [0]), ("m", {"y": 1}, [1])]
        holding = rx_pipe(
            ops.pairwise(), ops.map(lambda two: {"a": two[0], "b": [two[1]]}), name="m"
        )
        assert [before for _, _, before in made(numbers(3) >> holding)] == [[0, 1], [1, 2]]

    @pytest.mark.parametrize("make", PIPES)
    def test_a_list_has_the_products_in_it_as_precursors(self, make: Any) -> None:
        """In their order, for operators of either library."""
        operator = ops.buffer_with_count(3) if make is rx_pipe else pipe.chunks(3)
        found = [*(numbers(5) >> make(operator, name="window"))]
        assert [[p["x"] for p in product.precursors] for product in found] == [[0, 1, 2], [3, 4]]
        assert [product["window"] for product in found] == [[*p.precursors] for p in found]
        assert [product.precursor for product in found] == [None, None]

    @pytest.mark.parametrize(
        ("holder", "count"),
        [
            (lambda p: (p, p), 2),
            (lambda p: {"a": p, "b": {"c": [p]}}, 2),
            (lambda p: [[(p,)], 1, "a", None, {"x": 1}], 1),
            (lambda p: [], 1),
            (lambda p: "abc", 1),
        ],
    )
    def test_products_are_found_in_what_holds_products(
        self, holder: Callable[[Any], Any], count: int
    ) -> None:
        """Lists, tuples and dictionaries, in one another."""
        (product,) = numbers(1) >> rx_pipe(ops.map(holder), name="h")
        assert [dict(before) for before in product.precursors] == [{"x": 0}] * count

    def test_an_accumulator_that_nests_deeper_with_each_product_does_not_break(self) -> None:
        """Where lists hold lists, 3,000 deep."""
        nested = rx_pipe(
            ops.scan(lambda before, product: (before, product), ()), ops.last(), name="n"
        )
        (product,) = numbers(3_000) >> nested
        assert len(product["n"]) == 2

    def test_pairs_with_another_source_have_both_as_precursors(self) -> None:
        """with_latest_from, combine_latest and zip of two flows."""
        other = step("other", [{"x": 100}])
        for operator in (ops.zip, ops.combine_latest, ops.with_latest_from):
            pairs = rx_pipe(operator(other.to_observable()), name="pair")
            flow = numbers(1) >> rx_pipe(ops.delay(0.01)) >> pairs
            with virtual_time():
                assert [before for _, _, before in made(flow)] == [[0, 100]]

    def test_what_comes_later_has_no_precursors(self) -> None:
        """Operators that delay what they emit don't tell what it came of."""
        late = rx_pipe(ops.map(lambda p: p["x"]), ops.delay(1), name="late")
        with virtual_time():
            assert made(numbers(2) >> late) == [
                ("late", {"late": 0}, []),
                ("late", {"late": 1}, []),
            ]

    def test_a_window_by_time_has_those_that_came_in_it(self) -> None:
        """Also one that is given when nothing comes."""
        windows = rx_pipe(ops.buffer_with_time_or_count(3, 2), ops.filter(bool), name="window")

        async def spaced() -> Any:
            for x in range(3):
                await asyncio.sleep(1)
                yield {"x": x}

        with virtual_time():
            assert [before for _, _, before in made(step("src", spaced) >> windows)] == [
                [0, 1],
                [2],
            ]

    def test_windows_of_windows_lead_back_to_the_source(self) -> None:
        """Precursor by precursor."""
        (product,) = numbers(4) >> windows(2, "pair") >> windows(2, "pairs")
        pairs = product.precursors
        assert [pair.product_name for pair in pairs] == ["pair", "pair"]
        assert [[p["x"] for p in pair.precursors] for pair in pairs] == [[0, 1], [2, 3]]


class TestLineage:
    """What stands behind a named pipe."""

    def test_it_begins_with_the_window(self) -> None:
        """Attributes in front of it are not seen: they are those of several products."""
        with refused(MissingAttributeError, "'bad' needs the attribute 'x'", "'window'"):
            run(numbers(4) >> windows() >> step("bad", lambda x: {"y": x}))
        (first, second) = numbers(4) >> windows() >> total
        names = [product.product_name for product in first.get_lineage()]
        assert names == ["window", "total"]
        assert dict(second) == {"window": second["window"], "total": 5}

    def test_the_precursor_of_the_next_step_is_the_window(self) -> None:
        """And the only one; its own are the products of which it was made."""
        for flow in (
            numbers(4) >> windows() >> total,
            numbers(4) >> windows() >> total >> step("z", lambda total: {"z": 1}),
        ):
            product, _ = flow
            while product.product_name != "window":
                (before,) = product.precursors
                assert before == product.precursor
                product = before
            assert [p["x"] for p in product.precursors] == [0, 1]

    def test_items_that_are_no_products_are_named_but_have_no_precursors(self) -> None:
        """The step behind has the window all the same."""
        flow = from_observable(reactivex.of(1, 2, 3, 4), "x") >> windows()
        assert run(flow)[0] == [{"window": {"window": [1, 2]}}, {"window": {"window": [3, 4]}}]
        first, _ = flow >> step("sum", lambda window: {"sum": sum(window)})
        assert first.precursors == (first.precursor,)
        assert first.precursor is not None
        assert (first.precursor.product_name, first.precursor.precursors) == ("window", ())

    def test_a_branch_has_its_windows_and_the_others_what_they_have(self) -> None:
        """A result is grouped by path."""
        flow = numbers(4) >> (passthrough() & windows() >> total & step("y", lambda x: {"y": x}))
        passed, totals, others = run(flow)
        assert passed == [{"src": {"x": x}} for x in range(4)]
        assert [output["total"] for output in totals] == [{"total": 1}, {"total": 5}]
        assert others == [{"src": {"x": x}, "y": {"y": x}} for x in range(4)]

    def test_a_group_behind_takes_the_windows(self) -> None:
        """Each branch with the same precursors."""
        count = step("count", lambda window: {"count": len(window)})
        first, second = run(numbers(4) >> windows() >> (total & count))
        assert [output["total"]["total"] for output in first] == [1, 5]
        assert [output["count"]["count"] for output in second] == [2, 2]

    def test_pipes_of_several_sources_are_one_per_path(self) -> None:
        """Windows never mix them."""
        flow = parallel(numbers(2), numbers(4)) >> windows() >> total
        assert [[output["total"]["total"] for output in path] for path in run(flow)] == [
            [1],
            [1, 5],
        ]

    def test_a_name_that_occurs_again_is_told_apart(self) -> None:
        """As any other name in a result."""
        again = step("window", lambda window: {"n": len(window)})
        assert [[*output] for output in run(numbers(4) >> windows() >> again)[0]] == [
            ["window", "window#1"]
        ] * 2

    def test_a_step_without_a_name_in_front_is_told_to_have_one(self) -> None:
        """What an operator makes needs it."""
        plain = rx_pipe(ops.map(lambda p: p["x"]))
        with refused(InvalidProductError, "'bad'", "0 (int)", "rx_pipe(…, name='x')"):
            run(numbers(4) >> plain >> step("bad", lambda x: {"y": x}))
        with refused(InvalidProductError, "run()", "0 (int)", "rx_pipe(…, name='x')"):
            run(numbers(4) >> plain)
        assert [*(numbers(2) >> plain)] == [0, 1]

    @pytest.mark.parametrize("make", PIPES)
    def test_keys_that_are_no_attributes_are_refused(self, make: Any) -> None:
        """By the name of the pipe."""
        operator: Any = ops.map if make is rx_pipe else pipe.map
        for wrong, error in (({1: 2}, InvalidProductError), ({"a b": 2}, InvalidAttributeError)):
            with refused(error, "'made'"):
                run(numbers(4) >> make(operator(lambda p, wrong=wrong: wrong), name="made"))
