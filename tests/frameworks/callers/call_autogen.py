"""Runs by AutoGen as its users make them: `python call_autogen.py HOW…`; says what came of each."""

import asyncio
import json
import sys

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient

called: list[int] = []


async def add(one: int, other: int) -> int:
    """Add two numbers."""
    called.append(one + other)
    return one + other


async def main(how: str) -> str:
    """The text of the answer."""
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", max_tokens=50)
    if how == "stream":
        asked = [UserMessage(content="Say hello.", source="user")]
        parts = [part async for part in client.create_stream(asked)]
        return "".join(part for part in parts if isinstance(part, str))
    agent = AssistantAgent("a", model_client=client, tools=[add] if how == "tool" else [], reflect_on_tool_use=True)
    made = await agent.run(task="What is 1 + 2?")
    assert how != "tool" or called
    return str(made.messages[-1].content)


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": asyncio.run(main(how))}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
