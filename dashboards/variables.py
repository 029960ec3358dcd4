"""What can be chosen at the top of boards."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from dashboards.clickhouse_target import SOURCE
from dashboards.sql.names import DIMENSIONS, TAG, TIMEZONE, escaped, named

CONSOLE: Final = "console"
CONSOLE_ADDRESS: Final = "http://127.0.0.1:4001"
_OF_THE_ORG: Final = "\n  AND $__conditionalAll(org IN (${org:singlequote}), $org)"


def _choices(variable: str) -> str:
    name = named(DIMENSIONS[variable])
    return f"""SELECT DISTINCT {escaped(name)} AS id, {name} AS label
FROM spend_days
WHERE day >= toDate($__fromTime, 'UTC') AND day <= toDate($__toTime, 'UTC'){"" if variable == "org" else _OF_THE_ORG}
ORDER BY label
LIMIT 1000"""  # names of our own columns only


_TAGS: Final = f"""SELECT DISTINCT {escaped("concat(tag, '=', value)")} AS id, concat(tag, '=', value) AS label
FROM tag_days
WHERE day >= toDate($__fromTime, 'UTC') AND day <= toDate($__toTime, 'UTC'){_OF_THE_ORG}
ORDER BY label
LIMIT 1000"""
_ZONES: Final = "SELECT time_zone FROM system.time_zones ORDER BY time_zone"

VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {**{variable: _choices(variable) for variable in DIMENSIONS}, TAG: _TAGS, TIMEZONE: _ZONES}
)
"""The query behind each variable: the value that is put into queries, then the text that is shown."""


def every_variable() -> list[dashboard.QueryVariable | dashboard.TextBoxVariable]:
    """The variables of a board, in the order they stand there."""
    return [*(_several(name) for name in DIMENSIONS), _tag(), _timezone(), _console()]


def _query(name: str, label: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(VARIABLES[name])
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.DISABLED)
    )


def _from_all(variable: dashboard.QueryVariable) -> dashboard.QueryVariable:
    every = models.VariableOption(selected=True, text="All", value="$__all")
    return variable.include_all(True).current(every)


def _several(name: str) -> dashboard.QueryVariable:
    return _from_all(_query(name, name.capitalize())).multi(True)


def _tag() -> dashboard.QueryVariable:
    # One at a time: a call with two tags would be counted by each.
    return _from_all(_query(TAG, "Tag")).multi(False)


def _timezone() -> dashboard.QueryVariable:
    utc = models.VariableOption(selected=True, text="UTC", value="UTC")
    variable = _query(TIMEZONE, "Days of").multi(False).include_all(False).current(utc)
    return variable.refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)


def _console() -> dashboard.TextBoxVariable:
    here = models.VariableOption(selected=True, text=CONSOLE_ADDRESS, value=CONSOLE_ADDRESS)
    variable = dashboard.TextBoxVariable(CONSOLE).label("Console").default_value(CONSOLE_ADDRESS).current(here)
    return variable.description("Where Flyball's console answers: calls, runs and decisions open there.")
