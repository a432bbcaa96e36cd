"""What a user installs is what is in the checkout, and works without it."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def run(*arguments: str | Path, cwd: Path) -> str:
    """The output of Python run on these arguments, without the checkout on its path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the wheel and the sdist, built from a copy of what goes into them."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "setup.py", "README.rst", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for name in ("fluxus_rx", "tests", "docs/examples"):
        if (CHECKOUT / name).exists():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / name, source / name, ignore=ignore)
    run("-m", "build", "--no-isolation", "--outdir", source / "dist", source, cwd=source)
    return source / "dist"


def version() -> str:
    """The version, from the one place where it is written."""
    settings = configparser.ConfigParser()
    settings.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    return settings["metadata"]["version"]


def modules() -> set[str]:
    """The files of the package, as paths from the top."""
    package = CHECKOUT / "fluxus_rx"
    kinds = (f"*.{ending}" for ending in ("css", "html", "js", "py"))
    files = (package / "py.typed", *(file for kind in kinds for file in package.rglob(kind)))
    return {p.relative_to(CHECKOUT).as_posix() for p in files}


def test_the_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    """Neither tests nor benchmarks end up in a user's site-packages."""
    with zipfile.ZipFile(built / f"fluxus_rx-{version()}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == modules()


def test_the_sdist_has_the_package_and_its_licence(built: Path) -> None:
    """A wheel can be built from the sdist, and its licence is with it."""
    root = f"fluxus_rx-{version()}"
    with tarfile.open(built / f"{root}.tar.gz") as sdist:
        names = set(sdist.getnames())
    wanted = modules() | {"LICENSE", "README.rst", "setup.cfg", "setup.py"}
    assert {f"{root}/{name}" for name in wanted} <= names


def test_an_installed_wheel_works_outside_the_checkout(built: Path, tmp_path: Path) -> None:
    """The first example and the version, from an installed wheel, in a directory of its own."""
    target = tmp_path / "site"
    wheel = built / f"fluxus_rx-{version()}-py3-none-any.whl"
    run("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", target, wheel,
        cwd=tmp_path)  # fmt: skip
    shutil.copy(CHECKOUT / "docs/examples/hello_flow.py", tmp_path)
    code = f"""
import runpy, sys
sys.path.insert(0, {str(target)!r})
import fluxus_rx
from importlib.metadata import version
assert fluxus_rx.__file__.startswith({str(target)!r}), fluxus_rx.__file__
assert version("fluxus_rx") == {version()!r}
runpy.run_path("hello_flow.py", run_name="__main__")
"""
    assert "hello, world!" in run("-c", code, cwd=tmp_path)
