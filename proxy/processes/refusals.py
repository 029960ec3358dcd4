"""What refused calls lately: noted by each worker, told to whoever raises alerts."""

import json
from pathlib import Path
from typing import Final

from proxy.core.clock import SystemClock

LATELY_NS: Final = 60_000_000_000
MOST: Final = 1_000


class RefusedBy:
    """One worker's notes: by scope and name what refused a call, and when last; of many the latest thousand."""

    def __init__(self) -> None:
        self.last_ns: dict[str, int] = {}

    def note(self, by: str, at_ns: int) -> None:
        """A call was refused by that."""
        self.last_ns.pop(by, None)
        self.last_ns[by] = at_ns
        if len(self.last_ns) > MOST:
            del self.last_ns[next(iter(self.last_ns))]


def refusals(folder: Path) -> dict[tuple[str, str], int]:
    """By which scopes and names this host's workers refused calls lately, and when last, in nanoseconds since 1970."""
    found: dict[tuple[str, str], int] = {}
    since_ns = SystemClock().now_ns() - LATELY_NS
    for path in folder.glob("metrics-*.json"):
        try:
            refused = json.loads(path.read_text())["refused"]
        except (OSError, ValueError, KeyError):
            continue
        for by, at_ns in refused.items():
            scope, _, name = by.rpartition("/")
            if at_ns >= since_ns:
                found[scope, name] = max(at_ns, found.get((scope, name), 0))
    return found
