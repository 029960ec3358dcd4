"""Every query of every board on a real engine: the values compared with sums made apart from any SQL."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest

import proxy.telemetry
from dashboards.sql import DIMENSIONS, NAMELESS, OTHERS, QUERIES, VARIABLES
from proxy.telemetry.rows import OperationRow

FROM = datetime(2026, 11, 19, 10, 0, tzinfo=UTC)
TO = datetime(2026, 11, 19, 13, 59, 59, tzinfo=UTC)
INTERVAL_S = 3600
MIGRATIONS = Path(proxy.telemetry.__file__).parent / "migrations"
HOSTILE = (
    """it's "quoted" `ticked`""",
    "back\\slash",
    "trick\\' OR 1=1 --",
    "Ünïcödé 漢字 🎈",
    "a, b) ($c {d}",
    "$__timeFilter(x) ${org} $team",
    "${model:singlequote}",
)


@dataclass(frozen=True)
class Asked:
    """What Grafana knows when it sends a query: the range, and what is selected (nothing = all)."""

    selected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    start: datetime = FROM
    end: datetime = TO


def expand(sql: str, asked: Asked) -> str:
    """Do to a query what Grafana and its ClickHouse plugin do, in their order."""
    for variable in DIMENSIONS:
        chosen = asked.selected.get(variable)
        pattern = re.compile(rf"\$__conditionalAll\((.*), \${variable}\)")
        sql = pattern.sub(lambda match, keep=bool(chosen): match[1] if keep else "1=1", sql)  # type: ignore[misc]
    quoted = {
        name: ",".join("'" + each.replace("'", "\\'") + "'" for each in asked.selected.get(name, ()))
        for name in DIMENSIONS
    }
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda match: quoted[match[1]], sql)
    start, end = f"toDateTime({int(asked.start.timestamp())})", f"toDateTime({int(asked.end.timestamp())})"
    sql = re.sub(r"\$__timeFilter\((.+?)\)", lambda match: f"{match[1]} >= {start} AND {match[1]} <= {end}", sql)
    sql = re.sub(
        r"\$__timeInterval\((.+?)\)",
        lambda match: f"toStartOfInterval(toDateTime({match[1]}), INTERVAL {INTERVAL_S} second)",
        sql,
    )
    sql = sql.replace("$__fromTime", start).replace("$__toTime", end)
    assert "$__" not in sql, sql
    return sql


class Engine:
    """The test's side of the worker."""

    def __init__(self) -> None:
        worker = [sys.executable, str(Path(__file__).with_name("chdb_worker.py"))]
        self._process = subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def query(self, sql: str, database: str = "flyball") -> list[list[Any]]:
        return self._ask({"sql": sql, "database": database})

    def insert(self, table: str, rows: Sequence[OperationRow]) -> None:
        self._ask({"insert": table, "rows": "\n".join(msgspec.json.encode(row).decode() for row in rows)})

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, request: dict[str, str]) -> list[list[Any]]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, f"{answer['error']}\n{request}"
        rows: list[list[Any]] = answer["rows"]
        return rows


def migrated(engine: Engine, database: str) -> None:
    engine.query(f"CREATE DATABASE {database}", "default")
    for step in sorted(MIGRATIONS.glob("*.sql")):
        text = step.read_text().replace("{database}", database)
        text = re.sub(r"\{\w+_days\}", "4000", text)
        for statement in text.split(";\n"):
            if statement.strip():
                engine.query(statement, database)


def operations() -> list[OperationRow]:
    """Some hundred calls of two orgs in and around the range, hostile names among them."""
    models = ("gpt-5", "gpt-5-mini", "claude-opus-5", "", *HOSTILE)
    rows = []
    for number in range(300):
        at = FROM - timedelta(minutes=40) + timedelta(seconds=number * 61)
        outcome = ("ok", "ok", "ok", "refused", "cancelled", "ok", "upstream_error", "cached", "ok", "truncated")[
            number % 10
        ]
        model = models[number % len(models)]
        rows.append(
            OperationRow(
                operation_id=f"op_{number}",
                charged_at=f"{at:%Y-%m-%d %H:%M:%S}.250",
                finished_at=f"{at:%Y-%m-%d %H:%M:%S}.900",
                org=("acme", "globex", HOSTILE[number % 7])[number % 3],
                team=("support", "research", HOSTILE[number % 5])[number % 7 % 3],
                key_id=f"key_{number % 4}",
                key_name=("bot", "ci", "notebook", HOSTILE[number % 6])[number % 4],
                agent=("", "triage", HOSTILE[number % 7])[number % 3],
                model=model,
                provider=("openai", "anthropic")[number % 2] if model else "",
                outcome=outcome,
                code=("budget_exceeded", "rate_limited")[number % 20 // 10] if outcome == "refused" else "",
                cost_usd=None if outcome == "refused" or number % 13 == 0 else f"0.0{number:03}00{number % 10}1",
                list_usd="0.5",
                input_tokens=number * 3,
                cache_read_tokens=number * 2,
                cache_write_tokens=number % 4,
                output_tokens=number,
                reasoning_tokens=number % 5,
                duration_ms=float(100 + number),
                ttft_ms=float(number) if number % 4 else None,
            )
        )
    return rows


ROWS = operations()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    running = Engine()
    migrated(running, "flyball")
    migrated(running, "empty")
    running.insert("flyball.operations", ROWS[:130])
    running.insert("flyball.operations", ROWS[130:])
    yield running
    running.close()


def moment(row: OperationRow) -> datetime:
    return datetime.fromisoformat(row.charged_at).replace(tzinfo=UTC)


def quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def shown(name: str) -> str:
    return name or NAMELESS


def label(row: OperationRow, variable: str) -> str:
    return shown(str(getattr(row, DIMENSIONS[variable])))


def matching(asked: Asked, labels: Mapping[str, Sequence[str]], *, raw: bool) -> list[OperationRow]:
    """The rows a panel speaks of; from the rollup, whole quarter-hours that the range touches."""

    def inside(row: OperationRow) -> bool:
        at = moment(row)
        if raw:
            return asked.start <= at <= asked.end
        return quarter(at) + timedelta(minutes=15) > asked.start and quarter(at) <= asked.end

    return [row for row in ROWS if inside(row) and all(label(row, name) in told for name, told in labels.items())]


def cost(rows: Sequence[OperationRow]) -> Decimal:
    return sum((Decimal(row.cost_usd) for row in rows if row.cost_usd), Decimal(0))


def tokens(rows: Sequence[OperationRow]) -> int:
    return sum(
        row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.output_tokens + row.reasoning_tokens
        for row in rows
    )


def unpriced(rows: Sequence[OperationRow]) -> int:
    return sum(row.cost_usd is None and row.outcome not in {"refused", "cached"} for row in rows)


def hour(row: OperationRow) -> str:
    return f"{moment(row):%Y-%m-%d %H:00:00}"


def team(row: OperationRow) -> str:
    return f"{row.org}/{shown(row.team)}"


def key(row: OperationRow) -> str:
    return f"{team(row)}/{shown(row.key_name)}"


def spend_by(name: Callable[[OperationRow], str], rows: Sequence[OperationRow]) -> dict[tuple[str, str], Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[name(row)] += cost([row])
    dearest = sorted(sums, key=lambda one: (-sums[one], one.encode()))[:10]
    cells: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        cells[hour(row), name(row) if name(row) in dearest else OTHERS] += cost([row])
    return dict(cells)


def selections() -> list[Mapping[str, Sequence[str]]]:
    return [
        {},
        {"org": ["acme"]},
        {"org": ["acme", "globex"], "agent": [NAMELESS, "triage"]},
        {"model": list(HOSTILE[:3]), "provider": ["openai", "anthropic"]},
        {"team": [HOSTILE[2]], "key": ["bot", HOSTILE[5], HOSTILE[1]]},
    ]


@pytest.fixture(params=selections(), ids=lambda told: "+".join(told) or "all")
def labels(request: pytest.FixtureRequest) -> Mapping[str, Sequence[str]]:
    chosen: Mapping[str, Sequence[str]] = request.param
    return chosen


def ids_of(engine: Engine, variable: str) -> dict[str, str]:
    """What the variable's query puts into queries, by what it shows."""
    return {text: value for value, text in engine.query(expand(VARIABLES[variable], Asked()))}


@pytest.fixture
def ask(engine: Engine, labels: Mapping[str, Sequence[str]]) -> Callable[[str], list[list[Any]]]:
    selected = {name: [ids_of(engine, name)[text] for text in told] for name, told in labels.items()}
    return lambda query: engine.query(expand(QUERIES[query].sql, Asked(selected)))


Ask = Callable[[str], list[list[Any]]]
Labels = Mapping[str, Sequence[str]]


def test_the_seed_has_something_to_say(labels: Labels) -> None:
    rows = matching(Asked(), labels, raw=False)
    assert len(rows) > 3 and cost(rows) > 0


def test_headline_numbers(ask: Ask, labels: Labels) -> None:
    rows = matching(Asked(), labels, raw=False)
    assert Decimal(ask("spend")[0][0]) == cost(rows)
    assert ask("calls") == [[len(rows)]]
    assert ask("tokens") == [[tokens(rows)]]
    assert ask("unpriced") == [[unpriced(rows)]]
    refused = [row for row in matching(Asked(), labels, raw=True) if row.code == "budget_exceeded"]
    assert ask("budget_refusals") == [[len(refused)]]


def test_ratios(ask: Ask, labels: Labels) -> None:
    rows = matching(Asked(), labels, raw=False)
    served = [row for row in rows if row.outcome != "refused"]
    priced = len(served) - unpriced(served)
    told = Decimal(ask("cost_per_call")[0][0])
    assert abs(told - cost(served) / priced) < Decimal("1e-8")
    read = sum(row.cache_read_tokens for row in rows)
    whole = sum(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens for row in rows)
    assert ask("cache_read_share")[0][0] == pytest.approx(read / whole)


@pytest.mark.parametrize(
    ("query", "name"),
    [("spend_by_model", lambda row: shown(row.model)), ("spend_by_team", team), ("spend_by_key", key)],
)
def test_spend_over_time(ask: Ask, labels: Labels, query: str, name: Callable[[OperationRow], str]) -> None:
    told = {(at, who): Decimal(spend) for at, who, spend in ask(query)}
    rows = matching(Asked(), labels, raw=False)
    assert told == spend_by(name, rows)
    assert sum(told.values()) == cost(rows)


def test_top_keys(ask: Ask, labels: Labels) -> None:
    rows: dict[str, list[OperationRow]] = defaultdict(list)
    for row in matching(Asked(), labels, raw=False):
        rows[key(row)].append(row)
    wanted = [
        [name, cost(own), len(own), tokens(own), unpriced(own), sum(row.outcome == "refused" for row in own)]
        for name, own in sorted(rows.items(), key=lambda pair: (-cost(pair[1]), pair[0].encode()))
    ]
    assert [[name, Decimal(spend), *rest] for name, spend, *rest in ask("top_keys")] == wanted[:50]


def test_trouble(ask: Ask, labels: Labels) -> None:
    ended: dict[tuple[str, str], int] = defaultdict(int)
    for row in matching(Asked(), labels, raw=False):
        if row.outcome not in {"ok", "cached"}:
            ended[hour(row), row.outcome] += 1
    assert {(at, outcome): number for at, outcome, number in ask("errors_by_outcome")} == ended
    codes: dict[str, list[OperationRow]] = defaultdict(list)
    for row in matching(Asked(), labels, raw=True):
        if row.outcome == "refused":
            codes[row.code].append(row)
    told = {code: (number, keys) for code, number, keys in ask("refusals_by_code")}
    assert told == {code: (len(own), len({key(row) for row in own})) for code, own in codes.items()}


@pytest.mark.parametrize(("query", "column"), [("duration", "duration_ms"), ("first_token", "ttft_ms")])
def test_latency(ask: Ask, labels: Labels, query: str, column: str) -> None:
    seen: dict[str, list[float]] = defaultdict(list)
    for row in matching(Asked(), labels, raw=True):
        value = getattr(row, column)
        if row.outcome == "ok" and value is not None:
            seen[hour(row)].append(value)
    told = {at: (p50, p95) for at, p50, p95 in ask(query)}
    assert told.keys() == seen.keys()
    for at, values in seen.items():
        assert told[at][0] == pytest.approx(median(values))
        assert median(values) <= told[at][1] <= max(values)


@pytest.mark.parametrize("variable", list(DIMENSIONS))
def test_each_choice_of_a_variable_selects_its_own_rows_and_no_others(engine: Engine, variable: str) -> None:
    everyone = matching(Asked(), {}, raw=False)
    ids = ids_of(engine, variable)
    assert set(ids) == {label(row, variable) for row in everyone}
    for text, value in ids.items():
        own = [row for row in everyone if label(row, variable) == text]
        asked = Asked({variable: [value]})
        assert engine.query(expand(QUERIES["calls"].sql, asked)) == [[len(own)]], text
        assert Decimal(engine.query(expand(QUERIES["spend"].sql, asked))[0][0]) == cost(own), text


def test_choices_follow_the_chosen_org(engine: Engine) -> None:
    told = {text for _, text in engine.query(expand(VARIABLES["team"], Asked({"org": ["acme"]})))}
    assert told == {label(row, "team") for row in matching(Asked(), {"org": ["acme"]}, raw=False)}


def test_a_range_within_a_quarter_hour_takes_in_that_quarter_hour(engine: Engine) -> None:
    asked = Asked(start=FROM + timedelta(minutes=5), end=FROM + timedelta(minutes=9))
    rows = matching(asked, {}, raw=False)
    assert rows and engine.query(expand(QUERIES["calls"].sql, asked)) == [[len(rows)]]


@pytest.mark.parametrize("query", list(QUERIES))
def test_an_empty_store_answers_with_zero_nothing_or_no_rows(engine: Engine, query: str) -> None:
    told = engine.query(expand(QUERIES[query].sql, Asked()), "empty")
    if QUERIES[query].shape == "table" and query not in {"top_keys", "refusals_by_code"}:
        assert len(told) == 1 and told[0][0] in {0, "0", None}
        assert (told[0][0] is None) == (query in {"cost_per_call", "cache_read_share"})
    else:
        assert told == []


@pytest.mark.parametrize("variable", list(DIMENSIONS))
def test_an_empty_store_offers_no_choices(engine: Engine, variable: str) -> None:
    assert engine.query(expand(VARIABLES[variable], Asked()), "empty") == []
