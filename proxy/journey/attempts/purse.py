"""purse: what a call's further requests could cost, held before they are sent."""

import logging
from collections.abc import Iterable
from typing import Final

from proxy.budget import Granted, LedgerUnavailable, Unit, tokens_used
from proxy.core.money import ZERO
from proxy.journey.refusals import noun
from proxy.journey.rooms import Rooms
from proxy.journey.state import Estimate, Journey

TOKENS: Final = (Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS)
log = logging.getLogger("flyball.journey")


class Purse:
    """The hold of one call, grown so that it covers what its requests have cost and what one more may.

    The hold that a call begins with covers the dearest of its targets once. What was refused costs nothing, so most
    further requests need no more.
    """

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self._journey = journey
        self._rooms = rooms
        self._input, self._output = journey.estimate.input_tokens, journey.estimate.output_tokens
        self._units = frozenset(line.unit for line in journey.lines)

    def spent(self, running: Iterable[Estimate]) -> int:
        """What its requests so far have cost, or may yet where they are under way, in nano-dollars."""
        ended = sum(attempt.cost or ZERO for attempt in self._journey.attempts if attempt.ended_ns)
        return ended + sum(each.amount for each in running)

    async def covers(self, wanted: Estimate, running: tuple[Estimate, ...] = ()) -> str:
        """Hold what is missing for one more request, in all its budgets or in none; why not, empty where it is held."""
        more = self._missing(wanted, running)
        if not more:
            return ""
        journey = self._journey
        try:
            verdict = await self._rooms.ledger.extend(journey.call.operation, more)
        except LedgerUnavailable as error:
            log.error("hold not extended", extra={"operation": journey.call.operation, "error": str(error)})
            return "the ledger could not be asked for more"
        if not isinstance(verdict, Granted):
            return f"the {noun(verdict.line)} {verdict.line.name!r} does not cover it"
        take_grown(journey, verdict)
        self._input, self._output = self._tokens(wanted, running)
        return ""

    def _missing(self, wanted: Estimate, running: tuple[Estimate, ...]) -> dict[Unit, int]:
        journey = self._journey
        held = ZERO if journey.granted is None else journey.granted.amount
        needed, known = tokens_used(*self._tokens(wanted, running)), tokens_used(self._input, self._output)
        more: dict[Unit, int] = {unit: needed[unit] - known[unit] for unit in TOKENS if unit in self._units}
        more[Unit.USD] = self.spent(running) + wanted.amount - held
        return {unit: amount for unit, amount in more.items() if amount > 0}

    def _tokens(self, wanted: Estimate, running: tuple[Estimate, ...]) -> tuple[int, int]:
        """Input and output tokens that have to be held in all."""
        used = [attempt.usage for attempt in self._journey.attempts if attempt.ended_ns]
        given = sum(usage.prompt_tokens for usage in used) + sum(each.input_tokens for each in running)
        made = sum(usage.completion_tokens for usage in used) + sum(each.output_tokens for each in running)
        return max(self._input, given + wanted.input_tokens), max(self._output, made + wanted.output_tokens)


def take_grown(journey: Journey, verdict: Granted) -> None:
    """Note that more is held: lines that did not grow stand as they stood, and so does the run's depth."""
    before = journey.granted
    if before is None:
        journey.granted = verdict
        return
    now = {balance.line.budget: balance for balance in verdict.balances}
    balances = tuple([now.get(balance.line.budget, balance) for balance in before.balances])
    journey.granted = Granted(verdict.amount, balances, before.depth)
