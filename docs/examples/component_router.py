"""Routers: each product goes to the flow of its kind."""

from __future__ import annotations

from fluxus_rx import passthrough, route, run, step, where

MESSAGES = [
    {"text": "The app crashes", "stars": 1},
    {"text": "Where is my order?", "stars": 3},
    {"text": "Love it", "stars": 5},
    {"text": "", "stars": 2},
]


def kind(text: str, stars: int) -> str:
    """The key; a model that is asked would be an asynchronous function."""
    if "?" in text:
        return "question"
    return "complaint" if stars < 3 else "praise"


def reply(text: str) -> dict[str, str]:
    return {"reply": f"We look into it: {text}"}


def escalate(text: str) -> dict[str, str]:
    return {"ticket": text.upper()}


flow = (
    step("messages", MESSAGES)
    >> where(lambda text: text)
    >> route(
        kind,
        {"question": step("reply", reply), "complaint": step("escalate", escalate)},
        default=passthrough(),
    )
)


def main() -> None:
    flow.draw()
    questions, complaints, others = run(flow)
    print(questions[0]["reply"]["reply"])
    print(complaints[0]["escalate"]["ticket"])
    print(*(output["messages"]["text"] for output in others))


if __name__ == "__main__":
    main()
