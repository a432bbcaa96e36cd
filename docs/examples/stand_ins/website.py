"""A website of two hosts on loopback, with all that makes crawling hard.

Pages link in circles, to themselves, to each other's hosts, to pages that are gone or moved, to a
calendar without an end, and to what robots may not see. Some pages are slow, some break the
connection off or are overloaded when they are asked for first, and one never comes.

>>> from urllib.request import urlopen
>>> with Website(pages=10).serving() as site:
...     page = urlopen(f"{site.docs.url}/page/3").read().decode()
...     print(page[: page.index("<script>")], site.docs.answered)
<title>Page 3 of docs</title> Counter({'/page/3': 1})
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .serving import Answer, Request, serve

__all__ = ["Host", "Website"]


class Host:
    """One of the hosts, at `url`, and what it was asked for."""

    def __init__(self, name: str, pages: int, filler: int) -> None:
        self.name = name
        self.pages = pages
        self.filler = filler
        self.url = ""
        self.other_url = ""
        self.asked: Counter[str] = Counter()  # requests, by their path
        self.answered: Counter[str] = Counter()  # those that had a good answer
        self.begun: list[float] = []  # when each request came
        self.most_at_once = 0
        self._calls = 0
        self._lock = threading.Lock()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve for as long as the block lasts."""
        with serve(self._answer) as self.url:
            yield

    def _answer(self, request: Request) -> Answer:
        with self._lock:
            self.begun.append(time.monotonic())
            self.asked[request.path] += 1
            self._calls += 1
            self.most_at_once = max(self.most_at_once, self._calls)
        answer = self._page(request.path)
        time.sleep(answer.delay)  # here, so that the call counts for as long as it takes
        with self._lock:
            self._calls -= 1
            self.answered[request.path] += answer.status == 200 and not answer.dropped
        return Answer(answer.body, answer.status, answer.headers, dropped=answer.dropped)

    def _page(self, path: str) -> Answer:
        is_first = self.asked[path] == 1
        match path.split("/")[1:]:
            case ["robots.txt"] if self.name == "docs":
                return Answer("User-agent: *\nDisallow: /private/\n")
            case ["logo.png"]:
                return Answer(b"\x89PNG", headers={"Content-Type": "image/png"})
            case ["old", number]:
                return Answer(status=301, headers={"Location": f"/page/{number}"})
            case ["private", _]:
                return self._html("Not for robots", [])
            case ["calendar", day]:
                return self._html(f"Day {day}", [f"/calendar/{int(day) + 1}", "/"])
            case [""]:
                return self._numbered(0)
            case ["page", digits] if 0 < int(digits) < self.pages:
                page = int(digits)
                if page % 30 == 7 and (is_first or self.name == "shop"):
                    return Answer(dropped=True)
                if page % 30 == 11 and is_first:
                    return Answer("overloaded", 503)
                return self._numbered(page)
        return Answer("there is nothing here", 404)

    def _numbered(self, number: int) -> Answer:
        """A page that leads on, back and astray; the same each time."""
        chance = random.Random(f"{self.name} {number}")
        children = [3 * number + one for one in (1, 2, 3) if 3 * number + one < self.pages]
        links = [f"/page/{one}" for one in children]
        links += [f"{one}#part" for one in links]
        links += ["", "#top", "/", f"../page/{max(1, number // 3)}", "mailto:us@example.org"]
        links += [f"/page/{chance.randrange(1, self.pages)}", "/logo.png"]
        links += [f"{self.other_url}/page/{chance.randrange(1, self.pages)}"]
        if number % 10 == 0:
            links += [f"/old/{number + 1}", f"/gone/{number}", "/private/1", "/calendar/1"]
            links += ["http://[", "http://else.test/"]
        answer = self._html(f"Page {number} of {self.name}", links)
        return Answer(answer.body, headers=answer.headers, delay=0.2 if number % 25 == 9 else 0.02)

    def _html(self, title: str, links: list[str]) -> Answer:
        """A page as people write them: not everything is closed."""
        anchors = "\n".join(f'<p>More &amp; more <a href="{link}">here</a><br>' for link in links)
        words = "word " * self.filler
        script = '<script>document.write("<a href=/never>not a link</a>")</script>'
        return Answer(
            f"<title>{title}</title>{script}<h1>{title}</h1>{anchors}<p>{words}",
            headers={"Content-Type": "text/html; charset=utf-8"},
        )


class Website:
    """The hosts `docs` and `shop`: `pages` in all, each with so many words of `filler`."""

    def __init__(self, pages: int, filler: int = 100) -> None:
        self.docs = Host("docs", pages * 3 // 5, filler)
        self.shop = Host("shop", pages - pages * 3 // 5, filler)
        self.hosts = (self.docs, self.shop)

    @property
    def names(self) -> dict[str, str]:
        """The names of the hosts, by `address:port`."""
        return {host.url.removeprefix("http://"): host.name for host in self.hosts}

    @contextmanager
    def serving(self) -> Iterator[Website]:
        """Serve for as long as the block lasts."""
        with ExitStack() as stack:
            for host in self.hosts:
                stack.enter_context(host.serving())
            self.docs.other_url, self.shop.other_url = self.shop.url, self.docs.url
            yield self
