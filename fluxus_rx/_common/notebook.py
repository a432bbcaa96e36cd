"""Whether a Jupyter kernel runs this, and how to show something in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

__all__ = ["in_notebook", "show_in_notebook"]


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this.

    >>> in_notebook()
    False
    """
    # Where IPython is not imported, nothing runs in it.
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and getattr(get_ipython(), "kernel", None) is not None


def show_in_notebook(bundle: Mapping[str, object]) -> None:
    """Show a drawing in the notebook: the best of these MIME types that it knows."""
    from IPython.display import display as displayed

    show: Callable[..., object] = displayed  # it has no types of its own
    show(dict(bundle), raw=True)
