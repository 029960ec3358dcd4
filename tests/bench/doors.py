"""The doors beside chat's: each dialect's own call, and translated ones, of the same words in and out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tests.bench.candidates import CONFIG, PRICES, PROMPT, Candidate
from tests.bench.nginx import ANSWER

MODEL: Final = "bench-door"
_SAID: Final[str] = json.loads(ANSWER)["choices"][0]["message"]["content"]
_HELLO: Final = [{"role": "user", "content": PROMPT}]


@dataclass(frozen=True, kw_only=True)
class Door:
    """What a client asks, at which path, and what a provider of which dialect answers."""

    path: str
    body: Mapping[str, Any]
    dialect: str
    answer: str

    def settings(self, port: int, admin: int, upstream: int) -> str:
        """The file of a worker whose provider is of the door's kind."""
        text = CONFIG.format(port=port, admin=admin, unary=upstream, stream=upstream, more="")
        base = f"http://127.0.0.1:{upstream}" + ("/v1" if self.dialect == "openai" else "")
        own = f'  door: {{dialect: {self.dialect}, base_url: "{base}", api_key_env: BENCH_PROVIDER_KEY}}\n'
        text = text.replace("providers:\n", f"providers:\n{own}")
        return text.replace("routes:\n", f"routes:\n  - {{model: {MODEL}, targets: [{{provider: door}}]}}\n")


@dataclass
class AtDoor(Candidate):
    """A worker that is asked at one door."""

    asked: bytes = b""

    def body(self, model: str, *, streamed: bool, prompts: int = 1) -> bytes:
        """What the door is asked; always whole, always the same."""
        return self.asked


def at_door(name: str, port: int, key: str) -> AtDoor:
    """The worker at a port, to be asked at that door."""
    door = DOORS[name]
    body = json.dumps(door.body, separators=(",", ":")).encode()
    return AtDoor(name, port, key, unary_path=door.path, asked=body)


def prices() -> str:
    """The bench's prices, with one for the model behind the doors."""
    return PRICES + f"  {MODEL}: {{input_usd_per_mtok: 2, output_usd_per_mtok: 8, since: 2026-01-01, source: bench}}\n"


_CHAT: Final = {"model": MODEL, "messages": _HELLO, "max_tokens": 256}
_MESSAGE: Final = json.dumps(
    {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": _SAID}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 210, "output_tokens": 42, "service_tier": "standard"},
    }
)
_CONTENT: Final = json.dumps(
    {
        "candidates": [{"content": {"parts": [{"text": _SAID}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 210, "candidatesTokenCount": 42, "totalTokenCount": 252},
        "modelVersion": MODEL,
        "responseId": "bench",
    }
)
_CONVERSED: Final = json.dumps(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": _SAID}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 210, "outputTokens": 42, "totalTokens": 252},
        "metrics": {"latencyMs": 12},
    }
)
_RESPONSE: Final = json.dumps(
    {
        "id": "resp_bench",
        "object": "response",
        "created_at": 1790000000,
        "status": "completed",
        "model": MODEL,
        "output": [
            {
                "type": "message",
                "id": "msg_bench",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": _SAID, "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 210, "output_tokens": 42, "total_tokens": 252},
    }
)
DOORS: Final[Mapping[str, Door]] = MappingProxyType(
    {
        "chat": Door(path="/v1/chat/completions", body=_CHAT, dialect="openai", answer=ANSWER),
        "azure": Door(
            path=f"/openai/deployments/{MODEL}/chat/completions?api-version=2024-10-21",
            body=_CHAT,
            dialect="openai",
            answer=ANSWER,
        ),
        "responses": Door(
            path="/v1/responses",
            body={"model": MODEL, "input": PROMPT, "max_output_tokens": 256, "store": False},
            dialect="openai",
            answer=_RESPONSE,
        ),
        "anthropic": Door(path="/v1/messages", body=_CHAT, dialect="anthropic", answer=_MESSAGE),
        "gemini": Door(
            path=f"/v1beta/models/{MODEL}:generateContent",
            body={
                "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
                "generationConfig": {"maxOutputTokens": 256},
            },
            dialect="gemini",
            answer=_CONTENT,
        ),
        "bedrock": Door(
            path=f"/model/{MODEL}/converse",
            body={
                "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
                "inferenceConfig": {"maxTokens": 256},
            },
            dialect="bedrock",
            answer=_CONVERSED,
        ),
        "chat-at-anthropic": Door(path="/v1/chat/completions", body=_CHAT, dialect="anthropic", answer=_MESSAGE),
        "chat-at-gemini": Door(path="/v1/chat/completions", body=_CHAT, dialect="gemini", answer=_CONTENT),
        "chat-at-bedrock": Door(path="/v1/chat/completions", body=_CHAT, dialect="bedrock", answer=_CONVERSED),
        "messages-at-chat": Door(path="/v1/messages", body=_CHAT, dialect="openai", answer=ANSWER),
    }
)
"""By the names that `python -m tests.bench.instructions --door` takes."""
