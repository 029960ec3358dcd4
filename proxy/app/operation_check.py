"""Whether an operation's row is as it was shipped, by the chain of what each segment held."""

import json
from dataclasses import dataclass, field
from typing import Final, Protocol

from proxy.admin.audit import StateAuditLog
from proxy.core.chain import GENESIS
from proxy.telemetry import OperationDetail, OperationRow, SegmentRow, TelemetryUnavailable, digest_of, hash_of_segment

ANCHOR: Final = "segments.anchor"
MOST_ANCHORS: Final = 100_000


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


@dataclass(kw_only=True, slots=True)
class SegmentsReport:
    """What was found of one spool's chain: whole up to `links`, named in the audit chain up to `anchored`; or `why`."""

    spool: str
    links: int = 0
    anchored: int = 0
    why: str = ""


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
    chain = await _followed(link.spool, trail, shipped)
    if chain.why:
        return report.fails(chain.why)
    by = (
        f", anchored in the audit chain up to {chain.anchored}"
        if chain.anchored >= link.number
        else ", not anchored yet"
    )
    report.facts.append(f"link {link.number} of the segments' chain {link.spool}, whole up to {chain.links}{by}")
    report.facts += _said_by_the_trail(row, trail)
    report.proven = True
    return report


async def check_segments(trail: StateAuditLog, shipped: ShippedRows) -> list[SegmentsReport]:
    """Follow the chain of each spool that the audit chain names.

    Raises:
        TelemetryUnavailable: ClickHouse cannot answer now.
    """
    named = trail.newest(before=None, org=None, team=None, filters={"action": ANCHOR}, limit=MOST_ANCHORS)
    spools = dict.fromkeys(change.subject.removeprefix("spool:") for _, change in named)
    return [await _followed(spool, trail, shipped) for spool in spools]


async def _followed(spool: str, trail: StateAuditLog, shipped: ShippedRows) -> SegmentsReport:
    """A spool's chain from end to end, held to what the audit chain names of it."""
    anchors = _anchors(spool, trail)
    report = SegmentsReport(spool=spool, anchored=max(anchors, default=0))
    own = GENESIS
    while links := await shipped.segments(spool=spool, after=report.links):
        for each in links:
            if not report.links and each.number > 1:
                report.links, own = each.number - 1, each.previous  # retention dropped what was before
            if each.number != report.links + 1:
                report.why = f"link {report.links + 1} of the segments' chain {spool} is missing or stands there twice"
            elif each.previous != own or each.hash != hash_of_segment(each):
                report.why = f"link {each.number} of the segments' chain {spool} was changed"
            elif anchors.get(each.number, each.hash) != each.hash:
                report.why = f"link {each.number} of the segments' chain {spool} is not the one the audit chain names"
            if report.why:
                return report
            report.links, own = each.number, each.hash
    if report.anchored > report.links:
        report.why = (
            f"the segments' chain {spool} ends at {report.links}, the audit chain names link {report.anchored}: "
            "it is still on its way, or was cut off"
        )
    return report


def _anchors(spool: str, trail: StateAuditLog) -> dict[int, str]:
    """The heads of a spool's chain that the audit chain names."""
    filters = {"action": ANCHOR, "subject": f"spool:{spool}"}
    found = trail.newest(before=None, org=None, team=None, filters=filters, limit=MOST_ANCHORS)
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
