"""Reads a whole answer, and writes the event we may have to add to a stream: that it ends in an error, and why."""

from typing import Final

import msgspec

from proxy.core.refusal import Refusal, Refused
from proxy.wire.anthropic.errors import error_value
from proxy.wire.anthropic.events import pieces_of, read_message
from proxy.wire.dialect import RawHeaders
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import UnaryFacts, and_tool
from proxy.wire.output_text import OutputText

_MAX_ERROR_BYTES: Final = 64 * 1024


def read_response(endpoint: Endpoint, body: bytes, headers: RawHeaders) -> UnaryFacts:
    """The facts of an inflated answer; a body that cannot be read has none."""
    message = read_message(body)
    if message is None:
        return UnaryFacts()
    facts = UnaryFacts(model=message.model or None, finish_reason=message.stop_reason)
    told = bytes(message.usage)
    facts.raw_usage = told if told[:1] == b"{" and len(told) > 2 else None
    if message.type == "error":
        facts.is_error, facts.error = True, (bytes(message.error) or body)[:_MAX_ERROR_BYTES]
    output = OutputText()
    for block in message.content or ():
        if block.type == "tool_use":
            facts.tool_call_count += 1
            facts.tools = and_tool(facts.tools, block.name)
        for text in pieces_of(block):
            output.add(text)
    facts.output_chars, facts.delivered = output.chars, output.texts
    return facts


def truncated_event(endpoint: Endpoint, operation: str, message: str) -> bytes:
    """The in-band error for a stream that its provider stopped early.

    To be sent only where `StreamTap.between_events`; within an event nothing can be added that a client could read.
    """
    return refused_event(endpoint, operation, Refused(Refusal.UPSTREAM_TRUNCATED, message))


def refused_event(endpoint: Endpoint, operation: str, refused: Refused) -> bytes:
    """A refusal as the in-band error that ends a stream."""
    return b"event: error\ndata: " + msgspec.json.encode(error_value(refused, operation)) + b"\n\n"
