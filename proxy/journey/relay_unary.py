"""An answer in one piece: read whole, settled, and only then sent, so that its headers tell what it cost."""

import asyncio
from typing import Final

from msgspec import Struct, field

from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.account import account
from proxy.journey.answer_headers import answer_headers
from proxy.journey.bill import Evidence, bill, is_made_later
from proxy.journey.caching.keeping import keep
from proxy.journey.call import Headers
from proxy.journey.gate_answer import gated_answer, watched_answer
from proxy.journey.gate_calls import is_gated, is_watched
from proxy.journey.inflating import inflated
from proxy.journey.judge_answer import is_judged, judge_answer
from proxy.journey.kept.stored import defer_stored, note_stored
from proxy.journey.patience import Unread
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import UnaryFacts
from proxy.wire.provider_errors import meaning_of, meaning_of_end

READ_INLINE_BYTES: Final = 262_144
"""Inflating and reading more than this would hold the streams of others up."""
_OF_THE_BYTES: Final = frozenset({b"content-encoding", b"content-length", b"content-md5", b"digest", b"etag"})
"""Headers that say something of the bytes that came, and nothing of others."""
BODILESS: Final = frozenset({204, 304})
_OK: Final = Outcome.OK
_SPEECH: Final = Endpoint.SPEECH


class _Read(Struct):
    """What was read of an answer and is still kept, and the patience with a client that takes it meanwhile."""

    parts: list[bytes] = field(default_factory=list)
    unread: Unread | None = None


async def relay_unary(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
    """Relay a JSON answer or an error. A client that hung up is still billed: the provider made the whole answer.

    Raises:
        Refused: UPSTREAM_TRUNCATED when the upstream stops early and nothing was sent yet.
        UpstreamFailed: it stopped early, or the client did not take its answer; a part was sent.
    """
    attempt = journey.attempts[-1]
    read = _Read()
    try:
        whole = await _collect(journey, response, rooms, read)
    except UpstreamFailed as failure:
        await _cut(journey, attempt, failure, rooms)
        return
    except asyncio.CancelledError:
        if read.unread is None or not read.unread.passed:
            raise
        await _cut(journey, attempt, UpstreamFailed("aborted", "the client did not take its answer", sent=True), rooms)
        return
    finally:
        if read.unread is not None:
            read.unread.stop()
    attempt.ended_ns = rooms.clock.monotonic_ns()
    journey.mark("upstream", attempt.ended_ns)
    changed = await _settle(journey, response, attempt, whole, rooms)
    if journey.request.stores and response.status < 300:
        await note_stored(journey, whole if changed is None else changed, response, rooms)
    if changed is None and journey.looked is not None and journey.looked.serves and response.status == 200:
        await _keep(journey, whole, response, rooms)
    exchange = journey.exchange
    if not exchange.started:
        headers = answer_headers(journey, response, rooms)
        if changed is not None:
            whole, headers = changed, [pair for pair in headers if pair[0] not in _OF_THE_BYTES]
        await exchange.answer(response.status, _with_length(response.status, headers, len(whole)), whole)
    else:
        await exchange.finish()


async def _keep(journey: Journey, whole: bytes, response: UpstreamResponse, rooms: Rooms) -> None:
    """Keep the answer for a cache, as it reads: whoever gets it may not take the encoding that it came in."""
    if len(whole) > rooms.cache.exact.max_answer_bytes:
        return
    types = [value for name, value in response.headers if name == b"content-type"]
    await keep(journey, inflated(response, whole), types[0] if types else b"application/json", rooms)


async def _collect(journey: Journey, response: UpstreamResponse, rooms: Rooms, read: _Read) -> bytes:
    """Read the answer; past the bound for holding it back it is relayed as it comes."""
    settings, exchange, attempt = rooms.settings, journey.exchange, journey.attempts[-1]
    most_kept = settings.metered_answer_bytes
    gated = is_gated(journey, rooms) or is_judged(journey)
    most_held_back = most_kept if gated else min(settings.buffered_answer_bytes, most_kept)
    if journey.call.endpoint is _SPEECH and not gated and response.status < 400:
        most_held_back = 0  # it is listened to as it comes
    parts = read.parts
    size = 0
    while (chunk := await response.chunk()) is not None:
        size += len(chunk)
        attempt.response_bytes = size
        if exchange.started:
            await exchange.send(chunk)
        elif gated and size > most_held_back:
            raise UpstreamFailed("aborted", "the answer is too large to be decided on", sent=True)
        elif size > most_held_back:
            read.unread = Unread(attempt)
            await exchange.start(response.status, answer_headers(journey, response, rooms))
            for part in (*parts, chunk):
                await exchange.send(part)
        if size <= most_kept:
            parts.append(chunk)
        else:
            parts.clear()
    return b"".join(parts)


async def _settle(
    journey: Journey, response: UpstreamResponse, attempt: Attempt, whole: bytes, rooms: Rooms
) -> bytes | None:
    """Bill the answer and write its row; the body to send in its place, where a rule denies tool calls in it.

    Raises:
        Refused: POLICY_DENIED where a rule denies the answer, DEPENDENCY_UNAVAILABLE where there is no decision on it.
    """
    if len(whole) > READ_INLINE_BYTES:
        readable, facts = await asyncio.to_thread(_facts, journey, response, whole)
    else:
        readable, facts = _facts(journey, response, whole)
    journey.status = response.status
    journey.outcome = attempt.outcome = _outcome(journey, response, facts)
    attempt.model = facts.model or ""
    attempt.fingerprint = facts.fingerprint
    attempt.finish_reason = facts.finish_reason or ""
    attempt.tool_call_count, attempt.tools = facts.tool_call_count, facts.tools
    attempt.error = journey.error = _error(response, facts)
    evidence = Evidence(
        raw_usage=facts.raw_usage,
        service_tier=facts.service_tier,
        tool_calls=facts.tool_calls,
        delivered=facts.delivered,
        output_chars=facts.output_chars,
        billable=response.status < 400,
        # Not kept, or not readable: what was delivered is not known, so it is billed at the hold.
        complete=(readable or not attempt.response_bytes) and not is_made_later(journey, facts.raw_usage),
        made=facts.made,
    )
    if (
        response.status < 300
        and is_made_later(journey, facts.raw_usage)
        and await defer_stored(journey, whole, response, rooms)
    ):
        await account(journey, rooms)
        return None
    await bill(journey, attempt, evidence, rooms)
    changed = None
    if response.status < 400 and whole and is_gated(journey, rooms):
        changed = await gated_answer(journey, response, inflated(response, whole), rooms)
    elif response.status < 400 and is_watched(journey):
        await watched_answer(journey, inflated(response, whole), rooms)
    if response.status < 400 and (no := await judge_answer(journey, rooms)) is not None:
        raise no
    await account(journey, rooms)
    return changed


def _facts(journey: Journey, response: UpstreamResponse, whole: bytes) -> tuple[bool, UnaryFacts]:
    """Whether the answer could be read, and what it tells."""
    body = inflated(response, whole)
    return bool(body), journey.call.dialect.read_response(journey.call.endpoint, body, response.headers)


def _error(response: UpstreamResponse, facts: UnaryFacts) -> str:
    """What went wrong: in one word where the provider says it, else by its status."""
    if response.status >= 400:
        return meaning_of(facts.error or b"") or f"http_{response.status}"
    if facts.is_error:
        return meaning_of(facts.error or b"") or "in_band_error"
    return meaning_of_end(facts.finish_reason) or ""


def _outcome(journey: Journey, response: UpstreamResponse, facts: UnaryFacts) -> Outcome:
    if response.status >= 400 or facts.is_error:
        return Outcome.UPSTREAM_ERROR
    return Outcome.CANCELLED if journey.exchange.gone() else _OK


async def _cut(journey: Journey, attempt: Attempt, failure: UpstreamFailed, rooms: Rooms) -> None:
    """The upstream stopped in the middle: billed at the hold, since it had made its answer before sending it."""
    attempt.ended_ns = rooms.clock.monotonic_ns()
    attempt.error = journey.error = failure.kind
    journey.outcome = attempt.outcome = Outcome.TRUNCATED
    journey.status = attempt.status if journey.exchange.started else Refusal.UPSTREAM_TRUNCATED.status
    await bill(journey, attempt, Evidence(billable=attempt.status < 400, complete=False), rooms)
    if journey.exchange.started:
        raise failure
    raise Refused(
        Refusal.UPSTREAM_TRUNCATED,
        f"The provider {attempt.provider.name!r} broke off in the middle of its answer ({failure.kind}).",
        facts={"provider": attempt.provider.name, "failure": failure.kind},
    ) from failure


def _with_length(status: int, headers: Headers, length: int) -> Headers:
    """The headers with the body's length, where an answer of that status may tell one (RFC 9110 §8.6)."""
    if status in BODILESS:
        return [pair for pair in headers if pair[0] != b"content-length"]
    if any(name == b"content-length" for name, _ in headers):
        return headers
    return [*headers, (b"content-length", str(length).encode())]
