"""What a user installs is what is in the checkout, and works without it; the sdist is all of it."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

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


def ignored() -> list[str]:
    """The names of files and folders that are made in a checkout, and don't belong to it."""
    lines = (CHECKOUT / ".gitignore").read_text(encoding="utf-8").split()
    return [".git", *(line.strip("/").rpartition("/")[2] for line in lines)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, without what was made in it."""
    copied = tmp_path_factory.mktemp("source") / "checkout"
    return Path(shutil.copytree(CHECKOUT, copied, ignore=shutil.ignore_patterns(*ignored())))


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the sdist, and with the wheel that is built from it."""
    target = tmp_path_factory.mktemp("dist")
    run(
        "-m",
        "build",
        "--no-isolation",
        "--skip-dependency-check",
        "--outdir",
        target,
        source,
        cwd=source,
    )
    return target


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the sdist."""
    target = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built / f"fluxus_rx-{version()}.tar.gz") as sdist:
        # From Python 3.11.4 on, and asked for from 3.12 on.
        safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        sdist.extractall(target, **safely)
    return target / f"fluxus_rx-{version()}"


def version() -> str:
    """The version, from the one place where it is written."""
    settings = configparser.ConfigParser()
    settings.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    return settings["metadata"]["version"]


def modules() -> set[str]:
    """The files of the package and the pytest plugin, as paths from the top."""
    package = CHECKOUT / "fluxus_rx"
    kinds = (f"*.{ending}" for ending in ("css", "html", "js", "py"))
    files = (
        package / "py.typed",
        CHECKOUT / "pytest_fluxus_rx.py",
        *(file for kind in kinds for file in package.rglob(kind)),
    )
    return {p.relative_to(CHECKOUT).as_posix() for p in files}


def test_the_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    """Neither tests nor benchmarks end up in a user's site-packages."""
    with zipfile.ZipFile(built / f"fluxus_rx-{version()}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == modules()


def files_in(root: Path) -> set[str]:
    """The files below a folder, as paths from there."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_the_sdist_has_each_file_of_the_checkout(source: Path, unpacked: Path) -> None:
    """Package, licence, tests with their helpers, docs, benchmarks; and no more but metadata, which
    a checkout has if it comes from an sdist itself."""
    wanted = {name for name in files_in(source) if ".egg-info/" not in name}
    found = {name for name in files_in(unpacked) if ".egg-info/" not in name}
    assert found == wanted | {"PKG-INFO"}


#: Imports all modules of tests, which takes a fifth of the time that collecting the tests does.
IMPORTS = """if True:
    import importlib, pathlib, pytest, sys
    sys.path.append("docs/examples")  # as setup.cfg has pytest do
    for path in sorted(pathlib.Path("tests").rglob("test_*.py")):
        try:
            importlib.import_module(".".join(path.with_suffix("").parts))
        except pytest.skip.Exception:
            pass
        print(path)
"""


def test_all_tests_of_the_sdist_can_be_imported(unpacked: Path) -> None:
    """Their helpers are there."""
    found = {Path(line) for line in run("-c", IMPORTS, cwd=unpacked).splitlines()}
    tests = CHECKOUT / "tests"
    assert found == {path.relative_to(CHECKOUT) for path in tests.rglob("test_*.py")}


def test_tests_of_the_sdist_pass(unpacked: Path) -> None:
    """With the package that is beside them: a fast choice, one with golden files among it."""
    chosen = ("tests/products", "tests/viz/test_tree.py")
    run("-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *chosen, cwd=unpacked)


def test_an_editable_install_is_a_path_that_type_checkers_follow(
    source: Path, tmp_path: Path
) -> None:
    """`pip install -e .` needs no option for that: there is no import hook in between."""
    code = f"from setuptools.build_meta import build_editable as b; b({str(tmp_path)!r})"
    run("-c", code, cwd=source)
    with zipfile.ZipFile(tmp_path / f"fluxus_rx-{version()}-0.editable-py3-none-any.whl") as wheel:
        (name,) = [name for name in wheel.namelist() if ".dist-info/" not in name]
        assert name.endswith(".pth")
        assert source.samefile(wheel.read(name).decode().strip())


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
