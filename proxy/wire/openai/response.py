"""Reads a whole answer, and writes the event we may have to add to a stream: that it ends in an error, and why."""

from typing import Final

import msgspec
from msgspec import Raw

from proxy.core.refusal import Refusal, Refused
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import UnaryFacts, and_tool
from proxy.wire.openai.events import (
    Choice,
    Chunk,
    CustomPart,
    FunctionPart,
    ResponseBody,
    is_told,
    read_chunk,
    read_response_body,
)
from proxy.wire.openai.fingerprint import fingerprint_in
from proxy.wire.openai.items import ContentPart, ItemTally
from proxy.wire.openai.output import is_plain, pieces_of
from proxy.wire.output_text import OutputText

_MAX_ERROR_BYTES: Final = 64 * 1024
_RESPONSES: Final = Endpoint.RESPONSES


def read_response(endpoint: Endpoint, body: bytes) -> UnaryFacts:
    """The facts of an inflated answer; a body that cannot be read has none."""
    if endpoint is _RESPONSES:
        response = read_response_body(body)
        return UnaryFacts() if response is None else _of_response(response)
    chunk = read_chunk(body) or read_chunk(_first_of_array(body))
    if chunk is None:
        return UnaryFacts()
    facts = _of_chunk(chunk)
    facts.fingerprint = fingerprint_in(body)
    return facts


def _first_of_array(body: bytes) -> bytes:
    """Gemini's compatibility layer wraps an error in an array of one."""
    if not body.lstrip().startswith(b"["):
        return b""
    try:
        parts = msgspec.json.decode(body, type=list[Raw])
    except (msgspec.MsgspecError, RecursionError):
        return b""
    return bytes(parts[0]) if parts else b""


def truncated_event(endpoint: Endpoint, operation: str, message: str) -> bytes:
    """The in-band error for a stream that its provider stopped early, as that endpoint's SDKs read it.

    To be sent only where `StreamTap.between_events`; within an event nothing can be added that a client could read.
    """
    return refused_event(endpoint, operation, Refused(Refusal.UPSTREAM_TRUNCATED, message))


def refused_event(endpoint: Endpoint, operation: str, refused: Refused) -> bytes:
    """A refusal as the in-band error that ends a stream, as that endpoint's SDKs read it."""
    why, message = refused.why, refused.message
    facts = {"operation": operation, **refused.facts}
    error = {"message": message, "type": why.error_type, "param": None, "code": why.code, "flyball": facts}
    if endpoint is _RESPONSES:
        # The reference writes the error flat; the SDKs raise on a nested one only.
        told = {
            "type": "error",
            "code": why.code,
            "message": message,
            "param": None,
            "sequence_number": 0,
            "error": error,
        }
        return b"event: error\ndata: " + msgspec.json.encode(told) + b"\n\n"
    return b"data: " + msgspec.json.encode({"error": error}) + b"\n\n"


def _of_chunk(chunk: Chunk) -> UnaryFacts:
    facts = UnaryFacts(model=chunk.model or None, service_tier=chunk.service_tier)
    facts.raw_usage = _usage(chunk.usage) or (None if chunk.x_groq is None else _usage(chunk.x_groq.usage))
    _tell_error(facts, chunk.error)
    output = OutputText()
    for choice in chunk.choices or ():
        _read_choice(facts, output, choice)
    _tell_output(facts, output)
    return facts


def _read_choice(facts: UnaryFacts, output: OutputText, choice: Choice) -> None:
    if choice.finish_reason is not None:
        facts.finish_reason = choice.finish_reason
    message = choice.message or choice.delta
    if message is None:
        if choice.text:
            output.add(choice.text)
        return
    if type(message.content) is str and is_plain(message):
        output.add(message.content)
    else:
        for text in pieces_of(message):
            output.add(text)
    for call in message.tool_calls or ():
        _note_call(facts, call.function or call.custom)
    if message.function_call is not None:
        _note_call(facts, message.function_call)


def _note_call(facts: UnaryFacts, named: FunctionPart | CustomPart | None) -> None:
    facts.tool_call_count += 1
    facts.tools = and_tool(facts.tools, None if named is None else named.name)


def _of_response(response: ResponseBody) -> UnaryFacts:
    facts = UnaryFacts(model=response.model or None, service_tier=response.service_tier)
    facts.raw_usage = _usage(response.usage)
    facts.finish_reason = response.finish
    _tell_error(facts, response.error)
    tally = ItemTally(response.output or ())
    facts.tool_calls, facts.tool_call_count, facts.tools = tally.fees, tally.calls, tally.tools
    output = OutputText()
    for item in response.output or ():
        for text in (item.name, item.arguments, item.input):
            if text:
                output.add(text)
        _add_parts(output, item.content)
        _add_parts(output, item.summary)
    _tell_output(facts, output)
    return facts


def _add_parts(output: OutputText, parts: list[ContentPart] | None) -> None:
    for part in parts or ():
        if part.text:
            output.add(part.text)
        if part.refusal:
            output.add(part.refusal)


def _tell_output(facts: UnaryFacts, output: OutputText) -> None:
    facts.output_chars = output.chars
    facts.delivered = output.texts


def _tell_error(facts: UnaryFacts, error: Raw) -> None:
    if is_told(error):
        facts.is_error = True
        facts.error = bytes(error)[:_MAX_ERROR_BYTES]


def _usage(raw: Raw) -> bytes | None:
    told = bytes(raw)
    return told if told[:1] == b"{" and len(told) > 2 else None
