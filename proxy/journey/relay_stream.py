"""A streamed answer: every chunk forwarded as it comes, read on a tee, ended truthfully."""

import asyncio

from proxy.core.outcome import Outcome
from proxy.journey.account import account
from proxy.journey.answer_headers import answer_headers, stream_headers
from proxy.journey.bill import Evidence, bill, is_made_later
from proxy.journey.caching.keeping import Keeping, is_awaited, keep, keeping_of
from proxy.journey.dispatch import sends_usage_flag
from proxy.journey.extend import Cover
from proxy.journey.gate_stream import stream_gate
from proxy.journey.halt import Halt
from proxy.journey.inflating import inflater_of
from proxy.journey.judge_answer import stream_end
from proxy.journey.kept.stored import StoredStream
from proxy.journey.patience import Unread
from proxy.journey.pinger import Pinger
from proxy.journey.rooms import Rooms
from proxy.journey.running import enter, leave, run_halt
from proxy.journey.state import Attempt, Journey
from proxy.journey.switched import halt_of
from proxy.journey.watching import watch_output
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.provider_errors import meaning_of, meaning_of_end

EVENT_S = 0.5
"""How long a stream that people have ended may take to end the event that is under way."""


class Relay:
    """One stream on its way: what the client still wants, and what the tap has read."""

    def __init__(self, journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
        self.journey = journey
        self.response = response
        self.rooms = rooms
        self.attempt = journey.attempts[-1]
        call = journey.call
        self.tap = call.dialect.stream_tap(call.endpoint, strip_usage=sends_usage_flag(journey, self.attempt.provider))
        self.cover = Cover(journey, self.attempt, self.tap.facts, rooms)
        self.gate = stream_gate(journey, response, rooms)
        self.end = stream_end(journey, rooms)
        self.inflater = inflater_of(response)
        self.stored = StoredStream(journey, rooms) if journey.request.stores else None
        self.keeping = keeping_of(journey, rooms)
        self.client_gone = False
        self.failure: UpstreamFailed | None = None
        self.left_over = b""
        self.broken = False
        self.stopped = False
        self.is_cut = False
        self.unread = Unread(self.attempt)
        self._deadline: asyncio.TimerHandle | None = None
        self._end_of_event: asyncio.TimerHandle | None = None
        self._drains = False
        self._drained_bytes = 0
        self._over = False

    async def run(self) -> None:
        """Forward until the upstream ends; never raises for what the upstream or the client does."""
        exchange = self.journey.exchange
        exchange.watch(self._when_client_leaves)
        call = self.journey.call
        ping = call.dialect.ping if call.endpoint.takes_pings else b""
        pinger = Pinger(exchange, self.tap, self.rooms.settings.ping_after_s, ping)
        try:
            # In a task of its own: each chunk wakes four coroutines instead of all that this call is wrapped in.
            await asyncio.get_running_loop().create_task(self._forward(pinger))
        except UpstreamFailed as failure:
            self._end_at(failure)
        except asyncio.CancelledError:
            # By a worker that ends, or because nobody reads: what was delivered is billed, and told if it can be.
            self.response.abort()
            self._end_at(UpstreamFailed("aborted", "Flyball was stopped, or nobody read", sent=True))
            self.client_gone |= self.unread.passed
            self.stopped = not self.unread.passed
        finally:
            pinger.stop()
            self._finish()

    async def _forward(self, pinger: Pinger) -> None:
        tap, exchange, chunk_of, attempt = self.tap, self.journey.exchange, self.response.chunk, self.attempt
        inflater, facts, cover = self.inflater, tap.facts, self.cover
        passing = (self.gate, self.end, self.stored, self.keeping)
        is_ruled = any(each is not None for each in passing)
        while (chunk := await chunk_of()) is not None:
            attempt.response_bytes += len(chunk)
            if inflater is not None:
                chunk = inflater.feed(chunk)
            for part in (chunk,) if len(chunk) <= cover.mouthful else cover.parts(chunk):
                out = tap.feed(part)
                if not attempt.first_output_ns and facts.saw_output:
                    attempt.first_output_ns = self.rooms.clock.monotonic_ns()
                    watch_output(attempt, self.rooms)
                if self.client_gone:
                    self._drained(len(part), out)
                    out = b""
                elif is_ruled:
                    out = await self._passed(out)
                if out:
                    pinger.touched()
                    if not exchange.write(out):
                        await exchange.send(out)
                if facts.output_fifths >= cover.mark and not await cover.reaches():
                    self._cut()
                    return
        self._end_at(None)

    async def _passed(self, out: bytes) -> bytes:
        """What rules on tool calls and on finished answers let go on now; no id before it is known whose it is."""
        if self.keeping is not None:
            self.keeping.add(out)
        if self.stored is not None and self.stored.waits:
            out = await self.stored.noted(out)
        if self.gate is not None:
            out = await self.gate.passed(out)
        return out if self.end is None else self.end.passed(out)

    def _cut(self) -> None:
        """There is no money for more: the upstream is dropped, and half an event of its is not sent on."""
        self.response.abort()
        self.is_cut = True
        self.failure = UpstreamFailed("aborted", "the budget could not cover more", sent=True)
        self.broken = not self.tap.between_events

    async def ending(self, last: bytes) -> bytes:
        """The last of the stream, behind what its gate has withheld and may let go, once all of it may be told."""
        if self.stored is not None and self.stored.waits and not self.client_gone:
            last = self.stored.close() + last
        if self.gate is not None:
            is_whole = self.attempt.outcome is Outcome.OK and not self.client_gone
            last = await self.gate.ended(b"" if self.client_gone else last, is_whole=is_whole)
        return last if self.end is None or self.client_gone else await self.end.ended(last)

    def kill(self) -> None:
        """The stream's run was stopped."""
        self._halt(run_halt(self.journey))

    def look(self) -> None:
        """Kill switches were set: end the stream if one of them is of it."""
        halt = halt_of(self.journey, self.rooms, is_gated=self.gate is not None and self.gate.withholds)
        if halt is not None:
            self._halt(halt)

    def _halt(self, halt: Halt) -> None:
        """The stream ends now, or with the event that is under way if that comes soon."""
        if self._over or self.is_cut:
            return
        self.is_cut = True
        self.cover.kill(self.tap, halt)
        if self.tap.between_events:
            self.response.abort()
        else:
            self._end_of_event = asyncio.get_running_loop().call_later(EVENT_S, self.response.abort)

    def _end_at(self, failure: UpstreamFailed | None) -> None:
        """The upstream has ended, cleanly or not; perhaps in the middle of an event."""
        self.failure = failure
        self.broken = not self.tap.between_events
        self.left_over = self.tap.close()

    def _when_client_leaves(self) -> None:
        if self._over:
            return  # whoever was answered is called gone too
        settings = self.rooms.settings
        if not self.tap.facts.terminal:
            self.client_gone = True
            if is_awaited(self.journey):
                return  # others wait for the whole of it; the attempt's own time ends it
            drains = self.attempt.provider.on_client_disconnect == "drain"
            if not drains or self.rooms.drains >= settings.max_drains:
                self.response.abort()
                return
            self._drains = True
            self.rooms.drains += 1
        # One that left after the last event had its whole answer; what may still come is read, but not for ever.
        self._deadline = asyncio.get_running_loop().call_later(settings.drain_s, self.response.abort)

    def _drained(self, size: int, out: bytes) -> None:
        if self.keeping is not None:
            self.keeping.add(out)
        self._drained_bytes += size
        if self._drained_bytes > self.rooms.settings.drain_bytes and not is_awaited(self.journey):
            self.response.abort()

    def _finish(self) -> None:
        """Nothing more is awaited of the upstream: give the place among the drains back, if this stream held one."""
        self._over = True
        for timer in (self._deadline, self._end_of_event):
            if timer is not None:
                timer.cancel()
        if self._drains:
            self.rooms.drains -= 1


async def relay_stream(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
    """Relay a stream and bill it. A stream that stops early ends in an in-band error, and its row says `truncated`.

    One that comes encoded, though it was asked for as it is, is passed on inflated: events are read, and may be added.
    """
    relay = Relay(journey, response, rooms)
    enter(journey, rooms, relay.kill, relay.look)
    try:
        await _relay(relay, journey, response, rooms)
    except asyncio.CancelledError:
        if relay.unread.passed:
            raise UpstreamFailed("aborted", "the client did not take its answer", sent=True) from None
        raise
    finally:
        relay.unread.stop()
        leave(journey, rooms, relay.kill, relay.look)
        if relay.gate is not None:
            await relay.gate.left()


async def _relay(relay: Relay, journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
    headers = stream_headers(answer_headers(journey, response, rooms))
    if relay.inflater is not None:
        headers = [pair for pair in headers if pair[0] not in (b"content-encoding", b"content-length")]
    await journey.exchange.start(response.status, headers)
    journey.mark("relay", rooms.clock.monotonic_ns())
    await relay.run()
    attempt = relay.attempt
    attempt.ended_ns = rooms.clock.monotonic_ns()
    journey.mark("upstream", attempt.ended_ns)
    journey.status = response.status
    journey.outcome = attempt.outcome = _outcome(relay)
    _note(relay, attempt)
    await bill(journey, attempt, _evidence(relay), rooms)
    await _end(relay)
    if relay.keeping is not None:
        await _keep(relay, relay.keeping)


async def _keep(relay: Relay, keeping: Keeping) -> None:
    """Keep a stream for a cache that has come whole, up to and with its last event."""
    types = [value for name, value in relay.response.headers if name == b"content-type"]
    facts = relay.tap.facts
    has_ended = (facts.terminal or facts.finish_reason is not None) and facts.error is None and not facts.overflow
    is_whole = has_ended and relay.failure is None and not relay.is_cut and not relay.broken
    if is_whole:
        keeping.add(relay.left_over)
    await keep(
        relay.journey, keeping.body if is_whole else b"", types[0] if types else b"text/event-stream", relay.rooms
    )


async def _end(relay: Relay) -> None:
    """End the client's stream; one that stopped early says so, or is broken off where an event is half sent."""
    exchange = relay.journey.exchange
    if relay.unread.passed and relay.failure is not None:
        raise relay.failure
    if relay.client_gone or relay.attempt.outcome is not Outcome.TRUNCATED:
        await exchange.finish(await relay.ending(relay.left_over))
        return
    if relay.broken or relay.stopped:
        await account(relay.journey, relay.rooms)
    if relay.broken:
        raise relay.failure or UpstreamFailed("reset", "the stream ended within an event", sent=True)
    if relay.is_cut:
        await exchange.finish(await relay.ending(relay.tap.ending(relay.cover.cut())))
        return
    who = "Flyball" if relay.stopped else f"The provider {relay.attempt.provider.name!r}"
    message = f"{who} stopped before the answer was complete ({_why(relay)})."
    call = relay.journey.call
    await exchange.send(await relay.ending(call.dialect.truncated_event(call.endpoint, call.operation, message)))
    await exchange.finish()


def _outcome(relay: Relay) -> Outcome:
    facts = relay.tap.facts
    if facts.error is not None:
        return Outcome.UPSTREAM_ERROR
    if relay.client_gone:
        return Outcome.CANCELLED
    if facts.terminal or (relay.failure is None and (facts.finish_reason or facts.overflow)):
        return Outcome.OK
    return Outcome.TRUNCATED


def _why(relay: Relay) -> str:
    if relay.stopped:
        return "shutting down"
    return relay.failure.kind if relay.failure else "no terminal event"


def _note(relay: Relay, attempt: Attempt) -> None:
    facts = relay.tap.facts
    attempt.model = facts.model or ""
    attempt.fingerprint = facts.fingerprint
    attempt.finish_reason = facts.finish_reason or ""
    attempt.tool_call_count, attempt.tools = facts.tool_call_count, facts.tools
    if facts.error is not None:
        attempt.error = meaning_of(facts.error) or "in_band_error"
    elif relay.failure is not None and not facts.terminal:
        attempt.error = "shutting_down" if relay.stopped else relay.failure.kind
    else:
        attempt.error = meaning_of_end(facts.finish_reason) or ""
    relay.journey.error = attempt.error
    if relay.is_cut and attempt.outcome is Outcome.TRUNCATED:
        relay.cover.note()


def _evidence(relay: Relay) -> Evidence:
    facts, inflater = relay.tap.facts, relay.inflater
    unread = facts.overflow or (inflater is not None and (inflater.broken or inflater.overflow))
    return Evidence(
        raw_usage=facts.raw_usage,
        service_tier=facts.service_tier,
        tool_calls=facts.tool_calls,
        delivered=facts.delivered,
        output_chars=facts.output_chars,
        complete=not unread and not is_made_later(relay.journey, facts.raw_usage),
        made=facts.made,
    )
