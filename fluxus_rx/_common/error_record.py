"""Exceptions as plain data, which can be written down, and read where their classes are not."""

from __future__ import annotations

import contextlib
import traceback
from collections import deque
from types import TracebackType
from typing import Any, Final, TypeAlias

from .._errors import RecordedError
from .messages import notes_of

__all__ = ["ErrorRecord", "error_record", "error_title", "plain_record", "restored_error"]

#: What is told of an exception, in values of JSON; `pickle` is bytes, where it is kept.
ErrorRecord: TypeAlias = dict[str, Any]

#: Characters of a text or of a note that are kept.
_LONGEST_TEXT: Final = 10_000
#: Frames of a traceback that are kept, at each of its ends.
_MOST_FRAMES: Final = 25
#: Exceptions behind an exception, as its cause or its context, that are kept.
_MOST_LINKS: Final = 10


def error_title(error: BaseException) -> tuple[str, str]:
    """The name of the class of an exception, and its text; of one that stands in for another, those
    of the other one.

    >>> error_title(ValueError("no")), error_title(RecordedError("urllib3.HTTPError", "gone"))
    (('ValueError', 'no'), ('HTTPError', 'gone'))
    """
    if isinstance(error, RecordedError):
        return error.class_name.rpartition(".")[2], error.text
    return type(error).__name__, _text_of(error)


def error_record(error: BaseException, *, pickles: bool, links: int = _MOST_LINKS) -> ErrorRecord:
    """What there is to be kept of an exception, with its causes; if it `pickles`, with a pickle of
    it too, where there can be one.

    Long texts are cut. A cause that leads back to the exception is followed ten times.

    >>> record = error_record(ValueError("no"), pickles=False)
    >>> record["class"], record["text"], record["notes"], record["traceback"]
    ('ValueError', 'no', [], '')
    """
    record: ErrorRecord = {
        "class": _class_name(error),
        "text": _text_of(error),
        "notes": [*map(_text_of, notes_of(error))],
        "traceback": _traceback_text(error),
    }
    if isinstance(error, RecordedError):
        record |= {"class": error.class_name, "text": error.text, "traceback": error.traceback}
    if pickles:
        record["pickle"] = _pickled(error)
    context = None if error.__suppress_context__ else error.__context__
    for name, linked in (("cause", error.__cause__), ("context", context)):
        if linked is not None and links:
            record[name] = error_record(linked, pickles=pickles, links=links - 1)
    if type(error) in (ExceptionGroup, BaseExceptionGroup):
        record["exceptions"] = [
            error_record(one, pickles=pickles, links=max(0, links - 1))
            for one in error.exceptions  # type: ignore[attr-defined]  # of the two
        ]
    return record


def plain_record(record: ErrorRecord) -> ErrorRecord:
    """A record without pickles."""
    plain = {key: value for key, value in record.items() if key != "pickle"}
    for link in plain.keys() & {"cause", "context"}:
        plain[link] = plain_record(plain[link])
    if "exceptions" in plain:
        plain["exceptions"] = [*map(plain_record, plain["exceptions"])]
    return plain


def restored_error(record: ErrorRecord) -> BaseException:
    """The exception of a record, as the same class with the same text; else one that stands in.

    >>> restored_error({"class": "app.ApiError", "text": "gone", "notes": ["in step 's'"]})
    RecordedError('app.ApiError', 'gone')
    """
    error = _unpickled(record)
    if error is None and record.get("exceptions"):
        error = BaseExceptionGroup(
            record["text"].rpartition(" (")[0] or record["text"],
            [*map(restored_error, record["exceptions"])],
        )
    if error is None:
        error = RecordedError(record["class"], record["text"], record.get("traceback", ""))
    if [*notes_of(error)] != record["notes"] and record["notes"]:
        with contextlib.suppress(Exception):  # of a class that takes none
            error.__notes__ = [*record["notes"]]
    if "context" in record:
        error.__context__ = restored_error(record["context"])
    if "cause" in record:
        error.__cause__ = restored_error(record["cause"])
    return error


def _unpickled(record: ErrorRecord) -> BaseException | None:
    import pickle

    if not record.get("pickle"):
        return None
    try:
        error = pickle.loads(record["pickle"])
        # One that makes its text of its arguments may make another one of its text.
        if _class_name(error) == record["class"] and _text_of(error) == record["text"]:
            assert isinstance(error, BaseException)
            return error
    except Exception:
        # Its class is not here, or takes other arguments than those that it was raised with.
        return None
    return None


def _pickled(error: BaseException) -> bytes | None:
    import pickle

    try:
        return pickle.dumps(error)
    except Exception:  # whatever it holds: a lock, a socket, a class of a function
        return None


def _class_name(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


def _text_of(error: object) -> str:
    try:
        return _shortened(str(error))
    except Exception as raised:
        return f"<its str() raised {type(raised).__name__}>"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _traceback_text(error: BaseException) -> str:
    """The frames that an exception came through, as Python prints them; of many, the first and the
    last ones; empty for none."""
    # Of an object that is raised again and again, each raise adds frames in front.
    first = error.__traceback__
    last: deque[TracebackType] = deque(maxlen=_MOST_FRAMES)
    count = 0
    entry = first
    while entry is not None:
        last.append(entry)
        count += 1
        entry = entry.tb_next
    if count <= 2 * _MOST_FRAMES:
        return _shortened("".join(traceback.format_tb(first)))
    frames = traceback.format_tb(first, _MOST_FRAMES)
    frames += [f"  … {count - 2 * _MOST_FRAMES} more\n", *traceback.format_tb(last[0])]
    return _shortened("".join(frames))
