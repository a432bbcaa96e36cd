"""A plain step calls an agent that runs a loop of its own: the error says what to do, and what it
says works."""

import asyncio

from fluxus_rx import run, step


class Agent:
    async def answer(self, question: str) -> str:
        await asyncio.sleep(0)
        return question.upper()

    def answer_sync(self, question: str) -> str:
        loop = asyncio.new_event_loop()
        answering = self.answer(question)
        try:
            return loop.run_until_complete(answering)
        finally:
            answering.close()
            loop.close()


agent = Agent()


def ask(question: str) -> dict[str, str]:
    return {"answer": agent.answer_sync(question)}


async def ask_asynchronously(question: str) -> dict[str, str]:
    return {"answer": await agent.answer(question)}


questions = step("questions", [{"question": "what"}])
try:
    run(questions >> step("ask", ask))
except RuntimeError as error:
    notes = " ".join(error.__notes__)
    assert "executor" in notes, notes
    assert "async def" in notes, notes
else:
    raise AssertionError("no loop runs inside another one")

for way_out in (step("ask", ask).options(executor="thread"), step("ask", ask_asynchronously)):
    answers = run(questions >> way_out)[0]
    assert answers[0]["ask"] == {"answer": "WHAT"}, answers
