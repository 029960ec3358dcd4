"""What would have been refused while it was only observed: the question, its SQL, and the answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from proxy.core.money import Nano
from proxy.core.refusal import Refusal, Refused
from proxy.telemetry.spend import Select, exact_nano

_MOST: Final = 1000
_WHO: Final = ("org", "team", "key_name", "agent", "would_code", "would_by")


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedQuery:
    """From `start` (inclusive) to `end` (exclusive), of one org and team or, with None, of all."""

    org: str | None
    team: str | None = None
    start: datetime
    end: datetime
    limit: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class WouldRefuse:
    """Calls of one key and agent that one thing would have refused. `by` is its scope and its name."""

    org: str
    team: str
    key: str
    agent: str
    code: str
    by: str
    calls: int
    cost: Nano
    first: datetime
    last: datetime


class Observed(NamedTuple):
    """What was found: all calls of that time, those that would have been refused and what those cost, and by whom."""

    calls: int
    would_refuse: int
    cost: Nano
    each: tuple[WouldRefuse, ...]


def select_observed(asked: ObservedQuery) -> tuple[Select, Select]:
    """The SQL of the sums and that of the groups, most calls first.

    Raises:
        Refused: a span or limit that is none (INVALID_REQUEST).
    """
    if asked.start.tzinfo is None or asked.end.tzinfo is None or asked.start >= asked.end:
        raise Refused(Refusal.INVALID_REQUEST, "start must lie before end, both with their time zone", param="start")
    if not 0 < asked.limit <= _MOST:
        raise Refused(Refusal.INVALID_REQUEST, f"limit lies between 1 and {_MOST}", param="limit")
    parameters: dict[str, Any] = {
        "start": f"{asked.start.timestamp():.3f}",
        "end": f"{asked.end.timestamp():.3f}",
        "limit": asked.limit,
    }
    where = _where(asked, parameters)
    cost = "sum(toDecimal128(ifNull(t.cost_usd, 0), 9))"
    sums = (
        "SELECT count() AS calls, countIf(t.would_code != '') AS would_refuse,"  # noqa: S608 - closed lists only
        " sumIf(toDecimal128(ifNull(t.cost_usd, 0), 9), t.would_code != '') AS cost"
        f" FROM operations AS t WHERE {where}"
    )
    who = ", ".join(f"t.{name}" for name in _WHO)
    groups = (
        f"SELECT {', '.join(f't.{name} AS {name}' for name in _WHO)}, count() AS calls, {cost} AS cost,"  # noqa: S608 - closed lists only
        " toUnixTimestamp64Milli(min(t.charged_at)) AS first, toUnixTimestamp64Milli(max(t.charged_at)) AS last"
        f" FROM operations AS t WHERE {where} AND t.would_code != ''"
        f" GROUP BY {who} ORDER BY calls DESC, {who} LIMIT {{limit:UInt32}}"
    )
    return Select(sql=sums, parameters=parameters), Select(sql=groups, parameters=parameters)


def read_observed(sums: Iterable[Mapping[str, Any]], groups: Iterable[Mapping[str, Any]]) -> Observed:
    """ClickHouse's answers as ours."""
    (total,) = sums
    return Observed(total["calls"], total["would_refuse"], exact_nano(total["cost"]), tuple(map(_group, groups)))


def _group(row: Mapping[str, Any]) -> WouldRefuse:
    return WouldRefuse(
        org=row["org"],
        team=row["team"],
        key=row["key_name"],
        agent=row["agent"],
        code=row["would_code"],
        by=row["would_by"],
        calls=row["calls"],
        cost=exact_nano(row["cost"]),
        first=datetime.fromtimestamp(row["first"] / 1000, UTC),
        last=datetime.fromtimestamp(row["last"] / 1000, UTC),
    )


def _where(asked: ObservedQuery, parameters: dict[str, Any]) -> str:
    terms = [
        "t.charged_at >= toDateTime64({start:Decimal(18, 3)}, 3, 'UTC')",
        "t.charged_at < toDateTime64({end:Decimal(18, 3)}, 3, 'UTC')",
    ]
    for name in ("org", "team"):
        wanted = getattr(asked, name)
        if wanted is not None:
            parameters[name] = wanted
            terms.append(f"t.{name} = {{{name}:String}}")
    return " AND ".join(terms)
