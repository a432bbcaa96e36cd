"""Two greetings go three ways at once, and meet again: the first example of the README."""

from __future__ import annotations

from fluxus_rx import passthrough, run, step

GREETINGS = [{"greeting": "Hello, World!"}, {"greeting": "Bonjour!"}]


def lower(greeting: str) -> dict[str, str]:
    return {"greeting": greeting.lower(), "tone": "calm"}


def upper(greeting: str) -> dict[str, str]:
    return {"greeting": greeting.upper(), "tone": "loud"}


def annotate(greeting: str, tone: str = "original") -> dict[str, str]:
    return {"text": f"{greeting} ({tone})"}


flow = (
    step("input", GREETINGS)
    >> (step("lower", lower) & step("upper", upper) & passthrough())
    >> step("annotate", annotate)
)


def main() -> None:
    print(flow)
    for path in run(flow):
        for output in path:
            print(" -> ".join(output), "=", output["annotate"]["text"])


if __name__ == "__main__":
    main()
