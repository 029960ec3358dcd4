"""Statements in the state file: made once, never changed. Where hosts share the state, they share these as well."""

from collections.abc import Sequence
from contextlib import closing
from sqlite3 import Connection
from typing import Final, NamedTuple

import msgspec

from proxy.billing.faults import BillingError
from proxy.billing.period import Period
from proxy.billing.schema import ROOM, STEPS
from proxy.billing.statement import Statement
from proxy.state import StateFile, migrate

_decode: Final = msgspec.json.Decoder(Statement).decode
_encode: Final = msgspec.json.Encoder().encode


class Standing(NamedTuple):
    """How far an org is closed: its periods with their time zones, oldest first, and how many statements it has."""

    closed: tuple[tuple[Period, str], ...]
    statements: int

    @property
    def timezone(self) -> str | None:
        """The zone that its periods are cut by; None while none is closed."""
        return self.closed[-1][1] if self.closed else None

    def require_next(self, org: str, period: Period) -> None:
        """See that a period is the one to close now: the one after the last; where none is closed, any.

        Raises:
            BillingError: it is not.
        """
        if not self.closed:
            return
        last = self.closed[-1][0]
        if any(each == period for each, _ in self.closed):
            raise BillingError("closed", f"{period} of {org} is closed; what became known since goes into {last.next}")
        if period != last.next:
            raise BillingError("order", f"{last} is the last month of {org} that is closed, so {last.next} comes next")


class Statements:
    """All statements there are. Its methods block."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def standing(self, org: str) -> Standing:
        """How far an org is closed."""
        with self._state.read() as connection:
            return _standing(connection, org)

    def close(
        self, org: str, period: Period, timezone: str, statements: Sequence[Statement], *, by: str, at_ns: int
    ) -> None:
        """Close a period with its statements, all in one; they are numbered from the org's next number on.

        Raises:
            BillingError: it is not its turn, or another period was closed since the statements were worked out.
        """
        with self._state.change(reloads=False) as connection:
            standing = _standing(connection, org)
            standing.require_next(org, period)
            first = standing.statements + 1
            if [each.number for each in statements] != list(range(first, first + len(statements))):
                raise BillingError("raced", f"another month of {org} was closed at the same moment; try again")
            connection.execute(
                "INSERT INTO closed_periods (org, period, timezone, closed_by, closed_ns) VALUES (?, ?, ?, ?, ?)",
                (org, str(period), timezone, by, at_ns),
            )
            for each in statements:
                connection.execute(
                    "INSERT INTO statements (org, number, team, period, content, hash) VALUES (?, ?, ?, ?, ?, ?)",
                    (org, each.number, each.team, each.period, _encode(each).decode(), each.hash),
                )

    def get(self, org: str, number: int) -> Statement | None:
        """One statement; None when there is none of that number."""
        with self._state.read() as connection:
            row = connection.execute(
                "SELECT content FROM statements WHERE org = ? AND number = ?", (org, number)
            ).fetchone()
        return None if row is None else _decode(row[0])

    def list(
        self, *, org: str | None = None, team: str | None = None, period: str | None = None, limit: int = 1_000_000
    ) -> list[Statement]:
        """Statements, the newest period first, within it by org and number; None is all."""
        with self._state.read() as connection:
            rows = connection.execute(
                "SELECT content FROM statements WHERE (?1 IS NULL OR org = ?1) AND (?2 IS NULL OR team = ?2)"
                " AND (?3 IS NULL OR period = ?3) ORDER BY period DESC, org, number LIMIT ?4",
                (org, team, period, limit),
            ).fetchall()
        return [_decode(row[0]) for row in rows]


def _standing(connection: Connection, org: str) -> Standing:
    closed = connection.execute("SELECT period, timezone FROM closed_periods WHERE org = ? ORDER BY period", (org,))
    found = tuple((Period.of(period), timezone) for period, timezone in closed.fetchall())
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM statements WHERE org = ?", (org,)).fetchone()
    return Standing(found, number)
