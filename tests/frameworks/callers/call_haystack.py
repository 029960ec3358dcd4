"""Calls by Haystack as its users make them: `python call_haystack.py HOW…`; says what came of each."""

import json
import sys
from typing import Any

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool


@tool
def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


def main(how: str) -> str:
    """The text of the answer."""
    parts: list[Any] = []
    streams = {"streaming_callback": parts.append} if how == "stream" else {}
    llm = OpenAIChatGenerator(model="gpt-4o-mini", generation_kwargs={"max_tokens": 50}, max_retries=2, **streams)
    asked = [ChatMessage.from_user("What is 1 + 2?")]
    if how == "tool":
        made = Agent(chat_generator=llm, tools=[add]).run(messages=asked)["messages"]
        assert any(message.tool_call_results for message in made)
        return str(made[-1].text)
    text = str(llm.run(asked)["replies"][0].text)
    assert how != "stream" or "".join(part.content for part in parts) == text
    return text


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": main(how)}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
