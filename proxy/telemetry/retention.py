"""How long the rows of each table stay, as its DDL says it."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS \{database\}\.(\w+)")
_TTL: Final = re.compile(r"^TTL (.+) \+ INTERVAL \{(\w+)\} DAY$", re.MULTILINE)


class Retained(NamedTuple):
    """A table whose rows drop, the time they are counted from, and the setting that says after how many days."""

    table: str
    time: str
    setting: str

    def ttl(self, days: int) -> str:
        """The expression as ClickHouse writes it."""
        return f"{self.time} + toIntervalDay({days})"


def retained(scripts: Iterable[str]) -> Iterator[Retained]:
    """Every table that these SQL scripts make with a TTL."""
    for script in scripts:
        for statement in script.split(";\n"):
            table, ttl = _TABLE.search(statement), _TTL.search(statement)
            if table and ttl:
                yield Retained(table[1], ttl[1], ttl[2])
