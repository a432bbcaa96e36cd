"""Outputs and attributes of a result, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from .._common.messages import note, short, shown
from .._errors import InvalidFlowError
from .._products.dict_product import MISSING, DictProduct
from .path_names import listed
from .rows import Output, OutputItems

__all__ = ["Criteria", "check_attribute", "no_attribute", "values_of"]

#: Outputs that an error looks at for the names that there are.
_ROWS_LOOKED_AT: Final = 100


def check_attribute(who: str, name: object) -> None:
    """Refuse what can't name an attribute."""
    if not isinstance(name, str) or not name:
        raise InvalidFlowError(
            f"{who} takes the name of an attribute, such as 'score', or of a step and one of its"
            f" attributes, such as 'judge.score', not {shown(name)}"
        )


def values_of(rows: Iterable[OutputItems], name: str, default: Any) -> Iterator[Any]:
    """The attribute of this name of each row: the `default` where a row has none, and nothing if
    that is MISSING, too."""
    step, dot, attribute = name.rpartition(".")
    for row in rows:
        value = default
        for one, attributes in row:
            if (not dot or one == step) and attribute in attributes:
                value = attributes[attribute]  # of several steps, that of the last one
        if value is not MISSING:
            yield value


def no_attribute(rows: Iterable[OutputItems], name: str) -> KeyError:
    """The error for an attribute that none of these rows has."""
    steps: dict[str, None] = {}
    names: dict[str, None] = {}
    for row, _ in zip(rows, range(_ROWS_LOOKED_AT), strict=False):
        for step, attributes in row:
            steps[step] = None
            names |= dict.fromkeys(f"{step}.{attribute}" for attribute in attributes)
    hint = ""
    if name in steps:
        of_step = [one for one in names if one.startswith(f"{name}.")]
        hint = f" ({name} is a step, and has {listed(of_step)})"
    return KeyError(
        f"no output has the attribute {short(name)}{hint}; there are {listed([*names])}. Where an"
        " attribute may be missing, pass a default: values(name, default=None)"
    )


class Criteria:
    """What outputs are chosen by: values of attributes, and a predicate of the whole output."""

    def __init__(
        self,
        predicate: Callable[[Output], object] | None,
        attributes: Mapping[str, Any],
    ) -> None:
        if predicate is not None and not callable(predicate):
            raise InvalidFlowError(
                f"where() takes a function of an output, and attributes by name"
                f" (where(target='alpha')), not {shown(predicate)}"
            )
        if predicate is None and not attributes:
            raise InvalidFlowError(
                "where() needs something to choose by: attributes, as in where(target='alpha'), or"
                " a function of an output"
            )
        self._predicate = predicate
        self._attributes = attributes

    def fit(self, output: Output) -> bool:
        """Whether an output has these attributes, and the predicate says yes."""
        if not self._has_attributes(output.items()):
            return False
        return self._predicate is None or bool(self._predicate(output))

    def fit_call(self, product: Any) -> bool:
        """Whether the product of a call has these attributes; the predicate is for outputs."""
        if not isinstance(product, DictProduct):
            return not self._attributes
        return self._has_attributes([*product.added()])

    def _has_attributes(self, row: OutputItems) -> bool:
        return all(
            any(_is_equal(value, wanted, name) for value in values_of([row], name, MISSING))
            for name, wanted in self._attributes.items()
        )


def _is_equal(value: Any, wanted: Any, name: str) -> bool:
    try:
        return value is wanted or bool(value == wanted)
    except Exception as error:  # an array, which has no truth value
        note(error, f"where() compares the attribute {name!r}; pass it a function instead")
        raise
