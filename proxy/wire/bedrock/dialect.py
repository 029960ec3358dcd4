"""AWS Bedrock's dialect, put together."""

from typing import Final

from proxy.wire.bedrock.call_ids import without_call_ids
from proxy.wire.bedrock.countable import read_countable
from proxy.wire.bedrock.edit import asks_for_form, retarget, with_output_limit, with_usage_flag
from proxy.wire.bedrock.errors import error_body, error_headers, refused_event, truncated_event
from proxy.wire.bedrock.gate import answer_gate, tool_gate
from proxy.wire.bedrock.held_end import held_end
from proxy.wire.bedrock.policy_view import read_view
from proxy.wire.bedrock.request import read_request
from proxy.wire.bedrock.response import read_response
from proxy.wire.bedrock.stream import BedrockTap
from proxy.wire.bedrock.texts import texts_in
from proxy.wire.bedrock.tool_results import tool_results
from proxy.wire.bedrock.tools import request_tools, without_tools
from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint

MEDIA: Final = b"application/vnd.amazon.eventstream"


def _is_stream(endpoint: Endpoint, streamed: bool, media: bytes) -> bool:
    return media == MEDIA or (streamed and not media)


BEDROCK: Final = Dialect(
    name="bedrock",
    gated=frozenset({Endpoint.CONVERSE, Endpoint.INVOKE}),
    read_request=read_request,
    retarget=retarget,
    with_usage_flag=with_usage_flag,
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
    stream_tap=BedrockTap,
    read_response=read_response,
    tool_gate=tool_gate,
    answer_gate=answer_gate,
    held_end=held_end,
    truncated_event=truncated_event,
    refused_event=refused_event,
    # A frame that no SDK knows would be handed to its user.
    ping=b"",
    error_body=error_body,
    error_headers=error_headers,
)
