"""The board "Teams and keys": who pays for what, ready to be charged back."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.board import AnyPanel, Section, board
from dashboards.panels import QUARTER_HOUR, SHARE, USD, Column, bars, moment, stat_of, table_of, text, usd
from dashboards.sql.calls import calls
from dashboards.sql.names import named
from dashboards.sql.query import KEY, MOST_ROWS, TEAM, TOKEN_COLUMNS, TOKENS, number, rows_of
from dashboards.sql.spend import spend, spend_by, spend_by_center

_WHO: Final = ("org", "team", "key_name")
_CSV: Final = "As CSV: the panel's menu, Inspect, Data. The sums are exact to the nano-dollar."


def teams_keys() -> Dashboard:
    """The whole board."""
    return board(
        "teams-keys",
        "teams and keys",
        [
            Section(100, "In this range", _headline()),
            Section(101, "Charged back", [_chargeback(), _centers()]),
            Section(102, "Over time", [
                bars(6, "Spend by org", spend_by("org", "org_name", "org"), USD, every=QUARTER_HOUR),
                bars(7, "Spend by team", spend_by(TEAM, "team_name", "org", "team"), USD, every=QUARTER_HOUR),
            ]),
            Section(103, "Keys", [_keys(), _refused()]),
        ],
        since="now-30d",
    )  # fmt: skip


def _headline() -> list[AnyPanel]:
    centerless = number("sumIf(cost_usd, cost_center = '') AS spend", spend_by_center("cost_center", "cost_usd"))
    return [
        stat_of(1, "Teams", number("uniqExact(org, team) AS teams", spend("org", "team")), span=6),
        stat_of(2, "Keys", number("uniqExact(org, team, key_name) AS keys", spend(*_WHO)), span=6),
        stat_of(3, "Spend", number("sum(cost_usd) AS spend", spend("cost_usd")), USD, span=6),
        stat_of(4, "Spend of no cost center", centerless, USD, span=6),
    ]


def _chargeback() -> AnyPanel:
    query = rows_of(
        f"""SELECT org, {named("team")} AS team_name, {named("cost_center")} AS center, sum(calls) AS total,
  {TOKENS} AS tokens, sum(list_usd) AS listed, sum(cost_usd) AS spend, sum(unpriced) AS no_price,
  if(sum(sum(cost_usd)) OVER () = 0, NULL, toFloat64(spend) / toFloat64(sum(sum(cost_usd)) OVER ())) AS share
{spend_by_center("org", "team", "cost_center", "calls", "list_usd", "cost_usd", "unpriced", *TOKEN_COLUMNS)}
GROUP BY org, team_name, center
ORDER BY spend DESC, org, team_name, center
LIMIT 1000"""
    )
    columns = {
        "org": text("Org"), "team_name": text("Team"), "center": text("Cost center"), "total": Column("Calls"),
        "tokens": Column("Tokens"), "listed": usd("At list prices"), "spend": usd("Spend"),
        "no_price": Column("Unpriced"), "share": Column("Share", SHARE),
    }  # fmt: skip
    return table_of(5, "Chargeback", query, columns, about=_CSV)


def _centers() -> AnyPanel:
    query = rows_of(
        f"""SELECT {named("cost_center")} AS center, uniqExact(org, team) AS teams, sum(calls) AS total,
  sum(cost_usd) AS spend
{spend_by_center("org", "team", "cost_center", "calls", "cost_usd")}
GROUP BY center
ORDER BY spend DESC, center
LIMIT {MOST_ROWS}"""
    )
    columns = {"center": text("Cost center"), "teams": Column("Teams"), "total": Column("Calls"), "spend": usd("Spend")}
    return table_of(8, "Cost centers", query, columns, about=_CSV)


def _keys() -> AnyPanel:
    query = rows_of(
        f"""SELECT {KEY} AS key_path, uniqExactIf(agent, agent != '') AS agents,
  uniqExactIf(model, model != '') AS models, sum(calls) AS total,
  sumIf(calls, outcome = 'refused') AS refused, sum(cost_usd) AS spend, max(at) AS last_at
{spend(*_WHO, "agent", "model", "outcome", "calls", "cost_usd")}
GROUP BY key_path
ORDER BY spend DESC, key_path
LIMIT 200"""
    )
    columns = {
        "key_path": text("Key"), "agents": Column("Agents"), "models": Column("Models"), "total": Column("Calls"),
        "refused": Column("Refused"), "spend": usd("Spend"), "last_at": moment("Last used"),
    }  # fmt: skip
    return table_of(9, "Keys", query, columns, about="Last used: to the quarter-hour, in longer ranges to the day.")


def _refused() -> AnyPanel:
    query = rows_of(
        f"""SELECT {KEY} AS key_path, code AS refusal, {named("refused_by")} AS refuser, sum(calls) AS total
{calls(*_WHO, "code", "refused_by", "outcome", "calls")}
WHERE outcome = 'refused'
GROUP BY key_path, refusal, refuser
ORDER BY total DESC, key_path, refusal, refuser
LIMIT {MOST_ROWS}"""
    )
    columns = {"key_path": text("Key"), "refusal": text("Code"), "refuser": text("By"), "total": Column("Calls")}
    return table_of(10, "Who is refused", query, columns)
