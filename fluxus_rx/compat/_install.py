"""The name `fluxus`, for programs that can't be changed."""

from __future__ import annotations

import sys
from importlib import import_module

from .._errors import UsageError

__all__ = ["install"]

#: the modules of fluxus, each of which there is here
MODULES = (
    "core",
    "core.producer",
    "core.transformer",
    "functional",
    "functional.conduit",
    "functional.product",
    "lineage",
    "simple",
    "util",
    "viz",
    "viz.base",
)


def install() -> None:
    """Have `import fluxus` import this package, in this process, from now on; more than once is
    once.

    Raises UsageError (a RuntimeError) where the real fluxus has been imported before.

    Call it before the program is imported that can't be changed::

        import fluxus_rx.compat

        fluxus_rx.compat.install()

        import program_written_for_fluxus
    """
    package = __package__ or ""
    taken = sys.modules.get("fluxus")
    if taken is not None and taken is not sys.modules[package]:
        raise UsageError(
            f"install(): fluxus has been imported already, from {getattr(taken, '__file__', None)};"
            " call install() before anything imports fluxus, or uninstall fluxus"
        )
    sys.modules["fluxus"] = sys.modules[package]
    for name in MODULES:
        sys.modules[f"fluxus.{name}"] = import_module(f"{package}.{name}")


install.__module__ = "fluxus_rx.compat"
