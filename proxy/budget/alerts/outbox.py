"""Alerts in the state file: what was raised, who is still to be told, and what has been alerted already."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from proxy.budget.alert_schema import STEPS
from proxy.budget.alerts.alert import Alert, Claim
from proxy.budget.ledger import LineKind, Unit
from proxy.core.money import Nano
from proxy.state import StateFile, migrate

DeliveryState: TypeAlias = Literal["pending", "sent", "failed"]
AlertState: TypeAlias = Literal["pending", "sent", "failed", "untold"]

_COLUMNS: Final = (
    "id, at_ns, kind, subject, budget, org, scope, window, resets_ns, unit, fraction, limit_was, spent, held, overrun, "
    "hard, message, operation"
)
_PUT: Final = f"""INSERT OR IGNORE INTO alerts ({_COLUMNS}, team)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""  # noqa: S608 - a constant
# What is claimed anew has lapsed, or is an overrun that has doubled.
_CLAIM: Final = """INSERT INTO alert_claims (claim, amount, until_ns) VALUES (?1, ?2, ?3)
    ON CONFLICT (claim) DO UPDATE SET amount = excluded.amount, until_ns = excluded.until_ns
    WHERE alert_claims.until_ns <= ?4 OR (alert_claims.amount > 0 AND excluded.amount >= 2 * alert_claims.amount)
    RETURNING 1"""
_DELIVER: Final = "INSERT OR IGNORE INTO alert_deliveries (alert, receiver, state, next_ns) VALUES (?, ?, 'pending', ?)"
_DUE: Final = f"""SELECT d.attempts, {", ".join(f"a.{name}" for name in _COLUMNS.split(", "))}
    FROM alert_deliveries AS d JOIN alerts AS a ON a.id = d.alert
    WHERE d.receiver = ? AND d.state = 'pending' AND d.next_ns <= ? ORDER BY d.next_ns LIMIT ?"""  # noqa: S608 - a constant
_TOLD: Final = """UPDATE alert_deliveries SET state = ?, attempts = ?, next_ns = ?, status = ?, error = ?
    WHERE alert = ? AND receiver = ?"""
_STATE: Final = """CASE WHEN EXISTS (SELECT 1 FROM alert_deliveries AS d WHERE d.alert = a.id AND d.state = 'pending') THEN 'pending'
    WHEN EXISTS (SELECT 1 FROM alert_deliveries AS d WHERE d.alert = a.id AND d.state = 'failed') THEN 'failed'
    WHEN EXISTS (SELECT 1 FROM alert_deliveries AS d WHERE d.alert = a.id) THEN 'sent' ELSE 'untold' END"""  # noqa: E501
_LIST: Final = f"""SELECT number, {_COLUMNS} FROM alerts AS a
    WHERE number < ?1 AND (?2 IS NULL OR org = ?2) AND (?3 IS NULL OR team = ?3) AND (?4 IS NULL OR budget = ?4)
    AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR ({_STATE}) = ?6) AND at_ns >= ?7 AND at_ns < ?8
    ORDER BY number DESC LIMIT ?9"""  # noqa: S608 - a constant
_LAST: Final = (1 << 63) - 1
_LONGEST_ERROR: Final = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """How far one receiver has been told of one alert; `next_ns` is when it is tried again."""

    receiver: str
    state: DeliveryState
    attempts: int
    next_ns: int
    status: int | None
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """An alert with its number in the order of raising, and its deliveries."""

    number: int
    alert: Alert
    deliveries: tuple[Delivery, ...]

    @property
    def state(self) -> AlertState:
        """Whether all have been told; `untold` where nobody was to be."""
        states = {each.state for each in self.deliveries}
        return "pending" if "pending" in states else "failed" if "failed" in states else "sent" if states else "untold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """An alert that a receiver is to be told of now, and how often that was tried."""

    alert: Alert
    attempts: int


@dataclass(kw_only=True, slots=True)
class OutboxFigures:
    """What was done in this process, for the metrics: alerts by kind, deliveries dropped before they were sent."""

    raised: dict[str, int] = field(default_factory=dict)
    dropped: int = 0


class Outbox:
    """The tables of alerts. Its methods block: for threads. Where hosts share the state, they share these as well."""

    def __init__(self, state: StateFile, *, kept: int = 10_000) -> None:
        self._state = state
        self.kept = kept
        self.figures = OutboxFigures()
        connection = state.connect()
        try:
            migrate(connection, "alerts", STEPS)
        finally:
            connection.close()

    def put(self, found: Sequence[tuple[Alert, Claim, Sequence[str]]], now_ns: int) -> list[Alert]:
        """Raise those alerts whose claims are free, each to be told to the receivers named; the ones raised.

        Claims and alerts are written in one transaction: once each, over processes, restarts and hosts.
        """
        raised = []
        with self._state.change(reloads=False) as connection:
            for alert, claim, receivers in found:
                values = (claim.key, claim.amount, claim.until_ns, now_ns)
                if connection.execute(_CLAIM, values).fetchone() is None:
                    continue
                connection.execute(_PUT, _row(alert))
                for receiver in receivers:
                    connection.execute(_DELIVER, (alert.id, receiver, now_ns))
                raised.append(alert)
            if raised:
                self._prune(connection, now_ns)
        for alert in raised:
            self.figures.raised[alert.kind] = self.figures.raised.get(alert.kind, 0) + 1
        return raised

    def claims(self, keys: Sequence[str]) -> dict[str, Claim]:
        """Which of these claims are held."""
        held = {}
        with self._state.read() as connection:
            for key in keys:
                row = connection.execute("SELECT amount, until_ns FROM alert_claims WHERE claim = ?", (key,)).fetchone()
                if row is not None:
                    held[key] = Claim(key=key, amount=row[0], until_ns=row[1])
        return held

    def due(self, receiver: str, now_ns: int, most: int) -> list[Due]:
        """What a receiver is to be told now, what has waited longest first."""
        with self._state.read() as connection:
            rows = connection.execute(_DUE, (receiver, now_ns, most)).fetchall()
        return [Due(attempts=row[0], alert=_alert(row[1:])) for row in rows]

    def told(self, alert: str, delivery: Delivery) -> None:
        """Note how telling a receiver of an alert went."""
        with self._state.change(reloads=False) as connection:
            outcome = (delivery.state, delivery.attempts, delivery.next_ns, delivery.status)
            connection.execute(_TOLD, (*outcome, delivery.error[:_LONGEST_ERROR], alert, delivery.receiver))

    def pending(self) -> dict[str, int]:
        """How many alerts wait to be told, by receiver."""
        with self._state.read() as connection:
            return dict(
                connection.execute(
                    "SELECT receiver, count(*) FROM alert_deliveries WHERE state = 'pending' GROUP BY receiver"
                )
            )

    def give_up(self, living: Sequence[str]) -> int:
        """Fail what waits for receivers that are there no more; how many that were."""
        gone = [name for name in self.pending() if name not in living]
        if not gone:
            return 0
        with self._state.change(reloads=False) as connection:
            return sum(
                connection.execute(
                    "UPDATE alert_deliveries SET state = 'failed', error = 'this receiver is there no more'"
                    " WHERE state = 'pending' AND receiver = ?",
                    (name,),
                ).rowcount
                for name in gone
            )

    def newest(
        self,
        *,
        limit: int,
        before: int | None = None,
        org: str | None = None,
        team: str | None = None,
        budget: str | None = None,
        kind: str | None = None,
        state: AlertState | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> list[Kept]:
        """Alerts, the last raised first, from the one before number `before`; None is all."""
        asked = (_LAST if before is None else before, org, team, budget, kind, state, since_ns or 0)
        with self._state.read() as connection:
            rows = connection.execute(_LIST, (*asked, _LAST if until_ns is None else until_ns, limit)).fetchall()
            told = {row[1]: _deliveries(connection, row[1]) for row in rows}
        return [Kept(number=row[0], alert=_alert(row[1:]), deliveries=told[row[1]]) for row in rows]

    def _prune(self, connection: sqlite3.Connection, now_ns: int) -> None:
        """Keep the newest alerts only, and no claims that have lapsed."""
        last = connection.execute("SELECT max(number) FROM alerts").fetchone()[0] - self.kept
        unsent = connection.execute(
            "SELECT count(*) FROM alert_deliveries JOIN alerts ON id = alert WHERE number <= ? AND state = 'pending'",
            (last,),
        )
        self.figures.dropped += unsent.fetchone()[0]
        connection.execute(
            "DELETE FROM alert_deliveries WHERE alert IN (SELECT id FROM alerts WHERE number <= ?)", (last,)
        )
        connection.execute("DELETE FROM alerts WHERE number <= ?", (last,))
        connection.execute("DELETE FROM alert_claims WHERE until_ns <= ?", (now_ns,))


def _deliveries(connection: sqlite3.Connection, alert: str) -> tuple[Delivery, ...]:
    rows = connection.execute(
        "SELECT receiver, state, attempts, next_ns, status, error FROM alert_deliveries WHERE alert = ?", (alert,)
    )
    names = ("receiver", "state", "attempts", "next_ns", "status", "error")
    return tuple(Delivery(**dict(zip(names, row, strict=True))) for row in rows)


def _row(alert: Alert) -> tuple[Any, ...]:
    return (
        *(alert.id, alert.at_ns, alert.kind, alert.subject.value, alert.budget, alert.org, alert.scope, alert.window),
        *(alert.resets_at_ns, alert.unit.value, alert.fraction_millionths, alert.limit, alert.spent, alert.held),
        *(alert.overrun, int(alert.hard), alert.message, alert.operation, alert.team),
    )


def _alert(row: Sequence[Any]) -> Alert:
    named: Mapping[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return Alert(
        id=named["id"],
        at_ns=named["at_ns"],
        kind=named["kind"],
        subject=LineKind(named["subject"]),
        budget=named["budget"],
        org=named["org"],
        scope=named["scope"],
        window=named["window"],
        resets_at_ns=named["resets_ns"],
        unit=Unit(named["unit"]),
        fraction_millionths=named["fraction"],
        limit=Nano(named["limit_was"]),
        spent=Nano(named["spent"]),
        held=Nano(named["held"]),
        overrun=Nano(named["overrun"]),
        hard=bool(named["hard"]),
        message=named["message"],
        operation=named["operation"],
    )
