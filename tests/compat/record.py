"""Writes down what the real fluxus 1.0.3 does with each program, and what its public names are.

    python -m tests.compat.record             writes it
    python -m tests.compat.record --check     tells whether it is still true

Needs an environment with the extra `bench-fluxus`. Of a program that does something else with
`fluxus_rx.compat`, that is written down as well, as `here`; each of these has to name a row of the
table of differences in docs/coming_from/fluxus.rst.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
from typing import Any

from tests.compat.outcomes import (
    RECORD,
    VERSION,
    Outcome,
    is_installed,
    named_fluxus,
    outcome,
    recorded,
    recorded_members,
    recorded_names,
    titles,
)


def public_names() -> dict[str, list[str]]:
    """What each public module of fluxus offers: what its private modules list in `__all__`."""
    with named_fluxus("fluxus") as package:
        found: dict[str, list[str]] = {}
        for one in pkgutil.walk_packages(package.__path__, "fluxus."):
            importlib.import_module(one.name)
        for name in sorted(name for name in sys.modules if name.partition(".")[0] == "fluxus"):
            module = sys.modules[name]
            if any(part.startswith("_") for part in name.split(".")[1:]):
                continue
            listed = {
                public
                for private in _private_modules_of(name)
                for public in getattr(private, "__all__", ())
            }
            found[name] = sorted(public for public in listed if hasattr(module, public))
        return found


def public_members() -> dict[str, list[str]]:
    """The members, and the arguments, of each public class of fluxus that programs make or derive
    from; those of `fluxus.core` are asked for by `isinstance` alone."""
    found: dict[str, list[str]] = {}
    for module, names in public_names().items():
        with named_fluxus("fluxus"):
            for name in names if not module.startswith("fluxus.core") else ():
                thing = getattr(importlib.import_module(module), name)
                members = dir(thing) if isinstance(thing, type) else ()
                is_error = isinstance(thing, type) and issubclass(thing, Exception)
                arguments = () if is_error else _named_parameters(thing)
                listed = {one for one in members if not one.startswith("_")}
                listed |= {f"{one}=" for one in arguments if not one.startswith("_")}
                found[f"{module}.{name}"] = sorted(listed)
    return found


def _named_parameters(thing: Any) -> list[str]:
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(thing).parameters.values()
    return [one.name for one in parameters if one.kind not in several]


def _private_modules_of(package: str) -> list[Any]:
    depth = package.count(".") + 1
    return [
        module
        for name, module in sys.modules.items()
        if name.startswith(f"{package}._") and name.count(".") == depth
    ]


def main(arguments: list[str] | None = None) -> int:
    """What the command does; returns its exit status."""
    parser = argparse.ArgumentParser("python -m tests.compat.record")
    parser.add_argument("--check", action="store_true", help="run fluxus, and compare")
    given = parser.parse_args(arguments)
    if not is_installed():
        print(f"fluxus {VERSION} is not installed here: pip install '.[bench-fluxus]'")
        return 1
    with named_fluxus("fluxus"):
        names = titles()
    real = {name: outcome(name, "fluxus") for name in names}
    return check(real) if given.check else write(real)


def check(real: dict[str, Outcome]) -> int:
    """Say of which programs the record isn't what fluxus does; 1 if there are some."""
    stored = {name: outcomes["fluxus"] for name, outcomes in recorded().items()}
    wrong = [name for name in {*stored, *real} if stored.get(name) != real.get(name)]
    for name in wrong:
        print(f"{name}\n    record: {stored.get(name)}\n    fluxus: {real.get(name)}")
    if recorded_names() != public_names():
        print(f"public names\n    record: {recorded_names()}\n    fluxus: {public_names()}")
        wrong.append("public names")
    if recorded_members() != public_members():
        print("public members differ")
        wrong.append("public members")
    print(f"{len(real)} programs, {len(wrong)} differ from the record")
    return 1 if wrong else 0


def write(real: dict[str, Outcome]) -> int:
    """Write the record."""
    found: dict[str, Any] = {}
    for name, outcome_there in real.items():
        here = outcome(name, "here")
        found[name] = {"fluxus": outcome_there} | ({} if here == outcome_there else {"here": here})
    record: dict[str, Any] = {"version": VERSION, "names": public_names()}
    record |= {"members": public_members(), "programs": found}
    RECORD.write_text(f"{json.dumps(record, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
    differ = [name for name, outcomes in found.items() if "here" in outcomes]
    print(f"{len(found)} programs, {len(differ)} of them differ", *differ, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
