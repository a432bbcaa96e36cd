"""The programs that some tests need; a test whose tool is missing skips.

Where the environment says `FLUXUS_RX_TOOLS=required`, it fails instead, so that a machine on which
everything must be tested can't leave anything out. Mermaid alone may be missing even there: it is
on no package index for Python, so its tests run where somebody names its file.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def dot() -> Path:
    """The program of Graphviz."""
    return _program("dot")


def chromium() -> Path:
    """The browser."""
    return _program("chromium", "chromium-browser", "google-chrome")


def chromedriver() -> Path:
    """What drives the browser."""
    return _program("chromedriver")


def mermaid_js() -> Path:
    """The file `dist/mermaid.min.js` of the npm package mermaid, as FLUXUS_RX_MERMAID names it."""
    named = os.environ.get("FLUXUS_RX_MERMAID")
    if not named:
        pytest.skip("needs FLUXUS_RX_MERMAID in the environment, to name a mermaid.min.js")
    assert Path(named).is_file(), f"FLUXUS_RX_MERMAID={named} is no file"
    return Path(named)


def _program(*names: str) -> Path:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        _missing(names[0])
    return Path(found)


def _missing(what: str) -> NoReturn:
    if os.environ.get("FLUXUS_RX_TOOLS") == "required":
        pytest.fail(f"this must not be left out, but there is no {what}")
    pytest.skip(f"needs {what}")
