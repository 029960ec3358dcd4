"""opening: read so much of an answer as tells whether it is one, before its client gets a byte."""

import asyncio
from typing import Final

from msgspec import Struct

from proxy.journey.attempts.begun import Begun
from proxy.journey.attempts.trouble import fault_of_error, fault_of_failure, fault_of_refusal, is_filtered
from proxy.journey.bill import Evidence
from proxy.journey.inflating import inflated, inflater_of
from proxy.journey.pump import is_event_stream
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import FallbackSettings, Fault
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.answer_form import asks_for_json, is_asked_form
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import StreamFacts, UnaryFacts

READ_INLINE_BYTES: Final = 262_144
"""Reading more than this at once would hold the streams of others up."""
_SPEECH: Final = Endpoint.SPEECH


class Opened(Struct):
    """An answer as far as it was read: what is wrong with it, and by what it is billed if it is left for another."""

    response: UpstreamResponse
    fault: Fault | None = None
    evidence: Evidence = Evidence(billable=False)
    size: int = 0


async def open_answer(journey: Journey, response: UpstreamResponse, settings: FallbackSettings, rooms: Rooms) -> Opened:
    """The answer, not a byte of which is lost, and what is wrong with it; never raises for what an upstream does."""
    begun = Begun(response)
    if response.status < 400 and is_event_stream(journey, response):
        return await _open_stream(journey, begun, settings)
    return await _open_whole(journey, begun, settings, rooms)


async def _open_stream(journey: Journey, begun: Begun, settings: FallbackSettings) -> Opened:
    """Up to the first event that is output, or an end; events before that are held back within bounds."""
    call, inflater = journey.call, inflater_of(begun)
    tap = call.dialect.stream_tap(call.endpoint, strip_usage=False)
    facts = tap.facts
    try:
        async with asyncio.timeout(max(settings.hold_back_ms, settings.slow_start_ms or 0) / 1000):
            while not _says_something(facts):
                chunk = await begun.read()
                if chunk is None:
                    tap.close()
                    break
                tap.feed(chunk if inflater is None else inflater.feed(chunk))
                if begun.size > settings.hold_back_bytes:
                    return Opened(begun)
    except TimeoutError:
        return Opened(begun)
    except UpstreamFailed as failure:
        return Opened(begun, fault_of_failure(failure), _of_stream(facts))
    return Opened(begun, _fault_of_stream(facts), _of_stream(facts))


def _says_something(facts: StreamFacts) -> bool:
    return bool(facts.saw_output or facts.terminal or facts.finish_reason or facts.tool_call_count or facts.overflow)


def _fault_of_stream(facts: StreamFacts) -> Fault | None:
    if facts.saw_output or facts.tool_call_count:
        return None
    if facts.error is not None:
        return fault_of_error(facts.error)
    if is_filtered(facts.finish_reason):
        return Fault("content_filter", "content_filter", billed=True)
    return None if _says_something(facts) else Fault("broken", "truncated", billed=True)


def _of_stream(facts: StreamFacts) -> Evidence:
    return Evidence(
        raw_usage=facts.raw_usage,
        service_tier=facts.service_tier,
        tool_calls=facts.tool_calls,
        delivered=facts.delivered,
        output_chars=facts.output_chars,
    )


async def _open_whole(journey: Journey, begun: Begun, settings: FallbackSettings, rooms: Rooms) -> Opened:
    """All of it, if that is not more than is held back anyway; sound is listened to as it comes."""
    most = 0 if journey.call.endpoint is _SPEECH and begun.status < 400 else rooms.settings.buffered_answer_bytes
    try:
        while await begun.read() is not None:
            if begun.size > most:
                return Opened(begun)
    except UpstreamFailed as failure:
        return Opened(begun, fault_of_failure(failure), Evidence(billable=begun.status < 400, complete=False))
    if begun.size > READ_INLINE_BYTES:
        return await asyncio.to_thread(_judged, journey, begun, settings, rooms.clock.now_ns())
    return _judged(journey, begun, settings, rooms.clock.now_ns())


def _judged(journey: Journey, begun: Begun, settings: FallbackSettings, now_ns: int) -> Opened:
    body = inflated(begun, begun.kept)
    if begun.status >= 400:
        return Opened(begun, fault_of_refusal(begun, body, now_ns))
    if journey.call.endpoint.is_media or (begun.size and not body):
        return Opened(begun)
    if body.lstrip()[:1] not in (b"{", b"["):
        return Opened(begun, Fault("broken", "no_answer", billed=True), Evidence())
    asks = "invalid_json" in settings.when and asks_for_json(journey.body)
    if not asks and "content_filter" not in settings.when and b'"error"' not in body:
        return Opened(begun)
    facts = journey.call.dialect.read_response(journey.call.endpoint, body, begun.headers)
    return Opened(begun, _fault_of_whole(facts, body, asks=asks), _of_whole(facts))


def _fault_of_whole(facts: UnaryFacts, body: bytes, *, asks: bool) -> Fault | None:
    if facts.is_error:
        return fault_of_error(facts.error or b"")
    if is_filtered(facts.finish_reason):
        return Fault("content_filter", "content_filter", billed=True)
    if asks and not facts.tool_call_count and not is_asked_form(body):
        return Fault("invalid_json", "invalid_json", billed=True)
    return None


def _of_whole(facts: UnaryFacts) -> Evidence:
    return Evidence(
        raw_usage=facts.raw_usage,
        service_tier=facts.service_tier,
        tool_calls=facts.tool_calls,
        delivered=facts.delivered,
        output_chars=facts.output_chars,
        made=facts.made,
    )
