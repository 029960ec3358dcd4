"""Alerts of calls that wait for a person: each approval once."""

from collections.abc import Sequence
from typing import NamedTuple

from proxy.budget.alerts.alert import Alert, Claim
from proxy.budget.alerts.saying import HOUR_NS, saying
from proxy.core.clock import utc


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
    return saying(
        claim,
        "approval",
        about=note.id,
        org=note.org,
        scope=note.scope,
        window=f"until {utc(note.expires_ns):%Y-%m-%dT%H:%M:%SZ}",
        at_ns=note.at_ns,
        ends_ns=note.expires_ns,
        message=note.message,
        operation=note.operation,
    )
