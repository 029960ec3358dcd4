"""The board "Policy": what was decided, what was denied, and what rules that are tried would change."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import SHARE, Column, bars, decision, lines, moment, operation, stat_of, table_of, text
from dashboards.sql.calls import BINS_ABOUT, BUCKET, by_bin, quantile, quantiles
from dashboards.sql.decisions import RAW_DECISIONS, decisions
from dashboards.sql.names import named
from dashboards.sql.query import KEY, MOST_ROWS, number, rows_of, series_of

_MICROS: Final = "µs"
_NO: Final = "NOT shadow AND NOT allow AND NOT observed"
_COUNTED: Final = ("shadow", "allow", "observed", "decisions")


def policy() -> Dashboard:
    """The whole board."""
    return board(
        "policy",
        "policy",
        [
            Section(100, "In this range", _headline()),
            Section(101, "What was decided", [_by_point(), _by_code(), _denials(), _latest(), _tools()]),
            Section(102, "What is only tried", [_tried_over_time(), _tried()]),
            Section(103, "The engine", [_time_taken(), _revisions()]),
        ],
    )


def _headline() -> list[AnyPanel]:
    counted = decisions(*_COUNTED)
    live = "sumIf(decisions, NOT shadow)"
    share = f"if({live} = 0, NULL, sumIf(decisions, {_NO}) / {live}) AS share"
    parked = "sumIf(for_approval, NOT shadow) AS total"
    watched = "sumIf(decisions, NOT shadow AND observed) AS total"
    return [
        stat_of(1, "Decisions", number("sumIf(decisions, NOT shadow) AS total", counted)),
        stat_of(2, "Denied", number(f"sumIf(decisions, {_NO}) AS total", counted)),
        stat_of(3, "Share denied", number(share, counted), SHARE, decimals=2),
        stat_of(4, "Observed only", number(watched, counted), about="Denied where denials are only observed."),
        stat_of(5, "Obliged", number("sumIf(obliged, NOT shadow) AS total", decisions("shadow", "obliged")),
            about="Decisions with obligations: capped, downgraded, redacted and the like."),
        stat_of(6, "For a person", number(parked, decisions("shadow", "for_approval"))),
        stat_of(7, "Tried rules differ", number("sumIf(decisions, shadow AND differs) AS total",
            decisions("shadow", "differs", "decisions"))),
        stat_of(8, "Time taken, p95", number(f"{quantile(0.95, 'latency_us_bins')} AS at_level",
            decisions("latency_us_bins")), _MICROS, decimals=0, about=BINS_ABOUT),
    ]  # fmt: skip


def _by_point() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, point AS at_point, sum(decisions) AS total
{decisions("shadow", "point", "decisions")}
WHERE NOT shadow
GROUP BY time, at_point
ORDER BY time, at_point"""
    )
    return bars(9, "Decisions by point", query)


def _by_code() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, code AS denial, sum(decisions) AS total
{decisions(*_COUNTED, "code")}
WHERE {_NO}
GROUP BY time, denial
ORDER BY time, denial"""
    )
    return bars(10, "Denials by rule", query)


def _denials() -> AnyPanel:
    query = rows_of(
        f"""SELECT code AS denial, point AS at_point, {KEY} AS key_path, {named("agent")} AS agent_name,
  sum(decisions) AS total
{decisions("org", "team", "key_name", "agent", "point", "code", *_COUNTED)}
WHERE {_NO}
GROUP BY denial, at_point, key_path, agent_name
ORDER BY total DESC, denial, at_point, key_path, agent_name
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "denial": text("Rule"), "at_point": text("Point"), "key_path": text("Key"), "agent_name": text("Agent"),
        "total": Column("Denials"),
    }  # fmt: skip
    return table_of(11, "Who is denied what", query, columns, span=12)


def _latest() -> AnyPanel:
    query = rows_of(
        f"""SELECT decided_at AS at, decision_id AS decision, operation_id AS operation, {KEY} AS key_path,
  code AS denial, message AS told
{RAW_DECISIONS}
  AND {_NO}
ORDER BY at DESC, decision
LIMIT 20"""
    )
    columns = {
        "at": moment("At"), "decision": decision(), "operation": operation(), "key_path": text("Key"),
        "denial": text("Rule"), "told": text("Told"),
    }  # fmt: skip
    return table_of(12, "Latest denials", query, columns, span=12)


def _tools() -> AnyPanel:
    query = rows_of(
        f"""SELECT tool AS called, sum(decisions) AS total, sumIf(decisions, {_NO}) AS denied
{decisions("tool", *_COUNTED)}
WHERE NOT shadow AND called != ''
GROUP BY called
ORDER BY denied DESC, total DESC, called
LIMIT {MOST_ROWS}"""
    )
    return table_of(
        13, "Tools", query, {"called": text("Tool"), "total": Column("Calls"), "denied": Column("Denied")}, span=24
    )


def _tried_over_time() -> AnyPanel:
    query = series_of(
        f"""SELECT {BUCKET} AS time, if(code = '', 'would allow', code) AS verdict, sum(decisions) AS total
{decisions("shadow", "differs", "code", "decisions")}
WHERE shadow AND differs
GROUP BY time, verdict
ORDER BY time, verdict"""
    )
    return bars(14, "Where tried rules differ", query)


def _tried() -> AnyPanel:
    query = rows_of(
        f"""SELECT revision AS of_revision, point AS at_point, sum(decisions) AS total,
  sumIf(decisions, differs) AS different, sumIf(decisions, differs AND NOT allow) AS stricter,
  different / total AS share
{decisions("shadow", "differs", "allow", "revision", "point", "decisions")}
WHERE shadow
GROUP BY of_revision, at_point
ORDER BY different DESC, of_revision, at_point
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "of_revision": text("Revision"), "at_point": text("Point"), "total": Column("Tried"),
        "different": Column("Different"), "stricter": Column("Would deny"), "share": Column("Share", SHARE),
    }  # fmt: skip
    return table_of(15, "Tried rules", query, columns, span=12)


def _time_taken() -> AnyPanel:
    query = series_of(
        f"""WITH {quantiles(0.5, 0.95)} AS q
SELECT {BUCKET} AS time, q[1] AS p50, q[2] AS p95
{decisions("latency_us_bins")}
{by_bin("latency_us_bins")}
GROUP BY time
ORDER BY time"""
    )
    return lines(16, "Time taken: p50, p95", query, _MICROS, about=BINS_ABOUT)


def _revisions() -> AnyPanel:
    query = rows_of(
        f"""SELECT revision AS of_revision, engine AS by_engine, sum(decisions) AS total,
  sumIf(decisions, {_NO}) AS denied, min(at) AS since, max(at) AS until
{decisions("revision", "engine", *_COUNTED)}
WHERE NOT shadow
GROUP BY of_revision, by_engine
ORDER BY until DESC, of_revision, by_engine
LIMIT {MOST_ROWS}"""
    )
    columns = {
        "of_revision": text("Revision"), "by_engine": text("Engine"), "total": Column("Decisions"),
        "denied": Column("Denied"), "since": moment("First"), "until": moment("Last"),
    }  # fmt: skip
    return table_of(17, "Revisions that decided", query, columns, span=12, about="To the day in longer ranges.")
