"""What the site has beside its pages: words to search for, descriptions, texts for LLMs.

``llms.txt`` lists the pages with their descriptions, and ``llms-full.txt`` has the sources of all
of them, in the order of the tables of contents; programs and docstrings that pages include are in
it.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from search_words import SEARCH_WORDS
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.text import TextBuilder
from sphinx.environment import BuildEnvironment
from sphinx.ext.viewcode import viewcode_anchor
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import clean_astext
from sphinx.writers.text import TextTranslator

#: A page with one of these is made of docstrings: its source alone says nothing.
OF_DOCSTRINGS: Final = re.compile(r"^\.\. (?:auto\w+|options-table)::", re.MULTILINE)

#: With its options, which are left out: all of the program is shown.
INCLUDED: Final = re.compile(r"^( *)\.\. literalinclude:: (\S+)$(?:\n\1   :.*$)*", re.MULTILINE)


#: In a program that is a notebook as well: where a cell begins, a heading in a cell of text, and
#: the empty lines between which a mark stood.
CELL: Final = re.compile(r"^# %%.*\n", re.MULTILINE)
HEADING: Final = re.compile(r"^# #+ ", re.MULTILINE)
EMPTY: Final = re.compile(r"\n{4,}")


class SearchWords(SphinxTransform):
    """Enters the words of a page into the index, where the search looks first.

    Each leads to the first section that has it in its title, or else to the top of the page.
    """

    # Before the domains read what is in a page (850).
    default_priority = 800

    def apply(self, **kwargs: Any) -> None:
        sections = list(self.document.findall(nodes.section))
        for word, page in SEARCH_WORDS.items():
            if page == self.env.docname and sections:
                section = next((one for one in sections if _names(one, word)), sections[0])
                entry = ("single", word, section["ids"][0], "main", None)
                section.insert(1, addnodes.index(entries=[entry]))


def _names(section: nodes.section, word: str) -> bool:
    title = clean_astext(section[0]).lower().replace("-", " ")
    return word.lower().replace("-", " ") in title


def trim(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out of code what says nothing to those who read a page."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext()
        if block.rawsource == text and (trimmed := readable(text)) != text:
            block.rawsource = trimmed
            block[:] = [nodes.Text(trimmed)]


def readable(code: str) -> str:
    """Code without the marks of notebook cells, and without empty lines around it, such as those
    next to the comments between which it was cut out."""
    if CELL.search(code):
        code = HEADING.sub("# ", EMPTY.sub("\n\n\n", CELL.sub("", code)))
    return f"{code.strip(chr(10))}\n" if code.startswith("\n") or code.endswith("\n\n") else code


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Describe pages that Sphinx makes by itself, such as the search and the index."""
    if doctree is None:
        title = html.unescape(nodes_free(str(context.get("title", page))))
        text = html.escape(f"{title}, of the documentation of {app.config.project}.")
        described = f'<meta name="description" content="{text}" />'
        context["metatags"] = f"{context.get('metatags', '')}\n{described}"


def nodes_free(text: str) -> str:
    """A title without its markup."""
    return " ".join(part.partition(">")[2] if ">" in part else part for part in text.split("<"))


def ordered_pages(env: BuildEnvironment, page: str) -> Iterator[str]:
    """A page and those that its tables of contents lead to, in their order."""
    yield page
    for child in env.toctree_includes.get(page, ()):
        if child in env.all_docs:
            yield from ordered_pages(env, child)


def description_of(doctree: nodes.document) -> str:
    """What a page says of itself, in one sentence."""
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            return str(meta["content"])
    return ""


def write_texts(app: Sphinx, exception: Exception | None) -> None:
    """Write ``llms.txt`` and ``llms-full.txt``."""
    if exception is not None or app.builder.name != "html":
        return
    listed: list[str] = []
    full: list[str] = []
    for page in dict.fromkeys(ordered_pages(app.env, app.config.root_doc)):
        doctree = app.env.get_doctree(page)
        title, description = app.env.titles[page].astext(), description_of(doctree)
        listed.append(f"- [{title}]({page}.html)" + (f": {description}" if description else ""))
        full.append(plain_text(app, page, doctree))
    heading = f"# {app.config.project} {app.config.release}"
    about = description_of(app.env.get_doctree(app.config.root_doc))
    start = f"{heading}\n\n> {about}\n\n" if about else f"{heading}\n\n"
    pages = "\n".join(listed)
    everything = "\n\n\n".join(full)
    folder = Path(app.outdir)
    (folder / "llms.txt").write_text(f"{start}## Pages\n\n{pages}\n", encoding="utf-8")
    (folder / "llms-full.txt").write_text(f"{start}{everything}\n", encoding="utf-8")


def plain_text(app: Sphinx, page: str, doctree: nodes.document) -> str:
    """The source of a page, with the programs in it; or what it shows, if docstrings make it."""
    path = Path(app.env.doc2path(page))
    source = path.read_text(encoding="utf-8")
    if OF_DOCSTRINGS.search(source):
        return rendered(app, page, doctree)

    def program(found: re.Match[str]) -> str:
        _, included = app.env.relfn2path(found[2], page)
        text = Path(included).read_text(encoding="utf-8")
        text = textwrap.indent(text.rstrip(), f"{found[1]}   ")
        return f"{found[1]}.. code-block:: python\n\n{text}"

    return INCLUDED.sub(program, source).strip()


def rendered(app: Sphinx, page: str, doctree: nodes.document) -> str:
    """What a page shows, as a text."""
    builder = TextBuilder(app, app.env)
    builder.secnumbers = {}
    for link in list(doctree.findall(viewcode_anchor)):
        link.parent.remove(link)
    app.env.apply_post_transforms(doctree, page)
    translator = TextTranslator(doctree, builder)
    doctree.walkabout(translator)
    return translator.body.strip()


def setup(app: Sphinx) -> Mapping[str, bool]:
    app.add_transform(SearchWords)
    app.connect("doctree-read", trim)
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
