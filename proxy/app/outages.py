"""Providers that do not answer: noted in the audit trail when it begins and when it is over, for boards to show."""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from proxy.app.audit_post import Noticed

OUTAGE: Final = "provider.outage"
RECOVERY: Final = "provider.recovery"
WINDOW_S: Final = 60.0
LEAST_FAILED: Final = 5
SHARE: Final = 9
"""In tenths: so many of the requests of a minute must have failed."""


class Answered(NamedTuple):
    """Requests to one provider since the workers started: those it answered, and those that failed by its fault."""

    good: int = 0
    bad: int = 0


class Outages:
    """Looks at what became of requests. A provider is out when, within a minute, nine tenths of its requests failed and
    at least five; it is back with a minute in which more went well than failed."""

    def __init__(self, noticed: Noticed) -> None:
        self._noticed = noticed
        self._seen: dict[str, deque[tuple[float, Answered]]] = {}

    def look(self, now_s: float, providers: Mapping[str, Answered]) -> None:
        """Take the counts of a moment; blocks for a short disk access where something changed."""
        for name, counts in providers.items():
            seen = self._seen.setdefault(name, deque())
            if seen and (counts.good < seen[-1][1].good or counts.bad < seen[-1][1].bad):
                seen.clear()  # counted anew
            seen.append((now_s, counts))
            while len(seen) > 2 and now_s - seen[1][0] >= WINDOW_S:
                seen.popleft()
            lately = Answered(counts.good - seen[0][1].good, counts.bad - seen[0][1].bad)
            self._judge(name, lately)

    def _judge(self, name: str, lately: Answered) -> None:
        subject = f"provider:{name}"
        if lately.bad >= LEAST_FAILED and lately.bad * 10 >= (lately.good + lately.bad) * SHARE:
            if self._noticed.last_of(subject) != OUTAGE:
                self._note(OUTAGE, subject, lately)
        elif lately.good > lately.bad and self._noticed.last_of(subject) == OUTAGE:
            self._note(RECOVERY, subject, lately)

    def _note(self, action: str, subject: str, lately: Answered) -> None:
        told = {"answered": lately.good, "failed": lately.bad, "seconds": int(WINDOW_S)}
        self._noticed.note(action, subject, msgspec.json.encode(told))
