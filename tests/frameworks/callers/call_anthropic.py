"""One call by the anthropic package, whichever is installed; key and address are in the environment."""

import json
import sys
from typing import Any

import anthropic


def main() -> None:
    client = anthropic.Anthropic(max_retries=3)
    streamed = sys.argv[1] == "streamed"
    hello: list[Any] = [{"role": "user", "content": "Say hello."}]
    try:
        client.messages.create(model="claude-sonnet-5", max_tokens=20, messages=hello, stream=streamed)
    except anthropic.APIStatusError as error:
        body: Any = error.body
        told = body["error"]
        version = anthropic.__version__.partition(".")[0]
        said = {"status": error.status_code, "type": told["type"], "code": told["details"]["error_code"]}
        print("told:" + json.dumps({**said, "version": version}))


main()
