"""The red team of docs/examples: what it may spend, what it keeps, and what it says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
import red_team
from stand_ins.model_server import ModelServer
from stand_ins.serving import Answer, serve

from fluxus_rx import Failures, RunResult, arun, rerun, run, step
from fluxus_rx.testing import run_virtual

PROMPTS = [{"prompt": f"What is the code word? {n}"} for n in range(1, 8)]


@pytest.fixture(scope="module")
def server() -> ModelServer:
    return ModelServer(at_once=6, speed=100)


@pytest.fixture(scope="module")
def results(server: ModelServer) -> tuple[RunResult, RunResult]:
    """The result of an attack, and the same after a rerun of its failed calls."""
    with server.serving():
        flow = red_team.red_team(server.url, PROMPTS, calls=6)
        result = run(flow)
        return result, result.merged(rerun(flow, result.failures))


def test_the_server_does_its_worst(server: ModelServer, results: object) -> None:
    """Or the other tests would hold for a server that never fails."""
    assert results
    assert min(server.refused, server.dropped, server.cut, server.down, server.unreadable) > 0


def test_never_more_calls_at_once_than_the_account_has(
    server: ModelServer, results: object
) -> None:
    """All steps and paths share the budget, in the second run as well."""
    assert results
    assert 1 < server.most_at_once <= 6


def test_nobody_comes_back_before_the_time_that_a_429_names(
    server: ModelServer, results: object
) -> None:
    """Whatever the wait between attempts is."""
    assert results
    assert server.refused
    assert not server.early


def test_nothing_is_paid_twice_but_answers_that_cannot_be_read(
    server: ModelServer, results: tuple[RunResult, RunResult]
) -> None:
    """A second run makes the failed calls again, and no others."""
    _, merged = results
    judged = len(merged.values("success"))
    failed = Counter(failure.step for failure in merged.failures)
    asked, rephrased = judged + failed["judge"], len(PROMPTS) - failed["augment"]
    assert sum(server.paid.values()) == rephrased + asked + judged + server.unreadable


def test_each_attack_is_judged_or_a_failure(results: tuple[RunResult, RunResult]) -> None:
    """Each prompt in 4 augmentations against 2 targets; an outage is over the second time."""
    first, merged = results
    for result in results:
        lost = sum(2 if failure.step == "augment" else 1 for failure in result.failures)
        assert len(result.values("success")) + lost == len(PROMPTS) * 4 * 2
    assert merged.paths == tuple(
        f"{augmentation} → {target}"
        for augmentation in ("plain", "base64", "role play", "rephrased")
        for target in ("small", "large")
    )
    assert len(first.failures) > len(merged.failures) > 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "9"}, 9.0),
        ({"retry-after": "soon"}, 1.0),
        ({}, 1.0),
    ],
)
def test_a_429_holds_up_all_calls_as_long_as_it_says(
    headers: Mapping[str, str], seconds: float
) -> None:
    """Calls that wait for a slot, and calls that come later; calls in flight go on."""
    began: list[float] = []

    async def call(budget: red_team.Budget, error: Exception | None = None) -> None:
        async with budget:
            began.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.1)
            if error is not None:
                raise error
            await asyncio.sleep(0.15)

    async def main() -> None:
        budget = red_team.Budget(2)
        refused = asyncio.create_task(call(budget, Refused(headers)))
        calls = [asyncio.create_task(call(budget)) for _ in range(4)]
        await asyncio.wait([refused, *calls])
        assert isinstance(refused.exception(), openai.RateLimitError)
        assert not budget.locked()

    run_virtual(main)
    first = began[0]
    assert [time - first for time in began] == pytest.approx(
        [0, 0, seconds + 0.1, seconds + 0.1, seconds + 0.35], abs=0.01
    )


def test_a_call_that_is_cancelled_while_all_wait_takes_no_slot() -> None:
    """Or a run that ends early would leave a budget that is smaller for the next one."""

    async def main() -> None:
        budget = red_team.Budget(1)
        with pytest.raises(openai.RateLimitError):
            async with budget:
                raise Refused({})
        waiting = asyncio.create_task(budget.__aenter__())
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not budget.locked()

    run_virtual(main)


@pytest.mark.abandons_generators  # The client does, with each stream; it closes the connection.
def test_an_attack_that_is_cancelled_keeps_its_outputs_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Calls are in flight then, and calls wait for the budget; a client and a server see it end."""
    partial: list[RunResult] = []

    async def main(url: str) -> None:
        judged, enough = 0, asyncio.Event()

        async def judge(answer: str, client: openai.AsyncOpenAI) -> dict[str, Any]:
            nonlocal judged
            if judged == 3:
                enough.set()
                await asyncio.Event().wait()
            judged += 1
            return {"success": len(answer) > 0}

        monkeypatch.setattr(red_team, "judge", judge)
        attack = asyncio.create_task(arun(red_team.red_team(url, PROMPTS, 4), partial=partial))
        await enough.wait()
        attack.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attack

    with ModelServer(at_once=4, speed=100).serving() as server:
        asyncio.run(main(server.url))
    assert partial[0].values("success") == [True] * 3


@pytest.mark.abandons_generators  # as above
def test_a_chunk_without_choices_is_no_end_of_an_answer() -> None:
    """Some servers send such chunks, with statistics of the call."""
    words: list[list[str | None]] = [[], ["a "], [None], ["word"], []]
    sent = [b"data: %b\n\n" % json.dumps({"choices": of(chunk)}).encode() for chunk in words]
    events = {"Content-Type": "text/event-stream"}
    with serve(lambda _: Answer(iter([*sent, b"data: [DONE]\n\n"]), headers=events)) as url:
        client = partial(openai.AsyncOpenAI, base_url=url, api_key="sk-none")
        asking = step("ask", red_team.ask, model="small", using={"client": client})
        assert run(asking, input={"attack": "?"}).values("answer") == ["a word"]


def of(words: list[str | None]) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": {"content": word}} for word in words]


@pytest.mark.abandons_generators  # as above
def test_the_program_says_what_it_found_and_keeps_dead_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same each time, as the answers of the server depend on nothing but the requests."""
    drawn: list[RunResult] = []
    monkeypatch.setattr(red_team, "ModelServer", partial(ModelServer, speed=100))
    monkeypatch.setattr(red_team, "draw", lambda flow, result, folder: drawn.append(result))
    red_team.main(tmp_path, small=True)
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines()[-6:]] == TABLE
    assert "\n5 failures" in printed
    assert "after another try: 1 failure" in printed
    assert len(Failures.from_json(tmp_path / "dead_letters.jsonl")) == 5
    assert len(drawn[0].failures) == 1


class Refused(openai.RateLimitError):
    """A 429 with these headers."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.response: Any = SimpleNamespace(headers=headers)


TABLE = [
    ["success"],
    ["large", "small"],
    ["base64", "60%", "40%"],
    ["plain", "0%", "25%"],
    ["rephrased", "0%", "60%"],
    ["role", "play", "40%", "60%"],
]
