"""Bad input: each mistake is told where it is made, with the name, what came, and the way out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from fluxus_rx import RunResult, arun, run, step
from tests.support.errors import notes, refused, untyped


def enrich(x: int) -> dict[str, int]:
    return {"y": x}


def source() -> Any:
    return step("src", {"x": 3})


def enriched() -> Any:
    return step("enrich", enrich)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class TestData:
    def test_row_1_a_list_of_non_mappings_is_refused_when_the_step_is_written(self) -> None:
        """Row 1: the item, its place, its type and an example of what is meant are named."""
        with refused(TypeError, "'src'", "item 0", "1 (int)", "mapping", "{'x': 1}"):
            step("src", untyped([1, 2]))

    def test_row_1_the_item_that_is_none_is_the_one_that_is_named(self) -> None:
        """Row 1: a list that begins well is refused for its first bad item."""
        with refused(TypeError, "'src'", "item 2", "None"):
            step("src", untyped([{"x": 1}, {"x": 2}, None]))

    def test_row_1_a_generator_of_non_mappings_is_refused_at_the_item_concerned(self) -> None:
        """Row 1: data that can be read once only is checked as it is read."""
        flow = step("src", untyped(value for value in [{"x": 1}, 2]))

        with refused(TypeError, "'src'", "item 1", "2 (int)", "mapping"):
            run(flow)

    def test_row_1_a_long_value_is_shortened(self) -> None:
        """A message shows the beginning of a long value, not all of it."""
        with pytest.raises(TypeError) as caught:
            step("src", untyped(["abc" * 10_000]))

        assert len(str(caught.value)) < 500

    def test_row_1_a_repr_that_raises_does_not_matter(self) -> None:
        """A value whose repr fails is refused with the same error, by its type."""
        with refused(TypeError, "'src'", "Unprintable"):
            step("src", untyped([Unprintable()]))

    @pytest.mark.parametrize("make", [lambda: {"a b": 1}, lambda: [{"a b": 1}]])
    def test_row_2_a_key_that_is_no_identifier_is_refused(self, make: Callable[[], Any]) -> None:
        """Row 2: the step, the key and a name that would do are given."""
        with refused(ValueError, "'src'", "'a b'", "identifier", "'a_b'"):
            run(step("src", make))

    @pytest.mark.parametrize("data", [{"a b": 1}, [{"x": 1}, {"a b": 1}]])
    def test_row_2_such_a_key_in_plain_data_is_refused_when_the_step_is_written(
        self, data: Any
    ) -> None:
        """Row 2: what can be known when the flow is written is said then."""
        with refused(ValueError, "'src'", "'a b'", "identifier", "'a_b'"):
            step("src", data)

    @pytest.mark.parametrize("key", ["", "1x", "a-b", "a.b", "[start]", "x#1"])
    def test_row_2_no_string_but_an_identifier_is_a_key(self, key: str) -> None:
        """Row 2: empty names, signs and leading digits are refused as blanks are."""
        with refused(ValueError, "'src'", repr(key)):
            run(step("src", lambda: {key: 1}))

    def test_row_2_a_step_that_gives_such_a_key_is_refused(self) -> None:
        """Row 2: the outputs of later steps are held to the same rule."""
        with refused(ValueError, "'enrich'", "'a b'", "identifier", "'a_b'"):
            run(source() >> step("enrich", lambda x: {"a b": x}))

    def test_row_3_a_key_that_is_no_string_is_refused(self) -> None:
        """Row 3: the key is shown with its type."""
        with refused(TypeError, "'src'", "1 (int)", "string"):
            run(step("src", untyped(lambda: {1: 2})))
        with refused(TypeError, "'src'", "1 (int)", "string"):
            step("src", untyped({1: 2}))

    def test_row_8_an_async_producer_may_return_a_list(self) -> None:
        """Row 8: an asynchronous producer may return all that a synchronous one may."""

        async def produce() -> list[dict[str, int]]:
            return [{"x": 1}, {"x": 2}]

        assert run(step("src", produce)) == RunResult([{"src": {"x": 1}}, {"src": {"x": 2}}])

    @pytest.mark.parametrize("text", ["abc", "", b"abc"])
    def test_row_27_a_string_is_no_data(self, text: Any) -> None:
        """Row 27: a string is refused, and the three things that a step takes are named."""
        with refused(TypeError, "'src'", "mapping", "iterable", "function"):
            step("src", text)

    @pytest.mark.parametrize(
        ("value", "shown"),
        [(5, "5 (int)"), (None, "None"), (2.5, "2.5 (float)"), (object(), "(object)")],
        ids=["int", "None", "float", "object"],
    )
    def test_row_28_a_value_that_is_neither_data_nor_function_is_refused(
        self, value: Any, shown: str
    ) -> None:
        """Row 28: the value is shown with its type."""
        with refused(TypeError, "'src'", shown, "data", "function"):
            step("src", value)

    def test_row_38_a_generator_as_data_cannot_run_twice(self) -> None:
        """Row 38: a generator that an earlier run has used up is an error, not an empty result."""
        flow = step("src", ({"x": x} for x in range(3))) >> enriched()

        assert len(run(flow)[0]) == 3
        with refused(RuntimeError, "'src'", "generator", "list", "function"):
            run(flow)

    def test_row_38_an_async_generator_as_data_cannot_run_twice(self) -> None:
        """Row 38: the same holds for an asynchronous generator."""

        async def rows() -> AsyncIterator[dict[str, int]]:
            yield {"x": 1}

        flow = step("src", rows())

        assert len(run(flow)[0]) == 1
        with refused(RuntimeError, "'src'", "generator", "function"):
            run(flow)

    async def test_row_38_two_runs_at_once_cannot_share_a_generator(self) -> None:
        """Row 38: of two runs at once, one has the generator and the other the error."""
        flow = step("src", ({"x": x} for x in range(3)))

        results = await asyncio.gather(arun(flow), arun(flow), return_exceptions=True)

        assert sum(isinstance(result, RunResult) for result in results) == 1
        assert sum(isinstance(result, RuntimeError) for result in results) == 1

    def test_row_38_a_run_that_left_early_has_used_the_generator_up(self) -> None:
        """Row 38: what one reader has begun, no other can take up."""
        flow = step("src", ({"x": x} for x in range(3)))
        for _ in flow:
            break

        with refused(RuntimeError, "'src'", "generator"):
            run(flow)


class TestFunctions:
    def test_row_4_a_missing_attribute_is_named_with_those_that_are_there(self) -> None:
        """Row 4: the step, what it misses, what there is, from where, and both ways out."""

        def priced(x: int, price: int) -> dict[str, int]:
            return {"total": x * price}

        with refused(
            ValueError,
            "'enrich'",
            "'price'",
            "'x'",
            "'src'",
            "default",
            "step('enrich', ",
            "price=",
        ):
            run(source() >> step("enrich", priced))

    def test_row_4_all_missing_attributes_are_named_at_once(self) -> None:
        """Row 4: two missing attributes take one run to find out, not two."""
        with refused(ValueError, "'enrich'", "'price'", "'amount'"):
            run(source() >> step("enrich", lambda x, price, amount: {}))

    def test_row_4_without_input_nothing_is_there(self) -> None:
        """Row 4: a flow that runs on nothing says which attribute its first step needs."""
        with refused(ValueError, "'enrich'", "'x'"):
            run(enriched())

    def test_row_4_an_asynchronous_step_says_the_same(self) -> None:
        """Row 4: how the function is written makes no difference to the message."""

        async def priced(x: int, price: int) -> dict[str, int]:
            return {"total": x * price}

        with refused(ValueError, "'enrich'", "'price'", "'x'", "'src'", "default"):
            run(source() >> step("enrich", priced))

    def test_row_5_positional_only_parameters_are_refused(self) -> None:
        """Row 5: the parameter and the way to put it right are named."""

        def f(x: int, /) -> dict[str, int]:
            return {"x": x}

        with refused(TypeError, "'enrich'", "'x'", "f()", "positional-only", "'/'"):
            step("enrich", f)

    def test_row_6_none_from_a_step_is_refused(self) -> None:
        """Row 6: None isn't a product; how to drop an item is said."""
        with refused(TypeError, "'enrich'", "None", "mapping", "[]"):
            run(source() >> step("enrich", untyped(lambda x: None)))

    def test_row_6_none_from_an_asynchronous_step_is_refused(self) -> None:
        """Row 6: None that was awaited is refused as None that was returned."""

        async def nothing(x: int) -> None:
            return None

        nothing.__annotations__.clear()
        with refused(TypeError, "'enrich'", "None", "mapping", "[]"):
            run(source() >> step("enrich", untyped(nothing)))

    def test_row_6_none_from_a_producer_is_refused(self) -> None:
        """Row 6: a source function is held to the same rule."""
        with refused(TypeError, "'src'", "None", "mapping"):
            run(step("src", untyped(lambda: None)))

    @pytest.mark.parametrize("value", ["abc", "", 5, b"abc"])
    def test_row_6_other_values_that_are_no_data_are_refused(self, value: Any) -> None:
        """Row 6: a string or a number that a step returns is shown with its type."""
        with refused(TypeError, "'enrich'", repr(value), type(value).__name__, "mapping"):
            run(source() >> step("enrich", lambda x: value))

    def test_row_7_a_list_of_non_mappings_from_a_step_is_refused(self) -> None:
        """Row 7: the item, its place and its type are named."""
        with refused(TypeError, "'enrich'", "item 0", "list", "1 (int)", "mapping"):
            run(source() >> step("enrich", untyped(lambda x: [1, 2])))

    def test_row_7_a_generator_of_non_mappings_from_a_step_is_refused(self) -> None:
        """Row 7: the first item that isn't a mapping is the one that is named."""

        def values(x: int) -> Iterator[Any]:
            yield {"x": x}
            yield "abc"

        with refused(TypeError, "'enrich'", "item 1", "'abc' (str)", "mapping"):
            run(source() >> step("enrich", values))

    def test_row_7_an_async_generator_of_non_mappings_is_refused(self) -> None:
        """Row 7: the same holds for asynchronous generators."""

        async def values(x: int) -> AsyncIterator[Any]:
            yield {"x": x}
            yield None

        with refused(TypeError, "'enrich'", "item 1", "None", "mapping"):
            run(source() >> step("enrich", values))

    def test_row_29_a_forgotten_name_is_recognised(self) -> None:
        """Row 29: a function in the place of the name is told apart from other values."""
        with refused(TypeError, "step()", "name", "'name'", "<lambda>"):
            untyped(step)(lambda x: {"x": x})
        with refused(TypeError, "step()", "name", "enrich"):
            untyped(step)(enrich)

    @pytest.mark.parametrize(("name", "better"), [("a b", "'a_b'"), ("a-b", "'a_b'")])
    def test_row_30_a_name_that_is_no_identifier_is_refused(self, name: str, better: str) -> None:
        """Row 30: the name is shown, and one that would do."""
        with refused(ValueError, repr(name), "step name", "identifier", better):
            step(name, {"x": 1})

    @pytest.mark.parametrize("name", ["", "1x", "s#1"])
    def test_row_30_no_string_but_an_identifier_is_a_name(self, name: str) -> None:
        """Row 30: empty names, signs and leading digits are refused."""
        with refused(ValueError, repr(name), "step name", "identifier"):
            step(name, {"x": 1})

    @pytest.mark.parametrize("name", [None, 5])
    def test_row_31_a_name_that_is_no_string_is_refused(self, name: Any) -> None:
        """Row 31: the value that came instead of a name is shown."""
        with refused(TypeError, "name of a step", "string", repr(name)):
            step(name, {"x": 1})

    def test_row_32_data_takes_no_keywords(self) -> None:
        """Row 32: a fixed keyword beside data is refused."""
        with refused(TypeError, "'src'", "'by'", "data takes no keywords"):
            untyped(step)("src", {"x": 1}, by=2)

    def test_row_33_a_producer_takes_no_keywords(self) -> None:
        """Row 33: a fixed keyword for a function without parameters is refused."""
        with refused(TypeError, "'src'", "'by'", "no arguments"):
            step("src", lambda: {"x": 1}, by=2)

    def test_row_34_a_keyword_that_the_function_does_not_have_is_refused(self) -> None:
        """Row 34: the keyword and the parameters that there are are named."""

        def f(x: int) -> dict[str, int]:
            return {"x": x}

        with refused(TypeError, "'enrich'", "f()", "'by'", "'x'"):
            step("enrich", f, by=2)

    def test_row_35_a_fixed_value_that_hides_an_attribute_warns_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Row 35: one warning for each step, with both values and where the other one is from."""
        data = [{"x": 41}, {"x": 42}, {"x": 43}]
        flow = step("src", data) >> step("a", lambda x: {"y": x}, x=5)

        with caplog.at_level(logging.WARNING):
            result = run(flow)

        records = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert len(records) == 1
        assert records[0].name.partition(".")[0] == "fluxus_rx"
        message = records[0].getMessage()
        assert [part for part in ("'a'", "x=5", "'x'", "41", "'src'") if part not in message] == []
        assert [output["a"]["y"] for output in result[0]] == [5, 5, 5]

    def test_row_35_each_step_has_a_warning_of_its_own(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Row 35: two steps that each hide an attribute raise two warnings."""

        async def late(x: int) -> dict[str, int]:
            return {"y": x}

        with caplog.at_level(logging.WARNING):
            run(source() >> step("a", enrich, x=5) >> step("b", late, x=6))

        messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert len(messages) == 2
        assert "'a'" in messages[0]
        assert "'b'" in messages[1]

    def test_row_35_a_fixed_value_that_hides_nothing_is_silent(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Row 35: a fixed value for an attribute that no step provides isn't a reason to warn."""
        with caplog.at_level(logging.WARNING):
            run(source() >> step("a", lambda x, by: {"y": x * by}, by=5))

        assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []

    @pytest.mark.parametrize("annotation", [int, str, bytes, float, bool, "int", None, list[int]])
    def test_row_36_an_annotation_that_cannot_be_a_mapping_is_refused(
        self, annotation: Any
    ) -> None:
        """Row 36: the function and its annotation are named, and what a step returns."""

        def f(x: int) -> Any:
            raise AssertionError("never called")

        f.__annotations__["return"] = annotation
        shown = getattr(annotation, "__name__", str(annotation))

        with refused(TypeError, "'enrich'", "f()", shown, "mapping"):
            step("enrich", f)

    def test_row_37_a_builtin_without_signature_is_refused(self) -> None:
        """Row 37: the way round a function whose parameters nobody knows is to wrap it."""
        with refused(TypeError, "'s'", "dict", "lambda"):
            step("s", dict)

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_row_39_an_error_of_a_step_says_where_it_happened(self, asynchronous: bool) -> None:
        """Row 39: the error that was raised, with a note of step, item, path and arguments."""
        error = KeyError("price")

        def plain(x: int) -> dict[str, int]:
            if x == 3:
                raise error
            return {"x": x}

        async def late(x: int) -> dict[str, int]:
            return plain(x)

        data = [{"x": 100 + i} for i in range(17)] + [{"x": 3}]
        flow = step("src", data) >> step("enrich", late if asynchronous else plain)

        with pytest.raises(KeyError) as caught:
            run(flow)

        assert caught.value is error
        for part in ("'enrich'", "item 17", "src → enrich", "x=3"):
            assert part in notes(error)

    def test_row_39_an_error_of_a_source_names_the_source(self) -> None:
        """Row 39: an error in a producer has a note too."""

        def failing() -> Iterator[dict[str, int]]:
            yield {"x": 1}
            raise KeyError("price")

        with pytest.raises(KeyError) as caught:
            run(step("src", failing) >> enriched())

        assert "'src'" in notes(caught.value)

    def test_row_39_arguments_are_shortened_in_a_note(self) -> None:
        """Row 39: a long argument is shown by its beginning; one without a repr does not hurt."""

        def failing(x: Any) -> dict[str, Any]:
            raise KeyError("price")

        for value in ("abc" * 10_000, Unprintable()):
            with pytest.raises(KeyError) as caught:
                run(step("src", [{"x": value}]) >> step("enrich", failing))
            assert len(notes(caught.value)) < 1_000
            assert "'enrich'" in notes(caught.value)

    def test_a_call_instead_of_a_function_is_refused(self) -> None:
        """A coroutine in the place of a function is refused, closed, and the way out is shown."""

        async def fetch() -> dict[str, int]:
            return {"x": 1}

        coroutine = untyped(fetch())
        with refused(TypeError, "'src'", "call", "function"):
            step("src", coroutine)
        assert coroutine.cr_frame is None

    def test_fixed_names_that_are_no_identifiers_are_refused(self) -> None:
        """Fixed keywords are held to the rule for attribute names."""
        with refused(ValueError, "'enrich'", "'a b'", "identifier"):
            step("enrich", untyped(lambda **kwargs: kwargs), **{"a b": 1})
