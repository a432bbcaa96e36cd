"""The examples of public methods and operators run, which doctest itself does not find.

It looks for a class in the module that the class names, and for a method in the module that it is
written in; of a class that names a public module, those are two. An operator of aiostream is an
object, and neither class nor function.
"""

from __future__ import annotations

import doctest
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.repository import surface


def functions_of(thing: Any) -> Iterator[Any]:
    """The functions in which a public name is written, where doctest doesn't look."""
    if inspect.isclass(thing):
        for value in surface.attributes(thing).values():
            function = getattr(value, "__func__", value)
            if inspect.isfunction(function):
                yield function
    elif hasattr(thing, "original"):
        yield thing.original


def examples() -> dict[str, Any]:
    """The functions that have examples, each once, by where they are written."""
    found: dict[str, Any] = {}
    for module in surface.public_modules():
        for name in module.__all__:
            for function in functions_of(getattr(module, name)):
                if ">>>" in (function.__doc__ or ""):
                    found[f"{function.__module__}.{function.__qualname__}"] = function
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_each_public_method_run(name: str) -> None:
    """In the module that the method is written in, with the options of `setup.cfg`."""
    function = EXAMPLES[name]
    globs = dict(vars(sys.modules[function.__module__]))
    test = doctest.DocTestParser().get_doctest(function.__doc__, globs, name, None, None)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    complaints: list[str] = []
    doctest.DocTestRunner(verbose=False, optionflags=flags).run(test, out=complaints.append)
    assert not complaints, "".join(complaints)


def test_no_kind_of_example_is_overlooked() -> None:
    """Those of methods and of operators are among them."""
    words = {word for name in EXAMPLES for word in name.split(".")}
    assert {"draw", "check", "label", "to_frame", "merge", "to_stream"} <= words
