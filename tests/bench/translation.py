"""What translation costs, by CPU time: `python -m tests.bench.translation`. A call may take 150 µs, a chunk 15 µs."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from proxy.wire.eventstream import event_frame
from proxy.wire.translate import PAIRS, Context

CALL_US: Final = 150
CHUNK_US: Final = 15
ROUNDS: Final = 2000
CONTEXT: Final = Context(model="model-1", at_s=1, most_output=64_000)
WORDS: Final = "as it is usual for the pieces of a stream"
SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
CHAT: Final[dict[str, Any]] = {
    "model": "m",
    "stream": True,
    "max_tokens": 500,
    "messages": [
        {"role": "system", "content": "You are of help. " * 40},
        {"role": "user", "content": "What is one and one? " * 20},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
        {"role": "user", "content": "And two and two?"},
    ],
    "tools": [{"type": "function", "function": {"name": "add", "description": "Adds", "parameters": SCHEMA}}],
}
MESSAGES: Final[dict[str, Any]] = {
    "model": "m",
    "stream": True,
    "max_tokens": 500,
    "system": "You are of help. " * 40,
    "messages": [
        {"role": "user", "content": "What is one and one? " * 20},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}]},
        {"role": "user", "content": "And two and two?"},
    ],
    "tools": [{"name": "add", "description": "Adds", "input_schema": SCHEMA}],
}
RESPONSES: Final[dict[str, Any]] = {"model": "m", "stream": True, "input": "What is one and one? " * 20}
BODIES: Final = {"chat.completions": CHAT, "messages": MESSAGES, "responses": RESPONSES}


def _sse(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def chunks_of(provider: str) -> tuple[bytes, bytes]:
    """How a provider's stream begins, and one chunk of its text."""
    if provider == "anthropic":
        started = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": {}}}
        delta = {"type": "text_delta", "text": WORDS}
        return _sse(started), _sse({"type": "content_block_delta", "index": 0, "delta": delta})
    if provider == "gemini":
        chunk = {"candidates": [{"content": {"parts": [{"text": WORDS}]}}], "usageMetadata": {"promptTokenCount": 1}}
        return _sse(chunk), _sse(chunk)
    if provider == "bedrock":
        piece: dict[str, Any] = {"contentBlockIndex": 0, "delta": {"text": WORDS}}
        return event_frame("messageStart", b'{"role":"assistant"}'), event_frame(
            "contentBlockDelta", json.dumps(piece).encode()
        )
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": WORDS}, "finish_reason": None}]}
    return _sse(chunk), _sse(chunk)


def timed(work: Callable[[], object]) -> float:
    """Microseconds of CPU time a round, the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time_ns()
        for _ in range(ROUNDS):
            work()
        best = min(best, (time.process_time_ns() - began) / ROUNDS / 1000)
    return best


def main() -> int:
    """Measure every pair; 1 where one is too dear."""
    dear = False
    print(f"{'called as':<18} {'at':<10} {'a call':>10} {'a chunk':>10}")
    for (client, provider), pair in PAIRS.items():
        translate, body = pair.translation(), json.dumps(BODIES[client]).encode()
        first, chunk = chunks_of(provider)
        stream = translate(body, CONTEXT).stream()
        stream.feed(first)
        call_us = timed(lambda translate=translate, body=body: translate(body, CONTEXT))  # type: ignore[misc]
        chunk_us = timed(lambda stream=stream, chunk=chunk: stream.feed(chunk))  # type: ignore[misc]
        dear = dear or call_us > CALL_US or chunk_us > CHUNK_US
        print(f"{client:<18} {provider:<10} {call_us:>7.1f} µs {chunk_us:>7.1f} µs")
    return int(dear)


if __name__ == "__main__":
    sys.exit(main())
