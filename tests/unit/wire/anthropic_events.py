"""Events of Anthropic's streams, as tests write them."""

import json
from collections.abc import Mapping
from typing import Any


def event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **members}).encode())


def started(**usage: Any) -> bytes:
    told = {"input_tokens": 12, "cache_read_input_tokens": 3, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5", "content": []}
    return event("message_start", message={**message, "stop_reason": None, "usage": told})


def text_block(index: int, *pieces: str) -> bytes:
    begins = event("content_block_start", index=index, content_block={"type": "text", "text": ""})
    return begins + b"".join(text_delta(index, piece) for piece in pieces) + stopped(index)


def text_delta(index: int, text: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def call_begins(index: int, name: str, id_: str = "toolu_1", given: Mapping[str, Any] | None = None) -> bytes:
    block = {"type": "tool_use", "id": id_, "name": name, "input": given or {}}
    return event("content_block_start", index=index, content_block=block)


def input_delta(index: int, text: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text})


def stopped(index: int) -> bytes:
    return event("content_block_stop", index=index)


def call(index: int, name: str, *pieces: str, id_: str = "toolu_1") -> bytes:
    return call_begins(index, name, id_) + b"".join(input_delta(index, each) for each in pieces) + stopped(index)


def ended(reason: str = "end_turn", **usage: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 9, **usage}) + event("message_stop")


def read_back(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: ")]
