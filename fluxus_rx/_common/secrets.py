"""Values that are secret, as their name or their type says, and texts without them."""

from __future__ import annotations

import functools
import re
from typing import Final

__all__ = ["MASK", "is_secret", "is_secret_name", "masked_text"]

# Patterns are compiled when they are first needed: that takes 3 ms.

#: What stands in the place of a secret.
MASK: Final = "***"

#: The words of a name, each between two dashes, of what is secret. A `sort_key` is not, and
#: `max_tokens` is a number.
_SECRET_NAME: Final = (
    r"-(apikeys?|authorization|bearer|cookies?|credentials?|creds?|j?sessionid|jwt|passcode"
    r"|passphrases?|passwd|passwords?|phpsessid|pwd|secrets?)-|-(auth|pat|signature|token)-$"
    r"|-(anthropic|aws|azure|cohere|deepseek|gemini|git-?hub|git-?lab|groq|hf|mistral|open-?ai"
    r"|open-?router|send-?grid|slack|stripe|twilio)-keys?-|-(access|account|api|auth|client|encryption|id"
    r"|license|master|private|refresh|service|session|shared|signing|ssh|storage|subscription"
    r"|webhook)-(keys?|tokens)-"
)
#: Of what tells something about a secret.
_ABOUT_SECRETS: Final = (
    r"-(counts?|enabled|expires|expiry|fields?|file|length|limit|names?|path|policy|required|size"
    r"|ttl|type|uri|url)-$"
)

_WORD: Final = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+"

_SECRET_TYPE: Final = r"_*Secret|.*(Secret|Password|Passphrase|Credentials?)$"

#: `user:password@` in a URL; the password.
_IN_URL: Final = r"(?<=://)([^\s/:@'\"]*):[^\s/?'\"]+(?=@)"
#: A header, up to the end of its line.
_HEADER: Final = r"(?i:\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(: *)[^\r\n'\"]+)"
_BEARER: Final = r"\bBearer\s+[\w.~+/=-]{8,}"
#: What is in front of a value: `name=`, or `'name': `, as in the `repr` of an object, in a query or
#: in a DSN; or `name: ` in front of a word with a digit, which is hardly one of a sentence.
_NAMING: Final = (
    r"""(['"])([\w-]+)\1\s*:\s*|(?<![\w-])([^\W\d][\w-]*)(?:=|: (?=[^\s,;()\[\]{}'"]*\d))"""
)
#: A value: a string, what opens a bracket, or a word.
_VALUE: Final = r"""b?'(?:[^'\\]|\\.)*'?|b?"(?:[^"\\]|\\.)*"?|[\w.]*[(\[{]|[^\s,;&()\[\]{}'"]+"""
#: Values that keep no secret, and how they are written.
_NO_SECRETS: Final = (True, False, "", b"", MASK)
_NOTHING: Final = frozenset({"None", MASK, *map(repr, _NO_SECRETS)})


@functools.lru_cache(1_000)
def is_secret_name(name: str) -> bool:
    """Whether what has this name is secret, as far as English names say.

    >>> [is_secret_name(name) for name in ("api_key", "dbPassword", "X-Auth-Token", "token")]
    [True, True, True, True]
    >>> [is_secret_name(name) for name in ("sort_key", "max_tokens", "author", "secret_count")]
    [False, False, False, False]
    """
    words = f"-{'-'.join(re.findall(_WORD, name)).lower()}-"
    return bool(re.search(_SECRET_NAME, words)) and not re.search(_ABOUT_SECRETS, words)


def is_secret(value: object, name: object = "") -> bool:
    """Whether a value is secret, by its name or by its type.

    None, a truth value and an empty one are not: they tell that something is missing. Nor is what
    somebody has masked already.

    >>> is_secret("sk-1", "api_key"), is_secret(None, "api_key"), is_secret("sk-1", "x")
    (True, False, False)
    """
    if value is None or (value.__class__ in (bool, bytes, str) and value in _NO_SECRETS):
        return False
    if isinstance(name, bytes):  # as those of headers
        name = name.decode("latin-1")
    kind = type(value).__name__
    return (isinstance(name, str) and is_secret_name(name)) or bool(re.match(_SECRET_TYPE, kind))


def masked_text(text: str) -> str:
    """A text in which secrets are masked that it names: the password of a URL, a bearer, and the
    values of secret names.

    >>> masked_text("Client(url='db://me:pw@host/', api_key='sk-1', retries=3)")
    "Client(url='db://me:***@host/', api_key=***, retries=3)"
    """
    if "=" not in text and ":" not in text and "Bearer" not in text:
        return text
    text = re.sub(_IN_URL, rf"\1:{MASK}", text)
    text = re.sub(_HEADER, rf"\1\2{MASK}", text)
    text = re.sub(_BEARER, f"Bearer {MASK}", text)
    pieces: list[str] = []
    start = 0
    # Not in one expression, which would take what stands behind a plain name for its value.
    for naming in re.finditer(_NAMING, text):
        if naming.end() <= start or not is_secret_name(naming[2] or naming[3]):
            continue
        value = re.match(_VALUE, text[naming.end() :])
        if value is not None and value[0] not in _NOTHING:
            pieces += (text[start : naming.end()], MASK)
            start = naming.end() + _end_of(value[0], text[naming.end() :])
    return "".join([*pieces, text[start:]])


def _end_of(value: str, text: str) -> int:
    """Where a value ends that begins a text; of one that opens a bracket, where that is closed."""
    if value[-1] not in "([{":
        return len(value)
    depth = 1
    for index in range(len(value), len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if not depth:
            return index + 1
    return len(text)
