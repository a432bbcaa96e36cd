"""What is secret, by its name or its type, is masked wherever a value is shown."""

from __future__ import annotations

import dataclasses
import functools
import types
from typing import Any

import pytest

from fluxus_rx._common.messages import short
from fluxus_rx._common.secrets import is_secret_name, masked_text

SECRET = """
    api_key apiKey APIKey openai_api_key x-api-key access_key aws_secret_access_key private_key
    ssh_key signing_key secret client_secret secrets password db_password DbPassword passwd pwd
    passphrase token access_token refresh_tokens csrf_token Authorization proxy-authorization
    bearer credentials google_credential creds db_creds
    github_pat openai_key OpenAIKey anthropic_key sessionid JSESSIONID signature X-Amz-Signature
    cookie Set-Cookie session_cookies auth http_auth jwt
"""

PLAIN = """
    x key keys sort_key primary_key cache_key key_function max_tokens tokens token_count tokenizer
    author authority auth_url passport password_field secret_name credentials_file cookie_policy
    secretary path pattern signature_type session_id token_type monkey keyboard api µ größe
"""


def test_english_names_tell_what_is_secret() -> None:
    assert [name for name in SECRET.split() if not is_secret_name(name)] == []
    assert [name for name in PLAIN.split() if is_secret_name(name)] == []


@dataclasses.dataclass
class Client:
    url: str
    api_key: str | None
    retries: int = 3


class SecretStr(str):
    """As that of pydantic, but with a repr that tells."""


class Masked:
    """The user's own: its repr tells nothing."""

    def __repr__(self) -> str:
        return "<a key>"


def call(**given: Any) -> None: ...


SHOWN = [
    ({"api_key": "s3cret", "n": 1}, "{'api_key': ***, 'n': 1}"),
    ({"headers": {"Authorization": "Bearer s3cret"}}, "{'headers': {'Authorization': ***}}"),
    ([{"auth": ("me", "s3cret")}], "[{'auth': ***}]"),
    (Client("db://h", "s3cret"), "Client(url='db://h', api_key=***, retries=3)"),
    (Client("db://me:s3cret@h/", None), "Client(url='db://me:***@h/', api_key=None, retries=3)"),
    (SecretStr("s3cret"), "***"),
    ([SecretStr("s3cret")], "[***]"),
    (types.SimpleNamespace(password="s3cret"), "namespace(password=***)"),
    (types.SimpleNamespace(auth=("me", ("s3cret",)), n=1), "namespace(auth=***, n=1)"),
    (types.SimpleNamespace(token=Client("s3cret", None), n=1), "namespace(token=***, n=1)"),
    (types.MappingProxyType({"token": "s3cret"}), "mappingproxy({'token': ***})"),
    ("redis://:s3cret@host/0", "'redis://:***@host/0'"),
    ("https://host/?n=1&api_key=s3cret", "'https://host/?n=1&api_key=***'"),
    ("db://me:s3@cret@host/a?b=c@d", "'db://me:***@host/a?b=c@d'"),
    ([("Authorization", "Basic s3cret"), ("n", 1)], "[('Authorization', ***), ('n', 1)]"),
    ({b"cookie": b"s3cret"}, "{b'cookie': ***}"),
    ("GET / Authorization: Basic s3cret", "'GET / Authorization: ***'"),
    ("Server=db;Password=s3cret;", "'Server=db;Password=***;'"),
    ("Bearer s3cret.s3cret", "'Bearer ***'"),
    ("https://h/a?X-Amz-Signature=s3cret&n=1", "'https://h/a?X-Amz-Signature=***&n=1'"),
    (b"db://me:s3cret@h/", "b'db://me:***@h/'"),
    (bytearray(b'{"api_key": "s3cret"}'), "bytearray(b'{\"api_key\": ***}')"),
    (b"\xff\x00:=", None),
    ("<Client token: s3cret, n=1>", "'<Client token: ***, n=1>'"),
    (ValueError("unexpected token: line 3"), None),
    (ValueError("no access for token=s3cret"), "ValueError('no access for token=***')"),
    ({"password": None, "token": "", "secret": False}, None),
    ({"max_tokens": 5, "sort_key": "x"}, None),
    ("http://host:8080/a@b", None),
    (Masked(), "<a key>"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=[str(n) for n in range(len(SHOWN))])
def test_a_value_is_shown_without_its_secrets(value: object, text: str | None) -> None:
    """In containers, in the text of an object, in a URL; what keeps none is as it is."""
    if text is None:
        text = repr(value)
    assert short(value) == text


def test_the_arguments_of_a_partial_are_masked() -> None:
    assert "s3cret" not in masked_text(repr(functools.partial(call, api_key="s3cret", n=1)))
    assert "n=1" in masked_text(repr(functools.partial(call, api_key="s3cret", n=1)))


def test_a_secret_is_masked_before_a_text_is_cut() -> None:
    """The cut would take away the name that tells, or the end by which a password is known."""
    for length in range(0, 200, 7):
        padding = "x" * length
        assert "s3cret" not in short(f"db://me:s3cret{padding}@host/{padding}")
        assert "s3cret" not in short(Client(padding, f"s3cret{padding}"))


def test_nobody_has_to_wait_for_a_long_text() -> None:
    """It is looked at its ends alone, of which a few characters are shown."""
    long = "a=" * 1_000_000 + "api_key=s3cret"
    assert short(long).endswith("a=a=api_key=***'")
