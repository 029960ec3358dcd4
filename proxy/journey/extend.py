"""extend: more is held as more output flows, for a stream whose call named no maximum; else it is cut in time.

Held are dollars and tokens alike, as the call's lines count them. A chunk costs one comparison: of the tap's quick
bound of the tokens so far with the mark at which to look closer. Only there is the output counted as it would be
billed. What a provider does not show (hidden reasoning, sound) is not seen: it is booked as overrun where it exceeds
the hold.
"""

import logging
import sys
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from proxy.budget import Granted, LedgerUnavailable, LineKind, Short, Unit
from proxy.core.refusal import JsonValue, Refusal
from proxy.journey.attempts.purse import take_grown
from proxy.journey.estimate import output_bound, worst_price
from proxy.journey.halt import Halt
from proxy.journey.observe import WHY, named
from proxy.journey.refusals import noun, standing
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.wire.dialect import Tap
from proxy.wire.facts import Cut, StreamFacts
from proxy.wire.output_text import FIFTHS

COUNTING_OUTPUT: Final = frozenset({Unit.USD, Unit.TOKENS, Unit.OUTPUT_TOKENS})
NEVER: Final = sys.maxsize
SPARE: Final = 4
"""More is asked for when this part of a step is left: it covers what comes at once, and what was counted short."""
NEAR: Final = 64
"""This part of a step is not worth another look: what is as near as this is reached."""
LEAST_NEAR: Final = 16
"""Output tokens that one event may bring."""
BYTES_A_TOKEN: Final = 2
LEAST_MOUTHFUL: Final = 512
"""Bytes of a watched stream that are relayed at once, by the tokens of a step and at least: what is spare of a step
covers them. Where a client is slow reads grow past any step."""
LEAST_STEP: Final = 256
"""Output tokens of a further step at least, whatever the first: the ledger is not to be asked for every few words."""
LEAST_PART: Final = 16
"""Of a step for which there is no money, less than this part is not worth holding."""
log = logging.getLogger("flyball.journey")


class Cover:
    """How far the hold of one stream covers its output. `mark`: from so many fifths of a token on, ask `reaches`.

    A chunk of more than `mouthful` bytes is to be relayed in `parts`, and the mark looked at after each; 0 where there
    was no money for more, and every line is looked at.
    """

    __slots__ = (
        "_attempt",
        "_chars",
        "_facts",
        "_halt",
        "_held",
        "_journey",
        "_made",
        "_most",
        "_price",
        "_rooms",
        "_step",
        "_tap",
        "_units",
        "away",
        "mark",
        "mouthful",
        "short",
    )

    def __init__(self, journey: Journey, attempt: Attempt, facts: StreamFacts, rooms: Rooms) -> None:
        self._journey = journey
        self._attempt = attempt
        self._facts = facts
        self._rooms = rooms
        self._price = journey.prices.get(journey.candidate) if journey.candidate is not None else None
        self._held = self._most = self._made = self._chars = 0
        self._units = _watched_units(journey)
        self._step = max(LEAST_STEP, rooms.holding.first_hold_output_tokens) * journey.request.choices
        self._halt: Halt | None = None
        self._tap: Tap | None = None
        self.short: Short | None = None
        self.away = False
        self.mark = self.mouthful = NEVER
        if self._units:
            self._held = output_bound(journey, self._price, rooms.holding)
            most = None if self._price is None else self._price.max_output
            self._most = (most or NEVER) * journey.request.choices
            self._mark_at(self._due())
            self.mouthful = NEVER if self.mark == NEVER else self._mouthful()

    def parts(self, chunk: bytes) -> Iterator[bytes]:
        """A chunk in pieces, each as large as it may be when it is asked for."""
        at = 0
        while at < len(chunk):
            end = at + self.mouthful if self.mouthful else chunk.find(b"\n", at) + 1
            yield chunk[at : end or None]
            at = end or len(chunk)

    async def reaches(self) -> bool:
        """Whether the stream may go on: what is held covers it, or more could be held. False: it must end now."""
        facts = self._facts
        if self._tap is not None:
            return not self._tap.between_events
        if facts.terminal or (facts.finish_reason is not None and self._journey.request.choices == 1):
            self.mark = NEVER  # nothing more is made; what is left to come are its numbers
            return True
        await self._count()
        if self._due() - self._made > self._near():
            self._mark_at(self._due())
            return True
        if await self._extend():
            self._mark_at(self._due())
            self.mouthful = self._mouthful()
            return True
        # What is held may still flow, and by then there may be money again.
        self._mark_at(self._held)
        self.mouthful = 0
        return self._held - self._made > self._near()

    def kill(self, tap: Tap, halt: Halt) -> None:
        """People ended the stream: it reaches no further than to the end of the event that is under way."""
        self._tap, self._halt = tap, halt
        self.mark = 0

    def cut(self) -> Cut:
        """What the client is told at the end of the cut stream; after it was billed."""
        call, usage = self._journey.call, self._attempt.usage
        return Cut(
            flyball={"operation": call.operation, "code": self._code(), **self._standing()},
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            asked_for_usage=self._journey.request.asked_for_usage,
        )

    def note(self) -> None:
        """Say in the rows that we ended the stream, and why."""
        journey, attempt = self._journey, self._attempt
        attempt.error = journey.error = journey.code = self._code()
        attempt.finish_reason = "length"
        if self._halt is not None:
            why = self._halt.said
            if self._halt.by:
                journey.measured.refused_by = self._halt.by
        elif self.short is not None and not self.away:
            why = f"the {noun(self.short.line)} {self.short.line.name!r} could not cover more"
            journey.measured.refused_by = named(self.short.line)
        else:
            why = "the ledger could not be asked for more"
        told = f" after {self._made} output tokens" if self._units else ""
        journey.say(f"ended{told}: {why}")

    def _due(self) -> int:
        """After how many tokens more is to be held; all of them where the model itself makes no more."""
        return NEVER if self._held >= self._most else self._held - self._step // SPARE

    def _mouthful(self) -> int:
        return max(LEAST_MOUTHFUL, self._step * BYTES_A_TOKEN)

    def _near(self) -> int:
        return max(LEAST_NEAR, self._step // NEAR)

    def _mark_at(self, tokens: int) -> None:
        """Look again when the quick bound has grown by what is missing to so many tokens."""
        if tokens == NEVER:
            self.mark = NEVER
        else:
            self.mark = self._facts.output_fifths + (tokens - self._made) * FIFTHS

    async def _count(self) -> None:
        """Count what has come since the last time, by the counter that bills what no provider has counted."""
        facts = self._facts
        chars = facts.output_chars - self._chars
        new = "".join(facts.delivered)[self._chars :]
        self._chars = facts.output_chars
        self._made += await self._rooms.counter.count_output(self._attempt.sent_model, [new], chars)

    async def _extend(self) -> bool:
        """Hold a further step, or as much of one as the budget that is short has left."""
        step = min(self._step + max(0, self._made - self._held), self._most - self._held)
        try:
            short = await self._hold_more(step)
            while short is not None and short.line.kind is LineKind.RATE and self._without(short.line.unit):
                short = await self._hold_more(step)
            if short is None:
                return True
            left = short.line.limit - short.spent - short.held
            part = left * step // max(1, short.wanted) - 1  # prices are rounded up
            return part >= step // LEAST_PART and await self._hold_more(part) is None
        except LedgerUnavailable as error:
            log.error("hold not extended", extra={"operation": self._journey.call.operation, "error": str(error)})
            self.away = True
            return False

    def _without(self, unit: Unit) -> bool:
        """Go on where only a rate is short: no answer is cut for it, and the calls after it make up for it.

        False where a budget or a run counts the same, so that the one cannot grow without the other.
        """
        if any(line.unit is unit and line.hard and line.kind is not LineKind.RATE for line in self._journey.lines):
            return False
        self._units -= {unit}
        self.short = None
        return True

    async def _hold_more(self, tokens: int) -> Short | None:
        if not self._units:
            self._held = self._most
            return None
        journey = self._journey
        more = {unit: self._dollars(tokens) if unit is Unit.USD else tokens for unit in self._units}
        verdict = await self._rooms.ledger.extend(journey.call.operation, more)
        self.away = False
        if not isinstance(verdict, Granted):
            self.short = verdict
            return verdict
        self._held += tokens
        take_grown(journey, verdict)
        made = journey.estimate
        journey.estimate = replace(made, output_tokens=max(made.output_tokens, self._held), amount=verdict.amount)
        return None

    def _dollars(self, tokens: int) -> int:
        """What so many tokens more could cost, in nano-dollars; nothing where nothing has a price."""
        journey, price = self._journey, self._price
        if price is None:
            return 0
        given = journey.estimate.input_tokens
        now = worst_price(journey, price, given, self._held)
        return worst_price(journey, price, given, self._held + tokens) - now

    def _code(self) -> str:
        if self._halt is not None:
            return self._halt.refusal.code
        if self.short is None or self.away:
            return Refusal.DEPENDENCY_UNAVAILABLE.code
        return WHY[self.short.line.kind].code

    def _standing(self) -> dict[str, JsonValue]:
        journey = self._journey
        run: dict[str, JsonValue] = {"run": journey.claims.run}
        if self._halt is not None:
            return dict(self._halt.facts)
        if self.short is None or self.away:
            return {"dependency": "ledger"}
        short = self.short
        told = standing(short.line, spent=short.spent, held=short.held, wanted=short.wanted)
        return {**told, **run} if short.line.kind is LineKind.RUN else told


def _watched_units(journey: Journey) -> frozenset[Unit]:
    """What is to be extended with the stream's output; nothing where it is bounded, or may take what it likes."""
    if journey.request.max_output_tokens is not None or not journey.call.endpoint.has_output:
        return frozenset()
    counting = [line for line in journey.lines if line.unit in COUNTING_OUTPUT]
    if not any(line.hard for line in counting):
        return frozenset()
    return frozenset(line.unit for line in counting)
