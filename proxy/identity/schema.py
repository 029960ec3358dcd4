"""The tables of this room in the state file; steps are numbered by their place and never change once released."""

from typing import Final

ROOM: Final = "identity"

STEPS: Final = (
    """
    CREATE TABLE orgs (
        org TEXT PRIMARY KEY,
        cost_center TEXT NOT NULL,
        managed_by TEXT NOT NULL CHECK (managed_by IN ('file', 'api')),
        let_go INTEGER NOT NULL DEFAULT 0, -- 1: the file made it and no longer names it; the file may take it back
        created_ns INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE teams (
        org TEXT NOT NULL REFERENCES orgs (org),
        team TEXT NOT NULL,
        cost_center TEXT NOT NULL,
        managed_by TEXT NOT NULL CHECK (managed_by IN ('file', 'api')),
        let_go INTEGER NOT NULL DEFAULT 0,
        created_ns INTEGER NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (org, team)
    ) STRICT
    """,
    """
    CREATE TABLE keys (
        key_id TEXT PRIMARY KEY,
        org TEXT NOT NULL,
        team TEXT NOT NULL,
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        cost_center TEXT NOT NULL,
        models TEXT NOT NULL, -- JSON list
        agents TEXT NOT NULL, -- JSON list
        tags TEXT NOT NULL, -- JSON object
        expires_ns INTEGER,
        managed_by TEXT NOT NULL CHECK (managed_by IN ('file', 'api')),
        created_ns INTEGER NOT NULL,
        revoked_ns INTEGER,
        version INTEGER NOT NULL,
        UNIQUE (org, team, name),
        FOREIGN KEY (org, team) REFERENCES teams (org, team)
    ) STRICT
    """,
    """
    CREATE TABLE key_secrets (
        digest BLOB PRIMARY KEY,
        key_id TEXT NOT NULL REFERENCES keys (key_id),
        number INTEGER NOT NULL,
        prefix TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        expires_ns INTEGER,
        revoked_ns INTEGER,
        UNIQUE (key_id, number)
    ) STRICT
    """,
    """
    CREATE TABLE admin_tokens (
        token_id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        org TEXT,
        team TEXT,
        digest BLOB NOT NULL UNIQUE,
        prefix TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        expires_ns INTEGER
    ) STRICT
    """,
    # Whether what its calls break is refused, or only noted.
    """
    ALTER TABLE orgs ADD COLUMN enforcement TEXT NOT NULL DEFAULT 'enforce'
        CHECK (enforcement IN ('enforce', 'observe'))
    """,
    # Other proxies whose members its clients may put into bodies, as a JSON list. (A comment in the step itself would
    # stand in the table's own text, before what SQLite puts behind it.)
    """
    ALTER TABLE keys ADD COLUMN compat TEXT NOT NULL DEFAULT '[]'
    """,
)
