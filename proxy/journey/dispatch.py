"""upstream: send the call to its target, as one attempt."""

from proxy.budget import LedgerUnavailable
from proxy.core.ids import new_id
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.attempts.trouble import NOT_SENT, TIMEOUTS
from proxy.journey.hold import ledger_refusal
from proxy.journey.patience import send_while_wanted
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.journey.tracing import new_span, passed_on
from proxy.journey.translated import TranslatedResponse, without_dialect
from proxy.journey.watching import begin_watching, watch_head
from proxy.upstream import Provider, UpstreamFailed, UpstreamRequest, UpstreamResponse, forwardable
from proxy.wire.dialects import DIALECTS

REQUEST_ID_HEADERS = (b"x-request-id", b"request-id", b"apim-request-id", b"x-generation-id", b"mistral-correlation-id")


async def dispatch(journey: Journey, rooms: Rooms, attempt: Attempt | None = None) -> UpstreamResponse:
    """Mark the hold as dispatched, send the request, and return once the upstream's headers are in.

    `attempt`: one that was begun for it.

    Raises:
        Refused: UPSTREAM_TIMEOUT, UPSTREAM_REFUSED or UPSTREAM_ERROR when no answer came.
    """
    if not journey.dispatched:
        await mark_dispatched(journey, rooms)
    if attempt is None:
        attempt = begin_attempt(journey, rooms)
    translation, request = journey.translation, _request(journey, attempt)
    begin_watching(attempt, journey.candidate, rooms)
    journey.mark("dispatch", rooms.clock.monotonic_ns())
    try:
        response = await send_while_wanted(journey, attempt, request, rooms)
    except UpstreamFailed as failure:
        if attempt.outcome is Outcome.CANCELLED:
            raise
        refused = failed_before_answer(attempt, failure, rooms)
        journey.error = attempt.error
        raise refused from failure
    finally:
        journey.mark("upstream", rooms.clock.monotonic_ns())
    attempt.status = response.status
    note_headers(attempt, response)
    watch_head(attempt, response, rooms)
    if translation is None:
        return response
    attempt.translated = told = TranslatedResponse(response, translation, streamed=journey.request.streamed)
    return told


def sends_usage_flag(journey: Journey, provider: Provider) -> bool:
    """Whether we ask the provider for a usage chunk that the client did not ask for."""
    facts = journey.request
    return (
        journey.translation is None
        and facts.streamed
        and not facts.asked_for_usage
        and provider.profile.inject_usage
        and journey.call.endpoint.takes_stream_options
    )


def failed_before_answer(attempt: Attempt, failure: UpstreamFailed, rooms: Rooms) -> Refused:
    """The refusal for an upstream that gave no answer; the attempt keeps whether it could have been billed."""
    attempt.ended_ns = rooms.clock.monotonic_ns()
    attempt.outcome = Outcome.UPSTREAM_ERROR
    attempt.error = failure.kind if failure.sent else failure.kind + NOT_SENT
    why, said = Refusal.UPSTREAM_REFUSED, "could not be reached"
    if failure.kind in TIMEOUTS:
        why, said = Refusal.UPSTREAM_TIMEOUT, "did not answer in time"
    elif failure.sent:
        why, said = Refusal.UPSTREAM_ERROR, "broke off before it answered"
    return Refused(
        why,
        f"The provider {attempt.provider.name!r} {said} ({failure.kind}).",
        facts={"provider": attempt.provider.name, "failure": failure.kind},
    )


async def mark_dispatched(journey: Journey, rooms: Rooms) -> None:
    """From here on the hold is settled, not released.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE.
    """
    try:
        await rooms.ledger.dispatch(journey.call.operation, rooms.worker)
    except LedgerUnavailable as error:
        raise ledger_refusal(error) from error
    journey.dispatched = True


def begin_attempt(journey: Journey, rooms: Rooms) -> Attempt:
    """One attempt at the target that was selected; its times run from here."""
    candidate = journey.candidate
    if candidate is None:
        raise RuntimeError("a call is dispatched before a target was selected")
    attempt = Attempt(
        id=new_id("att"),
        provider=journey.snapshot.providers[candidate.provider],
        sent_model=candidate.model,
        started_at_ns=rooms.clock.now_ns(),
        started_ns=rooms.clock.monotonic_ns(),
        purpose=journey.purpose,
    )
    if journey.trace is not None:
        attempt.span_id = new_span()
    journey.attempts.append(attempt)
    return attempt


def _request(journey: Journey, attempt: Attempt) -> UpstreamRequest:
    call, path, body, query = journey.call, journey.call.path, journey.body, journey.call.query
    translation = journey.translation
    if translation is not None:
        path, body, query = translation.request.path, translation.request.body, translation.request.query
    elif attempt.sent_model != journey.request.model:
        path, body = call.dialect.retarget(path, body, attempt.sent_model)
    if sends_usage_flag(journey, attempt.provider):
        body = call.dialect.with_usage_flag(body)
    speaker = call.dialect if translation is None else DIALECTS.get(attempt.provider.dialect, call.dialect)
    path = speaker.under(attempt.provider.base_url, path)
    headers = forwardable(call.raw_headers, attempt.provider)
    if translation is not None:
        headers = without_dialect(headers) + translation.request.headers
    if journey.trace is not None:
        headers = passed_on(headers, journey.trace, attempt.span_id)
    return UpstreamRequest(
        provider=attempt.provider,
        path=path,
        query=query,
        headers=headers,
        body=body,
        streamed=journey.request.streamed,
    )


def note_headers(attempt: Attempt, response: UpstreamResponse) -> None:
    """What an answer's headers say of the attempt: the provider's request id, and when to come again."""
    for name, value in response.headers:
        if name in REQUEST_ID_HEADERS and not attempt.provider_request_id:
            attempt.provider_request_id = value.decode("latin-1")[:200]
        elif name == b"retry-after" and value.isdigit():
            attempt.retry_after_s = int(value)
