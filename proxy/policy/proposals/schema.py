"""The table of proposed policies in the state file; a step that was released never changes."""

from typing import Final

ROOM: Final = "policy proposals"

STEPS: Final = (
    """
    CREATE TABLE policy_sets (
        place       TEXT PRIMARY KEY CHECK (place IN ('active', 'candidate', 'previous')),
        revision    TEXT NOT NULL,
        content     TEXT NOT NULL, -- JSON: modules and data
        proposed_by TEXT NOT NULL,
        proposed_ns INTEGER NOT NULL,
        promoted_by TEXT NOT NULL DEFAULT '',
        promoted_ns INTEGER
    ) STRICT, WITHOUT ROWID
    """,
)
