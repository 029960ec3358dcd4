"""What is never kept in a cache nor answered from one, whatever the settings say (docs/cache.md)."""

import re
from typing import Final

from proxy.core.outcome import Outcome
from proxy.journey.state import Journey
from proxy.wire.endpoint import Endpoint

EMBEDDINGS: Final = frozenset({Endpoint.EMBEDDINGS, Endpoint.EMBED_CONTENT, Endpoint.BATCH_EMBED_CONTENTS})
CLEAN_ENDS: Final = frozenset({"stop", "end_turn", "stop_sequence", "completed", "STOP", "COMPLETE", "FINISH"})
"""How a whole answer ends: not cut off, not refused, not by a call of a tool."""
_WHOLE: Final = frozenset({Outcome.OK, Outcome.CANCELLED})
"""One whose client has left may still have come whole: its end tells."""
# Within a JSON text a quote has a backslash before it, so these are members and never what somebody wrote.
_TOOLS: Final = re.compile(
    rb'"(?:tool_calls|tool_call_id|function_call|functionCall|function_call_output|functionResponse|function_response'
    rb'|toolUse|toolResult|tool_use_id)"\s*:'
    rb'|"(?:type|role)"\s*:\s*"(?:tool|tool_use|tool_result|function_call|function_call_output|[a-z_]+_call'
    rb'|[a-z_]+_call_output|server_tool_use|mcp_[a-z_]+|[a-z_]+_tool_result)"'
    rb'|"role"\s*:\s*"function"'
)
_EMPTY: Final = re.compile(
    rb'"(?:content|contents|messages|parts|text|input|inputs|inputText|prompt)"\s*:\s*'
    rb'(?:"(?:\s|\\[nrt])*"|\[\s*\]|null)'
)
_MAY_BE_EMPTY: Final = re.compile(rb':\s*(?:"[\s\\nrt]*"|\[\s*\]|null)')
"""Any member that is empty: found in few bodies, and in a fifth of the time."""
_EMPTY_ITEM: Final = re.compile(rb'[\[,]\s*"(?:\s|\\[nrt])*"\s*[,\]]')
_ESCAPED_LETTER: Final = re.compile(rb"\\u00(?:[46][1-9a-fA-F]|[57][0-9aAfF])")
"""A letter that nobody has to escape, so that a member's name could hide behind it."""


def kept_from(journey: Journey) -> str:
    """Why the request's facts alone keep it from any cache; empty where they do not. Cheap: it reads no text."""
    facts = journey.request
    if facts.choices != 1:
        return "choices"
    if facts.hosted_tools:
        return "hosted_tools"
    if facts.stateful or facts.stores or facts.in_background:
        return "state"
    if journey.no_cache:
        return "policy"
    if journey.resolution is not None:
        providers = journey.snapshot.providers
        for each in journey.resolution.candidates:
            if providers[each.provider].passes_credentials:
                return "credentials"
    return ""


def said_never(endpoint: Endpoint, body: bytes) -> str:
    """Why what a request says keeps it from any cache; empty where it does not.

    Tool calls and results in its history, and texts that are empty, which would all be alike.
    """
    if b"\\u00" in body and _ESCAPED_LETTER.search(body):
        return "escapes"
    if endpoint in EMBEDDINGS:
        return "empty" if _EMPTY.search(body) or _EMPTY_ITEM.search(body) else ""
    if (b"ool" in body or b"_call" in body or b"unction" in body) and _TOOLS.search(body):
        return "tools"
    return "empty" if _MAY_BE_EMPTY.search(body) and _EMPTY.search(body) else ""


def is_clean(journey: Journey) -> bool:
    """Whether the answer came whole, of its own end, with no call of a tool in it, and to the request as it was looked
    for."""
    if journey.outcome not in _WHOLE or journey.code or len(journey.attempts) == 0:
        return False
    last = journey.attempts[-1]
    if last.outcome not in _WHOLE or last.error or last.status != 200 or last.tool_call_count:
        return False
    return last.finish_reason in CLEAN_ENDS or journey.call.endpoint in EMBEDDINGS
