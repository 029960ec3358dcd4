"""What rules of a policy alerted of lately: noted by each worker, told to whoever raises alerts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from proxy.budget import PolicyNote
from proxy.core.clock import SystemClock

HOUR_NS: Final = 3_600_000_000_000
MOST: Final = 200
LONGEST: Final = 500


class PolicyNotes:
    """One worker's notes: each message once an hour for an org, at most two hundred of them."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str, int], PolicyNote] = {}

    def note(self, org: str, message: str, operation: str, at_ns: int) -> bool | None:
        """A rule alerts; whether that is news, None where it is and there is no room for it."""
        message = message[:LONGEST]
        key = (org, message, at_ns // HOUR_NS)
        if key in self._noted:
            return False
        if len(self._noted) >= MOST:
            self._forget(at_ns)
        if len(self._noted) >= MOST:
            return None
        self._noted[key] = PolicyNote(org, message, operation, at_ns)
        return True

    def all(self) -> list[PolicyNote]:
        """What was noted and is not forgotten."""
        return list(self._noted.values())

    def _forget(self, now_ns: int) -> None:
        """Let go of what is older than an hour: it has been told, or nobody is there to tell it to."""
        self._noted = {key: note for key, note in self._noted.items() if now_ns - note.at_ns < HOUR_NS}


def policy_notes(folder: Path) -> Sequence[PolicyNote]:
    """What rules alerted of on this host in the last hour, as its workers say."""
    found = []
    since_ns = SystemClock().now_ns() - HOUR_NS
    for path in folder.glob("metrics-*.json"):
        try:
            told = json.loads(path.read_text())["policy_alerts"]
            found += [PolicyNote(*each) for each in told if each[3] >= since_ns]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
