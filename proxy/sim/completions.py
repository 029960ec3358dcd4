"""Chat completions and the older completions: whole answers and streams."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from proxy.sim.answers import Answer, called
from proxy.sim.ask import Ask
from proxy.sim.bill import Used
from proxy.sim.events import DONE, Event, data_event
from proxy.wire.endpoint import Endpoint

Payload: TypeAlias = dict[str, Any]


def usage_of(used: Used, endpoint: Endpoint) -> Payload:
    """The usage object of this endpoint."""
    total = {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.output,
        "total_tokens": used.prompt + used.output,
    }
    if endpoint is Endpoint.EMBEDDINGS:
        return {"prompt_tokens": used.prompt, "total_tokens": used.prompt}
    if endpoint is Endpoint.COMPLETIONS:
        return total
    return {
        **total,
        "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": used.thinking,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def whole(ask: Ask, answers: Sequence[Answer], used: Used, answer_id: str, created: int) -> Payload:
    """An answer that is not streamed."""
    chat = ask.endpoint is Endpoint.CHAT
    choices = [
        _choice(index, one, answer_id) if chat else _text_choice(index, one) for index, one in enumerate(answers)
    ]
    body: Payload = {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{answer_id}",
        "object": "chat.completion" if chat else "text_completion",
        "created": created,
        "model": ask.model.name,
        "choices": choices,
        "usage": usage_of(used, ask.endpoint),
        "system_fingerprint": "fp_sim",
    }
    if chat:
        body["service_tier"] = "default"
    if ask.faults.no_usage:
        del body["usage"]
    return body


def stream(ask: Ask, answers: Sequence[Answer], used: Used, answer_id: str, created: int) -> Iterator[Event]:
    """The same answer as events: usage in a chunk of its own before the end, and only if it was asked for."""
    chat = ask.endpoint is Endpoint.CHAT
    frame: Payload = {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{answer_id}",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": created,
        "model": ask.model.name,
        "system_fingerprint": "fp_sim",
    }
    asked = ask.wants_usage and not ask.faults.no_usage
    extra: Payload = {"usage": None} if asked else {}
    for index, one in enumerate(answers):
        deltas = _chat_deltas(index, one, answer_id) if chat else _text_deltas(index, one)
        for choice, tokens in deltas:
            yield data_event({**frame, "choices": [choice], **extra}, tokens)
    if asked:
        yield data_event({**frame, "choices": [], "usage": usage_of(used, ask.endpoint)})
    yield Event(DONE)


def _choice(index: int, one: Answer, answer_id: str) -> Payload:
    message: Payload = {"role": "assistant", "content": one.text, "refusal": None, "annotations": []}
    if one.tool is not None:
        message |= {"content": None, "tool_calls": [called(one.tool, one, _call_id(answer_id, index))]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": one.finish_reason}


def _text_choice(index: int, one: Answer) -> Payload:
    return {"text": one.text, "index": index, "logprobs": None, "finish_reason": one.finish_reason}


def _chat_deltas(index: int, one: Answer, answer_id: str) -> Iterator[tuple[Payload, int]]:
    opening: Payload = {"role": "assistant", "content": "", "refusal": None}
    if one.tool is not None:
        call = called(one.tool, Answer((), 0, ""), _call_id(answer_id, index))
        opening = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call}], "refusal": None}
    yield _delta(index, opening), one.thinking
    for piece in one.pieces:
        said: Mapping[str, Any] = {"content": piece}
        if one.tool is not None:
            said = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        yield _delta(index, said), 1
    yield _delta(index, {}, one.finish_reason), 0


def _delta(index: int, delta: Mapping[str, Any], finish_reason: str | None = None) -> Payload:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _text_deltas(index: int, one: Answer) -> Iterator[tuple[Payload, int]]:
    for piece in one.pieces:
        yield {"text": piece, "index": index, "logprobs": None, "finish_reason": None}, 1
    yield {"text": "", "index": index, "logprobs": None, "finish_reason": one.finish_reason}, 0


def _call_id(answer_id: str, index: int) -> str:
    return f"call_{answer_id[-20:]}{index}"
