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


def tagged(tags: str) -> str:
    """A condition on a column of tags, which is a map; true where all are chosen."""
    pairs = f"arrayMap((name, value) -> concat(name, '=', value), mapKeys({tags}), mapValues({tags}))"
    return f"$__conditionalAll(hasAny({pairs}, [${{{TAG}:singlequote}}]), ${TAG})"


def escaped(expression: str) -> str:
    """The value that a variable puts into queries for what the expression shows."""
    return rf"replaceAll(replaceAll({expression}, '\\', '\\\\'), '$', '\\x24')"
