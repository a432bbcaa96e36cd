"""The outputs of a run by path, by name, and attribute by attribute."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from .._common.messages import short, shown
from .._errors import InvalidFlowError
from .._products.dict_product import MISSING
from .path_names import PathNames
from .rows import Output, PathOutputs, Rows
from .selection import check_attribute, no_attribute, values_of

__all__ = ["ResultPaths"]


class ResultPaths(Sequence[list[Output]]):
    """A result as a sequence of named paths."""

    _paths: list[PathOutputs]
    _names: PathNames

    @property
    def paths(self) -> tuple[str, ...]:
        """The names of the paths, in their order.

        A path has the name that `path` set for a branch on it, or for several (`alpha → strict`);
        without such a branch, the names of its steps (`src → ask`). If several paths have the same
        branches, the names of their steps are added. No two paths have the same name. Those of a
        result that was made by hand are `path 0`, `path 1`, and so on.

        >>> from fluxus_rx import parallel, passthrough, path, run, step
        >>> double = step("double", lambda x: {"x": 2 * x})
        >>> run(parallel(path("twice", double), double, passthrough()), input={"x": 1}).paths
        ('twice', 'input → double', 'input')
        """
        return self._names.texts

    def get_outputs(self) -> Iterator[Mapping[str, Mapping[str, Any]]]:
        """All outputs, path by path.

        >>> from fluxus_rx import RunResult
        >>> list(RunResult([{"src": {"x": 1}}], [{"src": {"x": 2}}]).get_outputs())
        [{'src': {'x': 1}}, {'src': {'x': 2}}]
        """
        for path in self:
            yield from path

    def get_outputs_per_path(self) -> list[Iterator[Mapping[str, Mapping[str, Any]]]]:
        """An iterator over the outputs of each path.

        >>> from fluxus_rx import RunResult
        >>> [list(path) for path in RunResult([{"src": {"x": 1}}], []).get_outputs_per_path()]
        [[{'src': {'x': 1}}], []]
        """
        return [iter(path) for path in self]

    @overload
    def __getitem__(self, index: int | str) -> list[Output]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Output]]: ...
    def __getitem__(self, index: int | str | slice) -> list[Output] | list[list[Output]]:
        if isinstance(index, slice):
            return [path.outputs for path in self._paths[index]]
        if isinstance(index, str):
            found = self._named(index)
            if len(found) == 1:
                return self._paths[found[0]].outputs
            return [output for number in found for output in self._paths[number].outputs]
        try:
            return self._paths[index].outputs
        except IndexError:
            raise IndexError(_no_path(index, len(self))) from None
        except TypeError:
            raise InvalidFlowError(
                f"a result is asked for a path by its number or its name, not by {shown(index)}"
            ) from None

    def __len__(self) -> int:
        return len(self._paths)

    def values(self, name: str, default: Any = MISSING) -> list[Any]:
        """The values of an attribute in all outputs, path by path.

        `name` is that of the attribute, `"score"`, or of a step and its attribute, `"judge.score"`.
        If several steps of an output have set the attribute, the latest value counts. Outputs
        without it are left out; with a `default`, they have the default, and the list is as long as
        there are outputs.

        For the values of some paths or outputs, select these first: by `where`, or by name,
        `[output["judge"]["score"] for output in result["alpha"]]`.

        Raises KeyError if no output has the attribute, unless there is a `default` or no output at
        all; TypeError for anything but a name.

        >>> from fluxus_rx import run, step
        >>> flow = step("src", [{"x": 1}, {"x": 2}]) >> step("double", lambda x: {"y": 2 * x})
        >>> result = run(flow)
        >>> result.values("y"), result.values("src.x"), result.values("z", default=0)
        ([2, 4], [1, 2], [0, 0])
        """
        check_attribute("values()", name)
        rows = self._rows(None)
        found = [*values_of(rows, name, default)]
        if not found and len(rows):
            raise no_attribute(rows, name)
        return found

    @property
    def _flow_path_names(self) -> Sequence[str]:
        if self._names.are_given:
            return self._names.texts
        return [f"path {number}" for number in range(len(self))]

    def _named(self, name: str) -> list[int]:
        """The paths of this name; KeyError if there are none."""
        found = self._names.find(name)
        if not found:
            firsts = Rows({index: path.rows[:1] for index, path in enumerate(self._paths)})
            hint = ""
            if any(step == name for row in firsts for step, _ in row):
                hint = f"; {name!r} is a step: values('{name}.…') returns an attribute of it"
            raise KeyError(
                f"there is no path {short(name)} in this result{hint}. There are"
                f" {self._names.listed()}"
            )
        return found

    def _rows(self, path: int | str | None) -> Rows:
        chosen = range(len(self)) if path is None else self._indices(path)
        names = self._names.texts if self._names.are_given else None
        return Rows({index: self._paths[index].rows for index in chosen}, names)

    def _indices(self, path: int | str) -> list[int]:
        if isinstance(path, str):
            return self._named(path)
        try:
            number = operator.index(path)
        except TypeError:
            raise InvalidFlowError(
                f"path={shown(path)}: expected the number or the name of a path, or None for all"
            ) from None
        if not -len(self) <= number < len(self):
            raise IndexError(_no_path(number, len(self)))
        return [number % len(self)]


def _no_path(index: int, count: int) -> str:
    there = f"they count from 0 to {count - 1}" if count else "it has none"
    return f"there is no path {index} in this result: {there}"
