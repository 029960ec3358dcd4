"""Negotiated adjustments: plain signed lines for an org, a team of it or a cost center, in one month."""

from contextlib import closing
from sqlite3 import Connection
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from proxy.billing.faults import BillingError
from proxy.billing.period import Period
from proxy.billing.schema import ROOM, STEPS
from proxy.core.clock import Clock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.state import StateFile, migrate

Kind: TypeAlias = Literal["credit", "discount", "commitment", "other"]
MOST: Final = 10**18
"""A billion dollars, either way: an amount beyond that is a mistake."""
_COLUMNS: Final = "id, org, team, cost_center, period, kind, amount, note, made_by, made_ns"


class Adjustment(NamedTuple):
    """One line: `amount` below 0 is for the team's good. Team "" is the org as a whole."""

    id: str
    org: str
    team: str
    cost_center: str
    period: str
    kind: str
    amount: Nano
    note: str
    made_by: str
    made_ns: int


class Adjustments:
    """The lines that people agreed on, in the state file. A line of a closed period stays as it is. Methods block."""

    def __init__(self, state: StateFile, *, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def add(
        self,
        *,
        org: str,
        period: Period,
        kind: Kind,
        amount: Nano,
        by: str,
        team: str = "",
        cost_center: str = "",
        note: str = "",
    ) -> Adjustment:
        """Keep a new line.

        Raises:
            BillingError: the period is closed, or the amount is nothing or beyond all measure.
        """
        if not amount or abs(amount) > MOST:
            raise BillingError("invalid", "an adjustment is an amount of dollars, not zero, below a billion")
        made = Adjustment(
            *(new_id("adj"), org, team, cost_center, str(period), kind, amount, note, by, self._clock.now_ns())
        )
        with self._state.change(reloads=False) as connection:
            _require_open(connection, org, made.period)
            connection.execute(
                f"INSERT INTO billing_adjustments ({_COLUMNS}) VALUES ({', '.join('?' * len(made))})",  # noqa: S608 - constants
                made,
            )
        return made

    def remove(self, line: str) -> Adjustment:
        """Take a line back, as long as its period is open.

        Raises:
            BillingError: there is none, or its period is closed.
        """
        with self._state.change(reloads=False) as connection:
            found = _found(connection, line)
            _require_open(connection, found.org, found.period)
            connection.execute("DELETE FROM billing_adjustments WHERE id = ?", (line,))
        return found

    def get(self, line: str) -> Adjustment:
        """One line.

        Raises:
            BillingError: there is none.
        """
        with self._state.read() as connection:
            return _found(connection, line)

    def list(self, *, org: str | None = None, team: str | None = None, period: str | None = None) -> list[Adjustment]:
        """Lines in the order they were made; None is all."""
        with self._state.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM billing_adjustments"  # noqa: S608 - constants
                " WHERE (?1 IS NULL OR org = ?1) AND (?2 IS NULL OR team = ?2) AND (?3 IS NULL OR period = ?3)"
                " ORDER BY id",
                (org, team, period),
            ).fetchall()
        return [_line(row) for row in rows]


def _require_open(connection: Connection, org: str, period: str) -> None:
    closed = connection.execute("SELECT 1 FROM closed_periods WHERE org = ? AND period >= ?", (org, period)).fetchone()
    if closed is not None:
        raise BillingError("closed", f"{period} of {org} is closed; say it in an open period")


def _found(connection: Connection, line: str) -> Adjustment:
    row = connection.execute(f"SELECT {_COLUMNS} FROM billing_adjustments WHERE id = ?", (line,)).fetchone()  # noqa: S608 - constants
    if row is None:
        raise BillingError("missing", f"there is no adjustment {line}")
    return _line(row)


def _line(row: tuple[Any, ...]) -> Adjustment:
    return Adjustment(*row)
