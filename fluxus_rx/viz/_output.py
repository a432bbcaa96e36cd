"""The destination of a drawing: a file by its ending, a stream, a notebook, or stdout."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from .._common.messages import check_choice, shown
from .._common.notebook import in_notebook
from .._errors import InvalidFlowError, InvalidOptionError, UsageError, encodable
from .._typing import A_contra

__all__ = ["File", "Format", "Target", "in_notebook", "print_text", "takes_text"]


class Writable(Protocol[A_contra]):
    """A stream, as far as a drawing needs one."""

    def write(self, data: A_contra, /) -> object:
        """Take the next piece."""


#: What a drawing can be written to: a path, a text stream or a binary stream.
File: TypeAlias = str | os.PathLike[str] | Writable[str] | Writable[bytes]


@dataclasses.dataclass(frozen=True)
class Format:
    """What can be written, and the endings of the files that hold it; text is UTF-8 there."""

    name: str
    endings: tuple[str, ...]
    is_text: bool = True


@dataclasses.dataclass(frozen=True)
class Target:
    """A file or stream that will be written to, and the format that belongs there.

    Made before anything is drawn, so that a mistake is told at once; written to after, so that a
    drawing that fails leaves no file.
    """

    file: Any
    format: Format
    is_text: bool | None

    @classmethod
    def of(cls, file: File, format: str | None, formats: Sequence[Format], what: str) -> Target:
        """The target that the arguments of a call name.

        `formats` are those that `what` (its name in messages) can be written in, the first of them
        the one for streams. Raises ValueError for an unknown format or ending, or two that don't
        fit each other; TypeError for anything that can't be written to.
        """
        if isinstance(file, str | os.PathLike):
            path = os.fspath(file)
            if not isinstance(path, str):
                raise InvalidFlowError(f"file={shown(file)}: expected a path that is text")
            return cls(path, _format_of_path(path, format, formats, what), None)
        is_text = takes_text(file)
        names = {one.name: one for one in formats}
        found = formats[0] if format is None else names[check_choice("format", format, names)]
        if is_text and not found.is_text:
            raise InvalidOptionError(
                f"format={found.name!r} is binary, but file={shown(file)} takes text; open it in"
                " binary mode, or pass a path"
            )
        return cls(file, found, is_text)

    def write(self, drawing: str | bytes | Iterable[str]) -> None:
        """Write the drawing, or the pieces of its text, in UTF-8 where bytes are wanted."""
        pieces = [drawing] if isinstance(drawing, str | bytes) else drawing
        if self.is_text is None:
            with open(self.file, "wb") as file:
                file.writelines(map(_bytes_of, pieces))
            return
        for piece in pieces:
            data = _bytes_of(piece)
            self.file.write(encodable(data.decode(), self.file) if self.is_text else data)


def _bytes_of(piece: str | bytes) -> bytes:
    return piece.encode() if isinstance(piece, str) else piece


def _format_of_path(path: str, format: str | None, formats: Sequence[Format], what: str) -> Format:
    ending = os.path.splitext(path)[1].lower()
    by_ending = {end: one for one in formats for end in one.endings}
    if format is None:
        if ending not in by_ending:
            raise InvalidOptionError(
                f"file={path!r}: {what} can't be written to"
                f" {f'a file that ends in {ending!r}' if ending else 'a file without an ending'};"
                f" expected one of {', '.join(by_ending)}"
            )
        return by_ending[ending]
    names = {one.name: one for one in formats}
    named = names[check_choice("format", format, names)]
    if by_ending.get(ending, named) is not named:
        raise InvalidOptionError(
            f"format={format!r} and file={path!r} contradict each other; leave out format, or use"
            f" the ending {named.endings[0]!r}"
        )
    return named


def takes_text(file: Any) -> bool:
    """Whether a stream takes text, not bytes; found by writing nothing to it.

    Raises TypeError for anything but a stream, or one that is closed or can't be written to.
    """
    write: Callable[[Any], object] | None = getattr(file, "write", None)
    if not callable(write):
        raise InvalidFlowError(
            f"file={shown(file)}: expected a path, or a stream with a method write()"
        )
    for nothing in ("", b""):
        try:
            given = write(nothing)
        except TypeError:
            continue
        except (OSError, ValueError) as error:
            raise InvalidFlowError(f"file={shown(file)} can't be written to: {error}") from error
        if inspect.iscoroutine(given):
            given.close()
            raise InvalidFlowError(
                f"file={shown(file)} writes asynchronously; draw to an io.BytesIO, and write what"
                " that has got"
            )
        return isinstance(nothing, str)
    raise InvalidFlowError(f"file={shown(file)} takes neither text nor bytes")


def print_text(text: str) -> None:
    """Print a drawing; in an encoding without its characters, with plain ones of the same width."""
    stream = sys.stdout
    if stream is None:  # pyright: ignore[reportUnnecessaryComparison]  # in pythonw it is None
        raise UsageError("there is no stdout to draw on; pass a file, such as file='flow.txt'")
    print(encodable(text, stream))
