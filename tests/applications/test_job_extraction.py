"""The crawl of docs/examples: it visits what it should, once, politely, and comes to its end."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import extraction
import pyarrow.parquet as pq
import pytest
from stand_ins.html_page import HtmlPage
from stand_ins.limiters import Pause
from stand_ins.serving import Answer
from stand_ins.website import Host, Website

from fluxus_rx import RunResult, arun, run
from fluxus_rx.testing import run_virtual

PAGES = 30


def crawled(site: Website, out: Path, levels: int = 9) -> tuple[RunResult, dict[str, list[Any]]]:
    """The result of a crawl, and the rows of each host."""
    result = run(extraction.crawl(site.names, levels=levels, pause=0, out=out))
    return result, {name: pq.read_table(out / name).to_pylist() for name in result.paths}


class Ran(NamedTuple):
    """The small program: the site that it crawled, what it printed, and the rows of each host."""

    site: Website
    printed: str
    rows: dict[str, list[Any]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The program, run once."""
    folder = tmp_path_factory.mktemp("crawl")
    site, printed = Website(PAGES), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(extraction, "Website", lambda pages: {PAGES: site}[pages])
        patch.setattr(extraction, "draw", lambda *_: None)
        extraction.main(folder, small=True)
    names = [host.name for host in site.hosts]
    rows = {name: pq.read_table(folder / "pages" / name).to_pylist() for name in names}
    return Ran(site, printed.getvalue(), rows)


@pytest.fixture
def site(ran: Ran) -> Website:
    return ran.site


@pytest.fixture
def rows(ran: Ran) -> dict[str, list[Any]]:
    """What a crawl of the site has written, host by host."""
    return ran.rows


def test_each_page_is_fetched_once(site: Website, rows: dict[str, list[Any]]) -> None:
    """Whatever leads there: circles, fragments, relative links, redirects, the other host."""
    for host in site.hosts:
        assert set(host.answered.values()) <= {0, 1}
        urls = [row["url"] for row in rows[host.name]]
        assert len(urls) == len(set(urls))
        asked = {f"{host.url}{path}" for path in host.asked if path != "/robots.txt"}
        assert set(urls) == asked


def test_all_pages_are_there_and_what_is_not_a_page_says_so(
    site: Website, rows: dict[str, list[Any]]
) -> None:
    """Pages are children of pages, so all are found, but for those behind a page that is lost."""
    for host in site.hosts:
        found = {row["url"].removeprefix(host.url): row for row in rows[host.name]}
        lost = {path for path, row in found.items() if row["status"] is None}
        assert lost == ({"/page/7"} if host.name == "shop" else set())
        assert "ProtocolError" in found["/page/7"]["error"] if lost else True
        pages = {"/"} | {f"/page/{n}" for n in range(1, host.pages)}
        pages |= {"/private/1"} if host.name == "shop" else set()
        assert {path for path, row in found.items() if row["status"] == 200} - {"/logo.png"} == (
            pages - lost | {f"/calendar/{n}" for n in range(1, 9)}
        )
        assert found["/gone/0"]["status"] == 404
        assert found["/old/1"]["status"] == 301
        assert found["/old/1"]["links"] == [f"{host.url}/page/1"]
        assert found["/logo.png"]["text"] == ""


def test_texts_and_links_are_those_of_the_page(site: Website, rows: dict[str, list[Any]]) -> None:
    """Entities are characters, scripts aren't text, links are absolute and each is there once."""
    (page,) = [row for row in rows["docs"] if row["url"] == f"{site.docs.url}/page/1"]
    assert page["title"] == "Page 1 of docs"
    assert page["text"].startswith("Page 1 of docs More & more here More & more here")
    assert "document.write" not in page["text"]
    assert {f"{site.docs.url}/page/4", f"{site.docs.url}/", "mailto:us@example.org"} < {
        *page["links"]
    }
    assert page["links"] == sorted({*page["links"]})


def test_a_site_that_allows_no_robots_is_not_visited(tmp_path: Path) -> None:
    """Not even its first page; the other one is."""
    site = Website(12)
    allowed = extraction.Frontier.may_visit

    def may_visit(self: extraction.Frontier, url: str) -> bool:
        rules: Any = self.rules[site.docs.url.removeprefix("http://")]
        rules.disallow_all = True
        return allowed(self, url)

    with pytest.MonkeyPatch.context() as patch, site.serving():
        patch.setattr(extraction.Frontier, "may_visit", may_visit)
        run(extraction.crawl(site.names, levels=2, pause=0, out=tmp_path))
    assert set(site.docs.asked) == {"/robots.txt"}
    assert site.shop.answered["/"] == 1


def test_robots_are_heard_where_there_are_rules(site: Website, rows: dict[str, list[Any]]) -> None:
    """A host without robots.txt allows all."""
    assert rows
    assert not site.docs.asked["/private/1"]
    assert site.shop.asked["/private/1"] == 1


def test_two_calls_at_once_for_each_host(site: Website, rows: dict[str, list[Any]]) -> None:
    """One for both, or none, would be seen by the hosts."""
    assert rows
    assert [host.most_at_once for host in site.hosts] == [2, 2]


def test_depth_is_the_shortest_way_and_rows_are_in_its_order(
    site: Website, rows: dict[str, list[Any]]
) -> None:
    """However late a page on the way was; the links of a row lead one level further at most."""
    depths = {row["url"]: row["depth"] for one in rows.values() for row in one}
    shortest = {f"{host.url}/": 0 for host in site.hosts}
    links = {row["url"]: row["links"] for one in rows.values() for row in one}
    level = [*shortest]
    while level:
        found = {link for url in level for link in links[url] if link in links} - {*shortest}
        shortest |= dict.fromkeys(found, shortest[level[0]] + 1)
        level = [*found]
    assert depths == shortest
    for one in rows.values():
        assert [(row["depth"], row["url"]) for row in one] == sorted(
            (row["depth"], row["url"]) for row in one
        )


def test_another_crawl_writes_the_same(
    site: Website, rows: dict[str, list[Any]], tmp_path: Path
) -> None:
    """But for the ports, and for links that are in another order for them."""
    other = Website(PAGES)
    with other.serving():
        _, again = crawled(other, tmp_path)
    assert _without_ports(again, other) == _without_ports(rows, site)


def _without_ports(rows: dict[str, list[Any]], site: Website) -> list[Any]:
    text = json.dumps(rows)
    for address, name in site.names.items():
        text = text.replace(address, name)
    named = json.loads(text)
    return [row | {"links": {*row["links"]}} for one in named.values() for row in one]


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_crawl_ends_at_its_depth(levels: int, tmp_path: Path) -> None:
    """The links of the last level are not followed; without levels, nothing is fetched."""
    site = Website(12)
    with site.serving():
        result = run(extraction.crawl(site.names, levels=levels, pause=0, out=tmp_path))
    assert result.complete
    rows = pq.read_table(tmp_path).to_pylist() if levels else []
    assert {row["depth"] for row in rows} == {*range(levels)}


def test_texts_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they are in a file, nothing of the run or of its result holds them."""
    made: list[weakref.ref[Any]] = []

    class Text(str):
        pass

    class Watched(HtmlPage):
        @property
        def texts(self) -> dict[str, str]:
            text = Text(super().texts["text"])
            made.append(weakref.ref(text))
            return {"title": self._title, "text": text}

    monkeypatch.setattr(extraction, "HtmlPage", Watched)
    site = Website(PAGES)
    with site.serving():
        result, _ = crawled(site, tmp_path)
    assert len(made) > PAGES
    assert sum(result.values("pages")) == len(made) + 1  # one is lost
    gc.collect()
    assert not any(text() for text in made)


def test_a_crawl_that_is_cancelled_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source waits for links that never come; no task, no connection is left."""
    site = Website(12)

    async def main() -> None:
        reached = asyncio.Event()

        def follow(self: object, links: list[str]) -> dict[str, Any]:
            reached.set()
            return {}

        monkeypatch.setattr(extraction.Frontier, "follow", follow)
        flow = extraction.crawl(site.names, levels=9, pause=0, out=tmp_path)
        crawl = asyncio.create_task(arun(flow))
        await reached.wait()
        crawl.cancel()
        with pytest.raises(asyncio.CancelledError):
            await crawl

    with site.serving():
        asyncio.run(main())


def test_what_follow_raises_ends_the_crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source would wait for ever for the links of that page."""

    def broken(self: object, links: list[str]) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(extraction.Frontier, "follow", broken)
    site = Website(12)
    with site.serving(), pytest.raises(ZeroDivisionError):
        run(extraction.crawl(site.names, levels=9, pause=0, out=tmp_path))


def test_a_pause_is_kept_between_any_two_calls() -> None:
    """Calls that come together go one by one, and a call after a quiet time goes at once."""
    began: list[float] = []

    async def call(pause: Pause) -> None:
        async with pause:
            began.append(asyncio.get_running_loop().time())

    async def main() -> None:
        pause = Pause(0.5)
        await asyncio.gather(*[call(pause) for _ in range(3)])
        await asyncio.sleep(2)
        await asyncio.gather(*[call(pause) for _ in range(2)])

    run_virtual(main)
    assert [time - began[0] for time in began] == pytest.approx([0, 0.5, 1, 3, 3.5])


def test_the_program_says_what_it_has_written(ran: Ran) -> None:
    """The numbers are those of the site, each time."""
    assert "docs: 31 addresses {200: 27, 404: 2, 301: 2}" in ran.printed
    assert "shop: 32 addresses {200: 21, 404: 8, 301: 2, None: 1}" in ran.printed
    texts = [row["text"] for row in ran.rows["docs"]]
    assert Counter(bool(text) for text in texts) == {True: 26, False: 5}


def test_half_a_character_ends_no_crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTF-7 can write it, in texts and links, and Parquet can't."""
    html = Host._html

    def odd(self: Host, title: str, links: list[str]) -> Answer:
        body = html(self, title, links).body + "half +2AA- <a href='/+2AA-'>of one</a>"
        return Answer(body, headers={"Content-Type": "text/html; charset=utf-7"})

    monkeypatch.setattr(Host, "_html", odd)
    site = Website(6)
    with site.serving():
        _, found = crawled(site, tmp_path, levels=2)
    for name, host in (("docs", site.docs), ("shop", site.shop)):
        [page] = [row for row in found[name] if row["url"] == f"{host.url}/"]
        assert page["text"].endswith("half ? of one")
        assert f"{host.url}/?" in page["links"] or f"{host.url}/" in page["links"]
