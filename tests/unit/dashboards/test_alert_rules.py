"""Every alert rule's query on a real engine, with data that must and data that must not make it fire."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from statistics import median
from typing import Any, NamedTuple

import pytest
import yaml

from dashboards import build
from dashboards.alerts import RULES
from proxy.telemetry.rows import OperationRow
from tests.unit.dashboards.engine import Engine

NOW = datetime(2026, 11, 19, 10, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
THE_HOUR = datetime(2026, 11, 19, 9, 0, tzinfo=UTC)
AT = "%Y-%m-%d %H:%M:%S"
_NUMBERS = count()


def call(at: datetime, org: str, usd: str | None = "0", **facts: Any) -> OperationRow:
    return OperationRow(
        **{
            "operation_id": f"op_{next(_NUMBERS)}",
            "charged_at": f"{at:%Y-%m-%d %H:%M:%S}.000",
            "finished_at": f"{at:%Y-%m-%d %H:%M:%S}.900",
            "org": org,
            "team": "support",
            "key_id": "key_1",
            "key_name": "bot",
            "model": "gpt-5",
            "provider": "openai",
            "outcome": "ok",
            "cost_usd": usd,
            **facts,
        }
    )


def hourly(org: str, usd: str, *, days: int, until: datetime = THE_HOUR - 6 * HOUR) -> list[OperationRow]:
    """As much in each hour of so many days."""
    return [call(until - HOUR * number, org, usd) for number in range(1, days * 24)]


def burning() -> list[OperationRow]:
    rows = [row for org in ("burning", "one-dear-call", "slowly", "cheap") for row in hourly(org, "1", days=27)]
    rows += [row for row in hourly("burning-but-new", "1", days=5)]
    for org in ("burning", "burning-but-new"):
        rows += [call(NOW - MINUTE * 5 * number, org, "3.5") for number in range(1, 13)]
    rows.append(call(NOW - MINUTE * 50, "one-dear-call", "22"))
    rows += [call(NOW - MINUTE * 15 * number, "slowly", "2.25") for number in range(1, 26)]
    rows += [call(NOW - MINUTE * 5 * number, "cheap", "0.05") for number in range(1, 13)]
    return rows


def weekly(org: str, past: list[str], spent: str, **facts: Any) -> list[OperationRow]:
    """What an org spent in that hour of the week, the latest week first, and a dear hour beside it each week."""
    at = THE_HOUR + 30 * MINUTE
    rows = [call(at - WEEK * week, org, usd, **facts) for week, usd in enumerate([spent, *past])]
    return rows + [call(at - WEEK * week - HOUR, org, "900", team="other") for week in range(len(past) + 1)]


def unusual() -> list[OperationRow]:
    rows = weekly("unusual", ["20", "22", "30", "24"], "30") + weekly("wobbly", ["0", "100", "0", "100"], "190")
    rows += [call(THE_HOUR + 59 * MINUTE, "unusual", "10", team="", key_name="it's\\new", model="claude-opus-5")]
    rows += weekly("small", ["1", "1", "1", "1"], "9") + weekly("young", ["1", "1", "1"], "500")
    rows += [*weekly("next-hour", ["1", "1", "1", "1"], "1"), call(NOW, "next-hour", "700")]
    chance = random.Random(5)
    for number in range(60):
        past = [f"{chance.uniform(0, 60):.9f}" for _ in range(4)]
        rows += weekly(f"chance-{number}", past, f"{chance.uniform(0, 160):.9f}")
    return rows


def failing() -> list[OperationRow]:
    rows = []
    for org, since in (("failing", 0), ("recovered", 40)):
        for number in range(240):
            bad = number % 4 == 0 and since <= number // 4 < since + 20
            outcome = ("upstream_error", "truncated", "lost")[number % 3] if bad else "ok"
            rows.append(call(NOW - timedelta(seconds=15 * number), org, outcome=outcome))
            rows.append(call(NOW - timedelta(seconds=15 * number), org, outcome="cancelled"))
    rows += [call(NOW - MINUTE * number, "few", outcome="upstream_error") for number in range(1, 15)]
    rows += [call(NOW - MINUTE * number, "refused", outcome="refused") for number in range(1, 60)]
    return rows


def unpriced() -> list[OperationRow]:
    rows = [call(NOW - MINUTE * number, "unpriced", None, model="new-model") for number in (1, 20, 60)]
    rows += [call(NOW - MINUTE * number, "unpriced", "0") for number in (1, 20, 60)]
    rows += [call(NOW - 2 * HOUR, "unpriced-before", None), call(NOW, "refused", None, outcome="refused")]
    return rows


ROWS = burning() + unusual() + failing() + unpriced()
OUTCOMES: Mapping[str, list[tuple[str, int]]] = {
    "down": [("upstream_error", 0), ("upstream_error", 529), ("truncated", 200), ("ok", 200)] * 4,
    "half": [("upstream_error", 500), ("ok", 200)] * 8,
    "limited": [("upstream_error", 429), ("upstream_error", 400)] * 8,
    "seldom": [("upstream_error", 0)] * 9,
    "left": [("cancelled", 0)] * 16,
}


def attempts() -> str:
    """Attempts of the last minutes, and a provider that was down half an hour ago."""
    told = [
        f"('{provider}-{number}', 'op', '{NOW - MINUTE * (number % 10):{AT}}', '{provider}', '{how}', {status})"
        for provider, ended in OUTCOMES.items()
        for number, (how, status) in enumerate(ended)
    ]
    old = f"{NOW - 30 * MINUTE:{AT}}"
    told += [f"('old-{number}', 'op', '{old}', 'was-down', 'upstream_error', 0)" for number in range(20)]
    columns = "attempt_id, operation_id, started_at, provider, outcome, status"
    return f"INSERT INTO attempts ({columns}) VALUES {', '.join(told)}"


class State(NamedTuple):
    """How a budget stood so many minutes ago."""

    name: str
    ago: int
    spent: int
    limit: int = 500
    days_left: int = 10
    hard: bool = True
    period: str = "month"


STATES = [
    *(State("fast", 60 * hours, 400 - 10 * hours) for hours in range(9)),
    *(State("calm", 60 * hours, 400 - hours, limit=2000) for hours in range(0, 9, 4)),
    *(State("burst", ago, spent, limit=1000) for ago, spent in ((0, 120), (70, 100), (500, 100))),
    *(State("begun", 60 * hours, 480 - hours, days_left=-1) for hours in range(2, 9)),
    *(State("begun", ago, spent, days_left=29) for ago, spent in ((0, 10), (60, 4))),
    *(State("stopped", 60 * hours, 450 - 10 * hours) for hours in range(2, 9)),
    *(State("used-up", 60 * hours, 500 - 10 * hours) for hours in range(9)),
    *(State("soft", 60 * hours, 400 - 10 * hours, hard=False) for hours in range(9)),
    *(State("hourly", 10 * number, 400 - 40 * number, period="hour") for number in range(5)),
    *(State("long-ago", 60 * hours, 400 - 10 * hours) for hours in range(30, 40)),
]
LAGS = {"fresh": [(30, 3), (90, 900)], "late": [(0, 700)], "silent": [(1200, 1)], "gone": [(200000, 1)]}


def budget_states() -> str:
    told = ", ".join(
        f"('{NOW - MINUTE * each.ago:{AT}}', 'acme', '{each.name}', {each.period!r}, {each.hard}, 1, {each.spent},"
        f" {each.limit - each.spent}, '{NOW + timedelta(days=each.days_left):{AT}}')"
        for each in STATES
    )
    columns = "at, org, name, period, is_hard, scopes, spent, remaining, resets_at"
    return f"INSERT INTO budget_states ({columns}) VALUES {told}"


def pipeline_states() -> str:
    told = ", ".join(
        f"('{NOW - timedelta(seconds=ago):{AT}}', '{host}', {lag})"
        for host, reports in LAGS.items()
        for ago, lag in reports
    )
    return f"INSERT INTO pipeline_states (at, host, lag_seconds) VALUES {told}"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    running = Engine()
    running.migrate("flyball")
    running.migrate("empty")
    running.insert("flyball.operations", ROWS)
    for statement in (attempts(), budget_states(), pipeline_states()):
        running.query(statement)
    yield running
    running.close()


def asked(engine: Engine, uid: str, database: str = "flyball", now: datetime = NOW) -> list[list[Any]]:
    return engine.query(pinned(provisioned()[uid]["data"][0]["model"]["rawSql"], now), database)


def pinned(sql: str, now: datetime) -> str:
    assert sql.count("now(") == sql.count("now('UTC')")
    return sql.replace("now('UTC')", f"toDateTime('{now:%Y-%m-%d %H:%M:%S}', 'UTC')")


def provisioned() -> dict[str, dict[str, Any]]:
    """The rules as Grafana would read them."""
    text = (build.PROVISIONING / "alerting" / "flyball.yaml").read_text(encoding="utf-8")
    (group,) = yaml.safe_load(text)["groups"]
    return {rule["uid"]: rule for rule in group["rules"]}


def firing(engine: Engine, uid: str) -> dict[tuple[str, ...], Decimal]:
    """What Grafana would make of the answer: labels → value, where the value is over the rule's threshold."""
    (evaluator,) = provisioned()[uid]["data"][1]["model"]["conditions"]
    above = Decimal(str(evaluator["evaluator"]["params"][0]))
    assert evaluator["evaluator"]["type"] == "gt"
    told = {tuple(map(str, labels)): Decimal(str(value)) for *labels, value in asked(engine, uid)}
    return {labels: value for labels, value in told.items() if value > above}


def moment(row: OperationRow) -> datetime:
    return datetime.fromisoformat(row.charged_at).replace(tzinfo=UTC)


def quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0)


def spent(rows: list[OperationRow], start: datetime, end: datetime = NOW + HOUR) -> Decimal:
    return sum((Decimal(row.cost_usd or 0) for row in rows if start <= quarter(moment(row)) < end), Decimal(0))


def of(org: str) -> list[OperationRow]:
    return [row for row in ROWS if row.org == org]


def times_usual(org: str, back: timedelta) -> float:
    rows = [row for row in of(org) if NOW - timedelta(days=28) < quarter(moment(row)) <= NOW]
    start, first, long_ago = quarter(NOW - back), min(quarter(moment(row)) for row in rows), quarter(NOW - 6 * HOUR)
    usual = float(spent(rows, first, long_ago)) / ((long_ago - first) / HOUR)
    return float(spent(rows, start)) / ((NOW - start) / HOUR) / usual


def test_burn_rate(engine: Engine) -> None:
    told = firing(engine, "flyball-burn-rate")
    wanted = {}
    for org in ("burning", "slowly"):
        half, hour, six = (times_usual(org, back) for back in (30 * MINUTE, HOUR, 6 * HOUR))
        wanted[org,] = max(min(half, hour) / 14.4, min(hour, six) / 6)
    assert {org: float(told[org,]) for org in ("burning", "slowly")} == pytest.approx(
        {org: wanted[org,] for org in ("burning", "slowly")}, abs=0.006
    )
    assert wanted["burning",] > 2 and 1 < wanted["slowly",] < 2
    assert not {("one-dear-call",), ("burning-but-new",), ("cheap",)} & told.keys()
    assert times_usual("one-dear-call", HOUR) > 14.4 > times_usual("one-dear-call", 30 * MINUTE)


def anomaly(org: str) -> Decimal | None:
    """Dollars over the usual, where the rule should say so."""

    def hour_of(week: int) -> Decimal:
        return spent(of(org), THE_HOUR - WEEK * week, THE_HOUR - WEEK * week + HOUR)

    past = [hour_of(week) for week in (1, 2, 3, 4)]
    usual = median(past)
    mad = median(abs(each - usual) for each in past)
    known = any(THE_HOUR - WEEK * 5 <= moment(row) < THE_HOUR - WEEK * 4 + HOUR for row in of(org))
    over = hour_of(0) - usual
    return over if known and over > 3 * mad and over > 10 else None


def test_spend_anomaly(engine: Engine) -> None:
    told = firing(engine, "flyball-spend-anomaly")
    by_org = {labels[0]: value for labels, value in told.items()}
    wanted = {org: over for org in {row.org for row in ROWS} if (over := anomaly(org)) is not None}
    assert by_org.keys() == wanted.keys()
    for org, value in by_org.items():
        assert abs(value - wanted[org]) <= Decimal("1e-9"), org
    assert by_org["unusual"] == 17 and not {"wobbly", "small", "young", "next-hour"} & by_org.keys()
    assert 5 < len([org for org in by_org if org.startswith("chance")]) < 55


def test_a_spend_anomaly_names_who_spent_more_than_usual(engine: Engine) -> None:
    told = {labels[0]: labels[1] for labels in firing(engine, "flyball-spend-anomaly")}
    assert told["unusual"] == "(none)/it's\\new, claude-opus-5"
    assert {told[org] for org in told if org.startswith("chance")} == {"support/bot, gpt-5"}


def burnt(org: str, back: timedelta) -> float:
    start = quarter(NOW - back)
    rows = [row for row in of(org) if quarter(moment(row)) >= start and row.outcome not in {"refused", "cancelled"}]
    failed = sum(row.outcome in {"upstream_error", "truncated", "lost"} for row in rows)
    return failed / len(rows) / 0.01 if len(rows) >= 20 else 0


def test_error_budget(engine: Engine) -> None:
    told = firing(engine, "flyball-error-budget")
    brief, half, hour, six = (burnt("failing", back) for back in (15 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR))
    wanted = max(min(brief, hour) / 14.4, min(half, six) / 6)
    assert told.keys() == {("failing",)} and wanted > 1
    assert float(told["failing",]) == pytest.approx(wanted, abs=0.006)
    assert burnt("recovered", HOUR) > 5 and burnt("recovered", 15 * MINUTE) == 0


def test_unpriced(engine: Engine) -> None:
    assert firing(engine, "flyball-unpriced") == {("unpriced", "openai", "new-model"): 3}


def spent_since(rows: list[State], hours: int) -> int:
    before = [each.spent for each in rows if each.ago >= 60 * hours]
    return max(each.spent for each in rows) - (max(before) if before else min(each.spent for each in rows))


def times_over(name: str) -> float:
    """How many times over what is left would be used up before the window ends."""
    rows = [each for each in STATES if each.name == name and each.ago < 26 * 60 and each.days_left > 0]
    pace = min(spent_since(rows, 1), spent_since(rows, 6) / 6)
    latest = min(rows, key=lambda each: each.ago)
    return pace * latest.days_left * 24 / (latest.limit - latest.spent)


def test_budget_burn(engine: Engine) -> None:
    told = {labels: float(value) for labels, value in firing(engine, "flyball-budget-burn").items()}
    assert told == {("acme", "fast"): pytest.approx(times_over("fast"), abs=0.006)}
    every = {budget: value for _, budget, value in asked(engine, "flyball-budget-burn")}
    names = ("fast", "calm", "burst", "begun")
    assert every == {name: pytest.approx(times_over(name), abs=0.006) for name in names}
    assert times_over("fast") == 24 and 0 < times_over("burst") < 2 and times_over("stopped") == 0


def test_telemetry_lag(engine: Engine) -> None:
    assert firing(engine, "flyball-telemetry-lag") == {("late",): 700, ("silent",): 1201}
    assert {host: lag for host, lag in asked(engine, "flyball-telemetry-lag")}["fresh"] == 33


def test_provider_outage(engine: Engine) -> None:
    assert firing(engine, "flyball-provider-outage") == {("down",): Decimal("0.75")}
    shares = {provider: share for provider, share in asked(engine, "flyball-provider-outage")}
    assert shares == {"down": 0.75, "half": 0.5}


@pytest.mark.parametrize("uid", list(RULES))
def test_a_rule_is_silent_over_an_empty_store_and_once_all_is_over(engine: Engine, uid: str) -> None:
    assert asked(engine, uid, "empty") == []
    assert asked(engine, uid, now=NOW + timedelta(days=40)) == []


@pytest.mark.parametrize("uid", list(RULES))
def test_an_answer_is_labels_and_one_number_as_grafana_needs_it(engine: Engine, uid: str) -> None:
    rows = asked(engine, uid)
    assert rows
    described = engine.query(f"DESCRIBE ({pinned(RULES[uid].sql, NOW)})")
    kinds = [kind for _, kind, *_ in described]
    assert all(kind in {"String", "LowCardinality(String)"} for kind in kinds[:-1])
    assert kinds[-1] in {"Float64", "UInt64"} or kinds[-1].startswith("Decimal")
    named = {name for name, *_ in described[:-1]}
    texts = RULES[uid].summary + RULES[uid].description
    assert {word.split("}}")[0].strip() for word in texts.split(".Labels.")[1:]} <= named
