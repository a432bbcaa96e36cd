"""The title, the text and the links of an HTML page, by the standard library alone.

Stands in for a library such as lxml or selectolax.

>>> page = HtmlPage('<title>Tea &amp; cups</title><p>See <a href="/tea#hot">tea</a>', "http://a/b")
>>> page.texts, page.links
({'title': 'Tea & cups', 'text': 'See tea'}, {'http://a/tea'})
"""

from __future__ import annotations

from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit, urlunsplit

__all__ = ["HtmlPage"]


class HtmlPage(HTMLParser):
    """A page as people write it, found at an address: tags may be left open, links be broken.

    `links` are absolute, without fragments, and each is there once. What is half of a character,
    as some encodings can write it, is a question mark.

    >>> HtmlPage('<a href="http://a"></a><a href="/#top"></a>half \\ud800', "http://a/b").links
    {'http://a/'}
    """

    def __init__(self, html: str, url: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self._url = url
        self._title = ""
        self._texts: list[str] = []
        self._tag = ""
        self.feed(html.encode(errors="replace").decode())
        self.close()

    @property
    def texts(self) -> dict[str, str]:
        """The title, and the text that a reader sees, with single spaces."""
        return {"title": self._title, "text": " ".join(" ".join(self._texts).split())}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, link in attrs:
            if tag == "a" and name == "href" and link is not None:
                with suppress(ValueError):  # as for http://[
                    found = urlsplit(urljoin(self._url, link))
                    path = found.path or ("/" if found.netloc else "")
                    self.links.add(urlunsplit(found._replace(path=path, fragment="")))

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "title":
            self._title += data
        elif self._tag not in ("script", "style"):
            self._texts.append(data)
