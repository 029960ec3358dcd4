"""The Anthropic dialect, put together."""

from typing import Final

from proxy.wire.anthropic.call_ids import without_call_ids
from proxy.wire.anthropic.countable import read_countable
from proxy.wire.anthropic.edit import asks_for_form, retarget, with_output_limit, without_tools
from proxy.wire.anthropic.errors import error_body, error_headers
from proxy.wire.anthropic.gate import answer_gate, tool_gate
from proxy.wire.anthropic.held_end import held_end
from proxy.wire.anthropic.policy_view import read_view
from proxy.wire.anthropic.request import read_request
from proxy.wire.anthropic.response import read_response, refused_event, truncated_event
from proxy.wire.anthropic.stream import StreamTap
from proxy.wire.anthropic.texts import texts_in
from proxy.wire.anthropic.tool_results import tool_results
from proxy.wire.anthropic.tool_schemas import request_tools
from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint


def _with_usage_flag(body: bytes) -> bytes:
    """Usage is told unasked."""
    return body


def _is_stream(endpoint: Endpoint, streamed: bool, media: bytes) -> bool:
    return media == b"text/event-stream" or (streamed and not media.endswith(b"json"))


ANTHROPIC: Final = Dialect(
    name="anthropic",
    gated=frozenset({Endpoint.MESSAGES}),
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
    stream_tap=StreamTap,
    read_response=read_response,
    tool_gate=tool_gate,
    answer_gate=answer_gate,
    held_end=held_end,
    truncated_event=truncated_event,
    refused_event=refused_event,
    ping=b": ping\n\n",
    error_body=error_body,
    error_headers=error_headers,
    request_id_headers=(b"x-request-id", b"request-id"),
)
