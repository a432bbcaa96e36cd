"""Looks at the built site as its readers do, in a browser, and says what is missing or doesn't fit.

    python -m sphinx -W -b html docs docs/_build/html && python docs/audit.py docs/_build/html

A line for each of what must hold: that the pages which need pictures have some, that they are
shown, and have a text; that each public name has an anchor, each page a description, each code
block a button which copies no prompts; that code and tables fit at 1280 pixels, and at 390 scroll
in boxes of their own, with the first column in sight; that a search for the words of the field
finds the page that answers among the first two. Ends with 1 if anything is missing. Needs the
extras `docs` and `test`, Chromium, and its driver.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

DOCS: Final = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "extensions")]

from search_words import SEARCH_WORDS  # noqa: E402
from selenium.webdriver import Chrome  # noqa: E402

from tests.repository.surface import public_modules  # noqa: E402
from tests.support.browser import browser  # noqa: E402

#: Pages on which there must be a picture, by patterns; each of which must find a page.
PICTURED: Final = ("index", "start", "how_to/*", "rx/*", "explanation/design", "jobs/*", "gallery")

#: Pages that list others, or that Sphinx makes: they need no description of their own.
LISTS: Final = ("jobs/index",)

WIDE, NARROW, HEIGHT = 1280, 390, 900

#: Seconds that a search may take until its first results are there.
SEARCH_SECONDS: Final = 20

#: What a page looks like at the width that the window has now.
MEASURE: Final = r"""
const name = (element) => (element.textContent || "").trim().slice(0, 50).replace(/\s+/g, " ");
const article = document.querySelector("article") || document.body;
const all = (query) => [...article.querySelectorAll(query)];
const shown = (element) => element.getClientRects().length > 0;
const wider = (element) => element.scrollWidth > element.clientWidth + 1;
const column = article.getBoundingClientRect();
const cut = (table) => {
  const box = (table.closest(".table-wrapper") || article).getBoundingClientRect();
  const cell = table.querySelector("tr > *");
  return cell && cell.getBoundingClientRect().right > Math.min(box.right, innerWidth) + 1;
};
let copied;
HTMLTextAreaElement.prototype.select = function () { copied = this.value };
const prompts = (button) => {
  copied = "";
  button.click();
  return !copied || /^(>>>|\.\.\.|\$)( |$)/m.test(copied);
};
return {
  code: all("div.highlight pre").filter(wider).map(name),
  tables: all("table.docutils").filter((table) => {
    const box = table.closest(".table-wrapper");
    return table.getBoundingClientRect().right > column.right + 1 || (box && wider(box));
  }).map(name),
  columns: all("table.docutils").filter(cut).map(name),
  sideways: document.documentElement.scrollWidth > innerWidth ? [innerWidth + " pixels"] : [],
  uncopied: all("div.highlight").filter((one) => !one.querySelector("button.copybtn")).map(name),
  prompts: all("button.copybtn").filter(prompts).map((one) => name(one.parentElement)),
  pictures: all("img").length,
  broken: all("img").filter((one) => shown(one) && one.complete && !one.naturalWidth)
    .map((one) => one.getAttribute("src")),
  silent: all("img").filter((one) => !(one.getAttribute("alt") || "").trim())
    .map((one) => one.getAttribute("src")),
};
"""

#: The addresses that a search has found up to now, and what it says when it is done.
RESULTS: Final = """
const links = [...document.querySelectorAll("#search-results li a")];
return [links.map((a) => a.href), document.querySelector(".search-summary")?.innerText];
"""

Found = dict[str, list[str]]


def pages_of(site: Path) -> list[str]:
    """The pages that are written, not those that Sphinx makes by itself: they have a source."""
    sources = site / "_sources"
    names = (path.relative_to(sources).as_posix() for path in sources.rglob("*.rst.txt"))
    return sorted(name.removesuffix(".rst.txt") for name in names)


def missing_anchors(site: Path) -> list[str]:
    """The public names that the site's inventory doesn't have."""
    *_, packed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(packed).decode().splitlines()
    anchors = {line.split(" ")[0] for line in lines if " py:" in line}
    names = [f"{face.__name__}.{name}" for face in public_modules() for name in face.__all__]
    return [name for name in names if name not in anchors]


def missing_pictures(pictures: Mapping[str, int]) -> list[str]:
    """The pages that should have a picture and have none, and patterns that no page fits."""
    missing: list[str] = []
    for pattern in PICTURED:
        pages = [page for page in pictures if fnmatch(page, pattern) and page not in LISTS]
        missing += [page for page in pages if not pictures[page]]
        missing += [] if pages else [f"{pattern} (there is no such page)"]
    return missing


def undescribed(site: Path) -> list[str]:
    """The HTML files without a description, of those that are pages."""
    described = re.compile(r"<meta [^>]*name=.description.[^>]*>")
    return [
        path.relative_to(site).as_posix()
        for path in sorted(site.rglob("*.html"))
        if not any(part == "_static" or part.startswith(".") for part in path.parts)
        and not any(
            re.search(r"content=\"\s*[^\"\s]", tag)
            for tag in described.findall(path.read_text(encoding="utf-8"))
        )
    ]


def missing_files(site: Path) -> list[str]:
    """What stands beside the pages."""
    return [
        name for name in ("404.html", "llms.txt", "llms-full.txt") if not (site / name).exists()
    ]


def resize(driver: Chrome, width: int) -> None:
    """Set the width of the page, which may be less than that of the narrowest window."""
    size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def looked_at(driver: Chrome, site: Path, pages: list[str]) -> tuple[Found, dict[str, int]]:
    """What doesn't fit or is missing on the pages, by kind, and how many pictures each has."""
    found: Found = {}
    pictures: dict[str, int] = {}
    for page in pages:
        resize(driver, WIDE)
        driver.get((site / f"{page}.html").resolve().as_uri())
        # Pictures further down are fetched when they come into sight.
        driver.execute_script(
            "document.querySelectorAll('img').forEach((i) => i.loading = 'eager')"
        )
        wide: dict[str, Any] = driver.execute_script(MEASURE)
        resize(driver, NARROW)
        narrow: dict[str, Any] = driver.execute_script(MEASURE)
        pictures[page] = wide["pictures"]
        kinds = {kind: wide[kind] for kind in ("code", "tables", "uncopied", "prompts", "silent")}
        kinds |= {kind: narrow[kind] for kind in ("columns", "sideways", "broken")}
        for kind, where in kinds.items():
            found.setdefault(kind, []).extend(f"{page}: {one}" for one in where)
    return found, pictures


def unfound(driver: Chrome, site: Path) -> list[str]:
    """The words that the search answers with other pages than the right one."""
    resize(driver, WIDE)
    missed: list[str] = []
    for word, page in SEARCH_WORDS.items():
        driver.get(f"{(site / 'search.html').resolve().as_uri()}?q={quote(word)}")
        first = first_results(driver)
        if not any(result.partition(".html")[0].endswith(f"/{page}") for result in first[:2]):
            names = ", ".join(result.split("/html/")[-1].rsplit("/", 2)[-1] for result in first)
            missed.append(f"{word}: {page}, but the search finds {names or 'nothing'}")
    return missed


def first_results(driver: Chrome) -> list[str]:
    """The addresses of the first results of the search that the page is at, when it has some."""
    ends = time.monotonic() + SEARCH_SECONDS
    while time.monotonic() < ends:
        links: list[str] = driver.execute_script(
            "return [...document.querySelectorAll('#search-results li a')].map((a) => a.href)"
        )
        summary = driver.execute_script(
            "return document.querySelector('.search-summary')?.innerText"
        )
        if len(links) > 1 or summary:
            return links[:3]
        time.sleep(0.02)
    return []


#: What is said of each kind, in this order.
WORDS: Final[Mapping[str, str]] = {
    "files": "files beside the pages",
    "anchors": "public names with an anchor",
    "descriptions": "a description in each page",
    "pictures": "pictures where they are needed",
    "broken": "pictures that are shown",
    "silent": "pictures with a text",
    "code": f"code that fits at {WIDE} pixels",
    "tables": f"tables that fit at {WIDE} pixels",
    "columns": f"first columns in sight at {NARROW} pixels",
    "sideways": f"pages that don't scroll sideways at {NARROW} pixels",
    "uncopied": "a copy button on each code block",
    "prompts": "copies without prompts",
    "searches": "searches that find the right page",
}


def audited(site: Path) -> Iterator[tuple[str, list[str]]]:
    """What is missing of each kind, in words."""
    with browser(site / "index.html", size=(WIDE, HEIGHT)) as driver:
        found, pictures = looked_at(driver, site, pages_of(site))
        found["searches"] = unfound(driver, site)
    found["files"] = missing_files(site)
    found["anchors"] = missing_anchors(site)
    found["descriptions"] = undescribed(site)
    found["pictures"] = missing_pictures(pictures)
    for kind, words in WORDS.items():
        yield words, found[kind]


def main(say: Callable[[str], object] = print) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", type=Path, help="the folder with the built HTML pages")
    site: Path = parser.parse_args().site
    is_missing = False
    for words, missing in audited(site):
        say(f"{words}: {f'{len(missing)} missing' if missing else 'all'}")
        for one in missing:
            say(f"    {html.unescape(one)}")
        is_missing = is_missing or bool(missing)
    return int(is_missing)


if __name__ == "__main__":
    sys.exit(main())
