"""One call by smolagents as its users make it: `python call_smolagents.py HOW`; says on stdout what came of it."""

import json
import os
import sys

from smolagents import ChatMessage, CodeAgent, OpenAIModel


def main(how: str) -> str:
    """The text of the answer."""
    address, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
    model = OpenAIModel(model_id="gpt-4o-mini", api_base=address, api_key=key, max_tokens=20)
    if how == "agent":
        return str(CodeAgent(tools=[], model=model, max_steps=2, verbosity_level=0).run("Say hello."))
    messages = [ChatMessage(role="user", content=[{"type": "text", "text": "Say hello."}])]
    if how == "stream":
        return "".join(part.content or "" for part in model.generate_stream(messages))
    return str(model.generate(messages).content)


if __name__ == "__main__":
    try:
        told = {"text": main(sys.argv[1])}
    except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
        told = {"error": type(error).__name__, "said": str(error)}
    print("\ntold:", json.dumps(told))
