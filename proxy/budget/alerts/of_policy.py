"""Alerts that rules of a policy oblige to: each message once an hour for an org."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from proxy.budget.alerts.alert import Alert, Claim
from proxy.budget.alerts.saying import HOUR_NS, saying
from proxy.core.clock import utc


class PolicyNote(NamedTuple):
    """What a rule said about calls of an org, the first of them in that hour, and when, in nanoseconds since 1970."""

    org: str
    message: str
    operation: str
    at_ns: int


def policy_alerts(notes: Sequence[PolicyNote]) -> list[tuple[Alert, Claim]]:
    """The alerts of what rules said, each with the claim that makes it the only one of its hour."""
    return [_alert(note) for note in notes]


def _alert(note: PolicyNote) -> tuple[Alert, Claim]:
    begins_ns = note.at_ns // HOUR_NS * HOUR_NS
    said = sha256(note.message.encode("utf-8", "replace")).hexdigest()[:32]
    # Kept for another hour: a worker may tell of an hour that has just ended.
    claim = Claim(key=f"policy/{note.org}/{begins_ns}/{said}", amount=0, until_ns=begins_ns + 2 * HOUR_NS)
    return saying(
        claim,
        "policy",
        about="",
        org=note.org,
        scope=f"org:{note.org}",
        window=f"{utc(begins_ns):%Y-%m-%dT%H}",
        at_ns=note.at_ns,
        ends_ns=begins_ns + HOUR_NS,
        message=note.message,
        operation=note.operation,
    )
