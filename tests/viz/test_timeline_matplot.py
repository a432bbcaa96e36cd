"""The timeline as a picture made with matplotlib: what is in it, and that it can be looked at."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from matplotlib.colors import to_hex

from fluxus_rx import RunResult
from fluxus_rx.viz._timeline.axis import DARK, LIGHT, step_colours
from fluxus_rx.viz._timeline.matplot import to_figure, to_picture
from fluxus_rx.viz._timeline.model import Timeline
from tests.support import timelines
from tests.support.browser import PICTURES
from tests.support.tables import all_values

RUNS = {
    "small": timelines.small,
    "failing": timelines.failing,
    "long": timelines.long,
    "wide": timelines.wide,
    "odd": timelines.odd,
    "big": timelines.big,
}


def figure_of(made: RunResult, dark: bool = False) -> Any:
    return to_figure(Timeline.of(made), dark=dark)


def labels(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def legend(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.mark.slow
@all_values("name, dark", [*RUNS], {"light": False, "dark": True}, keep=lambda name, dark: not dark)
def test_a_picture_is_made_without_a_warning(name: str, dark: bool) -> None:
    """Each run, light and dark; the files are there to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = to_picture(Timeline.of(RUNS[name]()), "png", dark=dark)
    (PICTURES / f"timeline_{name}{'_dark' * dark}.png").write_bytes(picture)

    assert picture.startswith(b"\x89PNG")


def test_each_step_has_a_lane() -> None:
    """In the order of the flow, with its calls and the most at once."""
    above, below = figure_of(timelines.failing()).axes

    assert labels(above) == ["src", "fetch", "parse", "store"]
    assert [text.get_text() for text in above.texts] == [
        "60 calls, up to 1 at once",
        *["63 calls, up to 8 at once"] * 3,
    ]
    assert below.get_ylabel() == "output"
    assert below.get_xlabel() == "time since the run began"


def test_a_picture_without_timed_outputs_ends_with_the_lanes() -> None:
    """There is no empty half below, and the title says what isn't shown."""
    (above,) = figure_of(timelines.aggregated(alone=True)).axes

    assert labels(above) == ["fetch"]
    assert above.get_xlabel() == "time since the run began"
    assert above.get_title(loc="left").endswith("Not shown: 1 output that operators made.")


def test_lanes_have_the_colours_of_their_steps() -> None:
    """And so have the bars of the outputs."""
    figure = figure_of(timelines.small())
    above, below = figure.axes
    colours = step_colours(4, LIGHT)

    assert [to_hex(one) for one in above.collections[0].get_facecolor()] == colours
    assert [to_hex(one) for one in below.collections[0].get_facecolor()] == colours * 12


def test_waiting_is_hatched_and_in_the_legend() -> None:
    """Work is not."""
    figure = figure_of(timelines.small())
    (waits,) = figure.axes[1].patches

    assert waits.get_hatch()
    assert figure.axes[1].collections[0].get_hatch() is None
    assert legend(figure) == ["waits for the next step"]


def test_failures_and_retries_are_marked() -> None:
    """Each one in the lane of its step, and both in the legend."""
    figure = figure_of(timelines.failing())
    _, *marks = figure.axes[0].collections

    assert [len(some.get_offsets()) for some in marks] == [3, 3] * 3
    assert legend(figure) == [
        "waits for the next step", "a call failed", "called again after that",
    ]  # fmt: skip


def test_many_outputs_are_an_image() -> None:
    """Of at most 200 rows, which say how many outputs they stand for."""
    above, below = figure_of(timelines.big()).axes
    (image,) = below.images

    assert image.get_array().shape == (200, 600, 4)
    assert below.get_ylabel() == "output, up to 50 in a row"
    assert labels(below)[:2] == ["0–49", "500–549"]
    assert above.get_title("left").startswith("10,000 outputs from 50,040 calls, 40 failed")


def test_many_steps_leave_out_the_shortest() -> None:
    """The title says how many."""
    above, _ = figure_of(timelines.long()).axes

    assert len(labels(above)) == 60
    assert above.get_title("left").endswith(
        "The 60 steps that were longest at work; 10 more are not shown."
    )


def test_texts_are_drawn_literally() -> None:
    """Dollar signs aren't formulas, nor is a line end."""
    above, _ = figure_of(timelines.odd()).axes
    shown = labels(above)

    assert shown[1] == "<script>alert(1)</scrip…"
    assert shown[2] == 'naïve & "quoted" $x^2$ …'
    assert shown[3] == r"a\nb\u2028c\u202ed\ud800"
    assert not any(label.get_parse_math() for label in above.get_yticklabels())


@pytest.mark.parametrize(("dark", "theme"), [(False, LIGHT), (True, DARK)])
def test_the_ground_is_that_of_the_theme(dark: bool, theme: Any) -> None:
    """Whatever the user's own settings of matplotlib are."""
    figure = figure_of(timelines.small(), dark)

    assert to_hex(figure.get_facecolor()) == theme.ground
    assert {to_hex(axes.get_facecolor()) for axes in figure.axes} == {theme.ground}
    assert {label.get_color() for axes in figure.axes for label in axes.get_yticklabels()} == {
        theme.ink
    }


def test_pyplot_has_no_part_in_it() -> None:
    """Its state is the user's; drawing in threads at once is fine."""
    had = "matplotlib.pyplot" in sys.modules
    made = Timeline.of(timelines.small())
    pictures: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: pictures.append(to_picture(made, "png"))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(pictures)) == 1
    assert len(pictures) == 3
    assert ("matplotlib.pyplot" in sys.modules) == had


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_the_same_run_gives_the_same_file(format: str) -> None:
    """There is no date in it."""
    made = Timeline.of(timelines.small())

    assert to_picture(made, format) == to_picture(made, format)
