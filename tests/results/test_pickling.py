"""Results and failures that are kept: what was dumped can be loaded."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fluxus_rx import (
    Failure,
    FailureLimitError,
    Failures,
    InvalidProductError,
    RecordedError,
    RunResult,
    rerun,
    run,
    step,
)
from fluxus_rx import _errors as errors
from tests.support.errors import notes, refused, untyped
from tests.support.scripted_calls import numbers
from tests.support.subprocesses import python


class ApiError(Exception):
    """Takes a keyword, as those of httpx and openai do: it is dumped, and can't be loaded."""

    def __init__(self, message: str, *, response: object = None, **required: object) -> None:
        if not required and response is None:
            raise TypeError("response is missing")
        super().__init__(message)
        self.response = response


class Reworded(Exception):
    """Makes its text of what it is given: loaded, it makes it of its text."""

    def __init__(self, code: object) -> None:
        super().__init__(f"code {code}")


class Unreducible(Exception):
    def __reduce__(self) -> Any:
        raise RuntimeError("not now")


class Elsewhere(Exception):
    """Is something else when it is loaded."""

    def __reduce__(self) -> Any:
        return str, ("nothing",)


class Hanging(Exception):
    """Waits for ever when it is loaded."""

    def __setstate__(self, state: Any) -> None:
        threading.Event().wait()


class Fine(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def local_error() -> Exception:
    class Local(Exception):
        pass

    return Local("here")


def holding(thing: object) -> Exception:
    error = ValueError("held")
    error.thing = thing  # type: ignore[attr-defined]  # as clients do with a response
    return error


#: Exceptions that can't be made again, by what they are.
LOST: dict[str, Callable[[], Exception]] = {
    "takes a keyword": lambda: ApiError("rate limited", response=429),
    "makes its text": lambda: Reworded(5),
    "reduce raises": lambda: Unreducible("no"),
    "another object": lambda: Elsewhere("no"),
    "local class": local_error,
    "holds a lock": lambda: holding(threading.Lock()),
    "holds a generator": lambda: holding(iter(lambda: 0, 1)),
    "argument": lambda: ValueError(threading.Lock()),
}


def failing(make: Callable[[], Exception], count: int = 1) -> Any:
    """A flow each of whose calls fails."""

    def fail(x: int) -> dict[str, int]:
        raise make()

    return numbers(count) >> step("s", fail).options(on_error="collect")


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


class TestExceptions:
    @pytest.mark.parametrize("name", LOST)
    def test_one_that_is_lost_is_recorded(self, name: str) -> None:
        """By the name of its class, its text, its notes and its traceback."""
        result = run(failing(LOST[name]))
        error = result.failures[0].exception
        for loaded in (
            again(result.failures)[0],
            again(result).failures[0],
            again(result.failures[0]),
            again(again(result.failures[0])),
        ):
            recorded = loaded.exception
            assert isinstance(recorded, RecordedError)
            assert (
                recorded.class_name
                == f"{type(error).__module__}.{type(error).__qualname__}"[
                    9 if type(error) is ValueError else 0 :
                ]
            )
            assert (recorded.text, notes(recorded)) == (str(error), notes(error))
            assert "in fail" in recorded.traceback
            assert loaded.note == result.failures[0].note == notes(error)
            assert loaded.lineage == result.failures[0].lineage

    def test_one_that_can_be_made_again_is_itself(self) -> None:
        """With its attributes and its notes."""
        failures = run(failing(lambda: Fine(5))).failures
        error: Any = again(failures)[0].exception
        assert (type(error), error.code, notes(error)) == (Fine, 5, failures[0].note)

    def test_what_loading_it_does_is_no_matter_of_whoever_loads(self) -> None:
        """It is made when somebody looks at it."""
        failure = again(run(failing(lambda: Hanging("x"))).failures)[0]
        assert failure.step == "s"
        assert again(failure).lineage == {"src": {"x": 0}}

    def test_causes_and_contexts_are_kept(self) -> None:
        """Each as itself, or recorded; those that are suppressed are not."""

        def fail(x: int) -> dict[str, int]:
            try:
                try:
                    raise ApiError("first", response=1)
                except ApiError as first:
                    raise Fine(2) from first
            except Fine:
                raise ValueError("third")  # noqa: B904 - a context is what is tried

        made = step("s", fail).options(on_error="collect")
        third = again(run(numbers(1) >> made).failures)[0].exception
        second = third.__context__
        assert isinstance(second, Fine)
        first = second.__cause__
        assert isinstance(first, RecordedError)
        assert (str(third), second.code, first.text) == ("third", 2, "first")
        assert third.__cause__ is None

    def test_a_group_is_a_group_of_what_can_be_made_again(self) -> None:
        """And of records of the others."""
        group: Any = again(
            run(failing(lambda: ExceptionGroup("two", [Fine(1), local_error()]))).failures
        )[0].exception
        assert isinstance(group, ExceptionGroup)
        assert group.message == "two"
        assert [type(one) for one in group.exceptions] == [Fine, RecordedError]

    def test_an_exception_that_causes_itself_is_no_end(self) -> None:
        """Its causes are followed a few times."""
        error = ValueError("round")
        error.__cause__ = error
        assert str(again(run(failing(lambda: error)).failures)[0].exception) == "round"

    def test_a_long_text_is_cut(self) -> None:
        """One of a record; an exception that can be made again has it whole."""
        long = "x" * 1_000_000
        assert len(str(again(run(failing(lambda: Fine(long))).failures)[0].exception)) == 1_000_000  # type: ignore[arg-type]  # as a text
        lost = again(run(failing(lambda: ApiError(long, response=1))).failures)[0].exception
        assert len(lost.text) < 20_000

    def test_one_of_many_failures_is_dumped_once(self) -> None:
        """So that a thousand of them are not a thousand tracebacks."""
        error = ApiError("x" * 1_000, response=1)
        assert len(pickle.dumps(run(failing(lambda: error, 100)).failures)) < 30_000

    def test_a_class_that_is_nowhere_else_does_not_matter(self) -> None:
        """A pickle of a script is loaded in another process, and from there on in the first one."""
        code = (
            "import pickle, sys\n"
            "from fluxus_rx import run, step\n"
            "class Own(Exception): pass\n"
            "def fail(x): raise Own('mine')\n"
            "flow = step('src', {'x': 1}) >> step('fail', fail).options(on_error='collect')\n"
            "print(pickle.dumps(run(flow)).hex())"
        )
        ended = python("-c", code)
        assert ended.code == 0, ended.err
        result = pickle.loads(bytes.fromhex(ended.out))
        error = again(result).failures[0].exception
        assert isinstance(error, RecordedError)
        assert str(error) == "__main__.Own: mine"
        assert "(RecordedError" not in str(result.failures.to_frame())
        assert result.failures.to_frame()["[failure]", "error"][0] == "Own"

    def test_the_error_of_a_limit_keeps_its_notes(self) -> None:
        """And its failures, whatever their exceptions are."""
        with pytest.raises(FailureLimitError) as caught:
            run(failing(LOST["holds a lock"], 9), max_failures=2)
        caught.value.add_note("by hand")
        loaded = again(caught.value)
        assert (str(loaded), notes(loaded)) == (str(caught.value), notes(caught.value))
        assert [type(one.exception) for one in loaded.failures] == [RecordedError] * 3


class TestValues:
    @pytest.mark.parametrize(
        "value", [threading.Lock(), lambda: 0, Unreducible("x")], ids=["lock", "lambda", "error"]
    )
    @pytest.mark.parametrize("wrapped", [lambda x: x, lambda x: [x], lambda x: {"k": (x,)}])
    def test_what_can_not_be_pickled_is_named(
        self, value: Any, wrapped: Callable[[Any], Any]
    ) -> None:
        """When it is dumped: the step and the attribute, in failures as in outputs."""
        source = step("src", [{"x": 1, "odd": wrapped(value)}])
        failed = run(source >> step("s", lambda x: {"y": 1 // 0}).options(on_error="collect"))
        for one in (failed.failures, failed, failed.failures[0]):
            with refused(InvalidProductError, "'odd' of step 'src'", "'s' was given", "pickled"):
                pickle.dumps(one)
        if wrapped(value) is not value or not isinstance(value, Exception):
            with refused(InvalidProductError, "output 0 of path 0", "'odd' of step 'src'"):
                pickle.dumps(run(source))

    def test_what_could_not_be_loaded_is_named_too(self) -> None:
        """Before anything is written."""
        result = run(step("src", [{"x": [ApiError("no", response=1)]}]))
        with refused(InvalidProductError, "'x' of step 'src'", "ApiError('no')", "loaded"):
            pickle.dumps(result)

    def test_an_exception_that_is_an_attribute_is_recorded(self) -> None:
        """As one of a failure is; the result that was dumped stays as it is."""
        result = run(step("src", [{"x": ApiError("no", response=1), "y": Fine(1)}]))
        loaded = again(result)[0][0]["src"]
        assert isinstance(loaded["x"], RecordedError)
        assert isinstance(loaded["y"], Fine)
        assert isinstance(result[0][0]["src"]["x"], ApiError)

    def test_what_an_own_transformer_was_given_is_checked(self) -> None:
        """It has no attributes."""
        failure = Failure("s", "s", threading.Lock(), ValueError("no"), 1)
        with refused(InvalidProductError, "what step 's' was given"):
            pickle.dumps(failure)


class TestCopies:
    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    @pytest.mark.parametrize("name", LOST)
    def test_a_copy_has_the_same_exceptions(
        self, duplicate: Callable[[Any], Any], name: str
    ) -> None:
        """The objects themselves: many can't be copied."""
        result = run(failing(LOST[name], 2))
        for made in (duplicate(result).failures, duplicate(result.failures)):
            assert isinstance(made, Failures)
            assert [one.exception for one in made] == [one.exception for one in result.failures]
        assert duplicate(result.failures[0]).exception is result.failures[0].exception
        assert duplicate(result) == result

    def test_a_deep_copy_has_products_of_its_own(self) -> None:
        """Of failures and outputs; it can be merged as the result can."""
        flow = step("src", [{"x": [0]}, {"x": [1]}]) >> step(
            "s", lambda x: {"y": 1 // x[0]}
        ).options(on_error="collect")
        result = run(flow)
        made = copy.deepcopy(result)
        result[0][0]["src"]["x"].append(5)
        result.failures[0].product["x"].append(5)
        assert made[0][0]["src"]["x"] == [1]
        assert made.failures[0].product["x"] == [0]
        well = step("src", []) >> step("s", lambda x: {"y": 7})
        assert made.merged(rerun(well, made.failures))[0] == [
            {"src": {"x": [0]}, "s": {"y": 7}},
            {"src": {"x": [1]}, "s": {"y": 1}},
        ]

    def test_a_shallow_copy_shares_outputs(self) -> None:
        """As that of a list does."""
        result = RunResult([{"src": {"x": 1}}])
        assert copy.copy(result)[0][0] is result[0][0]


def test_failures_are_shown_shortly() -> None:
    """A thousand of them in a line or two."""
    text = repr(run(failing(lambda: Fine(1), 100)).failures)
    assert text.endswith("and 94 more])")
    assert len(text) < 1_000


@pytest.mark.parametrize("name", sorted({*errors.__all__} - {"RecordedError", "encodable"}))
def test_errors_of_the_library_are_pickled(name: str) -> None:
    """With their texts and their notes."""
    kind = getattr(errors, name)
    error = kind("no")
    error.add_note("in step 's'")
    loaded = again(error)
    assert (type(loaded), str(loaded), notes(loaded)) == (kind, "no", "in step 's'")


def test_a_failure_is_shown_shortly() -> None:
    """Whatever it was given, and whatever its exception holds."""
    failure = Failure("s", "s", {"x": b"x" * 1_000_000}, ValueError(b"y" * 1_000_000), 1)
    assert len(repr(failure)) < 500
    assert len(str(failure)) < 500


def test_of_hundreds_of_arguments_a_note_has_the_first() -> None:
    """And tells how many there were."""

    def fail(**attributes: int) -> dict[str, int]:
        raise ValueError

    failures = run(
        step("src", {f"x{n}": n for n in range(500)})
        >> step("s", untyped(fail)).options(on_error="collect")
    ).failures
    assert failures[0].note.endswith("x19=19, and 480 more")
