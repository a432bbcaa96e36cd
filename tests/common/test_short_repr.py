"""Values in messages: what is shown of them, and that it costs nothing to show large ones."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import tracemalloc
import types
from array import array
from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple

import pytest

from fluxus_rx._common.short_repr import short_repr

SIZE = 3_000_000


class Loud:
    """Counts who asks for its `repr`."""

    asked = 0

    def __repr__(self) -> str:
        Loud.asked += 1
        return "x" * SIZE


class LoudBytes(Loud, bytes):
    """Bytes that show themselves."""


class LoudList(Loud, list[int]):
    """A list that shows itself."""


class LoudPage(Loud):
    """Shows itself with all that is in it."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class LoudSlots(Loud):
    """The same, with slots."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


class Sized(Loud):
    """Has many items."""

    def __len__(self) -> int:
        return SIZE


class Frame(Loud):
    """Has a shape, as frames and tensors have."""

    shape = (SIZE, 2)
    dtype = "float32"


class Plain(str):
    """Text that is shown as any other."""


class Pair(NamedTuple):
    url: str
    content: bytes


@dataclasses.dataclass
class Page:
    url: str
    content: bytes
    hidden: int = dataclasses.field(default=0, repr=False)


class Model:
    """Shows its fields as models of pydantic do."""

    def __repr_args__(self) -> list[tuple[str, Any]]:
        return [("content", BYTES)]

    def __repr__(self) -> str:
        raise AssertionError("asked for all of it")


class Color(enum.Enum):
    RED = 1


BYTES = b"y" * SIZE


def nested() -> object:
    """Many lists in many lists."""
    value: object = "x"
    for _ in range(9):
        value = [value] * 9
    return value


#: Values of a megabyte and more, and what their texts begin with.
LARGE: dict[str, tuple[Callable[[], Any], str]] = {
    "str": (lambda: "y" * SIZE, "'yyyy"),
    "bytes": (lambda: BYTES, "b'yyyy"),
    "bytearray": (lambda: bytearray(BYTES), "bytearray(b'yyy"),
    "memoryview": (lambda: memoryview(BYTES), "<memory"),
    "array": (lambda: array("b", BYTES), "array('b', [121, 121,"),
    "int": (lambda: 1 << (8 * SIZE), "<int of 24000001 bits>"),
    "list": (lambda: [BYTES] * 9, "[b'yyy"),
    "set": (lambda: set(range(100_000)), "{"),
    "dict": (lambda: dict.fromkeys(range(100_000)), "{0: None, 1: None"),
    "dict view": (lambda: dict.fromkeys(range(100_000)).keys(), "dict_keys([0, 1"),
    "deque": (lambda: collections.deque([BYTES]), "deque([b'yyy"),
    "OrderedDict": (lambda: collections.OrderedDict(x=BYTES), "OrderedDict({'x': b'yyy"),
    "UserDict": (lambda: collections.UserDict(x=BYTES), "UserDict({'x': b'yyy"),
    "UserList": (lambda: collections.UserList([BYTES]), "[b'yyy"),
    "UserString": (lambda: collections.UserString("y" * SIZE), "'yyy"),
    "mappingproxy": (lambda: types.MappingProxyType({"x": BYTES}), "mappingproxy({'x': b'yyy"),
    "namespace": (lambda: types.SimpleNamespace(x=BYTES), "namespace(x=b'yyy"),
    "slice": (lambda: slice(BYTES), "slice(None, b'yyy"),
    "partial": (lambda: functools.partial(print, BYTES), "functools.partial(<built-in"),
    "method": (lambda: LoudPage(BYTES).__repr__, "<bound method Loud.__repr__>"),
    "exception": (lambda: ValueError(BYTES), "ValueError(b'yyy"),
    "group": (lambda: ExceptionGroup("g", [ValueError(BYTES)]), "ExceptionGroup('g', [Val"),
    "decoding": (lambda: UnicodeDecodeError("utf8", BYTES, 0, 1, "no"), "UnicodeDecodeError('utf8"),
    "nested": (nested, "[[[[[["),
    "subclass of str": (lambda: Plain("y" * SIZE), "'yyy"),
    "named tuple": (lambda: Pair("u", BYTES), "Pair(url='u', content=b'yyy"),
    "dataclass": (lambda: Page("u", BYTES), "Page(url='u', content=b'yyy"),
    "model": (Model, "Model(content=b'yyy"),
    "bytes with a repr": (lambda: LoudBytes(BYTES), "<LoudBytes, too large to be shown>"),
    "list with a repr": (lambda: LoudList([1] * SIZE), "<LoudList, too large to be shown>"),
    "object with a repr": (lambda: LoudPage(BYTES), "<LoudPage, too large to be shown>"),
    "slots with a repr": (lambda: LoudSlots(BYTES), "<LoudSlots, too large to be shown>"),
    "object with a length": (Sized, "<Sized, too large to be shown>"),
    "frame": (Frame, f"<Frame of shape ({SIZE}, 2), float32>"),
}


def _shown_and_peak(value: object) -> tuple[str, int]:
    tracemalloc.start()
    try:
        text = short_repr(value)
        return text, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", LARGE)
def test_a_large_value_is_cut_before_its_repr_is_taken(name: str) -> None:
    """Its text is short, nothing of its size is made on the way, and it is not asked."""
    make, start = LARGE[name]
    value = make()
    short_repr({"token": "a=1"})  # what is made once, when it is first needed
    Loud.asked = 0
    # The least of three: memory that other threads take meanwhile is counted, too.
    text, peak = min((_shown_and_peak(value) for _ in range(3)), key=itemgetter(1))
    assert text.startswith(start), text
    assert len(text) < 1_000
    assert peak < 100_000
    assert Loud.asked == 0


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 5, 1.5, 2j, "x", b"x", "it's", (), (1,), (1, 2), [], [[]], set(), {2, 1}),
        *({}, {"b": 1, "a": {}}, frozenset({1}), collections.deque([1]), array("i", [1]), range(3)),
        *(Color.RED, int, len, print, ValueError("no"), KeyError("x"), Pair("u", b"c")),
        *(Page("u", b"c"), types.SimpleNamespace(x=1), functools.partial(print, 1, sep=""), ...),
        *(slice(1, 2), [1, "x", None], {1: (2, 3)}, NotImplemented, Plain("x"), -(10**30)),
    ],
    ids=repr,
)
def test_a_small_value_is_shown_as_it_shows_itself(value: object) -> None:
    """Whichever way its text is made."""
    assert short_repr(value) == repr(value)


def test_what_is_long_is_cut_in_the_middle_or_ends_with_dots() -> None:
    """As much is shown as a message has room for."""
    text = short_repr("a" * 500 + "b" * 500)
    assert (len(text), text) == (60, f"'{'a' * 27}...{'b' * 28}'")
    assert short_repr([*range(10)]) == "[0, 1, 2, 3, 4, 5, ...]"
    assert short_repr({str(n): n for n in range(9)}) == "{'0': 0, '1': 1, '2': 2, '3': 3, ...}"
    assert len(short_repr(10**100)) == 40


def test_a_repr_that_raises_does_not_matter() -> None:
    """Nor one inside of another value."""

    class Broken:
        def __repr__(self) -> str:
            raise OSError

    assert short_repr([Broken()]) == "[<Broken: its repr raised OSError>]"


def test_no_attribute_of_a_proxy_is_asked_for() -> None:
    """It may be a call to another machine."""

    class Proxy:
        asked: list[str] = []  # noqa: RUF012 - of the class

        def __getattr__(self, name: str) -> Any:
            self.asked.append(name)
            return self

        def __repr__(self) -> str:
            return "Proxy()"

    assert short_repr(Proxy()) == "Proxy()"
    assert Proxy.asked == []


def test_arrays_are_shown_by_their_shape() -> None:
    """Small ones by their items."""
    np = pytest.importorskip("numpy")
    assert short_repr(np.zeros((1000, 3))) == "<ndarray of shape (1000, 3), float64>"
    assert short_repr(np.arange(3)) == "array([0, 1, 2])"
    assert short_repr(np.array([BYTES], dtype=object)) == "<ndarray of shape (1,), object>"
    pd = pytest.importorskip("pandas")
    assert short_repr(pd.DataFrame({"x": [1]})) == "<DataFrame of shape (1, 1)>"


def test_ctrl_c_inside_a_repr_is_not_lost() -> None:
    """Whatever else a `repr` raises becomes text; Ctrl-C comes from outside, and goes on."""

    class Interrupted:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        short_repr([Interrupted()])
