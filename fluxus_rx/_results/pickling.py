"""Outputs as they are pickled, so that what was dumped can be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from .._common.error_record import error_record, restored_error
from .._common.loadable import LoadCheck
from .rows import Output

__all__ = ["loadable_outputs"]


def loadable_outputs(paths: Iterable[list[Output]], checked: LoadCheck) -> list[list[Output]]:
    """The outputs of each path; where an attribute is an exception that couldn't be loaded again,
    one that stands in for it.

    Raises InvalidProductError (a TypeError) for any other value that couldn't be loaded, and names
    the attribute.
    """
    return [
        [_loadable(output, checked, index, number) for number, output in enumerate(path)]
        for index, path in enumerate(paths)
    ]


def _loadable(output: Output, checked: LoadCheck, index: int, number: int) -> Output:
    loadable = output
    for step, attributes in output.items():
        for name, value in attributes.items():
            if isinstance(value, BaseException):
                again = restored_error(error_record(value, pickles=True))
                if type(again) is not type(value):
                    loadable = {**loadable, step: {**loadable[step], name: again}}
            elif not checked.knows(value):
                checked.check(value, partial(_attribute, index, number, step, name))
    return loadable


def _attribute(path: int, number: int, step: str, name: str) -> str:
    return f"output {number} of path {path}: the attribute {name!r} of step {step!r}"
