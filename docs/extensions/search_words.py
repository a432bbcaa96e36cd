"""What people type into a search box, and the page that answers.

Sphinx's search puts main entries of the index first, so ``site_extras.py`` makes one of each word;
docs/audit.py types the words into the search of the built site, and wants to see the page among the
first two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["SEARCH_WORDS"]

SEARCH_WORDS: Final[Mapping[str, str]] = {
    "backpressure": "rx/demand",
    "rate limit": "how_to/control",
    "retry": "how_to/control",
    "dead letter": "how_to/control",
    "batch": "how_to/data",
    "fan-out": "how_to/flows",
    "LLM": "how_to/calls",
    "fluxus": "coming_from/fluxus",
    "ETL": "jobs/etl",
    "resume": "how_to/control",
}
