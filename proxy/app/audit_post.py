"""Entries of the audit chain on their way into the spool, and the entries that nobody but Flyball itself makes."""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from proxy.admin import Change
from proxy.admin.audit import StateAuditLog
from proxy.admin.chain import row_of
from proxy.core.clock import Clock
from proxy.telemetry import Spool, Table, TelemetrySettings, head_of_segments

SELF: Final = "flyball"
SYSTEM: Final = "system"
log = logging.getLogger("flyball.audit")


class AuditPost:
    """Spools each entry of the chain once for a store; after a crash perhaps twice, which the table takes for one."""

    def __init__(self, trail: StateAuditLog, spool: Path, mark: Path, settings: TelemetrySettings, name: str) -> None:
        """`mark` is the file that keeps how far this host has come; `name` is what the spool knows this process by."""
        self._trail = trail
        self._spool = spool
        self._mark = mark
        self._settings = settings
        self._name = name
        self._is_chained = False

    async def ship(self) -> None:
        """Spool what is new."""
        await asyncio.to_thread(self.ship_now)

    def ship_now(self) -> None:
        """The same from a thread."""
        if not self._is_chained:
            self._trail.chain_up()
            self._is_chained = True
        done = self._read_mark()
        while entries := self._trail.entries(done):
            spool = Spool(self._spool, self._name, settings=self._settings)
            for entry in entries:
                spool.append(Table.AUDIT, row_of(entry))
            spool.close()
            if spool.dropped:
                return  # the disk is full or broken, and says so itself: tried again
            done = entries[-1].number
            self._write_mark(done)

    def _read_mark(self) -> int:
        """How far we are; from the beginning for another store, or where the state file was begun anew."""
        try:
            said = json.loads(self._mark.read_text())
            number = int(said["number"]) if said["store"] == self._store else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        return number if self._trail.head_number() >= number else 0

    def _write_mark(self, number: int) -> None:
        draft = self._mark.with_suffix(".draft")
        draft.write_text(json.dumps({"store": self._store, "number": number}))
        os.replace(draft, self._mark)

    @property
    def _store(self) -> str:
        return (self._settings.url or "embedded").rpartition("@")[2]


class Noticed:
    """What Flyball notices itself and puts into the trail: nobody asked the admin API for it."""

    def __init__(self, trail: StateAuditLog, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    def now_is(self, action: str, subject: str, said: dict[str, str]) -> None:
        """Note that something is different from what was noted of it last."""
        last = self._trail.newest(
            before=None, org=None, team=None, filters={"action": action, "subject": subject}, limit=1
        )
        before = last[0][1].after if last else None
        after = msgspec.json.encode(said)
        if before != after:
            self.note(action, subject, after, before)

    def last_of(self, subject: str) -> str:
        """What was noted last of something; empty where nothing was."""
        last = self._trail.newest(before=None, org=None, team=None, filters={"subject": subject}, limit=1)
        return last[0][1].action if last else ""

    def segments_end(self, spool: Path) -> None:
        """Note the head of the chain of segments that this host has shipped, where there is one."""
        if (head := head_of_segments(spool)) is not None:
            name, number, own = head
            self.now_is("segments.anchor", f"spool:{name}", {"number": str(number), "hash": own})

    def note(self, action: str, subject: str, after: bytes | None, before: bytes | None = None) -> None:
        """Put an entry into the trail."""
        self._trail.append(
            Change(
                at_ns=self._clock.now_ns(),
                actor=SELF,
                role=SYSTEM,
                action=action,
                subject=subject,
                org=None,
                team=None,
                before=before,
                after=after,
            )
        )
