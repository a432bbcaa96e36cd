"""Readers of a live page, without a browser; they acknowledge each window once it is drawn."""

from __future__ import annotations

import json
import time
from typing import Any

from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

__all__ = ["read"]


def read(url: str, wait: float) -> list[dict[str, Any]]:
    """The windows that a page receives if it takes `wait` seconds to draw each of them."""
    got = []
    with connect(url, proxy=None) as connection:
        try:
            for message in connection:
                got.append(json.loads(message))
                time.sleep(wait)
                connection.send("drawn")
        except ConnectionClosedOK:
            pass  # while it drew
    return got
