"""Whether the audit chain is whole, in the state file and in ClickHouse, and whether the two say the same."""

from dataclasses import dataclass
from typing import Final, Protocol

from proxy.admin.audit import StateAuditLog
from proxy.admin.chain import Break, ChainReading, Head, entry_of, first_difference
from proxy.telemetry import AuditRow, TelemetryUnavailable

PAGE: Final = 5000
BEGINNING: Final = Head()


class ShippedEntries(Protocol):
    """Who has the chain as it was shipped: a Reader."""

    async def audit(self, after: int, limit: int) -> list[AuditRow]:
        """Entries behind a number, in order."""
        ...


@dataclass(kw_only=True, slots=True)
class ChainReport:
    """What was found of the chain. `shipped` counts ClickHouse's entries, `shipped_from` is the first of them.

    `broken_in` says where the break is; `unasked` why ClickHouse was not compared.
    """

    entries: int = 0
    head: Head = BEGINNING
    shipped: int = 0
    shipped_from: int = 0
    shipped_to: int = 0
    broken: Break | None = None
    broken_in: str = ""
    unasked: str = ""

    def breaks(self, found: Break, where: str) -> "ChainReport":
        """The same with a break."""
        self.broken, self.broken_in = found, where
        return self


async def check_chain(trail: StateAuditLog, shipped: ShippedEntries, expected: Head | None = None) -> ChainReport:
    """Read both copies of the chain from end to end; the first break that is found is told.

    `expected` is an entry that somebody noted earlier, outside: it must still stand there.
    """
    report = ChainReport()
    reading = ChainReading()
    while entries := trail.entries(reading.head.number, PAGE):
        if (broken := reading.first_break(entries)) is not None:
            return report.breaks(broken, "the state file")
        if expected is not None and (wrong := _differs(expected, {each.number: each.hash for each in entries})):
            return report.breaks(wrong, "the state file")
    report.entries, report.head = reading.entries, reading.head
    if expected is not None and expected.number > reading.head.number:
        return report.breaks(Break(expected.number, "it is missing: the chain ends before it"), "the state file")
    try:
        return await _check_shipped(trail, shipped, report)
    except TelemetryUnavailable as away:
        report.unasked = away.message
        return report


async def _check_shipped(trail: StateAuditLog, shipped: ShippedEntries, report: ChainReport) -> ChainReport:
    reading = ChainReading(begins_anywhere=True)
    while rows := await shipped.audit(reading.head.number, PAGE):
        entries = [entry_of(row) for row in rows]
        if (broken := reading.first_break(entries)) is not None:
            return report.breaks(broken, "ClickHouse")
        ours = {each.number: each.hash for each in trail.entries(entries[0].number - 1, PAGE)}
        if (differs := first_difference(ours, entries)) is not None:
            return report.breaks(differs, "ClickHouse beside the state file")
        report.shipped_from = report.shipped_from or entries[0].number
    report.shipped, report.shipped_to = reading.entries, reading.head.number if reading.entries else 0
    return report


def _differs(expected: Head, hashes: dict[int, str]) -> Break | None:
    own = hashes.get(expected.number, expected.hash)
    return None if own == expected.hash else Break(expected.number, "it is not the entry that was noted")
