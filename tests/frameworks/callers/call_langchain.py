"""Calls by LangChain and LangGraph as users make them: `python call_langchain.py HOW…`; says what came of each."""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.prebuilt import create_react_agent


@tool
def add(one: int, other: int) -> int:
    """Add two numbers."""
    return one + other


def main(how: str) -> str:
    """The text of the answer."""
    if how == "embed":
        return str(len(OpenAIEmbeddings(model="embed", check_embedding_ctx_length=False).embed_query("Hello.")))
    llm = ChatOpenAI(model="gpt-4o-mini", max_tokens=50, use_responses_api=how == "responses")
    if how == "stream":
        return "".join(str(part.content) for part in llm.stream("Say hello."))
    if how == "tool":
        made = create_react_agent(llm, [add]).invoke({"messages": [("user", "What is 1 + 2?")]})
        assert any(message.type == "tool" for message in made["messages"])
        return str(made["messages"][-1].content)
    return str(llm.invoke("Say hello.").content)


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": main(how)}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
