"""Streams that are translated, on the ways out that Flyball closes: tool calls that are denied, and money that ends."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio

from proxy.upstream import UpstreamFailed
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import event_frame
from tests.harness.accumulated import message_of
from tests.harness.one_worker import STREAM_HEADERS, Answer, Client, OneWorker, chat, config, one_worker
from tests.harness.read_by_sdk import read_by_sdk

FRAMES: Final = [(b"content-type", b"application/vnd.amazon.eventstream")]
RULES: Final = """package flyball.tool_call
allow := true
deny contains {"code": "no_deleting", "msg": "Nothing is deleted."} if input.tool.name == "delete_file"
"""
STEP: Final = 256
WORDS: Final = ("the ", "quick ", "brown ", "fox ", "jumps ", "over ", "a ", "lazy ")
LIMIT_NANO: Final = 40_000_000
"""Money for about one and a half steps of output."""
SCHEMA: Final = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
CHAT_TOOLS: Final = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("read_file", "delete_file")
]
NAMES: Final = ("read_file", "delete_file")
ASKS: Final = {
    "chat": ("/v1/chat/completions", chat(stream=True, max_tokens=None, tools=CHAT_TOOLS)),
    "responses": (
        "/v1/responses",
        json.dumps(
            {
                "model": "m",
                "input": "Hello",
                "stream": True,
                "store": False,
                "tools": [{"type": "function", "name": name, "parameters": SCHEMA} for name in NAMES],
            }
        ).encode(),
    ),
    "messages": (
        "/v1/messages",
        json.dumps(
            {
                "model": "m",
                "max_tokens": 5000,
                "stream": True,
                "messages": [{"role": "user", "content": "Hello"}],
                "tools": [{"name": name, "input_schema": SCHEMA} for name in NAMES],
            }
        ).encode(),
    ),
}
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Speech(NamedTuple):
    """What a provider of one dialect says: its headers, the parts of a text, calls of tools, and an end."""

    headers: list[tuple[bytes, bytes]]
    begin: list[bytes]
    word: Callable[[str], bytes]
    calls: Callable[[], list[bytes]]
    end: list[bytes]


def _event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def _data(**told: Any) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def _frame(name: str, **members: Any) -> bytes:
    return event_frame(name, json.dumps(members).encode())


def _anthropic_calls() -> list[bytes]:
    out = [_event("content_block_stop", index=0)]
    for index, name in enumerate(NAMES, start=1):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": '{"path":"a"}'}
        out += [
            _event("content_block_start", index=index, content_block=block),
            _event("content_block_delta", index=index, delta=delta),
            _event("content_block_stop", index=index),
        ]
    return out


def _line(message: dict[str, Any], **more: Any) -> bytes:
    return (
        json.dumps({"model": "m", "message": {"role": "assistant", **message}, "done": False, **more}).encode() + b"\n"
    )


def _cohere_calls() -> list[bytes]:
    out = []
    for index, name in enumerate(NAMES):
        call = {"id": name, "type": "function", "function": {"name": name, "arguments": ""}}
        more = {"function": {"arguments": '{"path":"a"}'}}
        out += [
            _event("tool-call-start", index=index, delta={"message": {"tool_calls": call}}),
            _event("tool-call-delta", index=index, delta={"message": {"tool_calls": more}}),
            _event("tool-call-end", index=index),
        ]
    return out


def _bedrock_calls() -> list[bytes]:
    out = [_frame("contentBlockStop", contentBlockIndex=0)]
    for index, name in enumerate(NAMES, start=1):
        start = {"toolUse": {"toolUseId": f"t{index}", "name": name}}
        delta = {"toolUse": {"input": '{"path":"a"}'}}
        out += [
            _frame("contentBlockStart", contentBlockIndex=index, start=start),
            _frame("contentBlockDelta", contentBlockIndex=index, delta=delta),
            _frame("contentBlockStop", contentBlockIndex=index),
        ]
    return out


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data(id="c", object="chat.completion.chunk", created=1, model="m", choices=[choice])


def _chat_calls() -> list[bytes]:
    return [
        _chunk(
            {
                "tool_calls": [
                    {
                        "index": index,
                        "id": f"call_{index}",
                        "type": "function",
                        "function": {"name": name, "arguments": '{"path":"a"}'},
                    }
                ]
            }
        )
        for index, name in enumerate(NAMES)
    ]


def _content(*parts: Any, **more: Any) -> bytes:
    return _data(candidates=[{"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}])


_MESSAGE: Final = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
SPEECHES: Final = {
    "anthropic": Speech(
        STREAM_HEADERS,
        [
            _event("message_start", message={**_MESSAGE, "usage": {"input_tokens": 8, "output_tokens": 1}}),
            _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        ],
        lambda word: _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}),
        _anthropic_calls,
        [
            _event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 20}),
            _event("message_stop"),
        ],
    ),
    "gemini": Speech(
        STREAM_HEADERS,
        [],
        lambda word: _content({"text": word}),
        lambda: [_content({"functionCall": {"name": name, "args": {"path": "a"}}}) for name in NAMES],
        [
            _data(
                candidates=[{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}],
                usageMetadata={"promptTokenCount": 8, "candidatesTokenCount": 20, "totalTokenCount": 28},
            )
        ],
    ),
    "cohere": Speech(
        STREAM_HEADERS,
        [_event("message-start", id="c14", delta={"message": {"role": "assistant"}})],
        lambda word: _event("content-delta", index=0, delta={"message": {"content": {"text": word}}}),
        _cohere_calls,
        [
            _event(
                "message-end",
                delta={
                    "finish_reason": "TOOL_CALL",
                    "usage": {"billed_units": {"input_tokens": 8, "output_tokens": 20}},
                },
            )
        ],
    ),
    "ollama": Speech(
        [(b"content-type", b"application/x-ndjson")],
        [],
        lambda word: _line({"content": word}),
        lambda: [
            _line({"content": "", "tool_calls": [{"function": {"name": name, "arguments": {"path": "a"}}}]})
            for name in NAMES
        ],
        [_line({"content": ""}, done=True, done_reason="stop", prompt_eval_count=8, eval_count=20)],
    ),
    "bedrock": Speech(
        FRAMES,
        [_frame("messageStart", role="assistant")],
        lambda word: _frame("contentBlockDelta", contentBlockIndex=0, delta={"text": word}),
        _bedrock_calls,
        [
            _frame("messageStop", stopReason="tool_use"),
            _frame("metadata", usage={"inputTokens": 8, "outputTokens": 20, "totalTokens": 28}),
        ],
    ),
    "openai": Speech(
        STREAM_HEADERS,
        [_chunk({"role": "assistant", "content": ""})],
        lambda word: _chunk({"content": word}),
        _chat_calls,
        [
            _chunk({}, "tool_calls"),
            _data(
                id="c",
                object="chat.completion.chunk",
                created=1,
                model="m",
                choices=[],
                usage={"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 28},
            ),
            b"data: [DONE]\n\n",
        ],
    ),
}
PAIRS: Final = (
    ("chat", "anthropic"),
    ("chat", "gemini"),
    ("chat", "bedrock"),
    ("chat", "cohere"),
    ("chat", "ollama"),
    ("responses", "openai"),
    ("messages", "openai"),
)


class House(NamedTuple):
    """A worker, and its provider's dialect to choose."""

    worker: OneWorker

    def speak(self, dialect: str) -> None:
        """Have the provider speak this dialect, without /responses."""
        snapshot = self.worker.rooms.snapshot()
        up = replace(snapshot.providers["up"], dialect=dialect, has_responses=False)
        changed = replace(snapshot, providers={**snapshot.providers, "up": up})
        self.worker.rooms.snapshot = lambda: changed

    async def ask(
        self, asked: str, dialect: str, answer: Answer, *, tools: bool = True
    ) -> tuple[Client, dict[str, Any]]:
        """A call, with tools or without, and its row."""
        self.speak(dialect)
        path, body = ASKS[asked]
        if not tools:
            body = json.dumps({name: value for name, value in json.loads(body).items() if name != "tools"}).encode()
        client = await self.worker.call(Client(body, path=path), answer)
        return client, self.worker.rows()[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ruled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("ruled")
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.rego").write_text(RULES)
    with one_worker(folder, config(more="policy: {dir: rules}")) as worker:
        yield House(worker)
        await worker.parts.ledger.close()


@pytest_asyncio.fixture(loop_scope="module")
async def poor(tmp_path: Path) -> AsyncIterator[House]:
    more = f"holds: {{first_hold_output_tokens: {STEP}}}\nmetering: {{margin_percent: 0}}"
    with one_worker(tmp_path, config(budget="limit_usd: 0.0400", more=more)) as worker:
        yield House(worker)
        await worker.parts.ledger.close()


@pytest.mark.parametrize(("asked", "dialect"), PAIRS)
async def test_a_denied_call_does_not_pass_and_the_allowed_one_does(ruled: House, asked: str, dialect: str) -> None:
    said = SPEECHES[dialect]
    answer = Answer(*said.begin, said.word("Well. "), *said.calls(), *said.end, headers=list(said.headers))
    client, row = await ruled.ask(asked, dialect, answer)
    assert client.status == 200, client.text
    if asked == "messages":
        message = message_of(client.text)
        calls = [block["name"] for block in message["content"] if block["type"] == "tool_use"]
        text = "".join(block.get("text", "") for block in message["content"])
        assert message["stop_reason"] == "tool_use"
    else:
        read = read_by_sdk(Endpoint.CHAT if asked == "chat" else Endpoint.RESPONSES, client.text)
        assert read.error == ""
        calls, text = [name for name, _ in read.calls], read.text
    assert "read_file" in calls
    assert "delete_file" not in calls
    assert asked == "responses" or b'"delete_file"' not in client.text, "a response repeats its request's tools"
    assert "Well. " in text and "no_deleting" in text
    assert (row["outcome"], row["decision"], row["usage_source"]) == ("ok", "deny:no_deleting", "provider")
    assert row["output_tokens"] == 20
    assert (await ruled.worker.standing())[1] == 0


@pytest.mark.parametrize(("asked", "dialect"), PAIRS[:6])
async def test_a_stream_ends_with_its_money_in_the_clients_dialect(poor: House, asked: str, dialect: str) -> None:
    said = SPEECHES[dialect]
    words = [said.word(WORDS[number % len(WORDS)]) for number in range(2000)]
    answer = Answer(*said.begin, *words, *said.end, headers=list(said.headers))
    client, row = await poor.ask(asked, dialect, answer, tools=False)
    assert client.status == 200, client.text
    if asked == "chat":
        *chunks, done, rest = client.text.split(b"\n\n")
        assert (done, rest) == (b"data: [DONE]", b"")
        last = json.loads(chunks[-1].removeprefix(b"data: "))
        assert (last["choices"][0]["finish_reason"], last["flyball"]["code"]) == ("length", "budget_exceeded")
        assert last["flyball"]["operation"] == row["operation_id"]
    else:
        *_, final, rest = client.text.split(b"\n\n")
        told = json.loads(final.partition(b"data: ")[2])
        assert (rest, told["type"]) == (b"", "response.incomplete")
        assert told["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
        assert told["response"]["flyball"]["code"] == "budget_exceeded"
    assert (row["outcome"], row["code"], row["finish_reason"]) == ("truncated", "budget_exceeded", "length")
    assert row["usage_source"] == "estimated"
    assert 0.85 * 390 < row["output_tokens"] <= 400
    assert "overrun_usd" not in row
    assert answer.aborted.is_set()
    spent, held = await poor.worker.standing()
    assert held == 0
    assert spent == round(float(row["cost_usd"]) * 1e9) <= LIMIT_NANO


async def test_a_translated_stream_that_breaks_off_is_billed_what_was_delivered(poor: House) -> None:
    """Anthropic begins with a placeholder of one output token: a stream that went no further was billed by that."""
    said = SPEECHES["anthropic"]
    words = [said.word(WORDS[number % len(WORDS)]) for number in range(100)]
    answer = Answer(*said.begin, *words, UpstreamFailed("reset", "gone", sent=True))
    _, row = await poor.ask("chat", "anthropic", answer, tools=False)
    assert (row["outcome"], row["usage_source"]) == ("truncated", "estimated")
    assert (row["input_tokens"], row["output_tokens"]) == (8, pytest.approx(100, abs=2))


async def test_the_tokens_of_a_message_are_held_whole_so_that_its_stream_is_never_cut(poor: House) -> None:
    said = SPEECHES["openai"]
    client, row = await poor.ask("messages", "openai", Answer(*said.begin, *said.end, headers=list(said.headers)))
    assert (client.status, row["code"]) == (402, "budget_exceeded")
    assert json.loads(client.text)["error"]["type"] == "billing_error"
