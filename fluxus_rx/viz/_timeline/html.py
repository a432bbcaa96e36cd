"""A timeline as one HTML file, in which one can zoom, filter and look at inputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from math import ceil, log10
from typing import Any, Final

from ..._common.messages import short
from ..._common.text import printable, shortened
from .axis import DARK, LIGHT, Theme, step_colours
from .model import Lane, Timeline, TimelineRow

__all__ = ["to_html"]

#: Characters of the text for what a step added to an output, and of all these texts together.
MOST_TEXT: Final = 200
MOST_TEXTS: Final = 2_000_000

#: What could end the script that holds the data, or begin another one.
_ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def to_html(timeline: Timeline) -> str:
    """The page. It loads nothing and sends nothing, and shows every text literally.

    Values are shortened; beyond two million characters of them the page says that it has them no
    more, so that it stays within a few megabytes for tens of thousands of outputs.
    """
    page, style, script = map(_read, ("timeline.html", "timeline.css", "timeline.js"))
    data = json.dumps(_data(timeline), separators=(",", ":")).translate(_ESCAPES)
    # In this order: what looks like a mark in the data is none.
    for mark, text in (
        ("{style}\n", style),
        ("{script}\n", script),
        ("/*light*/", _style(LIGHT)),
        ("/*dark*/", _style(DARK)),
        ("{data}", data),
    ):
        page = page.replace(mark, text)
    return page


def _read(name: str) -> str:
    return files("fluxus_rx.viz._timeline").joinpath(name).read_text(encoding="utf-8")


def _style(theme: Theme) -> str:
    """The colours of a theme, as properties of CSS."""
    names = [name for name in theme._fields if name != "steps"]
    return " ".join(f"--{name}: {getattr(theme, name)};" for name in names)


def _data(timeline: Timeline) -> dict[str, Any]:
    """What the page is about. Times are whole numbers of units of `unit` seconds, each as the
    difference to the one before it: that is a third of the size of what they are."""
    unit = 10.0 ** (ceil(log10(timeline.elapsed)) - 8) if timeline.elapsed else 1.0
    texts = _SharedTexts()
    headings, *cells = timeline.summary.rows()
    return {
        "unit": unit,
        "elapsed": timeline.elapsed,
        "said": timeline.said(),
        "steps": [printable(step) for step in timeline.steps],
        "colours": [step_colours(len(timeline.steps), theme) for theme in (LIGHT, DARK)],
        "headings": headings,
        "cells": [[printable(cell) for cell in row] for row in cells],
        "lanes": [_lane(lane, unit, texts) for lane in timeline.lanes],
        "paths": _paths(timeline),
        "names": [printable(shortened(str(name), 80)) for name in timeline.paths],
        "rows": [_row_numbers(row, unit, texts) for row in timeline.rows],
        "texts": texts.kept,
    }


class _SharedTexts:
    """Texts, each of them once, as long as there is room for more."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._indices: dict[str, int] = {}
        self._room = MOST_TEXTS

    def index(self, text: str) -> int:
        """Where the text is kept; -1 if there was no room for it."""
        if text not in self._indices:
            if len(text) > self._room:
                return -1
            self._room -= len(text)
            self._indices[text] = len(self.kept)
            self.kept.append(text)
        return self._indices[text]

    @property
    def full(self) -> bool:
        """Whether there is hardly room for any more."""
        return self._room < MOST_TEXT


def _lane(lane: Lane, unit: float, texts: _SharedTexts) -> dict[str, Any]:
    several = any(call.spans for call in lane.calls)
    return {
        "step": lane.step,
        "peak": lane.summary.peak,
        "busy": lane.summary.busy,
        "times": _differences([(call.start, call.end) for call in lane.calls], unit),
        "work": _differences(sorted(lane.work()), unit) if several else None,
        "failed": [
            (index, texts.index(printable(_cut(call.error))))
            for index, call in enumerate(lane.calls)
            if call.error is not None
        ],
        "again": [
            (index, call.attempt) for index, call in enumerate(lane.calls) if call.attempt > 1
        ],
    }


def _differences(spans: Iterable[tuple[float, float]], unit: float) -> list[int]:
    """The start of each span, counted from that of the one before, and its length."""
    flat: list[int] = []
    before = 0
    for first, last in spans:
        start, end = round(first / unit), round(last / unit)
        flat += (start - before, end - start)
        before = start
    return flat


def _paths(timeline: Timeline) -> list[tuple[str, int]]:
    """The steps of each path, as far as an output tells of them, and how many outputs it has."""
    firsts: dict[int, TimelineRow] = {}
    counts = [0] * len(timeline.paths)
    for row in timeline.rows:
        firsts.setdefault(row.path, row)
        counts[row.path] += 1
    return [
        (" → ".join(_names(timeline.steps, firsts.get(path))), count)
        for path, count in enumerate(counts)
    ]


def _names(steps: Sequence[str], row: TimelineRow | None) -> Iterator[str]:
    names = [printable(steps[span.step]) for span in row.spans] if row else []
    yield from names if len(names) <= 12 else [*names[:6], "…", *names[-5:]]


def _row_numbers(row: TimelineRow, unit: float, texts: _SharedTexts) -> list[int]:
    """Step, wait, duration and text of each span, one after the other."""
    flat: list[int] = []
    before = 0
    for span, attributes in zip(row.spans, row.added, strict=True):
        start, end = round(span.start / unit), round(span.end / unit)
        text = -1 if texts.full else texts.index(_added(attributes))
        flat += (span.step, start - before, end - start, text)
        before = end
    return flat


def _added(attributes: Mapping[str, Any]) -> str:
    parts = []
    room = MOST_TEXT
    for name, value in attributes.items():
        if name not in ("[start]", "[end]"):
            parts.append(f"{name}={short(value, name)}")
            room -= len(parts[-1])
            if room < 0:
                break
    return printable(_cut(", ".join(parts)))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
