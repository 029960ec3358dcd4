"""Calls by LiteLLM's SDK as its users make them: `python call_litellm.py HOW…`; says what came of each."""

import json
import sys
from typing import Any

import litellm

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


def main(how: str) -> str:
    """The text of the answer."""
    asked: dict[str, Any] = {
        "model": "openai/gpt-4o-mini",
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 50,
    }
    if how == "stream":
        return "".join(part.choices[0].delta.content or "" for part in litellm.completion(**asked, stream=True))
    if how == "tool":
        made: Any = litellm.completion(**asked, tools=[TOOL])
        return str(made.choices[0].message.tool_calls[0].function.name)
    if how == "responses":
        response: Any = litellm.responses(model="openai/gpt-4o-mini", input="Say hello.", max_output_tokens=50)
        return str(response.output_text)
    whole: Any = litellm.completion(**asked)
    return str(whole.choices[0].message.content)


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": main(how)}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
