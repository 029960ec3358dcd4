"""Runs by Pydantic AI as its users make them: `python call_pydantic_ai.py HOW…`; says what came of each."""

import asyncio
import json
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

called: list[int] = []


def add(one: int, other: int) -> int:
    """Add two numbers."""
    called.append(one + other)
    return one + other


async def main(how: str) -> str:
    """The text of the answer."""
    model = OpenAIResponsesModel("gpt-4o-mini") if how == "responses" else OpenAIChatModel("gpt-4o-mini")
    agent = Agent(model, tools=[add] if how == "tool" else [], model_settings={"max_tokens": 50})
    if how == "stream":
        async with agent.run_stream("Say hello.") as streamed:
            return "".join([part async for part in streamed.stream_text(delta=True)])
    made = await agent.run("What is 1 + 2?")
    assert how != "tool" or called
    return str(made.output)


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": asyncio.run(main(how))}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
