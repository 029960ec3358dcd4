"""Runs by OpenAI's Agents SDK as its users make them: `python call_openai_agents.py HOW…`; says what came of each."""

import asyncio
import json
import sys

from agents import (
    Agent,
    ModelSettings,
    Runner,
    function_tool,
    set_default_openai_api,
    set_default_openai_client,
    set_tracing_disabled,
)
from openai import AsyncOpenAI


@function_tool
def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


async def main(how: str) -> str:
    """The text of the answer."""
    set_tracing_disabled(True)
    set_default_openai_client(AsyncOpenAI(), use_for_tracing=False)  # of this run's event loop
    set_default_openai_api("responses" if how == "responses" else "chat_completions")
    tools = [add] if how == "tool" else []
    agent = Agent(name="a", model="gpt-4o-mini", tools=list(tools), model_settings=ModelSettings(max_tokens=800))
    if how == "stream":
        streamed = Runner.run_streamed(agent, "Say hello.")
        seen = [event async for event in streamed.stream_events()]
        assert seen
        return str(streamed.final_output)
    made = await Runner.run(agent, "What is 1 + 2?")
    assert how != "tool" or any(item.type == "tool_call_output_item" for item in made.new_items)
    return str(made.final_output)


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": asyncio.run(main(how))}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
