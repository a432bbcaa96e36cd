"""Flows to draw, and the files that say how they look."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fluxus_rx import (
    Conduit,
    Consumer,
    Passthrough,
    SimpleProducer,
    Transformer,
    parallel,
    passthrough,
    step,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def check(name: str, text: str) -> None:
    """Compare a text with its file; with FLUXUS_RX_GOLDEN=write, write the file instead."""
    file = GOLDEN / name
    if os.environ.get("FLUXUS_RX_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{text}\n", encoding="utf-8")
    assert f"{text}\n" == file.read_text(encoding="utf-8")


def plus(x: int, by: int = 0) -> dict[str, int]:
    return {"x": x + by}


def one() -> dict[str, int]:
    return {"x": 1}


def plain(name: str) -> Any:
    """A step whose function has no name."""
    return step(name, lambda x: {"x": x})


class Scale(Transformer[float, float]):
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def transform(self, product: float) -> Iterator[float]:
        yield product * self.factor


class Total(Consumer[float, float]):
    def __init__(self, digits: int) -> None:
        self.digits = digits

    def consume(self, products: Iterable[tuple[int, float]]) -> float:
        return round(sum(product for _, product in products), self.digits)


class Named(Transformer[Any, Any]):
    """A transformer of any name with any value."""

    def __init__(self, name: str, value: object) -> None:
        self._name = name
        self.value = value

    @property
    def name(self) -> str:
        return self._name

    def get_repr_attributes(self) -> Mapping[str, object]:
        return {"value": self.value}

    def transform(self, product: Any) -> Iterator[Any]:
        yield product


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("no repr")


def hello() -> Any:
    greetings = [{"greeting": "Hello"}, {"greeting": "Bonjour"}]
    upper = step("upper", plus, by=3).options(concurrency=3)
    group = parallel(plain("lower") >> plain("strip"), upper, passthrough())
    return step("input", greetings) >> group >> plain("annotate")


def classes() -> Any:
    group = Scale() & Scale(2.5).options(ordered=True) & Passthrough()
    return SimpleProducer([1.0, 2.0]) >> group >> Total(2)


def nested() -> Any:
    """Groups in branches: at their start, at their end, and one behind the other."""
    a, b, c, d, e = map(plain, "abcde")
    ends = a >> parallel(b, c >> parallel(d, e))
    begins = parallel(parallel(a, b) >> c, d) >> e
    skips = parallel(parallel(a, passthrough()) >> c, b)
    return step("src", one) >> parallel(ends, begins, passthrough()) >> skips >> parallel(d, e)


def producers() -> Any:
    first = step("first", [{"x": 1}]) >> parallel(plain("a"), plain("b"))
    second = step("second", [{"x": 2}]) >> plain("c") >> plain("d")
    return parallel(first, second, step("third", one)) >> plain("e")


def part() -> Any:
    return plain("a") >> parallel(plain("b"), plain("c"))


def wide() -> Any:
    first = parallel(step(f"first_{number}", plus, by=number) for number in range(9))
    second = parallel([*(plain(f"second_{number}") for number in range(4)), passthrough()])
    return step("src", one) >> first >> second >> plain("last")


def long(length: int = 12) -> Any:
    flow: Any = step("src", one)
    for number in range(length):
        flow = flow >> step(f"step_{number}", plus, by=number)
    return flow


#: What might mean something to a terminal, to Graphviz, to Mermaid or to a browser.
ODD = (
    'say "hi"', "it's", "<b>&amp;</b>", "&lt;&nbsp;", "back\\slash \\N \\G \\\\n", "two\nlines",
    "`code`", '"`md`"', "#quot; #35;", "%% comment", "%%{init: {}}%%", "end", "subgraph", "default",
    "东京 天气", "👩‍🚀 🎉", "שלום مرحبا", "e\u0301", "nul\x00 esc\x1b[31m tab\t", "half \ud800",
    "\u202eright to left", "\u200b", "\xa0", "x" * 10_000, "東" * 10_000, "1. list", "- item",
    "# head", "> quote", "*bold* _it_ ~~s~~", "$$x^2$$", "\\(x\\)", "${x}", "[a](http://b)",
    "{a|b}", "|pipe|", "fa:fa-car", "::icon(fa)", ":::c", "@{shape: x}", "a;b", "---", "o--o",
    "<script>alert(1)</script>", "http://example.com/a_b?c=d&e=f", "", " ",
)  # fmt: skip


def odd() -> Any:
    values = (*ODD, Unshowable(), [Unshowable()], object(), plus, (plus, len), {"a": {"b": [1]}})
    names = (*ODD, *(f"value_{number}" for number in range(len(values) - len(ODD))))
    return step("src", one) >> parallel(map(Named, names, values))


FLOWS: dict[str, Conduit] = {
    flow.__name__: flow() for flow in (hello, classes, nested, producers, part, wide, long)
}
