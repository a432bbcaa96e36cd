"""Products of one's own that know where they came from."""

from __future__ import annotations

import copy
import dataclasses
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fluxus_rx import DictProduct, RunResult, Transformer, run, step
from fluxus_rx.lineage import HasLineage, LineageOrigin
from tests.support.errors import refused


class Destination(LineageOrigin):
    product_name = "Destination"

    def __init__(self, name: str) -> None:
        self.name = name


class Route(HasLineage[HasLineage[Any]]):
    product_name = "Route"

    def __init__(self, start: str, destination: HasLineage[Any]) -> None:
        self.start = start
        self._destination = destination

    @property
    def precursor(self) -> HasLineage[Any]:
        return self._destination


@dataclasses.dataclass(frozen=True)
class Node(HasLineage["Node | None"]):
    before: Node | None
    value: int = 0
    product_name = "Node"

    @property
    def precursor(self) -> Node | None:
        return self.before


class TestAttributes:
    def test_they_are_the_parameters_of_init_without_the_precursor(self) -> None:
        """What is kept under its name or under `_name` is found, defaults included."""
        assert Route("London", Destination("Paris")).product_attributes == {"start": "London"}
        assert Destination("Paris").product_attributes == {"name": "Paris"}
        assert Node(Node(None, 1)).product_attributes == {"value": 0}

    def test_a_parameter_that_is_none_is_an_attribute_of_an_origin(self) -> None:
        """None stands for no precursor, and doesn't take other Nones along."""
        assert Node(None, 1).product_attributes == {"before": None, "value": 1}

    def test_more_keywords_are_attributes_of_their_own(self) -> None:
        """Keywords that are kept together come one by one."""

        class Tagged(LineageOrigin):
            product_name = "tagged"

            def __init__(self, *numbers: int, **tags: str) -> None:
                self.numbers = numbers
                self._tags = tags

        assert Tagged(1, 2, a="A").product_attributes == {"numbers": (1, 2), "a": "A"}

    def test_what_init_passes_on_is_not_missed(self) -> None:
        """Keywords that go on to a base class are the business of that class."""

        class Passing(Destination):
            def __init__(self, **more: Any) -> None:
                super().__init__(**more)

        assert Passing(name="Rome").product_attributes == {}

    def test_a_parameter_that_is_not_kept_is_told(self) -> None:
        """An attribute that can't be found is an error that says what to do, and not left out."""

        class Forgetful(LineageOrigin):
            product_name = "forgetful"

            def __init__(self, lost: int) -> None:
                pass

        with refused(RuntimeError, "Forgetful", "'lost'", "._lost", "product_attributes"):
            _ = Forgetful(1).product_attributes

    def test_a_parameter_may_be_called_as_a_method_is(self) -> None:
        """A method of `HasLineage` is not taken for the value of a parameter of its name."""

        class News(LineageOrigin):
            product_name = "news"

            def __init__(self, label: str, get_lineage: int) -> None:
                self._label = label
                self._get_lineage = get_lineage

        assert News("x", 1).product_attributes == {"label": "x", "get_lineage": 1}

    def test_a_class_without_init_has_none(self) -> None:
        """Without parameters there are no attributes, and no error."""

        class Bare(LineageOrigin):
            product_name = "bare"

        assert Bare().product_attributes == {}


class TestLabels:
    def test_any_name_is_a_label(self) -> None:
        """Also one that has a meaning to Python."""
        assert Destination("Paris").label(self=1).product_labels == {"self": 1}

    def test_labels_are_added_and_replaced(self) -> None:
        """`label` returns the product itself; a second label of the name counts."""
        city = Destination("Paris")
        assert city.label(a=1).label(a=2, b=3) is city
        assert city.product_labels == {"a": 2, "b": 3}

    def test_a_label_that_would_override_an_attribute_is_refused(self) -> None:
        """ValueError names the product, the label and the value, and nothing is labelled."""
        city = Destination("Paris")
        with refused(ValueError, "'Destination'", "'name'", "'Paris'", "another name"):
            city.label(a=1, name="Rome")
        assert city.product_labels == {}

    def test_the_labels_that_are_given_out_are_a_copy(self) -> None:
        """Changing them doesn't change the product."""
        city = Destination("Paris").label(a=1)
        dict(city.product_labels).clear()
        assert city.product_labels == {"a": 1}

    def test_a_copy_has_labels_of_its_own(self) -> None:
        """To label a copy doesn't label the original."""
        city = Destination("Paris").label(a=1)
        assert copy.copy(city).label(b=2).product_labels == {"a": 1, "b": 2}
        assert city.product_labels == {"a": 1}

    def test_frozen_products_can_be_labelled(self) -> None:
        """A label isn't a field, so a frozen dataclass takes it."""
        assert Node(None).label(a=1).product_labels == {"a": 1}

    def test_slots_without_one_for_labels_are_told(self) -> None:
        """The error says which slot is missing."""

        class Slotted(LineageOrigin):
            __slots__ = ("x",)
            product_name = "slotted"

            def __init__(self) -> None:
                self.x = 1

        with refused(RuntimeError, "Slotted", "_lineage_labels", "__slots__"):
            Slotted().label(a=1)

        class Ready(Slotted):
            __slots__ = ("_lineage_labels",)

        assert Ready().label(a=1).product_labels == {"a": 1}


class TestLineage:
    def test_it_begins_with_the_origin(self) -> None:
        """The first product is the first one of the list, the product itself the last one."""
        paris = Destination("Paris")
        london = Route("London", paris)
        berlin = Route("Berlin", london)
        assert berlin.get_lineage() == [paris, london, berlin]

    def test_attributes_and_labels_come_by_product(self) -> None:
        """A name that occurs again is told apart, and labels stand with the attributes."""
        paris = Destination("Paris")
        london = Route("London", paris).label(km=340)
        berlin = Route("Berlin", london).label(km=940, mode="plane")
        assert berlin.get_lineage_attributes() == {
            "Destination": {"name": "Paris"},
            "Route": {"start": "London", "km": 340},
            "Route#1": {"start": "Berlin", "km": 940, "mode": "plane"},
        }

    def test_a_label_counts_before_an_attribute_that_came_later(self) -> None:
        """Where a product gets an attribute of a label's name after all, the label is shown."""

        class Late(LineageOrigin):
            product_name = "late"

            def __init__(self) -> None:
                self.attributes: dict[str, Any] = {}

            @property
            def product_attributes(self) -> dict[str, Any]:
                return self.attributes

        late = Late().label(x="label")
        late.attributes = {"x": "attribute", "y": 1}
        assert late.get_lineage_attributes() == {"late": {"x": "label", "y": 1}}

    @given(st.lists(st.sampled_from(["A", "A#1", "B", "B#1#1"]), max_size=12))
    def test_no_name_is_lost(self, names: list[str]) -> None:
        """However products are called, each has a key of its own, in the order of the lineage."""

        class Named(HasLineage["Named | None"]):
            precursor: Any = None
            product_name = ""
            product_attributes: Any = None

        product: Named | None = None
        for index, name in enumerate(names):
            product, before = Named(), product
            product.precursor, product.product_name = before, name
            product.product_attributes = {"index": index}
        if product is not None:
            found = product.get_lineage_attributes()
            assert [one["index"] for one in found.values()] == [*range(len(names))]
            assert all(key.startswith(name) for key, name in zip(found, names, strict=True))

    def test_a_long_lineage_needs_no_recursion(self) -> None:
        """Ten times as many products as Python lets functions call each other are fine."""
        length = 10 * sys.getrecursionlimit()
        node = Node(None, 0)
        for value in range(1, length):
            node = Node(node, value)
        assert [one.product_attributes["value"] for one in node.get_lineage()] == [*range(length)]
        # Not by the garbage collector, whose own way through a dataclass is recursive.
        assert len(node.get_lineage_attributes()) == length

    def test_a_lineage_that_leads_back_to_itself_ends_in_an_error(self) -> None:
        """It does not go round for ever."""
        route = Route("London", Destination("Paris"))
        route._destination = route
        with refused(RuntimeError, "'Route'", "leads back to itself"):
            route.get_lineage()

    def test_a_precursor_without_lineage_is_refused(self) -> None:
        """TypeError names the product and what came instead of a precursor."""
        with refused(TypeError, "'Route'", "'Paris'", "str", "HasLineage"):
            Route("London", "Paris").get_lineage()  # type: ignore[arg-type]  # on purpose


class TestDictionaries:
    def result(self, length: int = 3) -> list[DictProduct]:
        class Keep(Transformer[DictProduct, DictProduct]):
            def __init__(self) -> None:
                self.kept: list[DictProduct] = []

            def transform(self, product: DictProduct) -> list[DictProduct]:
                self.kept.append(product)
                return [product]

        keep = Keep()
        flow = step("src", [{"x": 1}, {"x": 2}])
        for index in range(length):
            flow >>= step(f"s{index % 2}", lambda x: [{"x": x + 1}, {"y": x}])
        run(flow >> keep)
        return keep.kept

    def test_products_of_steps_have_a_lineage_too(self) -> None:
        """Their lineage is what a result shows, and each of them is the precursor of the next."""
        for product in self.result():
            assert isinstance(product, HasLineage)
            lineage = product.get_lineage()
            assert lineage[-1] is product
            assert [one.precursor for one in lineage[1:]] == lineage[:-1]
            assert lineage[0].precursor is None
            assert product.get_lineage_attributes() == product.nested()

    def test_a_long_chain_of_steps_has_its_lineage_in_linear_time(self) -> None:
        """The lineage of a chain of 3,000 steps is not made again for each of them."""
        product = DictProduct("src", {"x": 0})
        for index in range(3000):
            product.extend(f"s{index}", {"x": index})
        assert [one.product_name for one in product.get_lineage()] == [
            "src",
            *(f"s{index}" for index in range(3000)),
        ]

    def test_labels_of_a_product_are_in_the_result_and_no_attributes(self) -> None:
        """A step behind doesn't see them; the output has them with what the labelled step added."""

        class Label(Transformer[DictProduct, DictProduct]):
            def transform(self, product: DictProduct) -> list[DictProduct]:
                return [product.label(tag="t")]

        flow = step("src", {"x": 1}) >> Label() >> step("end", lambda **all: {"seen": sorted(all)})
        assert run(flow) == RunResult([{"src": {"x": 1, "tag": "t"}, "end": {"seen": ["x"]}}])

    def test_a_label_on_a_product_that_adds_nothing_is_shown(self) -> None:
        """A label is something to show."""
        assert DictProduct("src", {}).label(a=1).nested() == {"src": {"a": 1}}

    def test_a_copy_is_equal_and_separate(self) -> None:
        """Extending or labelling the one doesn't change the other."""
        product = self.result()[0]
        twin = copy.copy(product)
        assert twin.nested() == product.nested()
        assert twin.positions() == product.positions()
        twin.extend("more", {"z": 1})
        assert "z" not in product
        assert twin["z"] == 1
