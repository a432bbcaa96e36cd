"""What a type checker lets through, the library lets through as well.

Mypy itself is asked where all combinations are tried.
"""

# Both ways to write a union are what users write.
# ruff: noqa: UP007, UP045

from __future__ import annotations

import ast
import collections
import dataclasses
import datetime
import decimal
import enum
import subprocess
import sys
import unittest.mock
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Sized,
)
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    SupportsFloat,
    TypedDict,
    TypeVar,
    Union,
    runtime_checkable,
)

import pytest

from fluxus_rx import Producer, Transformer
from fluxus_rx._common.item_types import fits, union_of

T = TypeVar("T")
N = TypeVar("N", bound=float)
K_contra = TypeVar("K_contra", contravariant=True)


class Level(enum.IntEnum):
    LOW = 1


class Colour(enum.Enum):
    RED = "red"


class Metres(float):
    pass


UserId = NewType("UserId", int)
Row = TypedDict("Row", {"x": int})  # noqa: UP013 - on one line
Numbers = list[float]
Json = Union[dict[str, "Json"], list["Json"], str, int, None]


class Pair(NamedTuple):
    left: int
    right: int


@dataclasses.dataclass
class Point:
    x: int


class Box(Generic[T]):
    pass


class IntBox(Box[int]):
    pass


class Numeric(Generic[N]):
    pass


class Sink(Generic[K_contra]):
    def take(self, item: K_contra) -> None: ...


class Named(Protocol):
    name: str


@runtime_checkable
class Readable(Protocol):
    def read(self) -> str: ...


class File:
    name: str

    def __init__(self) -> None:
        self.read: Callable[[], str] = str


class Anything(Any):  # type: ignore[misc]  # that is the case
    pass


class Ints(list[int]):
    pass


class Callback:
    def __call__(self, x: int) -> str:
        return str(x)


#: What is given, and what is taken.
ACCEPTED: dict[str, tuple[Any, Any]] = {
    "bool → int": (bool, int),
    "bool → float": (bool, float),
    "bool → complex": (bool, complex),
    "int → float": (int, float),
    "int → complex": (int, complex),
    "float → complex": (float, complex),
    "IntEnum → int": (Level, int),
    "IntEnum → float": (Level, float),
    "a subclass of float → complex": (Metres, complex),
    "bytearray → bytes": (bytearray, bytes),
    "memoryview → bytes": (memoryview, bytes),
    "int → a union with float": (int, Union[str, float]),
    "bool → an optional float": (bool, Optional[float]),
    "a union → float": (Union[bool, int], float),
    "a union → a union": (int | None, float | None | str),
    "a literal → float": (Literal[1, 2], float),
    "a literal → a literal": (Literal["a"], Literal["a", "b"]),
    "a member → an Enum": (Literal[Colour.RED], Colour),
    "NewType → float": (UserId, float),
    "NewType": (UserId, UserId),
    "Annotated → float": (Annotated[int, "m"], float),
    "int → Annotated": (int, Annotated[float, ["m"]]),
    "ints → a sequence of floats": (list[int], Sequence[float]),
    "bools → floats to iterate over": (list[bool], Iterable[float]),
    "a set → a collection": (set[bool], Collection[complex]),
    "a tuple → a sequence": (tuple[int, int], Sequence[float]),
    "a tuple of any length → a sequence": (tuple[int, ...], Sequence[float]),
    "a tuple → one of any length": (tuple[int, int], tuple[float, ...]),
    "a mapping": (dict[str, int], Mapping[str, float]),
    "a mapping → its keys": (dict[str, int], Iterable[str]),
    "a defaultdict": (collections.defaultdict[str, int], Mapping[str, float]),
    "a Counter": (collections.Counter[str], dict[str, int]),
    "a deque": (collections.deque[int], Iterable[float]),
    "str → a sequence": (str, Sequence[str]),
    "str → Hashable": (str, Hashable),
    "bytes → ints": (bytes, Iterable[int]),
    "a range": (range, Sequence[float]),
    "within within": (list[list[int]], Sequence[Sequence[float]]),
    "an optional within": (list[int], Sequence[float | None]),
    "a NamedTuple → a tuple": (Pair, tuple[int, int]),
    "a NamedTuple → a sequence": (Pair, Sequence[float]),
    "a TypedDict → a mapping": (Row, Mapping[str, object]),
    "a TypedDict": (Row, Row),
    "a subclass of a list": (Ints, Sequence[float]),
    "an alias": (Numbers, Sequence[complex]),
    "a str → Json": (str, Json),
    "None → Json": (None, Json),
    "a generic": (Box[int], Box[int]),
    "its subclass": (IntBox, Box[int]),
    "with a bound": (Numeric[int], Numeric[int]),
    "a contravariant": (Sink[object], Sink[int]),
    "a Generator, by what it takes": (Generator[int, object, None], Generator[float, str, None]),
    "a Generator → an iterator": (Generator[int, None, None], Iterator[float]),
    "an AsyncGenerator": (AsyncGenerator[int, None], AsyncIterator[float]),
    "an asynchronous iterator": (AsyncIterator[int], AsyncIterable[float]),
    "a Coroutine": (Coroutine[Any, Any, int], Awaitable[float]),
    "a function, by its arguments": (Callable[[float], int], Callable[[int], float]),
    "an object that is called": (Callback, Callable[[int], str]),
    "a class that is called": (type[Point], Callable[[int], Point]),
    "a class → type": (type[bool], type[int]),
    "the members of an Enum": (type[Colour], Iterable[Colour]),
    "a protocol of data": (File, Named),
    "a protocol whose method is set": (File, Readable),
    "int → SupportsFloat": (int, SupportsFloat),
    "list → Sized": (list[int], Sized),
    "a dataclass → Hashable": (Point, Hashable),
    "a base of any type": (Anything, int),
    "a mock": (unittest.mock.Mock, int),
    "any → int": (Any, int),
    "any within": (list[Any], list[int]),
    "int → any": (int, Any),
    "int → object": (int, object),
    "a datetime → a date": (datetime.datetime, datetime.date),
}

#: No checker takes the first for the second, and a run would fail.
REFUSED: list[tuple[Any, Any]] = [
    (float, int),
    (complex, float),
    (str, int),
    (int, str),
    (bytes, bytearray),
    (decimal.Decimal, float),
    (int, decimal.Decimal),
    (int | str, float),
    (float | None, float),
    (list[str], Sequence[float]),
    (list[float], list[int]),
    (dict[str, str], Mapping[str, int]),
    (list[list[str]], Sequence[Sequence[float]]),
    (Literal["a"], int),
    (UserId, str),
    (Annotated[str, "m"], float),
    (Colour, str),
    (Point, Box[int]),
    (Box[str], Box[int]),
    (Row, list),
    (None, int),
]


@pytest.mark.parametrize("pair", ACCEPTED)
def test_what_a_type_checker_accepts_fits(pair: str) -> None:
    """Numbers as PEP 484 has them, also in containers, unions, generics."""
    given, taken = ACCEPTED[pair]
    assert fits(given, taken)


@pytest.mark.parametrize(("given", "taken"), REFUSED, ids=str)
def test_what_no_type_checker_accepts_is_refused(given: Any, taken: Any) -> None:
    assert not fits(given, taken)


def test_what_cannot_be_known_fits() -> None:
    """A name that is not resolved, a type variable, and what isn't a type; inside of others,
    too."""
    for unknown in ("Later", T, 5, ...):
        assert fits(unknown, int)
        assert fits(int, unknown)
        assert fits(Box[unknown], Box[int])  # type: ignore[valid-type]  # that is the case
        assert fits(Box[int], Box[unknown])  # type: ignore[valid-type]  # as above


@pytest.mark.thorough
def test_mypy_accepts_the_pairs_that_are_said_to_be_accepted(tmp_path: Path) -> None:
    """Each is a function that returns what it is given."""
    module = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    pairs = next(one for one in module.body if "ACCEPTED" in ast.unparse(one)[:10])
    assert isinstance(pairs, ast.AnnAssign)
    assert isinstance(pairs.value, ast.Dict)
    program = [ast.unparse(one) for one in module.body[: module.body.index(pairs)]]
    for number, pair in enumerate(pairs.value.values):
        assert isinstance(pair, ast.Tuple)
        given, taken = map(ast.unparse, pair.elts)
        program.append(f"def pair_{number}(item: {given}) -> {taken}: return item")
    file = tmp_path / "pairs.py"
    file.write_text("\n".join(program), encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--python-version", "3.11", "--no-strict-bytes"]
    mypy.append("--ignore-missing-imports")
    asked = subprocess.run([*mypy, str(file)], capture_output=True, text=True, cwd=tmp_path)
    assert asked.returncode == 0, asked.stdout


class Odd:
    """A class whose metaclass answers for it, and fails."""

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # an annotation without a hash


class Given(Producer[Annotated[int, Odd()]]):
    def produce(self) -> Iterator[int]:
        yield True
        yield 2


class Scale(Transformer[Annotated[float, Odd()], Annotated[float, Odd()]]):
    def transform(self, product: float) -> Iterator[float]:
        yield product * 0.5


def test_an_annotation_without_a_hash_is_no_obstacle() -> None:
    """Neither in a chain nor in a group."""
    assert list(Given() >> Scale()) == [0.5, 1.0]
    assert sorted((Given() & Given()) >> (Scale() & Scale())) == 4 * [0.5] + 4 * [1.0]
    assert union_of([Annotated[int, Odd()], int]) is Any
