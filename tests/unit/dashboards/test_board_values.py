"""Every query of every board on a real engine, as Grafana sends it: the values compared with sums made without SQL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import pytest

from dashboards.annotations import ANNOTATIONS
from dashboards.build import FOLDER
from dashboards.sql.names import DIMENSIONS, NAMELESS, TAG, TIMEZONE
from dashboards.variables import VARIABLES
from proxy.telemetry.rows import OperationRow
from tests.unit.dashboards.engine import Engine
from tests.unit.dashboards.expected import WANTED
from tests.unit.dashboards.expected.annotations import WANTED as WANTED_ANNOTATIONS
from tests.unit.dashboards.grafana import Asked, expand
from tests.unit.dashboards.seed import (
    ATTEMPTS,
    AUDIT,
    BUDGET_STATES,
    DECISIONS,
    HOSTILE,
    OPERATIONS,
    PIPELINE_STATES,
    PRICE_BOOK,
    TOOL_CALLS,
)
from tests.unit.dashboards.world import World, at, cost, is_same, shown, unpriced

SHORT: Final = (datetime(2026, 11, 19, 10, 0, tzinfo=UTC), datetime(2026, 11, 19, 13, 59, 59, tzinfo=UTC))
LONG: Final = (datetime(2026, 11, 15, 6, 38, tzinfo=UTC), datetime(2026, 11, 20, 17, 21, 5, tzinfo=UTC))


def world(
    span: tuple[datetime, datetime], labels: Mapping[str, Sequence[str]] | None = None, timezone: str = "UTC"
) -> World:
    """All seeded rows, and what is asked about them."""
    return World(
        *span,
        labels or {},
        timezone,
        3600,
        OPERATIONS,
        ATTEMPTS,
        DECISIONS,
        BUDGET_STATES,
        PIPELINE_STATES,
        AUDIT,
        TOOL_CALLS,
        PRICE_BOOK,
    )


WORLDS: Final[Mapping[str, World]] = {
    "hours": world(SHORT),
    "hours of hostile names": world(
        SHORT, {"org": ["acme", HOSTILE[1]], "team": ["support", HOSTILE[2]], "key": ["bot", HOSTILE[1], HOSTILE[5]]}
    ),
    "days": world(LONG),
    "days of agents and models, in Kathmandu": world(
        LONG, {"model": ["gpt-5", NAMELESS, HOSTILE[6]], "agent": [NAMELESS, "triage", HOSTILE[0]]}, "Asia/Kathmandu"
    ),
    "days of a hostile tag, in Sao Paulo": world(
        LONG, {"provider": ["openai"], TAG: [f"env={HOSTILE[2]}"]}, "America/Sao_Paulo"
    ),
}
SEEDED: Final[Mapping[str, Sequence[msgspec.Struct]]] = {
    "operations": OPERATIONS,
    "attempts": ATTEMPTS,
    "decisions": DECISIONS,
    "budget_states": BUDGET_STATES,
    "pipeline_states": PIPELINE_STATES,
    "audit": AUDIT,
    "tool_calls": TOOL_CALLS,
    "price_book": PRICE_BOOK,
}
PANELS: Final = [(board, number) for board, panels in WANTED.items() for number in panels]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    running = Engine()
    for database in ("flyball", "empty"):
        running.migrate(database)
    for table, rows in SEEDED.items():
        half = len(rows) // 2
        running.insert(f"flyball.{table}", rows[:half])
        running.insert(f"flyball.{table}", rows[half:])
    yield running
    running.close()


@cache
def queries(board: str) -> Mapping[int, str]:
    """The query of each panel, out of the file that Grafana loads."""
    loaded = json.loads((FOLDER / f"{board}.json").read_text(encoding="utf-8"))
    return {panel["id"]: panel["targets"][0]["rawSql"] for panel in loaded["panels"] if panel["type"] != "row"}


def asked(engine: Engine, told: World) -> Asked:
    """What Grafana sends: for each label, the value that the variable's own query gives."""
    values = {name: [choices(engine, name, told)[label] for label in labels] for name, labels in told.labels.items()}
    return Asked(told.start, told.end, values, told.timezone, told.interval_s)


def choices(engine: Engine, variable: str, told: World, org: Sequence[str] = ()) -> dict[str, str]:
    """What can be chosen: the value that goes into queries by the text that is shown."""
    sent = Asked(told.start, told.end, {"org": org} if org else {})
    return {text: value for value, text in engine.query(expand(VARIABLES[variable], sent))}


def compare(rows: list[list[Any]], wanted: Sequence[Sequence[Any]]) -> None:
    assert len(rows) == len(wanted), f"told: {rows}\nwanted: {wanted}"
    for row, like in zip(rows, wanted, strict=True):
        assert len(row) == len(like) and all(map(is_same, row, like)), f"told: {row}\nwanted: {like}"


def test_every_panel_of_every_board_is_asked() -> None:
    assert {board: set(queries(board)) for board in WANTED} == {board: set(panels) for board, panels in WANTED.items()}
    assert {path.stem for path in FOLDER.glob("*.json")} == set(WANTED)


@pytest.mark.parametrize(("board", "number"), PANELS)
def test_each_panel_has_something_to_say(board: str, number: int) -> None:
    """Else equal values would prove nothing."""
    told = [WANTED[board][number](WORLDS[name]) for name in ("hours", "days")]
    assert any(cell not in (0, None) for rows in told for row in rows for cell in row)


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize(("board", "number"), PANELS)
def test_each_panel_says_what_the_rows_say(engine: Engine, board: str, number: int, name: str) -> None:
    told = WORLDS[name]
    compare(engine.query(expand(queries(board)[number], asked(engine, told))), WANTED[board][number](told))


@pytest.mark.parametrize(("board", "number"), PANELS)
@pytest.mark.parametrize("span", [SHORT, LONG], ids=["hours", "days"])
def test_an_empty_store_says_zero_nothing_or_no_rows(
    engine: Engine, board: str, number: int, span: tuple[datetime, datetime]
) -> None:
    rows = engine.query(expand(queries(board)[number], Asked(*span)), "empty")
    compare(rows, WANTED[board][number](World(*span)))


def test_a_call_that_is_given_a_price_later_is_priced(engine: Engine) -> None:
    """Its correction counts minus one unpriced call, which is a very large number until sums wrap around."""
    engine.migrate("corrected")
    row = next(row for row in OPERATIONS if unpriced([row]) and SHORT[0] < at(row) < SHORT[1])
    engine.insert("corrected.operations", [row])
    engine.query(
        "INSERT INTO corrections"
        " (operation_id, charged_at, org, team, key_name, model, provider, outcome, delta_usd, unpriced)"
        " SELECT operation_id, charged_at, org, team, key_name, model, provider, outcome, 0.5, -1 FROM operations",
        "corrected",
    )
    wanted: dict[tuple[str, int], list[list[Any]]] = {
        ("cost-overview", 1): [[Decimal("0.5")]], ("cost-overview", 2): [[1]], ("cost-overview", 4): [[0]],
        ("cost-overview", 6): [[Decimal("0.5")]], ("pipeline", 5): [[0]], ("pipeline", 14): [],
    }  # fmt: skip
    for (board, number), rows in wanted.items():
        compare(engine.query(expand(queries(board)[number], Asked(*SHORT)), "corrected"), rows)


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_each_annotation_says_what_happened(engine: Engine, name: str) -> None:
    found = 0
    for told in WORLDS.values():
        wanted = WANTED_ANNOTATIONS[name](told)
        compare(engine.query(expand(ANNOTATIONS[name], asked(engine, told))), wanted)
        found += len(wanted)
    assert found, "else equal answers would prove nothing"
    assert engine.query(expand(ANNOTATIONS[name], Asked(*LONG)), "empty") == []


def label(row: OperationRow, variable: str) -> list[str]:
    if variable == TAG:
        return [f"{name}={value}" for name, value in row.tags.items()]
    return [shown(str(getattr(row, DIMENSIONS[variable])))]


@pytest.mark.parametrize("variable", [*DIMENSIONS, TAG])
def test_each_choice_of_a_variable_selects_its_own_rows_and_no_others(engine: Engine, variable: str) -> None:
    told = WORLDS["days"]
    offered = choices(engine, variable, told)
    days = world((told.start.replace(hour=0, minute=0), told.end.replace(hour=23, minute=59))).calls()
    assert set(offered) == {each for row in days for each in label(row, variable)}
    for text, value in offered.items():
        own = [row for row in told.spend() if text in label(row, variable)]
        sent = Asked(told.start, told.end, {variable: [value]})
        assert engine.query(expand(queries("cost-overview")[2], sent)) == [[len(own)]], text
        compare(engine.query(expand(queries("cost-overview")[1], sent)), [[cost(own)]])


@pytest.mark.parametrize("variable", ["team", TAG])
def test_choices_follow_the_chosen_org(engine: Engine, variable: str) -> None:
    told = world(LONG, {"org": ["acme"]})
    offered = choices(engine, variable, told, ["acme"])
    days = world((LONG[0].replace(hour=0, minute=0), LONG[1].replace(hour=23, minute=59)), told.labels).calls()
    assert set(offered) == {each for row in days for each in label(row, variable)}


@pytest.mark.parametrize("variable", [*DIMENSIONS, TAG])
def test_an_empty_store_offers_no_choices(engine: Engine, variable: str) -> None:
    assert engine.query(expand(VARIABLES[variable], Asked(*SHORT)), "empty") == []


def test_time_zones_can_be_chosen(engine: Engine) -> None:
    zones = {zone for (zone,) in engine.query(expand(VARIABLES[TIMEZONE], Asked(*SHORT)))}
    assert {"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Sao_Paulo"} <= zones


def test_a_range_within_a_quarter_hour_takes_in_that_quarter_hour(engine: Engine) -> None:
    told = world((SHORT[0] + timedelta(minutes=5), SHORT[0] + timedelta(minutes=9)))
    assert told.spend()
    compare(engine.query(expand(queries("cost-overview")[2], asked(engine, told))), [[len(told.spend())]])
