"""The names of a ledger's keys: all of them under one hash tag, so that a cluster keeps them on one node."""

import re
from hashlib import blake2b
from typing import Final

from proxy.budget.ledger import HoldLine
from proxy.budget.steps import settled_key
from proxy.core.ids import born_ms

_NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_BORN_TOGETHER_MS: Final = 64
"""Operations born within this time are remembered in one small hash, which Redis packs into a flat list: about 25
bytes each instead of a hundred for a key of their own."""


class Keys:
    """The keys of the ledger of that name."""

    __slots__ = (
        "_tag",
        "counters",
        "ends",
        "owners",
        "runs",
        "runs_killed",
        "runs_seen",
        "windows",
        "workers",
    )

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a ledger: 1 to 64 letters, digits or . _ : -")
        self._tag = b"{%s}:" % name.encode()
        # budget NUL window NUL s|h|o|p: spent (with opening spend), held, overrun, opening spend.
        self.counters: Final = self._tag + b"counters"
        # budget NUL window, to find the windows of a budget in order.
        self.windows: Final = self._tag + b"windows"
        # budget NUL window → the second from which nobody asks for it any more.
        self.ends: Final = self._tag + b"ends"
        # worker NUL operation of every open hold.
        self.owners: Final = self._tag + b"owners"
        # worker → the end of its lease, nanoseconds since 1970 by the server's clock.
        self.workers: Final = self._tag + b"workers"
        # org NUL key id NUL name → what run_notes.lua says of a run.
        self.runs: Final = self._tag + b"runs"
        # The same, by the last call, and by when it was killed; microseconds since 1970 by the server's clock.
        self.runs_seen: Final = self._tag + b"runs:seen"
        self.runs_killed: Final = self._tag + b"runs:killed"

    def runs_of(self, org: str) -> bytes:
        """The runs of an org, by the last call."""
        return self._tag + b"runs:of:" + org.encode()

    def of_runs(self, org: str) -> list[bytes]:
        """What a run of that org is noted in, in the order of run_notes.lua."""
        return [self.runs, self.runs_seen, self.runs_killed, self.runs_of(org)]

    def hold(self, operation: str) -> bytes:
        """The hash that is an open hold."""
        return self._tag + b"hold:" + operation.encode()

    def released(self, operation: str) -> bytes:
        """What is remembered for a while of a released hold: its mark and the mark of its release."""
        return self._tag + b"released:" + operation.encode()

    def settled(self, operation: str) -> tuple[bytes, bytes]:
        """The hash that remembers a settled operation, and its name in there."""
        born = born_ms(operation)
        if born is None:
            name = operation.encode()
            return self._tag + b"settled:x" + blake2b(name, digest_size=1).hexdigest().encode(), name
        return self._tag + b"settled:%x" % (born // _BORN_TOGETHER_MS), settled_key(operation)


def counter_of(line: HoldLine) -> bytes:
    """A line's counter: its budget in its window."""
    return b"%s\0%s" % (line.budget.encode(), line.window.encode())


def oldest_of(line: HoldLine) -> bytes:
    """The oldest window that counts against a line's limit; empty when only its own does."""
    return b"" if line.counted_from is None else b"%s\0%s" % (line.budget.encode(), line.counted_from.encode())


def run_member(org: str, key_id: str, name: str) -> bytes:
    """What a run is called among all runs."""
    return b"\0".join((org.encode(), key_id.encode(), name.encode()))
