"""The table of kill switches in the state file; steps are numbered by their place and never change once released."""

from typing import Final

ROOM: Final = "switches"

STEPS: Final = (
    """
    CREATE TABLE kill_switches (
        number     INTEGER PRIMARY KEY AUTOINCREMENT,
        id         TEXT NOT NULL UNIQUE,
        target     TEXT NOT NULL,
        org        TEXT, -- NULL: everybody's
        team       TEXT, -- NULL: the whole org's
        reason     TEXT NOT NULL,
        made_by    TEXT NOT NULL,
        since_ns   INTEGER NOT NULL,
        expires_ns INTEGER,
        lifted_ns  INTEGER,
        lifted_by  TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
)
