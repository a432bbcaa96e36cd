"""What transformers of a class yield in a flow of dictionaries: the lineage before it is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import (
    AsyncTransformer,
    InvalidAttributeError,
    Transformer,
    parallel,
    passthrough,
    rerun,
    run,
    step,
)
from fluxus_rx.lineage import LabelingTransformer, LineageOrigin

ITEMS = [{"v": 1}, {"v": 2}, {"v": 3}]


class Named:
    """A transformer with a name of its own, which may be no identifier."""

    def __init__(self, name: str, outputs: int = 1) -> None:
        self.called = name
        self.outputs = outputs

    @property
    def name(self) -> str:
        """Its name."""
        return self.called

    def given(self, product: Any) -> list[Any]:
        """What it yields for a product."""
        return [{"v": 10 * product["v"] + index} for index in range(self.outputs)]


class Plain(Named, Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield from self.given(product)


class Listed(Named, Transformer[Any, Any]):
    def transform(self, product: Any) -> list[Any]:
        return [MappingProxyType(one) for one in self.given(product)]


class Awaiting(Named, AsyncTransformer[Any, Any]):
    async def atransform(self, product: Any) -> AsyncIterator[Any]:
        for one in self.given(product):
            await asyncio.sleep(0.001 * (product["v"] % 3))
            yield one


class Passing(Named, Transformer[Any, Any]):
    def transform(self, product: Any) -> Iterator[Any]:
        yield product


class Failing(Named, Transformer[Any, Any]):
    """Fails once for each product, after its first output if it `gives` before."""

    def __init__(self, name: str, gives: int = 0) -> None:
        super().__init__(name, 3)
        self.gives = gives
        self.failed: set[int] = set()

    def transform(self, product: Any) -> Iterator[Any]:
        for index, one in enumerate(self.given(product)):
            if index == self.gives and product["v"] not in self.failed:
                self.failed.add(product["v"])
                raise LookupError("once")
            yield one


def transformer(kind: str, name: str) -> Any:
    """A transformer of a kind that `OUTPUTS` knows, or a step."""
    made: dict[str, Any] = {
        "plain": Plain(name),
        "several": Plain(name, 2),
        "none": Plain(name, 0),
        "listed": Listed(name, 2),
        "awaiting": Awaiting(name, 2),
        "ordered": Awaiting(name, 2).options(ordered=True),
        "thread": Plain(name, 2).options(executor="thread"),
        "at once": Listed(name, 2).options(concurrency=3),
        "passing": Passing(name),
    }
    return made[kind] if kind in made else step(name, lambda v: {"v": 10 * v})


#: how many outputs each kind gives for a product; None: it passes that on as it is
OUTPUTS = {
    "plain": 1, "several": 2, "none": 0, "listed": 2, "awaiting": 2, "ordered": 2, "thread": 2,
    "at once": 2, "passing": None, "step": 1,
}  # fmt: skip


def name_of(kind: str, number: int) -> str:
    """What one is called; of a step an identifier."""
    return f"s{number}" if kind == "step" else f"s {number}"


def expected(kinds: list[str]) -> list[dict[str, Any]]:
    """The outputs of nested loops."""
    outputs: list[tuple[int, dict[str, Any]]] = [(item["v"], {"src": item}) for item in ITEMS]
    for number, kind in enumerate(kinds):
        count = OUTPUTS[kind]
        if count is None:
            continue
        name = name_of(kind, number)
        outputs = [
            (10 * v + index, {**output, name: {"v": 10 * v + index}})
            for v, output in outputs
            for index in range(count)
        ]
    return [output for _, output in outputs]


kinds_of_chains = st.lists(st.sampled_from([*OUTPUTS]), min_size=1, max_size=4)


@given(kinds_of_chains)
def test_the_lineage_of_all_steps_before_is_in_every_output(kinds: list[str]) -> None:
    """In the order of nested loops, whichever way the calls are made."""
    flow: Any = step("src", ITEMS)
    for number, kind in enumerate(kinds):
        flow = flow >> transformer(kind, name_of(kind, number))
    assert run(flow)[0] == expected(kinds)


def of_src(*outputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Outputs of the first item alone."""
    return [{"src": ITEMS[0], **output} for output in outputs]


one = step("src", ITEMS[:1])


@pytest.mark.parametrize("gives", [0, 2])
def test_a_call_that_is_made_again_gives_products_of_the_same_lineage(gives: int) -> None:
    """Each once, in their order, whatever the first attempt had yielded."""
    again = Failing("t", gives).options(retry=2, repeatable=True)
    assert run(one >> again)[0] == of_src(*({"t": {"v": v}} for v in (10, 11, 12)))


@pytest.mark.parametrize("gives", [0, 2])
def test_what_stands_in_for_a_failed_call_comes_of_the_same_product(gives: int) -> None:
    """Behind what the call had yielded before."""
    replaced = Failing("t", gives).options(on_error=lambda failure: [{"v": -1}, {"v": -2}])
    given = [*[10, 11][:gives], -1, -2]
    assert run(one >> replaced)[0] == of_src(*({"t": {"v": v}} for v in given))


def test_a_failure_that_is_run_again_gives_products_of_the_same_lineage() -> None:
    """As if all had gone well the first time."""
    flow = one >> Failing("t").options(on_error="collect") >> step("end", lambda v: {"w": v})
    result = run(flow)
    again = rerun(flow, result.failures)
    wanted = of_src(*({"t": {"v": v}, "end": {"w": v}} for v in (10, 11, 12)))
    assert result.merged(again)[0] == again[0] == wanted


def test_products_that_come_back_from_a_process_have_their_lineage() -> None:
    """A mapping that was yielded there, and the product itself."""
    elsewhere = (Plain("t", 2) & Passing("p")).options(executor="process")
    result = run(one >> elsewhere >> step("end", lambda v: {"w": v}))
    assert result[0] == of_src(*({"t": {"v": v}, "end": {"w": v}} for v in (10, 11)))
    assert result[1] == of_src({"end": {"w": 1}})


def test_a_branch_beside_a_passthrough_keeps_the_lineage() -> None:
    """Behind the group, too."""
    flow = one >> parallel(Plain("t"), passthrough()) >> step("end", lambda v: {"w": v})
    assert [*run(flow)] == [of_src({"t": {"v": 10}, "end": {"w": 10}}), of_src({"end": {"w": 1}})]


def test_a_product_that_is_passed_on_is_the_same_object() -> None:
    """Whatever else the transformer yields beside it."""
    seen: list[Any] = []

    class Watching(Transformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            seen.append(product)
            yield product

    given = [*(one >> Watching() >> Watching())]
    assert given[0] is seen[0] is seen[1]


def test_a_product_that_is_passed_on_comes_before_those_that_were_made_of_it() -> None:
    """However long the steps behind take for each of them."""

    class Mixed(Transformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            yield from ({"v": 0}, product, {"v": 2})

    async def late(v: int) -> dict[str, int]:
        await asyncio.sleep(0.002 * (v == 1))
        return {"w": v}

    flow = one >> Mixed() >> Passing("p") >> step("late", late)
    assert [output["late"]["w"] for output in run(flow)[0]] == [1, 0, 2]


def test_times_are_kept_for_what_a_transformer_gives() -> None:
    """From when it was asked for until it was there."""
    [first, second] = run(one >> Plain("t", 2), timestamps=True)[0]
    ends = [first["src"]["[end]"]]
    for output in (first, second):
        ends += [output["t"]["[start]"], output["t"]["[end]"]]
    assert ends == sorted(ends)


def test_labels_are_added_to_what_becomes_a_product() -> None:
    """A labelling transformer needs no class of products with a lineage."""

    class Labelled(Named, LabelingTransformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            yield {"w": product["v"]}

    flow = one >> Labelled("t").label(kind="a")
    assert run(flow)[0] == of_src({"t": {"w": 1, "kind": "a"}})


def test_what_is_no_mapping_or_has_a_lineage_stays_what_it_is() -> None:
    """The products of a flow of one's own classes, too."""

    class City(LineageOrigin):
        product_name = "city"

    class Any_(Transformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            yield from (5, City(), [product])

    five, city, row = one >> Any_()
    assert five == 5
    assert isinstance(city, City)
    assert row[0]["v"] == 1
    assert Plain("t").process(ITEMS[:1]) == [{"v": 10}]
    assert type(Plain("t").process(ITEMS[:1])[0]) is dict


def test_a_mapping_whose_keys_are_no_identifiers_is_refused() -> None:
    """With the name of the transformer, and a way out."""

    class Wrong(Transformer[Any, Any]):
        def transform(self, product: Any) -> Iterator[Any]:
            yield {"a b": 1}

    with pytest.raises(InvalidAttributeError, match=r"'Wrong' .* 'a b'.*identifiers.*'a_b'"):
        run(one >> Wrong())
