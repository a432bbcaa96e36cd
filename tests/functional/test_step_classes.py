"""Steps, sources and consumers of classes of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import io
import pickle
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Literal

import pytest
import reactivex

from fluxus_rx import (
    DictConsumer,
    InvalidFlowError,
    InvalidNameError,
    InvalidProductError,
    RunResult,
    SimpleProducer,
    SourceStep,
    Step,
    UsageError,
    arun,
    check,
    passthrough,
    rerun,
    run,
    start,
    step,
    stream,
)
from fluxus_rx.viz import to_tree
from tests.support.errors import refused, untyped

WORDS = [{"text": "go"}, {"text": "on"}]


def doubled(text: str) -> dict[str, str]:
    """A step's function."""
    return {"text": text + text}


class Shout(Step):
    """A step without a function, with a field of its own."""

    def __init__(self, name: str, mark: str) -> None:
        super().__init__(name)
        self.mark = mark

    def call(self, text: str) -> dict[str, str]:
        """Louder."""
        return {"text": text.upper() + self.mark}


class Quoted(Step):
    """Changes what any function returns."""

    def call(self, **attributes: Any) -> Any:
        """In quotation marks."""
        return {name: f"'{value}'" for name, value in super().call(**attributes).items()}


class Late(Step):
    """A step that awaits, around a function that may."""

    async def call(self, **attributes: Any) -> Any:
        """The same, later."""
        await asyncio.sleep(0)
        given = super().call(**attributes)
        given = await given if asyncio.iscoroutine(given) else given
        return {name: f"({value})" for name, value in given.items()}


@dataclasses.dataclass(frozen=True)
class Marked(Step):
    """A frozen dataclass, which has the name of its class."""

    mark: str

    def call(self, text: str) -> Iterator[dict[str, str]]:
        """Two products of each."""
        yield {"text": text + self.mark}
        yield {"text": self.mark + text}


class Spoken(Step):
    """Says by a property what it is called."""

    @property
    def name(self) -> str:
        """No identifier."""
        return "spoken aloud"

    def call(self, text: str) -> dict[str, str]:
        """Once."""
        return {"text": f"{text}."}


def nothing() -> dict[str, str]:
    """What takes no attributes."""
    return {}


async def doubled_late(text: str) -> dict[str, str]:
    """An asynchronous step's function."""
    await asyncio.sleep(0)
    return doubled(text)


#: a step of each kind, its name in outputs, and the texts that it gives for "go"
KINDS: dict[str, tuple[Callable[[], Step], str, list[str]]] = {
    "without a function": (lambda: Shout("s", "!"), "s", ["GO!"]),
    "around a function": (lambda: Quoted("s", doubled), "s", ["'gogo'"]),
    "asynchronous": (lambda: Late("s", doubled), "s", ["(gogo)"]),
    "asynchronous around one that is": (lambda: Late("s", doubled_late), "s", ["(gogo)"]),
    "frozen dataclass": (lambda: Marked("*"), "Marked", ["go*", "*go"]),
    "own name": (lambda: Spoken("s"), "spoken aloud", ["go."]),
}


def collected(flow: Any) -> list[Any]:
    """What `start` returns."""

    async def main() -> RunResult:
        async with start(flow) as running:
            return await running.result()

    return [*asyncio.run(main())[0]]


def rerun_of_a_failure(flow_of: Callable[[Step], Any], one: Step) -> list[Any]:
    """The outputs after each call has failed once."""
    failing = {"go", "on"}

    class Failing(type(one)):  # type: ignore[misc]  # known at run time only
        def call(self, **attributes: Any) -> Any:
            if attributes["text"] in failing:
                failing.remove(attributes["text"])
                raise LookupError
            return super().call(**attributes)

    Failing.__name__ = type(one).__name__
    broken = copy.copy(one)
    object.__setattr__(broken, "__class__", Failing)
    flow = flow_of(broken.options(on_error="collect"))
    result = run(flow)
    return [*result.merged(rerun(flow, result.failures))[0]]


def src_and(one: Any) -> Any:
    """A source in front of it."""
    return step("src", WORDS) >> one


WAYS: dict[str, Callable[[Step], list[Any]]] = {
    "run": lambda one: [*run(src_and(one))[0]],
    "arun": lambda one: [*asyncio.run(arun(src_and(one)))[0]],
    "stream": lambda one: [output for _, output in stream(src_and(one))],
    "start": lambda one: collected(src_and(one)),
    "iteration": lambda one: [product.get_lineage_attributes() for product in src_and(one)],
    "input": lambda one: [
        {("src" if name == "input" else name): added for name, added in output.items()}
        for output in run(one, input=WORDS)[0]
    ],
    "between fused steps": lambda one: [
        {name: added for name, added in output.items() if name not in ("a", "b")}
        for output in run(
            step("src", WORDS)
            >> step("a", lambda text: {"text": text})
            >> one
            >> step("b", lambda text: {"n": len(text)})
        )[0]
    ],
    "a group": lambda one: [*run(step("src", WORDS) >> (one & passthrough()))[0]],
    "progress": lambda one: [*run(src_and(one), progress=lambda told: None)[0]],
    "concurrency": lambda one: [*run(src_and(one.options(concurrency=2)))[0]],
    "ordered": lambda one: [*run(src_and(one.options(concurrency=2, ordered=True)))[0]],
    "retry": lambda one: [*run(src_and(one.options(retry=2, timeout=30)))[0]],
    "a whole chain's options": lambda one: [*run(src_and(one).options(buffer=2))[0]],
    "a copy": lambda one: [*run(src_and(copy.copy(one)))[0]],
    "a rerun": lambda one: rerun_of_a_failure(src_and, one),
    "on an observable": lambda one: [
        {("src" if name == "input" else name): added for name, added in output.items()}
        for output in run(one, input=reactivex.from_iterable(WORDS))[0]
    ],
    "after pickling": lambda one: [*run(src_and(pickle.loads(pickle.dumps(one))))[0]],
}


def texts(outputs: Iterable[Any], name: str) -> list[str]:
    """What the step has returned."""
    return [output[name]["text"] for output in outputs]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_the_call_of_a_class_is_made_whichever_way_the_step_is_run(way: str, kind: str) -> None:
    """Never that of the function alone, and with the lineage before it."""
    make, name, of_go = KINDS[kind]
    outputs = WAYS[way](make())
    of_on = [text.replace("go", "on").replace("GO", "ON") for text in of_go]
    assert texts(outputs, name) == of_go + of_on
    assert [[*output] for output in outputs] == [["src", name]] * len(outputs)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("asynchronous")])
def test_the_call_of_a_class_is_made_in_threads_and_in_processes(kind: str) -> None:
    """In a process by a copy, which has the fields."""
    make, name, of_go = KINDS[kind]
    for executor in ("thread", "process"):
        elsewhere = make().options(executor=executor, limiter=asyncio.Semaphore(2))
        assert texts(run(src_and(elsewhere))[0], name)[: len(of_go)] == of_go


def test_options_give_a_copy_of_the_class() -> None:
    """With its fields; the step itself stays as it was."""
    one = Shout("s", "!")
    other = one.options(concurrency=3)
    assert type(other) is Shout
    assert other.mark == "!"
    assert repr(other) == "Shout('s').options(concurrency=3)"
    assert repr(one) == "Shout('s')"
    assert repr(Quoted("s", doubled)) == "Quoted('s', doubled)"


def test_fields_that_change_are_those_of_the_step_itself() -> None:
    """A call on the loop is made by the object that stands in the flow."""

    class Counting(Step):
        count = 0

        def call(self, text: str) -> dict[str, int]:
            self.count += 1
            return {"n": self.count}

    counting = Counting("s")
    run(src_and(counting))
    assert counting.count == 2


def test_fixed_arguments_and_parameters_of_both_are_found() -> None:
    """Those of `call`, and if it takes others, those of the function."""

    class Limited(Step):
        def call(self, limit: int, **attributes: Any) -> Any:
            return {"text": super().call(**attributes)["text"][:limit]}

    limited = Limited("s", doubled, limit=3)
    assert texts(run(src_and(limited))[0], "s") == ["gog", "ono"]
    findings = check(step("src", {"other": 1}) >> Limited("s", doubled))
    assert "needs the attributes 'limit', 'text'" in str(findings)


def test_a_class_that_takes_all_attributes_gets_all() -> None:
    """If it has no function."""

    class Names(Step):
        def call(self, **attributes: Any) -> Any:
            return {"names": sorted(attributes)}

    flow = src_and(Shout("a", "!")) >> step("b", lambda text: {"n": 1}) >> Names("s")
    assert run(flow)[0][0]["s"] == {"names": ["n", "text"]}


def test_drawings_show_the_class_of_a_step() -> None:
    """Beside its name."""
    assert "○ s  Shout" in to_tree(src_and(Shout("s", "!")))


@pytest.mark.parametrize(
    ("mistake", "error", "words"),
    [
        (lambda: Step("s"), InvalidFlowError, "needs a function"),
        (lambda: Step("s", untyped(5)), InvalidFlowError, "5 (int) isn't a function"),
        (lambda: Step("a b", doubled), InvalidNameError, "'a_b'"),
        (lambda: Step("s", nothing), InvalidFlowError, "SourceStep"),
        (lambda: Step("s", doubled, by=2), InvalidFlowError, "no parameter 'by'"),
        (lambda: untyped(Shout("s", "!").options)(max_conc=1), InvalidFlowError, "max_conc"),
        (lambda: SourceStep("s"), InvalidFlowError, "needs data or a function"),
        (lambda: SourceStep("s", doubled), InvalidFlowError, "takes attributes"),
        (lambda: SourceStep("s", [1]), InvalidProductError, "item 0 of the data"),
        (lambda: SourceStep("s", "ab"), InvalidFlowError, "a string isn't data"),
    ],
)
def test_mistakes_are_refused_when_they_are_made(
    mistake: Callable[[], Any], error: type[Exception], words: str
) -> None:
    """With the step, and the way out."""
    with refused(error, words):
        mistake()


def test_super_call_without_a_function_says_what_is_missing() -> None:
    """And names the step."""

    class Empty(Step):
        def call(self, **attributes: Any) -> Any:
            return super().call(**attributes)

    with pytest.raises(UsageError, match="step 's' has no function"):
        run(src_and(Empty("s")))


class Lines(SourceStep):
    """A source of a class of its own."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name)
        self.text = text

    def call(self) -> Iterator[dict[str, str]]:
        """A product a line."""
        for line in io.StringIO(self.text):
            yield {"line": line.strip()}


class LateLines(Lines):
    """The same, asynchronously."""

    async def call(self) -> AsyncIterator[dict[str, str]]:  # type: ignore[override]
        """A product a line."""
        for line in super().call():
            await asyncio.sleep(0)
            yield line


@dataclasses.dataclass
class Counted(SourceStep):
    """A dataclass, which has the name of its class."""

    count: int

    def call(self) -> list[dict[str, int]]:
        """Numbers."""
        return [{"line": n} for n in range(self.count)]


class Odd(SourceStep):
    """Leaves out some of what it was given."""

    def call(self) -> Any:
        """Those that are odd."""
        return [item for item in super().call() if item["line"] % 2]


SOURCES: dict[str, tuple[Callable[[], SourceStep], str, list[Any]]] = {
    "own init": (lambda: Lines("s", "a\nb"), "s", ["a", "b"]),
    "asynchronous": (lambda: LateLines("s", "a\nb"), "s", ["a", "b"]),
    "dataclass": (lambda: Counted(2), "Counted", [0, 1]),
    "around data": (lambda: Odd("s", [{"line": n} for n in range(4)]), "s", [1, 3]),
    "around a function": (lambda: Odd("s", lambda: [{"line": 3}]), "s", [3]),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_the_call_of_a_source_is_made_for_each_run(kind: str) -> None:
    """Also in a thread and in a process, in groups, and for those who iterate."""
    make, name, lines = SOURCES[kind]
    source = make()
    for flow in (source, source >> step("x", lambda line: {"n": 1}), source & source):
        assert [output[name]["line"] for output in run(flow)[0]] == lines
    assert [product["line"] for product in source] == lines
    if kind != "asynchronous":
        executors: list[Literal["thread", "process"]] = ["thread"]
        if kind != "around a function":
            executors.append("process")
        for executor in executors:
            elsewhere = source.options(executor=executor)
            assert type(elsewhere) is type(source)
            assert [output[name]["line"] for output in run(elsewhere)[0]] == lines


def test_data_that_is_used_up_is_told_where_a_class_asks_for_it() -> None:
    """As for a step of the library."""
    odd = Odd("s", iter([{"line": 1}]))
    assert len(run(odd)[0]) == 1
    with pytest.raises(UsageError, match="used up by an earlier run"):
        run(odd)


class Opening(Step):
    """A step that each run opens, with what its calls need."""

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """The mark, for as long as the run lasts."""
        self.mark = "!"
        yield
        self.mark = "closed"

    def call(self, text: str) -> dict[str, str]:
        """With the mark."""
        return {"text": text + self.mark}


class OpeningLater(Step):
    """The same, asynchronously, and around a function."""

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The mark, for as long as the run lasts."""
        await asyncio.sleep(0)
        self.mark = "!"
        yield

    async def call(self, **attributes: Any) -> dict[str, str]:
        """With the mark."""
        await asyncio.sleep(0)
        return {"text": super().call(**attributes)["text"] + self.mark}


class OpeningSource(SourceStep):
    """A source that each run opens."""

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """The lines, for as long as the run lasts."""
        self.lines = [{"text": "go!"}, {"text": "on!"}]
        yield

    def call(self) -> Iterator[dict[str, str]]:
        """The lines."""
        yield from self.lines


@pytest.mark.parametrize("executor", [None, "thread", "process"])
def test_a_class_that_runs_open_is_called_where_it_is_open(executor: str | None) -> None:
    """On a copy, so the object itself has nothing of it."""
    opening, source = Opening("s"), OpeningSource("s")
    ways: list[tuple[Any, Any]] = [(opening, src_and), (source, lambda source: source)]
    for one, flow in ways:
        elsewhere = one if executor is None else one.options(executor=executor)
        assert texts(run(flow(elsewhere))[0], "s") == ["go!", "on!"]
        assert not {"mark", "lines"} & vars(one).keys()
    if executor is None:
        later = OpeningLater("s", lambda text: {"text": text})
        for flow in (src_and(later), src_and(later.options(retry=2)), src_and(later & opening)):
            assert texts(run(flow)[0], "s") == ["go!", "on!"]


class TestDictConsumer:
    """A consumer that collects what `run` would."""

    flow = step("src", WORDS) >> (Shout("a", "!") & Late("b", doubled) & step("c", lambda text: []))

    def test_it_gives_the_outputs_of_a_run(self) -> None:
        """Path by path, with those that are empty, however the flow is run."""
        ended = self.flow >> DictConsumer()
        expected = run(self.flow)
        assert len(expected) == 3
        assert ended.run() == asyncio.run(ended.arun()) == expected

    def test_a_class_of_ones_own_looks_at_what_comes(self) -> None:
        """Behind steps that stand in front of it alone, too."""

        class Longest(DictConsumer):
            def consume(self, products: Iterable[tuple[int, Any]]) -> RunResult:
                seen = []

                def kept() -> Iterator[tuple[int, Any]]:
                    for path, product in products:
                        seen.append(product["text"])
                        yield path, product

                result = super().consume(kept())
                self.longest = max(seen, key=len)
                return result

        ended = step("src", WORDS) >> (Shout("a", "!!") >> Longest())
        assert ended.run() == run(step("src", WORDS) >> Shout("a", "!!"))
        assert ended.consumer.longest == "GO!!"  # type: ignore[attr-defined]

    def test_what_is_no_mapping_is_refused(self) -> None:
        """With its name."""
        flow: Any = SimpleProducer[Any]([5]) >> DictConsumer()
        with refused(InvalidProductError, "DictConsumer was given 5 (int)"):
            flow.run()
