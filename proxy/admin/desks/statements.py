"""Statements: a month closed, and what came of it looked at, as JSON or CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from proxy.admin.call import Answer, Call, File
from proxy.admin.closing import Closing, Wanted
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import Nothing
from proxy.admin.shapes.statements import (
    CloseBody,
    PeriodClosed,
    StatementFileQuery,
    StatementOut,
    StatementQuery,
    StatementSums,
)
from proxy.billing import Period, Statement
from proxy.core.money import Nano, to_usd_text

CSV: Final = "text/csv"
_HEAD: Final = (
    *("number", "org", "team", "period", "timezone", "line", "of_period", "why", "cost_center", "key", "provider"),
    *("model", "calls", "list_usd", "amount_usd", "note"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


async def close_period(call: Call) -> Answer:
    """Close a month of an org: one statement for each of its teams, for good.

    Refused while calls of that month are not settled or not in the store yet, and while some have no price.
    """
    asked, org = call.body(CloseBody), call.path["org"]
    call.binding.require_rule(org)
    wanted = Wanted(
        org=org,
        period=Period.of(call.path["period"]),
        by=call.identity.name,
        timezone=asked.timezone,
        allow_unpriced=asked.allow_unpriced,
    )
    closing = Closing(call.rooms)
    made = await (closing.draft(wanted) if asked.dry_run else closing.close(wanted))
    shown = _closed(wanted, made, asked)
    if not asked.dry_run:
        call.audit("period.close", f"periods/{org}/{wanted.period}", org=org, after=shown)
    return Answer(shown)


def list_statements(call: Call) -> Answer:
    """The statements that the token reaches, the newest month first."""
    asked = call.query(StatementQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    (text,) = place_of(asked.page, 1)
    after = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    found = call.rooms.statements.list(org=org, team=team, period=asked.period, limit=after + asked.limit + 1)[after:]
    return Answer(listing(found, asked.limit, _sums, lambda _: (str(after + asked.limit),)))


def get_statement(call: Call) -> Answer:
    """One statement by its number, with all lines."""
    asked = call.query(StatementFileQuery)
    number, org = call.path["number"], call.path["org"]
    found = call.rooms.statements.get(org, int(number)) if number.isdigit() and len(number) < 10 else None
    if found is None or not (call.binding.sees(org) and call.binding.team in (None, found.team)):
        raise Refusal(Fault.NOT_FOUND, f"There is no statement {number} of {org}.")
    if (asked.format or call.accepts) in ("csv", CSV):
        return Answer(Nothing(), file=File(as_csv(found), CSV, f"statement-{org}-{found.number}.csv"))
    return Answer(msgspec.convert(msgspec.to_builtins(found), StatementOut))


def as_csv(statement: Statement) -> bytes:
    """A statement's lines, the last of them its total; amounts are exact decimal text.

    Names that a spreadsheet would take for a formula have an apostrophe before them.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEAD)
    first = (statement.number, statement.org, statement.team, statement.period, statement.timezone)
    for line in _lines(statement):
        writer.writerow([_plain(each) for each in (*first, *line)])
    return text.getvalue().encode()


def _lines(statement: Statement) -> Iterator[Sequence[str | int]]:
    for one in statement.usage:
        places = (one.cost_center, one.key, one.provider, one.model)
        yield ("usage", statement.period, "", *places, one.calls, one.list_usd, one.cost_usd, "")
    for late in statement.adjustments:
        places = (late.cost_center, late.key, late.provider, late.model)
        yield ("adjustment", late.of_period, late.why, *places, late.calls, "", late.amount_usd, "")
    for agreed in statement.negotiated:
        yield (
            *("negotiated", statement.period, agreed.kind, agreed.cost_center, "", "", "", "", ""),
            *(agreed.amount_usd, agreed.note),
        )
    yield ("total", statement.period, "", "", "", "", "", "", "", statement.total_usd, statement.hash)


def _plain(value: str | int) -> str | int:
    """Text that is only text; amounts and counts are left as they are."""
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_amount(value):
        return f"'{value}"
    return value


def _is_amount(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdigit()


def _sums(statement: Statement) -> StatementSums:
    return msgspec.convert(msgspec.to_builtins(statement), StatementSums)


def _closed(wanted: Wanted, made: Sequence[Statement], asked: CloseBody) -> PeriodClosed:
    total = Nano(sum(each.total_nano for each in made))
    return PeriodClosed(
        org=wanted.org,
        period=str(wanted.period),
        timezone=made[0].timezone if made else asked.timezone or "",
        total_usd=to_usd_text(total),
        total_nano=total,
        statements=tuple(_sums(each) for each in made),
        dry_run=asked.dry_run,
    )
