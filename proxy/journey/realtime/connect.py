"""upstream: open the session at its target, as one attempt."""

from proxy.core.ids import new_id
from proxy.core.money import ZERO
from proxy.core.outcome import Outcome
from proxy.journey.answer_headers import our_headers
from proxy.journey.dispatch import REQUEST_ID_HEADERS, failed_before_answer, mark_dispatched
from proxy.journey.realtime.client import ClientSocket
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.journey.tracing import new_span, passed_on
from proxy.upstream import (
    HandshakeRefused,
    SocketRequest,
    UpstreamFailed,
    UpstreamSocket,
    forwardable,
    relayable,
)
from proxy.wire.openai.realtime.asked import query_for

OF_HTTP = frozenset({b"accept", b"accept-encoding", b"content-type", b"content-encoding"})
OF_THE_HANDSHAKE = b"sec-websocket-"
OF_THE_BYTES = frozenset({b"content-length", b"content-encoding"})


async def connect(journey: Journey, client: ClientSocket, rooms: Rooms) -> UpstreamSocket | None:
    """Open the session; None where the provider refused it, which the client has been told in the provider's words.

    Raises:
        Refused: UPSTREAM_TIMEOUT, UPSTREAM_REFUSED or UPSTREAM_ERROR when no answer came.
    """
    if not journey.dispatched:
        await mark_dispatched(journey, rooms)
    attempt = begin(journey, rooms)
    try:
        upstream = await rooms.sockets.open(_request(journey, attempt, client))
    except HandshakeRefused as no:
        await _relay_refusal(journey, attempt, no, rooms)
        return None
    except UpstreamFailed as failure:
        refused = failed_before_answer(attempt, failure, rooms)
        journey.error = attempt.error
        raise refused from failure
    finally:
        journey.mark("upstream", rooms.clock.monotonic_ns())
    attempt.status = journey.status = 101
    attempt.provider_request_id = _request_id(upstream.headers)
    return upstream


def begin(journey: Journey, rooms: Rooms, model: str = "") -> Attempt:
    """An attempt at the session's target that has cost nothing yet: the session itself, or one response in it."""
    candidate = journey.candidate
    if candidate is None:
        raise RuntimeError("a session is opened before a target was selected")
    attempt = Attempt(
        id=new_id("att"),
        provider=journey.snapshot.providers[candidate.provider],
        sent_model=model or candidate.model,
        started_at_ns=rooms.clock.now_ns(),
        started_ns=rooms.clock.monotonic_ns(),
        cost=ZERO,
        list_cost=ZERO,
    )
    if journey.trace is not None:
        attempt.span_id = new_span()
    journey.attempts.append(attempt)
    return attempt


def _request(journey: Journey, attempt: Attempt, client: ClientSocket) -> SocketRequest:
    call = journey.call
    headers = [pair for pair in forwardable(call.raw_headers, attempt.provider) if pair[0] not in OF_HTTP]
    if journey.trace is not None:
        headers = passed_on(headers, journey.trace, attempt.span_id)
    return SocketRequest(
        provider=attempt.provider,
        path=call.path,
        query=query_for(call.query, journey.request.model, attempt.sent_model),
        headers=headers,
        subprotocols=client.subprotocols,
    )


async def _relay_refusal(journey: Journey, attempt: Attempt, no: HandshakeRefused, rooms: Rooms) -> None:
    attempt.ended_ns = rooms.clock.monotonic_ns()
    attempt.status = journey.status = no.status
    attempt.outcome = journey.outcome = Outcome.UPSTREAM_ERROR
    attempt.error = journey.error = f"http_{no.status}"
    attempt.provider_request_id = _request_id(no.headers)
    passing = relayable(no.headers)
    if len(no.body) < _told_length(no.headers):
        passing = [pair for pair in passing if pair[0] != b"content-encoding"]
    headers = [pair for pair in passing if pair[0] != b"content-length"]
    headers += [*our_headers(journey, rooms), (b"content-length", str(len(no.body)).encode())]
    await journey.exchange.answer(no.status, headers, no.body)


def _told_length(headers: list[tuple[bytes, bytes]]) -> int:
    return next((int(value) for name, value in headers if name == b"content-length" and value.isdigit()), 0)


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    return next((value.decode("latin-1")[:200] for name, value in headers if name in REQUEST_ID_HEADERS), "")


def answer_headers(journey: Journey, upstream: UpstreamSocket, rooms: Rooms) -> list[tuple[bytes, bytes]]:
    """What the client's handshake is answered with: the provider's headers that may pass, then ours."""
    passing = [pair for pair in relayable(upstream.headers) if not pair[0].startswith(OF_THE_HANDSHAKE)]
    kept = [pair for pair in passing if pair[0] not in OF_THE_BYTES]
    return kept + our_headers(journey, rooms)
