"""The tables of alerts in the state file; writing them makes nobody reload anything."""

from typing import Final

STEPS: Final = (
    """
    CREATE TABLE alerts (
        number     INTEGER PRIMARY KEY AUTOINCREMENT,
        id         TEXT NOT NULL UNIQUE,
        at_ns      INTEGER NOT NULL,
        kind       TEXT NOT NULL,
        subject    TEXT NOT NULL, -- budget or rate: what `budget` names
        budget     TEXT NOT NULL,
        org        TEXT NOT NULL,
        team       TEXT NOT NULL, -- empty for a scope that lies in no team
        scope      TEXT NOT NULL,
        window     TEXT NOT NULL,
        resets_ns  INTEGER,
        unit       TEXT NOT NULL,
        fraction   INTEGER NOT NULL, -- in millionths
        limit_was  INTEGER NOT NULL,
        spent      INTEGER NOT NULL,
        held       INTEGER NOT NULL,
        overrun    INTEGER NOT NULL,
        hard       INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX alerts_by_org ON alerts (org, number);

    CREATE TABLE alert_deliveries (
        alert    TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
        receiver TEXT NOT NULL,
        state    TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        next_ns  INTEGER NOT NULL,
        status   INTEGER, -- of the last answer; NULL when there was none
        error    TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (alert, receiver)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX alert_deliveries_due ON alert_deliveries (receiver, next_ns) WHERE state = 'pending';

    -- What has been alerted already; amount: the overrun it was alerted at.
    CREATE TABLE alert_claims (
        claim    TEXT PRIMARY KEY,
        amount   INTEGER NOT NULL,
        until_ns INTEGER -- NULL: for ever
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX alert_claims_by_end ON alert_claims (until_ns) WHERE until_ns IS NOT NULL;
    """,
    """
    -- Of alerts that a policy raises: what its rule says, and the call it was first about.
    ALTER TABLE alerts ADD COLUMN message TEXT NOT NULL DEFAULT '';
    ALTER TABLE alerts ADD COLUMN operation TEXT NOT NULL DEFAULT '';
    """,
)
