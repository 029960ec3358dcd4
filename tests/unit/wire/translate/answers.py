"""One answer of a scripted provider, both whole and as its stream, for hypothesis to vary."""

import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from proxy.wire.eventstream import event_frame

texts = st.text(min_size=1, max_size=12)
arguments = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(-9, 9), st.text(max_size=5), st.none()), max_size=3
)
names = st.sampled_from(["add", "look_up"])


class Answer(NamedTuple):
    """An answer in both forms; `whole` and `stream` say the same."""

    whole: bytes
    stream: bytes


def pieces(text: str, size: int) -> list[str]:
    """A text in pieces of so many signs."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """A stream in parts, cut at these places."""
    ends = [*sorted({place % (len(stream) + 1) for place in places}), len(stream)]
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


cuts = st.lists(st.integers(0, 100_000), max_size=8)

_thinking = st.builds(lambda text, seal: {"type": "thinking", "thinking": text, "signature": seal}, texts, texts)
_redacted = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, texts)
_text = st.builds(lambda text: {"type": "text", "text": text}, texts)
_use = st.builds(lambda name, given: {"type": "tool_use", "name": name, "input": given}, names, arguments)
_blocks = st.tuples(
    st.lists(st.one_of(_thinking, _redacted), max_size=2), st.lists(_text, max_size=2), st.lists(_use, max_size=3)
)
_reasons = ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded"]


@st.composite
def anthropic_answers(draw: st.DrawFn) -> Answer:
    """An answer of Anthropic's."""
    blocks: list[dict[str, Any]] = [block for part in draw(_blocks) for block in part]
    for index, block in enumerate(blocks):
        if block["type"] == "tool_use":
            block["id"] = f"toolu_{index}"
    usage = {"input_tokens": 7, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 9}
    end = {"stop_reason": draw(st.sampled_from(_reasons)), "stop_sequence": None}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x"}
    whole = {**head, "content": blocks, **end, "usage": usage}
    started: dict[str, Any] = {**head, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": started}, {"type": "ping"}]
    for index, block in enumerate(blocks):
        events += _events(index, block, draw(st.integers(1, 9)))
    events += [{"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Answer(json.dumps(whole).encode(), stream.encode())


def _events(index: int, block: dict[str, Any], size: int) -> list[dict[str, Any]]:
    kind = block["type"]
    begun: dict[str, Any] = dict(block)
    deltas: list[dict[str, Any]] = []
    if kind == "text":
        begun["text"] = ""
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"], size)]
    elif kind == "thinking":
        begun |= {"thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], size)]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use":
        begun["input"] = {}
        held = json.dumps(block["input"]) if block["input"] else ""
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(held, size)]]
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


@st.composite
def chat_answers(draw: st.DrawFn) -> Answer:
    """An answer of a chat provider, with its usage as OpenAI tells it, or in the last chunk that has a choice."""
    message: dict[str, Any] = {"role": "assistant", "content": draw(st.one_of(st.none(), texts))}
    thought = draw(st.one_of(st.none(), texts))
    if thought is not None:
        message[draw(st.sampled_from(["reasoning_content", "reasoning"]))] = thought
    calls = [
        {"id": f"functions.f:{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for at, (name, given) in enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3)))
    ]
    if calls:
        message["tool_calls"] = calls
    reason = draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 9,
        "total_tokens": 21,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    head = {"id": "chatcmpl-1", "created": 5, "model": "gpt-x"}
    whole = {**head, "object": "chat.completion", "usage": usage}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": reason}]
    deltas = _deltas(message, calls, draw(st.integers(1, 9)))
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last: dict[str, Any] = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if draw(st.booleans()):
        chunks += [{**last, "usage": usage}]
    else:
        chunks += [last, {**head, "choices": [], "usage": usage}]
    done = "data: [DONE]\n\n" if draw(st.booleans()) else ""
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + done
    return Answer(json.dumps(whole).encode(), stream.encode())


def _deltas(message: dict[str, Any], calls: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    for name in ("reasoning_content", "reasoning", "content"):
        deltas += [{name: piece} for piece in pieces(message.get(name) or "", size)]
    for index, call in enumerate(calls):
        function = call["function"]
        begun = {"index": index, "id": call["id"], "type": "function"}
        deltas.append({"tool_calls": [{**begun, "function": {"name": function["name"], "arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in pieces(function["arguments"], size)
        ]
    return deltas


@st.composite
def gemini_answers(draw: st.DrawFn) -> Answer:
    """An answer of Google's, its usage on every chunk, its last chunk with or without a part."""
    parts: list[dict[str, Any]] = [{"text": text, "thought": True} for text in draw(st.lists(texts, max_size=1))]
    parts += [{"text": text} for text in draw(st.lists(texts, max_size=3))]
    for at, (name, given) in enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3))):
        call: dict[str, Any] = {"name": name, "args": given}
        if draw(st.booleans()):
            call["id"] = f"id{at}"
        parts.append({"functionCall": call})
    for part in parts:
        if draw(st.booleans()) and not part.get("thought"):
            part["thoughtSignature"] = draw(texts)
    reason = draw(st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL"]))
    usage = {"promptTokenCount": 7, "cachedContentTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": 5}
    head = {"usageMetadata": {**usage, "totalTokenCount": 16}, "modelVersion": "gemini-x", "responseId": "r1"}
    whole = {**head, "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason}]}
    chunks = [{**head, "candidates": [{"content": {"parts": [part]}, "index": 0}]} for part in parts]
    last: dict[str, Any] = {"content": {"parts": [{"text": ""}]}, "finishReason": reason}
    chunks.append({**head, "candidates": [last]})
    ending = draw(st.sampled_from(["\n\n", "\r\n\r\n"]))
    stream = "".join(f"data: {json.dumps(chunk)}{ending}" for chunk in chunks)
    return Answer(json.dumps(whole, indent=1).encode(), stream.encode())


@st.composite
def converse_answers(draw: st.DrawFn) -> Answer:
    """An answer of Bedrock's Converse, its stream in frames."""
    blocks: list[dict[str, Any]] = []
    for text, seal in draw(st.lists(st.tuples(texts, texts), max_size=1)):
        blocks.append({"reasoningContent": {"reasoningText": {"text": text, "signature": seal}}})
    blocks += [{"text": text} for text in draw(st.lists(texts, max_size=2))]
    for at, (name, given) in enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3))):
        blocks.append({"toolUse": {"toolUseId": f"tooluse_{at}", "name": name, "input": given}})
    reason = draw(st.sampled_from(["end_turn", "tool_use", "max_tokens", "stop_sequence", "content_filtered"]))
    usage = {"inputTokens": 7, "outputTokens": 9, "totalTokens": 21, "cacheReadInputTokens": 5}
    whole = {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": reason, "usage": usage}
    frames = [_frame("messageStart", role="assistant")]
    for index, block in enumerate(blocks):
        frames += _frames(index, block, draw(st.integers(1, 9)))
    frames += [_frame("messageStop", stopReason=reason), _frame("metadata", usage=usage, metrics={"latencyMs": 1})]
    return Answer(json.dumps({**whole, "metrics": {"latencyMs": 1}}).encode(), b"".join(frames))


def _frames(index: int, block: dict[str, Any], size: int) -> list[bytes]:
    deltas: list[dict[str, Any]] = []
    frames: list[bytes] = []
    if "text" in block:
        deltas = [{"text": piece} for piece in pieces(block["text"], size)]
    elif "toolUse" in block:
        use = block["toolUse"]
        start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
        frames.append(_frame("contentBlockStart", contentBlockIndex=index, start=start))
        held = json.dumps(use["input"]) if use["input"] else ""
        deltas = [{"toolUse": {"input": piece}} for piece in pieces(held, size)]
    else:
        thought = block["reasoningContent"]["reasoningText"]
        deltas = [{"reasoningContent": {"text": piece}} for piece in pieces(thought["text"], size)]
        deltas.append({"reasoningContent": {"signature": thought["signature"]}})
    frames += [_frame("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in deltas]
    return [*frames, _frame("contentBlockStop", contentBlockIndex=index)]


@st.composite
def cohere_answers(draw: st.DrawFn) -> Answer:
    """An answer of Cohere's chats."""
    content: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": text} for text in draw(st.lists(texts, max_size=1))
    ]
    content += [{"type": "text", "text": text} for text in draw(st.lists(texts, max_size=2))]
    calls: list[dict[str, Any]] = [
        {"id": f"{name}_{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for at, (name, given) in enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3)))
    ]
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message |= {"tool_calls": calls, "tool_plan": draw(texts)}
    reason = draw(st.sampled_from(["COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL"]))
    usage = {
        "billed_units": {"input_tokens": 7, "output_tokens": 9},
        "tokens": {"input_tokens": 70, "output_tokens": 9},
    }
    whole = {"id": "c14", "finish_reason": reason, "message": message, "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message-start", "id": "c14", "delta": {"message": {"role": "assistant"}}}]
    if calls:
        events += [_said("tool-plan-delta", 0, tool_plan=piece) for piece in pieces(message["tool_plan"], 3)]
    for index, block in enumerate(content):
        events += _cohere_events(index, block, draw(st.integers(1, 9)))
    for index, call in enumerate(calls):
        started = {**call, "function": {**call["function"], "arguments": ""}}
        events.append(_said("tool-call-start", index, tool_calls=started))
        for piece in pieces(call["function"]["arguments"], draw(st.integers(1, 9))):
            events.append(_said("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}))
        events.append({"type": "tool-call-end", "index": index})
    events.append({"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}})
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Answer(json.dumps(whole).encode(), stream.encode())


def _said(kind: str, index: int, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


def _cohere_events(index: int, block: dict[str, Any], size: int) -> list[dict[str, Any]]:
    name = block["type"]
    deltas = [_said("content-delta", index, content={name: piece}) for piece in pieces(block[name], size)]
    begun = _said("content-start", index, content={"type": name, name: ""})
    return [begun, *deltas, {"type": "content-end", "index": index}]


@st.composite
def ollama_answers(draw: st.DrawFn) -> Answer:
    """An answer of Ollama's chats; its calls come whole."""
    said = {name: draw(st.one_of(st.just(""), texts)) for name in ("thinking", "content")}
    calls = [
        {"id": f"call_{at}", "function": {"name": name, "arguments": given}}
        for at, (name, given) in enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3)))
    ]
    counts = {"prompt_eval_count": 7, "eval_count": 9, "total_duration": 5}
    end = {"model": "llama-x", "done": True, "done_reason": draw(st.sampled_from(["stop", "length"])), **counts}
    whole = {**end, "message": {"role": "assistant", **said, "tool_calls": calls}}
    size = draw(st.integers(1, 9))
    lines: list[dict[str, Any]] = [{name: piece} for name, text in said.items() for piece in pieces(text, size)]
    lines += [{"content": "", "tool_calls": [call]} for call in calls]
    told = [{"model": "llama-x", "message": {"role": "assistant", **line}, "done": False} for line in lines]
    told.append({**end, "message": {"role": "assistant", "content": ""}})
    return Answer(json.dumps(whole).encode(), "".join(json.dumps(line) + "\n" for line in told).encode())


def _frame(name: str, **members: Any) -> bytes:
    return event_frame(name, json.dumps({**members, "p": "abc"}).encode())
