"""What the examples talk to does what its own examples say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
import stand_ins

NAMES = [module.name for module in pkgutil.iter_modules(stand_ins.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_stand_in_are_true(name: str) -> None:
    """In docstrings, of modules and of what is in them."""
    module = importlib.import_module(f"stand_ins.{name}")
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.testmod(module, optionflags=options)
    assert not failed
