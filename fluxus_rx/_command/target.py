"""The flow that `module:flow` names, and the input that a file has for it."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import IO, Any

from .._common.messages import short, shown
from .._graph.mistakes import meant_by
from .._graph.parts import is_describable

__all__ = ["UnusableArgumentError", "flow_named", "mappings_of_lines"]


class UnusableArgumentError(Exception):
    """An argument of the command is wrong; the message is one line, and has the way out."""


def flow_named(target: str) -> Any:
    """The flow that `module:flow` names; a function without arguments is called for it.

    The module is looked for in the working directory first.
    """
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise UnusableArgumentError(
            f"{target!r} names no flow; write MODULE:FLOW, such as {_example_for(target)}"
        )
    if os.sep in module_name or module_name.endswith(".py"):
        raise UnusableArgumentError(
            f"{module_name!r} is a file; write the name of its module, from here:"
            f" {_module_of_file(module_name)}:{path}"
        )
    found: Any = _imported(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            raise UnusableArgumentError(
                f"{module_name!r} has no {path!r}{_near(found, name, module_name)}"
            )
        found = getattr(found, name)
    if not is_describable(found) and callable(found):
        found = _made(found, target)
        target = f"{target}()"
    if not is_describable(found):
        raise UnusableArgumentError(
            f"{target} is {shown(found)}; expected a flow, or a function without arguments that"
            f" returns one{meant_by(found)}"
        )
    return found


def _example_for(target: str) -> str:
    name = target.strip(":")
    if os.sep in name or name.endswith(".py"):
        name = _module_of_file(name)
    return f"{name or 'my_module'}:flow"


def _module_of_file(path: str) -> str:
    return ".".join(os.path.normpath(path).removesuffix(".py").strip(os.sep).split(os.sep))


def _imported(name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise UnusableArgumentError(
                f"importing {name!r} failed: {_error_text(error)}"
            ) from error
        raise UnusableArgumentError(
            f"no module {missing!r} is in {here}, nor installed for {sys.executable}; call this"
            " where it is, or set PYTHONPATH"
        ) from error
    except Exception as error:
        raise UnusableArgumentError(f"importing {name!r} failed: {_error_text(error)}") from error


def _error_text(error: Exception) -> str:
    """An error of a user's module, with the line that raised it, on one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    not_its = ("<", __file__, os.path.dirname(importlib.__file__))
    outside = [frame for frame in frames if not frame.filename.startswith(not_its)]
    return f"{text} ({outside[-1].filename}:{outside[-1].lineno})" if outside else text


def _near(holder: Any, name: str, module_name: str) -> str:
    """What may have been meant by a name that is not there; else the flows that are."""
    near = difflib.get_close_matches(name, dir(holder), 1)
    if near:
        return f"; did you mean {module_name}:{near[0]}?"
    flows = [one for one, value in vars(holder).items() if is_describable(value)]
    return f"; its flows are {', '.join(flows)}" if flows else "; it has no flows"


def _made(function: Any, target: str) -> Any:
    """What a function without arguments returns."""
    try:
        made = function()
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise UnusableArgumentError(f"calling {target} failed: {_error_text(error)}") from error
        raise UnusableArgumentError(
            f"{target} can't be called without arguments: {error}; write a function that passes"
            " them, and name that"
        ) from error
    except Exception as error:
        raise UnusableArgumentError(f"calling {target} failed: {_error_text(error)}") from error
    if hasattr(made, "__await__"):
        if hasattr(made, "close"):
            made.close()  # or "was never awaited" is printed over the message
        raise UnusableArgumentError(
            f"{target} is asynchronous; a function that returns a flow is a plain one, as nothing"
            " of the flow runs in it"
        )
    return made


def mappings_of_lines(file: IO[str], name: str) -> Iterator[Mapping[str, Any]]:
    """The mapping that each line of JSON has; empty lines are skipped."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            raise UnusableArgumentError(
                f"{name}, line {number}: {error}; expected a JSON object on each line"
            ) from error
        if not isinstance(item, dict):
            raise UnusableArgumentError(
                f"{name}, line {number}: {short(item)}; expected a JSON object on each line, such"
                ' as {"x": 1}'
            )
        yield item
