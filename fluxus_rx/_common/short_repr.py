"""The `repr` of any value, cut before it is made: in microseconds, however large the value is."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import inspect
import math
import types
from array import array
from collections.abc import Callable, Iterable, Mapping, Sized
from itertools import islice
from typing import Any, Final

from .secrets import MASK, is_secret, masked_text

__all__ = ["short_repr", "show_by"]

#: How much of a text, of another value, of a number, and of a list or dictionary is shown.
_MOST_CHARACTERS: Final = 60
_MOST_DIGITS: Final = 40
_MOST_BITS: Final = 4_000
_MOST_ITEMS: Final = 6
_MOST_PAIRS: Final = 4
#: How deep, and how many values in all: six lists in six lists, and so on, would be many.
_MOST_LEVELS: Final = 6
_MOST_SHOWN: Final = 60

#: From how many characters and parts on a value is not asked for a `repr` of its own.
_MOST_WEIGHT: Final = 10_000
_MOST_PARTS: Final = 500
#: Characters at the start and at the end of a long text in which secrets are looked for.
_LOOKED_AT: Final = 1_000
#: How many items an array may have to be asked.
_MOST_CELLS: Final = 16


def short_repr(value: object, name: str = "") -> str:
    """The `repr` of a value, shortened, and without secrets; never raises, but for Ctrl-C.

    What is known to show its parts is shown part by part: builtin types and what inherits their
    `repr`, dataclasses, named tuples, exceptions. A value with a `repr` of its own is asked for it
    only if what it consists of is small; else its type has to do, as for a large array.

    >>> short_repr({"x": b"1" * 10**8, "y": ValueError("no")})
    "{'x': b'11111111111111111111111111...1111111111111111111111111111', 'y': ValueError('no')}"
    """
    return _Writer().show(value, _MOST_LEVELS, name)


def show_by(kind: type, show: Callable[[Any], str]) -> None:
    """Have objects of a class of another library, and of what inherits its `repr`, shown by a
    function: where that `repr` isn't written for people.

    >>> class Policy:
    ...     def __repr__(self):
    ...         return "<Policy at 0x7f (stop=<Stop at 0x7f>, wait=<Wait at 0x7f>)>"
    >>> show_by(Policy, lambda policy: "Policy(stop=3)")
    >>> short_repr([Policy()])
    '[Policy(stop=3)]'
    """
    _BY_REPR[kind.__repr__] = lambda _, value, level: _middle_cut(show(value), 2 * _MOST_CHARACTERS)


class _Writer:
    """Shows one value, and counts what it shows."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MOST_SHOWN

    def show(self, value: Any, level: int, name: object = "") -> str:
        """The text of a value of this name, with so many levels of what is in it."""
        self._left -= 1
        kind = type(value)
        try:
            if is_secret(value, name):
                return MASK
            show = _BY_REPR.get(kind.__repr__)
            if show is not None:
                return show(self, value, level)
            fields = _fields(value, kind)
            if fields is not None:
                given = [f"{field}={self.show(one, level - 1, field)}" for field, one in fields]
                return f"{kind.__qualname__}({', '.join(given)})"
            return _own_repr(value, kind)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return f"<{kind.__name__}: its repr raised {type(error).__name__}>"

    def items(self, values: Iterable[Any], count: int, level: int) -> str:
        """Some of so many values, one after the other."""
        if level <= 0 or self._left <= 0:
            return "..." if count else ""
        shown = [self.show(value, level - 1) for value in islice(values, _MOST_ITEMS)]
        return ", ".join([*shown, "..."] if count > _MOST_ITEMS else shown)

    def pairs(self, pairs: Iterable[tuple[Any, Any]], count: int, level: int) -> str:
        """Some of so many pairs of a dictionary."""
        if level <= 0 or self._left <= 0:
            return "{...}" if count else "{}"
        shown = [
            f"{self.show(key, level - 1)}: {self.show(value, level - 1, key)}"
            for key, value in islice(pairs, _MOST_PAIRS)
        ]
        return f"{{{', '.join([*shown, '...'] if count > _MOST_PAIRS else shown)}}}"


def _middle_cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    ahead = (most - 3) // 2
    return f"{text[:ahead]}...{text[len(text) - (most - 3 - ahead) :]}"


def _own_repr(value: Any, kind: Any) -> str:
    if kind.__repr__ is not object.__repr__:
        # Asked of the class: an attribute of a proxy may be a call to another machine.
        shape = getattr(value, "shape", ()) if hasattr(kind, "shape") else ()
        if isinstance(shape, tuple) and shape and not _is_small_array(value, kind, shape):
            dtype = f", {value.dtype}" if hasattr(kind, "dtype") else ""
            return f"<{kind.__name__} of shape {(*shape,)}{dtype}>"
        if _is_large(value):
            return f"<{kind.__qualname__}, too large to be shown>"
    return _middle_cut(masked_text(_ends_of(repr(value))), _MOST_CHARACTERS)


def _ends_of(text: Any, kind: Any = str) -> Any:
    """A text, or the two ends of a long one, of which no more will be shown."""
    part = kind.__getitem__  # that of a subclass may do anything
    if kind.__len__(text) <= 2 * _LOOKED_AT:
        return text
    return part(text, slice(_LOOKED_AT)) + part(text, slice(-_LOOKED_AT, None))


def _is_small_array(value: Any, kind: Any, shape: tuple[Any, ...]) -> bool:
    """Whether an array shows itself in a line, and nothing in it shows itself."""
    if not kind.__module__.startswith("numpy") or value.dtype.hasobject:
        return False
    return bool(math.prod(shape) <= _MOST_CELLS)


def _fields(value: Any, kind: Any) -> list[tuple[str, Any]] | None:
    """What the `repr` of a class shows that a decorator or a library has generated; else None."""
    shown: list[str] | None = None
    own = kind.__repr__
    if hasattr(kind, "__dataclass_fields__"):
        # One that somebody has written is in a file.
        if _file_of(inspect.unwrap(own)) == "<string>":
            shown = [field.name for field in dataclasses.fields(value) if field.repr]
    elif tuple in kind.__mro__ and own.__module__ == "collections":
        names = getattr(kind, "_fields", ())
        return [*islice(zip(names, tuple.__iter__(value), strict=False), _MOST_ITEMS)]
    elif hasattr(kind, "__repr_args__"):  # pydantic
        return [(name or "", one) for name, one in islice(value.__repr_args__(), _MOST_ITEMS)]
    elif hasattr(kind, "__attrs_attrs__") and "attrs generated" in _file_of(own):
        shown = [field.name for field in kind.__attrs_attrs__ if field.repr]
    elif hasattr(kind, "__struct_fields__"):  # msgspec
        shown = [*kind.__struct_fields__]
    if shown is None:
        return None
    return [(name, getattr(value, name)) for name in shown[:_MOST_ITEMS]]


def _file_of(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return "" if code is None else str(code.co_filename)


# How large a value is that shows itself

_TEXTS: Final[tuple[Any, ...]] = (str, bytes, bytearray, memoryview, array)
_LISTS: Final[tuple[Any, ...]] = (list, tuple, set, frozenset, collections.deque)
#: what has parts that no `repr` shows
_LIGHT: Final = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
)


def _is_large(value: Any) -> bool:
    """Whether a value consists of too much to be asked for its `repr`."""
    weight, seen, waiting = 0, {id(value)}, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _LIGHT) or one is None:
            continue
        size, parts = _contents(one)
        weight += size
        if weight > _MOST_WEIGHT or len(seen) > _MOST_PARTS:
            return True
        for part in parts:
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
    return False


def _contents(value: Any) -> tuple[int, Iterable[Any]]:
    """How much there is of a value itself, and what else is in it."""
    kind: Any = type(value)
    for base in _TEXTS:
        if isinstance(value, base):
            return base.__len__(value), ()
    if isinstance(value, int):
        return int.bit_length(value), ()
    if isinstance(value, dict):
        pairs = islice(dict.items(value), _MOST_PARTS)
        return dict.__len__(value), [one for pair in pairs for one in pair]
    for base in _LISTS:
        if isinstance(value, base):
            return base.__len__(value), islice(base.__iter__(value), _MOST_PARTS)
    parts = [*value.args] if isinstance(value, BaseException) else []
    parts += getattr(value, "__dict__", {}).values()
    for parent in kind.__mro__:
        slots = parent.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            parts.append(getattr(value, name, None))
    # Not by `hasattr`, which finds what a metaclass has.
    return kind.__sizeof__(value) + (len(value) if isinstance(value, Sized) else 0), parts


# What is known to show its parts, by the `repr` that it has. A subclass that shows itself is asked.


def _show_text(_: _Writer, value: Any, level: int) -> str:
    kind: Any = next(base for base in (str, bytes, bytearray) if isinstance(value, base))
    value = _ends_of(value, kind)
    if kind is str:
        value = masked_text(value)
    else:
        # Each byte is a character there; what isn't text stays what it is.
        value = kind(masked_text(kind.decode(value, "latin-1")).encode("latin-1"))
    text = repr(kind.__getitem__(value, slice(_MOST_CHARACTERS)))
    if len(text) <= _MOST_CHARACTERS:
        return text
    ahead = (_MOST_CHARACTERS - 3) // 2
    behind = _MOST_CHARACTERS - 3 - ahead
    start = kind.__getitem__(value, slice(ahead))
    end = kind.__getitem__(value, slice(max(0, kind.__len__(value) - behind), None))
    text = repr(start + end)
    return f"{text[:ahead]}...{text[-behind:]}"


def _show_number(_: _Writer, value: int, level: int) -> str:
    bits = int.bit_length(value)
    # The digits take a time in the square of the bits.
    return f"<int of {bits} bits>" if bits > _MOST_BITS else _middle_cut(repr(value), _MOST_DIGITS)


def _show_sequence(kind: Any, left: str, right: str) -> Callable[[_Writer, Any, int], str]:
    def show(writer: _Writer, value: Any, level: int) -> str:
        count = kind.__len__(value)
        if kind is tuple and count == 2 and is_secret(*reversed([*kind.__iter__(value)])):
            # An item of a mapping, or a header.
            return f"({writer.show(kind.__getitem__(value, 0), level - 1)}, {MASK})"
        comma = "," if kind is tuple and count == 1 else ""
        return f"{left}{writer.items(kind.__iter__(value), count, level)}{comma}{right}"

    return show


def _show_set(writer: _Writer, value: Any, level: int) -> str:
    if not value:
        return f"{type(value).__name__}()"
    items = [*islice(value, _MOST_ITEMS + 1)]
    with contextlib.suppress(Exception):
        items.sort()
    text = f"{{{writer.items(items, len(value), level)}}}"
    return text if type(value) is set else f"{type(value).__name__}({text})"


def _show_array(writer: _Writer, value: Any, level: int) -> str:
    items = f", [{writer.items(value, len(value), level)}]" if value else ""
    return f"array({value.typecode!r}{items})"


def _show_dict(writer: _Writer, value: dict[Any, Any], level: int) -> str:
    return writer.pairs(dict.items(value), dict.__len__(value), level)


def _show_mapping(writer: _Writer, value: Mapping[Any, Any], level: int) -> str:
    return f"{type(value).__name__}({writer.pairs(value.items(), len(value), level)})"


def _show_view(writer: _Writer, value: Any, level: int) -> str:
    return f"{type(value).__name__}([{writer.items(value, len(value), level)}])"


def _show_data(writer: _Writer, value: Any, level: int) -> str:
    return writer.show(value.data, level)


def _show_method(_: _Writer, value: Any, level: int) -> str:
    return f"<bound method {getattr(value, '__qualname__', '?')}>"


def _show_partial(writer: _Writer, value: functools.partial[Any], level: int) -> str:
    given = [writer.show(one, level - 1) for one in (value.func, *value.args[:_MOST_ITEMS])]
    given += [
        f"{name}={writer.show(one, level - 1, name)}"
        for name, one in islice(value.keywords.items(), _MOST_PAIRS)
    ]
    return f"functools.partial({', '.join(given)})"


def _show_error(writer: _Writer, value: BaseException, level: int) -> str:
    return f"{type(value).__name__}({writer.items(value.args, len(value.args), level)})"


def _show_slice(writer: _Writer, value: slice, level: int) -> str:
    return f"slice({writer.items((value.start, value.stop, value.step), 3, level)})"


def _show_namespace(writer: _Writer, value: types.SimpleNamespace, level: int) -> str:
    shown = islice(vars(value).items(), _MOST_ITEMS)
    fields = [f"{name}={writer.show(one, level - 1, name)}" for name, one in shown]
    return f"namespace({', '.join(fields)})"


_BY_REPR: dict[Any, Callable[[_Writer, Any, int], str]] = {
    str.__repr__: _show_text,
    bytes.__repr__: _show_text,
    bytearray.__repr__: _show_text,
    int.__repr__: _show_number,
    tuple.__repr__: _show_sequence(tuple, "(", ")"),
    list.__repr__: _show_sequence(list, "[", "]"),
    collections.deque.__repr__: _show_sequence(collections.deque, "deque([", "])"),
    set.__repr__: _show_set,
    frozenset.__repr__: _show_set,
    array.__repr__: _show_array,
    dict.__repr__: _show_dict,
    collections.UserString.__repr__: _show_data,
    collections.UserList.__repr__: _show_data,
    types.MethodType.__repr__: _show_method,
    functools.partial.__repr__: _show_partial,
    BaseException.__repr__: _show_error,
    slice.__repr__: _show_slice,
    types.SimpleNamespace.__repr__: _show_namespace,
}
_MAPPINGS: Final[tuple[Any, ...]] = (
    collections.ChainMap,
    collections.Counter,
    collections.defaultdict,
    collections.OrderedDict,
    collections.UserDict,
    types.MappingProxyType,
)
_VIEWS: Final[tuple[Any, ...]] = (type({}.keys()), type({}.values()), type({}.items()))
_BY_REPR |= {kind.__repr__: _show_mapping for kind in _MAPPINGS}
_BY_REPR |= {kind.__repr__: _show_view for kind in _VIEWS}
