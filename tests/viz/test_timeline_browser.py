"""The timeline as a page, in a real browser: what it shows, and that it does what one asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fluxus_rx import RunResult
from fluxus_rx._common.text import printable
from tests.support import timelines
from tests.support.browser import browser, console_errors, picture
from tests.support.timelines import ODD_STEPS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: What a page of any run has at most, whatever there is in the run.
MOST_ELEMENTS = 3_000


@contextmanager
def opened(made: RunResult, path: Path, size: tuple[int, int] = (1300, 1150)) -> Iterator[Chrome]:
    """The page in a browser; in the end it has logged no error and loaded nothing."""
    page = path / "timeline.html"
    made.draw_timeline(file=page)
    with browser(page, size=size) as driver:
        yield driver
        assert console_errors(driver) == []
        assert js(driver, "performance.getEntriesByType('resource').length") == 0
        assert js(driver, "document.querySelectorAll('*').length") < MOST_ELEMENTS


def js(driver: Chrome, expression: str, *arguments: Any) -> Any:
    run: Callable[..., Any] = driver.execute_script  # it has no types of its own
    return run(f"return {expression}", *arguments)


def dark(driver: Chrome) -> None:
    """What the browser tells pages of a user who likes it dark."""
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    wait_for(driver, "document.getElementById('theme').textContent === 'Light'")


def texts(driver: Chrome, selector: str) -> list[str]:
    return [
        found.get_property("textContent")  # type: ignore[misc]
        for found in driver.find_elements(By.CSS_SELECTOR, selector)
        if found.is_displayed()
    ]


def seen(driver: Chrome) -> list[float]:
    """The part of the time that is shown, in seconds."""
    found = js(driver, "Object.values(document.getElementById('range').dataset).map(Number)")
    return [*found]


def wait_for(driver: Chrome, expression: str) -> None:
    """What the browser does by itself, it does when it draws the next frame."""
    WebDriverWait(driver, 20, 0.02).until(lambda _: js(driver, expression), expression)


def press(driver: Chrome, button: str) -> None:
    driver.find_element(By.ID, button).click()


def point(driver: Chrome, line: str, time: float) -> ActionChains:
    """The pointer on a line, at a time."""
    canvas = driver.find_element(By.CSS_SELECTOR, f"#{line} canvas")
    begin, end = seen(driver)
    width = canvas.size["width"]
    aside = round((time - begin) / (end - begin) * width - width / 2)
    return ActionChains(driver, duration=0).move_to_element_with_offset(canvas, aside, 0)


def tip(driver: Chrome) -> str:
    """The text of the tooltip, if it is shown; each part on a line."""
    found = js(driver, "tip.hidden ? '' : [...tip.children].map(e => e.textContent).join('\\n')")
    assert isinstance(found, str)
    return found


def pixel(driver: Chrome, line: str, time: float) -> list[int]:
    """The colour of a line's canvas at a time, in the middle of its height."""
    begin, end = seen(driver)
    found = js(
        driver,
        "(c => [...c.getContext('2d').getImageData(c.width * arguments[1], c.height / 2, 1, 1)"
        ".data])(document.querySelector(arguments[0]))",
        f"#{line} canvas",
        (time - begin) / (end - begin),
    )
    return [*found]


def test_a_small_run_shows_all_there_is(tmp_path: Path) -> None:
    """A table, a lane for each step and a row for each output, in light and dark."""
    with opened(timelines.small(), tmp_path) as driver:
        assert texts(driver, "#said, #gain")[0] == "12 outputs from 48 calls."
        assert texts(driver, "tbody tr th bdi") == [*timelines.STEPS]
        assert texts(driver, "#lanes .name") == [*timelines.STEPS]
        assert texts(driver, "#rows .name") == [str(item) for item in range(12)]
        assert texts(driver, "#axis span")[0] == "0 s"
        assert seen(driver) == pytest.approx([0, timelines.small().summary().elapsed])
        light = js(driver, "getComputedStyle(document.body).backgroundColor")
        picture(driver, "timeline_page_small")

        dark(driver)

        assert js(driver, "getComputedStyle(document.body).backgroundColor") != light
        picture(driver, "timeline_page_small_dark")


def test_bars_have_the_colours_of_their_steps(tmp_path: Path) -> None:
    """Work is solid, in the colour of the swatch, in both themes."""
    with opened(timelines.small(), tmp_path) as driver:
        fetch = timelines.small()[0][0]["fetch"]
        middle = (fetch["[start]"] + fetch["[end]"]) / 2
        for _ in range(2):
            swatch = js(
                driver,
                "getComputedStyle(document.querySelectorAll('#lanes .swatch')[1]).backgroundColor",
            )
            assert "rgb({}, {}, {})".format(*pixel(driver, "rows-0", middle)[:3]) == swatch
            press(driver, "theme")


def test_buttons_and_keys_zoom_and_move(tmp_path: Path) -> None:
    """In by half, out again, aside by a quarter, and back to everything."""
    with opened(timelines.small(), tmp_path) as driver:
        _, end = seen(driver)
        press(driver, "in")
        assert seen(driver) == pytest.approx([end / 4, end * 3 / 4])
        press(driver, "on")
        assert seen(driver) == pytest.approx([end * 3 / 8, end * 7 / 8])
        press(driver, "back")
        press(driver, "out")
        assert seen(driver) == pytest.approx([0, end])
        ActionChains(driver).send_keys("++").perform()
        assert seen(driver)[1] - seen(driver)[0] == pytest.approx(end / 4)
        shifted = ActionChains(driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT)
        shifted.key_up(Keys.SHIFT).perform()
        assert seen(driver)[0] == pytest.approx(end * 5 / 16)
        ActionChains(driver).send_keys("0").perform()
        assert seen(driver) == pytest.approx([0, end])


def test_the_wheel_zooms_to_the_pointer(tmp_path: Path) -> None:
    """The time under the pointer stays where it is; over the labels the wheel does not zoom."""
    with opened(timelines.small(), tmp_path) as driver:
        _, end = seen(driver)
        canvas = driver.find_element(By.CSS_SELECTOR, "#lanes-1 canvas")
        label = driver.find_element(By.CSS_SELECTOR, "#rows-1 .label")
        js(driver, "window.wheel = (e, x, by) => { const box = e.getBoundingClientRect();"
           " e.dispatchEvent(new WheelEvent('wheel', {bubbles: true, cancelable: true,"
           " deltaY: by, clientX: box.left + x * box.width, clientY: box.top + 5})) }")  # fmt: skip
        js(driver, "wheel(arguments[0], 0.25, -300)", canvas)
        begin, until = seen(driver)

        assert until - begin < end / 1.5
        assert begin + (until - begin) / 4 == pytest.approx(end / 4, rel=0.01)

        js(driver, "wheel(arguments[0], 0.5, -300)", label)

        assert seen(driver) == [begin, until]

        js(driver, "wheel(arguments[0], 0.5, 5000)", canvas)
        js(driver, "wheel(arguments[0], 0.5, 5000)", canvas)

        assert seen(driver) == pytest.approx([0, end])


def test_dragging_moves_what_is_seen(tmp_path: Path) -> None:
    """By as much as the pointer has moved, and never beyond the ends."""
    with opened(timelines.small(), tmp_path) as driver:
        press(driver, "in")
        begin, end = seen(driver)
        grabbed = point(driver, "lanes-1", (begin + end) / 2).click_and_hold()
        grabbed.move_by_offset(-100, 0).release().perform()
        moved = seen(driver)

        assert moved[0] > begin
        assert moved[1] - moved[0] == pytest.approx(end - begin)

        grabbed = point(driver, "lanes-1", 0.9 * moved[0] + 0.1 * moved[1]).click_and_hold()
        grabbed.move_by_offset(400, 0).move_by_offset(400, 0).release().perform()

        assert seen(driver)[0] == 0


def test_a_double_click_zooms_to_what_is_under_it(tmp_path: Path) -> None:
    """To the bar with a little margin; beside the bars, to everything."""
    made = timelines.small()
    fetch = made[0][0]["fetch"]
    start, end = fetch["[start]"], fetch["[end]"]
    with opened(made, tmp_path) as driver:
        everything = seen(driver)
        point(driver, "rows-0", (start + end) / 2).double_click().perform()
        begin, until = seen(driver)

        assert begin <= start < end <= until
        assert until - begin == pytest.approx(1.2 * (end - start))
        picture(driver, "timeline_page_zoomed")

        point(driver, "lanes-0", until).double_click().perform()

        assert seen(driver) == everything


def test_the_pointer_brings_up_inputs(tmp_path: Path) -> None:
    """The step and its times, what it was given, what it added; and how long an output waits."""
    made = timelines.small()
    output = made[0][5]
    with opened(made, tmp_path) as driver:
        parse = output["parse"]
        point(driver, "rows-5", (parse["[start]"] + parse["[end]"]) / 2).perform()
        picture(driver, "timeline_page_tip")
        point(driver, "rows-5", (parse["[start]"] + parse["[end]"]) / 2).perform()
        head, step, times, *rest = tip(driver).split("\n")

        assert (head, step.strip()) == ("output 5", "parse")
        assert times.endswith(", 70 ms")
        assert rest == ["given", "src: x0=0", "fetch: x1=5", "added", "x2=10"]

        fetch = output["fetch"]
        point(driver, "rows-5", (output["src"]["[end]"] + fetch["[start]"]) / 2).perform()

        assert tip(driver).startswith("output 5\nwaits for fetch: ")


def test_the_keyboard_goes_where_the_pointer_can(tmp_path: Path) -> None:
    """Lines by up and down, what is on them by left and right; the tooltip is read out."""
    with opened(timelines.failing(), tmp_path) as driver:
        rows = driver.find_element(By.ID, "rows")
        rows.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
        assert tip(driver).startswith("output path 0 · 1\n src\n")
        assert rows.get_attribute("aria-activedescendant") == "rows-1"
        rows.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        assert "fetch" in tip(driver)
        rows.send_keys(Keys.END)
        assert rows.get_attribute("aria-activedescendant") == "rows-59"
        assert driver.find_element(By.ID, "rows-59").is_displayed()
        rows.send_keys(Keys.ESCAPE)
        assert tip(driver) == ""

        lanes = driver.find_element(By.ID, "lanes")
        lanes.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
        assert "✗ ValueError('bad reply'), given {'x': 4}" in tip(driver)


def test_failures_and_retries_are_marked_and_told(tmp_path: Path) -> None:
    """With the error, its input, and the attempt."""
    made = timelines.failing()
    failed = next(call for call in made._times.calls if call.error)
    again = next(call for call in made._times.calls if call.attempt > 1)
    with opened(made, tmp_path) as driver:
        picture(driver, "timeline_page_failing")
        point(driver, "lanes-1", failed.end).perform()
        assert "✗ ValueError('bad reply'), given {'x': 4}" in tip(driver)
        point(driver, "lanes-1", again.start + 0.001).perform()
        assert "attempt 2" in tip(driver)
        assert driver.find_element(By.ID, "lanes-1").get_attribute("aria-label") == (
            "fetch: 63 calls, 3 failed, up to 8 at once"
        )
        dark(driver)
        picture(driver, "timeline_page_failing_dark")


def test_odd_texts_are_shown_literally(tmp_path: Path) -> None:
    """Neither names nor values are ever taken for anything but text."""
    made = timelines.odd()
    with opened(made, tmp_path) as driver:
        names = [printable(step) for step in ODD_STEPS]
        assert texts(driver, "#lanes .name") == names
        assert texts(driver, "tbody tr th bdi") == names
        assert js(driver, "document.querySelectorAll('img, iframe').length") == 0
        last = made[0][0][ODD_STEPS[4]]
        point(driver, "rows-0", (last["[start]"] + last["[end]"]) / 2).perform()
        assert f"{names[0]}: x0='</script><img src=x onerror=alert(1)>'" in tip(driver)
        assert f"{names[3]}: x3='&lt;b&gt; {{data}} /*light*/'" in tip(driver)
        assert f"{names[1]}: x1='\\u202egnp.exe\\x00'" in tip(driver)
        picture(driver, "timeline_page_odd")
        dark(driver)
        picture(driver, "timeline_page_odd_dark")


def test_filters_leave_what_fits(tmp_path: Path) -> None:
    """A path by the list, a step or a path by its name."""
    with opened(timelines.failing(), tmp_path) as driver:
        js(driver, "(e => { e.value = '1'; e.dispatchEvent(new Event('change')) })"
           "(document.getElementById('path'))")  # fmt: skip
        assert texts(driver, "#rows .name")[0] == "path 1 · 0"
        assert texts(driver, "#rows-note") == ["30 of 60"]
        search = driver.find_element(By.ID, "filter")
        search.send_keys("ARS")
        assert texts(driver, "#lanes .name") == ["parse"]
        assert texts(driver, "tbody tr th bdi") == ["parse"]
        assert texts(driver, "#rows-note") == ["30 of 60"]
        search.clear()
        search.send_keys("path 0")
        assert texts(driver, "#lanes .name") == [*timelines.STEPS]
        assert texts(driver, "#rows-note") == ["0 of 60"]


def test_ten_thousand_outputs_are_grouped(tmp_path: Path) -> None:
    """A line for a hundred; opened by a click or by Enter, and one by one where one zooms in."""
    with opened(timelines.big(), tmp_path) as driver:
        assert js(driver, "performance.now()") < 20_000
        assert texts(driver, "#rows-note") == ["10,000, several in a line"]
        assert texts(driver, "#rows .name")[:2] == ["0–99", "100–199"]
        assert texts(driver, "#rows .count")[:2] == ["× 100", "× 100"]
        picture(driver, "timeline_page_big")
        dark(driver)
        picture(driver, "timeline_page_big_dark")

        driver.find_element(By.CSS_SELECTOR, "#rows-1 .label").click()
        assert [name.strip() for name in texts(driver, "#rows .name")[:4]] == [
            "0–99", "100–199", "100", "101",
        ]  # fmt: skip
        picture(driver, "timeline_page_big_opened")
        rows = driver.find_element(By.ID, "rows")
        rows.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
        assert texts(driver, "#rows .name")[2] == "200–299"
        point(driver, "rows-0", 0.2).perform()
        assert tip(driver).startswith("outputs 0–99 (100)\nat ")

        begun = js(driver, "performance.now()")
        for _ in range(7):
            press(driver, "in")
        assert js(driver, "performance.now()") - begun < 10_000
        shown = texts(driver, "#rows-note")[0]
        assert shown.endswith(" of 10,000")
        assert texts(driver, "#rows .name")[0].isdigit()
        picture(driver, "timeline_page_big_zoomed")


def test_a_long_list_scrolls_to_its_end(tmp_path: Path) -> None:
    """Only the lines in sight have elements."""
    with opened(timelines.big(), tmp_path) as driver:
        js(driver, "document.getElementById('rows').scrollTop = 1e9")
        wait_for(driver, "document.getElementById('rows-99')")
        assert texts(driver, "#rows .name")[-1] == "9900–9999"


@pytest.mark.parametrize("name", ["long", "wide"])
def test_long_and_wide_runs_are_readable(name: str, tmp_path: Path) -> None:
    """Sixty lanes at most, and a note on what is left out."""
    with opened(getattr(timelines, name)(), tmp_path) as driver:
        note = "the 60 of 70 steps that were longest at work; filter for others"
        assert texts(driver, "#lanes-note") == ([note] if name == "long" else [])
        picture(driver, f"timeline_page_{name}")
        dark(driver)
        picture(driver, f"timeline_page_{name}_dark")


def test_a_run_without_outputs_is_a_page(tmp_path: Path) -> None:
    """And so is one without anything."""
    with opened(RunResult([]), tmp_path) as driver:
        assert texts(driver, "#gain") == ["No step was called."]
    empty = timelines.result([], calls=[timelines.call()], elapsed=1.0)
    with opened(empty, tmp_path) as driver:
        assert texts(driver, "#lanes .name") == ["fetch"]
        assert texts(driver, "#rows-note") == ["0"]


def test_a_notebook_frame_shows_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandboxed, the page works as it does alone; what is around it can't be reached."""
    shown: list[Any] = []
    monkeypatch.setattr("fluxus_rx.viz._timeline.draw.in_notebook", lambda: True)
    monkeypatch.setattr("fluxus_rx.viz._timeline.draw.show_in_notebook", shown.append)
    timelines.odd().draw_timeline()
    page = tmp_path / "notebook.html"
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{shown[0]['text/html']}", "utf-8")
    with browser(page) as driver:
        driver.switch_to.frame(0)
        assert texts(driver, "#lanes .name")[0] == "東京_天気"
        assert js(driver, "origin") == "null"
        assert console_errors(driver) == []
