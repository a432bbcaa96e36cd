"""The arguments of a job."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

__all__ = ["arguments"]


def arguments(job: str, *, new: str = "") -> tuple[Path, bool]:
    """The folder for files, which is there then, and whether the job is to be small.

    Exits with a message if the arguments are wrong, if nothing can be written there, or if what is
    to be `new` there isn't.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a run of a few seconds")
    parser.add_argument("--out", type=Path, help="the folder for files (default: a new one)")
    given = parser.parse_args()
    if given.out is None:
        return Path(tempfile.mkdtemp(prefix=f"{job}_")), given.small
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=given.out).close()
    except OSError as error:
        parser.error(f"--out {given.out}: {error.strerror}")
    if new and (given.out / new).exists():
        parser.error(f"--out {given.out}: has {new!r} of an earlier run; take another folder")
    return given.out, given.small
