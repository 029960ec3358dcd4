"""The alert rules: what each asks ClickHouse, from which number on it fires, and what it says then.

A rule's query answers with one row per thing that is wrong: text columns become labels, the one number is compared with
`above`. No row is all well. Nothing here has a dollar sign: provisioning files would put environment variables there.
`now('UTC')` is the only clock, so that tests can set it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

NAMELESS: Final = "(none)"
_CONTRIBUTOR: Final = f"""concat(if(team = '', '{NAMELESS}', team), '/', if(key_name = '', '{NAMELESS}', key_name),
    ', ', if(model = '', '{NAMELESS}', model))"""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRule:
    """One rule. `waits` is how long it must hold before it fires; links name the uid, so it is for ever."""

    uid: str
    title: str
    sql: str
    above: float
    waits: str
    severity: Literal["critical", "warning"]
    summary: str
    description: str


def _rate(column: str, start: str) -> str:
    """What an hour of the window that begins at `start` comes to."""
    return f"toFloat64(sumIf({column}, quarter >= {start})) / ((now('UTC') - {start}) / 3600)"


def _since(length: str) -> str:
    return f"toStartOfFifteenMinutes(now('UTC') - INTERVAL {length})"


# Two windows each, so that an alert neither comes from one dear call nor stays when all is over.
_FAST: Final = 14.4
_SLOW: Final = 6

_BURN_RATE: Final = f"""SELECT org,
  round(greatest(least(hour, half_hour) / {_FAST}, least(six_hours, hour) / {_SLOW}), 2) AS times_over
FROM (
  SELECT org,
    {_rate("cost_usd", _since("30 MINUTE"))} / usual AS half_hour,
    {_rate("cost_usd", _since("1 HOUR"))} / usual AS hour,
    {_rate("cost_usd", _since("6 HOUR"))} / usual AS six_hours,
    toFloat64(sumIf(cost_usd, quarter < {_since("6 HOUR")}))
      / (({_since("6 HOUR")} - min(quarter)) / 3600) AS usual,
    sumIf(cost_usd, quarter >= {_since("1 HOUR")}) AS last_hour
  FROM spend_quarter_hours
  WHERE quarter > now('UTC') - INTERVAL 28 DAY AND quarter <= now('UTC')
  GROUP BY org
  HAVING min(quarter) < now('UTC') - INTERVAL 7 DAY AND usual > 0 AND last_hour >= 1
)
ORDER BY times_over DESC
LIMIT 100"""  # noqa: S608  # names of our own columns only

# Where a budget stood before is what was told last; one that was not told of since then did not move.
_BUDGET_BURN: Final = """SELECT org, name AS budget,
  round(least(hour, six_hours) * hours_left / left_over, 2) AS times_over
FROM (
  SELECT org, name,
    toFloat64(argMax(remaining, at)) AS left_over,
    toFloat64(max(spent)) AS used,
    dateDiff('second', now('UTC'), ifNull(max(resets_at), now('UTC'))) / 3600 AS hours_left,
    used - toFloat64(if(countIf(at <= now('UTC') - INTERVAL 1 HOUR) = 0, min(spent),
      maxIf(spent, at <= now('UTC') - INTERVAL 1 HOUR))) AS hour,
    (used - toFloat64(if(countIf(at <= now('UTC') - INTERVAL 6 HOUR) = 0, min(spent),
      maxIf(spent, at <= now('UTC') - INTERVAL 6 HOUR)))) / 6 AS six_hours
  FROM budget_states
  WHERE at > now('UTC') - INTERVAL 26 HOUR AND at <= now('UTC') AND is_hard AND scopes <= 1
    AND period NOT IN ('minute', 'hour', 'rolling', 'total')
    AND (org, name, resets_at) IN (
      SELECT org, name, max(resets_at) FROM budget_states
      WHERE at > now('UTC') - INTERVAL 26 HOUR AND at <= now('UTC') AND resets_at > now('UTC')
      GROUP BY org, name
    )
  GROUP BY org, name
)
WHERE left_over > 0 AND times_over > 0
ORDER BY times_over DESC
LIMIT 100"""

_WEEKS: Final = ", ".join(
    f"sumIf(cost_usd, toStartOfHour(quarter) = the_hour - INTERVAL {7 * week} DAY)" for week in (1, 2, 3, 4)
)

# The median of four is the mean of the middle two. Money stays Decimal throughout.
_SPEND_ANOMALY: Final = f"""WITH
  toStartOfHour(now('UTC')) - INTERVAL 1 HOUR AS the_hour,
  by_contributor AS (
    SELECT org, {_CONTRIBUTOR} AS contributor,
      sumIf(cost_usd, quarter >= the_hour) AS spend,
      arraySort([{_WEEKS}]) AS past,
      [{_WEEKS}] AS weeks
    FROM spend_quarter_hours
    WHERE quarter >= the_hour - INTERVAL 28 DAY AND quarter < the_hour + INTERVAL 1 HOUR
      AND (toUnixTimestamp(the_hour) - toUnixTimestamp(toStartOfHour(quarter))) % 604800 = 0
    GROUP BY org, contributor
  ),
  by_org AS (
    SELECT org, sum(spend) AS spent,
      argMax(contributor, (spend - (past[2] + past[3]) / 2, contributor)) AS top_contributor,
      arraySort(sumForEach(weeks)) AS before,
      (before[2] + before[3]) / 2 AS usual,
      arraySort(arrayMap(week -> abs(week - usual), before)) AS off,
      (off[2] + off[3]) / 2 AS mad
    FROM by_contributor
    GROUP BY org
  )
SELECT org, top_contributor, spent - usual AS over_usual_usd
FROM by_org
WHERE over_usual_usd > 3 * mad AND org IN (
  SELECT org FROM spend_quarter_hours
  WHERE quarter >= the_hour - INTERVAL 35 DAY AND quarter < the_hour - INTERVAL 28 DAY + INTERVAL 1 HOUR
)
ORDER BY over_usual_usd DESC
LIMIT 100"""  # noqa: S608  # names of our own columns only

_OBJECTIVE: Final = 0.99
_FAILED: Final = "sumIf(calls, outcome IN ('upstream_error', 'truncated', 'lost') AND quarter >= {start})"
_ANSWERED: Final = "sumIf(calls, quarter >= {start})"


def _burnt(length: str) -> str:
    """How fast the error budget goes in that window; 1 uses it up exactly."""
    start = _since(length)
    failed, answered = _FAILED.format(start=start), _ANSWERED.format(start=start)
    return f"if({answered} < 20, 0, {failed} / {answered} / {1 - _OBJECTIVE:.2f})"


_ERROR_BUDGET: Final = f"""SELECT org,
  round(greatest(least(hour, quarter_hour) / {_FAST}, least(six_hours, half_hour) / {_SLOW}), 2) AS times_over
FROM (
  SELECT org,
    {_burnt("15 MINUTE")} AS quarter_hour,
    {_burnt("30 MINUTE")} AS half_hour,
    {_burnt("1 HOUR")} AS hour,
    {_burnt("6 HOUR")} AS six_hours
  FROM spend_quarter_hours
  WHERE quarter >= {_since("6 HOUR")} AND quarter <= now('UTC') AND outcome NOT IN ('refused', 'cancelled')
  GROUP BY org
)
WHERE times_over > 0
ORDER BY times_over DESC
LIMIT 100"""  # noqa: S608  # names of our own columns only

_UNPRICED: Final = f"""SELECT org, provider, model, sum(unpriced) AS no_price
FROM spend_quarter_hours
WHERE quarter >= {_since("1 HOUR")} AND quarter <= now('UTC') AND unpriced > 0
GROUP BY org, provider, model
ORDER BY no_price DESC
LIMIT 100"""  # noqa: S608  # names of our own columns only

# A collector tells of itself each minute; one that is silent falls behind by as much.
_TELEMETRY_LAG: Final = """SELECT host,
  argMax(lag_seconds, at) + dateDiff('second', max(at), now('UTC')) AS lag_seconds_now
FROM pipeline_states
WHERE at > now('UTC') - INTERVAL 1 DAY AND at <= now('UTC')
GROUP BY host
ORDER BY lag_seconds_now DESC
LIMIT 100"""

# 429 is a limit of ours there, other 4xx the caller's doing; no status is no answer. Too few attempts say nothing.
_PROVIDER_OUTAGE: Final = """SELECT provider,
  countIf(outcome = 'truncated' OR outcome = 'upstream_error' AND (status = 0 OR status >= 500))
    / count() AS failed_share
FROM attempts
WHERE started_at >= now('UTC') - INTERVAL 10 MINUTE AND started_at <= now('UTC') AND outcome != 'cancelled'
GROUP BY provider
HAVING count() >= 10 AND failed_share > 0
ORDER BY failed_share DESC
LIMIT 100"""

_RULES: Final = (
    AlertRule(
        uid="flyball-burn-rate",
        title="Flyball: money goes too fast",
        sql=_BURN_RATE,
        above=1,
        waits="2m",
        severity="critical",
        summary="{{ .Labels.org }} spends several times its usual rate",
        description="Compared with its average hour of the last four weeks, the org spent 14.4 times as much within "
        "the last hour and half hour, or 6 times as much within the last six hours and the last one.",
    ),
    AlertRule(
        uid="flyball-budget-burn",
        title="Flyball: a budget is soon used up",
        sql=_BUDGET_BURN,
        above=2,
        waits="5m",
        severity="warning",
        summary="{{ .Labels.org }}: {{ .Labels.budget }} will be used up long before its window ends",
        description="At the pace of the last hour and of the last six, whichever is slower, what is left would be used "
        "up more than twice over before the hard budget starts anew.",
    ),
    AlertRule(
        uid="flyball-spend-anomaly",
        title="Flyball: unusual spend in an hour",
        sql=_SPEND_ANOMALY,
        above=10,
        waits="0s",
        severity="warning",
        summary="{{ .Labels.org }} spent unusually much in the last full hour, above all {{ .Labels.top_contributor }}",
        description="Dollars above the median of the same hour of the week in the four weeks before, where that is "
        "also more than three median absolute deviations. Named are the team, key and model whose spend rose most.",
    ),
    AlertRule(
        uid="flyball-error-budget",
        title="Flyball: calls fail too often",
        sql=_ERROR_BUDGET,
        above=1,
        waits="2m",
        severity="critical",
        summary="{{ .Labels.org }}: so many calls fail that the error budget is soon used up",
        description="Of 100 calls 99 should be answered; refusals and calls that clients gave up do not count. Fires "
        "at 14.4 times the failures allowed within the last hour and quarter-hour, or 6 times within six hours and "
        "half an hour.",
    ),
    AlertRule(
        uid="flyball-unpriced",
        title="Flyball: calls without a price",
        sql=_UNPRICED,
        above=0,
        waits="0s",
        severity="warning",
        summary="{{ .Labels.model }} at {{ .Labels.provider }} has no price; {{ .Labels.org }} calls it",
        description="What these calls cost is missing from every sum. Add the model to the price overlay.",
    ),
    AlertRule(
        uid="flyball-telemetry-lag",
        title="Flyball: telemetry falls behind",
        sql=_TELEMETRY_LAG,
        above=600,
        waits="2m",
        severity="warning",
        summary="Rows of {{ .Labels.host }} are more than ten minutes late",
        description="The age of the oldest row that waits there, or the silence of its collector. Calls go on, and no "
        "row is lost before the spool is full; sums lack what is late.",
    ),
    AlertRule(
        uid="flyball-provider-outage",
        title="Flyball: a provider fails",
        sql=_PROVIDER_OUTAGE,
        above=0.5,
        waits="2m",
        severity="critical",
        summary="More than half of the requests to {{ .Labels.provider }} fail",
        description="Of at least ten requests in the last ten minutes: no answer, 5xx, or an answer that broke off.",
    ),
)

RULES: Final[Mapping[str, AlertRule]] = MappingProxyType({rule.uid: rule for rule in _RULES})
