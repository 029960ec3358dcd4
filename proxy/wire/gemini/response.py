"""Reads a whole answer, and writes the event we may have to add to a stream: that it ends in an error, and why."""

from typing import Final

import msgspec
from msgspec import Raw

from proxy.core.refusal import Refusal, Refused
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import UnaryFacts
from proxy.wire.gemini.answers import MAX_ERROR_BYTES, Tally, is_object, read_answer, tier_of
from proxy.wire.gemini.errors import error_body

Headers = list[tuple[bytes, bytes]]
_AS_LIST: Final = Endpoint.GENERATE_CONTENT_LIST


def read_response(endpoint: Endpoint, body: bytes, headers: Headers) -> UnaryFacts:
    """The facts of an inflated answer; a body that cannot be read has none."""
    answer = read_answer(_first_of_list(body) if body.lstrip().startswith(b"[") else body)
    if answer is None:
        return UnaryFacts()
    facts, tally = UnaryFacts(model=answer.modelVersion, finish_reason=answer.finish_reason), Tally()
    for candidate in answer.candidates or ():
        tally.add(candidate)
    if is_object(answer.usageMetadata):
        facts.raw_usage = bytes(answer.usageMetadata)
        facts.service_tier = tier_of(facts.raw_usage)
    facts.tool_calls, facts.tool_call_count = tally.fees(answer.modelVersion), tally.calls
    facts.tools = tally.tools
    facts.output_chars, facts.delivered = tally.output.chars, tally.output.texts
    if is_object(answer.error):
        facts.is_error = True
        facts.error = bytes(answer.error)[:MAX_ERROR_BYTES]
    return facts


def _first_of_list(body: bytes) -> bytes:
    """The error of a stream that was asked for as an array is wrapped in an array of one."""
    try:
        parts = msgspec.json.decode(body, type=list[Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""
    return bytes(parts[0]) if parts else b""


def truncated_event(endpoint: Endpoint, operation: str, message: str) -> bytes:
    """The in-band error for a stream that its provider stopped early; to be sent only where `Tap.between_events`."""
    return refused_event(endpoint, operation, Refused(Refusal.UPSTREAM_TRUNCATED, message))


def refused_event(endpoint: Endpoint, operation: str, refused: Refused) -> bytes:
    """A refusal as the in-band error that ends a stream; of an array it is the last element, after others."""
    error = error_body(refused, operation)
    return b",%b]" % error if endpoint is _AS_LIST else b"data: %b\n\n" % error
