"""A realtime session while it runs: messages both ways as they came, read on the way, and ended truthfully."""

import asyncio
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.halt import Halt
from proxy.journey.judge_answer import judge_answer
from proxy.journey.realtime.calls import SessionGate
from proxy.journey.realtime.client import ClientSocket
from proxy.journey.realtime.ending import (
    Ending,
    by_client,
    by_halt,
    by_provider,
    by_refusal,
    by_shutdown,
    by_time,
    note_ending,
)
from proxy.journey.realtime.tally import Tally
from proxy.journey.resolve import may_use
from proxy.journey.rooms import Rooms
from proxy.journey.running import enter, leave, run_halt
from proxy.journey.state import Journey
from proxy.journey.switched import halt_of
from proxy.upstream import Closed, UpstreamFailed, UpstreamSocket
from proxy.wire.openai.realtime.client_event import FREE, ClientEvent, read_client_event
from proxy.wire.openai.realtime.own_event import error_event
from proxy.wire.openai.realtime.server_event import read_server_event
from proxy.wire.strict import Unreadable

LAST_WORDS_S: Final = 2.0
"""How long a response that was broken off is waited for, which tells what it used."""
CANCEL: Final = '{"type":"response.cancel"}'


class Session:
    """One session."""

    def __init__(self, journey: Journey, client: ClientSocket, upstream: UpstreamSocket, rooms: Rooms) -> None:
        self._journey = journey
        self._client = client
        self._upstream = upstream
        self._rooms = rooms
        self._tally = Tally(journey, rooms)
        self._gate = SessionGate(journey, rooms)
        self._attempt = journey.attempts[-1]
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._sent = 0

    async def run(self) -> None:
        """Relay until one side ends it, or we must; what it used is then in the journey's attempts."""
        journey, rooms = self._journey, self._rooms
        enter(journey, rooms, self.kill, self.look)
        try:
            ending = await self._relayed()
            await self._last_words(ending)
        except asyncio.CancelledError:
            ending = by_shutdown(journey)
            self._close_books(ending)
            raise
        finally:
            leave(journey, rooms, self.kill, self.look)
            self._upstream.abort()
        self._close_books(ending)

    def kill(self) -> None:
        """The session's run was stopped."""
        self._halt(run_halt(self._journey))

    def look(self) -> None:
        """Kill switches were set: end the session if one of them is of it."""
        halt = halt_of(self._journey, self._rooms, is_gated=self._gate.withholds)
        if halt is not None:
            self._halt(halt)

    def _halt(self, halt: Halt) -> None:
        self._end(by_halt(self._journey, halt))

    def _end(self, ending: Ending) -> None:
        """The first end is the one."""
        if not self._ended.done():
            self._ended.set_result(ending)

    async def _relayed(self) -> Ending:
        """Both ways at once, until there is an end."""
        pumps = [asyncio.ensure_future(self._from_client()), asyncio.ensure_future(self._from_provider())]
        seconds = self._rooms.settings.realtime_session_s
        try:
            done, _ = await asyncio.wait([self._ended, *pumps], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return by_time(self._journey, seconds)
            for pump in pumps:
                if pump in done:
                    self._end(pump.result())
            return self._ended.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)

    # from the client

    async def _from_client(self) -> Ending:
        client, tally, upstream = self._client, self._tally, self._upstream
        while (message := await client.receive()) is not None:
            if isinstance(message, str):
                event = self._read(message)
                no = event if isinstance(event, Refused) else self._forbidden(event)
                if no is not None:
                    answers = "" if isinstance(event, Refused) else event.id
                    await client.tell(error_event(self._journey.call.operation, no, answers=answers))
                    continue
                if isinstance(event, ClientEvent) and event.type not in FREE:
                    tally.heard(event)
                    if (no := await tally.covers()) is not None:
                        return by_refusal(self._journey, no)
            try:
                await upstream.send(message)
            except UpstreamFailed:
                return by_provider(self._journey, 0, "", in_flight=tally.in_flight)
        return by_client(client.close_code, in_flight=tally.in_flight)

    def _read(self, message: str) -> ClientEvent | Refused:
        try:
            return read_client_event(message)
        except Unreadable:
            return Refused(
                Refusal.INVALID_REQUEST,
                "An event must be one JSON object with a `type`, and name no member twice; it was not passed on.",
            )

    def _forbidden(self, event: ClientEvent) -> Refused | None:
        """Why an event is not passed on; the session goes on without it."""
        journey = self._journey
        if event.model is not None and event.model not in (journey.request.model, self._attempt.sent_model):
            return Refused(
                Refusal.INVALID_REQUEST,
                f"The model of a session is the one it was opened with, {journey.request.model[:200]!r}; "
                "open another one for another model.",
                param="session.model",
            )
        if event.transcribes_with is not None and not may_use(journey.principal.models, event.transcribes_with):
            return Refused(
                Refusal.MODEL_NOT_ALLOWED,
                f"This key may not use the model {event.transcribes_with[:200]!r}.",
                param="session.audio.input.transcription.model",
            )
        if event.stateful:
            return Refused(
                Refusal.CAPABILITY_MISSING,
                f"`{event.stateful}` leans on state kept at the provider, which is not served in sessions.",
                param=event.stateful,
            )
        if event.hosted and self._gate.withholds:
            return Refused(
                Refusal.POLICY_DENIED,
                f"Rules look at tool calls here, and nobody could at those of {event.hosted[0]!r}, "
                "which the provider runs itself.",
                param="tools",
                facts={"rule": "provider_tool", "point": "tool_call"},
            )
        return None

    # from the provider

    async def _from_provider(self) -> Ending:
        while not isinstance(message := await self._upstream.receive(), Closed):
            ending = await self._pass_on(message)
            if ending is not None:
                return ending
        return by_provider(self._journey, message.code, message.reason, in_flight=self._tally.in_flight)

    async def _pass_on(self, message: str | bytes) -> Ending | None:
        """One message of the provider's; how the session ends with it."""
        client, attempt = self._client, self._attempt
        attempt.response_bytes += len(message)
        if isinstance(message, bytes):
            await client.tell(message)
            return None
        try:
            event = read_server_event(message.encode())
        except Unreadable:
            if self._gate.withholds:
                return by_provider(self._journey, 0, "", in_flight=self._tally.in_flight)
            await client.tell(message)
            return None
        self._tally.told(event)
        if event.tools is not None:
            self._gate.offers(event.tools)
            attempt.model = event.model or attempt.model
        if not attempt.first_output_ns and (event.audio_chars or event.text_chars):
            attempt.first_output_ns = self._rooms.clock.monotonic_ns()
        passing = await self._gate.passed(event.type, message)
        if event.type == "response.done" and (no := await judge_answer(self._journey, self._rooms)) is not None:
            return by_refusal(self._journey, no)
        for text in passing:
            await client.tell(text)
        if (refused := await self._tally.covers()) is not None:
            return by_refusal(self._journey, refused)
        return None

    # the end

    async def _last_words(self, ending: Ending) -> None:
        """Tell the client, and have the provider say what it made of a response that nobody waits for any more."""
        client = self._client
        if ending.event:
            await client.tell(ending.event)
        await client.close(ending.code, ending.reason)
        if self._tally.in_flight:
            try:
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._upstream.send(CANCEL)
                    while self._tally.in_flight:
                        message = await self._upstream.receive()
                        if isinstance(message, Closed):
                            break
                        if isinstance(message, str):
                            self._tally.told(read_server_event(message.encode()))
            except (TimeoutError, UpstreamFailed, Unreadable):
                pass  # what was seen of it is billed
        await self._upstream.close()

    def _close_books(self, ending: Ending) -> None:
        self._tally.leave()
        note_ending(self._journey, ending, self._rooms)
