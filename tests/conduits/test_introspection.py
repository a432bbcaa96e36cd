"""What a flow says about itself: its parts, its paths, its connections, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from fluxus_rx import Conduit, Consumer, Passthrough, Producer, Transformer, step


class Source(Producer[int]):
    def __init__(self, label: str = "s") -> None:
        self.label = label

    @property
    def name(self) -> str:
        return self.label

    def produce(self) -> Iterator[int]:
        yield 1


class Step(Transformer[int, int]):
    def __init__(self, label: str) -> None:
        self.label = label

    @property
    def name(self) -> str:
        return self.label

    def transform(self, product: int) -> Iterator[int]:
        yield product


class End(Consumer[int, int]):
    def consume(self, products: Iterable[tuple[int, int]]) -> int:
        return len(list(products))

    @property
    def name(self) -> str:
        return "end"


class Plain(Transformer[int, int]):
    def __init__(self, size: int, factor: float = 1.5, *, label: str | None = None) -> None:
        self.size = size
        self.factor = factor
        self.label = label

    def transform(self, product: int) -> Iterator[int]:
        yield product


class Bare(Producer[int]):
    def produce(self) -> Iterator[int]:
        yield 1


class Secret(Transformer[int, int]):
    def __init__(self, password: str) -> None:
        self._password = password

    def transform(self, product: int) -> Iterator[int]:
        yield product

    def get_repr_attributes(self) -> Mapping[str, Any]:
        return {"password": "***"}


S, S2, A, B, C, D, E, P = (
    Source("s"),
    Source("s2"),
    Step("a"),
    Step("b"),
    Step("c"),
    Step("d"),
    End(),
    Passthrough(),
)


def names(conduits: Iterable[Conduit]) -> list[str]:
    return [conduit.name for conduit in conduits]


def connections(conduit: Any, ingoing: Any = ()) -> list[tuple[str, str]]:
    """The connections inside, by name, in alphabetical order."""
    pairs = conduit.get_connections(ingoing=ingoing)
    return sorted((first.name, second.name) for first, second in pairs)


class TestKind:
    """is_atomic, is_chained, is_concurrent."""

    @pytest.mark.parametrize("conduit", [S, A, E, P], ids=str)
    def test_a_conduit_by_itself_is_atomic(self, conduit: Any) -> None:
        """Neither chained nor concurrent."""
        assert (conduit.is_atomic, conduit.is_chained, conduit.is_concurrent) == (
            True,
            False,
            False,
        )

    @pytest.mark.parametrize("conduit", [S >> A, A >> B, S >> A >> B, S >> A >> E, S >> E], ids=str)
    def test_a_chain_is_chained(self, conduit: Any) -> None:
        """A chain without a group is chained, and not concurrent."""
        assert (conduit.is_atomic, conduit.is_chained, conduit.is_concurrent) == (
            False,
            True,
            False,
        )

    @pytest.mark.parametrize("conduit", [S & S2, A & B, A & P], ids=str)
    def test_a_group_is_concurrent(self, conduit: Any) -> None:
        """A group of atomic conduits is concurrent, and not chained."""
        assert (conduit.is_atomic, conduit.is_chained, conduit.is_concurrent) == (
            False,
            False,
            True,
        )

    @pytest.mark.parametrize(
        "conduit",
        [
            S >> (A & B),
            (S & S2) >> A,
            A >> (B & P),
            (A & B) >> C,
            (A >> B) & C,
            S >> (A & B) >> E,
        ],
        ids=str,
    )
    def test_chains_with_groups_are_both(self, conduit: Any) -> None:
        """What has a chain and a group in it is chained and concurrent."""
        assert (conduit.is_atomic, conduit.is_chained, conduit.is_concurrent) == (
            False,
            True,
            True,
        )


class TestPaths:
    """n_concurrent_conduits, iter_concurrent_conduits, final conduits."""

    @pytest.mark.parametrize(
        ("conduit", "number"),
        [
            (S, 1),
            (A, 1),
            (E, 1),
            (P, 1),
            (S >> A >> B, 1),
            (S & S2, 2),
            (A & B & C, 3),
            (A & P, 2),
            (S >> (A & B), 2),
            ((S & S2) >> (A & B), 4),
            ((S & S2) >> (A & B & P) >> (C & P), 12),
            (A & (B >> (C & D)), 3),
            (S >> (A & P) >> E, 2),
        ],
        ids=str,
    )
    def test_the_number_of_concurrent_conduits_is_that_of_paths(
        self, conduit: Any, number: int
    ) -> None:
        """Groups in series multiply, branches add up."""
        assert conduit.n_concurrent_conduits == number

    @pytest.mark.parametrize(
        "conduit", [S, S >> A, S & S2, (S & S2) >> (A & B), S >> (A & P) >> (B & C)], ids=str
    )
    def test_there_is_one_concurrent_conduit_per_path(self, conduit: Any) -> None:
        """iter_concurrent_conduits yields one conduit for each path, none a group."""
        paths = list(conduit.iter_concurrent_conduits())
        assert len(paths) == conduit.n_concurrent_conduits
        assert not any(path.is_concurrent for path in paths)

    def test_the_concurrent_conduits_are_the_paths_in_their_order(self) -> None:
        """Each path is the chain of the conduits that it goes through, first choice outermost."""
        flow = (S & S2) >> (A & B)
        found = [names(path.chained_conduits) for path in flow.iter_concurrent_conduits()]
        assert found == [["s", "a"], ["s", "b"], ["s2", "a"], ["s2", "b"]]

    @pytest.mark.parametrize("conduit", [S, A, E], ids=str)
    def test_the_final_conduit_of_an_atomic_one_is_itself(self, conduit: Any) -> None:
        """An atomic conduit is its own end."""
        assert conduit.final_conduit is conduit
        assert list(conduit.get_final_conduits()) == [conduit]

    @pytest.mark.parametrize(
        ("conduit", "last"), [(S >> A >> B, B), (A >> (B >> C), C), (S >> A >> E, E)], ids=str
    )
    def test_the_final_conduit_of_a_chain_is_its_last(self, conduit: Any, last: Any) -> None:
        """A chain ends with the conduit that stands last in it."""
        assert conduit.final_conduit is last
        assert list(conduit.get_final_conduits()) == [last]

    def test_the_final_conduit_of_a_group_is_the_group(self) -> None:
        """A group has no single end."""
        group = A & B
        assert group.final_conduit is group

    @pytest.mark.parametrize(
        ("conduit", "expected"),
        [
            (S & S2, ["s", "s2"]),
            (A & (B >> C), ["a", "c"]),
            (S >> (A & B), ["a", "b"]),
            ((S & S2) >> A, ["a"]),
            (S >> (A & P), ["a", "s"]),
            ((S & S2) >> (A & P), ["a", "s", "s2"]),
            (S >> (A & P) >> (B & P), ["a", "b", "s"]),
            (S >> (A & B) >> E, ["end"]),
            (A & P, ["a"]),
        ],
        ids=str,
    )
    def test_the_final_conduits_are_the_ends_of_all_branches(
        self, conduit: Any, expected: list[str]
    ) -> None:
        """With a passthrough the ends before the group are ends after it too."""
        assert sorted(names(conduit.get_final_conduits())) == expected


class TestParts:
    """chained_conduits and get_connections."""

    @pytest.mark.parametrize(
        ("conduit", "expected"),
        [
            (S, ["s"]),
            (S >> A, ["s", "a"]),
            (S >> A >> B >> C, ["s", "a", "b", "c"]),
            (S >> (A >> (B >> C)), ["s", "a", "b", "c"]),
            ((A >> B) >> (C >> D), ["a", "b", "c", "d"]),
            (S >> A >> E, ["s", "a", "end"]),
        ],
        ids=str,
    )
    def test_the_chained_conduits_are_the_atoms_in_their_order(
        self, conduit: Any, expected: list[str]
    ) -> None:
        """However the brackets stand, a chain lists its atomic conduits from first to last."""
        assert names(conduit.chained_conduits) == expected

    @pytest.mark.parametrize(
        ("conduit", "expected"),
        [
            (S, []),
            (A, []),
            (S >> A, ["s a"]),
            (S >> A >> B, ["s a", "a b"]),
            (A >> B, ["a b"]),
            (S & S2, []),
            ((S & S2) >> A, ["s a", "s2 a"]),
            (S >> (A & B), ["s a", "s b"]),
            (S >> (A & B) >> C, ["s a", "s b", "a c", "b c"]),
            (S >> (A & B) >> (C & D), ["s a", "s b", "a c", "a d", "b c", "b d"]),
            (S >> (A & P) >> B, ["s a", "s b", "a b"]),
            (S >> (A & P) >> (B & P) >> E, ["s a", "s b", "s end", "a b", "a end", "b end"]),
            (S >> (A & (B >> (C & P))) >> E, ["s a", "s b", "b c", "a end", "b end", "c end"]),
            (S >> A >> E, ["s a", "a end"]),
            ((A >> B) & C, ["a b"]),
            (A >> (B & P), ["a b"]),
        ],
        ids=str,
    )
    def test_the_connections_join_atomic_conduits(self, conduit: Any, expected: list[str]) -> None:
        """Each arrow of the drawing once; an arrow goes past a passthrough."""
        wanted = sorted(tuple(pair.split()) for pair in expected)
        assert connections(conduit) == wanted

    @pytest.mark.parametrize(
        ("conduit", "expected"),
        [
            (A, ["s a", "s2 a"]),
            (A >> B, ["s a", "s2 a", "a b"]),
            (A & B, ["s a", "s2 a", "s b", "s2 b"]),
            (A & P, ["s a", "s2 a"]),
            ((A & P) >> B, ["s a", "s2 a", "a b", "s b", "s2 b"]),
            (E, ["s end", "s2 end"]),
        ],
        ids=str,
    )
    def test_ingoing_conduits_are_connected_to_the_first_ones(
        self, conduit: Any, expected: list[str]
    ) -> None:
        """What comes in is connected to every conduit that it reaches first."""
        wanted = sorted(tuple(pair.split()) for pair in expected)
        assert connections(conduit, ingoing=[S, S2]) == wanted

    def test_the_connections_are_the_conduits_themselves(self) -> None:
        """Not copies, so that a drawing can tell two equal steps from each other."""
        ((first, second),) = (S >> A).get_connections(ingoing=[])
        assert first is S
        assert second is A

    def test_nothing_can_come_into_a_producer(self) -> None:
        """Ingoing conduits of a producer are a ValueError."""
        with pytest.raises(ValueError, match="ingoing"):
            list(S.get_connections(ingoing=[A]))


class TestNames:
    """name, get_repr_attributes, repr and str."""

    def test_the_name_of_a_conduit_is_that_of_its_class(self) -> None:
        """Unless a class says otherwise."""
        assert Bare().name == "Bare"
        assert Plain(3).name == "Plain"
        assert Passthrough().name == "Passthrough"
        assert A.name == "a"

    def test_the_attributes_are_those_that_init_takes(self) -> None:
        """Arguments of __init__ that are kept under their names; defaults are left out."""
        assert dict(Plain(3).get_repr_attributes()) == {"size": 3}
        assert dict(Plain(3, 2.0, label="x").get_repr_attributes()) == {
            "size": 3,
            "factor": 2.0,
            "label": "x",
        }
        assert dict(Bare().get_repr_attributes()) == {}

    def test_a_repr_is_the_call_that_makes_the_conduit(self) -> None:
        """With the arguments that are not defaults, by name."""
        assert repr(Plain(3)) == "Plain(size=3)"
        assert repr(Plain(3, label="x")) == "Plain(size=3, label='x')"
        assert repr(Bare()) == "Bare()"
        assert repr(Passthrough()) == "Passthrough()"

    def test_a_class_may_say_what_to_show(self) -> None:
        """get_repr_attributes decides what str shows of a conduit."""
        assert str(Secret("xyz")) == "Secret(password='***')"
        assert "xyz" not in repr(Secret("xyz"))

    @pytest.mark.parametrize(
        ("conduit", "expected"),
        [
            (Bare() >> Plain(1), "Bare() >> Plain(size=1)"),
            (Bare() >> Plain(1) >> Plain(2), "Bare() >> Plain(size=1) >> Plain(size=2)"),
            (Plain(1) & Plain(2), "Plain(size=1) & Plain(size=2)"),
            (Plain(1) & Passthrough(), "Plain(size=1) & Passthrough()"),
            ((Bare() & Bare()) >> Plain(1), "(Bare() & Bare()) >> Plain(size=1)"),
            (Bare() >> (Plain(1) & Plain(2)), "Bare() >> (Plain(size=1) & Plain(size=2))"),
            (
                Bare() >> (Plain(1) & Plain(2)) >> (Plain(3) & Passthrough()),
                "Bare() >> (Plain(size=1) & Plain(size=2)) >> (Plain(size=3) & Passthrough())",
            ),
            (
                Bare() >> (Plain(1) & Plain(2)) >> End(),
                "Bare() >> (Plain(size=1) & Plain(size=2)) >> End()",
            ),
        ],
        ids=str,
    )
    def test_a_repr_has_brackets_where_they_are_needed(self, conduit: Any, expected: str) -> None:
        """A group in a chain stands in brackets, a chain or a group by itself doesn't."""
        assert repr(conduit) == expected

    @pytest.mark.parametrize(
        "conduit",
        [
            Bare() >> Plain(1) >> Plain(2),
            Bare() >> (Plain(1) >> (Plain(2) & Plain(3))),
            (Plain(1) >> Plain(2)) & Plain(3),
            Plain(1) & (Plain(2) >> (Plain(3) & Passthrough())) & Passthrough(),
            (Bare() & (Bare() >> Plain(1))) >> (Plain(2) & Plain(3)) >> End(),
            Bare() >> ((Plain(1) & Plain(2)) & Plain(3)) >> Plain(4),
        ],
        ids=str,
    )
    def test_a_repr_read_back_builds_the_same_flow(self, conduit: Any) -> None:
        """eval(repr(flow)) has the same repr, the same paths and the same connections."""
        again = eval(repr(conduit), globals())
        assert repr(again) == repr(conduit)
        assert again.n_concurrent_conduits == conduit.n_concurrent_conduits

    def test_long_attributes_are_shortened_in_str(self) -> None:
        """str is for reading: a long value does not fill the screen."""
        text = "x" * 10_000
        assert len(str(Plain(1, label=text))) < 500

    def test_an_attribute_whose_repr_raises_does_no_harm(self) -> None:
        """A conduit can be shown whatever its attributes are."""

        class Rude:
            def __repr__(self) -> str:
                raise RuntimeError("no")

        assert "Plain" in str(Plain(1, label=Rude()))  # type: ignore[arg-type]
        assert "Plain" in repr(Plain(1, label=Rude()))  # type: ignore[arg-type]

    def test_functional_steps_are_conduits_too(self) -> None:
        """A step of a function answers the same questions, under its own name."""
        flow: Any = step("src", [{"x": 1}]) >> step("double", lambda x: {"y": 2 * x})
        assert isinstance(flow, Conduit)
        assert names(flow.chained_conduits) == ["src", "double"]
        assert connections(flow) == [("src", "double")]
        assert flow.n_concurrent_conduits == 1
