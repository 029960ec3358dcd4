"""extend: more is held as more output flows, for a stream whose call named no maximum; else it is cut in time.

A chunk costs one comparison: of the tap's quick bound of the tokens so far with the mark at which to look closer. Only
there is the output counted as it would be billed. What a provider does not show (hidden reasoning, sound) is not seen:
it is booked as overrun where it exceeds the hold.
"""

import logging
import sys
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from proxy.budget import Granted, LedgerUnavailable, Short, Unit
from proxy.core.clock import utc
from proxy.core.money import Nano, to_usd_text
from proxy.core.refusal import JsonValue, Refusal
from proxy.journey.estimate import output_bound, worst_price
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.pricing import Price
from proxy.wire.openai.cut import Cut, Kept, cut_ending
from proxy.wire.openai.output import FIFTHS
from proxy.wire.openai.stream import StreamFacts

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
        "_held",
        "_journey",
        "_made",
        "_most",
        "_price",
        "_rooms",
        "_step",
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
        self._price = _watched_price(journey)
        self._held = self._most = self._made = self._chars = 0
        self._step = max(LEAST_STEP, rooms.holding.first_hold_output_tokens) * journey.request.choices
        self.short: Short | None = None
        self.away = False
        self.mark = self.mouthful = NEVER
        if self._price is not None:
            self._held = output_bound(journey, self._price, rooms.holding)
            self._most = (self._price.max_output or NEVER) * journey.request.choices
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

    def cut(self, kept: Kept) -> bytes:
        """The end of the cut stream, as its client is told it; after it was billed."""
        call, usage = self._journey.call, self._attempt.usage
        cut = Cut(
            flyball={"operation": call.operation, "code": self._code(), **self._standing()},
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            asked_for_usage=self._journey.request.asked_for_usage,
        )
        return cut_ending(call.endpoint, kept, self._facts.delivered, cut)

    def note(self) -> None:
        """Say in the rows that we ended the stream, and why."""
        journey, attempt = self._journey, self._attempt
        attempt.error = journey.error = journey.code = self._code()
        attempt.finish_reason = "length"
        if self.short is not None and not self.away:
            line = self.short.line
            journey.reason = f"ended after {self._made} output tokens: the budget {line.name!r} could not cover more"
        else:
            journey.reason = f"ended after {self._made} output tokens: the ledger could not be asked for more"

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
            if short is None:
                return True
            left = short.line.limit - short.spent - short.held
            part = left * step // max(1, short.wanted) - 1  # prices are rounded up
            return part >= step // LEAST_PART and await self._hold_more(part) is None
        except LedgerUnavailable as error:
            log.error("hold not extended", extra={"operation": self._journey.call.operation, "error": str(error)})
            self.away = True
            return False

    async def _hold_more(self, tokens: int) -> Short | None:
        journey, price = self._journey, self._price
        if price is None:
            raise RuntimeError("a stream without a price is not watched")
        given = journey.estimate.input_tokens
        now = worst_price(journey, price, given, self._held)
        by = Nano(worst_price(journey, price, given, self._held + tokens) - now)
        verdict = await self._rooms.ledger.extend(journey.call.operation, {Unit.USD: by})
        self.away = False
        if not isinstance(verdict, Granted):
            self.short = verdict
            return verdict
        self._held += tokens
        journey.granted = verdict
        made = journey.estimate
        journey.estimate = replace(made, output_tokens=max(made.output_tokens, self._held), amount=verdict.amount)
        return None

    def _code(self) -> str:
        why = Refusal.DEPENDENCY_UNAVAILABLE if self.away else Refusal.BUDGET_EXCEEDED
        return why.code

    def _standing(self) -> dict[str, JsonValue]:
        if self.short is None or self.away:
            return {"dependency": "ledger"}
        short, line = self.short, self.short.line
        return {
            "scope": line.scope,
            "budget": line.name,
            "window": line.window,
            "limit_usd": to_usd_text(line.limit),
            "spent_usd": to_usd_text(short.spent),
            "held_usd": to_usd_text(short.held),
            "wanted_usd": to_usd_text(short.wanted),
            "resets_at": None if line.resets_at_ns is None else utc(line.resets_at_ns).isoformat(),
        }


def _watched_price(journey: Journey) -> Price | None:
    """The price by which the stream's output is to be covered; None where it is bounded, or may cost what it likes."""
    if journey.request.max_output_tokens is not None or not journey.call.endpoint.has_output:
        return None
    if journey.candidate is None or not any(line.hard for line in journey.lines):
        return None
    return journey.prices.get(journey.candidate)
