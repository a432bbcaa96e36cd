"""Readers of a live page, without a browser: they say when they have drawn what they got."""

from __future__ import annotations

import json
import time
from typing import Any

from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

__all__ = ["read"]


def read(url: str, wait: float) -> list[dict[str, Any]]:
    """What a page gets by websocket until that is over, if it takes `wait` seconds to draw it."""
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
