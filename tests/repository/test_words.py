"""The project speaks the field's English: the words that are out stand nowhere in its prose.

Prose is the text of pages, docstrings, comments and messages; of tests, docstrings alone. What is
between backticks, and the lines of examples, are code. `CONTRIBUTING.rst` has the words with the
reasons.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[2]

#: Where prose is looked at: files, and folders with all their modules and pages.
ROOTS = (
    "CHANGELOG.rst",
    "CONTRIBUTING.rst",
    "README.rst",
    "benchmarks",
    "docs",
    "fluxus_rx",
    "tests",
)

#: What isn't ours, or tells of the past as it was told then.
LEFT_OUT = ("docs/_build/", "docs/changelog.rst", "docs/notebooks/", "tests/compat/programs/")


class Word(NamedTuple):
    """A word that is out: how it is found, and what stands in its place."""

    pattern: str
    instead: str


#: By the word as `CONTRIBUTING.rst` has it.
WORDS = {
    "gives": Word(
        r"(?:giv(?:e|es|ing)|gave|ha(?:s|ve|d)\s+given)(?!\s+up)",
        "returns (functions), yields (iterators), emits (sources, steps), passes (arguments)",
    ),
    "anew": Word(r"anew|afresh", "again, or a new one"),
    "hands on": Word(r"hand(?:s|ed|ing)?\s+on(?!-)", "passes on, or yields"),
    "heeds": Word(r"heed(?:s|ed|ing)?", "respects"),
    "whoever": Word(
        r"who(?:so)?ever|whomever|(?-i:Who)\s[^.?!;]*[.;]",
        "the caller, the reader, code that …: a noun",
    ),
    "is no": Word(
        r"(?<!there\s)(?:is|are|was|were)\s+no(?!\s+(?:longer|more|less|fewer|further|wider|other)\b)(?!-)",
        "isn't a, aren't, anything but",
    ),
    "what failed": Word(r"what\s+(?:has\s+|have\s+)?fail(?:s|ed)", "failed calls: a noun"),
    "under way": Word(r"under\s+way", "in flight (calls), running"),
    "tried again": Word(r"tr(?:ied|ies|ying)\s+again", "retried"),
    "places": Word(
        r"(?:one|some)\s+of\s+(?:[\w'’]+\s+){2,3}places|lends?\s+(?:its|their)\s+places?|free\s+places?",
        "slots",
    ),
    "let in": Word(r"let\s+in|lets\s+in", "admitted, admits"),
}
OUT = {
    word: re.compile(rf"(?<![\w-])(?:{entry.pattern})(?![\w])", re.IGNORECASE)
    for word, entry in WORDS.items()
}


class Passage(NamedTuple):
    """A piece of prose, and the line that it begins in."""

    line: int
    text: str


def without_code(text: str) -> str:
    """The same lines, without what is between backticks, and without examples."""
    text = re.sub(r"(`+).+?\1", lambda code: re.sub(r"\S", "x", code[0]), text, flags=re.DOTALL)
    return re.sub(r"^\s*(?:>>>|\.\.\. ).*$", "", text, flags=re.MULTILINE)


def comments(source: str) -> Iterator[Passage]:
    """Comments, those on lines one below the other as one passage."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != last + 1:
            yield Passage(last - len(block) + 1, "\n".join(block))
            block = []
        last = token.start[0]
        block.append(token.string.lstrip("#: "))
    if block:
        yield Passage(last - len(block) + 1, "\n".join(block))


def texts(source: str, *, docstrings_only: bool) -> Iterator[Passage]:
    """Docstrings and, of all but tests, all other texts, such as messages."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if docstrings_only:
            if isinstance(node, documented) and (text := ast.get_docstring(node, clean=False)):
                yield Passage(node.body[0].lineno, text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Passage(node.lineno, node.value)


def may_have_words(source: str) -> bool:
    """Whether it is worth telling prose from code, which takes five times as long as this."""
    whole = re.sub(r"\"\s*\n\s*[A-Za-z]{0,2}\"", "", source)
    whole = re.sub(r"\s+(?:#:?\s*)?", " ", whole)
    return any(pattern.search(whole) for pattern in OUT.values())


def passages(path: Path) -> Iterator[Passage]:
    """The prose of a file, unless none of the words is in it."""
    source = path.read_text(encoding="utf-8")
    if not may_have_words(source):
        return
    if path.suffix == ".rst":
        yield Passage(1, source)
    elif path.is_relative_to(CHECKOUT / "tests"):
        yield from texts(source, docstrings_only=True)
    else:
        yield from texts(source, docstrings_only=False)
        yield from comments(source)


def files(root: str) -> list[Path]:
    """The modules and pages of a root."""
    top = CHECKOUT / root
    found = [top] if top.is_file() else [*top.rglob("*.py"), *top.rglob("*.rst")]
    return sorted(path for path in found if not where(path).startswith(LEFT_OUT))


def where(path: Path) -> str:
    """The path from the top of the checkout, as on any system."""
    return path.relative_to(CHECKOUT).as_posix()


def words_in(text: str) -> Iterator[tuple[int, str, str]]:
    """The words of a text that are out: how many lines down, as found, and as listed."""
    prose = without_code(text)
    for word, pattern in OUT.items():
        for found in pattern.finditer(prose):
            yield prose.count("\n", 0, found.start()), " ".join(found[0].split()), word


def complaints(root: str) -> list[str]:
    """Where a word stands that is out, and what to write instead."""
    told = {
        (where(path), passage.line + lines, found, word)
        for path in files(root)
        for passage in passages(path)
        for lines, found, word in words_in(passage.text)
    }
    return [
        f"{name}:{line}: {found!r}: write {WORDS[word].instead}"
        for name, line, found, word in sorted(told)
    ]


@pytest.mark.parametrize("root", ROOTS)
def test_no_word_that_is_out_stands_in_the_prose(root: str) -> None:
    """CONTRIBUTING.rst says why, in the section on words."""
    found = complaints(root)
    assert not found, "\n".join([f"{len(found)} words are out, see CONTRIBUTING.rst:", *found])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("A step gives products.", "gives"),
        ("It gave what it had.", "gives"),
        ("It has given nothing.", "gives"),
        ("Subscribes anew.", "anew"),
        ("Each run begins\nafresh.", "anew"),
        ("Products are handed\non.", "hands on"),
        ("It emits without heeding demand.", "heeds"),
        ("For whoever reads it.", "whoever"),
        ("Who reads gets the items.", "whoever"),
        ("What is no product is refused.", "is no"),
        ("These are\nno failures.", "is no"),
        ("What failed is tried later.", "what failed"),
        ("Calls under way are cancelled.", "under way"),
        ("A call is tried again.", "tried again"),
        ("It has one of the ``concurrency`` places.", "places"),
        ("A call is let in.", "let in"),
    ],
)
def test_each_word_is_found_in_its_forms(text: str, word: str) -> None:
    """Also where a line breaks in it."""
    assert {found for _, _, found in words_in(text)} == {word}


@pytest.mark.parametrize(
    "text",
    [
        "There is no loop, and there are no failures. It is no longer than a line.",
        "The given name; a call that gives up.",
        "Who is told? Hands-on; on hand.",
        "`gives` and ``is no`` are names here.",
        ">>> give(1)",
        "A place in the flow; one place per step.",
    ],
)
def test_honest_words_and_code_are_left_alone(text: str) -> None:
    assert list(words_in(text)) == []


def test_the_place_of_a_word_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By file and line, in a docstring, a comment that goes on, and a message."""
    lines = [
        '"""One.', "", "It gives two.", '"""', "", "# A comment, after",
        "# which it is", "# no end.", 'raise TypeError(f"{1} is no number")', "",
    ]  # fmt: skip
    (tmp_path / "module.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setitem(globals(), "CHECKOUT", tmp_path)
    assert [line.partition(": write")[0] for line in complaints("module.py")] == [
        "module.py:3: 'gives'",
        "module.py:7: 'is no'",
        "module.py:9: 'is no'",
    ]


def test_contributing_has_each_word_with_its_reason() -> None:
    """In the table of words that are out, and no others."""
    text = (CHECKOUT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
    table = text.split("* - Out\n", 1)[1].split("\n\n\n", 1)[0]
    listed = re.findall(r"^   \* - ``([^`]+)``", table, re.MULTILINE)
    assert listed == list(WORDS)
