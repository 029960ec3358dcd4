"""Ownership records in the state file, shared by the workers of one host."""

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from proxy.ownership.book import Kept, Ownership, OwnershipUnavailable
from proxy.ownership.settings import OwnershipSettings
from proxy.state import StateFile, migrate

DAY_NS: Final = 86_400_000_000_000
_BUSY_MS: Final = 1_000
_PRUNE_EVERY: Final = 256
_AT_ONCE: Final = 256
_STEPS: Final = (
    """
    CREATE TABLE owned_objects (
        id       TEXT NOT NULL,
        provider TEXT NOT NULL,
        org      TEXT NOT NULL,
        team     TEXT NOT NULL,
        key_id   TEXT NOT NULL,
        kind     TEXT NOT NULL,
        made_ns  INTEGER NOT NULL,
        due      BLOB NOT NULL,
        seen_ns  INTEGER NOT NULL,
        gone     INTEGER NOT NULL,
        PRIMARY KEY (id, provider)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX owned_objects_by_org ON owned_objects (org, provider, kind, made_ns);
    CREATE INDEX owned_objects_by_age ON owned_objects (made_ns);
    CREATE INDEX owned_objects_due ON owned_objects (seen_ns) WHERE due <> x'';
    """,
)
_COLUMNS: Final = "id, provider, org, team, key_id, kind, made_ns, due"
_NOTE: Final = f"""INSERT INTO owned_objects ({_COLUMNS}, seen_ns, gone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0)
    ON CONFLICT (id, provider) DO UPDATE SET due = excluded.due, seen_ns = 0
    WHERE owned_objects.org = excluded.org AND excluded.due <> x''"""  # noqa: S608 - names of our own columns
_FIND: Final = f"SELECT {_COLUMNS} FROM owned_objects WHERE org = ? AND made_ns > ? AND gone = 0 AND id IN "  # noqa: S608
_COUNT: Final = "SELECT count(*) FROM owned_objects WHERE org = ? AND provider = ? AND kind = ? AND gone = 0"
_TAKE: Final = "SELECT due FROM owned_objects WHERE id = ? AND provider = ? AND org = ? AND due <> x''"
_TAKEN: Final = "UPDATE owned_objects SET due = x'' WHERE id = ? AND provider = ?"
_DROP_GONE: Final = "DELETE FROM owned_objects WHERE id = ? AND provider = ? AND gone = 1 AND due = x''"
_GO: Final = "UPDATE owned_objects SET gone = 1 WHERE id = ? AND provider = ? AND org = ?"
_UNSEEN: Final = "WHERE due <> x'' AND seen_ns <= ? ORDER BY seen_ns LIMIT ?"
_DUES: Final = f"SELECT {_COLUMNS} FROM owned_objects {_UNSEEN}"  # noqa: S608
_SEEN: Final = "UPDATE owned_objects SET seen_ns = ? WHERE id = ? AND provider = ?"
_OF_KIND: Final = "WHERE org = ? AND provider = ? AND kind = ?"
_TOO_MANY: Final = f"SELECT made_ns FROM owned_objects {_OF_KIND} ORDER BY made_ns DESC LIMIT 1 OFFSET ?"  # noqa: S608
_FORGET_OLD: Final = "DELETE FROM owned_objects WHERE made_ns <= ? AND due = x''"
_FORGET_MORE: Final = f"DELETE FROM owned_objects {_OF_KIND} AND made_ns <= ? AND due = x''"  # noqa: S608


class SqliteOwnership:
    """See Ownership. Opens its connection when it is first used."""

    def __init__(self, state: StateFile, settings: OwnershipSettings) -> None:
        self._state = state
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._noted = 0
        with closing(state.connect()) as connection:
            migrate(connection, "ownership", _STEPS)

    def note(self, kept: Sequence[Kept]) -> None:
        """See Ownership."""
        with self._changing() as connection:
            connection.executemany(_NOTE, [_row(each) for each in kept])
            self._noted += len(kept)
            if self._noted >= _PRUNE_EVERY:
                self._noted = 0
                self._prune(connection, kept)

    def find(self, org: str, ids: Collection[str], now_ns: int) -> dict[str, Kept]:
        """See Ownership."""
        found: dict[str, Kept] = {}
        wanted, since = list(dict.fromkeys(ids)), now_ns - self._settings.kept_days * DAY_NS
        with self._asked() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                for row in connection.execute(f"{_FIND} ({marks}) ORDER BY made_ns", (org, since, *part)):
                    found[row[0]] = _kept(row)
        return found

    def count(self, org: str, provider: str, kind: str) -> int:
        """See Ownership."""
        with self._asked() as connection:
            return int(connection.execute(_COUNT, (org, provider, kind)).fetchone()[0])

    def take_due(self, kept: Kept) -> bytes:
        """See Ownership."""
        with self._changing() as connection:
            row = connection.execute(_TAKE, (kept.id, kept.provider, kept.org)).fetchone()
            if row is None:
                return b""
            connection.execute(_TAKEN, (kept.id, kept.provider))
            connection.execute(_DROP_GONE, (kept.id, kept.provider))
            return bytes(row[0])

    def forget(self, org: str, provider: str, id: str) -> None:
        """See Ownership."""
        with self._changing() as connection:
            connection.execute(_GO, (id, provider, org))
            connection.execute(_DROP_GONE, (id, provider))

    def dues(self, now_ns: int, most: int, again_ns: int) -> list[Kept]:
        """See Ownership."""
        with self._asked() as connection:
            if connection.execute(_DUES, (now_ns - again_ns, 1)).fetchone() is None:
                return []  # as nearly always: no write is waited for
        with self._changing() as connection:
            found = [_kept(row) for row in connection.execute(_DUES, (now_ns - again_ns, most))]
            connection.executemany(_SEEN, [(now_ns, each.id, each.provider) for each in found])
            return found

    def close(self) -> None:
        """See Ownership."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def _prune(self, connection: sqlite3.Connection, kept: Sequence[Kept]) -> None:
        """Forget what is too old, and the oldest of who has too many."""
        now_ns = max((each.made_ns for each in kept), default=0)
        connection.execute(_FORGET_OLD, (now_ns - self._settings.kept_days * DAY_NS,))
        for whose in {(each.org, each.provider, each.kind) for each in kept}:
            too_many = connection.execute(_TOO_MANY, (*whose, self._settings.most_per_org)).fetchone()
            if too_many is not None:
                connection.execute(_FORGET_MORE, (*whose, too_many[0]))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._asked() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _asked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None or self._pid != os.getpid():
                    self._connection, self._pid = self._state.connect(busy_ms=_BUSY_MS), os.getpid()
                yield self._connection
            except sqlite3.Error as error:
                raise OwnershipUnavailable(f"the state file: {error}") from error


def _row(kept: Kept) -> tuple[object, ...]:
    return (kept.id, kept.provider, kept.org, kept.team, kept.key_id, kept.kind, kept.made_ns, kept.due)


def _kept(row: tuple[str, str, str, str, str, str, int, bytes]) -> Kept:
    id, provider, org, team, key_id, kind, made_ns, due = row
    return Kept(id=id, provider=provider, org=org, team=team, key_id=key_id, kind=kind, made_ns=made_ns, due=bytes(due))


_: type[Ownership] = SqliteOwnership
