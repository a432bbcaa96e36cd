"""The public types, as mypy sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytest.importorskip("mypy")

BAD_FLOW = """
from collections.abc import Iterable, Iterator

from fluxus_rx import Consumer, Producer, Transformer


class Numbers(Producer[int]):
    def produce(self) -> Iterator[int]:
        yield 1


class Shout(Transformer[str, str]):
    def transform(self, product: str) -> Iterator[str]:
        yield product.upper()


class Join(Consumer[str, str]):
    def consume(self, products: Iterable[tuple[int, str]]) -> str:
        return ""


flow = {expression}
"""


def mypy(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run mypy as the project does, with an ignored error that is none as an error."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(ROOT / "setup.cfg"),
            "--strict",
            "--warn-unused-ignores",
            "--no-error-summary",
            *map(str, arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_item_types_are_what_the_assertions_say() -> None:
    """mypy agrees with each assert_type, and finds an error in each line that must have one."""
    found = mypy(HERE / "typing_api.py")
    assert (found.stdout, found.returncode) == ("", 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "expression",
    [
        "Numbers() >> Shout()",
        "Numbers() >> Join()",
        "Shout() >> Numbers()",
        "(Numbers() & Numbers()) >> Shout()",
        "Numbers() & Shout()",
    ],
)
def test_a_wrong_chain_is_an_error(tmp_path: Path, expression: str) -> None:
    """A flow that is refused when it is written is refused by mypy as well, and only there."""
    file = tmp_path / "bad_flow.py"
    file.write_text(BAD_FLOW.format(expression=expression), encoding="utf-8")
    found = mypy(file)
    assert found.returncode == 1
    (error,) = [line for line in found.stdout.splitlines() if ": error: " in line]
    assert error.startswith(str(file))
    assert error.endswith("[operator]")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_right_chain_is_none(tmp_path: Path) -> None:
    """The same file with a chain that fits has no error."""
    file = tmp_path / "good_flow.py"
    file.write_text(BAD_FLOW.format(expression="Shout() >> Shout() >> Join()"), encoding="utf-8")
    found = mypy(file)
    assert (found.stdout, found.returncode) == ("", 0)


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers look into an installed package only if it has the marker."""
    assert (ROOT / "fluxus_rx" / "py.typed").is_file()
