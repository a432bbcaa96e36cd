"""A name that Python writes in another way where it stands in code is the same name: µ and μ, ö and
o with a diaeresis, ｘ and x."""

from __future__ import annotations

import logging
import unicodedata
from typing import Any, TypedDict

import pytest
import reactivex

from fluxus_rx import arun, check, from_observable, rerun, run, step
from fluxus_rx._common.names import normal_name, spellings_of
from fluxus_rx.testing import run_virtual

#: As they are in data, and as Python has them in code.
MICRO, MU = "\u00b5", "\u03bc"
DECOMPOSED = unicodedata.normalize("NFD", "größe")
WIDE = "\uff58"
NAMES = [(MICRO, MU), (DECOMPOSED, "größe"), (WIDE, "x"), ("ﬁeld", "field"), (MU, MU), ("x", "x")]


def function_of(parameters: str, gives: str = "None") -> Any:
    """A function whose parameters are written as its source has them."""
    space: dict[str, Any] = {}
    exec(f"def function({parameters}): return {{'y': {gives}}}", space)
    return space["function"]


@pytest.mark.parametrize(("written", "normal"), NAMES, ids=ascii)
def test_a_parameter_gets_the_attribute_whatever_way_it_is_written(
    written: str, normal: str
) -> None:
    """Needed or optional, next to others, of data, of an observable, of a step before."""
    assert normal_name(written) == normal
    one = step("ask", function_of(written, written))
    several = step("ask", function_of(f"other, {written}=0, **more", written))
    data = {written: 5, "other": 1}
    for ask in (one, several):
        assert run(step("data", [data]) >> ask)[0][0] == {"data": data, "ask": {"y": 5}}
        assert run(ask, input=data)[0][0]["ask"] == {"y": 5}
        before = step("before", lambda: data) >> step("between", lambda other: {"z": other})
        assert run(before >> ask)[0][0]["ask"] == {"y": 5}
        assert [one for one in check(step("data", [data]) >> ask) if one.level == "error"] == []
    assert run(from_observable(reactivex.of(5), written) >> one)[0][0]["ask"] == {"y": 5}


@pytest.mark.parametrize(("written", "normal"), NAMES, ids=ascii)
def test_a_fixed_keyword_is_that_of_the_parameter(written: str, normal: str) -> None:
    """And one that hides an attribute is told of."""
    ask = step("ask", function_of(written, written), **{written: 7})
    assert run(step("data", [{"n": 1}]) >> ask)[0][0]["ask"] == {"y": 7}
    assert run(step("data", [{written: 1}]) >> ask)[0][0]["ask"] == {"y": 7}


def test_a_fixed_keyword_that_hides_an_attribute_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Under whichever name."""
    caplog.set_level(logging.WARNING, logger="fluxus_rx")
    run(step("data", [{MICRO: 1}]) >> step("ask", function_of(MICRO), **{MU: 7}))
    assert "from 'data', which is 1" in caplog.text


@pytest.mark.parametrize(("written", "normal"), NAMES, ids=ascii)
def test_order_is_kept_by_an_attribute_whatever_way_it_is_written(
    written: str, normal: str
) -> None:
    async def ask(n: int) -> dict[str, int]:
        return {"y": n}

    for key, option in ((written, normal), (normal, written)):
        data = step("data", [{key: n % 2, "n": n} for n in range(4)])
        flow = data >> step("ask", ask).options(ordered=option)
        assert len(run_virtual(lambda flow=flow: arun(flow))[0]) == 4  # type: ignore[misc]  # a default


def test_a_typed_dict_tells_of_its_names() -> None:
    """Also as they are written in a text."""
    Row: Any = TypedDict("Row", {MICRO: int})  # type: ignore[misc]  # a name by value

    def rows() -> Any:
        return {MICRO: 1}

    rows.__annotations__["return"] = Row

    assert "error" not in str(check(step("rows", rows) >> step("ask", function_of(MICRO))))


def test_results_have_the_names_of_the_data() -> None:
    """Nobody's data is written again."""
    assert [*run(step("data", [{DECOMPOSED: 1}]))[0][0]["data"]] == [DECOMPOSED]


@pytest.mark.parametrize("later", [MICRO, MU])
@pytest.mark.parametrize("earlier", [MICRO, MU])
@pytest.mark.parametrize("between", [0, 1, 9])
def test_the_latest_value_counts_under_whichever_name(
    earlier: str, later: str, between: int
) -> None:
    """However many steps are in between, and also where the same object goes on through them."""
    flow: Any = step("old", [{earlier: "old"}]) >> step("new", lambda **_: {later: "new"})
    for number in range(between):
        flow >>= step(f"s{number}", lambda number=number: [{f"n{number}": 1}])
    assert run(flow >> step("ask", function_of(MICRO, MICRO)))[0][0]["ask"] == {"y": "new"}


def test_a_rerun_starts_at_a_step_whatever_way_it_is_named() -> None:
    """As data has the name, or as code has it."""

    def fail(z: int) -> dict[str, int]:
        raise ValueError

    made: Any = step(DECOMPOSED, lambda n: {"z": n})
    flow = step("data", [{"n": 1}]) >> made >> step("fail", fail).options(on_error="collect")
    for start in (DECOMPOSED, "größe"):
        assert len(rerun(flow, run(flow).failures, start=start).failures) == 1


def test_the_name_itself_comes_first() -> None:
    """One that is there is taken, and no other."""
    both = {MICRO: 1, MU: 2}
    assert (
        run(step("data", [both]) >> step("ask", function_of(MICRO, MICRO)))[0][0]["ask"]["y"] == 2
    )
    assert spellings_of(MICRO)[:2] == (MICRO, MU)
    assert spellings_of("never seen") == ("never seen",)
