"""Types of products and inputs, read from classes, and what they refuse when a flow is written."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Optional, TypeVar, Union

import pytest

from fluxus_rx import (
    AsyncConsumer,
    AsyncProducer,
    AsyncTransformer,
    Consumer,
    Passthrough,
    Producer,
    SimpleAsyncProducer,
    SimpleProducer,
    Transformer,
)
from tests.support.probes import Source

T = TypeVar("T")
U = TypeVar("U")


class Animal:
    pass


class Dog(Animal):
    pass


class Integers(Producer[int]):
    def produce(self) -> Iterator[int]:
        yield 1


class Strings(Producer[str]):
    def produce(self) -> Iterator[str]:
        yield "one"


class AsyncDogs(AsyncProducer[Dog]):
    async def aproduce(self) -> AsyncIterator[Dog]:
        yield Dog()


class Double(Transformer[int, int]):
    def transform(self, product: int) -> Iterator[int]:
        yield 2 * product


class Describe(Transformer[int, str]):
    def transform(self, product: int) -> Iterator[str]:
        yield str(product)


class Shout(AsyncTransformer[str, str]):
    async def atransform(self, product: str) -> AsyncIterator[str]:
        yield product.upper()


class Feed(Transformer[Animal, Animal]):
    def transform(self, product: Animal) -> Iterator[Animal]:
        yield product


class Walk(Transformer[Dog, Dog]):
    def transform(self, product: Dog) -> Iterator[Dog]:
        yield product


class Total(Consumer[int, int]):
    def consume(self, products: Iterable[tuple[int, int]]) -> int:
        return sum(product for _, product in products)


class Join(AsyncConsumer[str, str]):
    async def aconsume(self, products: AsyncIterable[tuple[int, str]]) -> str:
        return "".join([product async for _, product in products])


def producer_of(kind: Any) -> Any:
    """A producer of the given type."""

    class Of(Producer[kind]):
        def produce(self) -> Iterator[Any]:
            yield from ()

    return Of()


def transformer_of(input_kind: Any, kind: Any) -> Any:
    """A transformer between the given types."""

    class Between(Transformer[input_kind, kind]):
        def transform(self, product: Any) -> Iterator[Any]:
            yield product

    return Between()


class TestReading:
    """product_type and input_type."""

    def test_types_are_read_from_the_class(self) -> None:
        """The arguments of the base class are the types."""
        assert Integers().product_type is int
        assert AsyncDogs().product_type is Dog
        assert Describe().input_type is int
        assert Describe().product_type is str
        assert Shout().input_type is Shout().product_type is str
        assert Total().input_type is int
        assert Join().input_type is str

    def test_types_are_read_through_inheritance(self) -> None:
        """A subclass of a conduit has its types."""

        class MoreIntegers(Integers):
            pass

        class EvenMore(MoreIntegers, Generic[T]):
            pass

        assert MoreIntegers().product_type is int
        assert EvenMore().product_type is int
        assert EvenMore[str]().product_type is int

    def test_types_are_read_through_generics(self) -> None:
        """A type variable that a subclass fills in is resolved, in whatever order and depth."""

        class Turned(Transformer[T, U], Generic[U, T]):
            def transform(self, product: T) -> Iterator[U]:
                yield from ()

        class Half(Turned[str, T]):
            pass

        class Whole(Half[int]):
            pass

        assert Whole().input_type is int
        assert Whole().product_type is str

    def test_types_are_read_from_an_instance_of_a_generic(self) -> None:
        """Conduit[int](…) has the types it was made with."""
        assert SimpleProducer[int]([1, 2]).product_type is int
        assert SimpleAsyncProducer[str](Source(0)).product_type is str  # type: ignore[arg-type]

    def test_a_type_variable_inside_a_type_is_resolved(self) -> None:
        """list[T] with T filled in is a list of that."""

        class Lists(Producer[list[T]]):
            def produce(self) -> Iterator[list[T]]:
                yield []

        class Integral(Lists[int]):
            pass

        assert Integral().product_type == list[int]

    def test_types_can_be_overridden_as_properties(self) -> None:
        """A property takes the place of what the class says, in checks as well."""

        class Anything(Transformer[Any, Any]):
            def transform(self, product: Any) -> Iterator[Any]:
                yield product

            @property
            def input_type(self) -> Any:
                return int

            @property
            def product_type(self) -> Any:
                return str

        anything = Anything()
        assert anything.input_type is int
        assert anything.product_type is str
        assert (Integers() >> anything).product_type is str
        with pytest.raises(TypeError):
            Strings() >> anything
        with pytest.raises(TypeError):
            Integers() >> anything >> Double()

    def test_chains_have_the_types_of_their_ends(self) -> None:
        """A chain takes what its first conduit takes and emits what its last one emits."""
        chain = Double() >> Describe() >> Shout()
        assert chain.input_type is int
        assert chain.product_type is str
        assert (Integers() >> chain).product_type is str

    def test_a_group_of_one_type_has_that_type(self) -> None:
        """Members that agree make their type that of the group."""
        assert (Double() & Double()).product_type is int
        assert (Double() & Double()).input_type is int
        assert (Integers() & Integers()).product_type is int


FITTING: list[tuple[Any, Any]] = [
    (int, int),
    (bool, int),
    (Dog, Animal),
    (int, object),
    (int, Any),
    (Any, int),
    (int, Union[int, str]),  # noqa: UP007
    (int, int | str),
    (int | str, str | int | None),
    (int, Optional[int]),  # noqa: UP045
    (None, Optional[int]),  # noqa: UP045
    (list[int], list[int]),
    (list[int], list),
    (list[int], Sequence[int]),
    (list[Dog], Sequence[Animal]),
    (dict[str, int], Mapping[str, int]),
    (list, list[int]),
    (int, float),
]

UNFITTING: list[tuple[Any, Any]] = [
    (int, str),
    (Animal, Dog),
    (object, int),
    (int | str, int),
    (Optional[int], int),  # noqa: UP045
    (list[int], list[str]),
    (list[int], Sequence[str]),
    (list[int], dict[str, int]),
    (float, int),
]


def name_of(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind)) if isinstance(kind, type) else str(kind)


class TestFitting:
    """What may be chained, and what is refused when it is written."""

    @pytest.mark.parametrize(("given", "wanted"), FITTING, ids=name_of)
    def test_a_narrower_type_fits(self, given: Any, wanted: Any) -> None:
        """What is given fits where the same or something wider is wanted."""
        flow = producer_of(given) >> transformer_of(wanted, str) >> Shout() >> Join()
        assert flow.run() == ""

    @pytest.mark.parametrize(("given", "wanted"), UNFITTING, ids=name_of)
    def test_a_wider_or_another_type_is_refused(self, given: Any, wanted: Any) -> None:
        """What is given must not be wider than what is wanted."""
        with pytest.raises(TypeError):
            producer_of(given) >> transformer_of(wanted, str)
        with pytest.raises(TypeError):
            transformer_of(str, given) >> transformer_of(wanted, str)

    @pytest.mark.parametrize(
        ("expression", "names"),
        [
            (lambda: Integers() >> Shout(), ["Integers", "int", "Shout", "str"]),  # type: ignore[operator]
            (lambda: Strings() >> Double(), ["Strings", "str", "Double", "int"]),  # type: ignore[operator]
            (lambda: Describe() >> Double(), ["Describe", "str", "Double", "int"]),  # type: ignore[operator]
            (lambda: Strings() >> Total(), ["Strings", "str", "Total", "int"]),  # type: ignore[operator]
            (lambda: Integers() >> Describe() >> Total(), ["Describe", "str", "Total", "int"]),  # type: ignore[operator]
            (lambda: AsyncDogs() >> Double(), ["AsyncDogs", "Dog", "Double", "int"]),  # type: ignore[operator]
            (lambda: (Double() >> Describe()) >> Double(), ["Describe", "str", "Double", "int"]),  # type: ignore[operator]
            (lambda: Strings() >> (Double() >> Describe()), ["Strings", "str", "Double", "int"]),  # type: ignore[operator]
            (lambda: (Integers() & Strings()) >> Double(), ["Strings", "str", "Double", "int"]),  # type: ignore[operator]
            (lambda: (Integers() & Strings()) >> Total(), ["Strings", "str", "Total", "int"]),  # type: ignore[operator]
            (lambda: Strings() >> (Shout() & Double()), ["Strings", "str", "Double", "int"]),  # type: ignore[operator]
            (
                lambda: Integers() >> (Describe() & Double()) >> Shout(),  # type: ignore[operator]
                ["Double", "int", "Shout", "str"],
            ),
            (
                lambda: Integers() >> (Double() & Passthrough()) >> (Double() & Shout()),  # type: ignore[operator]
                ["int", "Shout", "str"],
            ),
        ],
    )
    def test_the_error_names_both_conduits_and_both_types(
        self, expression: Any, names: list[str]
    ) -> None:
        """The TypeError tells who passes what to whom, and what would be wanted."""
        with pytest.raises(TypeError) as caught:
            expression()
        message = str(caught.value)
        assert [name for name in names if name not in message] == []
        assert "<class" not in message

    def test_every_path_of_a_group_is_checked(self) -> None:
        """One branch that does not fit is enough."""
        with pytest.raises(TypeError):
            (Integers() & Integers() & Strings()) >> Double()  # type: ignore[operator]

    def test_a_conduit_without_types_fits_everywhere(self) -> None:
        """A class that names no types takes and emits anything."""

        class Untyped(Transformer):  # type: ignore[type-arg]
            def transform(self, product: Any) -> Iterator[Any]:
                yield product

        assert (Integers() >> Untyped() >> Total()).run() == 1
        assert (Strings() >> Untyped() >> Shout() >> Join()).run() == "ONE"

    def test_a_free_type_variable_fits_everywhere(self) -> None:
        """A generic conduit that was never made for a type takes any."""

        class Same(Transformer[T, T]):
            def transform(self, product: T) -> Iterator[T]:
                yield product

        assert (Integers() >> Same() >> Total()).run() == 1
        assert (Strings() >> Same() >> Join()).run() == "one"

    def test_products_are_not_checked(self) -> None:
        """Types are compared when a flow is written; products are passed as they are."""

        class Liar(Producer[int]):
            def produce(self) -> Iterator[Any]:
                yield "not a number"

        class Look(Consumer[int, list[Any]]):
            def consume(self, products: Iterable[tuple[int, int]]) -> list[Any]:
                return [product for _, product in products]

        assert (Liar() >> Look()).run() == ["not a number"]


class TestPassthrough:
    """A passthrough stands beside transformers in a group, and nowhere else."""

    def test_a_passthrough_needs_inputs_that_are_products(self) -> None:
        """Beside a passthrough, what goes in must be of the type that comes out."""
        for group in (Double() & Passthrough(), Passthrough() & Double(), Feed() & Passthrough()):
            assert group.n_concurrent_conduits == 2
        with pytest.raises(TypeError) as caught:
            Describe() & Passthrough()
        message = str(caught.value)
        assert [word for word in ("Describe", "int", "str") if word not in message] == []
        with pytest.raises(TypeError):
            Passthrough() & Describe()

    def test_an_input_narrower_than_the_product_is_fine(self) -> None:
        """Input type within product type: a Dog that passes is an Animal too."""
        assert (transformer_of(Dog, Animal) & Passthrough()).n_concurrent_conduits == 2
        with pytest.raises(TypeError):
            transformer_of(Animal, Dog) & Passthrough()

    @pytest.mark.parametrize(
        "expression",
        [
            lambda: Integers() >> Passthrough(),  # type: ignore[operator]
            lambda: Double() >> Passthrough(),  # type: ignore[operator]
            lambda: Passthrough() >> Double(),  # type: ignore[operator]
            lambda: Passthrough() >> Total(),  # type: ignore[operator]
            lambda: Passthrough() >> Passthrough(),  # type: ignore[operator]
            lambda: (Integers() & Integers()) >> Passthrough(),  # type: ignore[operator]
            lambda: Integers() >> Double() >> Passthrough() >> Total(),  # type: ignore[operator]
        ],
    )
    def test_a_passthrough_alone_cannot_be_chained(self, expression: Any) -> None:
        """In a chain a passthrough does nothing, and a TypeError says so."""
        with pytest.raises(TypeError, match=r"(?i)passthrough"):
            expression()

    @pytest.mark.parametrize(
        "expression",
        [
            lambda: Passthrough() & Passthrough(),  # type: ignore[operator]
            lambda: Passthrough() & Double() & Passthrough(),
            lambda: Double() & Passthrough() & Passthrough(),
            lambda: (Double() & Passthrough()) & (Double() & Passthrough()),
            lambda: Passthrough() & (Double() & Passthrough()),
        ],
    )
    def test_two_passthroughs_in_one_group_are_refused(self, expression: Any) -> None:
        """A second passthrough would double the outputs: a TypeError."""
        with pytest.raises(TypeError, match=r"(?i)passthrough"):
            expression()

    def test_a_passthrough_beside_producers_is_refused(self) -> None:
        """Producers take no input that could pass."""
        expressions: list[Any] = [
            lambda: Integers() & Passthrough(),  # type: ignore[operator]
            lambda: Passthrough() & Integers(),  # type: ignore[operator]
            lambda: Passthrough() & Total(),  # type: ignore[operator]
        ]
        for expression in expressions:
            with pytest.raises(TypeError):
                expression()

    def test_passthroughs_in_different_groups_are_fine(self) -> None:
        """Each group may have a passthrough of its own, in series and inside a branch."""
        flow = Integers() >> (Double() & Passthrough()) >> (Double() & Passthrough()) >> Total()
        assert flow.run() == 4 + 2 + 2 + 1
        nested = Double() >> (Double() & Passthrough())
        assert (Integers() >> (nested & Passthrough()) >> Total()).run() == 4 + 2 + 1
