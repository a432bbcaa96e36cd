"""A class of conduits may use each name for itself that isn't of its contract."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Producer,
    Transformer,
    check,
)
from fluxus_rx._conduits.iterables import MethodCall
from fluxus_rx.lineage import LabelingProducer, LabelingTransformer
from tests.support.conduits import Add, AsyncCollect, Collect, Numbers

#: what the engine calls a class by
CONTRACT = {
    "produce", "aproduce", "transform", "atransform", "consume", "aconsume", "process", "aprocess",
    "describe", "name", "input_type", "product_type",
}  # fmt: skip


def produce(self: Any) -> Iterator[int]:
    yield from (1, 2)


async def aproduce(self: Any) -> Any:
    yield 1
    yield 2


def transform(self: Any, product: int) -> Iterator[int]:
    yield 10 * product


async def atransform(self: Any, product: int) -> Any:
    yield 10 * product


def consume(self: Any, products: Any) -> Any:
    return sorted(products)


async def aconsume(self: Any, products: Any) -> Any:
    return sorted([product async for product in products])


METHODS: dict[type, Callable[..., Any]] = {
    Producer: produce,
    LabelingProducer: produce,
    AsyncProducer: aproduce,
    Transformer: transform,
    LabelingTransformer: transform,
    AsyncTransformer: atransform,
    Consumer: consume,
    AsyncConsumer: aconsume,
}


def set_in_init(names: list[str], members: dict[str, Any]) -> None:
    def init(self: Any) -> None:
        for name in names:
            setattr(self, name, "own")

    members["__init__"] = init


def as_method(names: list[str], members: dict[str, Any]) -> None:
    members.update({name: lambda self: "own" for name in names})


def as_property(names: list[str], members: dict[str, Any]) -> None:
    members.update({name: property(lambda self: "own") for name in names})


def as_field(names: list[str], members: dict[str, Any]) -> None:
    # With a field that has no default behind them, which a default in front of it would refuse.
    members["__annotations__"] = {**dict.fromkeys(names, str), "other": int}


def unchanged(kind: type) -> type:
    return kind


#: How a class has names for itself, and what it is made by.
WAYS: dict[str, tuple[Callable[[list[str], dict[str, Any]], None], Any]] = {
    "init": (set_in_init, unchanged),
    "method": (as_method, unchanged),
    "property": (as_property, unchanged),
    "dataclass": (as_field, dataclasses.dataclass),
    "frozen": (as_field, dataclasses.dataclass(frozen=True)),
    "slots": (as_field, dataclasses.dataclass(slots=True)),
    "frozen slots": (as_field, dataclasses.dataclass(frozen=True, slots=True)),
}


def made(base: type, names: list[str], way: str) -> Any:
    """An object of a subclass that has these names for itself."""
    add, decorate = WAYS[way]
    method = METHODS[base]
    members: dict[str, Any] = {method.__name__: method, "__module__": __name__}
    add(names, members)
    label = f"Own{base.__name__}{way.replace(' ', '')}{len(names)}{names[0]}"
    kind = decorate(type(label, (base,), members | {"__qualname__": label}))
    globals()[label] = kind  # for pickle
    return kind(*(["own"] * len(names) + [1] if add is as_field else []))


def names_of(base: type) -> list[str]:
    return sorted({name for name in dir(base) if not name.startswith("_")} - CONTRACT)


def used(conduit: Any, role: str, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """What comes of all that can be done with a conduit."""
    given: list[Any] = [len(f"{conduit!r}{conduit}") > 0]
    if role == "consumer":
        flows = [Numbers(3) >> conduit, Numbers(3) >> (Add(1) & Add(2)) >> Add(1) >> conduit]
        given += [sorted(flow.run()) for flow in flows]
    elif role == "producer":
        flows = [conduit >> Add(1), conduit & conduit, (conduit & Numbers(1)) >> Add(1)]
        given += [sorted(flow) for flow in [conduit, *flows]]
        given += [sorted((conduit >> Add(1) >> Collect()).run())]
        given += [len([*flow.iter_concurrent_conduits()]) for flow in flows]
    else:
        flows = [conduit >> Add(1), conduit & Add(1), Add(1) >> conduit.__and__(conduit) >> conduit]
        flows = [Numbers(3) >> one for one in (conduit, *flows)]
        flows += [Numbers(3) >> (conduit >> conduit).options(retry=2)]
        given += [sorted(flow) for flow in flows]
        given += [sorted((flows[-1] >> AsyncCollect()).run())]
        given += [(conduit >> Add(1)).process([1]), (Add(1) & conduit).process([1])]
        given += [sorted([*(conduit >> Collect()).consume([(0, 2)])])]
        given += [len([*flow.iter_concurrent_conduits()]) for flow in flows]
    for flow in flows:
        repr(flow)
        flow.draw("text")
        given += [len([*flow.get_connections()]), len([*flow.get_final_conduits()])]
        given += [flow.n_concurrent_conduits, flow.is_chained, flow.is_concurrent]
        check(flow)
    capsys.readouterr()
    return given


#: all names at once, and in the nightly run each of them alone
AT_ONCE = [True, pytest.param(False, marks=pytest.mark.thorough)]


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("base", METHODS, ids=lambda base: base.__name__)
def test_a_class_may_use_each_name_for_itself(
    base: type, at_once: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever name that isn't of the contract, and however it has it: the class is chained,
    grouped, run, drawn, checked, printed, and sent to a process, as if it hadn't."""
    role = METHODS[base].__name__.lstrip("a")
    role = {"produce": "producer", "transform": "transformer", "consume": "consumer"}[role]
    plain = type("Plain", (base,), {METHODS[base].__name__: METHODS[base]})()
    expected = used(plain, role, capsys)
    all_names = names_of(base)
    for names in [all_names] if at_once else [[name] for name in all_names]:
        for way in WAYS:
            conduit = made(base, names, way)
            assert used(conduit, role, capsys) == expected, (names, way)
            for name in names:
                kept = getattr(conduit, name)
                assert (kept() if way == "method" else kept) == "own", (name, way)
            copied = pickle.loads(pickle.dumps(conduit))
            assert used(copied, role, capsys) == expected, (names, way)


def test_what_goes_to_a_process_has_its_names() -> None:
    """The call of a class that is a frozen dataclass with slots arrives as it is."""
    for base in (Producer, Transformer):
        conduit = made(base, ["options"], "frozen slots")
        method = METHODS[base].__name__
        call = MethodCall(conduit, method, *([2] if base is Transformer else []))
        assert list(pickle.loads(pickle.dumps(call))()) == ([1, 2] if base is Producer else [20])


@pytest.mark.parametrize("way", ["dataclass", "frozen", "slots", "frozen slots"])
def test_a_copy_with_options_keeps_them(way: str) -> None:
    """Options of its own, and those of a chain around it, are there whatever the class copies."""
    conduit = made(Transformer, ["run"], way).options(retry=3)
    flow = (conduit.options(timeout=5.0) >> Add(1)).options(on_error="skip")
    settings = flow.conduits[0]._flow_settings
    assert (settings.retry, settings.timeout, settings.on_error) == (3, 5.0, "skip")


class TestContract:
    """Names that the engine reads."""

    @pytest.mark.parametrize("way", ["init", "dataclass", "frozen slots"])
    def test_a_name_may_be_an_attribute(self, way: str) -> None:
        """It is what messages and drawings call the conduit."""
        conduit = made(Transformer, ["name"], way)
        assert conduit.name == conduit.describe().name == "own"

    def test_types_may_be_attributes(self) -> None:
        """Set in `__init__`, or by the class, they are compared as those of a generic class are."""

        class Typed(Transformer[Any, Any]):
            def __init__(self, taken: type, given: type) -> None:
                self.input_type, self.product_type = taken, given  # type: ignore[misc]

            def transform(self, product: Any) -> Iterator[Any]:
                yield product

        class Texts(Producer[Any]):
            product_type: ClassVar[Any] = str

            def produce(self) -> Iterator[str]:
                yield "a"

        assert list(Texts() >> Typed(str, int) >> Typed(int, int)) == ["a"]
        with pytest.raises(TypeError, match="the first emits str, but the second takes int"):
            Texts() >> Typed(int, int)

    @pytest.mark.parametrize("name", ["name", "input_type", "product_type"])
    def test_a_method_in_place_of_a_value_is_refused(self, name: str) -> None:
        """When the class is made, with the way out."""
        with pytest.raises(TypeError, match=rf"Own\.{name} is a method, .* make it a @property"):
            type("Own", (Transformer,), {name: lambda self: "own"})
