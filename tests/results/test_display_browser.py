"""What a notebook shows of a run, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from fluxus_rx import path, run, start, step
from tests.support.browser import browser, console_errors, picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

HOSTILE = "<img src=x onerror=alert(1)> & \"quotes\" 'too' " + "long" * 30

#: As JupyterLab has it: colours that are inherited, numbers on the right.
PAGE = """<!doctype html><meta charset="utf-8"><style>
:root {{ color-scheme: light dark }}
body {{ font: 13px sans-serif; color: {text}; background: {ground} }}
td, th {{ text-align: right; padding: 0.5em }} tr:nth-child(even) {{ background: #8882 }}
</style>{body}"""


async def shown() -> str:
    """A result with failures, its failures, and the run with its explanation."""

    def ask(n: int) -> dict[str, Any]:
        if n % 3 == 0:
            raise ValueError(HOSTILE)
        return {"answer": HOSTILE, "score": n / 7, "api_key": "sk-0123"}

    asking = step("ask", ask).options(on_error="collect")
    source = step("numbers", [{"n": n} for n in range(60)])
    flow = source >> (path("alpha", asking) & path(HOSTILE[:39], asking >> asking))
    async with start(flow) as running:
        result = await running.result()
    things: list[Any] = [result, result.failures, running, running.explain()]
    return "<hr>".join(thing._repr_html_() for thing in things)


async def test_tables_fold_and_texts_are_texts(tmp_path: Path) -> None:
    """In light and dark, with the colours of the page; nothing of a text becomes an element."""
    body = await shown()
    for theme, (text, ground) in {"light": ("#111", "#fff"), "dark": ("#eee", "#111")}.items():
        page = tmp_path / f"{theme}.html"
        page.write_text(PAGE.format(text=text, ground=ground, body=body), encoding="utf-8")
        with browser(page) as driver:
            picture(driver, f"results_{theme}")
            assert driver.find_elements(By.CSS_SELECTOR, "img, script, style ~ script") == []
            assert console_errors(driver) == []
            colours = driver.execute_script(
                "return [...new Set([...document.querySelectorAll('td, th, summary')].map("
                "one => getComputedStyle(one).color))]"
            )
            assert colours == [
                driver.execute_script("return getComputedStyle(document.body).color")
            ]
            folded = driver.find_elements(By.CSS_SELECTOR, "details:not([open])")
            assert folded
            table = folded[0].find_element(By.CSS_SELECTOR, "table")
            assert not table.is_displayed()
            folded[0].find_element(By.CSS_SELECTOR, "summary").click()
            assert table.is_displayed()


def test_a_page_of_a_large_result_is_as_wide_as_the_page(tmp_path: Path) -> None:
    """Long values are shortened, and wrapped."""
    result = run(step("src", [{"x": HOSTILE * 100, "y": [HOSTILE] * 9} for _ in range(5_000)]))
    page = tmp_path / "page.html"
    body = result._repr_html_()
    page.write_text(PAGE.format(text="#111", ground="#fff", body=body), encoding="utf-8")
    with browser(page) as driver:
        picture(driver, "results_large")
        width = driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= 1_200
        assert "… 4,980 more" in driver.find_element(By.TAG_NAME, "body").text
