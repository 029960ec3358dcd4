"""The OpenAI dialect, put together."""

from typing import Final

from proxy.wire.dialect import Dialect, RawHeaders, Tap
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.facts import RequestFacts, UnaryFacts
from proxy.wire.openai.call_ids import without_call_ids
from proxy.wire.openai.countable import read_countable
from proxy.wire.openai.edit import asks_for_form, with_model, with_output_limit, with_usage_flag
from proxy.wire.openai.errors import error_body, error_headers
from proxy.wire.openai.gate import answer_gate, tool_gate
from proxy.wire.openai.held_end import held_end
from proxy.wire.openai.media.request import form_as_json, is_form, with_media_model
from proxy.wire.openai.media.response import read_media_response
from proxy.wire.openai.media.stream import MediaTap
from proxy.wire.openai.policy_view import read_view
from proxy.wire.openai.request import read_request
from proxy.wire.openai.response import read_response, refused_event, truncated_event
from proxy.wire.openai.stream import StreamTap
from proxy.wire.openai.texts import texts_in
from proxy.wire.openai.tool_results import tool_results
from proxy.wire.openai.tool_schemas import request_tools
from proxy.wire.openai.tools import without_tools
from proxy.wire.policy_view import PolicyView
from proxy.wire.texts import Texts


def _read_request(endpoint: Endpoint, path: str, body: bytes) -> RequestFacts:
    return read_request(endpoint, body)


def _retarget(path: str, body: bytes, model: str) -> tuple[str, bytes]:
    endpoint = PATHS.get(path)
    if endpoint is not None and endpoint.is_media:
        return path, with_media_model(body, model)
    return path, with_model(body, model)


def _is_stream(endpoint: Endpoint, streamed: bool, media: bytes) -> bool:
    """Some servers call their streams plain text."""
    return media == b"text/event-stream" or (streamed and not endpoint.is_media and not media.endswith(b"json"))


def _read_response(endpoint: Endpoint, body: bytes, headers: RawHeaders) -> UnaryFacts:
    return read_media_response(body) if endpoint.is_media else read_response(endpoint, body)


def _stream_tap(endpoint: Endpoint, *, strip_usage: bool) -> Tap:
    return MediaTap(endpoint) if endpoint.is_media else StreamTap(endpoint, strip_usage=strip_usage)


def _texts_in(endpoint: Endpoint, body: bytes) -> Texts:
    """A form's texts are no JSON strings, so that none can be changed there; who must look through it is told so."""
    return Texts((), 1) if endpoint.is_media and is_form(body) else texts_in(endpoint, body)


def _read_view(endpoint: Endpoint, body: bytes) -> PolicyView:
    return read_view(endpoint, form_as_json(body) if endpoint.is_media and is_form(body) else body)


OPENAI: Final = Dialect(
    name="openai",
    gated=frozenset({Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.REALTIME}),
    read_request=_read_request,
    retarget=_retarget,
    with_usage_flag=with_usage_flag,
    with_output_limit=with_output_limit,
    asks_for_form=asks_for_form,
    without_tools=without_tools,
    without_call_ids=without_call_ids,
    texts_in=_texts_in,
    read_view=_read_view,
    tool_results=tool_results,
    request_tools=request_tools,
    read_countable=read_countable,
    is_stream=_is_stream,
    stream_tap=_stream_tap,
    read_response=_read_response,
    tool_gate=tool_gate,
    answer_gate=answer_gate,
    held_end=held_end,
    truncated_event=truncated_event,
    refused_event=refused_event,
    ping=b": ping\n\n",
    error_body=error_body,
    error_headers=error_headers,
)
