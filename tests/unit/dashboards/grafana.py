"""What Grafana 11.6 and its ClickHouse plugin 4 do to a query before ClickHouse sees it, in their order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

_ALL = "$__conditionalAll("


@dataclass(frozen=True)
class Asked:
    """What Grafana knows when it sends a query: the range, its interval, and the values chosen (nothing = all)."""

    start: datetime
    end: datetime
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    timezone: str = "UTC"
    interval_s: int = 3600


def expand(sql: str, asked: Asked) -> str:
    """The query as ClickHouse gets it."""
    sql = _for_the_server(_with_values(_without_what_is_all(sql, asked), asked), asked)
    assert "$__" not in sql, sql
    return sql


def _without_what_is_all(sql: str, asked: Asked) -> str:
    """The plugin's macro in the browser: the last first, brackets counted whatever they stand in."""
    while (begin := sql.rfind(_ALL)) >= 0:
        condition, variable, end = _arguments(sql, begin + len(_ALL))
        sql = sql[:begin] + (condition if asked.values.get(variable.strip().strip("${}")) else "1=1") + sql[end:]
    return sql


def _arguments(sql: str, at: int) -> tuple[str, str, int]:
    depth, comma = 1, 0
    for place in range(at, len(sql)):
        if sql[place] == "," and depth == 1:
            assert not comma, "the macro takes two arguments"
            comma = place
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0:
            return sql[at:comma], sql[comma + 1 : place], place + 1
    raise AssertionError(f"a bracket is open: {sql[at:]}")


def _with_values(sql: str, asked: Asked) -> str:
    """The variables, in one pass: what a value brings in is not looked at again. Names nobody knows are left."""
    values: Mapping[str, Sequence[str]] = {**asked.values, "timezone": [asked.timezone]}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            return match[0]
        assert match[3] == "singlequote", f"{match[0]} is put in without quotes"
        return ",".join("'" + each.replace("'", "\\'") + "'" for each in values[name])

    return re.sub(r"\$(\w+)|\$\{(\w+)(?::([^}]+))?\}", value, sql)


def _for_the_server(sql: str, asked: Asked) -> str:
    """The plugin's macros on the server."""
    start, end = f"toDateTime({int(asked.start.timestamp())})", f"toDateTime({int(asked.end.timestamp())})"
    sql = re.sub(r"\$__timeFilter\((.*?)\)", lambda found: f"{found[1]} >= {start} AND {found[1]} <= {end}", sql)
    sql = re.sub(
        r"\$__timeInterval\((.*?)\)",
        lambda found: f"toStartOfInterval(toDateTime({found[1]}), INTERVAL {asked.interval_s} second)",
        sql,
    )
    return re.sub(r"\$__fromTime\b", start, re.sub(r"\$__toTime\b", end, sql))
