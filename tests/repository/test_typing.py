"""The public types, as mypy and pyright see them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytest.importorskip("mypy")

FLOWS = """
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
"""

WRONG_FLOWS = [
    "Numbers() >> Shout()",
    "Numbers() >> Join()",
    "Shout() >> Numbers()",
    "(Numbers() & Numbers()) >> Shout()",
    "Numbers() & Shout()",
]
RIGHT_FLOWS = ["Shout() >> Shout() >> Join()"]


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
def test_pyright_says_the_same(tmp_path: Path) -> None:
    """It agrees with each assert_type, and finds an error in each line that must have one."""
    pytest.importorskip("pyright")
    shutil.copy(HERE / "typing_api.py", tmp_path)
    settings = {
        "include": ["typing_api.py"],
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "standard",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    found = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--outputjson"),
            *("--project", str(tmp_path), "--pythonpath", sys.executable),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(found.stdout)
    lines = [
        f"{one['range']['start']['line'] + 1}: {one['message']}"
        for one in told["generalDiagnostics"]
    ]
    assert (lines, told["summary"]["filesAnalyzed"]) == ([], 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wrong_chain_is_an_error(tmp_path: Path) -> None:
    """A flow that is refused when it is written is refused by mypy as well, and no other is."""
    file = tmp_path / "flows.py"
    file.write_text("\n".join([FLOWS, *WRONG_FLOWS, *RIGHT_FLOWS, ""]), encoding="utf-8")
    found = mypy(file)
    errors = [line for line in found.stdout.splitlines() if ": error: " in line]
    first = FLOWS.count("\n") + 2
    assert len(errors) == len(WRONG_FLOWS)
    for number, error in enumerate(errors, first):
        # Not the folder: mypy's cache tells the one of an earlier run of the same text.
        assert error.partition(": error: ")[0].endswith(f"{file.name}:{number}")
        assert error.endswith("[operator]")


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers look into an installed package only if it has the marker."""
    assert (ROOT / "fluxus_rx" / "py.typed").is_file()
