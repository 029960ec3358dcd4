"""The admin port's own tables in the state file; writing them makes nobody reload anything."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from proxy.state import StateFile, migrate

STEPS: Final = (
    """
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ns INTEGER NOT NULL,
        actor TEXT NOT NULL,
        role TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        org TEXT,
        team TEXT,
        before BLOB, -- JSON, without secrets
        after BLOB
    ) STRICT;
    CREATE INDEX audit_by_org ON audit (org, number);
    """,
    """
    -- Answers to POSTs with an Idempotency-Key, kept for a day. No secret is in here: body has null in its place,
    -- and mark and nonce let only the same token with the same key derive it again (idempotency.py).
    CREATE TABLE admin_answers (
        digest BLOB PRIMARY KEY,
        request BLOB NOT NULL,
        nonce BLOB NOT NULL,
        mark TEXT,
        status INTEGER, -- NULL while the first request is being answered
        body BLOB,
        at_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX admin_answers_by_age ON admin_answers (at_ns);
    """,
    # The chain (audit.py). Entries of before have none until the next one is made, or they are shipped.
    """
    ALTER TABLE audit ADD COLUMN previous TEXT;
    ALTER TABLE audit ADD COLUMN hash TEXT;
    """,
)


class Tables:
    """Short reads and writes, from any thread; where hosts share the admin state, of all of them."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        with closing(state.connect()) as connection:
            migrate(connection, "admin", STEPS)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction; waits up to 2 s for its turn.

        Raises:
            StateBusy: others kept the file locked, or what hosts share cannot be reached.
        """
        with self._state.change(reloads=False) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection, to be read from with single statements."""
        with self._state.read() as connection:
            yield connection
