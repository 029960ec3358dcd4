"""Alerts of what happens to the targets of routes: one was left, or answers with another version of its model."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from proxy.budget.alerts.alert import Alert, Claim
from proxy.budget.alerts.saying import saying
from proxy.core.clock import utc

_REMEMBERED_NS: Final = 30 * 86_400_000_000_000


class RoutingNote(NamedTuple):
    """What happened to a target, `about` naming it, in a sentence; when, in nanoseconds since 1970. Of notes with one
    `key` the first is told."""

    key: str
    about: str
    message: str
    at_ns: int
    operation: str = ""


def routing_alerts(notes: Sequence[RoutingNote]) -> list[tuple[Alert, Claim]]:
    """The alerts of what happened, each with the claim that makes it the only one."""
    return [_alert(note) for note in notes]


def _alert(note: RoutingNote) -> tuple[Alert, Claim]:
    claim = Claim(key=f"routing/{note.key}", amount=0, until_ns=note.at_ns + _REMEMBERED_NS)
    return saying(
        claim,
        "routing",
        about=note.about,
        org="",
        scope=note.about,
        window=f"{utc(note.at_ns):%Y-%m-%dT%H:%M}",
        at_ns=note.at_ns,
        ends_ns=note.at_ns + _REMEMBERED_NS,
        message=note.message,
        operation=note.operation,
    )
