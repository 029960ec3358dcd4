"""Targets of a route beside each other: what their calls came to, and which versions of models answered."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isnan
from typing import Any, Final, NamedTuple

from proxy.core.money import Nano
from proxy.telemetry.spend import Select, exact_nano, within

MOST: Final = 1000
_FAILED: Final = "('upstream_error', 'truncated', 'lost')"
_TRIED: Final = "('ok', 'upstream_error', 'truncated', 'lost')"


class VariantsQuery(NamedTuple):
    """Requests sent from `start` until before `end` to targets that have names; of an org, a route, a team, or all."""

    start: datetime
    end: datetime
    org: str | None = None
    route: str | None = None
    team: str | None = None


class VariantTotals(NamedTuple):
    """What the requests to one target came to. `is_copy`: they were copies of calls that others answered.

    `failed` of `calls`; times in milliseconds, and money, of those that were answered; `priced` is how many of these
    have a price, `cut` how many ended at their output limit. `similarity` is the mean of copies', None where none was
    compared. `beside_cost` is what the calls cost that were copied.
    """

    route: str
    variant: str
    is_copy: bool
    calls: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    ttft_ms: float | None
    cost: Nano
    priced: int
    output_tokens: int
    cut: int
    similarity: float | None = None
    beside_cost: Nano | None = None


def select_variants(asked: VariantsQuery) -> Select:
    """The question as SQL. Quantiles are of what was answered."""
    parameters: dict[str, Any] = {"limit": MOST}
    terms = [within("started_at", asked.start, asked.end, parameters), "t.variant != ''", f"t.outcome IN {_TRIED}"]
    for name in ("org", "route", "team"):
        if (wanted := getattr(asked, name)) is not None:
            parameters[name] = wanted
            terms.append(f"t.{name} = {{{name}:String}}")
    ok = "t.outcome = 'ok'"
    sql = (
        "SELECT t.route, t.variant, t.purpose = 'shadow' AS is_copy, count() AS calls,"  # noqa: S608 - closed lists only
        f" countIf(t.outcome IN {_FAILED}),"
        f" quantileIf(0.5)(t.duration_ms, {ok}), quantileIf(0.95)(t.duration_ms, {ok}),"
        " quantileIf(0.5)(assumeNotNull(t.ttft_ms), t.ttft_ms IS NOT NULL),"
        f" sumIf(toDecimal128(ifNull(t.cost_usd, 0), 9), {ok}), countIf({ok} AND t.cost_usd IS NOT NULL),"
        f" sumIf(t.output_tokens + t.reasoning_tokens, {ok}), countIf(t.finish_reason IN ('length', 'max_tokens'))"
        f" FROM attempts AS t WHERE {' AND '.join(terms)}"
        " GROUP BY t.route, t.variant, is_copy ORDER BY t.route, is_copy, t.variant LIMIT {limit:UInt32}"
    )
    return Select(sql=sql, parameters=parameters)


def select_likeness(asked: VariantsQuery) -> Select:
    """How alike copies' answers were, and what the calls cost that they are copies of."""
    parameters: dict[str, Any] = {"limit": MOST}
    terms = [within("charged_at", asked.start, asked.end, parameters), "t.purpose = 'shadow'", "t.outcome = 'ok'"]
    served = [within("charged_at", asked.start, asked.end, parameters)]
    for name in ("org", "route", "team"):
        if (wanted := getattr(asked, name)) is not None:
            parameters[name] = wanted
            terms.append(f"t.{name} = {{{name}:String}}")
            served.append(f"t.{name} = {{{name}:String}}")
    sql = (
        "SELECT t.route, t.variant, avgOrNull(t.similarity),"  # noqa: S608 - closed lists only
        " sum(toDecimal128(ifNull(served.cost_usd, 0), 9))"
        " FROM operations AS t LEFT JOIN (SELECT t.operation_id AS id, t.cost_usd AS cost_usd FROM operations AS t"
        f" WHERE {' AND '.join(served)}) AS served ON served.id = t.beside"
        f" WHERE {' AND '.join(terms)} GROUP BY t.route, t.variant LIMIT {{limit:UInt32}}"
    )
    return Select(sql=sql, parameters=parameters)


def read_variants(rows: Iterable[Any], alike: Iterable[Any] = ()) -> list[VariantTotals]:
    """ClickHouse's answers as ours."""
    found: Mapping[tuple[str, str], tuple[float | None, Nano]] = {
        (route, variant): (similarity, exact_nano(cost)) for route, variant, similarity, cost in alike
    }
    return [_totals(row, found) for row in rows]


def _totals(row: Any, alike: Mapping[tuple[str, str], tuple[float | None, Nano]]) -> VariantTotals:
    route, variant, is_copy, calls, failed, p50, p95, ttft, cost, priced, tokens, cut = row
    similarity, beside = alike.get((route, variant), (None, None)) if is_copy else (None, None)
    return VariantTotals(
        route=route,
        variant=variant,
        is_copy=bool(is_copy),
        calls=calls,
        failed=failed,
        p50_ms=_number(p50),
        p95_ms=_number(p95),
        ttft_ms=_number(ttft),
        cost=exact_nano(cost),
        priced=priced,
        output_tokens=tokens,
        cut=cut,
        similarity=similarity,
        beside_cost=beside,
    )


def _number(value: float) -> float | None:
    return None if isnan(value) else value


class ServedVersion(NamedTuple):
    """A version of a model that answered: who was asked for what, what it said it was, and when first and how often."""

    provider: str
    sent_model: str
    model: str
    fingerprint: str
    calls: int
    operation: str


def select_served(start: datetime, end: datetime) -> Select:
    """Which versions answered in a span."""
    parameters: dict[str, Any] = {"limit": MOST}
    span = within("started_at", start, end, parameters)
    sql = (
        "SELECT t.provider, t.sent_model, t.model, t.system_fingerprint, count(), argMin(t.operation_id, t.started_at)"  # noqa: S608 - closed lists only
        f" FROM attempts AS t WHERE {span} AND t.outcome = 'ok' AND t.model != ''"
        " GROUP BY t.provider, t.sent_model, t.model, t.system_fingerprint"
        " ORDER BY t.provider, t.sent_model, min(t.started_at), t.model, t.system_fingerprint LIMIT {limit:UInt32}"
    )
    return Select(sql=sql, parameters=parameters)
