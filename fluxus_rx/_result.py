"""The result of a run: the outputs of each path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload

from ._errors import InvalidFlowError, shown
from ._products import DictProduct

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunResult"]

#: one output: the attributes that each step added, by the name of the step
Output = dict[str, dict[str, Any]]


class RunResult(Sequence[list[Output]]):
    """The outputs of a run, path by path.

    A sequence with one list of outputs per path, in the order in which the flow is written: the
    first choice of each group outermost. An output is a nested dictionary, step name to attributes;
    a step that occurs twice on a path is `name` and `name#1`. Within a path outputs are in the
    order in which a plain loop would have made them, whatever order they were completed in, so the
    same flow gives an equal result on every run. A path without outputs is an empty list in its
    place.

    Outputs share their products until they are looked at; a result takes the memory of the
    attributes, once.

    >>> result = RunResult([{"src": {"x": 1}}], [])
    >>> len(result), result[0], result[1]
    (2, [{'src': {'x': 1}}], [])
    >>> list(result.get_outputs())
    [{'src': {'x': 1}}]
    """

    __hash__ = None  # type: ignore[assignment]  # equal by its outputs, which may change

    def __init__(self, *paths: list[Output]) -> None:
        for index, path in enumerate(paths):
            if not isinstance(path, list):
                raise InvalidFlowError(
                    f"RunResult(): argument {index} is {shown(path)}; expected a list of outputs"
                )
            for output in path:
                _check_output(index, output)
        self._paths: list[list[Output] | None] = [*paths]
        self._products: list[list[DictProduct]] = [[] for _ in paths]

    @classmethod
    def of_products(cls, paths: Sequence[list[DictProduct]]) -> RunResult:
        """The result of a run that gave these products, in whatever order."""
        result = cls(*([] for _ in paths))
        result._paths = [None for _ in paths]
        result._products = [_sorted(path) for path in paths]
        return result

    def _path(self, index: int) -> list[Output]:
        path = self._paths[index]
        if path is None:
            path = [product.nested() for product in self._products[index]]
            self._paths[index] = path
            self._products[index] = []
        return path

    def get_outputs(self) -> Iterator[Mapping[str, Mapping[str, Any]]]:
        """All outputs, path by path."""
        for path in self:
            yield from path

    def get_outputs_per_path(self) -> list[Iterator[Mapping[str, Mapping[str, Any]]]]:
        """An iterator over the outputs of each path."""
        return [iter(path) for path in self]

    @overload
    def __getitem__(self, index: int) -> list[Output]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Output]]: ...
    def __getitem__(self, index: int | slice) -> list[Output] | list[list[Output]]:
        if isinstance(index, slice):
            return [self._path(one) for one in range(*index.indices(len(self)))]
        try:
            return self._path(index)
        except IndexError:
            raise IndexError(f"path {index} of a result with {len(self)} paths") from None

    def __len__(self) -> int:
        return len(self._paths)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunResult):
            return NotImplemented
        return list(self) == list(other)

    def __repr__(self) -> str:
        return f"RunResult({', '.join(map(repr, self))})"

    def __reduce__(self) -> tuple[type[RunResult], tuple[list[Output], ...]]:
        return RunResult, tuple(self)

    def to_frame(self, path: int | None = None, simplify: bool = False) -> pd.DataFrame:
        """The outputs as a pandas data frame, one row each; needs the extra `frame`.

        Rows have the index level `item`, counted per path from 0, under a level `path` where the
        result has several paths and `path` doesn't choose one of them. Columns have two levels,
        step and attribute, in order of appearance, with nullable dtypes; what a row has no value
        for is missing. `simplify` turns values of other types than numbers, strings, bytes,
        booleans and None into strings. No outputs give an empty frame. Time and memory are linear
        in the cells.

        Raises IndexError for a path that isn't there, ImportError without pandas.

        >>> RunResult([{"src": {"x": 1}}]).to_frame()  # doctest: +NORMALIZE_WHITESPACE
        step      src
        attribute   x
        item
        0           1
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "RunResult.to_frame() needs pandas: pip install 'fluxus_rx[frame]'"
            ) from error
        chosen = range(len(self)) if path is None else [self._index(path)]
        rows = [
            (index, item, output) for index in chosen for item, output in enumerate(self[index])
        ]
        columns: dict[tuple[str, str], list[Any]] = {}
        for number, (_, _, output) in enumerate(rows):
            for step, attributes in output.items():
                for attribute, value in attributes.items():
                    column = columns.get((step, attribute))
                    if column is None:
                        column = columns[step, attribute] = [None] * len(rows)
                    column[number] = _simple(value) if simplify else value
        index: pd.Index[Any]
        if path is None and len(self) > 1:
            pairs = [(index, item) for index, item, _ in rows]
            index = pd.MultiIndex.from_tuples(pairs, names=["path", "item"])
        else:
            index = pd.Index([item for _, item, _ in rows], name="item", dtype="int64")
        names = pd.MultiIndex.from_arrays(
            [[step for step, _ in columns], [attribute for _, attribute in columns]],
            names=["step", "attribute"],
        )
        series = [pd.Series(values, dtype=object).convert_dtypes() for values in columns.values()]
        frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=range(len(rows)))
        frame.index = index
        frame.columns = names
        return frame

    def _index(self, path: int) -> int:
        if not -len(self) <= path < len(self):
            raise IndexError(f"path {path} of a result with {len(self)} paths")
        return path % len(self)


def _sorted(path: list[DictProduct]) -> list[DictProduct]:
    if all(product.origin is None for product in path):
        return sorted(path, key=attrgetter("position"))  # a tenth of the price of the other
    return sorted(path, key=DictProduct.positions)


def _check_output(index: int, output: object) -> None:
    if not isinstance(output, dict):
        raise InvalidFlowError(
            f"RunResult(): path {index} has the output {shown(output)}; expected a dictionary"
        )
    for step, attributes in output.items():
        if not isinstance(attributes, dict):
            raise InvalidFlowError(
                f"RunResult(): path {index}, step {step!r}: {shown(attributes)}; expected a"
                " dictionary"
            )


def _simple(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes | complex):
        return value
    return str(value)
