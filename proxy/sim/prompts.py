"""What of a request is prompt, and how many tokens it counts as."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from proxy.sim.bad_request import BadRequest
from proxy.wire.endpoint import Endpoint

_TEXT_KEYS: Final = ("content", "text", "arguments", "output", "input", "function", "tool_calls", "name")
_TOKENS_PER_MESSAGE: Final = 3
_TOKENS_PER_IMAGE: Final = 85
_LONGEST_TOKEN: Final = 128
_IMAGES: Final = ("image_url", "input_image")


def texts_of(body: Mapping[str, Any], endpoint: Endpoint) -> Iterator[str]:
    """Every text of the prompt, tools as JSON; raises BadRequest when the prompt itself is missing."""
    if endpoint is Endpoint.CHAT:
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise BadRequest("Missing required parameter: 'messages'.", param="messages")
        yield from _strings(body["messages"])
    elif endpoint is Endpoint.COMPLETIONS:
        yield from _strings(body.get("prompt", ""))
    else:
        if body.get("input") in (None, "", []):
            raise BadRequest("Missing required parameter: 'input'.", param="input")
        yield from _strings(body.get("instructions"))
        yield from _strings(body["input"])
    if body.get("tools"):
        yield json.dumps(body["tools"])


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key in _TEXT_KEYS:
            yield from _strings(value.get(key))


def words_of(texts: tuple[str, ...]) -> Iterator[str]:
    """The words of the texts, very long ones in pieces: never more than a GPT tokenizer makes tokens of them."""
    for text in texts:
        for word in text.split():
            for start in range(0, len(word), _LONGEST_TOKEN):
                yield word[start : start + _LONGEST_TOKEN]


def count_of_ids(body: Mapping[str, Any]) -> int:
    """Tokens given as numbers instead of text."""
    given = body.get("prompt", body.get("input"))
    if not isinstance(given, list):
        return 0
    return sum(len(item) if isinstance(item, list) else isinstance(item, int) for item in given)


def overhead_of(body: Mapping[str, Any], endpoint: Endpoint) -> int:
    """Tokens that are no words: what frames each message, and images."""
    if endpoint in (Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS):
        return 0
    given = body.get("messages", body.get("input"))
    messages = given if isinstance(given, list) else [given]
    return _TOKENS_PER_MESSAGE * (len(messages) + 1) + _TOKENS_PER_IMAGE * sum(map(_images, messages))


def _images(message: object) -> int:
    parts = message.get("content") if isinstance(message, dict) else None
    return sum(part.get("type") in _IMAGES for part in parts) if isinstance(parts, list) else 0


def count_of_inputs(body: Mapping[str, Any], endpoint: Endpoint) -> int:
    """How many prompts or texts are to be answered or embedded."""
    if endpoint not in (Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS):
        return 1
    given = body.get("prompt", body.get("input"))
    several = isinstance(given, list) and bool(given) and not isinstance(given[0], int)
    return len(given) if several and given is not None else 1
