"""The flow that `module:flow` names, and the input that a file has for it."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from .._common.messages import short, shown
from .._graph.mistakes import meant_by
from .._graph.parts import is_describable

__all__ = ["UnusableArgumentError", "flow_named", "mappings_of_lines"]


_ABSENT: Final = object()


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
            f"{module_name!r} is a file{_module_instead(module_name, path)}"
        )
    if "" in f"{module_name}.{path}".split("."):
        raise UnusableArgumentError(
            f"{target!r} has no name before or behind a dot; write whole names, such as"
            " my_package.my_module:flow"
        )
    found: Any = _imported(module_name)
    for name in path.split("."):
        with _code_of_user(f"reading {path!r} of {module_name!r}"):
            inner = getattr(found, name, _ABSENT)
            if inner is _ABSENT:
                raise UnusableArgumentError(
                    f"{module_name!r} has no {path!r}{_near(found, name, module_name)}"
                )
        found = inner
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


def _module_instead(file: str, path: str) -> str:
    """What to write for a flow of a file."""
    from_here = os.path.relpath(file)
    if from_here.partition(os.sep)[0] != os.pardir:
        return f"; write the name of its module, from here: {_module_of_file(from_here)}:{path}"
    folder, name = os.path.split(os.path.abspath(file))
    return f" of another folder; call this in {folder}, with {_module_of_file(name)}:{path}"


@contextlib.contextmanager
def _code_of_user(doing: str) -> Iterator[None]:
    """Something of the user's module runs.

    What it prints goes to stderr, as stdout is for the results. However it fails, `sys.exit` too,
    is told on one line: a flow that was not found must not look like one that is fine.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, UnusableArgumentError):
        raise
    except BaseException as error:
        raise UnusableArgumentError(f"{doing} failed: {_error_text(error)}") from error


def _imported(name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    with _code_of_user(f"importing {name!r}"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if name != missing and not name.startswith(f"{missing}."):
                raise
            raise UnusableArgumentError(
                f"no module {missing!r} is in {here}, nor installed for {sys.executable}; call this"
                " where it is, or set PYTHONPATH"
            ) from error


def _error_text(error: BaseException) -> str:
    """An error of a user's module, with the line that raised it, on one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    not_its = ("<", __file__, os.path.dirname(importlib.__file__), contextlib.__file__)
    outside = [frame for frame in frames if not frame.filename.startswith(not_its)]
    return f"{text} ({outside[-1].filename}:{outside[-1].lineno})" if outside else text


def _near(holder: Any, name: str, module_name: str) -> str:
    """What may have been meant by a name that is not there; else the flows that are."""
    near = difflib.get_close_matches(name, dir(holder), 1)
    if near:
        return f"; did you mean {module_name}:{near[0]}?"
    members = getattr(holder, "__dict__", {})
    flows = [one for one, value in members.items() if is_describable(value)]
    return f"; its flows are {', '.join(flows)}" if flows else "; it has no flows"


def _made(function: Any, target: str) -> Any:
    """What a function without arguments returns."""
    with _code_of_user(f"calling {target}"):
        try:
            made = function()
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise UnusableArgumentError(
                f"{target} can't be called without arguments: {error}; write a function that passes"
                " them, and name that"
            ) from error
    if hasattr(made, "__await__"):
        if hasattr(made, "close"):
            made.close()  # or "was never awaited" is printed over the message
        raise UnusableArgumentError(
            f"{target} is asynchronous; a function that returns a flow is a plain one, as nothing"
            " of the flow runs in it"
        )
    return made


def mappings_of_lines(file: IO[bytes], name: str) -> Iterator[Mapping[str, Any]]:
    """The mapping that each line of JSON has, in UTF-8; empty lines are skipped."""
    for number, line in enumerate(file, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            if not text.strip():
                continue
            item = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnusableArgumentError(
                f"{name}, line {number}: {_json_error_text(error)}; expected a JSON object in UTF-8"
                f" on each line{_compressed(line, name)}"
            ) from error
        if not isinstance(item, dict):
            raise UnusableArgumentError(
                f"{name}, line {number}: {short(item)}; expected a JSON object on each line, such"
                ' as {"x": 1}'
            )
        yield item


def _json_error_text(error: Exception) -> str:
    """Without the line that a parser counts, which is always the first one of its text."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (at character {error.pos + 1})"
    return str(error)


def _compressed(line: bytes, name: str) -> str:
    if not line.startswith(b"\x1f\x8b"):
        return ""
    return f"; this is gzip: gunzip -c {name} | python -m fluxus_rx explain … --input -"
