"""A key is given to a step, and the service refuses a call. The error and the drawing of the flow
go into a ticket; neither may have the key in it.
"""

from __future__ import annotations

import io
import traceback
from typing import Any

from fluxus_rx import run, step

KEY = "sk-5f2b8c7d9e"


def ask_service(question: str, api_key: str, headers: dict[str, str]) -> dict[str, Any]:
    assert api_key == KEY, "the function gets the key itself"
    raise PermissionError(f"no access for {question!r}")


flow = step("questions", [{"question": "why?", "token": KEY}]) >> step(
    "ask", ask_service, api_key=KEY, headers={"Authorization": f"Bearer {KEY}"}
)
ticket = io.StringIO()
flow.draw("tree", file=ticket)
flow.draw("mermaid", file=ticket)
print(flow, flow.check(), file=ticket)
try:
    run(flow)
except PermissionError as error:
    traceback.print_exception(error, file=ticket)
text = ticket.getvalue()
assert "api_key=***" in text, "the ticket tells which arguments there were"
assert KEY not in text, "the ticket has the key in it"
