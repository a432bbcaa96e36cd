"""`where` and `route`: which products go on, and where."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    InvalidFlowError,
    InvalidNameError,
    InvalidProductError,
    MissingAttributeError,
    Transformer,
    check,
    parallel,
    passthrough,
    rerun,
    route,
    run,
    start,
    step,
    stream,
    where,
)
from fluxus_rx.testing import virtual_time
from fluxus_rx.viz import to_tree
from tests.support.errors import notes, refused, untyped

ITEMS = [{"kind": kind, "x": x} for x, kind in enumerate("abcab")]
src = step("src", ITEMS)
double = step("double", lambda x: {"y": 2 * x})


async def waiting(x: int) -> dict[str, int]:
    """The later the smaller x is."""
    await asyncio.sleep(0.01 * (5 - x))
    return {"y": 2 * x}


def twice(x: int) -> Iterator[dict[str, int]]:
    """Two products of each."""
    yield {"y": x}
    yield {"y": -x}


def is_small(x: int) -> bool:
    """A predicate that can go to another process."""
    return x < 4


class Plain(Transformer[Any, Any]):
    """A transformer of a class."""

    def transform(self, product: Any) -> Iterator[Any]:
        yield {"y": product["x"]}


#: a flow of each kind, and what it adds to a product with this x
FLOWS: dict[str, tuple[Callable[[], Any], Callable[[int], list[dict[str, Any]]]]] = {
    "sync": (lambda: double, lambda x: [{"double": {"y": 2 * x}}]),
    "async": (lambda: step("late", waiting), lambda x: [{"late": {"y": 2 * x}}]),
    "ordered": (
        lambda: step("late", waiting).options(ordered=True),
        lambda x: [{"late": {"y": 2 * x}}],
    ),
    "several": (
        lambda: step("twice", twice),
        lambda x: [{"twice": {"y": x}}, {"twice": {"y": -x}}],
    ),
    "none": (lambda: step("none", lambda x: []), lambda x: []),
    "chain": (
        lambda: double >> step("more", lambda y: {"z": y + 1}),
        lambda x: [{"double": {"y": 2 * x}, "more": {"z": 2 * x + 1}}],
    ),
    "class": (Plain, lambda x: [{"Plain": {"y": x}}]),
    "passthrough": (passthrough, lambda x: [{}]),
}


@given(
    st.lists(st.integers(0, 4), max_size=12),
    st.lists(st.sampled_from([*FLOWS]), min_size=1, max_size=4),
    st.sampled_from([None, *FLOWS]),
    st.booleans(),
)
def test_each_product_goes_to_the_one_flow_of_its_key(
    keys: list[int], kinds: list[str], other: str | None, by_function: bool
) -> None:
    """In the order of nested loops, with a path for each flow in the order of the dictionary."""
    if other is None:
        keys = [key % len(kinds) for key in keys]
    asked: list[int] = []

    def key_of(x: int, key: int) -> int:
        asked.append(x)
        return key

    flows = {number: FLOWS[kind][0]() for number, kind in enumerate(kinds)}
    default = None if other is None else FLOWS[other][0]()
    items = [{"x": x, "key": key} for x, key in enumerate(keys)]
    router = route(key_of if by_function else "key", flows, default=default)

    with virtual_time():
        result = run(step("src", items) >> router)
    branches = [*kinds, *([] if other is None else [other])]
    assert [*result] == [
        [
            {"src": item, **added}
            for item in items
            if min(item["key"], len(kinds)) == number
            for added in FLOWS[kind][1](item["x"])
        ]
        for number, kind in enumerate(branches)
    ]
    assert asked == ([*range(len(items))] if by_function else [])


def ys(result: Any) -> list[list[int]]:
    """What the steps have returned, path by path."""
    return [[output[[*output][-1]]["y"] for output in path] for path in result]


class TestRoute:
    """Routers."""

    flow = src >> route(
        "kind", {"a": double, "b": step("late", waiting)}, default=Plain() >> double
    )
    wanted = ((0, 6), (2, 8), (4,))

    async def collected(self) -> Any:
        """What `start` returns."""
        async with start(self.flow) as running:
            return await running.result()

    def test_it_gives_the_same_however_it_is_run(self) -> None:
        """By run, arun, start and stream, and as an operator behind a step."""
        wanted = [[*path] for path in self.wanted]
        assert ys(run(self.flow)) == ys(asyncio.run(self.collected())) == wanted
        outputs = sorted(((path, [*o.values()][-1]["y"]) for path, o in stream(self.flow)))
        assert outputs == sorted((path, y) for path, ys_ in enumerate(wanted) for y in ys_)

    def test_a_path_alone_takes_its_products(self) -> None:
        """And no others."""
        for number, path in enumerate(self.flow.iter_concurrent_conduits()):
            assert ys(run(path)) == [[*self.wanted[number]]]

    def test_routers_may_be_nested_and_grouped(self) -> None:
        """In branches of others, and side by side."""
        inner = route(lambda x: x > 1, {True: double, False: passthrough()})
        outer = route("kind", {"a": inner}, default=double)
        result = run(src >> (outer & double))
        assert [len(path) for path in result] == [1, 1, 3, 5]
        assert len(run(src >> (outer & double) >> where(lambda x: x == 0))[1]) == 1

    def test_a_key_may_be_asked_for_asynchronously(self) -> None:
        """And with what other steps have added."""

        async def judge(x: int, n: int) -> str:
            await asyncio.sleep(0)
            return "few" if x * n < 4 else "many"

        flow = src >> step("n", lambda x: {"n": 2})
        result = run(flow >> route(judge, {"few": passthrough(), "many": double}))
        assert [len(path) for path in result] == [2, 3]

    def test_a_key_may_be_asked_for_elsewhere(self) -> None:
        """In threads, by the options of the whole."""
        everything = (src >> route("kind", {"a": double}, default=passthrough())).options(
            executor="thread"
        )
        assert [len(path) for path in run(everything)] == [2, 3]

    def test_keys_and_predicates_may_be_asked_for_in_processes(self) -> None:
        """If the functions can go there."""
        flow = src >> where(is_small) >> route("kind", {"a": passthrough()}, default=passthrough())
        assert [len(path) for path in run(flow.options(executor="process"))] == [2, 2]

    def test_a_value_that_no_flow_is_for_is_an_error_of_that_product(self) -> None:
        """With the step, the value, and the values that are known."""
        flow = src >> route("kind", {"a": double, "b": double})
        with refused(InvalidProductError, "step 'route'", "kind='c'", "'a', 'b'", "default="):
            run(flow)
        with pytest.raises(InvalidProductError) as raised:
            run(flow)
        assert "item 2 of path src → route, called with kind='c'" in notes(raised.value)

    def test_such_a_product_can_be_collected_and_run_again(self) -> None:
        """By a router that knows better."""
        failing = src >> route("kind", {"a": double, "b": double}).options(on_error="collect")
        result = run(failing)
        assert [len(path) for path in result] == [2, 2]
        [failure] = result.failures
        assert (failure.step, failure.path) == ("route", "src → route")
        better = src >> route("kind", {"a": double, "b": double, "c": double})
        assert ys(rerun(better, result.failures)) == [[], [], [4]]

    def test_failures_and_statistics_tell_the_case(self) -> None:
        """In the path, and how many products each was given."""

        def fail(x: int) -> dict[str, int]:
            raise LookupError

        flow = src >> route(
            "kind", {"a": passthrough(), "b": step("fail", fail)}, default=passthrough()
        ).options(on_error="collect")
        result = run(flow, timestamps=True)
        assert {failure.path for failure in result.failures} == {"src → route → kind='b' → fail"}
        counted = {one.step: one.calls for one in result.summary().steps}
        assert counted == {
            "src": 5, "route": 5, "kind='a'": 2, "kind='b'": 2, "default": 1, "fail": 2,
        }  # fmt: skip

    def test_the_slowest_branch_sets_the_pace(self) -> None:
        """A source is ahead of it by what a group's would be."""
        given = 0
        done: list[int] = []

        def many() -> Iterator[dict[str, int]]:
            nonlocal given
            for given in range(1, 501):
                yield {"x": given, "kind": given % 2}

        async def slow(x: int) -> dict[str, int]:
            await asyncio.sleep(1)
            done.append(given - 2 * len(done))
            return {"y": x}

        slowly = step("slow", slow).options(concurrency=1)
        with virtual_time():
            result = run(step("many", many) >> route("kind", {0: slowly, 1: passthrough()}))
        assert [len(path) for path in result] == [250, 250]
        assert max(done) < 120

    def test_it_is_checked(self) -> None:
        """What products have in front of it is known behind it."""
        flow = src >> route("kind", {"a": step("need", lambda z: {"y": z})}, default=double)
        assert "error: need: needs the attribute 'z'" in str(check(flow))
        missing = step("src", {"x": 1}) >> route("kind", {"a": double})
        assert "error: route: needs the attribute 'kind'" in str(check(missing))
        with refused(MissingAttributeError, "route", "'kind'", "Have a step before it provide"):
            run(missing)

    def test_it_is_drawn_as_a_group_with_its_values(self) -> None:
        """The default is the last."""
        assert to_tree(self.flow).splitlines()[1:5] == [
            "○ route  kind",
            "├──▶ ○ kind='a'",
            "│    ○ double ────────╮",
            "├──▶ ○ kind='b'       │",
        ]
        assert "case(kind='a') >> step('double'" in repr(self.flow)

    def test_a_flow_with_a_router_can_be_pickled(self) -> None:
        """If what is in it can be."""
        router = route("kind", {"a": Plain()}, default=passthrough())
        assert run(src >> pickle.loads(pickle.dumps(router))) == run(src >> router)

    @pytest.mark.parametrize(
        ("mistake", "error", "words"),
        [
            (lambda: route("kind", {}), InvalidFlowError, "a flow for each value"),
            (lambda: route("kind", untyped([double])), InvalidFlowError, "a flow for each value"),
            (lambda: route("a b", {"a": double}), InvalidNameError, "'a_b'"),
            (lambda: route(untyped(5), {"a": double}), InvalidFlowError, "the key is 5 (int)"),
            (lambda: route(dict, {"a": double}), InvalidFlowError, "cannot be determined"),
            (lambda: route(list, {"a": double}), InvalidFlowError, "takes no attributes"),
            (
                lambda: route("kind", {"a": untyped(src)}),
                InvalidFlowError,
                "kind='a' is step 'src'",
            ),
            (lambda: route("kind", {"a": untyped(len)}), InvalidFlowError, "kind='a' is"),
            (lambda: route("kind", {}, default=untyped(5)), InvalidFlowError, "default is 5 (int)"),
        ],
    )
    def test_mistakes_are_refused_at_once(
        self, mistake: Callable[[], Any], error: type[Exception], words: str
    ) -> None:
        """With the way out."""
        with refused(error, words):
            mistake()

    def test_a_key_without_a_hash_is_refused(self) -> None:
        """It can't be that of a flow."""
        with refused(InvalidProductError, "the key is [1]", "no hash"):
            run(step("src", {"k": [1]}) >> route("k", {1: double}))


class TestWhere:
    """Filters."""

    def test_each_branch_takes_what_it_says(self) -> None:
        """A product may go to several, or to none."""
        flow = src >> parallel(
            where(lambda x: x < 2) >> double,
            where(lambda kind: kind == "a") >> double,
            where(lambda x: x > 9),
        )
        assert [len(path) for path in run(flow)] == [2, 2, 0]

    @pytest.mark.parametrize(
        "options", [{}, {"executor": "thread"}, {"retry": 2}, {"ordered": True}]
    )
    def test_what_goes_on_is_the_product_itself(self, options: dict[str, Any]) -> None:
        """Whatever its options are."""

        class Seen(Transformer[Any, Any]):
            def __init__(self, seen: list[Any]) -> None:
                self.seen = seen

            def transform(self, product: Any) -> Iterator[Any]:
                self.seen.append(product)
                yield product

        before: list[Any] = []
        after: list[Any] = []
        some = where(lambda x: x % 2).options(**options)
        run(src >> Seen(before) >> some >> Seen(after))
        assert [product["x"] for product in after] == [1, 3]
        assert all(product.product_name == "src" for product in after)
        assert run(src >> double >> some >> some)[0] == [
            {"src": ITEMS[x], "double": {"y": 2 * x}} for x in (1, 3)
        ]

    def test_a_predicate_may_be_asynchronous(self) -> None:
        """Or turn out to be; also between steps that are fused."""

        async def odd(x: int) -> int:
            await asyncio.sleep(0)
            return x % 2

        for predicate in (odd, lambda x: odd(x)):
            assert [o["src"]["x"] for o in run(src >> double >> where(predicate) >> double)[0]] == [
                1,
                3,
            ]

    def test_what_a_predicate_gives_counts_as_true_or_false(self) -> None:
        """Also what a step would take for products."""
        for truth in (1, "a", [0], {"a": 1}, object()):
            assert len(run(src >> where(lambda x, given=truth: given))[0]) == 5
        for truth in (0, "", [], {}, None):
            assert not run(src >> where(lambda x, given=truth: given))[0]

    def test_an_annotated_predicate_is_taken(self) -> None:
        """It emits no products."""

        def small(x: int) -> bool:
            return x < 1

        assert len(run(src >> where(small))[0]) == 1
        assert repr(where(small)) == "where(small)"
        assert "○ where  small" in to_tree(src >> where(small))

    def test_statistics_tell_how_many_went_on(self) -> None:
        """So nothing is lost silently."""
        summary = run(src >> where(lambda x: x > 2), timestamps=True).summary()
        assert (summary.steps[1].step, summary.steps[1].calls) == ("where", 5)
        assert summary.steps[1].products == 2

    def test_it_takes_what_comes_from_elsewhere(self) -> None:
        """As a step does."""
        assert run(where(lambda x: x > 2), input=ITEMS)[0] == [{"input": i} for i in ITEMS[3:]]

    def test_what_is_known_of_products_is_known_behind_it(self) -> None:
        """Some may have been dropped for what they lack."""
        flow = (
            step("src", [{"x": 1}, {"x": 1, "y": 2}])
            >> where(lambda y=None: y)
            >> step("z", lambda y: {"z": y})
        )
        assert "error" not in str(check(flow))
        assert "error: z: needs" in str(check(src >> where(lambda x: x) >> step("z", lambda q: {})))

    @pytest.mark.parametrize("mistake", [5, "x", double, None])
    def test_what_is_no_predicate_is_refused(self, mistake: Any) -> None:
        """With an example."""
        with refused(InvalidFlowError, "where() takes a function of attributes", "lambda"):
            where(mistake)
        with refused(InvalidFlowError, "where(): list() takes no attributes"):
            where(list)
