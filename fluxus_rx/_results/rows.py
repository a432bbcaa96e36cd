"""Outputs row by row, and column by column."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from .._common.messages import note, short, shown
from .._errors import InvalidFlowError
from .._products.dict_product import DictProduct

__all__ = [
    "Column",
    "Output",
    "OutputItems",
    "PathOutputs",
    "Rows",
    "check_output",
    "columns_of",
    "expanded",
    "is_missing",
    "named",
    "simplify",
    "text",
]

#: one output: the attributes that each step added, by the name of the step
Output = dict[str, dict[str, Any]]
#: the same, as pairs
OutputItems = Iterable[tuple[str, dict[str, Any]]]
#: the name of a step, and that of an attribute
Column = tuple[str, str]

_SIMPLE: Final = (
    bool,
    int,
    float,
    complex,
    Decimal,
    str,
    bytes,
    type(None),
    dt.date,
    dt.time,
    dt.timedelta,
)


class _Positions:
    """The positions of outputs, which take 8 bytes a number where all have as many numbers."""

    __slots__ = ("_numbers", "_width")

    def __init__(self, numbers: array[int] | list[list[int]], width: int) -> None:
        self._numbers = numbers
        self._width = width

    @classmethod
    def of(cls, positions: list[Sequence[int]]) -> _Positions:
        widths = set(map(len, positions))
        if len(widths) == 1 and (width := widths.pop()):
            return cls(array("q", chain.from_iterable(positions)), width)
        return cls([[*position] for position in positions], 0)

    def all(self) -> list[list[int]]:
        """Each of them as a list."""
        numbers, width = self._numbers, self._width
        if isinstance(numbers, list):
            return [[*position] for position in numbers]
        return [[*numbers[at : at + width]] for at in range(0, len(numbers), width)]


class PathOutputs:
    """The outputs of one path: products, until somebody looks at them, or outputs from the start.

    >>> path = PathOutputs.of_products([DictProduct("src", {"x": 1}, position=5)])
    >>> isinstance(path.rows[0], DictProduct), path.outputs, path.rows is path.outputs
    (True, [{'src': {'x': 1}}], True)
    >>> path.positions
    [[5]]
    """

    __slots__ = ("_outputs", "_positions", "_products")

    def __init__(
        self,
        outputs: list[Output] | None,
        positions: Iterable[Sequence[int]] | None = None,
    ) -> None:
        self._outputs = outputs
        self._positions = None if positions is None else _Positions.of([*positions])
        self._products: list[DictProduct] = []

    @classmethod
    def of_rows(cls, rows: list[Output], positions: array[int]) -> PathOutputs:
        """Those of a path that has emitted these outputs of products without a precursor, with
        their positions, in whatever order."""
        numbers = positions.tolist()
        if numbers != sorted(numbers):  # a quarter of the price of what follows
            order = sorted(range(len(rows)), key=numbers.__getitem__)
            rows = [rows[index] for index in order]
            numbers.sort()
        path = cls(rows)
        path._positions = _Positions(array("q", numbers), 1)
        return path

    @classmethod
    def of_products(cls, products: list[DictProduct]) -> PathOutputs:
        """Those of a path that has emitted these products, in whatever order."""
        path = cls(None)
        if all(product.parent is None for product in products):
            path._products = sorted(products, key=attrgetter("position"))  # a tenth of the price
            if any(map(attrgetter("depth"), products)):
                path._positions = _Positions.of([one.positions() for one in path._products])
            else:
                first = array("q", map(attrgetter("position"), path._products))
                path._positions = _Positions(first, 1)
            return path
        found = [product.positions() for product in products]
        order = sorted(range(len(products)), key=found.__getitem__)
        path._products = [products[index] for index in order]
        path._positions = _Positions.of([found[index] for index in order])
        return path

    @property
    def outputs(self) -> list[Output]:
        """The outputs; made of the products when first asked for."""
        if self._outputs is None:
            self._outputs = [product.nested() for product in self._products]
            self._products = []
        return self._outputs

    @property
    def positions(self) -> list[list[int]] | None:
        """Where the outputs stand among those of a plain loop; None where that isn't known. It says
        nothing of outputs that somebody has added or taken away since."""
        return None if self._positions is None else self._positions.all()

    def chosen(self, fits: Callable[[Output], bool]) -> PathOutputs:
        """Those that fit, with their positions."""
        outputs, positions = self.outputs, self.positions
        indices = [index for index, output in enumerate(outputs) if fits(output)]
        if positions is None or len(positions) != len(outputs):
            return PathOutputs([outputs[index] for index in indices])
        return PathOutputs(
            [outputs[index] for index in indices], [positions[index] for index in indices]
        )

    @property
    def rows(self) -> Sequence[DictProduct | Output]:
        """The outputs, or the products as long as there are none."""
        return self._products if self._outputs is None else self._outputs


class Rows:
    """The outputs of some paths, by the number of the path; products stay what they are.

    >>> rows = Rows({2: [DictProduct("src", {"x": 1})], 5: [{"src": {"x": 2}}]})
    >>> [dict(row) for row in rows], len(rows), rows.place(1)
    ([{'src': {'x': 1}}, {'src': {'x': 2}}], 2, 'item 0 of path 5')
    """

    def __init__(
        self,
        paths: Mapping[int, Sequence[DictProduct | Output]],
        names: Sequence[str] | None = None,
    ) -> None:
        self.paths = paths
        #: what tables call each path of the result, if that is not its number
        self.names = names

    @property
    def labels(self) -> list[int] | list[str]:
        """What tables call the paths."""
        return [*self.paths] if self.names is None else [self.names[path] for path in self.paths]

    def __len__(self) -> int:
        return sum(map(len, self.paths.values()))

    def __iter__(self) -> Iterator[OutputItems]:
        for outputs in self.paths.values():
            for output in outputs:
                yield output.items() if isinstance(output, dict) else output.added()

    def place(self, number: int) -> str:
        """Where the output of a row is, for messages."""
        for path, outputs in self.paths.items():
            if number < len(outputs):
                return f"item {number} of path {path}"
            number -= len(outputs)
        raise IndexError(number)


def columns_of(rows: Iterable[OutputItems], count: int) -> dict[Column, list[Any]]:
    """The values of each column in order of appearance; None where one of the rows has none.

    >>> outputs = [{"a": {"x": 1}}, {"a": {"y": 2}, "b": {"x": 3}}]
    >>> columns_of((output.items() for output in outputs), 2)
    {('a', 'x'): [1, None], ('a', 'y'): [None, 2], ('b', 'x'): [None, 3]}
    """
    columns: dict[Column, list[Any]] = {}
    by_step: dict[str, dict[str, list[Any]]] = {}
    for number, row in enumerate(rows):
        for step, attributes in row:
            known = by_step.get(step)
            if known is None:
                known = by_step[step] = {}
            for attribute, value in attributes.items():
                values = known.get(attribute)
                if values is None:
                    values = known[attribute] = columns[step, attribute] = [None] * count
                values[number] = value
    return columns


def expanded(rows: Iterable[OutputItems]) -> Iterator[Iterable[tuple[str, dict[Any, Any]]]]:
    """The same rows, with what dictionaries hold under the way to it: the attribute and the keys.

    A dictionary that is empty holds nothing, and one that is in itself is a value there.

    >>> [[*row] for row in expanded([[("a", {"x": 1, "y": {"k": 2, "l": {"m": 3}}})]])]
    [[('a', {('x',): 1, ('y', 'k'): 2, ('y', 'l', 'm'): 3})]]
    """
    for row in rows:
        yield ((step, dict(_leaves(attributes))) for step, attributes in row)


def _leaves(attributes: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    inside: list[tuple[tuple[Any, ...], Any, tuple[int, ...]]] = [((), attributes, ())]
    while inside:
        way, value, outer = inside.pop()
        if isinstance(value, dict) and id(value) not in outer:
            found = [((*way, key), inner, (*outer, id(value))) for key, inner in value.items()]
            inside += reversed(found)
        else:
            yield way, value


def simplify(
    values: list[Any], column: Column, place: Callable[[int], str], start: int = 0
) -> None:
    """Make text of what isn't a simple value; `place` tells where the rows from `start` on are."""
    kinds = {kind for kind in set(map(type, values)) if not _is_simple(kind)}
    if kinds:
        for number, value in enumerate(values):
            if type(value) in kinds:
                values[number] = text(value, column, place, start + number)


def text(value: Any, column: Column, place: Callable[[int], str], number: int) -> str:
    """The value as a string; what its `str()` raises has a note that names column and place."""
    try:
        return str(value)
    except Exception as error:
        note(error, f"in str() of {named(column)}, {place(number)}")
        raise


def named(column: Column) -> str:
    """A column, for messages."""
    return f"the attribute {column[1]!r} of step {column[0]!r}"


def _is_simple(kind: type) -> bool:
    # numpy and pandas by name: they need not be installed where there are none of their values.
    return (
        issubclass(kind, _SIMPLE)
        or is_missing(kind)
        or any(base.__module__ == "numpy" and base.__name__ == "generic" for base in kind.__mro__)
    )


def is_missing(kind: type) -> bool:
    """Whether values of this type are the mark of pandas for a missing one."""
    return kind.__name__ in ("NAType", "NaTType") and kind.__module__.startswith("pandas.")


def check_output(index: int, output: object) -> None:
    """Refuse an output of the path with this index that isn't a dictionary of dictionaries."""
    if not isinstance(output, dict):
        raise InvalidFlowError(
            f"RunResult(): path {index} has the output {shown(output)}; expected a dictionary"
        )
    for step, attributes in output.items():
        if not isinstance(attributes, dict):
            raise InvalidFlowError(
                f"RunResult(): path {index}, step {short(step)}: {shown(attributes)}; expected a"
                " dictionary"
            )
