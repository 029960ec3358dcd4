"""The tables of what is charged, in the state file; a step that was released never changes."""

from typing import Final

ROOM: Final = "billing"

STEPS: Final = (
    """
    CREATE TABLE closed_periods (
        org       TEXT NOT NULL,
        period    TEXT NOT NULL, -- 2026-10
        timezone  TEXT NOT NULL,
        closed_by TEXT NOT NULL,
        closed_ns INTEGER NOT NULL,
        PRIMARY KEY (org, period)
    ) STRICT, WITHOUT ROWID;

    -- content: the whole statement as JSON, with its hash. team "": the lines that are the org's as a whole.
    CREATE TABLE statements (
        org     TEXT NOT NULL,
        number  INTEGER NOT NULL CHECK (number > 0),
        team    TEXT NOT NULL,
        period  TEXT NOT NULL,
        content TEXT NOT NULL,
        hash    TEXT NOT NULL,
        PRIMARY KEY (org, number),
        UNIQUE (org, team, period),
        FOREIGN KEY (org, period) REFERENCES closed_periods (org, period)
    ) STRICT;

    CREATE TRIGGER statements_never_change BEFORE UPDATE ON statements BEGIN
        SELECT RAISE(ABORT, 'a statement never changes');
    END;

    CREATE TABLE billing_adjustments (
        id          TEXT PRIMARY KEY,
        org         TEXT NOT NULL,
        team        TEXT NOT NULL,
        cost_center TEXT NOT NULL,
        period      TEXT NOT NULL,
        kind        TEXT NOT NULL,
        amount      INTEGER NOT NULL, -- nano-dollars; below 0 for the team's good
        note        TEXT NOT NULL,
        made_by     TEXT NOT NULL,
        made_ns     INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX billing_adjustments_by_period ON billing_adjustments (org, period);
    """,
)
