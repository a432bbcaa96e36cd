"""Marble diagrams: what they mean, what they are drawn as, and the sources that they make."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest
import reactivex
from hypothesis import assume, example, given
from hypothesis import strategies as st
from reactivex import operators as ops
from reactivex.observable.marbles import parse as rx_parse
from reactivex.scheduler import HistoricalScheduler
from reactivex.scheduler.eventloop import AsyncIOScheduler
from reactivex.testing.marbles import marbles_testing

from fluxus_rx import Transformer, arun, run, step
from fluxus_rx.testing import InvalidDiagramError, hot_marbles, marbles, run_virtual, virtual_time
from fluxus_rx.testing._marbles import ENDS, FAILS, NEXT, Event, NoRoom, drawn_diagram, parse

ELEMENTS = st.text("abcXYZ0123456789.", min_size=1, max_size=3)


@st.composite
def diagrams(draw_one: st.DrawFn) -> str:
    """Diagrams of all that the notation has, with spaces anywhere but inside of elements."""
    parts = draw_one(
        st.lists(
            st.one_of(
                st.text("-", min_size=1, max_size=4),
                ELEMENTS,
                st.lists(ELEMENTS, min_size=1, max_size=3).map(lambda some: f"({','.join(some)})"),
                st.just(" "),
            ),
            max_size=12,
        )
    )
    return "".join(parts) + draw_one(st.sampled_from(["", "|", "#", "--|", "-#-", "(a,|)"]))


@given(diagrams())
def test_a_diagram_means_what_it_means_in_reactivex(diagram: str) -> None:
    """The same events at the same times."""
    error = ValueError("x")
    events, _ = parse(diagram, None, error, 0.5)
    theirs = rx_parse(diagram, timespan=0.5, error=error, raise_stopped=True)
    kinds = {"N": NEXT, "C": ENDS, "E": FAILS}
    assert len(events) == len(theirs)
    for event, (time, notification) in zip(events, theirs, strict=True):
        assert (event.time, event.kind) == (time, kinds[notification.kind])
        if event.kind == NEXT:
            assert repr(event.value) == repr(notification.value)


@st.composite
def timelines(draw_one: st.DrawFn) -> list[Event]:
    """Items at any times, several at once, and an end."""
    events: list[Event] = []
    time = draw_one(st.integers(0, 30))
    for _ in range(draw_one(st.integers(0, 8))):
        for item in draw_one(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4)):
            events.append(Event(float(time), NEXT, item))
        time += draw_one(st.integers(1, 30))
    match draw_one(st.sampled_from(["", ENDS, FAILS])):
        case "|":
            events.append(Event(float(time), ENDS))
        case "#":
            events.append(Event(float(time), FAILS))
    return events


@given(timelines(), st.sampled_from([1.0, 0.5, 0.25, 0.1, 1 / 3]))
def test_a_timeline_that_is_drawn_and_read_is_the_same(events: list[Event], unit: float) -> None:
    """Event by event; where a character per unit is too little, a smaller unit will do."""
    in_units = [event._replace(time=event.time * unit) for event in events]
    for parts in (1, 10, 20):
        try:
            diagram = drawn_diagram(in_units, str, unit / parts)
        except NoRoom:
            assert parts < 20
            continue
        again, length = parse(diagram, unit=unit / parts)
        assert [one._replace(time=0) for one in again] == [one._replace(time=0) for one in in_units]
        for one, other in zip(again, in_units, strict=True):
            assert one.time == pytest.approx(other.time)
        assert length >= max([event.time for event in in_units], default=0)
        return


@given(diagrams())
@example("X(X)")
@example("X(X,Y)")
def test_a_diagram_that_is_read_and_drawn_means_the_same(diagram: str) -> None:
    """Though it may be written in another way."""
    events, _ = parse(diagram)
    assume(all(isinstance(event.value, str | int | None) for event in events))
    assume(all(str(event.value).isalpha() for event in events if event.kind == NEXT))
    try:
        drawn = drawn_diagram(events, str)
    except NoRoom:
        # A group of one is drawn without its brackets: X(X) as XX, which is another element.
        assert re.search(r"[^-()]\([^,]+\)", diagram.replace(" ", ""))
        return
    assert parse(drawn)[0] == events


@pytest.mark.parametrize(
    ("diagram", "message", "column"),
    [
        ("-a-(b", "never closed", 3),
        ("-a-(b-c)", "elements with commas", 4),
        ("-(a,(b))", "never closed, or another one is opened inside", 1),
        ("- a-)b", "never opened", 4),
        ("-a,b-", "between the elements of a group only", 2),
        ("-a-|-b", "nothing can follow the end", 5),
        ("-a-#|", "nothing can follow the end", 4),
        ("-()-", "elements with commas", 2),
        ("-(a,)-", "elements with commas", 4),
        ("-a\n-b", "can't stand in a diagram", 2),
        ("-(|,a)", "nothing can follow the end", 4),
    ],
)
def test_a_bad_diagram_is_refused_and_the_place_is_shown(
    diagram: str, message: str, column: int
) -> None:
    """Under the diagram, as it was written."""
    with pytest.raises(InvalidDiagramError) as caught:
        marbles(diagram)
    text = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert message in text
    assert text.endswith(f"\n  {diagram}\n  {' ' * column}^")


class TestValues:
    def test_stand_for_elements(self) -> None:
        """By the element as written, or by the number that it is."""
        events, _ = parse("a-1-2", {"a": None, 1: "one", "2": "two"})
        assert [event.value for event in events] == [None, "one", "two"]

    def test_must_be_there_for_each_element(self) -> None:
        """An element that is none of them is a mistake, at its place."""
        with pytest.raises(InvalidDiagramError, match="'b' is none of values"):
            marbles("-a-b", values={"a": 1})

    def test_of_letters_in_a_row_are_a_mistake_people_make(self) -> None:
        """The message says what to write instead."""
        with pytest.raises(InvalidDiagramError, match=r"\(a,b\) is several at one time, a-b one"):
            marbles("-ab", values={"a": 1, "b": 2})

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            ({"unit": 0}, "unit="),
            ({"unit": "1"}, "unit="),
            ({"unit": True}, "unit="),
            ({"unit": float("inf")}, "unit="),
            ({"values": [1]}, "values="),
            ({"error": "broken"}, "error="),
            ({"error": ValueError}, "error="),
        ],
    )
    def test_arguments_that_are_none_are_refused(
        self, arguments: dict[str, Any], name: str
    ) -> None:
        """By their names."""
        with pytest.raises(ValueError, match=name):
            marbles("-a-", **arguments)

    def test_a_diagram_is_a_string(self) -> None:
        """Anything else is a TypeError."""
        with pytest.raises(TypeError, match="is a string, not 5"):
            marbles(5)  # type: ignore[arg-type]  # on purpose


async def heard(source: Any, scheduler: Any = None) -> list[tuple[float, Any]]:
    """What a source tells, and when; "|" is its end, an exception its error."""
    loop = asyncio.get_running_loop()
    start, got, ended = loop.time(), list[tuple[float, Any]](), asyncio.Event()

    def tell(item: Any) -> None:
        got.append((loop.time() - start, item))

    def end(item: Any) -> None:
        tell(item)
        ended.set()

    source.subscribe(tell, end, lambda: end("|"), scheduler=scheduler)
    await ended.wait()
    return got


class TestSources:
    def test_give_what_is_drawn_when_it_is_drawn(self) -> None:
        """All of one time in one go, in their order."""
        source = marbles("-a-(b,c,d)--|", unit=0.5)
        assert run_virtual(heard(source)) == [
            (0.5, "a"),
            (1.5, "b"),
            (1.5, "c"),
            (1.5, "d"),
            (6, "|"),
        ]

    def test_may_fail(self) -> None:
        """With the error that is given, or with one of their own."""
        error = ZeroDivisionError()
        assert run_virtual(heard(marbles("a#", error=error))) == [(0, "a"), (1, error)]
        ((_, own),) = run_virtual(heard(marbles("#")))
        assert isinstance(own, Exception)

    def test_are_cold(self) -> None:
        """Each subscription is one of its own, from its own beginning."""

        async def main() -> None:
            source = marbles("-a|")
            first = asyncio.create_task(heard(source))
            await asyncio.sleep(0.5)
            assert await heard(source) == await first == [(1, "a"), (2, "|")]

        run_virtual(main())

    def test_stop_when_they_are_disposed_of(self) -> None:
        """Nothing is told any more, and nothing is left on the loop."""

        async def main() -> None:
            got: list[Any] = []
            subscription = marbles("a-b-c|").subscribe(got.append)
            await asyncio.sleep(1)
            subscription.dispose()
            await asyncio.sleep(10)
            assert got == ["a"]

        run_virtual(main())

    def test_go_by_whatever_scheduler_they_are_given(self) -> None:
        """One of Rx's own virtual time, for one."""
        scheduler = HistoricalScheduler()
        got: list[Any] = []
        marbles("-a-b|").subscribe(got.append, scheduler=scheduler)
        scheduler.advance_to(1.5)
        assert got == ["a"]

    def test_stand_in_the_marble_tests_of_reactivex(self) -> None:
        """In place of its own."""
        with marbles_testing() as context:
            assert context.start(marbles("-a-b-|")) == context.exp("-a-b-|", None, None)

    def test_without_any_clock_are_an_error(self) -> None:
        """Which says what to do."""
        errors: list[Any] = []
        marbles("-a|").subscribe(on_error=errors.append)
        (error,) = errors
        assert isinstance(error, RuntimeError)
        assert "needs a clock, and no event loop is running here" in str(error)

    def test_are_sources_of_steps(self) -> None:
        """Where their values are mappings."""
        values = {"a": {"x": 1}, "b": {"x": 2}}
        flow = step("src", marbles("-a-b|", values=values)) >> step(
            "double", lambda x: {"y": 2 * x}
        )
        with virtual_time():
            assert [output["double"]["y"] for output in run(flow)[0]] == [2, 4]

    def test_stand_before_a_transformer_and_before_operators(self) -> None:
        """As any Observable does."""

        class Twice(Transformer[str, str]):
            def transform(self, product: str) -> list[str]:
                return [product, product]

        source: Any = marbles("-a-b|").pipe(ops.map(str.upper))
        assert run_virtual(heard(source >> Twice())) == [
            *((1, "A"), (1, "A"), (3, "B"), (3, "B"), (4, "|"))
        ]

    def test_work_in_real_time(self) -> None:
        """On any loop."""
        assert [item for _, item in asyncio.run(heard(marbles("a(b,|)", unit=0.001)))] == [
            *("a", "b", "|")
        ]

    def test_say_what_they_are(self) -> None:
        """In messages."""
        assert repr(marbles("-a|")) == "marbles('-a|')"
        assert repr(hot_marbles("-a|", unit=0.5)) == "hot_marbles('-a|', unit=0.5)"


class TestHotSources:
    @pytest.mark.parametrize(
        ("late", "expected"),
        [
            (0, [(0, "a"), (2, "b"), (4, "c"), (6, "|")]),
            (2, [(0, "b"), (2, "c"), (4, "|")]),
            (2.5, [(1.5, "c"), (3.5, "|")]),
            (9, [(0, "|")]),
        ],
    )
    @pytest.mark.parametrize("made_inside", [True, False])
    def test_give_what_is_still_to_come(
        self, late: float, expected: list[Any], made_inside: bool
    ) -> None:
        """To who subscribes late; the end alone after the end."""
        made: Mapping[bool, Any] = {False: hot_marbles("a-b-c-|")}

        async def main() -> list[Any]:
            source = hot_marbles("a-b-c-|") if made_inside else made[False]
            await asyncio.sleep(late)
            return await heard(source)

        assert run_virtual(main()) == expected

    def test_begin_when_they_are_made(self) -> None:
        """Inside of a coroutine, that is any time."""

        async def main() -> list[Any]:
            await asyncio.sleep(100)
            source = hot_marbles("a-b-|")
            await asyncio.sleep(1)
            return await heard(source)

        assert run_virtual(main()) == [(1, "b"), (3, "|")]

    def test_begin_with_the_first_subscription_in_real_time(self) -> None:
        """Where they are made before there is any loop."""
        source = hot_marbles("a-b-|", unit=0.001)
        assert [item for _, item in asyncio.run(heard(source))] == ["a", "b", "|"]

    def test_tell_all_at_the_same_time(self) -> None:
        """Two paths of a flow, and what is subscribed to later."""
        values = {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 3}}
        source = hot_marbles("a-b-c|", values=values)

        async def main() -> list[Any]:
            late = step("late", source.pipe(ops.delay_subscription(1)))
            return [*await arun(step("now", source) & late)]

        now, late = run_virtual(main())
        assert [row["now"]["x"] for row in now] == [1, 2, 3]
        assert [row["late"]["x"] for row in late] == [2, 3]


def test_the_notation_of_the_reactivex_function_gives_the_same_source() -> None:
    """`reactivex.from_marbles` on the same loop."""

    async def main() -> None:
        diagram = "-a-12-(b,3)-|"
        theirs = reactivex.from_marbles(diagram, timespan=1.0)
        loop = asyncio.get_running_loop()
        scheduler = AsyncIOScheduler(loop)
        both = await asyncio.gather(heard(marbles(diagram)), heard(theirs, scheduler))
        assert both[0] == both[1]

    run_virtual(main())
