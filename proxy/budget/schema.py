"""The budget room's tables in the state file. Money is INTEGER nano-dollars."""

from typing import Final

STEPS: Final = (
    """
    CREATE TABLE budgets (
        id             TEXT PRIMARY KEY,
        name           TEXT NOT NULL UNIQUE,
        scope          TEXT NOT NULL,
        window         TEXT NOT NULL,
        timezone       TEXT NOT NULL,
        limit_nano     INTEGER NOT NULL CHECK (limit_nano >= 0),
        hard           INTEGER NOT NULL,
        managed_by     TEXT NOT NULL CHECK (managed_by IN ('file', 'api')),
        opening_nano   INTEGER NOT NULL CHECK (opening_nano >= 0),
        opening_window TEXT NOT NULL,
        -- Gone from flyball.yaml; what it spent is kept in case it comes back.
        retired        INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;

    -- AUTOINCREMENT: open holds and workers' memories name counters by id, so that no id may ever mean another one.
    CREATE TABLE counters (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        budget   TEXT NOT NULL,
        window   TEXT NOT NULL,
        opening  INTEGER NOT NULL DEFAULT 0 CHECK (opening >= 0),
        spent    INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
        held     INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
        overrun  INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0 AND overrun <= spent),
        settled  INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
        UNIQUE (budget, window)
    );

    -- number: made from the operation's id (steps.number_of), so that a hold is one row in one tree.
    -- lines: ids of the counters, separated by spaces; "id:amount:unit" for what does not count dollars.
    -- phase: 0 held, 1 dispatched.
    CREATE TABLE holds (
        number       INTEGER PRIMARY KEY,
        operation    TEXT NOT NULL,
        worker       TEXT NOT NULL,
        phase        INTEGER NOT NULL CHECK (phase IN (0, 1)),
        amount       INTEGER NOT NULL CHECK (amount >= 0),
        charged_at   INTEGER NOT NULL,
        lease_until  INTEGER NOT NULL,
        lines        TEXT NOT NULL,
        start_record BLOB NOT NULL
    );

    CREATE TABLE leases (worker TEXT PRIMARY KEY, until_ns INTEGER NOT NULL) WITHOUT ROWID;

    -- operation: the 16 bytes of the id's UUIDv7, so that the oldest stand first; at_s: when it was settled.
    CREATE TABLE settled (operation BLOB PRIMARY KEY, at_s INTEGER NOT NULL) WITHOUT ROWID;
    """,
    # How long a rolling window is; 0 for those that the calendar cuts.
    "ALTER TABLE budgets ADD COLUMN length_s INTEGER NOT NULL DEFAULT 0 CHECK (length_s >= 0);",
    # When a window may be forgotten, in seconds since 1970: there are very many minutes.
    """
    ALTER TABLE counters ADD COLUMN kept_until_s INTEGER;
    CREATE INDEX counters_by_end ON counters (kept_until_s) WHERE kept_until_s IS NOT NULL;
    """,
    # What a budget counts (the words of Unit); its limit is in nano-dollars or in whole ones of these.
    "ALTER TABLE budgets ADD COLUMN unit TEXT NOT NULL DEFAULT 'usd';",
    # Patterns of the models it counts, as a JSON list; empty counts all.
    "ALTER TABLE budgets ADD COLUMN models TEXT NOT NULL DEFAULT '[]';",
    # What it is (the words of LineKind); its ladder as JSON; whether it may clamp; its own enforcement.
    """
    ALTER TABLE budgets ADD COLUMN kind TEXT NOT NULL DEFAULT 'budget';
    ALTER TABLE budgets ADD COLUMN ladder TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE budgets ADD COLUMN clamp INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE budgets ADD COLUMN enforcement TEXT NOT NULL DEFAULT 'enforce';
    """,
    # How much higher a budget's limit is until then, in its unit.
    """
    CREATE TABLE budget_raises (
        id       TEXT PRIMARY KEY,
        budget   TEXT NOT NULL,
        amount   INTEGER NOT NULL CHECK (amount > 0),
        until_ns INTEGER NOT NULL,
        reason   TEXT NOT NULL,
        made_by  TEXT NOT NULL,
        made_ns  INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX budget_raises_by_budget ON budget_raises (budget, until_ns);
    """,
    # Runs that calls were granted in, or that were killed. last_min: the minute of the last call, by which they are
    # found; it moves less often than the call does.
    """
    CREATE TABLE runs (
        org        TEXT NOT NULL,
        key_id     TEXT NOT NULL,
        name       TEXT NOT NULL,
        parent     TEXT NOT NULL,
        depth      INTEGER NOT NULL,
        started_ns INTEGER NOT NULL,
        last_ns    INTEGER NOT NULL,
        last_min   INTEGER NOT NULL,
        calls      INTEGER NOT NULL,
        killed_ns  INTEGER,
        PRIMARY KEY (org, key_id, name)
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_last ON runs (last_min);
    CREATE INDEX runs_by_org ON runs (org, last_min);
    CREATE INDEX runs_killed ON runs (killed_ns) WHERE killed_ns IS NOT NULL;
    """,
)
