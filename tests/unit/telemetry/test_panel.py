"""Queries of panels become parameters whole, and what would get around the filters of rows is not asked."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from proxy.admin.console.boards.asked import read_asked
from proxy.admin.console.boards.shipped import Panel, boards
from proxy.core.refusal import Refusal, Refused
from proxy.telemetry.panel import PanelQuery, row_filters, select_panel

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTILE = "'; DROP TABLE operations; -- ${org:singlequote} $__fromTime"
PANELS = {
    f"{name}-{panel.number}": panel
    for name, board in boards().items()
    for section in board.sections
    for panel in section.panels
}
CHOICES = {f"{name}-{choice.name}": choice.sql for name, board in boards().items() for choice in board.choices}
_FUNCTION_AS_TABLE = re.compile(r"(?:\bFROM|(?<!ARRAY) JOIN)\s+\w+\s*\(", re.IGNORECASE)


def asked(sql: str, **changes: object) -> PanelQuery:
    values = {"sql": sql, "start": NOW - timedelta(days=7), "end": NOW, "interval_s": 3600}
    return PanelQuery(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("chosen", [{}, {name: [HOSTILE] for name in ("org", "team", "key", "tag")}])
def test_nothing_chosen_is_in_the_text_of_any_query(chosen: dict[str, list[str]]) -> None:
    for name, sql in {**{name: panel.sql for name, panel in PANELS.items()}, **CHOICES}.items():
        select = select_panel(asked(sql, chosen={"timezone": ["UTC"], **chosen}))
        assert "$__" not in select.sql and "DROP TABLE" not in select.sql, name
        assert not re.search(r"\$\{|\$(?:org|team|key|model|provider|agent|tag)\b", select.sql), name
        for word in re.findall(r"\{(\w+):", select.sql):
            assert word in select.parameters, (name, word)


@pytest.mark.parametrize("panel", PANELS.values(), ids=list(PANELS))
def test_no_panel_reads_what_filters_of_rows_do_not_reach(panel: Panel) -> None:
    """The store lays them over tables, not over functions such as merge() and remote()."""
    without_literals = re.sub(r"'(?:[^'\\]|\\.)*'", "''", panel.sql)
    assert not _FUNCTION_AS_TABLE.search(without_literals), panel.title


def test_conditions_stay_where_something_is_chosen() -> None:
    sql = (
        "SELECT 1 WHERE $__conditionalAll(a IN (${org:singlequote}) AND b != ')', $org) AND $__conditionalAll(0, $tag)"
    )
    kept = select_panel(asked(sql, chosen={"org": ["x", "y"]}))
    assert kept.sql == "SELECT 1 WHERE a IN {chosen_org:Array(String)} AND b != ')' AND 1 = 1"
    assert kept.parameters["chosen_org"] == ["x", "y"]
    assert select_panel(asked(sql)).sql == "SELECT 1 WHERE 1 = 1 AND 1 = 1"
    with pytest.raises(Refused, match="not closed"):
        select_panel(asked("SELECT $__conditionalAll(1"))
    with pytest.raises(Refused, match="only Grafana"):
        select_panel(asked("SELECT $__nosuch(1)"))


def test_the_stores_own_tables_are_for_who_sees_all_orgs() -> None:
    sql = "SELECT count() FROM system.parts WHERE table = 'system.x'"
    assert "system.parts" in select_panel(asked(sql)).sql
    with pytest.raises(Refused) as refused:
        select_panel(asked(sql, org="acme"))
    assert refused.value.why is Refusal.INVALID_REQUEST
    assert select_panel(asked("SELECT 'system.parts'", org="acme")).sql == "SELECT 'system.parts'"


def test_filters_show_the_rows_of_an_org_and_team_and_nothing_of_nobodys() -> None:
    tables = {"operations": frozenset({"org", "team"}), "orgs": frozenset({"org"}), "segments": frozenset({"name"})}
    assert row_filters(tables, "acme", None) == (
        r"{'operations': 'org = \'acme\'', 'orgs': 'org = \'acme\'', 'segments': '0'}"
    )
    told = row_filters(tables, "a'b\\", "t")
    assert told.startswith(r"{'operations': 'org = \'a\\\'b\\\\\' AND team = \'t\'', 'orgs': '0'")


def test_an_address_asks_for_a_range_and_says_what_it_could_not_read() -> None:
    board = boards()["cost-overview"]
    known = read_asked(board, {"range": "7d", "org": " acme ", "timezone": "Asia/Kathmandu"}, NOW)
    assert (known.range, known.end - known.start, known.chosen["org"], known.problem) == (
        "7d",
        timedelta(days=7),
        ("acme",),
        "",
    )
    assert known.interval_s(60) == 3 * 3600 and known.interval_s(86400) == 86400
    wrong = read_asked(board, {"range": "2y", "timezone": "Mars"}, NOW)
    assert (wrong.range, wrong.chosen["timezone"]) == ("24h", ("UTC",)) and "Mars" in wrong.problem
    custom = read_asked(board, {"since": "2026-11-01T00:00", "until": "2026-11-02T00:00"}, NOW)
    assert (custom.range, custom.query["since"]) == ("", "2026-11-01T00:00")
    backwards = read_asked(board, {"since": "2026-11-02T00:00", "until": "2026-11-01T00:00"}, NOW)
    assert backwards.range == "24h" and "must lie before" in backwards.problem
