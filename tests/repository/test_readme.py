"""Every Python code block of the README and of the docs runs, and prints what is printed there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from textwrap import dedent

import pytest

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [
    CHECKOUT / "README.rst",
    *(
        page
        for page in sorted((CHECKOUT / "docs").rglob("*.rst"))
        if "_build" not in page.relative_to(CHECKOUT).parts
    ),
]

BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: python\n"
    r"(?:(?P=indent) +:.*\n)*"
    r"\n(?P<code>(?:(?P=indent) +\S.*\n|[ ]*\n)+)",
    re.MULTILINE,
)


def python_blocks(text: str) -> list[tuple[int, str]]:
    """The Python code blocks of a document, each with the number of the line that it begins on."""
    return [
        (text.count("\n", 0, match.start("code")), dedent(match["code"]))
        for match in BLOCK.finditer(text)
    ]


def commands(text: str) -> dict[str, str]:
    """The shell commands of a document that have a name."""
    found = re.findall(r"\.\. code-block:: bash\n   :name: (\S+)\n\n((?:   .*\n)+)", text)
    return {name: dedent(block) for name, block in found}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_each_python_block_runs(path: Path) -> None:
    """In the order of the document and in one namespace; with `>>>`, the outputs are compared."""
    names: dict[str, object] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    complaints: list[str] = []
    for line, code in python_blocks(path.read_text(encoding="utf-8")):
        if ">>>" in code:
            # A name of its own: a function of an earlier block may be in a traceback of this one.
            name = f"{path.name}, line {line}"
            test = doctest.DocTestParser().get_doctest(code, names, name, str(path), line)
            runner.run(test, out=complaints.append, clear_globs=False)
            names.update(test.globs)
        else:
            exec(compile("\n" * line + code, str(path), "exec"), names)
    assert not complaints, "".join(complaints)


def test_no_python_block_is_overlooked() -> None:
    """Each directive is found as a block, the indented ones too."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert len(python_blocks(text)) == text.count(".. code-block:: python"), path.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_python_that_is_not_run_says_why(path: Path) -> None:
    """Code of a library that isn't installed is Python all the same, in a block of `py`."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r"^(\.\. not run: .+\n\n)?\.\. code-block:: py\n\n((?:   .*\n|\n)+)", text, re.MULTILINE
    )
    for reason, block in found:
        assert reason, block
        for example in doctest.DocTestParser().get_examples(dedent(block)):
            compile(example.source, str(path), "single")


def test_the_readme_names_its_two_commands() -> None:
    """The names that `.ci/run` looks for, so that it runs what is written there."""
    found = commands((CHECKOUT / "README.rst").read_text(encoding="utf-8"))
    assert found.keys() == {"main-job", "tests"}
    assert "docs/examples/stdlib_census.py" in found["main-job"]
    assert "'.[test]'" in found["tests"]


@pytest.mark.parametrize("name", ["README.rst", "docs/index.rst", "docs/start.rst"])
def test_precedence_is_on_the_first_screen(name: str) -> None:
    """The one thing that surprises everybody comes before anything else."""
    first = (CHECKOUT / name).read_text(encoding="utf-8").splitlines()[:25]
    assert "``a & b >> c`` means ``a & (b >> c)``" in " ".join(first)


@pytest.mark.parametrize("name", ["README.rst", "docs/licence.rst"])
def test_the_licence_of_aiostream_is_told(name: str) -> None:
    """A user who ships both must know it."""
    text = " ".join((CHECKOUT / name).read_text(encoding="utf-8").split())
    assert "a work that ships both must meet aiostream's licence" in text
