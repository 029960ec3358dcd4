"""The trail of changes in the state file, until it is spooled like every other row."""

from collections.abc import Mapping, Sequence
from typing import Final

from proxy.admin.rooms import AuditLog, Change
from proxy.admin.tables import Tables

_LAST: Final = 2**63 - 1


class StateAuditLog:
    """Who changed what and when, in table `audit`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, change: Change) -> None:
        """Keep a change."""
        with self._tables.write() as connection:
            connection.execute(
                "INSERT INTO audit (at_ns, actor, role, action, subject, org, team, before, after)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(change.at_ns, change.actor, change.role, change.action, change.subject),
                    *(change.org, change.team, change.before, change.after),
                ),
            )

    def newest(
        self, *, before: int | None, org: str | None, team: str | None, filters: Mapping[str, str], limit: int
    ) -> Sequence[tuple[int, Change]]:
        """Changes with their numbers, newest first; `filters` are exact values of actor, action and subject."""
        actor, action, subject = (filters.get(name) for name in ("actor", "action", "subject"))
        with self._tables.read() as connection:
            rows = connection.execute(
                "SELECT number, at_ns, actor, role, action, subject, org, team, before, after FROM audit"
                " WHERE number < ? AND (?2 IS NULL OR org = ?2) AND (?3 IS NULL OR team = ?3)"
                " AND (?4 IS NULL OR actor = ?4) AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR subject = ?6)"
                " ORDER BY number DESC LIMIT ?7",
                (_LAST if before is None else before, org, team, actor, action, subject, limit),
            ).fetchall()
        return [(row[0], _change(row[1:])) for row in rows]


def _change(row: Sequence[object]) -> Change:
    names = ("at_ns", "actor", "role", "action", "subject", "org", "team", "before", "after")
    return Change(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]  # columns in the order of the fields


_: type[AuditLog] = StateAuditLog
