"""`rx_pipe(…, name=…)` and `stream_pipe(…, name=…)`: running, copying and showing them."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject

from fluxus_rx import (
    DictProduct,
    FlowError,
    InvalidFlowError,
    InvalidNameError,
    arun,
    astream,
    check,
    passthrough,
    rerun,
    run,
    rx_pipe,
    start,
    step,
    stream,
)
from tests.support.errors import refused
from tests.support.hot import Item
from tests.support.named_pipes import PIPES, total, windows
from tests.support.probes import until
from tests.support.scripted_calls import numbers


def made(flow: Any) -> list[tuple[str, dict[str, Any], list[int]]]:
    """What comes out: its name, its attributes, and the x of each of its precursors."""
    return [
        (p.product_name, dict(p.product_attributes), [before["x"] for before in p.precursors])
        for p in flow
    ]


class TestEverywhere:
    """However it is run."""

    flow = numbers(4) >> windows() >> total

    def outputs(self) -> list[Any]:
        """What a run returns."""
        return [*run(self.flow)[0]]

    async def test_asynchronous_runs_give_the_same(self) -> None:
        """`arun`, `astream`, `start`."""
        expected = await asyncio.to_thread(self.outputs)
        assert (await arun(self.flow))[0] == expected
        assert [output async for _, output in astream(self.flow)] == expected
        async with start(self.flow) as running:
            assert (await running.result())[0] == expected

    def test_synchronous_ones_too(self) -> None:
        """`stream`, and a table with a row for each window."""
        assert [output for _, output in stream(self.flow)] == self.outputs()
        frame = run(self.flow).to_frame()
        assert [*frame["total"]["total"]] == [1, 5]
        assert len(frame) == 2

    def test_times_are_those_of_the_steps(self) -> None:
        """The window itself has none: no step has made it."""
        for output in run(self.flow, timestamps=True)[0]:
            assert {"[start]", "[end]"} <= {*output["total"]}
            assert {*output["window"]} == {"window"}

    def test_windows_that_failed_can_be_run_again(self) -> None:
        """Those, and no others; in their places when they are merged."""
        broken = [True]

        def bad(window: Any) -> dict[str, int]:
            if broken[0] and window[0]["x"] == 0:
                raise LookupError("bad")
            return {"n": window[0]["x"]}

        failing = step("bad", bad).options(on_error="collect")
        for flow, path in (
            (numbers(4) >> windows() >> failing, 0),
            (numbers(4) >> (passthrough() & windows() >> failing), 1),
        ):
            broken[0] = True
            result = run(flow)
            (failure,) = result.failures
            assert dict(failure.product)["window"] == [{"x": 0}, {"x": 1}]
            broken[0] = False
            again = rerun(flow, result.failures)
            assert [output["bad"]["n"] for output in again[path]] == [0]
            assert [o["bad"]["n"] for o in result.merged(again)[path]] == [0, 2]
            assert failure.product.product_name == "window"
            assert [p["x"] for p in failure.product.precursors] == [0, 1]

    def test_each_run_begins_afresh(self) -> None:
        """A window that isn't full is not carried over."""
        flow = numbers(3) >> windows()
        assert [*run(flow)] == [*run(flow)]

    async def test_two_subscriptions_at_once_do_not_mix(self) -> None:
        """To the same observable."""
        observable = (numbers(4) >> windows() >> total).to_observable()
        both = reactivex.zip(observable, observable).pipe(ops.to_list())
        assert [(a["total"], b["total"]) for a, b in await both] == [(1, 1), (5, 5)]

    async def test_a_plain_observable_may_be_piped_through_one(self) -> None:
        """In the emitter's thread and at its time."""
        subject: Subject[Any] = Subject()
        seen: list[Any] = []
        subject.pipe(step("in", lambda x: {"x": x}), windows(), total).subscribe(seen.append)
        for number in range(4):
            subject.on_next({"x": number})
        assert [product["total"] for product in seen] == [1, 5]
        assert [len(product.precursor.precursors) for product in seen] == [2, 2]


class TestCopies:
    """Products that operators have made, taken elsewhere."""

    @pytest.mark.parametrize(
        "copied",
        [
            copy.copy,
            copy.deepcopy,
            *(lambda p, n=n: pickle.loads(pickle.dumps(p, n)) for n in (2, 5)),
        ],
    )
    def test_a_copy_has_the_same_precursors(self, copied: Callable[[Any], Any]) -> None:
        """And the same attributes, name and lineage."""
        (product,) = numbers(2) >> windows()
        (behind,) = numbers(2) >> windows() >> total
        for one in (product, behind):
            other = copied(one)
            assert other == one
            assert other.product_name == one.product_name
            assert other.precursors == one.precursors
            assert other.get_lineage_attributes() == one.get_lineage_attributes()
            assert isinstance(other, DictProduct)
        assert copied(behind).precursor.precursors == product.precursors

    def test_a_window_is_let_go_with_its_precursors(self) -> None:
        """A run that is streamed holds no more than what it is about to yield."""
        source = step("src", lambda: ({"x": Item()} for _ in range(2_000)))
        flow = source >> windows(10) >> step("n", lambda window: {"n": len(window)})
        most = count = 0
        for product in flow:
            window = product.precursor
            assert window is not None
            assert len(window.precursors) == 10
            count += 1
            most = max(most, Item.alive)
        assert count == 200
        # Windows that wait in the buffers, the one that is made and the one that is read.
        assert most < 10 * 40
        del product, window
        assert Item.alive == 0


class TestTelling:
    """How it is made and shown."""

    @pytest.mark.parametrize("make", PIPES)
    @pytest.mark.parametrize("name", ["", "a b", "1", "a-b"])
    def test_a_name_must_be_an_identifier(self, make: Any, name: str) -> None:
        """It is that of an attribute."""
        with refused(InvalidNameError, f"{make.__name__}()", repr(name), "identifiers"):
            make(ops.map(abs), name=name)

    @pytest.mark.parametrize("make", PIPES)
    def test_a_name_must_be_a_string(self, make: Any) -> None:
        """Not the first argument by chance."""
        with refused(InvalidFlowError, f"{make.__name__}()", "name=3 (int)"):
            make(ops.map(abs), name=3)

    @pytest.mark.parametrize("make", PIPES)
    def test_its_repr_has_the_name(self, make: Any) -> None:
        """Behind the operators."""
        assert repr(make(abs, name="window")) == f"{make.__name__}(abs, name='window')"
        assert repr(make(abs)) == f"{make.__name__}(abs)"

    def test_drawings_and_findings_have_the_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Instead of the kind."""
        flow = numbers(4) >> windows() >> total
        flow.draw()
        drawn = capsys.readouterr().out
        assert drawn.index("src") < drawn.index("window") < drawn.index("total")
        assert "window → total" in {finding.step for finding in check(flow)}

    def test_errors_behind_tell_the_way_through_it(self) -> None:
        """By its name."""

        def bad(window: Any) -> dict[str, int]:
            raise LookupError("bad")

        with pytest.raises(LookupError) as caught:
            run(numbers(4) >> windows() >> step("bad", bad))
        (note,) = caught.value.__notes__
        assert "window → bad" in note

    async def test_an_error_of_the_operators_ends_the_run(self) -> None:
        """The very object."""
        error = LookupError("bad")

        def fail(product: Any) -> Any:
            raise error

        with pytest.raises(LookupError) as caught:
            await arun(numbers(4) >> rx_pipe(ops.map(fail), name="made"))
        assert caught.value is error
        assert not isinstance(error, FlowError)

    async def test_demand_passes_through(self) -> None:
        """A source is no further ahead than without a name."""
        opened: list[int] = []

        def source() -> Any:
            for x in range(10_000):
                opened.append(x)
                yield {"x": x}

        async def wait(window: Any) -> dict[str, int]:
            await asyncio.Event().wait()
            return {}

        slow = step("slow", wait).options(concurrency=1)
        async with start(step("src", source) >> windows(2) >> slow) as running:
            await until(lambda: running.stats()["slow"].in_flight == 1)
            for _ in range(2_000):
                await asyncio.sleep(0)
        assert len(opened) < 100
