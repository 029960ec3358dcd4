"""A connection that notes what changes the tables, so that other hosts can do the same."""

import sqlite3
from typing import Any, Final

from proxy.state.journal import Statement

_CHANGES: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class RecordingConnection(sqlite3.Connection):
    """Notes the statements that change something, while `written` is a list."""

    written: list[Statement] | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """As sqlite3.Connection.execute."""
        cursor = super().execute(sql, parameters)
        if self.written is not None and sql.lstrip()[:7].upper().startswith(_CHANGES):
            values = parameters if isinstance(parameters, dict) else tuple(parameters)
            self.written.append((sql, values))
        return cursor

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """As sqlite3.Connection.executemany, one by one."""
        for each in parameters:
            self.execute(sql, each)
        return self.cursor()
