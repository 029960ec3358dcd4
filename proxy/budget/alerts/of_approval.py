"""Alerts of calls that wait for a person: each approval once."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from proxy.budget.alerts.alert import Alert, Claim, alert_id
from proxy.budget.ledger import LineKind, Unit
from proxy.core.clock import utc
from proxy.core.money import ZERO

HOUR_NS: Final = 3_600_000_000_000
LONGEST_MESSAGE: Final = 500


class ApprovalNote(NamedTuple):
    """An approval that waits: whose call it is, what is asked for, by which call; times in nanoseconds since 1970."""

    id: str
    org: str
    scope: str
    message: str
    operation: str
    at_ns: int
    expires_ns: int


def approval_alerts(notes: Sequence[ApprovalNote]) -> list[tuple[Alert, Claim]]:
    """The alerts of approvals, each with the claim that makes it the only one."""
    return [_alert(note) for note in notes]


def _alert(note: ApprovalNote) -> tuple[Alert, Claim]:
    claim = Claim(key=f"approval/{note.id}", amount=0, until_ns=note.expires_ns + HOUR_NS)
    alert = Alert(
        id=alert_id(claim),
        at_ns=note.at_ns,
        kind="approval",
        subject=LineKind.BUDGET,
        budget=note.id,
        org=note.org,
        scope=note.scope,
        window=f"until {utc(note.expires_ns):%Y-%m-%dT%H:%M:%SZ}",
        resets_at_ns=note.expires_ns,
        unit=Unit.USD,
        fraction_millionths=0,
        limit=ZERO,
        spent=ZERO,
        held=ZERO,
        overrun=ZERO,
        hard=False,
        message=note.message[:LONGEST_MESSAGE],
        operation=note.operation,
    )
    return alert, claim
