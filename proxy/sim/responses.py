"""The responses endpoint: the response object, and the events it is told in."""

from collections.abc import Iterator
from typing import Any, Final

from proxy.sim.answers import Answer
from proxy.sim.ask import Ask
from proxy.sim.bill import Used
from proxy.sim.completions import Payload
from proxy.sim.events import Event, named_event

_ECHOED: Final[Payload] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def whole(ask: Ask, one: Answer, used: Used, answer_id: str, created: int) -> Payload:
    """A finished response."""
    ended = "incomplete" if one.finish_reason == "length" else "completed"
    body = _response(ask, answer_id, created, ended)
    body["output"] = [item for item in (_thought(one, answer_id), _item(one, answer_id, ended)) if item]
    body["usage"] = None if ask.faults.no_usage else _usage(used)
    if ended == "incomplete":
        body["incomplete_details"] = {"reason": "max_output_tokens"}
    else:
        body["completed_at"] = created
    return body


def stream(ask: Ask, one: Answer, used: Used, answer_id: str, created: int) -> Iterator[Event]:
    """The same response as numbered events, the whole of it in the last one."""
    for number, (payload, tokens) in enumerate(_story(ask, one, used, answer_id, created)):
        yield named_event({**payload, "sequence_number": number}, tokens)


def error_event(sequence_number: int) -> Event:
    """What the endpoint says when it breaks down half way."""
    error = {"type": "error", "code": "server_error", "message": "The server had an error.", "param": None}
    return named_event({**error, "sequence_number": sequence_number})


def _story(ask: Ask, one: Answer, used: Used, answer_id: str, created: int) -> Iterator[tuple[Payload, int]]:
    for kind in ("response.created", "response.in_progress"):
        yield {"type": kind, "response": _response(ask, answer_id, created, "in_progress")}, 0
    thought = _thought(one, answer_id)
    if thought:
        yield {"type": "response.output_item.added", "output_index": 0, "item": thought}, one.thinking
        yield {"type": "response.output_item.done", "output_index": 0, "item": thought}, 0
    yield from _told(one, answer_id, 1 if thought else 0)
    done = whole(ask, one, used, answer_id, created)
    yield {"type": f"response.{done['status']}", "response": done}, 0


def _told(one: Answer, answer_id: str, place: int) -> Iterator[tuple[Payload, int]]:
    """One output item: opened, told piece by piece, closed."""
    item = _item(one, answer_id, "completed")
    calls = one.tool is not None
    where: Payload = {"item_id": item["id"], "output_index": place} | ({} if calls else {"content_index": 0})
    kind = "response.function_call_arguments" if calls else "response.output_text"
    emptied: Payload = {"arguments": ""} if calls else {"content": []}
    added = {**item, "status": "in_progress", **emptied}
    yield {"type": "response.output_item.added", "output_index": place, "item": added}, 0
    if not calls:
        yield {"type": "response.content_part.added", **where, "part": _part("")}, 0
    logs: Payload = {} if calls else {"logprobs": []}
    for piece in one.pieces:
        yield {"type": f"{kind}.delta", **where, "delta": piece, **logs}, 1
    if calls:
        yield {"type": f"{kind}.done", **where, "arguments": one.text, "name": one.tool}, 0
    else:
        yield {"type": f"{kind}.done", **where, "text": one.text, **logs}, 0
        yield {"type": "response.content_part.done", **where, "part": _part(one.text)}, 0
    yield {"type": "response.output_item.done", "output_index": place, "item": item}, 0


def _response(ask: Ask, answer_id: str, created: int, status: str) -> Payload:
    echoed = {name: ask.body.get(name, usual) for name, usual in _ECHOED.items()}
    return {
        "id": f"resp_{answer_id}",
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": ask.model.name,
        "output": [],
        "service_tier": "default",
        "usage": None,
        **echoed,
    }


def _thought(one: Answer, answer_id: str) -> Payload | None:
    return {"id": f"rs_{answer_id}", "type": "reasoning", "summary": []} if one.thinking else None


def _item(one: Answer, answer_id: str, status: str) -> Payload:
    if one.tool is not None:
        call: Payload = {"id": f"fc_{answer_id}", "type": "function_call", "status": status}
        return {**call, "call_id": f"call_{answer_id[-20:]}", "name": one.tool, "arguments": one.text}
    message: Payload = {"id": f"msg_{answer_id}", "type": "message", "status": status, "role": "assistant"}
    return {**message, "content": [_part(one.text)]}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _usage(used: Used) -> Payload:
    return {
        "input_tokens": used.prompt,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.thinking},
        "total_tokens": used.prompt + used.output,
    }
