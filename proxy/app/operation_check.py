"""Whether an operation's row is as it was shipped, by the chain of what each segment held."""

import json
from dataclasses import dataclass, field
from typing import Final, Protocol

from proxy.admin.audit import StateAuditLog
from proxy.core.chain import GENESIS
from proxy.telemetry import OperationDetail, OperationRow, SegmentRow, TelemetryUnavailable, digest_of, hash_of_segment

ANCHOR: Final = "segments.anchor"


class ShippedRows(Protocol):
    """Who has what was shipped: a Reader. Each raises TelemetryUnavailable."""

    async def operation(self, operation: str, org: str | None) -> OperationDetail | None:
        """One operation."""
        ...

    async def rows_of_segment(self, segment: int) -> list[OperationRow]:
        """All operations of one segment."""
        ...

    async def segments(self, *, first_ns: int | None = None, spool: str = "", after: int = 0) -> list[SegmentRow]:
        """Links of the chain of segments."""
        ...


@dataclass(kw_only=True, slots=True)
class OperationReport:
    """What is proven of one operation. `proven` is false with the reason in `why`; `facts` are sentences."""

    operation: str
    proven: bool = False
    why: str = ""
    facts: list[str] = field(default_factory=list)

    def fails(self, why: str) -> "OperationReport":
        """Not proven, and why."""
        self.proven, self.why = False, why
        return self


async def check_operation(operation: str, trail: StateAuditLog, shipped: ShippedRows) -> OperationReport:
    """Compare the rows of the operation's segment with the digest of what was shipped, and follow its chain."""
    report = OperationReport(operation=operation)
    try:
        return await _check(report, trail, shipped)
    except TelemetryUnavailable as away:
        return report.fails(away.message)


async def _check(report: OperationReport, trail: StateAuditLog, shipped: ShippedRows) -> OperationReport:
    found = await shipped.operation(report.operation, None)
    if found is None:
        return report.fails("there is no such operation in ClickHouse")
    row = found.operation
    if not row.segment:
        return report.fails("it was shipped before segments were noted")
    links = await shipped.segments(first_ns=row.segment)
    rows = await shipped.rows_of_segment(row.segment)
    if not links:
        return report.fails("its segment is not in the chain yet: links follow their rows within some ten seconds")
    digest = digest_of(rows)
    for each in links:
        if len(rows) != each.rows:
            return report.fails(f"its segment {each.segment} had {each.rows} rows, ClickHouse has {len(rows)} of it")
        if digest != each.digest:
            return report.fails(f"rows of its segment {each.segment} are not as they were shipped")
    link = links[0]
    report.facts.append(f"it is one of {link.rows} rows of segment {link.segment}, shipped {link.shipped_at} UTC")
    if why := await _first_break(link, trail, shipped, report):
        return report.fails(why)
    report.facts += _said_by_the_trail(row, trail)
    report.proven = True
    return report


async def _first_break(link: SegmentRow, trail: StateAuditLog, shipped: ShippedRows, report: OperationReport) -> str:
    """What is wrong with the chain of the segment's spool; empty, and a sentence in the report, when all is right."""
    anchors = _anchors(link.spool, trail)
    before = SegmentRow(
        spool=link.spool, number=0, shipped_at="", segment="", first_ns=0, rows=0, digest="", previous="", hash=GENESIS
    )
    while links := await shipped.segments(spool=link.spool, after=before.number):
        for each in links:
            if not before.number and each.number > 1:
                before.number, before.hash = each.number - 1, each.previous  # retention dropped what was before
            if each.number != before.number + 1:
                return f"link {before.number + 1} of the segments' chain {link.spool} is missing or stands there twice"
            if each.previous != before.hash or each.hash != hash_of_segment(each):
                return f"link {each.number} of the segments' chain {link.spool} was changed"
            if anchors.get(each.number, each.hash) != each.hash:
                return f"link {each.number} of the segments' chain is not the one that the audit chain names"
            before = each
    anchored = max((number for number in anchors if number >= link.number), default=0)
    if max(anchors, default=0) > before.number:
        return f"the segments' chain ends at {before.number}; the audit chain names link {max(anchors)}"
    by = f", anchored in the audit chain at link {anchored}" if anchored else ", not anchored in the audit chain yet"
    report.facts.append(f"link {link.number} of the segments' chain {link.spool}, whole up to {before.number}{by}")
    return ""


def _anchors(spool: str, trail: StateAuditLog) -> dict[int, str]:
    """The heads of a spool's chain that the audit chain names."""
    filters = {"action": ANCHOR, "subject": f"spool:{spool}"}
    found = trail.newest(before=None, org=None, team=None, filters=filters, limit=100_000)
    said = [json.loads(change.after) for _, change in found if change.after is not None]
    return {int(each["number"]): each["hash"] for each in said}


def _said_by_the_trail(row: OperationRow, trail: StateAuditLog) -> list[str]:
    """Entries that the row leans on: its prices, and the key's last change of before."""
    facts = []
    prices = trail.newest(before=None, org=None, team=None, filters={"action": "prices.take"}, limit=1000)
    of_it = [number for number, each in prices if each.after == b'{"version":"%s"}' % row.price_version.encode()]
    if of_it:
        facts.append(f"its prices {row.price_version} were taken by entry {of_it[-1]}")
    subject = f"key:{row.org}/{row.team}/{row.key_name}"
    changes = trail.newest(before=None, org=None, team=None, filters={"subject": subject}, limit=1)
    facts += [f"its key was last changed by entry {number} ({each.action} by {each.actor})" for number, each in changes]
    return facts
