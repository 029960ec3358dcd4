"""`enforcement: observe`: what would have been refused is written down, and the call goes on (DESIGN §6)."""

from typing import Final

from proxy.budget import Granted, HoldLine, LineKind
from proxy.core.refusal import Refusal, Refused
from proxy.journey.state import Journey

WHY: Final = {
    LineKind.BUDGET: Refusal.BUDGET_EXCEEDED,
    LineKind.RATE: Refusal.RATE_LIMITED,
    LineKind.RUN: Refusal.RUN_STOPPED,
}
"""How a line refuses, by what it is."""


def named(line: HoldLine) -> str:
    """What refuses, as rows name it: scope and name."""
    return f"{line.scope}/{line.name}"


def observes(journey: Journey) -> bool:
    """Whether what would be refused is written down only."""
    return journey.snapshot.budgets.observes(journey.principal.org)


def refuse_unless_observed(journey: Journey, refused: Refused, *, allowed: bool = False) -> None:
    """Refuse; where the call's organisation only observes, or whatever refuses does (`allowed`), write it down.

    Raises:
        Refused: the refusal.
    """
    if not allowed and not observes(journey):
        raise refused
    note(journey, refused.why, refused.by)


def note(journey: Journey, why: Refusal, by: str) -> None:
    """Write down how the call would have been refused; the first that would have is the one."""
    measures = journey.measured
    if not measures.would_code:
        measures.would_code, measures.would_by = why.code, by


def note_exceeded(journey: Journey, granted: Granted) -> None:
    """Write down the first line that would have refused the call, were it not only observed."""
    for line, spent, held in granted.balances:
        if line.observed and spent + held > line.limit:
            note(journey, WHY[line.kind], named(line))
            return
