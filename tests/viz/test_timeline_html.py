"""The timeline as a page: what is in the file, before any browser looks at it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from fluxus_rx._common.text import printable
from fluxus_rx.viz._timeline import html as _timeline_html
from fluxus_rx.viz._timeline.html import to_html
from fluxus_rx.viz._timeline.model import Timeline
from tests.support import timelines
from tests.support.timelines import ODD_STEPS, call, result, run_of


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def page_of(made: Any) -> str:
    return to_html(Timeline.of(made))


class Tags(HTMLParser):
    """The tags of a page, and the values of the attributes that could load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_a_page_loads_nothing() -> None:
    """It has no address in it, and its policy forbids all that is not in the file."""
    page = page_of(timelines.small())

    assert Tags(page).links == ["data:,"]
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert "url(" not in page


def test_data_adds_no_tag() -> None:
    """A page of odd texts has the tags of any other."""
    assert Tags(page_of(timelines.odd())).tags == Tags(page_of(timelines.small())).tags


def test_data_is_not_looked_at_for_marks() -> None:
    """What looks like a place in the template is a text."""
    texts = data_of(page_of(timelines.odd()))["texts"]

    assert "x3='&lt;b&gt; {data} /*light*/'" in texts


def test_a_page_can_be_written_in_any_encoding() -> None:
    """Its data is ASCII, with what could end a script escaped."""
    page = page_of(timelines.odd())
    raw = page[page.index('type="application/json">') + 24 :].partition("</script>")[0]

    assert raw.isascii()
    assert not set("<>&") & set(raw)
    page.encode()


def test_names_are_printable_and_whole() -> None:
    """Control characters are escapes; everything else is as it was."""
    data = data_of(page_of(timelines.odd()))

    assert data["steps"] == [printable(step) for step in ODD_STEPS]
    assert data["steps"][0] == "東京_天気"
    assert data["steps"][3] == r"a\nb\u2028c\u202ed\ud800"


def test_times_can_be_told_from_the_differences() -> None:
    """To less than a ten-millionth of the run."""
    made = Timeline.of(timelines.failing())
    data = data_of(to_html(made))
    flat = data["rows"][7]
    now, times = 0, []
    for at in range(0, len(flat), 4):
        start = now + flat[at + 1]
        now = start + flat[at + 2]
        times.append((flat[at], start * data["unit"], now * data["unit"]))

    for (step, start, end), span in zip(times, made.rows[7].spans, strict=True):
        assert step == span.step
        assert (start, end) == pytest.approx(span[1:], abs=made.elapsed * 1e-7)


def test_lanes_tell_of_failures_and_retries() -> None:
    """By the index of the call, with the error and the attempt."""
    data = data_of(page_of(timelines.failing()))
    lane = data["lanes"][1]

    assert len(lane["failed"]) == len(lane["again"]) == 3
    assert data["texts"][lane["failed"][0][1]] == "ValueError('bad reply'), given {'x': 4}"
    assert {attempt for _, attempt in lane["again"]} == {2}


def test_values_are_shortened() -> None:
    """Each text to 200 characters, however large the value is."""
    made = run_of(2, ["src", "f"], value=lambda *_: {str(n): "y" * 999 for n in range(999)})
    data = data_of(page_of(made))

    assert max(map(len, data["texts"])) <= 200


def test_equal_texts_are_kept_once() -> None:
    """A page of ten thousand equal values is small."""
    data = data_of(page_of(run_of(50, value=lambda *_: "the same")))

    assert len(data["texts"]) == 4


def test_values_beyond_the_room_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page then says so, for these outputs alone."""
    monkeypatch.setattr(_timeline_html, "MOST_TEXTS", 600)
    data = data_of(page_of(run_of(100, ["src"], value=lambda item, _: item)))
    kept = [row[3] >= 0 for row in data["rows"]]

    assert kept[0]
    assert not kept[-1]
    assert kept == sorted(kept, reverse=True)
    assert sum(map(len, data["texts"])) <= 600


def test_a_value_whose_repr_raises_is_no_problem() -> None:
    """As in every message of the library."""

    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    data = data_of(page_of(run_of(1, ["src"], value=lambda *_: Bad())))

    assert data["texts"][0] == "x0=<Bad: its repr raised ValueError>"


def test_long_paths_are_named_by_their_ends() -> None:
    """And a path without outputs has no name."""
    data = data_of(page_of(timelines.long()))
    empty = data_of(page_of(result([], [], calls=[call()], elapsed=1.0)))

    (name, count) = data["paths"][0]
    assert name.split(" → ") == [
        *(f"step_{number}" for number in range(6)), "…",
        *(f"step_{number}" for number in range(65, 70)),
    ]  # fmt: skip
    assert count == 20
    assert empty["paths"] == [["", 0], ["", 0]]


@pytest.mark.slow
def test_ten_thousand_outputs_are_a_few_megabytes() -> None:
    """Measured: 2 MB with numbers as values; at most 2 MB of texts more."""
    assert len(page_of(timelines.big()).encode()) < 3_000_000
    long = run_of(10_000, ["a", "b", "c"], value=lambda item, place: f"{item}/{place} " * 40)
    assert len(page_of(long).encode()) < 5_000_000
