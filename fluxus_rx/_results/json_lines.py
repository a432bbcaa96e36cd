"""Failures as lines of JSON, one each, for people and for a rerun."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import IO, Any, Final, TypeAlias

from .._common.messages import short, shown
from .._errors import InvalidFlowError, InvalidOptionError, InvalidProductError
from .._options.failure import Failure
from .._products.dict_product import DictProduct
from .._products.product_record import product_record, restored_product

__all__ = ["Default", "LinesFile", "ObjectHook", "failures_of_lines", "lines_of", "write_lines"]

#: a path, or a stream of text or of bytes
LinesFile: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes]
#: turns a value into one that JSON has, as that of `json.dumps`
Default: TypeAlias = Callable[[Any], Any]
#: turns a dictionary into what it was, as that of `json.loads`
ObjectHook: TypeAlias = Callable[[dict[str, Any]], Any]

#: The version of what stands in a line; a line of a newer one is refused.
_SCHEMA: Final = 1
#: Bits of the largest number; Python refuses to write, and to read, much larger ones.
_LARGEST_BITS: Final = 10_000
_DEEPEST: Final = 100


def lines_of(failures: Iterable[Failure], default: Default | None) -> list[str]:
    """The lines, each without its end.

    Raises InvalidProductError (a TypeError) for a value that JSON hasn't, and names the attribute.
    """
    import json  # a thousandth of a second of `import fluxus_rx`

    return [json.dumps(_line_data(failure, default), ensure_ascii=False) for failure in failures]


def write_lines(lines: Iterable[str], file: LinesFile) -> None:
    """Write the lines, each by one call, in UTF-8; for a stream of text of a narrow encoding, with
    escapes."""
    from ..viz._output import takes_text

    if isinstance(file, str | os.PathLike):
        with open(file, "wb") as opened:
            write_lines(lines, opened)
        return
    stream: Any = file
    is_text = takes_text(stream)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        data = _encoded(line, encoding if is_text else "utf-8")
        stream.write(data.decode(encoding) if is_text else data)
        if hasattr(stream, "flush"):
            stream.flush()


def failures_of_lines(file: LinesFile, object_hook: ObjectHook | None) -> Iterator[Failure]:
    """The failures of the lines of a file.

    Raises InvalidOptionError (a ValueError) for any other line, and names it.
    """
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            yield from _failures(opened, os.fspath(file), object_hook)
        return
    if not isinstance(file, Iterable) or isinstance(file, bytes | bytearray):
        raise InvalidFlowError(f"file={shown(file)}: expected a path, or a stream to read")
    yield from _failures(file, getattr(file, "name", None), object_hook)


def _encoded(line: str, encoding: str = "utf-8") -> bytes:
    try:
        return f"{line}\n".encode(encoding)
    except UnicodeEncodeError:  # half of a surrogate pair, or an encoding that hasn't it
        import json

        return f"{json.dumps(json.loads(line))}\n".encode(encoding)


def _line_data(failure: Failure, default: Default | None) -> dict[str, Any]:
    given = f"what step {failure.step!r} was given when it failed"

    def encode(value: Any, step: str, name: str) -> Any:
        return _json_value(value, f"{given}: the attribute {name!r} of step {step!r}", default)

    told = {
        "schema": _SCHEMA,
        "step": failure.step,
        "path": failure.path,
        "place": failure._place,
        "attempts": failure.attempts,
        "elapsed": failure._elapsed,
        "note": failure.note,
        "error": failure._flow_plain_record(),
    }
    product = failure.product
    if isinstance(product, DictProduct):
        record = product_record(product, encode)
        return {**told, "position": product.positions(), "product": record}
    return {**told, "item": _json_value(product, given, default)}


def _json_value(value: Any, where: str, default: Default | None, level: int = 0) -> Any:
    """A value in the types that JSON has, so that it is the same when it is read."""
    kind = type(value)
    if kind is str or value is None or kind is bool or kind is float:
        return value
    if kind is int and value.bit_length() <= _LARGEST_BITS:
        return value
    if level < _DEEPEST:
        encode = partial(_json_value, where=where, default=default, level=level + 1)
        if kind is list:
            return [*map(encode, value)]
        if kind is dict and all(type(key) is str for key in value):
            return {key: encode(one) for key, one in value.items()}
        if default is not None:
            return encode(default(value))
    ways = (
        "default= returned what JSON hasn't either"
        if default is not None
        else "pass to_json() a function that makes something of it that JSON has, such as"
        " default=str, or pickle the failures"
    )
    raise InvalidProductError(
        f"{where} has {shown(value)}, which would not be the same when it is read from JSON; {ways}"
    )


def _failures(
    lines: Iterable[Any], name: object, object_hook: ObjectHook | None
) -> Iterator[Failure]:
    import json

    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8") if isinstance(line, bytes) else line
        text = text.removeprefix("\ufeff")  # what some editors put in front of a file
        if not text.strip():
            continue
        try:
            yield _failure(json.loads(text), object_hook)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            of = "" if name is None else f" of {short(name)}"
            raise InvalidOptionError(
                f"from_json(): line {number}{of} isn't a failure as to_json() writes them:"
                f" {short(error)}"
            ) from error


def _failure(told: Any, object_hook: ObjectHook | None) -> Failure:
    if not isinstance(told, dict):
        raise TypeError(f"{short(told)} isn't an object")
    if told["schema"] != _SCHEMA:
        raise ValueError(f"it has schema {short(told['schema'])}, and this version reads {_SCHEMA}")
    decode = partial(_hooked, object_hook=object_hook)
    product = decode(told["item"]) if "item" in told else restored_product(told["product"], decode)
    failure = Failure.__new__(Failure)
    failure.__setstate__(
        {
            "step": told["step"],
            "path": told["path"],
            "product": product,
            "attempts": told["attempts"],
            "note": told["note"],
            "_place": told["place"],
            "_elapsed": told["elapsed"],
            "_record": told["error"],
        }
    )
    return failure


def _hooked(value: Any, object_hook: ObjectHook | None) -> Any:
    if object_hook is None:
        return value
    if isinstance(value, list):
        return [_hooked(one, object_hook) for one in value]
    if isinstance(value, dict):
        return object_hook({key: _hooked(one, object_hook) for key, one in value.items()})
    return value
