"""Reads a whole answer: Converse's, any model's own, or an error."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.wire.bedrock.endings import TIER_HEADER, reason_in, usage_in, usage_of_headers, written
from proxy.wire.bedrock.fields import child, text
from proxy.wire.bedrock.output import calls_in, said_in
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import UnaryFacts, and_tool
from proxy.wire.output_text import OutputText

_MAX_ERROR_BYTES: Final = 64 * 1024
_TOOL: Final = b"tool"
"""Stands in every name that calls have; where it does not, and no letter is escaped, there are none to look for."""
_ESCAPED: Final = b"\\u00"
_ERROR_TYPE: Final = b"x-amzn-errortype"


def read_response(endpoint: Endpoint, body: bytes, headers: list[tuple[bytes, bytes]]) -> UnaryFacts:
    """The facts of an inflated answer; a body that cannot be read has those that its headers tell. Never raises."""
    facts = UnaryFacts()
    fields = _fields(body)
    usage = usage_in(fields) or usage_of_headers(headers)
    if usage:
        facts.raw_usage = written(usage)
    tier = next((value for name, value in headers if name == TIER_HEADER), b"").decode("latin-1")
    facts.service_tier = text(child(fields, "serviceTier").get("type")) or tier or None
    facts.finish_reason = reason_in(fields)
    if any(name == _ERROR_TYPE for name, _ in headers):
        facts.is_error, facts.error = True, body[:_MAX_ERROR_BYTES]
    output = OutputText()
    for piece in said_in(fields):
        output.add(piece)
    facts.output_chars, facts.delivered = output.chars, output.texts
    if _TOOL in body or _ESCAPED in body:
        for name in calls_in(fields):
            facts.tool_call_count += 1
            facts.tools = and_tool(facts.tools, name)
    return facts


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
