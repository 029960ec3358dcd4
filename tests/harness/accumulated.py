"""What a client makes of a stream: the whole answer, put together event by event as SDKs do."""

import json
from typing import Any


def events_of(stream: bytes) -> list[Any]:
    """The data of each event but `[DONE]`, decoded."""
    data = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(each) for each in data if each != b"[DONE]"]


def chat_of(stream: bytes) -> dict[str, Any]:
    """The chat completion that a stream of chunks adds up to; empty texts count as none."""
    whole: dict[str, Any] = {"message": {"role": None}, "finish_reason": None, "usage": None}
    message: dict[str, Any] = whole["message"]
    calls: dict[int, Any] = {}
    for chunk in events_of(stream):
        whole |= {name: chunk[name] for name in ("id", "model", "created") if name in chunk}
        whole["usage"] = chunk.get("usage") or whole["usage"]
        for choice in chunk["choices"]:
            whole["finish_reason"] = choice["finish_reason"] or whole["finish_reason"]
            _add(message, calls, choice["delta"])
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return whole


def _add(message: dict[str, Any], calls: dict[int, Any], delta: dict[str, Any]) -> None:
    message["role"] = delta.get("role") or message["role"]
    for name in ("content", "refusal", "reasoning_content"):
        if delta.get(name):
            message[name] = message.get(name, "") + delta[name]
    if delta.get("reasoning_details"):
        message["reasoning_details"] = message.get("reasoning_details", []) + delta["reasoning_details"]
    for piece in delta.get("tool_calls", ()):
        call = calls.setdefault(piece["index"], {"function": {"arguments": ""}})
        function = piece.get("function", {})
        call |= {name: value for name, value in piece.items() if name not in ("index", "function")}
        call["function"] |= {name: value for name, value in function.items() if name != "arguments"}
        call["function"]["arguments"] += function.get("arguments", "")


def whole_chat_of(body: bytes) -> dict[str, Any]:
    """A chat completion in one piece, in the form of `chat_of`."""
    answer = json.loads(body)
    (choice,) = answer["choices"]
    message = {name: value for name, value in choice["message"].items() if value}
    told = {name: answer[name] for name in ("id", "model", "created", "usage")}
    return {"message": message, "finish_reason": choice["finish_reason"], **told}


def message_of(stream: bytes) -> dict[str, Any]:
    """The message of Anthropic's API that a stream of events adds up to."""
    message: dict[str, Any] = {}
    pieces: dict[int, str] = {}
    for event in events_of(stream):
        kind = event["type"]
        if kind == "message_start":
            message = event["message"]
        elif kind == "content_block_start":
            assert event["index"] == len(message["content"])
            message["content"].append(event["content_block"])
        elif kind == "content_block_delta":
            _add_delta(message["content"][event["index"]], event, pieces)
        elif kind == "content_block_stop" and event["index"] in pieces:
            message["content"][event["index"]]["input"] = json.loads(pieces[event["index"]])
        elif kind == "message_delta":
            message |= event["delta"]
            message["usage"] = event["usage"]
    return message


def _add_delta(block: dict[str, Any], event: dict[str, Any], pieces: dict[int, str]) -> None:
    delta = event["delta"]
    for kind, name in (("text_delta", "text"), ("thinking_delta", "thinking"), ("signature_delta", "signature")):
        if delta["type"] == kind:
            block[name] += delta[name]
    if delta["type"] == "input_json_delta":
        pieces[event["index"]] = pieces.get(event["index"], "") + delta["partial_json"]
