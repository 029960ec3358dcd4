"""Statements worked out from sums: the arithmetic, without any store.

What is charged for a closed period is never looked up twice: what became known since is the difference between what
its calls come to now and what all statements so far have charged for it. So each late call and each correction is
charged once, whoever asks how often.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from proxy.billing.adjustments import Adjustment
from proxy.billing.amounts import Amounts, Place
from proxy.billing.period import Period
from proxy.billing.statement import Correction, Negotiated, Statement, Usage, sealed, usd
from proxy.core.money import ZERO, Nano
from proxy.core.usage import Bucket


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """All that the statements of one org for one period are made from.

    `corrections` are those of closed periods by team; `versions` the price versions by team; `first_number` the
    number of the first statement; `previous` the hash of each team's last one.
    """

    org: str
    period: Period
    timezone: str
    closed_at: datetime
    closed_by: str
    amounts: Mapping[Place, Amounts]
    corrections: Mapping[str, tuple[Correction, ...]]
    negotiated: Iterable[Adjustment]
    versions: Mapping[str, tuple[str, ...]]
    allow_unpriced: bool
    first_number: int
    previous: Mapping[str, str]


def statements_of(draft: Draft) -> list[Statement]:
    """One statement for each team that anything is to be said of, by the names of the teams."""
    lines = list(draft.negotiated)
    teams = sorted({place.team for place in draft.amounts} | set(draft.corrections) | {each.team for each in lines})
    return [
        _statement(draft, team, number, [each for each in lines if each.team == team])
        for number, team in enumerate(teams, start=draft.first_number)
    ]


def billed(statements: Iterable[Statement]) -> dict[str, dict[Place, Amounts]]:
    """What statements have charged, by the period in which the calls were made."""
    sums: dict[str, dict[Place, Amounts]] = {}
    for statement in statements:
        for line in statement.usage:
            place = Place(statement.team, line.cost_center, line.key, line.provider, line.model)
            corrected = Nano(line.cost_nano - line.recorded_nano)
            _add(sums, statement.period, place, line.calls, Nano(line.recorded_nano), corrected)
        for late in statement.adjustments:
            place = Place(statement.team, late.cost_center, late.key, late.provider, late.model)
            amount, is_late = Nano(late.amount_nano), late.why == "late"
            _add(sums, late.of_period, place, late.calls, amount if is_late else ZERO, ZERO if is_late else amount)
    return sums


def drift(
    of_period: str, now: Mapping[Place, Amounts], charged: Mapping[Place, Amounts]
) -> dict[str, tuple[Correction, ...]]:
    """What a closed period's calls come to beyond what was charged for them, as lines by team."""
    lines: dict[str, list[Correction]] = {}
    nothing = Amounts()
    for place in sorted({*now, *charged}):
        seen, had = now.get(place, nothing), charged.get(place, nothing)
        calls, late = seen.calls - had.calls, seen.recorded - had.recorded
        if calls or late:
            lines.setdefault(place.team, []).append(_line(of_period, "late", place, calls, late))
        if repriced := seen.corrected - had.corrected:
            lines.setdefault(place.team, []).append(_line(of_period, "reprice", place, 0, repriced))
    return {team: tuple(each) for team, each in lines.items()}


def _line(of_period: str, why: Literal["late", "reprice"], place: Place, calls: int, nano: int) -> Correction:
    return Correction(
        of_period=of_period,
        why=why,
        cost_center=place.cost_center,
        key=place.key,
        provider=place.provider,
        model=place.model,
        calls=calls,
        amount_usd=usd(nano),
        amount_nano=nano,
    )


def _add(
    sums: dict[str, dict[Place, Amounts]], period: str, place: Place, calls: int, recorded: Nano, corrected: Nano
) -> None:
    of_period = sums.setdefault(period, {})
    old = of_period.get(place, Amounts())
    of_period[place] = Amounts(
        calls=old.calls + calls,
        recorded=Nano(old.recorded + recorded),
        corrected=Nano(old.corrected + corrected),
    )


def _statement(draft: Draft, team: str, number: int, agreed: list[Adjustment]) -> Statement:
    usage = tuple(_usage(place, each) for place, each in sorted(draft.amounts.items()) if place.team == team)
    corrections = draft.corrections.get(team, ())
    negotiated = tuple(_negotiated(each) for each in agreed)
    sums = (
        sum(line.cost_nano for line in usage),
        sum(line.amount_nano for line in corrections),
        sum(line.amount_nano for line in negotiated),
    )
    starts, ends = draft.period.bounds(draft.timezone)
    return sealed(
        Statement(
            number=number,
            org=draft.org,
            team=team,
            period=str(draft.period),
            timezone=draft.timezone,
            starts_at=_said(starts),
            ends_at=_said(ends),
            closed_at=_said(draft.closed_at),
            closed_by=draft.closed_by,
            usage=usage,
            adjustments=corrections,
            negotiated=negotiated,
            usage_usd=usd(sums[0]),
            usage_nano=sums[0],
            adjustments_usd=usd(sums[1]),
            adjustments_nano=sums[1],
            negotiated_usd=usd(sums[2]),
            negotiated_nano=sums[2],
            total_usd=usd(sum(sums)),
            total_nano=sum(sums),
            unpriced_calls=sum(line.unpriced_calls for line in usage),
            allow_unpriced=draft.allow_unpriced,
            price_versions=draft.versions.get(team, ()),
            previous_hash=draft.previous.get(team, ""),
        )
    )


def _usage(place: Place, amounts: Amounts) -> Usage:
    return Usage(
        cost_center=place.cost_center,
        key=place.key,
        provider=place.provider,
        model=place.model,
        calls=amounts.calls,
        unpriced_calls=amounts.unpriced,
        tokens={bucket.value: count for bucket in Bucket if (count := amounts.tokens.get(bucket.value, 0))},
        list_usd=usd(amounts.listed),
        list_nano=amounts.listed,
        cost_usd=usd(amounts.cost),
        cost_nano=amounts.cost,
        recorded_nano=amounts.recorded,
    )


def _negotiated(each: Adjustment) -> Negotiated:
    return Negotiated(
        id=each.id,
        kind=each.kind,
        cost_center=each.cost_center,
        note=each.note,
        amount_usd=usd(each.amount),
        amount_nano=each.amount,
    )


def _said(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
