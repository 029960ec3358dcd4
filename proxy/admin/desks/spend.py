"""Spend by time and dimension."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from proxy.admin.call import Answer, Call, File
from proxy.admin.checking import refused
from proxy.admin.desks.spend_asked import TAG, bad_tags, filters_within, in_store
from proxy.admin.faults import Problem
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import Nothing
from proxy.admin.shapes.spend import MOST_FILE_ROWS, MOST_ROWS, SpendGroup, SpendQueryBody
from proxy.core.money import to_usd_text
from proxy.telemetry import FileFormat, SpendBucket, SpendQuery, SpendRow

MOST_BUCKETS: Final = 10_000
DEEPEST: Final = 40_000
"""The store gives rows from the first one on; so far can be paged into them."""
MEDIA: Final[Mapping[FileFormat, str]] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_PAGE_ROWS: Final = 1_000
_FILE_ROWS: Final = 100_000
_HOUR_S: Final = 3600
_WIDTHS: Final = {"15m": _HOUR_S // 4, "1h": _HOUR_S, "1d": 24 * _HOUR_S, "1w": 7 * 24 * _HOUR_S}
_BUCKETS: Final[Mapping[str, SpendBucket]] = {
    "15m": "quarter",
    "1h": "hour",
    "1d": "day",
    "1w": "week",
    "1mo": "month",
    "all": "all",
}


async def read_spend(call: Call) -> Answer:
    """What was spent, by buckets of time and by what was asked to group by; dearest first within a bucket.

    As JSON in pages; as CSV or Parquet in one file, by `format` or by the Accept header.
    """
    asked = call.query(SpendQueryBody)
    kind = wanted_file(call.accepts, asked.format)
    end_s = call.now_ns() // 1_000_000_000 + 1 if asked.end_time is None else asked.end_time
    after = _place(asked.page)
    limit = (_PAGE_ROWS if kind is None else _FILE_ROWS) if asked.limit is None else asked.limit
    _check(asked, kind, end_s, after, limit)
    query = SpendQuery(
        org=call.binding.org,
        start=datetime.fromtimestamp(asked.start_time, UTC),
        end=datetime.fromtimestamp(end_s, UTC),
        bucket=_BUCKETS[asked.bucket_width],
        timezone=asked.timezone,
        group_by=in_store(asked.group_by),
        filters=filters_within(call, asked),
        limit=limit if kind is not None else after + limit + 1,
    )
    if kind is not None:
        return await _file(call, asked, query, kind)
    rows = (await call.rooms.reader.spend(query))[after:]
    return Answer(listing(rows, limit, lambda row: _shown(asked, row), lambda _: (str(after + limit),)))


async def _file(call: Call, asked: SpendQueryBody, query: SpendQuery, kind: FileFormat) -> Answer:
    if _is_focus(asked):
        tags = [name.removeprefix(TAG) for name in asked.group_by]
        content = await call.rooms.reader.focus(query, tags, kind)
        return Answer(Nothing(), file=File(content, MEDIA[kind], f"focus.{kind}"))
    content = await call.rooms.reader.spend_file(query, asked.group_by, kind)
    return Answer(Nothing(), file=File(content, MEDIA[kind], f"spend.{kind}"))


def _is_focus(asked: SpendQueryBody) -> bool:
    return asked.format is not None and asked.format.startswith("focus")


_FOCUS: Final[Mapping[str, FileFormat]] = {"focus": "csv", "focus-parquet": "parquet"}


def wanted_file(accepts: str, named: str | None) -> FileFormat | None:
    """Which file is asked for, by name or by media type; None for JSON."""
    if named is not None and named in _FOCUS:
        return "parquet" if accepts == MEDIA["parquet"] else _FOCUS[named]
    return next((kind for kind, media in MEDIA.items() if (named or accepts) in (kind, media)), None)


def _place(page: str | None) -> int:
    (text,) = place_of(page, 1)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _check(asked: SpendQueryBody, kind: FileFormat | None, end_s: int, after: int, limit: int) -> None:
    problems = []
    most = MOST_ROWS if kind is None else MOST_FILE_ROWS
    if not 0 < limit <= most:
        problems.append(Problem("limit", f"lies between 1 and {most}"))
    if kind is not None and asked.page is not None:
        problems.append(Problem("page", "is for JSON; a file is whole or refused"))
    if after > DEEPEST:
        problems.append(Problem("page", "lies too deep; narrow the time or the filters, or ask for a file"))
    if end_s <= asked.start_time:
        problems.append(Problem("end_time", "must lie after start_time"))
    width_s = _WIDTHS.get(asked.bucket_width)
    if width_s is not None and (end_s - asked.start_time) // width_s > MOST_BUCKETS:
        problems.append(Problem("bucket_width", f"gives more than {MOST_BUCKETS} buckets; choose a wider one"))
    if _is_focus(asked) and not all(name.startswith(TAG) for name in asked.group_by):
        problems.append(
            Problem("group_by", "names tags only in a FOCUS file, such as tag:env; the rest is in its columns")
        )
    if _is_focus(asked) and asked.bucket_width != "1d":
        problems.append(Problem("bucket_width", "is 1d in a FOCUS file"))
    if len(set(asked.group_by)) < len(asked.group_by):
        problems.append(Problem("group_by", "names a dimension twice"))
    problems += bad_tags(asked.tag)
    if problems:
        raise refused(problems)


def _shown(asked: SpendQueryBody, row: SpendRow) -> SpendGroup:
    return SpendGroup(
        start_time=asked.start_time if row.bucket_start is None else int(row.bucket_start.timestamp()),
        group=dict(zip(asked.group_by, (row.group[name] for name in in_store(asked.group_by)), strict=True)),
        cost_usd=to_usd_text(row.cost),
        cost_nano=row.cost,
        list_usd=to_usd_text(row.list_cost),
        list_nano=row.list_cost,
        calls=row.calls,
        unpriced_calls=row.unpriced,
        refused_calls=row.refused,
        tokens={bucket.value: count for bucket, count in row.tokens.items() if count},
    )
