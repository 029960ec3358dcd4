"""Calls by Instructor as its users make them: `python call_instructor.py HOW…`; says what came of each."""

import json
import sys
from typing import Any

import instructor
from openai import OpenAI
from pydantic import BaseModel


class Answer(BaseModel):
    """What is wanted."""

    name: str
    age: int


def main(how: str) -> str:
    """The text of the answer."""
    mode = instructor.Mode.TOOLS if how == "tool" else instructor.Mode.JSON_SCHEMA
    client = instructor.from_openai(OpenAI(), mode=mode)
    asked: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Ann is 31."}],
        "max_tokens": 200,
        "max_retries": 1,
    }
    if how == "stream":
        parts = list(client.chat.completions.create_partial(response_model=Answer, **asked))
        return str(parts[-1])
    return str(client.chat.completions.create(response_model=Answer, **asked))


if __name__ == "__main__":
    for how in sys.argv[1:]:
        try:
            told = {"text": main(how)}
        except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
            told = {"error": type(error).__name__, "said": str(error)}
        print("\ntold:", json.dumps({"how": how, **told}))
