"""A headless browser for tests of what is shown in one, and the pictures that it takes."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.support import tools

#: Where pictures go, for a person to look at; git ignores it.
PICTURES = Path(__file__).parents[2] / "build" / "pictures"

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--allow-file-access-from-files",
    "--force-device-scale-factor=1",
)


@contextlib.contextmanager
def browser(page: Path, *, size: tuple[int, int] = (1200, 900)) -> Iterator[Chrome]:
    """The driver of a browser that has opened a local file in a tab of its own, of this size; skips
    where there is no browser.

    The browser is one for all tests of a process, as to start one takes a second.
    """
    driver = _started()
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    driver.set_window_size(*size)
    console_errors(driver)
    try:
        driver.get(page.resolve().as_uri())
        yield driver
    finally:
        driver.close()
        driver.switch_to.window(first)


@functools.cache
def _started() -> Chrome:
    options = ChromeOptions()
    options.binary_location = str(tools.chromium())
    service = ChromeService(str(tools.chromedriver()))
    profile = tempfile.mkdtemp()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=service)
    atexit.register(_end, driver, profile)
    return driver


def _end(driver: Chrome, profile: str) -> None:
    driver.quit()
    # Chromium may still write to its profile when it is told to quit.
    for _ in range(50):
        shutil.rmtree(profile, ignore_errors=True)
        if not os.path.exists(profile):
            break
        time.sleep(0.02)


def console_errors(driver: Chrome) -> list[str]:
    """What the page has logged as errors since it was opened, or since this was last asked."""
    get_log: Callable[[str], list[dict[str, Any]]] = driver.get_log  # it has no types of its own
    return [entry["message"] for entry in get_log("browser") if entry["level"] == "SEVERE"]


def picture(driver: Chrome, name: str) -> Path:
    """Take a picture of all of the page, for a person to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    width, height = driver.execute_script(
        "const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]"
    )
    driver.set_window_size(max(width, 600), min(height, 8_000) + 150)
    file = PICTURES / f"{name}.png"
    assert driver.save_screenshot(str(file))
    return file
