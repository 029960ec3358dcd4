"""Calls by Semantic Kernel as its users make them: `python call_semantic_kernel.py HOW…`; says what came of each."""

import asyncio
import json
import os
import sys
from typing import Annotated

from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function


class Numbers:
    """A plugin."""

    called = 0

    @kernel_function(description="Add two numbers.")
    def add(self, one: Annotated[int, "one"], other: Annotated[int, "other"]) -> int:
        """Add two numbers."""
        Numbers.called += 1
        return one + other


async def main(how: str) -> str:
    """The text of the answer."""
    client = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])
    service = OpenAIChatCompletion(ai_model_id="gpt-4o-mini", async_client=client)
    kernel = Kernel()
    kernel.add_plugin(Numbers(), "numbers")
    history = ChatHistory()
    history.add_user_message("What is 1 + 2?")
    settings = OpenAIChatPromptExecutionSettings(max_tokens=50)
    if how == "tool":
        settings.function_choice_behavior = FunctionChoiceBehavior.Auto()
    if how == "stream":
        streamed = service.get_streaming_chat_message_content(history, settings, kernel=kernel)
        return "".join([str(part) async for part in streamed if part])
    text = str(await service.get_chat_message_content(history, settings, kernel=kernel))
    assert how != "tool" or Numbers.called
    return text


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": asyncio.run(main(how))}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": f"{error} {error.__cause__}"}
        print("\ntold:", json.dumps({"how": how, **told}))
