"""A batch's files: a request to a line going in, an answer to a line coming out."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.core.refusal import Refusal, Refused
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.facts import RequestFacts
from proxy.wire.openai.request import read_request

BATCH_TIER: Final = "batch"
"""What price books call the price of work in batches."""

HELD_FOR: Final = (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.EMBEDDINGS)
"""What is priced by the token, so that a line's worst case can be told."""


class _Asked(Struct):
    url: str = ""
    body: Raw = Raw(b"")


class _Body(Struct):
    model: str | None = None
    usage: Raw = Raw(b"")


class _Response(Struct):
    body: _Body | None = None


class _Answered(Struct):
    response: _Response | None = None


class BatchLine(Struct, frozen=True):
    """One request of a batch."""

    endpoint: Endpoint
    body: bytes
    facts: RequestFacts


def read_line(line: bytes) -> BatchLine | None:
    """One line of an input file; None for an empty one.

    Raises:
        Refused: INVALID_REQUEST for what is no request of an endpoint that is priced.
    """
    if not line.strip():
        return None
    try:
        asked = msgspec.json.decode(line, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Refusal.INVALID_REQUEST, "A line of the batch's input file is not well-formed JSON.") from error
    endpoint = PATHS.get(asked.url.removeprefix("/v1"))
    if endpoint not in HELD_FOR:
        raise Refused(
            Refusal.CAPABILITY_MISSING,
            f"What {asked.url[:100]!r} costs in a batch cannot be told; batches of {', '.join(HELD_FOR)} are held for.",
            param="input_file_id",
        )
    body = bytes(asked.body)
    return BatchLine(endpoint, body, read_request(endpoint, body))


def line_usage(line: bytes) -> tuple[str, bytes] | None:
    """Model and usage of one line of an output file; None for a line that used nothing."""
    if not line.strip():
        return None
    try:
        answered = msgspec.json.decode(line, type=_Answered)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    body = None if answered.response is None else answered.response.body
    if body is None:
        return None
    usage = bytes(body.usage)
    return (body.model or "", usage) if usage[:1] == b"{" and len(usage) > 2 else None
