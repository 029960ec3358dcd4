"""What people have taken out of the caches: answers made before that are given to nobody."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

from proxy.core.clock import Clock
from proxy.core.ids import new_id
from proxy.state import StateFile, migrate

ROOM: Final = "cache_purges"
STEPS: Final = (
    """
    CREATE TABLE cache_purges (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        id      TEXT NOT NULL UNIQUE,
        target  TEXT NOT NULL,
        org     TEXT NOT NULL, -- empty: everybody's
        made_by TEXT NOT NULL,
        at_ns   INTEGER NOT NULL
    ) STRICT
    """,
)
MOST_KEPT: Final = 10_000
"""The newest of one target is enough; beyond so many targets the oldest are forgotten."""
KINDS: Final = {
    "all": "all",
    "entry": "entry:op_019a9f3c8e007b4c8000000000000001",
    "model": "model:gpt-5",
    "tag": "tag:env=prod",
    "revision": "revision:3f2a9c01d4e5",
}
_TARGET: Final = re.compile(r"all|(?:entry|model|revision):\S(?:.{0,254}\S)?|tag:[^=\s][^=]{0,63}=.{0,256}")


class BadPurge(ValueError):
    """A text that names nothing to be purged; the message says how one is written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Purge:
    """That answers of a target, made until `at_ns` (since 1970), are no more; an empty `org` is everybody's."""

    id: str
    target: str
    org: str
    by: str
    at_ns: int


class Purgeable(Protocol):
    """What a cache keeps, as far as purges speak of it."""

    @property
    def org(self) -> str: ...
    @property
    def entry(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def sent_model(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def made_ns(self) -> int: ...


class Purges:
    """All purges that are remembered, made so that an answer finds those of it quickly; false where there are none."""

    def __init__(self, purges: Sequence[Purge] = ()) -> None:
        self._newest: dict[tuple[str, str], int] = {}
        for each in purges:
            at = (each.org, each.target)
            self._newest[at] = max(each.at_ns, self._newest.get(at, 0))

    def __bool__(self) -> bool:
        return bool(self._newest)

    def takes(self, kept: Purgeable) -> bool:
        """Whether an answer was taken out after it was asked for."""
        if not self._newest:
            return False
        targets = ["all", f"entry:{kept.entry}", f"model:{kept.model}", f"model:{kept.sent_model}"]
        targets.append(f"revision:{kept.revision}")
        targets += [f"tag:{name}={value}" for name, value in kept.tags.items()]
        newest = max(self._newest.get((org, target), -1) for org in ("", kept.org) for target in targets)
        return newest >= kept.made_ns


NO_PURGES: Final = Purges()


class PurgeStore:
    """The one place where purges are made; each makes every worker of every host look. Its methods block."""

    def __init__(self, state: StateFile, *, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def load(self) -> Purges:
        """All that are remembered."""
        return Purges(self.newest(MOST_KEPT))

    def newest(self, limit: int, org: str | None = None, before: str = "") -> list[Purge]:
        """The last ones first, from the one before the purge of that id; those of an org, or of all with None."""
        with self._state.read() as connection:
            rows = connection.execute(
                "SELECT id, target, org, made_by, at_ns FROM cache_purges WHERE (?1 IS NULL OR org IN ('', ?1))"
                " AND (?2 = '' OR number < (SELECT number FROM cache_purges WHERE id = ?2))"
                " ORDER BY number DESC LIMIT ?3",
                (org, before, limit),
            ).fetchall()
        return [Purge(id=row[0], target=row[1], org=row[2], by=row[3], at_ns=row[4]) for row in rows]

    def purge(self, target: str, *, org: str, by: str) -> Purge:
        """Take answers out of all caches: those made until now.

        Raises:
            BadPurge: the target is none.
        """
        if _TARGET.fullmatch(target) is None or not target.isprintable():
            raise BadPurge(f"what is purged is written like {', '.join(KINDS.values())}")
        made = Purge(id=new_id("pur"), target=target, org=org, by=by, at_ns=self._clock.now_ns())
        with self._state.change() as connection:
            connection.execute("DELETE FROM cache_purges WHERE target = ? AND org = ?", (target, org))
            connection.execute(
                "INSERT INTO cache_purges (id, target, org, made_by, at_ns) VALUES (?, ?, ?, ?, ?)",
                (made.id, target, org, by, made.at_ns),
            )
            connection.execute(
                "DELETE FROM cache_purges WHERE number <= (SELECT max(number) FROM cache_purges) - ?", (MOST_KEPT,)
            )
        return made
