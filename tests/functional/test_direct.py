"""Neighbouring steps that are called as one."""

from __future__ import annotations

import contextlib
from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fluxus_rx import Progress, RunResult, StepOptions, chain, run, step, stream
from fluxus_rx._engine.bound_step import BoundStep

#: what a step may give for an item, by a name of its own
ANSWERS: dict[str, Callable[[int], Any]] = {
    "next": lambda x: {"x": x + 1},
    "other": lambda x: {"y": x},
    "two": lambda x: {"x": x, "y": -x},
    "spelled": lambda x: {"o\u0308": x},
    "nothing": lambda x: {},
    "none": lambda x: [],
    "several": lambda x: [{"x": x}, {"y": x}],
    "lazy": lambda x: ({"x": x + index} for index in range(2)),
    "mapping": lambda x: UserDict(x=x),
    "later": lambda x: later(x),
    "wrong": lambda x: x,
    "bad name": lambda x: {"no name": x},
    "error": lambda x: fail(x),
}


async def later(x: int) -> dict[str, int]:
    return {"x": 10 * x}


def fail(x: int) -> dict[str, int]:
    raise ValueError(f"at {x}")


class Answering(NamedTuple):
    """A step of a chain: its name, what its function takes, and its answers by turns."""

    name: str
    takes: str
    answers: tuple[str, ...]

    def step(self) -> Any:
        def answer(value: int) -> Any:
            return ANSWERS[self.answers[value % len(self.answers)]](value)

        functions: dict[str, Callable[..., Any]] = {
            "x": lambda x: answer(x),
            "y": lambda y: answer(y),
            "first": lambda first: answer(first),
            "two": lambda x, y: answer(x + y),
            "default": lambda x, y=5, *, z=3: answer(x + y + z),
            "all": lambda x, **others: answer(x + len(others)),
            "spelled": lambda ö: answer(ö),
        }
        return step(self.name, functions[self.takes])


usual = st.sampled_from(["next", "other", "two"])
steps = st.builds(
    Answering,
    name=st.sampled_from("abcdefghi"),
    takes=st.sampled_from(["x", "x", "x", "y", "first", "two", "default", "all", "spelled"]),
    answers=st.one_of(
        st.tuples(usual),
        st.lists(st.one_of(usual, st.sampled_from([*ANSWERS])), min_size=1, max_size=4).map(tuple),
    ),
)


def outcome(make: Callable[[], RunResult]) -> Any:
    """The outputs, without times; or the error, and where it came up."""
    try:
        result = make()
    except Exception as error:
        return type(error), str(error), getattr(error, "__notes__", [])
    return [
        [{name: without_times(added) for name, added in output.items()} for output in path]
        for path in result
    ]


def flow_of(chained: list[Answering], count: int, looked_up: str, *, is_list: bool = False) -> Any:
    items = [{"first": x, "ö": -x, looked_up: x} for x in range(count)]
    source = step("src", items) if is_list else step("src", lambda: iter(items))
    return chain(source, *(one.step() for one in chained))


@contextlib.contextmanager
def one_by_one() -> Iterator[None]:
    """A block in which neighbouring steps are not called as one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoundStep, "is_direct", False)
        yield


def without_times(added: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in added.items() if name not in ("[start]", "[end]")}


@given(
    chained=st.lists(steps, max_size=12),
    count=st.integers(0, 4),
    looked_up=st.sampled_from(["x", "y"]),
)
def test_steps_that_are_called_as_one_do_what_each_does_by_itself(
    chained: list[Answering], count: int, looked_up: str
) -> None:
    """Outputs, errors and their notes are those of steps that are called one by one, also where
    calls are counted, or their times kept."""

    def flow() -> Any:
        return flow_of(chained, count, looked_up)

    with one_by_one():
        alone = outcome(lambda: run(flow()))

    assert outcome(lambda: run(flow())) == alone
    assert outcome(lambda: run(flow(), progress=lambda told: None)) == alone
    assert outcome(lambda: run(flow(), timestamps=True)) == alone
    if not isinstance(alone, tuple):
        assert [[output for _, output in stream(flow())]] == alone or "later" in str(chained)


@given(
    chained=st.lists(steps, max_size=7),
    count=st.integers(0, 5),
    looked_up=st.sampled_from(["x", "y"]),
    is_list=st.booleans(),
)
@example(  # one that fails behind one that doesn't is told with its item
    chained=[Answering("a", "y", ("next", "error"))], count=2, looked_up="y", is_list=False
)
def test_calls_that_are_made_as_one_are_counted_like_others(
    chained: list[Answering], count: int, looked_up: str, is_list: bool
) -> None:
    """How many calls of each step have succeeded and failed, and the record of each, are those of
    steps that are called one by one; the times of an output follow each other."""
    # Where calls wait, how many others have begun by an error is nobody's promise.
    assume(not any("later" in one.answers for one in chained))

    def counted(timestamps: bool) -> Any:
        told: list[Progress] = []
        ended: list[RunResult] = []
        flow = flow_of(chained, count, looked_up, is_list=is_list)
        try:
            result = run(flow, progress=told.append, timestamps=timestamps, partial=ended)
        except Exception:
            result = ended[0]
        for output in result.get_outputs() if timestamps else ():
            times = [added[name] for added in output.values() for name in ("[start]", "[end]")]
            assert times == sorted(times)
            assert times[0] >= 0
        calls = [one._replace(start=0, end=0, busy=0, spans=()) for one in result._times.calls]
        counts = [(one.step, one.done, one.failed, one.in_flight) for one in told[-1].steps]
        return counts, sorted(calls, key=repr) if timestamps else ()

    for timestamps in (True, False):
        with one_by_one():
            expected = counted(timestamps)
        assert counted(timestamps) == expected


class TestSources:
    def failing(self) -> Iterator[dict[str, int]]:
        yield {"x": 1}
        yield {"x": 2}
        raise OSError("gone")

    def test_an_error_of_a_source_tells_behind_how_many_items(self) -> None:
        """Also where no product was made of them."""
        partial: list[RunResult] = []

        with pytest.raises(OSError, match="gone") as caught:
            run(step("src", self.failing) >> step("a", lambda x: {"x": x}), partial=partial)

        assert caught.value.__notes__ == ["in step 'src', at item 2"]
        assert [len(path) for path in partial[0]] == [2]

    def test_a_source_that_is_read_on_tells_it_too(self) -> None:
        """The second call turns out to be asynchronous, and products are made from there on."""
        answers: Iterator[Any] = iter([{"x": 1}, later(2)])

        with pytest.raises(OSError, match="gone") as caught:
            run(step("src", self.failing) >> step("a", lambda x: next(answers)))

        assert caught.value.__notes__ == ["in step 'src', at item 2"]

    def test_it_is_closed_once(self) -> None:
        """At its end, or when a step fails."""
        closed: list[str] = []

        class Items:
            def __init__(self, name: str) -> None:
                self._name = name
                self._left = [{"x": 1}, {"x": 2}]

            def __iter__(self) -> Items:
                return self

            def __next__(self) -> dict[str, int]:
                if not self._left:
                    raise StopIteration
                return self._left.pop()

            def close(self) -> None:
                closed.append(self._name)

        run(step("src", lambda: Items("whole")) >> step("a", lambda x: {"x": x}))
        with pytest.raises(ValueError, match="at 2"):
            run(step("src", lambda: Items("cut")) >> step("a", fail))

        assert closed == ["whole", "cut"]

    def test_what_a_function_holds_on_to_is_copied(self) -> None:
        """One dictionary, given again and again with other values, is as many outputs."""
        one = {"x": 0}

        def again(x: int) -> dict[str, int]:
            one["x"] = x
            return one

        result = run(step("src", [{"x": 1}, {"x": 2}]) >> step("a", again))

        assert [output["a"] for output in result[0]] == [{"x": 1}, {"x": 2}]


def test_outputs_are_of_the_run_that_gave_them() -> None:
    """A changed output changes neither another run's, nor the items of the source."""
    items = [{"x": 1}]
    flow: Any = step("src", items) >> step("a", lambda x: {"x": x})
    first = run(flow)

    first[0][0]["src"]["x"] = 5

    assert run(flow)[0] == [{"src": {"x": 1}, "a": {"x": 1}}]


def test_a_name_that_occurs_again_changes_no_position() -> None:
    """Failures of one item are in the order of their paths, and a note tells of no more items than
    there are."""

    def fail_at_last(x: int) -> dict[str, int]:
        raise ValueError(f"at {x}")

    def each(x: int) -> list[dict[str, int]]:
        return [{"x": x}, {"x": x + 1}]

    def same(x: int) -> dict[str, int]:
        return {"x": x}

    first = step("b", same) >> step("c", same) >> step("b", same) >> step("e", fail_at_last)
    second = step("d", same) >> step("f", fail_at_last)
    flow = step("src", [{"x": 1}, {"x": 2}]) >> step("each", each) >> (first & second)

    failures = run(flow, options=StepOptions(on_error="collect")).failures

    assert [failure.step for failure in failures] == ["e", "f"] * 4
    assert [failure.note.split()[4] for failure in failures] == [
        "0",
        "0",
        "0.1",
        "0.1",
        "1",
        "1",
        "1.1",
        "1.1",
    ]
