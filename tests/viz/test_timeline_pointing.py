"""The timeline as a page, in a real browser: it does what one asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from tests.support import timelines
from tests.support.browser import picture
from tests.support.timeline_pages import js, opened, point, press, seen, texts, tip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


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
