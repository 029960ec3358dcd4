"""What a journey asks of the dialect that its client speaks: one object a dialect, made in that dialect's folder."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from proxy.core.refusal import Refused
from proxy.wire.countable import Countable
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut, RequestFacts, StreamFacts, UnaryFacts
from proxy.wire.gate import AnswerGate, ToolGate
from proxy.wire.held_end import HeldEnd
from proxy.wire.policy_view import PolicyView
from proxy.wire.texts import Texts
from proxy.wire.tool_results import ToolResult
from proxy.wire.tool_schemas import RequestTools

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


class Tap(Protocol):
    """Reads a stream on its way through: what is fed is forwarded, and read."""

    facts: StreamFacts

    @property
    def between_events(self) -> bool:
        """Whether what was forwarded so far ends with a whole event, so that another may be put in."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; the bytes to forward now. Never raises, whatever the bytes are."""
        ...

    def close(self) -> bytes:
        """Read what is left at the end of the stream; the bytes to forward."""
        ...

    def ending(self, cut: Cut) -> bytes:
        """The events that end a stream which we cut; to be sent only where `between_events`."""
        ...


def _as_it_is(base_url: str, path: str) -> str:
    return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How one dialect is read, changed in place and answered. `body` is a request's, and has passed `read_request`.

    - `read_request(endpoint, path, body)`: what is asked for; raises Refused INVALID_REQUEST.
    - `retarget(path, body, model)`: path and body for the same call to another model.
    - `with_output_limit(endpoint, body, limit, new_name=…)`: no output limit above this one; `new_name` is what one is
      called where the dialect has several names and the body gives none.
    - `asks_for_form(body)`: whether an answer that is cut short would be of no use.
    - `without_tools(body, names)`; `without_call_ids(endpoint, body)`.
    - `texts_in`, `read_view`, `tool_results`, `read_countable` (endpoint, body): what is said, for detectors, rules and
      counting; `request_tools(body)`.
    - `is_stream(endpoint, streamed, media)`: whether a good answer of that content type (lower case, without
      parameters, empty where none is told) is a stream.
    - `stream_tap(endpoint, strip_usage=…)`, `read_response(endpoint, body, headers)`: what an answer tells; `body`
      inflated. Never raise.
    - `tool_gate(endpoint, observes=…)`, `answer_gate(endpoint, body)`, `held_end(endpoint)`.
    - `truncated_event`, `refused_event` (endpoint, operation, what): the in-band error that ends a stream.
    - `ping`: what may be sent between events of a silent stream; empty where nothing may.
    - `under(base_url, path)`: a path as it continues a provider's base URL (without a slash at its end).
    - `error_body(refused, operation)`, `error_headers(refused)`: a refusal as an answer.
    """

    name: str
    gated: frozenset[Endpoint]
    """Endpoints whose answers may hold tool calls."""
    read_request: Callable[[Endpoint, str, bytes], RequestFacts]
    retarget: Callable[[str, bytes, str], tuple[str, bytes]]
    with_usage_flag: Callable[[bytes], bytes]
    with_output_limit: "LimitOutput"
    asks_for_form: Callable[[bytes], bool]
    without_tools: Callable[[bytes, Collection[str]], bytes]
    without_call_ids: Callable[[Endpoint, bytes], bytes]
    texts_in: Callable[[Endpoint, bytes], Texts]
    read_view: Callable[[Endpoint, bytes], PolicyView]
    tool_results: Callable[[Endpoint, bytes], list[ToolResult]]
    request_tools: Callable[[bytes], RequestTools]
    read_countable: Callable[[Endpoint, bytes], Countable]
    is_stream: Callable[[Endpoint, bool, bytes], bool]
    stream_tap: "MakeTap"
    read_response: Callable[[Endpoint, bytes, RawHeaders], UnaryFacts]
    tool_gate: "MakeGate"
    answer_gate: Callable[[Endpoint, bytes], AnswerGate]
    held_end: Callable[[Endpoint], HeldEnd]
    truncated_event: Callable[[Endpoint, str, str], bytes]
    refused_event: Callable[[Endpoint, str, Refused], bytes]
    ping: bytes
    error_body: Callable[[Refused, str | None], bytes]
    error_headers: Callable[[Refused], Sequence[tuple[bytes, bytes]]]
    request_id_headers: tuple[bytes, ...] = (b"x-request-id",)
    """Under which names a client looks for the id of an answer of our own."""
    under: Callable[[str, str], str] = _as_it_is


class LimitOutput(Protocol):
    """See `Dialect.with_output_limit`."""

    def __call__(self, endpoint: Endpoint, body: bytes, limit: int, *, new_name: str) -> bytes: ...


class MakeTap(Protocol):
    """See `Dialect.stream_tap`."""

    def __call__(self, endpoint: Endpoint, *, strip_usage: bool) -> Tap: ...


class MakeGate(Protocol):
    """See `Dialect.tool_gate`."""

    def __call__(self, endpoint: Endpoint, *, observes: bool = ...) -> ToolGate: ...
