"""A night's failures are pickled, with errors of a client whose class takes a required keyword.

Such an error is dumped without complaint, and can't be loaded again: its class is called with its
text alone. What was saved must be there in the morning, and be ready for a rerun.
"""

from __future__ import annotations

import pickle

from fluxus_rx import RecordedError, rerun, run, step


class StatusError(Exception):
    """As those of HTTP clients."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


down = True


def fetch(page: int) -> dict[str, str]:
    if down and page == 1:
        raise StatusError("too many requests", status=429)
    return {"text": f"page {page}"}


def main() -> None:
    global down
    pages = step("pages", [{"page": page} for page in range(3)])
    flow = pages >> step("fetch", fetch).options(on_error="collect")
    result = run(flow)
    saved = pickle.dumps(result.failures), pickle.dumps(result)
    failures, loaded = map(pickle.loads, saved)
    for failure in (*failures, *loaded.failures):
        error = failure.exception
        assert isinstance(error, RecordedError), f"{error!r} was made without its status"
        assert error.class_name.endswith("StatusError"), error.class_name
        assert error.text == "too many requests", error.text
        assert "in fetch" in error.traceback, error.traceback
        assert "called with page=1" in failure.note, failure.note
    down = False
    texts = [output["fetch"]["text"] for output in loaded.merged(rerun(flow, failures))[0]]
    assert texts == ["page 0", "page 1", "page 2"], texts


if __name__ == "__main__":
    main()
