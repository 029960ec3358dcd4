"""Requests, answers and streams of every dialect, small and rich in fields, for `bent` to damage."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import event_frame
from tests.unit.wire import anthropic_events

SCHEMA: Final = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
ARGUMENTS: Final = '{"path":"a"}'


class Sample(NamedTuple):
    """One body or stream of an endpoint's; `path` continues a base URL."""

    endpoint: Endpoint
    body: bytes
    path: str = ""


def _json(endpoint: Endpoint, path: str = "", **members: Any) -> Sample:
    return Sample(endpoint, json.dumps(members).encode(), path)


def _requests() -> Iterator[Sample]:
    function = {"name": "read_file", "description": "d", "parameters": SCHEMA}
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": ARGUMENTS}}
    yield _json(
        Endpoint.CHAT,
        "/chat/completions",
        model="m",
        stream=True,
        stream_options={"include_usage": False},
        max_tokens=50,
        n=2,
        user="u",
        metadata={"session_id": "s"},
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "read_file"}},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, _picture()]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "found"},
        ],
    )
    yield _json(
        Endpoint.RESPONSES,
        "/responses",
        model="m",
        stream=True,
        max_output_tokens=50,
        instructions="Be kind.",
        store=False,
        tools=[{"type": "function", **function}, {"type": "web_search"}],
        text={"format": {"type": "text"}},
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c", "name": "read_file", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "c", "output": "found"},
        ],
    )
    yield _json(Endpoint.COMPLETIONS, "/completions", model="m", prompt=["a", "b"], max_tokens=5, best_of=2)
    yield _json(Endpoint.EMBEDDINGS, "/embeddings", model="m", input=["a", [1, 2]], encoding_format="float")
    use = {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "found"}]}
    for endpoint in (Endpoint.MESSAGES, Endpoint.COUNT_TOKENS):
        yield _json(
            endpoint,
            "/v1/messages",
            model="m",
            max_tokens=50,
            stream=True,
            system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
            metadata={"user_id": "u"},
            tools=[
                {"name": "read_file", "input_schema": SCHEMA},
                {"type": "web_search_20250305", "name": "web_search"},
            ],
            tool_choice={"type": "tool", "name": "read_file"},
            thinking={"type": "enabled", "budget_tokens": 1024},
            messages=[
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [{"type": "text", "text": "x"}, use]},
                {"role": "user", "content": [result]},
            ],
        )
    yield _json(
        Endpoint.GENERATE_CONTENT,
        "/v1beta/models/m:streamGenerateContent",
        systemInstruction={"parts": [{"text": "Be kind."}]},
        generationConfig={"maxOutputTokens": 50, "candidateCount": 2, "responseMimeType": "text/plain"},
        tools=[{"functionDeclarations": [{"name": "read_file", "parameters": SCHEMA}]}, {"googleSearch": {}}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["read_file"]}},
        labels={"session_id": "s"},
        contents=[
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "read_file", "args": {"path": "a"}, "id": "c"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "read_file", "id": "c", "response": {"r": 1}}}]},
        ],
    )
    yield _json(
        Endpoint.BATCH_EMBED_CONTENTS,
        "/v1beta/models/m:batchEmbedContents",
        requests=[{"model": "models/m", "content": {"parts": [{"text": "Hi"}]}}],
    )
    yield _json(
        Endpoint.CONVERSE,
        "/model/m/converse-stream",
        system=[{"text": "Be kind."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.5},
        toolConfig={"tools": [{"toolSpec": {"name": "read_file", "inputSchema": {"json": SCHEMA}}}]},
        requestMetadata={"session_id": "s"},
        messages=[
            {"role": "user", "content": [{"text": "Hi"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "read_file", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "found"}]}}]},
        ],
    )
    yield _json(
        Endpoint.INVOKE,
        "/model/m/invoke",
        anthropic_version="v",
        max_tokens=50,
        messages=[{"role": "user", "content": [{"text": "Hi"}]}],
    )


def _picture() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def _answers() -> Iterator[Sample]:
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": ARGUMENTS}}
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "prompt_tokens_details": {"cached": 1}}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    yield _json(Endpoint.CHAT, id="c", created=1, model="m", choices=[choice], usage=usage)
    yield _json(Endpoint.CHAT, error={"message": "m", "type": "t", "param": None, "code": "context_length_exceeded"})
    item = {"type": "function_call", "id": "fc", "call_id": "c", "name": "read_file", "arguments": ARGUMENTS}
    told = {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10}
    yield _json(Endpoint.RESPONSES, id="r", object="response", status="completed", model="m", output=[item], usage=told)
    use = {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a"}}
    block = {"type": "text", "text": "Hi"}
    spent = {"input_tokens": 8, "output_tokens": 2, "cache_read_input_tokens": 1, "service_tier": "standard"}
    yield _json(
        Endpoint.MESSAGES,
        id="msg_1",
        type="message",
        role="assistant",
        model="m",
        content=[block, use],
        stop_reason="tool_use",
        usage=spent,
    )
    parts = [{"text": "Hi"}, {"functionCall": {"name": "read_file", "args": {"path": "a"}}}]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
    counted = {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10}
    yield _json(Endpoint.GENERATE_CONTENT, candidates=[candidate], usageMetadata=counted, modelVersion="m")
    blocks = [{"text": "Hi"}, {"toolUse": {"toolUseId": "t", "name": "read_file", "input": {"path": "a"}}}]
    yield _json(
        Endpoint.CONVERSE,
        output={"message": {"role": "assistant", "content": blocks}},
        stopReason="tool_use",
        usage={"inputTokens": 8, "outputTokens": 2, "totalTokens": 10},
    )


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _data(*events: dict[str, Any], named: bool = False) -> bytes:
    def line(event: dict[str, Any]) -> str:
        return f"event: {event['type']}\n" if named else ""

    return "".join(f"{line(event)}data: {json.dumps(event)}\n\n" for event in events).encode()


def _streams() -> Iterator[Sample]:
    function = {"index": 0, "id": "c", "type": "function", "function": {"name": "read_file", "arguments": ARGUMENTS}}
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
    chat = [
        _chunk({"role": "assistant", "content": "Hi"}),
        _chunk({"tool_calls": [function]}),
        _chunk({}, "tool_calls"),
    ]
    last = {"id": "c", "model": "m", "choices": [], "usage": usage}
    yield Sample(Endpoint.CHAT, _data(*chat, last) + b"data: [DONE]\n\n")
    item = {"type": "function_call", "id": "fc", "call_id": "c", "name": "read_file", "arguments": ARGUMENTS}
    response = {"id": "r", "status": "completed", "model": "m", "output": [item], "usage": {"input_tokens": 8}}
    yield Sample(
        Endpoint.RESPONSES,
        _data(
            {"type": "response.created", "response": {**response, "output": [], "status": "in_progress"}},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hi"},
            {"type": "response.output_item.added", "output_index": 1, "item": {**item, "arguments": ""}},
            {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "fc", "delta": ARGUMENTS},
            {"type": "response.output_item.done", "output_index": 1, "item": item},
            {"type": "response.completed", "response": response},
            named=True,
        ),
    )
    yield Sample(
        Endpoint.MESSAGES,
        anthropic_events.started()
        + anthropic_events.text_block(0, "Hi", " there")
        + anthropic_events.call(1, "read_file", ARGUMENTS[:5], ARGUMENTS[5:])
        + anthropic_events.ended("tool_use"),
    )
    parts = [{"text": "Hi"}, {"functionCall": {"name": "read_file", "args": {"path": "a"}}}]
    chunks: list[dict[str, Any]] = [{"candidates": [{"content": {"parts": [part]}, "index": 0}]} for part in parts]
    chunks.append({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 8}})
    yield Sample(Endpoint.GENERATE_CONTENT, _data(*chunks))
    yield Sample(Endpoint.GENERATE_CONTENT_LIST, json.dumps(chunks).encode())
    frames: list[tuple[str, dict[str, Any]]] = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
        ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "read_file"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": ARGUMENTS}}}),
        ("contentBlockStop", {"contentBlockIndex": 1}),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"usage": {"inputTokens": 8, "outputTokens": 2}}),
    ]
    yield Sample(Endpoint.CONVERSE, b"".join(event_frame(name, json.dumps(told).encode()) for name, told in frames))


def _others() -> Iterator[Sample]:
    """What nobody is served in its own dialect: an answer and a stream of Cohere's chats, and of Ollama's."""
    call = {"id": "c", "type": "function", "function": {"name": "read_file", "arguments": ARGUMENTS}}
    content = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]
    message = {"role": "assistant", "content": content, "tool_plan": "I will", "tool_calls": [call]}
    usage = {"billed_units": {"input_tokens": 8, "output_tokens": 2}, "tokens": {"input_tokens": 80}}
    told = {"id": "c", "message": message, "finish_reason": "TOOL_CALL", "usage": usage}
    yield Sample(Endpoint.CHAT, json.dumps(told).encode(), "cohere")
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}},
        {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": "x"}}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    yield Sample(Endpoint.CHAT, _data(*events, named=True), "cohere")

    use = {"function": {"name": "read_file", "arguments": {"path": "a"}}}
    said = {"role": "assistant", "content": "Hi", "thinking": "Hm", "tool_calls": [use]}
    line = {"model": "m", "message": said, "done": True, "done_reason": "stop", "eval_count": 2}
    yield Sample(Endpoint.CHAT, json.dumps(line).encode(), "ollama")
    lines = [{"message": {"content": "Hi"}}, {"message": {"tool_calls": [use]}}, {**line, "message": {"content": ""}}]
    yield Sample(Endpoint.CHAT, b"".join(json.dumps(each).encode() + b"\n" for each in lines), "ollama")


def speaker(sample: Sample) -> str:
    """The dialect that a sample is of."""
    return sample.path or sample.endpoint.dialect


_OTHERS: Final = tuple(_others())
OTHERS_ANSWERS: Final = _OTHERS[::2]
OTHERS_STREAMS: Final = _OTHERS[1::2]
REQUESTS: Final = tuple(_requests())
ANSWERS: Final = tuple(_answers())
STREAMS: Final = tuple(_streams())
