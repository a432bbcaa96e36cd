"""The page of a timeline in a real browser, and what a test may ask it and do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from fluxus_rx import RunResult
from tests.support.browser import browser, console_errors

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
