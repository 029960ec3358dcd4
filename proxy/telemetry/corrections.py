"""Corrections of recorded cost: the row that a reprice writes, and the questions it asks of what is recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from proxy.core.money import Nano
from proxy.core.usage import Bucket, ToolFee
from proxy.telemetry.spend import Select, conditions, exact_nano

_TOKENS: Final = ", ".join(f"t.{bucket.value}_tokens" for bucket in Bucket)
NAMES: Final = (
    "org",
    "team",
    "key_id",
    "key_name",
    "cost_center",
    "owner",
    "end_user",
    "agent",
    "run",
    "tags",
    "dialect",
    "endpoint",
    "streamed",
    "requested_model",
    "model",
    "provider",
    "route",
    "outcome",
    "code",
    "refused_by",
    "would_code",
    "would_by",
    "ladder",
    "status",
    "error",
    "finish_reason",
    "usage_source",
    "service_tier",
    "price_version",
    "price_source",
    "client",
    "purpose",
    "variant",
)
"""What a correction takes over from its operation, so that it is summed where that is."""
_COUNTED: Final = "mapConcat(CAST(t.tool_fees, 'Map(String, UInt64)'), CAST(t.units, 'Map(String, UInt64)'))"
"""Calls of tools and units other than tokens: no name is in both."""
_OPERATION: Final = (
    "t.operation_id, toUnixTimestamp64Milli(t.charged_at), t.attempts, "
    f"{_COUNTED}, t.cost_usd, t.list_usd, " + ", ".join(f"t.{name}" for name in NAMES)
)
_TOKENS_AT: Final = 6 + len(NAMES)
_ATTEMPT: Final = (
    f"t.operation_id, t.provider, t.model, t.sent_model, t.usage_source, t.service_tier, {_COUNTED}, t.cost_usd"
)
_REPRICEABLE: Final = "t.outcome NOT IN ('refused', 'cached') AND t.attempts > 0"
"""What was sent to a provider; the rest costs nothing at any price."""
# An attempt starts after its call came in, and a call lasts no longer than this.
_LONGEST_MS: Final = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RepriceQuery:
    """Which operations: charged from `start` (inclusive) until before `end` (both aware), of an org (None: all).

    `filters` as in SpendQuery.
    """

    start: datetime
    end: datetime
    org: str | None = None
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """The operations of one org on one day of UTC: what is read in one go, and stands in one part of the store."""

    org: str
    start_ms: int
    end_ms: int
    operations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What one priced thing used: an attempt, or an operation whose one attempt is no longer kept."""

    provider: str
    models: tuple[str, ...]
    source: str
    service_tier: str
    tokens: Mapping[Bucket, int]
    tool_calls: Mapping[ToolFee, int]
    units: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedCost:
    """One operation with what it used and what it counts for now: as recorded, with the corrections made since.

    `attempts` is how many there were, `used` holds those that are still kept. `cost` None: it has no price.
    """

    operation_id: str
    charged_ms: int
    names: Mapping[str, Any]
    attempts: int
    own: Used
    used: tuple[Used, ...]
    version: str
    cost: Nano | None
    list_cost: Nano | None
    corrections: int


class CorrectionRow(msgspec.Struct, kw_only=True):
    """By how much an operation's cost differs at another price version; money as decimal text, columns as the table."""

    correction_id: str
    operation_id: str
    charged_at: str
    made_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    cost_center: str
    owner: str
    end_user: str
    agent: str
    run: str
    tags: dict[str, str]
    dialect: str
    endpoint: str
    streamed: bool
    requested_model: str
    model: str
    provider: str
    route: str
    outcome: str
    code: str
    refused_by: str
    would_code: str
    would_by: str
    ladder: list[str]
    status: int
    error: str
    finish_reason: str
    usage_source: str
    service_tier: str
    price_version: str
    price_source: str
    client: str
    delta_usd: str
    list_delta_usd: str
    unpriced: int
    from_version: str
    to_version: str
    reason: str
    purpose: str
    variant: str


def select_stretches(asked: RepriceQuery) -> Select:
    """Where there is something to reprice, and how much."""
    parameters: dict[str, Any] = {"start": _ms(asked.start), "end": _ms(asked.end)}
    terms = [_REPRICEABLE, *_between("start", "end"), *conditions(asked.filters, asked.org, parameters)]
    sql = (
        "SELECT t.org, toUnixTimestamp64Milli(toDateTime64(toStartOfDay(t.charged_at, 'UTC'), 3, 'UTC')) AS day,"  # noqa: S608 - closed lists only
        f" count() FROM operations AS t WHERE {' AND '.join(terms)} GROUP BY t.org, day ORDER BY t.org, day"
    )
    return Select(sql=sql, parameters=parameters)


def read_stretches(asked: RepriceQuery, rows: Iterable[Sequence[Any]]) -> list[Stretch]:
    """The answer, each day cut to what was asked for."""
    first, last = _ms(asked.start), _ms(asked.end)
    return [
        Stretch(org=org, start_ms=max(day, first), end_ms=min(day + 86_400_000, last), operations=count)
        for org, day, count in rows
    ]


def select_operations(asked: RepriceQuery, stretch: Stretch, after: tuple[int, str] | None, limit: int) -> Select:
    """One page of a stretch's operations, in the order of their times and ids."""
    parameters: dict[str, Any] = {"start": stretch.start_ms, "end": stretch.end_ms, "limit": limit}
    terms = [_REPRICEABLE, *_between("start", "end"), *conditions(asked.filters, stretch.org, parameters)]
    if after is not None:
        parameters["at"], parameters["id"] = after
        terms.append("(t.charged_at, t.operation_id) > (fromUnixTimestamp64Milli({at:Int64}, 'UTC'), {id:String})")
    sql = (
        f"SELECT {_OPERATION}, {_TOKENS} FROM operations AS t WHERE {' AND '.join(terms)}"  # noqa: S608 - closed lists only
        " ORDER BY t.charged_at, t.operation_id LIMIT {limit:UInt32}"
    )
    return Select(sql=sql, parameters=parameters)


def select_attempts(org: str, first: tuple[int, str], last: tuple[int, str]) -> Select:
    """The attempts of all operations from the first to the last of a page, in the order they were made."""
    parameters = _page(org, first, last) | {"end": last[0] + _LONGEST_MS}
    sql = (
        f"SELECT {_ATTEMPT}, {_TOKENS} FROM attempts AS t WHERE t.org = {{org:String}}"  # noqa: S608 - closed lists only
        " AND t.started_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')"
        " AND t.started_at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')"
        f" AND t.operation_id IN (SELECT o.operation_id FROM operations AS o WHERE {_ON_PAGE.replace('t.', 'o.')})"
        " ORDER BY t.operation_id, t.number"
    )
    return Select(sql=sql, parameters=parameters)


def select_corrected(org: str, first: tuple[int, str], last: tuple[int, str]) -> Select:
    """What was corrected so far on a page: how often, by how much, and to which price version last."""
    sql = (
        "SELECT t.operation_id, count(), sum(toDecimal128(t.delta_usd, 9)), sum(toDecimal128(t.list_delta_usd, 9)),"  # noqa: S608 - closed lists only
        " sum(t.unpriced), argMax(t.to_version, t.made_at)"
        f" FROM corrections AS t WHERE {_ON_PAGE} GROUP BY t.operation_id"
    )
    return Select(sql=sql, parameters=_page(org, first, last))


_ON_PAGE: Final = (
    "t.org = {org:String} AND t.charged_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')"
    " AND t.charged_at <= fromUnixTimestamp64Milli({last:Int64}, 'UTC')"
)


def _page(org: str, first: tuple[int, str], last: tuple[int, str]) -> dict[str, Any]:
    return {"org": org, "first": first[0], "last": last[0]}


def read_page(
    operations: Sequence[Sequence[Any]], attempts: Iterable[Sequence[Any]], corrected: Iterable[Sequence[Any]]
) -> list[RecordedCost]:
    """The three answers about one page, put together."""
    used: dict[str, list[Used]] = {}
    for row in attempts:
        used.setdefault(row[0], []).append(_used(row[1], (row[2], row[3]), row[4:7], row[8:]))
    changes = {row[0]: row[1:] for row in corrected}
    return [_recorded(row, tuple(used.get(row[0], ())), changes.get(row[0])) for row in operations]


def _recorded(row: Sequence[Any], used: tuple[Used, ...], change: Sequence[Any] | None) -> RecordedCost:
    operation_id, charged_ms, attempts, fees = row[:4]
    cost, list_cost = (None if amount is None else exact_nano(amount) for amount in row[4:6])
    names = dict(zip(NAMES, row[6:_TOKENS_AT], strict=True))
    version, corrections = names["price_version"], 0
    if change is not None:
        corrections, version = change[0], change[4]
        cost, list_cost = _changed(cost, change[1], change[3]), _changed(list_cost, change[2], change[3])
    how = (names["usage_source"], names["service_tier"], fees)
    return RecordedCost(
        operation_id=operation_id,
        charged_ms=charged_ms,
        names=names,
        attempts=attempts,
        own=_used(names["provider"], (names["model"],), how, row[_TOKENS_AT:]),
        used=used,
        version=version,
        cost=cost,
        list_cost=list_cost,
        corrections=corrections,
    )


def _changed(amount: Nano | None, by: Decimal, unpriced: int) -> Nano | None:
    """An amount after its corrections; one that had no price has one as soon as one of them gave it one."""
    if amount is None and not unpriced:
        return None
    return Nano((amount or 0) + exact_nano(by))


def _used(provider: str, models: tuple[str, ...], how: Sequence[Any], tokens: Sequence[int]) -> Used:
    source, tier, fees = how
    return Used(
        provider=provider,
        models=models,
        source=source,
        service_tier=tier,
        tokens={bucket: count for bucket, count in zip(Bucket, tokens, strict=True) if count},
        tool_calls={ToolFee(name): count for name, count in fees.items() if name in _FEES and count},
        units={name: count for name, count in fees.items() if name not in _FEES and count},
    )


_FEES: Final = frozenset(ToolFee)


def _between(start: str, end: str) -> list[str]:
    return [
        f"t.charged_at >= fromUnixTimestamp64Milli({{{start}:Int64}}, 'UTC')",
        f"t.charged_at < fromUnixTimestamp64Milli({{{end}:Int64}}, 'UTC')",
    ]


def _ms(moment: datetime) -> int:
    at = moment.astimezone(UTC)
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrectedQuery:
    """The corrections of an org's calls charged from `start` (inclusive) until before `end` (both aware)."""

    org: str
    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrectedRow:
    """What one key's calls of one model were corrected by, and to which price versions."""

    team: str
    cost_center: str
    key: str
    provider: str
    model: str
    cost: Nano
    versions: tuple[str, ...]


def select_sums(asked: CorrectedQuery) -> Select:
    """Its SQL."""
    sql = (
        "SELECT t.team, t.cost_center, t.key_name, t.provider, t.model, sum(toDecimal128(t.delta_usd, 9)),"  # noqa: S608 - closed lists only
        " arraySort(groupUniqArray(t.to_version)) FROM corrections AS t"
        f" WHERE t.org = {{org:String}} AND {' AND '.join(_between('start', 'end'))}"
        " GROUP BY t.team, t.cost_center, t.key_name, t.provider, t.model ORDER BY ALL"
    )
    return Select(sql=sql, parameters={"org": asked.org, "start": _ms(asked.start), "end": _ms(asked.end)})


def read_sums(rows: Iterable[Sequence[Any]]) -> list[CorrectedRow]:
    """The answer."""
    return [
        CorrectedRow(
            team=team,
            cost_center=center,
            key=key,
            provider=provider,
            model=model,
            cost=exact_nano(cost),
            versions=tuple(versions),
        )
        for team, center, key, provider, model, cost, versions in rows
    ]
