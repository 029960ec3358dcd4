"""Calls that no valid key stands behind: counted, and told to the log at most once a second, never as rows."""

import logging
from typing import Final

from proxy.journey.rooms import Rooms

EVERY_NS: Final = 1_000_000_000
log = logging.getLogger("flyball.edge")


class Strangers:
    """Counts them; the log says why a key was refused and which key it once was, the caller is never told."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._told_ns = -EVERY_NS
        self._untold = 0

    def note(self, secret: str, operation: str) -> None:
        """One call was refused for lack of a valid key."""
        rooms = self._rooms
        rooms.counters.unauthorised()
        now = rooms.clock.monotonic_ns()
        if now - self._told_ns < EVERY_NS:
            self._untold += 1
            return
        verdict, key_id = rooms.snapshot().keyring.verdict(secret, rooms.clock.now_ns())
        why = "missing" if not secret else verdict
        log.warning(
            "a call without a valid key was refused",
            extra={"operation": operation, "why": why, "key_id": key_id, "since_last_line": self._untold},
        )
        self._told_ns, self._untold = now, 0
