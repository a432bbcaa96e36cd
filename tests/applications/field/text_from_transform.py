"""A transformer returns a text where it was to yield one, as a forgotten `yield` does. Its
characters aren't products: the message says so, with the way out.
"""

from __future__ import annotations

from typing import Any

from fluxus_rx import SimpleProducer, Transformer


class Clean(Transformer[str, str]):
    def transform(self, product: str) -> Any:
        return product.strip()


class Row(Transformer[str, dict[str, str]]):
    def transform(self, product: str) -> Any:
        return {"text": product}


def told(call: Any) -> str:
    try:
        given = call()
    except TypeError as error:
        return str(error)
    raise AssertionError(f"no error, but {given!r}")


for transformer, returned in ((Clean(), "'ab' (str)"), (Row(), "{'text': ' ab'} (dict)")):
    text = told(lambda transformer=transformer: list(SimpleProducer([" ab"]) >> transformer))
    assert f"{type(transformer).__name__}.transform()" in text, f"it doesn't say where: {text}"
    assert returned in text, f"it doesn't say what came: {text}"
    assert "yield" in text, f"it doesn't tell the way out: {text}"

assert "['ab']" in told(lambda: SimpleProducer("ab")), "a text is taken for a list of products"
assert list(SimpleProducer(["ab"]) >> Clean().options(on_error=lambda _: ["?"])) == ["?"]
