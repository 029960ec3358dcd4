"""Alerts that say something and are of no budget or limit: no amounts, a message and the call that brought it up."""

from typing import Final, Literal

from proxy.budget.alerts.alert import Alert, Claim, alert_id
from proxy.budget.ledger import LineKind, Unit
from proxy.core.money import ZERO

HOUR_NS: Final = 3_600_000_000_000
LONGEST_MESSAGE: Final = 500


def saying(
    claim: Claim,
    kind: Literal["approval", "policy", "routing"],
    *,
    about: str,
    org: str,
    scope: str,
    window: str,
    at_ns: int,
    ends_ns: int,
    message: str,
    operation: str,
) -> tuple[Alert, Claim]:
    """The alert with the claim that makes it the only one; times in nanoseconds since 1970."""
    alert = Alert(
        id=alert_id(claim),
        at_ns=at_ns,
        kind=kind,
        subject=LineKind.BUDGET,
        budget=about,
        org=org,
        scope=scope,
        window=window,
        resets_at_ns=ends_ns,
        unit=Unit.USD,
        fraction_millionths=0,
        limit=ZERO,
        spent=ZERO,
        held=ZERO,
        overrun=ZERO,
        hard=False,
        message=message[:LONGEST_MESSAGE],
        operation=operation,
    )
    return alert, claim
