"""Which versions of models have answered, by target, in the state file: so that a new one is noticed, once."""

from contextlib import closing
from typing import Final, NamedTuple

from proxy.state import StateFile, migrate

ROOM: Final = "versions"
STEPS: Final = (
    """
    CREATE TABLE served_versions (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        target      TEXT NOT NULL, -- provider/model
        model       TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        first_ns    INTEGER NOT NULL,
        UNIQUE (target, model, fingerprint)
    ) STRICT
    """,
)
_KEPT: Final = 10_000
_LATEST: Final = "SELECT model, fingerprint FROM served_versions WHERE target = ? ORDER BY number DESC"
_ADD: Final = "INSERT OR IGNORE INTO served_versions (target, model, fingerprint, first_ns) VALUES (?, ?, ?, ?)"
_FORGET: Final = "DELETE FROM served_versions WHERE number <= (SELECT max(number) FROM served_versions) - ?"


class Version(NamedTuple):
    """What a provider says of the model that answered; an empty fingerprint is none."""

    model: str
    fingerprint: str = ""

    @property
    def text(self) -> str:
        """As people are told it."""
        return f"{self.model} ({self.fingerprint})" if self.fingerprint else self.model


class Versions:
    """What was seen of each target; the latest ten thousand are remembered. Its methods block."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def see(self, target: str, version: Version, at_ns: int) -> Version | None:
        """Remember a version; the one that was new before it, where this one is new and not the target's first."""
        with self._state.read() as connection:
            before = [Version(*row) for row in connection.execute(_LATEST, (target,))]
        if version in before:
            return None
        with self._state.change(reloads=False) as connection:
            is_new = connection.execute(_ADD, (target, version.model, version.fingerprint, at_ns)).rowcount == 1
            connection.execute(_FORGET, (_KEPT,))
        return before[0] if before and is_new else None
