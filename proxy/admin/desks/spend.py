"""Spend by time and dimension."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.faults import Problem
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.spend import DIMENSIONS, SpendGroup, SpendQueryBody
from proxy.core.money import to_usd_text
from proxy.telemetry import SpendQuery, SpendRow

HOUR_S: Final = 3600
MOST_BUCKETS: Final = 10_000
DEEPEST: Final = 40_000
"""The store gives rows from the first one on; so far can be paged into them."""
_WIDTHS: Final = {"1h": HOUR_S, "1d": 24 * HOUR_S}
_BUCKETS: Final[Mapping[str, Literal["hour", "day", "all"]]] = {"1h": "hour", "1d": "day", "all": "all"}
_IN_STORE: Final = {"end_user": "user"}


async def read_spend(call: Call) -> Answer:
    """What was spent, by buckets of time and by what was asked to group by; dearest first within a bucket."""
    asked = call.query(SpendQueryBody)
    end_s = call.now_ns() // 1_000_000_000 + 1 if asked.end_time is None else asked.end_time
    after = _place(asked.page)
    _check(asked, end_s, after)
    found = await call.rooms.reader.spend(
        SpendQuery(
            org=call.binding.org,
            start=datetime.fromtimestamp(asked.start_time, UTC),
            end=datetime.fromtimestamp(end_s, UTC),
            bucket=_BUCKETS[asked.bucket_width],
            timezone=asked.timezone,
            group_by=tuple(_IN_STORE.get(name, name) for name in asked.group_by),
            filters=_filters(call, asked),
            limit=after + asked.limit + 1,
        )
    )
    rows = found[after:]
    return Answer(listing(rows, asked.limit, lambda row: _shown(asked, row), lambda _: (str(after + asked.limit),)))


def _place(page: str | None) -> int:
    (text,) = place_of(page, 1)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _check(asked: SpendQueryBody, end_s: int, after: int) -> None:
    problems = []
    if after > DEEPEST:
        problems.append(Problem("page", "lies too deep; narrow the time or the filters"))
    if end_s <= asked.start_time:
        problems.append(Problem("end_time", "must lie after start_time"))
    width_s = _WIDTHS.get(asked.bucket_width)
    if width_s is not None and (end_s - asked.start_time) // width_s > MOST_BUCKETS:
        problems.append(Problem("bucket_width", f"gives more than {MOST_BUCKETS} buckets; choose a wider one"))
    if len(set(asked.group_by)) < len(asked.group_by):
        problems.append(Problem("group_by", "names a dimension twice"))
    problems += [
        Problem(f"tag[{at}]", "is written name=value") for at, tag in enumerate(asked.tag) if not tag.partition("=")[1]
    ]
    if problems:
        raise refused(problems)


def _filters(call: Call, asked: SpendQueryBody) -> dict[str, tuple[str, ...]]:
    filters: dict[str, tuple[str, ...]] = {
        _IN_STORE.get(name, name): values for name in DIMENSIONS if (values := getattr(asked, name))
    }
    for tag in asked.tag:
        name, _, value = tag.partition("=")
        filters[f"tag:{name}"] = (*filters.get(f"tag:{name}", ()), value)
    for org in asked.org:
        call.binding.narrowed(org, None)
    for team in asked.team:
        call.binding.narrowed(None, team)
    if call.binding.team is not None:
        filters["team"] = (call.binding.team,)
    return filters


def _shown(asked: SpendQueryBody, row: SpendRow) -> SpendGroup:
    return SpendGroup(
        start_time=asked.start_time if row.bucket_start is None else int(row.bucket_start.timestamp()),
        group={name: row.group[_IN_STORE.get(name, name)] for name in asked.group_by},
        cost_usd=to_usd_text(row.cost),
        cost_nano=row.cost,
        list_usd=to_usd_text(row.list_cost),
        list_nano=row.list_cost,
        calls=row.calls,
        unpriced_calls=row.unpriced,
        refused_calls=row.refused,
        tokens={bucket.value: count for bucket, count in row.tokens.items() if count},
    )
