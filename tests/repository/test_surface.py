"""The public surface is as it was written down, so that a change of it is seen in a diff."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from types import UnionType

import pytest

from fluxus_rx.lineage import LineageOrigin
from tests.repository import surface
from tests.repository.surface import Difference

FACES = [module.__name__ for module in surface.public_modules()]


class City(LineageOrigin):
    """A product, at the top of a module, where pickle finds it."""

    product_name = "city"

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.slow
def test_the_public_surface_is_the_stored_one() -> None:
    """Names, signatures, classes, examples; renew it where it is meant to change."""
    found = surface.differences(surface.stored_surface(), surface.surface_of(surface.CHECKOUT))
    unexpected = [str(one) for one in found if surface.reason_for(one, surface.EXPECTED) is None]
    assert not unexpected, "\n".join(
        [
            "The public surface has changed. If it was meant to, renew what is stored:",
            "`python -m tests.repository.surface --write`, and commit the difference.",
            *unexpected,
        ]
    )


def test_a_change_of_any_fact_is_a_difference() -> None:
    """One that is new, one that is gone, one that is another; and not one that is the same."""
    before = {"f: kind": "function", "f: signature": "(x)", "gone: kind": "class"}
    after = {"f: kind": "function", "f: signature": "(y)", "new: kind": "class"}
    assert surface.differences(before, after) == [
        Difference("f: signature", "(x)", "(y)"),
        Difference("gone: kind", "class", None),
        Difference("new: kind", None, "class"),
    ]


def test_a_difference_without_a_reason_fails_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And what has one is told with it."""
    found = [Difference("a.f: signature", "(x)", "(y)"), Difference("a.g: kind", None, "class")]
    assert surface.report(found, {"a.f: *": "on purpose"}, facts=3) == 1
    assert surface.report(found, {"a.f: *": "on purpose", "a.g*": "new"}, facts=3) == 0
    assert "expected: on purpose" in capsys.readouterr().out


@pytest.mark.parametrize("face", FACES)
def test_public_names_say_where_users_import_them_from(face: str) -> None:
    """From this module, or from one that is public too."""
    module = importlib.import_module(face)
    for name in module.__all__:
        public = getattr(module, name)
        if isinstance(public, UnionType):
            continue  # an alias of types has no module of its own
        assert public.__module__ in FACES, name
        assert getattr(importlib.import_module(public.__module__), name) is public


@pytest.mark.parametrize("face", FACES)
def test_each_public_class_is_pickled_under_its_public_name(face: str) -> None:
    """So that a pickle outlives a move of the module that the class is written in."""
    module = importlib.import_module(face)
    for thing in (getattr(module, name) for name in module.__all__):
        if isinstance(thing, type):
            text = pickle.dumps(thing)
            assert pickle.loads(text) is thing
            assert thing.__module__.encode() in text
            assert b"._" not in text


def test_a_product_with_labels_is_pickled() -> None:
    """An instance of a class that comes from a public face."""
    city = pickle.loads(pickle.dumps(City("Oslo").label(size="small")))
    assert (city.name, city.product_labels) == ("Oslo", {"size": "small"})


def test_a_pickle_is_read_where_the_face_was_not_imported_before() -> None:
    """Another process imports the module that a class names."""
    text = pickle.dumps(LineageOrigin).hex()
    code = f"import pickle; print(pickle.loads(bytes.fromhex({text!r})).__module__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=surface.CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "fluxus_rx.lineage\n"


@pytest.mark.parametrize("name", ["Explanation", "RunStats", "Summary"])
def test_what_is_imported_on_use_has_type_hints_at_once(name: str) -> None:
    """Those that name others which are imported on use, before anybody has asked for these."""
    code = f"import typing, fluxus_rx; assert typing.get_type_hints(fluxus_rx.{name})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=surface.CHECKOUT)
