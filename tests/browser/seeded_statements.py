"""Two closed months: known amounts, one name that is hostile."""

from datetime import UTC, datetime

from proxy.billing import (
    Adjustment,
    Adjustments,
    Amounts,
    Correction,
    Draft,
    Period,
    Place,
    Statements,
    statements_of,
)
from proxy.core.clock import Clock
from proxy.core.money import Nano, to_usd_text
from proxy.state import StateFile

ZONE = "Asia/Kathmandu"
VERSIONS = {"research": ("3f9a01c2b4d5", "88aa01c2b4d5"), "support": ("3f9a01c2b4d5",)}


def seed_statements(state: StateFile, clock: Clock, hostile: str) -> tuple[Statements, Adjustments]:
    """September and October of acme, closed."""
    statements, adjustments = Statements(state), Adjustments(state, clock=clock)
    credit = Adjustment(
        "adj_1", "acme", "research", "4711", "2026-10", "credit", Nano(-12_500_000_000), hostile, "ada", 0
    )
    commitment = Adjustment("adj_2", "acme", "", "", "2026-10", "commitment", Nano(100 * 10**9), "Minimum", "ada", 0)
    late = tuple(
        Correction(
            of_period="2026-09",
            why=why,  # type: ignore[arg-type]  # both are named
            cost_center="4711",
            key="nightly",
            provider="openai",
            model="gpt-5",
            calls=calls,
            amount_usd=to_usd_text(Nano(nano)),
            amount_nano=nano,
        )
        for why, calls, nano in (("late", 3, 41_000_001), ("reprice", 0, -7_250_000))
    )
    previous: dict[str, str] = {}
    first = 1
    for month, corrections, agreed in (("2026-09", {}, ()), ("2026-10", {"research": late}, (credit, commitment))):
        period = Period.of(month)
        made = statements_of(
            Draft(
                org="acme",
                period=period,
                timezone=ZONE,
                closed_at=datetime(2026, 11, 3, 9, 30, tzinfo=UTC),
                closed_by="ada@example.com",
                amounts=_amounts(hostile),
                corrections=corrections,
                negotiated=agreed,
                versions=VERSIONS,
                allow_unpriced=True,
                first_number=first,
                previous=previous,
            )
        )
        statements.close("acme", period, ZONE, made, by="ada@example.com", at_ns=clock.now_ns())
        previous |= {each.team: each.hash for each in made}
        first += len(made)
    return statements, adjustments


def _amounts(hostile: str) -> dict[Place, Amounts]:
    tokens = {"input": 1_240_112, "cache_read": 88_000, "output": 91_233, "reasoning": 12_000}
    named = (("research", "4711", "nightly", "gpt-5", 0), ("research", "4711", "nightly", "claude-opus-5", 2))
    others = (("research", "", hostile, hostile, 0), ("support", "4712", "bot", "gpt-5-mini", 0))
    return {
        Place(team, center, key, "openai", model): Amounts(
            calls=1200 * at,
            unpriced=unpriced,
            recorded=Nano(at * 31_415_926_535),
            corrected=Nano(at * 8_979),
            listed=Nano(at * 35_000_000_000),
            tokens=tokens,
        )
        for at, (team, center, key, model, unpriced) in enumerate((*named, *others), start=1)
    }
