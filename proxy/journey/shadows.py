"""Shadow decisions: what rules that are only tried would have said, asked once the call has gone on without them."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from proxy.policy import Decision, Point, PolicyEngine, PolicyUnavailable
from proxy.telemetry import DecisionRow

MOST_WAITING: Final = 2048
MOST_BYTES: Final = 16 * 1024 * 1024
_COMPLAIN_EVERY_NS: Final = 60_000_000_000
log = logging.getLogger("flyball.policy")


class Shadow(NamedTuple):
    """A question that waits: its row, what it is asked with, and the decision that counted. `size` in bytes, about."""

    engine: PolicyEngine
    point: Point
    facts: Mapping[str, Any]
    live: Decision
    row: DecisionRow
    size: int


class Shadows:
    """The questions that wait; beyond a bound of number or bytes the new ones are dropped. For one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Shadow] = deque()
        self._bytes = 0
        self._complained_ns = -_COMPLAIN_EVERY_NS

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, shadow: Shadow) -> bool:
        """Let a question wait; whether there was room."""
        if len(self._waiting) >= MOST_WAITING or self._bytes + shadow.size > MOST_BYTES:
            return False
        self._bytes += shadow.size
        self._waiting.append(shadow)
        return True

    async def take(self) -> Shadow | None:
        """The one that waits the longest; others get their turn before it is asked."""
        await asyncio.sleep(0)
        if not self._waiting:
            return None
        shadow = self._waiting.popleft()
        self._bytes -= shadow.size
        return shadow

    def complain(self, error: PolicyUnavailable, point: Point, now_ns: int) -> None:
        """Say in the log that shadow rules cannot be evaluated, once a minute."""
        if now_ns - self._complained_ns >= _COMPLAIN_EVERY_NS:
            self._complained_ns = now_ns
            log.warning("a shadow policy could not be evaluated", extra={"point": point.value, "error": error.reason})


def differs(live: Decision, shadow: Decision) -> bool:
    """Whether a call would have gone otherwise: another answer, another code, or other obligations."""
    return (live.allow, live.code, live.duties, live.deny_candidates) != (
        shadow.allow,
        shadow.code,
        shadow.duties,
        shadow.deny_candidates,
    )
