"""Spend of one time beside that of another: the questions as SQL, and what their answers say together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final

from proxy.core.money import NANO_PER_USD, Nano
from proxy.core.outcome import Outcome
from proxy.core.usage import ToolFee
from proxy.telemetry.spend import (
    Select,
    SpendQuery,
    SpendRow,
    column,
    conditions,
    exact_nano,
    fits_rollup,
    within,
)
from proxy.telemetry.terms import ModelOf, PaidCalls, Side, Term, explained

ALWAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "team": ("org", "team"),
    "agent": ("org", "agent"),
    "run": ("org", "team", "key", "run"),
}
"""Whose spend changed most is always told of these; of teams, agents and runs, with whose they are."""
CELLS: Final = ("provider", "model", "outcome")
_NO_ANSWER: Final = Outcome.UPSTREAM_ERROR.value
_FREE: Final = frozenset({Outcome.REFUSED.value, Outcome.CACHED.value, _NO_ANSWER})


@dataclass(frozen=True, kw_only=True, slots=True)
class CompareQuery:
    """Spend of `now` beside that of `before`; `by` names one more dimension whose movers are wanted.

    `org`, `filters` are as in SpendQuery; `movers` is how many of each kind are told.
    """

    org: str | None
    now: tuple[datetime, datetime]
    before: tuple[datetime, datetime]
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by: str | None = None
    movers: int = 5

    def side(self, span: tuple[datetime, datetime], group_by: tuple[str, ...] = ()) -> SpendQuery:
        """The question for one of the two times."""
        start, end = span
        return SpendQuery(org=self.org, start=start, end=end, group_by=group_by, filters=self.filters)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mover:
    """One name whose spend changed, with the first call of the later time that was its."""

    group: Mapping[str, str]
    now: Nano
    before: Nano
    calls: int
    calls_before: int
    first_operation: str = ""
    first_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What two times came to, why they differ, and who moved it: by kind, most first."""

    now: Side
    before: Side
    terms: Mapping[Term, Nano]
    movers: Mapping[str, Sequence[Mover]]


def kinds_of(asked: CompareQuery) -> dict[str, tuple[str, ...]]:
    """The kinds of movers that are told, with the names that say which one is meant."""
    kinds = dict(ALWAYS)
    if asked.by is not None and asked.by not in kinds:
        kinds[asked.by] = (asked.by,) if asked.by == "org" else ("org", asked.by)
    return kinds


def select_movers(asked: CompareQuery, names: Sequence[str]) -> Select:
    """Which groups moved the difference most; from the quarter-hours where they know all that is asked."""
    rolled = all(fits_rollup(asked.side(span, tuple(names))) for span in (asked.now, asked.before))
    time = "quarter" if rolled else "charged_at"
    parameters: dict[str, Any] = {"most": asked.movers}
    columns = [f"{column(name, parameters)} AS g{number}" for number, name in enumerate(names)]
    now = within(time, *asked.now, parameters, "now_")
    before = within(time, *asked.before, parameters, "before_")
    terms = [f"({now} OR {before})", *conditions(asked.filters, asked.org, parameters)]
    groups = ", ".join(f"g{number}" for number in range(len(names)))

    def part(table: str, cost: str, calls: str) -> str:
        return (
            f"SELECT {', '.join(columns)}, toDecimal128(ifNull(t.{cost}, 0), 9) AS cost,"  # noqa: S608 - closed lists
            f" if(t.outcome = 'refused', 0, {calls}) AS made, {now} AS is_now, {before} AS is_before"
            f" FROM {table} AS t WHERE {' AND '.join(terms)}"
        )

    parts = (
        [part("spend_quarter_hours", "cost_usd", "toUInt64(t.calls)")]
        if rolled
        else [
            part("operations", "cost_usd", "toUInt64(1)"),
            part("corrections", "delta_usd", "toUInt64(0)"),
        ]
    )
    sql = (
        f"SELECT {groups}, sumIf(cost, is_now) AS spent, sumIf(cost, is_before) AS earlier,"  # noqa: S608 - closed lists
        f" sumIf(made, is_now), sumIf(made, is_before) FROM ({' UNION ALL '.join(parts)})"
        f" GROUP BY {groups} HAVING spent != earlier ORDER BY abs(spent - earlier) DESC, {groups} LIMIT {{most:UInt32}}"
    )
    return Select(sql=sql, parameters=parameters)


def read_movers(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Mover]:
    """The answer of `select_movers`."""
    wide = len(names)
    return [
        Mover(
            group=dict(zip(names, row[:wide], strict=True)),
            now=exact_nano(row[wide]),
            before=exact_nano(row[wide + 1]),
            calls=row[wide + 2],
            calls_before=row[wide + 3],
        )
        for row in rows
    ]


def select_first_calls(asked: CompareQuery, names: Sequence[str], movers: Sequence[Mover]) -> Select:
    """The first call of each mover in the later time."""
    parameters: dict[str, Any] = {"wanted": [tuple(mover.group[name] for name in names) for mover in movers]}
    columns = [f"toString({column(name, parameters)})" for name in names]
    terms = [within("charged_at", *asked.now, parameters), *conditions(asked.filters, asked.org, parameters)]
    kinds = ", ".join("String" for _ in names)
    sql = (
        f"SELECT tuple({', '.join(columns)}) AS whose, min((t.charged_at, t.operation_id)) AS first"  # noqa: S608
        f" FROM operations AS t WHERE {' AND '.join(terms)} AND t.outcome != 'refused'"
        f" AND tuple({', '.join(columns)}) IN {{wanted:Array(Tuple({kinds}))}} GROUP BY whose"
    )
    return Select(sql=sql, parameters=parameters)


def with_first_calls(names: Sequence[str], movers: Sequence[Mover], rows: Iterable[Sequence[Any]]) -> Iterator[Mover]:
    """The movers with the answer of `select_first_calls`."""
    firsts = {tuple(whose): (at, operation) for whose, (at, operation) in rows}
    for mover in movers:
        at, operation = firsts.get(tuple(mover.group[name] for name in names), (None, ""))
        yield replace(mover, first_at=None if at is None else at.replace(tzinfo=UTC), first_operation=operation)


def select_rates(asked: CompareQuery, span: tuple[datetime, datetime]) -> Select:
    """What one token of each bucket cost, by model: of all that the org bought on the days that a time touches."""
    parameters: dict[str, Any] = {"first": f"{span[0].astimezone(UTC):%F}", "last": f"{span[1].astimezone(UTC):%F}"}
    mine = conditions({}, asked.org, parameters)
    days = ["t.day BETWEEN toDate({first:String}) AND toDate({last:String})"]
    sql = (
        "SELECT t.provider, t.model, t.bucket, sum(t.quantity) AS bought, sum(t.usd)"  # noqa: S608 - closed lists
        f" FROM price_line_days AS t WHERE {' AND '.join([*days, *mine])}"
        " GROUP BY t.provider, t.model, t.bucket HAVING bought > 0"
    )
    return Select(sql=sql, parameters=parameters)


def select_tools(asked: CompareQuery, span: tuple[datetime, datetime]) -> Select:
    """How often provider-run tools were used, by model."""
    parameters: dict[str, Any] = {}
    terms = [within("charged_at", *span, parameters), *conditions(asked.filters, asked.org, parameters)]
    sql = (
        "SELECT t.provider, t.model, sumMap(t.tool_fees) FROM operations AS t"  # noqa: S608 - closed lists
        f" WHERE {' AND '.join(terms)} AND notEmpty(mapKeys(t.tool_fees)) AND t.outcome != '{_NO_ANSWER}'"
        " GROUP BY t.provider, t.model"
    )
    return Select(sql=sql, parameters=parameters)


def select_wasted(asked: CompareQuery, span: tuple[datetime, datetime]) -> Select:
    """What attempts cost beside the one that gave the answer, by the model that gave it."""
    parameters: dict[str, Any] = {}
    terms = [within("charged_at", *span, parameters), *conditions(asked.filters, asked.org, parameters)]
    again = (
        "SELECT t.operation_id, t.provider, t.model FROM operations AS t"  # noqa: S608 - closed lists
        f" WHERE {' AND '.join(terms)} AND t.attempts > 1 AND t.outcome != '{_NO_ANSWER}'"
    )
    cost = "toDecimal128(ifNull(a.cost_usd, 0), 9)"
    each = (
        "SELECT any(o.provider) AS provider, any(o.model) AS model,"  # noqa: S608 - closed lists
        f" sum({cost}) - argMax({cost}, (a.purpose NOT IN {_BESIDE}, a.outcome != '{_NO_ANSWER}', a.number)) AS beside"
        f" FROM attempts AS a INNER JOIN ({again}) AS o ON a.operation_id = o.operation_id"
        " WHERE a.started_at >= toDateTime64({start:Decimal(18, 3)}, 3, 'UTC') - INTERVAL 1 DAY"
        " AND a.started_at < toDateTime64({end:Decimal(18, 3)}, 3, 'UTC') + INTERVAL 1 DAY GROUP BY a.operation_id"
    )
    sql = f"SELECT provider, model, sum(beside) FROM ({each}) GROUP BY provider, model"  # noqa: S608 - closed lists
    return Select(sql=sql, parameters=parameters)


_BESIDE: Final = "('shadow', 'cache_embed', 'cache_audit', 'judge', 'drain')"
"""Purposes of attempts that no answer comes from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SideRows:
    """The rows that one side is made of."""

    cells: Sequence[SpendRow]
    rates: Iterable[Sequence[Any]]
    tools: Iterable[Sequence[Any]]
    wasted: Iterable[Sequence[Any]]


def side_of(rows: SideRows) -> Side:
    """One side, from what the store told of it."""
    rates: dict[ModelOf, dict[str, Fraction]] = defaultdict(dict)
    for provider, model, bucket, bought, usd in rows.rates:
        rates[provider, model][bucket] = Fraction(usd) * NANO_PER_USD / bought
    tools: dict[ModelOf, Mapping[str, int]] = {
        (provider, model): {name: count for name, count in fees.items() if name in set(ToolFee)}
        for provider, model, fees in rows.tools
    }
    wasted = {(provider, model): exact_nano(cost) for provider, model, cost in rows.wasted}
    models = {
        name: _used(cells, wasted.get(name, Nano(0)), tools.get(name, {}), rates[name])
        for name, cells in _by_model(rows.cells).items()
    }
    failed = sum(cell.cost for cell in rows.cells if cell.group["outcome"] == _NO_ANSWER)
    return Side(
        models=models,
        cached=sum(cell.calls for cell in rows.cells if cell.group["outcome"] == Outcome.CACHED),
        wasted=Nano(failed + sum(cost for name, cost in wasted.items() if name in models)),
    )


def compared(now: Side, before: Side, movers: Mapping[str, Sequence[Mover]]) -> Comparison:
    """All of it together."""
    return Comparison(now=now, before=before, terms=explained(before, now), movers=movers)


def _by_model(cells: Iterable[SpendRow]) -> dict[ModelOf, list[SpendRow]]:
    found: dict[ModelOf, list[SpendRow]] = defaultdict(list)
    for cell in cells:
        if cell.group["outcome"] != _NO_ANSWER and (cell.cost or cell.group["outcome"] not in _FREE):
            found[cell.group["provider"], cell.group["model"]].append(cell)
    return found


def _used(
    cells: Sequence[SpendRow], wasted: Nano, tools: Mapping[str, int], rates: Mapping[str, Fraction]
) -> PaidCalls:
    quantities: dict[str, int] = defaultdict(int, tools)
    for cell in cells:
        for bucket, count in cell.tokens.items():
            quantities[bucket.value] += count
    return PaidCalls(
        calls=sum(cell.calls for cell in cells if cell.group["outcome"] not in _FREE),
        cost=Nano(sum(cell.cost for cell in cells) - wasted),
        quantities=quantities,
        rates=rates,
    )
