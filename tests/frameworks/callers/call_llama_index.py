"""One call by llama-index as its users make it: `python call_llama_index.py HOW`; says on stdout what came of it."""

import asyncio
import json
import sys
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI


def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


async def by_agent(llm: Any) -> str:
    """An agent's run."""
    return str(await FunctionAgent(tools=[add], llm=llm, streaming=False).run("Say hello."))


def main(how: str) -> str:
    """The text of the answer."""
    llm = OpenAI(model="gpt-4o-mini", max_tokens=20)  # address and key are read from the environment
    if how == "stream":
        return "".join(part.delta or "" for part in llm.stream_complete("Say hello."))
    if how == "async":
        return str(asyncio.run(llm.acomplete("Say hello.")))
    if how == "agent":
        return asyncio.run(by_agent(llm))
    return str(llm.complete("Say hello."))


if __name__ == "__main__":
    try:
        told = {"text": main(sys.argv[1])}
    except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
        told = {"error": type(error).__name__, "said": str(error)}
    print("\ntold:", json.dumps(told))
