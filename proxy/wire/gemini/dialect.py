"""The Gemini dialect, put together."""

from typing import Final

from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.call_ids import without_call_ids
from proxy.wire.gemini.countable import read_countable
from proxy.wire.gemini.edit import asks_for_form, retarget, with_output_limit
from proxy.wire.gemini.errors import error_body, error_headers
from proxy.wire.gemini.gate import answer_gate, tool_gate
from proxy.wire.gemini.held_end import held_end
from proxy.wire.gemini.paths import under
from proxy.wire.gemini.policy_view import read_view
from proxy.wire.gemini.request import read_request
from proxy.wire.gemini.response import read_response, refused_event, truncated_event
from proxy.wire.gemini.stream import GeminiTap
from proxy.wire.gemini.texts import texts_in
from proxy.wire.gemini.tool_results import tool_results
from proxy.wire.gemini.tool_schemas import request_tools
from proxy.wire.gemini.tools import without_tools


def _with_usage_flag(body: bytes) -> bytes:
    """Nothing is asked for: every chunk tells the usage so far."""
    return body


def _is_stream(endpoint: Endpoint, streamed: bool, media: bytes) -> bool:
    if not streamed:
        return False
    return endpoint is Endpoint.GENERATE_CONTENT_LIST or not media.endswith(b"json")


GEMINI: Final = Dialect(
    name="gemini",
    gated=frozenset({Endpoint.GENERATE_CONTENT, Endpoint.GENERATE_CONTENT_LIST}),
    read_request=read_request,
    retarget=retarget,
    with_usage_flag=_with_usage_flag,
    with_output_limit=with_output_limit,
    asks_for_form=asks_for_form,
    without_tools=without_tools,
    without_call_ids=without_call_ids,
    texts_in=texts_in,
    read_view=read_view,
    tool_results=tool_results,
    request_tools=request_tools,
    read_countable=read_countable,
    is_stream=_is_stream,
    stream_tap=GeminiTap,
    read_response=read_response,
    tool_gate=tool_gate,
    answer_gate=answer_gate,
    held_end=held_end,
    truncated_event=truncated_event,
    refused_event=refused_event,
    ping=b": ping\n\n",
    error_body=error_body,
    error_headers=error_headers,
    under=under,
)
