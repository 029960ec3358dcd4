"""The dimensions that boards filter by, and how their names are written into queries.

A name that is empty is shown as "(none)", because the plugin reads an empty selection as "all". Values of variables
come with backslashes and dollar signs escaped as ClickHouse's literals do: Grafana's `singlequote` format escapes
quotes only, and the plugin would expand a macro that stands in a name.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

NAMELESS: Final = "(none)"
TAG: Final = "tag"
TIMEZONE: Final = "timezone"
ZONE: Final = "${timezone:singlequote}"

# The name of each variable and the column it filters.
DIMENSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"org": "org", "team": "team", "key": "key_name", "model": "model", "provider": "provider", "agent": "agent"}
)


def named(column: str) -> str:
    """The column as people see it: what is empty has a name. An org is never empty."""
    return column if column.removeprefix("r.") == "org" else f"if({column} = '', '{NAMELESS}', {column})"


def is_all(variable: str) -> str:
    """True where nothing is chosen: the plugin puts 1=1 for the macro then, and what stands in it otherwise."""
    return f"$__conditionalAll(0, ${variable})"


def chosen(variables: Iterable[str]) -> list[str]:
    """A condition for each variable on the column it filters, of the table `r`; true where all are chosen."""
    return [
        f"$__conditionalAll({named(f'r.{DIMENSIONS[one]}')} IN (${{{one}:singlequote}}), ${one})" for one in variables
    ]


_PAIRS: Final = "arrayMap((name, value) -> concat(name, '=', value), mapKeys(r.tags), mapValues(r.tags))"
_HAS_TAG: Final = f"hasAny({_PAIRS}, [${{{TAG}:singlequote}}])"
TAGGED: Final = f"$__conditionalAll({_HAS_TAG}, ${TAG})"
"""A condition on operations; true where all tags are chosen."""


def of_calls(*variables: str) -> dict[str, str]:
    """The conditions on rows that know nothing of these variables but their call, which was made up to a day before."""
    told = {TAG: _HAS_TAG, "agent": f"{named('r.agent')} IN (${{agent:singlequote}})"}
    return {one: f"$__conditionalAll(r.operation_id IN ({_CALLS_THAT.format(told[one])}), ${one})" for one in variables}


_CALLS_THAT: Final = (
    "SELECT r.operation_id FROM operations AS r"
    " WHERE r.charged_at > $__fromTime - INTERVAL 1 DAY AND r.charged_at <= $__toTime AND {0}"
)


def escaped(expression: str) -> str:
    """The value that a variable puts into queries for what the expression shows."""
    return rf"replaceAll(replaceAll({expression}, '\\', '\\\\'), '$', '\\x24')"
