"""What a run says is printed into a pipe whose encoding has neither arrows nor dots, as on Windows.
Nothing of it raises, and no line of progress is lost.
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Any

from fluxus_rx import check, run, step


def half(n: int) -> dict[str, float]:
    if n == 3:
        raise ValueError("odd")
    return {"half": n / 2}


def say_everything() -> None:
    numbers = step("numbers", [{"n": 2, "name": "Zoë → 東京"}, {"n": 3, "name": "…"}])
    flow = numbers >> step("half", half).options(on_error="collect")
    print(flow, check(flow), *check(flow))
    flow.draw()
    result = run(flow, timestamps=True, progress=True)
    print(result, result.summary(), result.failures, *result.failures)
    result.draw_timeline()
    for wrong in (flow >> step("ask", lambda price: {}), flow.options(on_error="raise")):
        try:
            run(wrong)
        except Exception as error:
            print(*error.__notes__ if hasattr(error, "__notes__") else [], repr(check(wrong)))
            traceback.print_exc(file=sys.stdout)


stdout, stderr = sys.stdout, sys.stderr
for encoding in ("cp1252", "ascii", "latin-1", "cp437"):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    err = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    sys.stdout, sys.stderr = out, err
    failed: Any = None
    try:
        say_everything()
    except UnicodeEncodeError as error:
        failed = error
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    assert failed is None, f"{encoding}: {failed}"
    err.flush()
    assert b"half" in err.buffer.getvalue(), f"{encoding}: the progress is lost"
