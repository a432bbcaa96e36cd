"""The timeline as a page, in a real browser: runs with many outputs and many steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.support import timelines
from tests.support.browser import picture
from tests.support.timeline_pages import dark, js, opened, point, press, texts, tip, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


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
