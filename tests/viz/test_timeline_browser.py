"""The timeline as a page, in a real browser: what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from fluxus_rx import RunResult, path, run, step
from fluxus_rx._common.text import printable
from tests.support import timelines
from tests.support.browser import browser, console_errors, picture
from tests.support.timeline_pages import dark, js, opened, pixel, point, press, seen, texts, tip
from tests.support.timelines import ODD_STEPS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


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


def test_rows_have_the_names_of_their_branches(tmp_path: Path) -> None:
    """Instead of the number of the path; they can be filtered and chosen by it."""
    source, ask = step("n", [{"n": 1}]), step("ask", lambda n: {"m": n})
    made = run(source >> (path("<Alpha>", ask) & path("beta", ask)), timestamps=True)
    with opened(made, tmp_path) as driver:
        assert texts(driver, "#rows .name") == ["<Alpha> · 0", "beta · 0"]
        assert texts(driver, "#path option")[1].startswith("<Alpha>: n → <Alpha>: ask")
        driver.find_element(By.ID, "filter").send_keys("<alpha>")
        assert texts(driver, "#rows .name") == ["<Alpha> · 0"]


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


def test_a_run_without_outputs_is_a_page(tmp_path: Path) -> None:
    """And so is one without anything."""
    with opened(RunResult([]), tmp_path) as driver:
        assert texts(driver, "#gain") == ["No step was called."]
    empty = timelines.result([], calls=[timelines.call()], elapsed=1.0)
    with opened(empty, tmp_path) as driver:
        assert texts(driver, "#lanes .name") == ["fetch"]
        assert texts(driver, "#rows-note") == ["0"]


def test_outputs_of_operators_have_no_row(tmp_path: Path) -> None:
    """It would be empty; the note counts them."""
    with opened(timelines.aggregated(), tmp_path) as driver:
        assert texts(driver, "#rows .name") == ["1"]
        assert texts(driver, "#rows-note") == ["1 of 2"]


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
