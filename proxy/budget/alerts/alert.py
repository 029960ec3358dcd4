"""What an alert is: a counter that stands where someone wanted to hear of it."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from proxy.budget.ledger import LineKind, Unit
from proxy.core.money import Nano

AlertKind: TypeAlias = Literal[
    "alert", "downgrade", "cache_only", "throttle", "block", "overrun", "policy", "approval", "routing", "test"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One thing to tell, with the numbers as they stood then, in the unit of the budget.

    `kind` is the rung that was reached, or `overrun`. `budget` is the name of a budget or of a limit: `subject` says
    of which. `fraction_millionths` is where its rung stands; 0 for an overrun. One of a `policy` has no numbers: it has
    the rule's `message`, and the `operation` that it was first about in the hour that is its window; nor has one of an
    `approval`, whose id stands in `budget`, nor one of `routing`, where `budget` and `scope` name the target.
    """

    id: str
    at_ns: int
    kind: AlertKind
    subject: LineKind
    budget: str
    org: str
    scope: str
    window: str
    resets_at_ns: int | None
    unit: Unit
    fraction_millionths: int
    limit: Nano
    spent: Nano
    held: Nano
    overrun: Nano
    hard: bool
    message: str = ""
    operation: str = ""

    @property
    def team(self) -> str:
        """The team that its scope lies in; empty for none."""
        kind, _, path = self.scope.partition(":")
        return path.split("/")[1] if kind in ("team", "key") else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What makes an alert the one and only of its kind: whoever holds the claim may raise it.

    `amount` is 0, or an overrun: a claim of twice the amount may be had once more. From `until_ns` on (None: never)
    it is forgotten, and may be had anew.
    """

    key: str
    amount: int
    until_ns: int | None


def alert_id(claim: Claim) -> str:
    """The id of the alert of a claim: the same on every host that finds it, so that receivers know it as the same."""
    text = f"{claim.key}\0{claim.amount}\0{claim.until_ns}"
    return f"alr_{sha256(text.encode()).hexdigest()[:32]}"
