"""The public surface, written down: what users can import, call, subclass, pickle and read.

    python -m tests.repository.surface                    this checkout, against surface.json
    python -m tests.repository.surface OTHER              this checkout, against another one
    python -m tests.repository.surface OTHER THIS         one checkout against another
    python -m tests.repository.surface --write            renews surface.json

It prints what differs, and exits with 1 if anything does that `EXPECTED` has no reason for, nor
`--expect PATTERN` on the command line. Each checkout is read in a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import doctest
import enum
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).parents[2]
STORED = Path(__file__).with_suffix(".json")

#: What may differ from the stored surface, by pattern, and why. Empty once the surface is renewed.
EXPECTED: dict[str, str] = {}

#: What Python adds to classes by itself, and not always the same.
BY_PYTHON = {
    "__abstractmethods__", "__annotations__", "__annotations_cache__",
    "__callable_proto_members_only__", "__dataclass_fields__", "__dataclass_params__", "__dict__",
    "__dir__", "__doc__", "__firstlineno__", "__module__", "__mutable_keys__",
    "__non_callable_proto_members__", "__optional_keys__", "__orig_bases__",
    "__parameters__", "__protocol_attrs__", "__qualname__", "__readonly_keys__", "__replace__",
    "__required_keys__", "__slots__",
    "__static_attributes__", "__subclasshook__", "__weakref__",
}  # fmt: skip

Surface = dict[str, Any]


class Difference(NamedTuple):
    """A fact that isn't the same on both sides; None where a side does not have it."""

    fact: str
    before: Any
    after: Any

    def __str__(self) -> str:
        lines = [self.fact]
        if self.before is not None:
            lines.append(f"    - {self.before!r}")
        if self.after is not None:
            lines.append(f"    + {self.after!r}")
        return "\n".join(lines)


# Reading: in a process that has the checkout on its path.


def read_surface() -> Surface:
    """Each fact of the surface of the package that is imported here, under its name."""
    return dict(sorted(fact for module in public_modules() for fact in facts_of_module(module)))


def public_modules() -> list[ModuleType]:
    """The package, and each module of it whose name has no underscore in front."""
    package = importlib.import_module("fluxus_rx")
    names = [one.name for one in pkgutil.walk_packages(package.__path__, "fluxus_rx.")]
    public = [name for name in names if "._" not in name]
    return [package, *map(importlib.import_module, public)]


def facts_of_module(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module offers, and what its names are."""
    yield module.__name__, sorted(module.__all__)
    yield from examples(module.__name__, module.__doc__)
    # What these names are is what they are in fluxus, and tests/compat tells whether they are.
    is_of_fluxus = module.__name__.startswith("fluxus_rx.compat")
    for name in module.__all__ if not is_of_fluxus else ():
        yield from facts_of_name(f"{module.__name__}.{name}", getattr(module, name))


def facts_of_name(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """What is known of a public class, function or constant."""
    yield f"{name}: kind", kind_of(thing)
    if not callable(thing):
        yield f"{name}: value", text_of(thing)
        return
    yield f"{name}: module", thing.__module__
    # An operator of aiostream is an object that is called.
    yield f"{name}: qualname", getattr(thing, "__qualname__", type(thing).__qualname__)
    yield from signature(name, thing)
    yield from examples(name, thing.__doc__)
    if inspect.isclass(thing):
        yield from facts_of_class(name, thing)


def facts_of_class(name: str, cls: type) -> Iterator[tuple[str, Any]]:
    """Bases, fields and attributes of a class."""
    yield f"{name}: bases", [text for text in map(public_name, cls.__mro__[1:]) if text]
    parameters = getattr(cls, "__parameters__", ())
    if parameters:
        yield f"{name}: type parameters", [str(parameter) for parameter in parameters]
    if inspect.isabstract(cls):
        yield f"{name}: abstract", sorted(getattr(cls, "__abstractmethods__", ()))
    if dataclasses.is_dataclass(cls):
        for field in dataclasses.fields(cls):
            if not field.name.startswith("_"):
                yield f"{name}.{field.name}: field", text_of_field(field)
    for attribute, value in attributes(cls).items():
        yield from facts_of_attribute(f"{name}.{attribute}", value)


def attributes(cls: type) -> dict[str, Any]:
    """What the package's own classes add to a class and its users: public names and operators."""
    found: dict[str, Any] = {}
    for owner in cls.__mro__:
        if not owner.__module__.startswith("fluxus_rx"):
            continue
        for name, value in vars(owner).items():
            special = name.startswith("__") and name.endswith("__") and name not in BY_PYTHON
            if special or not name.startswith("_"):
                found.setdefault(name, value)
    # What a class says of a name that it doesn't have is no attribute of it. By its name, as older
    # versions, which are read as well, have no such class.
    return {name: value for name, value in found.items() if type(value).__name__ != "Elsewhere"}


def facts_of_attribute(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Kind, signature and examples of an attribute of a class."""
    yield f"{name}: kind", kind_of(value)
    if isinstance(value, property):
        yield from signature(name, value.fget)
        yield f"{name}: settable", value.fset is not None
    elif isinstance(value, classmethod | staticmethod):
        yield from signature(name, value.__func__)
    elif inspect.isroutine(value) or inspect.isclass(value):
        yield from signature(name, value)
    elif not (inspect.isdatadescriptor(value) or hasattr(value, "__get__")):
        yield f"{name}: value", text_of(value)
        return
    yield from examples(name, value.__doc__)


def kind_of(thing: Any) -> str:
    """A word for what something is."""
    kinds = {
        "enum": inspect.isclass(thing) and issubclass(thing, enum.Enum),
        "dataclass": inspect.isclass(thing) and dataclasses.is_dataclass(thing),
        "class": inspect.isclass(thing),
        "property": isinstance(thing, property),
        "classmethod": isinstance(thing, classmethod),
        "staticmethod": isinstance(thing, staticmethod),
        "async generator function": inspect.isasyncgenfunction(thing),
        "coroutine function": inspect.iscoroutinefunction(thing),
        "generator function": inspect.isgeneratorfunction(thing),
        "function": inspect.isroutine(thing),
        # Which kind of slot (slots=True, or by hand) is not the users' business.
        "slot": inspect.isdatadescriptor(thing),
        "callable": callable(thing),
    }
    return next((word for word, fits in kinds.items() if fits), type(thing).__name__)


def public_name(cls: type) -> str | None:
    """Where users import a class from; None of one that they don't."""
    if not cls.__module__.startswith("fluxus_rx"):
        return f"{cls.__module__}.{cls.__qualname__}"
    found = [
        f"{module.__name__}.{name}"
        for module in public_modules()
        for name in module.__all__
        if getattr(module, name) is cls
    ]
    own = f"{cls.__module__}.{cls.__qualname__}"
    return own if own in found else next(iter(found), None)


def signature(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """How something is called, if that can be known."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return
    yield f"{name}: signature", without_places(str(found))


def examples(name: str, text: str | None) -> Iterator[tuple[str, Any]]:
    """What a docstring shows, and says that comes of it."""
    found = doctest.DocTestParser().get_examples(text or "")
    if found:
        yield f"{name}: examples", [f">>> {one.source}{one.want}" for one in found]


def text_of_field(field: dataclasses.Field[Any]) -> str:
    """Type and default of a field of a dataclass."""
    default = "" if field.default is dataclasses.MISSING else f" = {text_of(field.default)}"
    if field.default_factory is not dataclasses.MISSING:
        default = f" = {getattr(field.default_factory, '__qualname__', 'factory')}()"
    return f"{field.type}{default}{'' if field.init else ', not given'}"


def text_of(value: Any) -> str:
    """A value as text that is the same in each process."""
    return without_places(repr(value))


def without_places(text: str) -> str:
    """A text without what it tells of places: in memory, and in private modules."""
    return re.sub(r" at 0x[0-9a-f]+|(?<=\bfluxus_rx\.)_\w+\.(?:\w+\.)*", "", text)


# Comparing.


def surface_of(checkout: Path) -> Surface:
    """The surface of a checkout, read in a process that has nothing else of ours on its path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-P", __file__, "--read", checkout],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Surface = json.loads(done.stdout)
    return found


def stored_surface() -> Surface:
    """The surface as it was when it was last written down."""
    found: Surface = json.loads(STORED.read_text(encoding="utf-8"))
    return found


def differences(before: Surface, after: Surface) -> list[Difference]:
    """The facts that one side has and the other has not, or has otherwise."""
    return [
        Difference(fact, before.get(fact), after.get(fact))
        for fact in sorted(before.keys() | after.keys())
        if before.get(fact) != after.get(fact)
    ]


def reason_for(difference: Difference, expected: Mapping[str, str]) -> str | None:
    """Why a difference is none to worry about; None if nobody said."""
    return next(
        (why for pattern, why in expected.items() if fnmatchcase(difference.fact, pattern)), None
    )


def main(arguments: list[str] | None = None) -> int:
    """What the command does; returns its exit status."""
    parser = argparse.ArgumentParser("python -m tests.repository.surface")
    parser.add_argument("checkouts", nargs="*", type=Path, metavar="CHECKOUT")
    parser.add_argument("--expect", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--write", action="store_true", help="renew the stored surface")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.read:
        sys.path.insert(0, str(given.read.resolve()))
        package = importlib.import_module("fluxus_rx")
        assert Path(package.__file__ or "").is_relative_to(given.read.resolve())
        json.dump(read_surface(), sys.stdout)
        return 0
    if given.write:
        text = json.dumps(surface_of(CHECKOUT), indent=1, ensure_ascii=False)
        STORED.write_text(f"{text}\n", encoding="utf-8")
        return 0
    before = surface_of(given.checkouts[0]) if given.checkouts else stored_surface()
    after = surface_of(given.checkouts[1] if len(given.checkouts) > 1 else CHECKOUT)
    expected = {**EXPECTED, **dict.fromkeys(given.expect, "expected on the command line")}
    return report(differences(before, after), expected, facts=len(after))


def report(found: list[Difference], expected: Mapping[str, str], *, facts: int) -> int:
    """Print what differs, by whether it is expected; 1 if something is not."""
    unexpected = [one for one in found if reason_for(one, expected) is None]
    for one in found:
        if one not in unexpected:
            print(f"{one}\n    expected: {reason_for(one, expected)}")
    if unexpected:
        print("\nNot expected:")
        print(*unexpected, sep="\n")
    print(f"\n{facts} facts; {len(found)} differ, {len(unexpected)} of them unexpected")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
