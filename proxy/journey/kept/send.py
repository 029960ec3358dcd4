"""upstream: send a carried call as it is, to the provider that has what it names."""

from proxy.core.outcome import Outcome
from proxy.journey.dispatch import begin_attempt, failed_before_answer, mark_dispatched, note_headers
from proxy.journey.kept.passage import Passage
from proxy.journey.rooms import Rooms
from proxy.journey.tracing import passed_on
from proxy.upstream import UpstreamFailed, UpstreamRequest, UpstreamResponse, forwardable
from proxy.wire.openai.edit import with_model


async def send(passage: Passage, rooms: Rooms) -> UpstreamResponse:
    """Send the request, its body as it comes where it is a file; returns once the answer's headers are in.

    Raises:
        Refused: UPSTREAM_TIMEOUT, UPSTREAM_REFUSED or UPSTREAM_ERROR when no answer came; what is wrong with a body
            that was still coming.
    """
    journey = passage.journey
    if not journey.dispatched:
        await mark_dispatched(journey, rooms)
    attempt = begin_attempt(journey, rooms)
    journey.mark("dispatch", rooms.clock.monotonic_ns())
    try:
        response = await rooms.transport.send(request_of(passage))
    except UpstreamFailed as failure:
        refused = failed_before_answer(attempt, failure, rooms)
        journey.error = attempt.error
        upload = passage.upload
        if upload is not None and upload.refused is not None:
            attempt.outcome = journey.outcome = Outcome.CANCELLED
            raise upload.refused from failure
        raise refused from failure
    finally:
        journey.mark("upstream", rooms.clock.monotonic_ns())
    attempt.status = response.status
    note_headers(attempt, response)
    return response


def request_of(passage: Passage) -> UpstreamRequest:
    """The client's own request, but for the headers that never pass; a model gets the name it has there."""
    journey, call = passage.journey, passage.journey.call
    attempt = journey.attempts[-1]
    body, upload = journey.body, passage.upload
    if attempt.sent_model != journey.request.model and attempt.sent_model:
        body = with_model(body, attempt.sent_model)
    headers = forwardable(call.raw_headers, attempt.provider)
    if journey.trace is not None:
        headers = passed_on(headers, journey.trace, attempt.span_id)
    length = call.headers.get(b"content-length")
    return UpstreamRequest(
        provider=attempt.provider,
        path=call.path,
        body=body,
        query=call.query,
        headers=headers,
        method=call.method,
        parts=upload,
        length=int(length) if length is not None and length.isdigit() else None,
        streamed=journey.request.streamed,
    )
