"""What a session has used, what the next response in it could cost, and whether that is held.

Held are dollars and tokens, as the session's lines count them: what was billed, and beside it the worst that each
response under way (one at least) could cost, of all that the model has in its window and a step of output. Most
events change nothing of it; where they do it is arithmetic, and the ledger is asked for a step at a time.
"""

from typing import Final

from msgspec import Struct

from proxy.budget import Granted, LedgerUnavailable, LineKind, Short, Unit, tokens_used
from proxy.core.money import Nano
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refused
from proxy.core.usage import Bucket, Usage, UsageSource
from proxy.journey.bill import charge
from proxy.journey.estimate import worst_price
from proxy.journey.hold import ledger_refusal
from proxy.journey.realtime.ask import FIRST_INPUT_TOKENS
from proxy.journey.realtime.connect import begin
from proxy.journey.refusals import refusal_of
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.metering import normalise
from proxy.wire.openai.realtime.client_event import ClientEvent
from proxy.wire.openai.realtime.server_event import ServerEvent

CHARS_PER_S: Final = 64_000
NARROW_CHARS_PER_S: Final = 10_666
"""Base64 of a second of sound: 24 kHz with 16 bits, and 8 kHz with 8 (G.711)."""
HEARD_PER_S: Final = 10
SPOKEN_PER_S: Final = 20
"""Tokens of a second of sound: one for 100 ms of what is heard, one for 50 ms of what is said."""
CHARS_PER_TOKEN: Final = 3
SPARE: Final = 4
SLACK: Final = 8
"""More is held than is needed, by this part of it: the ledger is not to be asked for every few words."""
NO_LIMIT: Final = 4096
"""Output tokens that a response makes at most where neither its session nor its price says."""
COUNTED: Final = frozenset({Unit.USD, Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS})


class Made(Struct):
    """What has come of one response, in tokens."""

    audio: int = 0
    text: int = 0


class Tally:
    """The numbers of one session."""

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self._journey = journey
        self._rooms = rooms
        self._price = None if journey.candidate is None else journey.prices.get(journey.candidate)
        self._window = 0
        self._heard = self._written = 0
        self._asked = 0
        self._limit = 0
        self._made: dict[str, Made] = {}
        self._chars_per_s = CHARS_PER_S
        self._transcriber = ""
        self._units = frozenset(line.unit for line in journey.lines) & COUNTED
        made = journey.estimate
        self._held = {unit: 0 for unit in self._units}
        if journey.granted is not None:
            self._held |= {Unit.USD: journey.granted.amount, **tokens_used(made.input_tokens, made.output_tokens)}

    @property
    def in_flight(self) -> bool:
        """Whether a response is under way."""
        return bool(self._made) or self._asked > 0

    @property
    def transcriber(self) -> str:
        """The model that writes down what the client says; empty where none does."""
        return self._transcriber

    # what comes

    def heard(self, event: ClientEvent) -> None:
        """Count what a client sends before it goes on."""
        if event.narrow_audio:
            self._chars_per_s = NARROW_CHARS_PER_S
        self._written += event.text_tokens
        self._heard += -(-event.audio_chars * HEARD_PER_S // self._chars_per_s)
        self._asked += event.starts_response
        if event.max_output_tokens is not None:
            self._limit = max(self._limit, event.max_output_tokens or self._most())
        if event.transcribes_with is not None:
            self._transcriber = event.transcribes_with

    def told(self, event: ServerEvent) -> None:
        """Count what the provider tells; a response that is done is billed."""
        if event.type == "response.created":
            self._asked = max(0, self._asked - 1)
            self._made[event.response] = Made()
        elif event.type == "response.done":
            self._done(event)
        elif event.type == "error":
            self._asked = max(0, self._asked - 1)
        elif event.audio_chars or event.text_chars:
            made = self._made.get(event.response)
            if made is not None:
                made.audio += -(-event.audio_chars * SPOKEN_PER_S // CHARS_PER_S)
                made.text += -(-event.text_chars // CHARS_PER_TOKEN)
        elif event.tools is not None:
            self._session(event)
        elif event.usage is not None:
            self._bill(event, self._transcriber or "transcription")

    def _session(self, event: ServerEvent) -> None:
        if event.narrow_audio:
            self._chars_per_s = NARROW_CHARS_PER_S
        if event.max_output_tokens is not None:
            self._limit = max(self._limit, event.max_output_tokens or self._most())
        if event.transcribes_with is not None:
            self._transcriber = event.transcribes_with

    def _done(self, event: ServerEvent) -> None:
        made = self._made.pop(event.response, None)
        if event.usage is None:
            if made is not None and event.status != "failed":
                self._estimate(made, event.status)
            return
        attempt = self._bill(event, "")
        usage = attempt.usage
        self._window = max(self._window, usage.prompt_tokens + usage.completion_tokens)
        self._heard = self._written = 0

    def _bill(self, event: ServerEvent, model: str) -> Attempt:
        journey = self._journey
        attempt = self._begun(model)
        attempt.raw_usage = event.usage or b""
        attempt.finish_reason = event.status
        attempt.tool_call_count = event.calls
        usage = normalise(
            attempt.raw_usage,
            arithmetic=attempt.provider.profile.arithmetic,
            endpoint=journey.call.endpoint,
            service_tier=None,
        )
        if usage.source is UsageSource.NONE:
            usage = self._guess(Made())
        charge(journey, attempt, usage, self._rooms)
        return attempt

    def _estimate(self, made: Made, status: str) -> None:
        """Bill a response whose numbers nobody told: what it was given, and what was seen of it."""
        attempt = self._begun("")
        attempt.finish_reason = status
        charge(self._journey, attempt, self._guess(made), self._rooms)

    def _guess(self, made: Made) -> Usage:
        return Usage(
            tokens={
                Bucket.INPUT: (self._window or FIRST_INPUT_TOKENS) + self._written,
                Bucket.AUDIO_INPUT: self._heard,
                Bucket.OUTPUT: made.text,
                Bucket.AUDIO_OUTPUT: made.audio,
            },
            source=UsageSource.ESTIMATED,
        )

    def _begun(self, model: str) -> Attempt:
        attempt = begin(self._journey, self._rooms, model)
        attempt.cost = attempt.list_cost = None
        attempt.status, attempt.outcome = 200, Outcome.OK
        attempt.ended_ns = attempt.started_ns
        return attempt

    def leave(self) -> None:
        """The session is over: what is under way is billed by what was seen of it."""
        unborn = self._asked
        for made in [*self._made.values(), *[Made() for _ in range(unborn)]]:
            self._estimate(made, "cancelled")
        self._made.clear()
        self._asked = 0

    # what is held

    async def covers(self) -> Refused | None:
        """Why the session cannot go on; None where what is held covers what may come, or more could be held."""
        wanted = self._wanted()
        short = {unit: most - self._held[unit] for unit, most in wanted.items() if most > self._held[unit]}
        if not short:
            return None
        try:
            verdict: Granted | Short | None = await self._more(
                {unit: more + wanted[unit] // SLACK for unit, more in short.items()}
            )
            if isinstance(verdict, Short):
                verdict = await self._more(short)
            while isinstance(verdict, Short) and self._is_only_a_rate(verdict):
                short.pop(verdict.line.unit)
                verdict = await self._more(short) if short else None
        except LedgerUnavailable as error:
            return ledger_refusal(error)
        if isinstance(verdict, Short):
            return refusal_of(self._journey, verdict, self._rooms.settings, self._rooms.clock.now_ns())
        return None

    async def _more(self, more: dict[Unit, int]) -> Granted | Short:
        verdict = await self._rooms.ledger.extend(self._journey.call.operation, more)
        if isinstance(verdict, Granted):
            for unit, amount in more.items():
                self._held[unit] += amount
            if Unit.USD in more:
                self._journey.granted = verdict
        return verdict

    def _is_only_a_rate(self, short: Short) -> bool:
        """Whether only a rate is short: no session is ended for it, and the calls after it make up for it."""
        unit = short.line.unit
        if short.line.kind is not LineKind.RATE or any(
            line.unit is unit and line.hard and line.kind is not LineKind.RATE for line in self._journey.lines
        ):
            return False
        self._units -= {unit}
        return True

    def _wanted(self) -> dict[Unit, int]:
        """What must be held, in each unit that is counted."""
        given = max(FIRST_INPUT_TOKENS, self._window + self._written + self._heard)
        if self._price is not None and self._price.max_input is not None:
            given = min(given, self._price.max_input)
        output = self._output()
        count = max(1, len(self._made) + self._asked)
        used_in = sum(attempt.usage.prompt_tokens for attempt in self._journey.attempts)
        used_out = sum(attempt.usage.completion_tokens for attempt in self._journey.attempts)
        wanted: dict[Unit, int] = dict(tokens_used(used_in + count * given, used_out + output))
        wanted[Unit.USD] = (self._journey.cost or 0) + self._worst(given, output, count)
        return {unit: wanted[unit] for unit in self._units}

    def _output(self) -> int:
        """Output that is held: a step for each response, or what it may make at most, and more where more has come."""
        step = self._rooms.holding.first_hold_output_tokens
        most = self._limit or self._most()
        under_way = [made.audio + made.text for made in self._made.values()] + [0] * self._asked
        return sum(min(most, max(step, made + step // SPARE)) for made in under_way or [0])

    def _most(self) -> int:
        most = None if self._price is None else self._price.max_output
        return most or NO_LIMIT

    def _worst(self, given: int, output: int, count: int) -> Nano:
        if self._price is None:
            return Nano(0)
        return worst_price(self._journey, self._price, count * given, output)
