"""The tables of approvals in the state file; writing them makes nobody reload anything."""

from typing import Final

STEPS: Final = (
    """
    CREATE TABLE approvals (
        id          TEXT PRIMARY KEY, -- sorts by the time it was made
        digest      BLOB NOT NULL, -- of the request that it is for
        point       TEXT NOT NULL CHECK (point IN ('request', 'tool_call')),
        org         TEXT NOT NULL,
        team        TEXT NOT NULL,
        key_id      TEXT NOT NULL,
        key_name    TEXT NOT NULL,
        owner       TEXT NOT NULL,
        run         TEXT NOT NULL,
        agent       TEXT NOT NULL,
        end_user    TEXT NOT NULL,
        endpoint    TEXT NOT NULL,
        model       TEXT NOT NULL,
        operation   TEXT NOT NULL,
        revision    TEXT NOT NULL,
        reason      TEXT NOT NULL,
        estimate    INTEGER NOT NULL, -- nano-dollars
        tools       TEXT NOT NULL, -- JSON list of names
        calls       BLOB, -- sealed
        made_ns     INTEGER NOT NULL,
        expires_ns  INTEGER NOT NULL,
        state       TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'used')),
        decided_by  TEXT NOT NULL DEFAULT '',
        decided_ns  INTEGER,
        note        TEXT NOT NULL DEFAULT '',
        used_by     TEXT NOT NULL DEFAULT '', -- the operation
        used_ns     INTEGER,
        parked      INTEGER NOT NULL DEFAULT 0 -- bytes of the answer
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX approvals_by_digest ON approvals (digest, point);
    CREATE INDEX approvals_open ON approvals (key_id, point) WHERE state IN ('pending', 'approved', 'denied');
    CREATE INDEX approvals_ending ON approvals (expires_ns) WHERE state IN ('pending', 'approved');
    CREATE INDEX approvals_by_org ON approvals (org, id);

    CREATE TABLE approval_answers (
        approval TEXT PRIMARY KEY REFERENCES approvals (id) ON DELETE CASCADE,
        sealed   BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    # Until when a connection is held open with the answer: meanwhile it can be decided on though it is not whole.
    "ALTER TABLE approvals ADD COLUMN waits_until_ns INTEGER NOT NULL DEFAULT 0",
)
