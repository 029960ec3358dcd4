"""Calls by DSPy as its users make them: `python call_dspy.py HOW…`; says what came of each."""

import asyncio
import json
import sys
from typing import Any

import dspy


def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


async def streamed() -> str:
    """A prediction whose parts are listened to, which makes DSPy stream the call."""
    program: Any = dspy.streamify(dspy.Predict("question -> answer"))
    parts = [part async for part in program(question="Say hello.")]
    return str(len(parts))


def main(how: str) -> str:
    """The text of the answer."""
    lm = dspy.LM("openai/gpt-4o-mini", max_tokens=200, cache=False)
    if how == "whole":
        return str(lm("Say hello.")[0])
    if how == "tool":
        tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
        made: Any = lm("What is 1 + 2?", tools=[tool])[0]
        assert made["tool_calls"], made
        return str(made["tool_calls"][0])
    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        return asyncio.run(streamed())


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": main(how)}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
