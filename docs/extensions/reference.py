"""Has the reference tell of each public name what is true of it, where autodoc alone can't see it.

The package's public names say that they are of public modules, where users import them from, but
autodoc, which reads sources, looks there for overloads and for comments on attributes. So
`read_sources` tells it where names are written. Signatures are shown without parameters that are
private, and without objects that nobody can write. Names that a second module passes on lead to the
first one. ``options-table`` makes a table of the options of steps, out of `StepOptions` itself.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_origin

from docutils import nodes
from option_rows import option_rows
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import fluxus_rx
from tests.repository.surface import public_modules

#: More overloads than these say less than the signature that they share.
MOST_OVERLOADS: Final = 8


#: The name of a class, a function or an alias of a type at the top of a module.
WRITTEN: Final = re.compile(r"^(?:class |def |async def |(?=\w+: TypeAlias))(\w+)", re.MULTILINE)


@functools.cache
def written_in() -> Mapping[str, str]:
    """The private module of each class, function and alias at the top of one; a name has but
    one."""
    folder = Path(fluxus_rx.__path__[0])
    found: dict[str, str] = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts):
            text = path.read_text(encoding="utf-8")
            module = ".".join(part for part in parts if part != "__init__")
            found |= dict.fromkeys(WRITTEN.findall(text), module)
    return found


def real_module(face: str, name: str) -> str:
    """The module in which a name of a public one is written; `name` may be that of a method."""
    top = name.partition(".")[0]
    public: Any = getattr(importlib.import_module(face), top, None)
    if getattr(public, "__module__", None) != face:
        return face
    source = getattr(inspect.unwrap(public), "__globals__", {}).get("__name__")
    return source or written_in().get(top, face)


def read_sources(app: Sphinx) -> None:
    """Tell autodoc of overloads and comments that are written in private modules."""
    for face in public_modules():
        seen = ModuleAnalyzer.for_module(face.__name__)
        seen.analyze()
        for name in face.__all__:
            real = real_module(face.__name__, name)
            if real != face.__name__:
                _merge(seen, ModuleAnalyzer.for_module(real), name)


def _merge(seen: ModuleAnalyzer, source: ModuleAnalyzer, name: str) -> None:
    source.analyze()
    seen.attr_docs.update(
        (key, lines) for key, lines in source.attr_docs.items() if key[0].split(".")[0] == name
    )
    seen.tagorder.update(
        (key, order) for key, order in source.tagorder.items() if key.split(".")[0] == name
    )
    seen.overloads.update(
        (key, list(_distinct(overloads)))
        for key, overloads in source.overloads.items()
        if key.split(".")[0] == name and _tells_more(overloads)
    )


def _distinct(overloads: list[inspect.Signature]) -> Iterable[inspect.Signature]:
    """Without those that tell type checkers alone apart what is called and returned alike."""
    found: dict[tuple[str, ...], inspect.Signature] = {}
    for overload in overloads:
        alike = (*overload.parameters, str(overload.return_annotation))
        found.pop(alike, None)
        found[alike] = overload
    return found.values()


def _tells_more(overloads: list[inspect.Signature]) -> bool:
    """Whether the overloads say more than the signature that they share."""
    return len(overloads) <= MOST_OVERLOADS and not any(
        one.kind is one.VAR_KEYWORD and "Unpack" in str(one.annotation)
        for overload in overloads
        for one in overload.parameters.values()
    )


def readable(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, arguments: str, returned: str
) -> tuple[str, str] | None:
    """The signature without private parameters, and with ``...`` for what nobody can write."""
    if not arguments:
        return None
    if getattr(thing, "_is_protocol", False):
        return "", ""
    text = re.sub(r"=\s*<[^<>]*>", "=...", arguments)
    function = ast.parse(f"def function{text}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    private = [one for one in (*given.args, *given.kwonlyargs) if one.arg.startswith("_")]
    if not private:
        return text, returned
    # Private parameters come last, and have defaults.
    for one in private:
        if one in given.args:
            given.args.remove(one)
            given.defaults.pop()
        else:
            del given.kw_defaults[given.kwonlyargs.index(one)]
            given.kwonlyargs.remove(one)
    return f"({ast.unparse(given)})", returned


def docstring(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Let a name in backticks have an ``s`` behind it, for which reST wants ``\\ `` in between."""
    if isinstance(thing, UnionType):
        # Its own docstring is that of all unions.
        own = name.rpartition(".")[2]
        source = ModuleAnalyzer.for_module(written_in()[own])
        source.analyze()
        lines[:] = source.attr_docs[("", own)]
    lines[:] = [re.sub(r"(?<=\w)`(?=s\b)", r"`\\ ", line) for line in lines]


def tidy(app: Sphinx, doctree: nodes.document) -> None:
    """Write ``Callable[..., int]`` as in Python; leave out that all classes are of object."""
    punctuation = doctree.findall(addnodes.desc_sig_punctuation)
    for dots in [one for one in punctuation if one.astext() == "..."]:
        siblings = dots.parent.children
        at = siblings.index(dots)
        around = siblings[at - 2 : at + 2]
        if "".join(one.astext() for one in around) == "[[...]":
            dots.parent.remove(around[1])
            dots.parent.remove(around[3])
    for bases in list(doctree.findall(nodes.paragraph)):
        if bases.astext() == "Bases: object":
            bases.parent.remove(bases)


def public_bases(app: Sphinx, name: str, thing: Any, options: Any, bases: list[Any]) -> None:
    """Leave out bases that are private, or that this package has for itself."""
    public = {getattr(face, one) for face in public_modules() for one in face.__all__}

    def is_shown(base: Any) -> bool:
        origin = get_origin(base) or base
        is_own = origin.__module__.startswith("fluxus_rx")
        return origin in public if is_own else not origin.__name__.startswith("_")

    # Where none is left, `tidy` removes the line.
    bases[:] = [base for base in bases if is_shown(base)] or [object]


def alias_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Have names that a second module passes on lead to where they are described."""
    objects = env.domains.python_domain.objects
    for face in public_modules():
        for name in face.__all__:
            home = getattr(getattr(face, name), "__module__", face.__name__)
            entry = objects.get(f"{home}.{name}")
            if entry is not None and home != face.__name__:
                alias = ObjectEntry(entry.docname, entry.node_id, entry.objtype, aliased=True)
                objects[f"{face.__name__}.{name}"] = alias


class OptionsTable(SphinxDirective):
    """A table of the options of steps."""

    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 14 10 10 66", ""]
        lines += ["   * - Option", "     - Default", "     - Unit", "     - What for"]
        for row in option_rows():
            lines += [
                f"   * - .. _option-{row.name}:",
                "",
                f"       ``{row.name}``",
                f"     - ``{row.default}``",
                f"     - {row.unit}",
                f"     - {row.purpose}",
            ]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> Mapping[str, bool]:
    app.add_directive("options-table", OptionsTable)
    app.connect("builder-inited", read_sources)
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("doctree-read", tidy)
    app.connect("viewcode-follow-imported", lambda app, face, name: real_module(face, name))
    app.connect("env-updated", alias_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
