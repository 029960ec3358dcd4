"""A panel of a board without Grafana: its query with the macros of Grafana's ClickHouse plugin made parameters.

What is chosen is never put into the text: variables become server-side parameters. Who is bound to an org or team gets
its rows only, by filters that the store itself lays over every table of ours that the query reads.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from proxy.core.refusal import Refusal, Refused
from proxy.telemetry.spend import Select

MOST_ROWS: Final = 10_000
_FROM, _TO = "toDateTime({panel_from:UInt32})", "toDateTime({panel_to:UInt32})"
_INTERVAL: Final = re.compile(r"\$__timeInterval\(([\w.]+)\)")
_FILTER: Final = re.compile(r"\$__timeFilter\(([\w.]+)\)")
_CONDITIONAL: Final = "$__conditionalAll("
_LIST: Final = re.compile(r"\(\$\{(\w+):singlequote\}\)")
_ONE: Final = re.compile(r"\$\{(\w+):singlequote\}")
_FOREIGN: Final = re.compile(r"\b(?:system|information_schema)\s*\.", re.IGNORECASE)
_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelQuery:
    """One query of a board over a range of time, as one of its panels shows it.

    `sql` is ours, with the macros and variables of Grafana; `chosen` are the values of variables, none of one is all of
    them; `interval_s` is how long a bar or a point stands for. None as org or team is all.
    """

    sql: str
    start: datetime
    end: datetime
    interval_s: int
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    org: str | None = None
    team: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelRows:
    """The answer: names of columns, the store's types of them, and the rows."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def select_panel(asked: PanelQuery) -> Select:
    """The query as the store takes it.

    Raises:
        Refused: it cannot be asked here: a macro that is none of ours, or the store's own tables by who is bound.
    """
    parameters: dict[str, Any] = {
        "panel_from": int(asked.start.timestamp()),
        "panel_to": int(asked.end.timestamp()),
        "panel_interval": asked.interval_s,
    }
    sql = _conditions(asked.sql, asked.chosen)
    sql = _INTERVAL.sub(r"toStartOfInterval(toDateTime(\1), toIntervalSecond({panel_interval:UInt32}))", sql)
    sql = _FILTER.sub(rf"(\1 >= {_FROM} AND \1 <= {_TO})", sql)
    sql = sql.replace("$__fromTime", _FROM).replace("$__toTime", _TO)
    for pattern, kind in ((_LIST, "Array(String)"), (_ONE, "String")):
        for name in set(pattern.findall(sql)):
            values = list(asked.chosen.get(name, ()))
            parameters[f"chosen_{name}"] = values if kind != "String" else "".join(values[:1])
        sql = pattern.sub(lambda match, kind=kind: f"{{chosen_{match[1]}:{kind}}}", sql)  # type: ignore[misc]
    bare = _LITERAL.sub("''", sql)
    if "$" in bare:
        raise Refused(Refusal.INVALID_REQUEST, "this panel uses a macro that only Grafana knows; open the board there")
    if asked.org is not None and _FOREIGN.search(bare):
        raise Refused(Refusal.INVALID_REQUEST, "this panel is about the whole store, and shown to who sees all orgs")
    return Select(sql=sql, parameters=parameters)


def row_filters(tables: Mapping[str, frozenset[str]], org: str, team: str | None) -> str:
    """The setting that shows only an org's (and team's) rows of these tables, which are given with their columns.

    What does not say whose its rows are is shown to nobody who is bound.
    """
    wanted = {"org": org} | ({} if team is None else {"team": team})
    filters = []
    for table, columns in tables.items():
        terms = [f"{name} = {_text(value)}" for name, value in wanted.items()]
        condition = " AND ".join(terms) if wanted.keys() <= columns else "0"
        filters.append(f"{_text(table)}: {_text(condition)}")
    return "{" + ", ".join(filters) + "}"


def _text(value: str) -> str:
    """A literal of ClickHouse's, for a setting, which takes no parameters."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _conditions(sql: str, chosen: Mapping[str, Sequence[str]]) -> str:
    """Keep the conditions whose variable has a value, and make the others true."""
    parts = []
    while (at := sql.find(_CONDITIONAL)) >= 0:
        start = at + len(_CONDITIONAL)
        end = _closing(sql, start)
        condition, _, variable = sql[start:end].rpartition(",")
        kept = chosen.get(variable.strip().removeprefix("$"))
        parts.append(sql[:at] + (condition if kept else "1 = 1"))
        sql = sql[end + 1 :]
    return "".join([*parts, sql])


def _closing(sql: str, at: int) -> int:
    """Where the bracket closes that is open at this place; brackets in literals are none."""
    depth = 1
    while depth:
        if at >= len(sql):
            raise Refused(Refusal.INVALID_REQUEST, "this panel has a macro that is not closed")
        literal = _LITERAL.match(sql, at)
        if literal is not None:
            at = literal.end()
            continue
        depth += (sql[at] == "(") - (sql[at] == ")")
        at += 1
    return at - 1
