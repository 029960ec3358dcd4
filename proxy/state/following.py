"""Keeping a host's state file the same as that of the other hosts, entry by entry."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.state.faults import StateAway, StateBusy, StateForeign
from proxy.state.journal import Journal, JournalMoved, News, Place, Statement, dump, load, packed, replay

COMPACT_AFTER: Final = 5_000
"""Entries after which a snapshot stands for them all."""
_ROUNDS: Final = 10_000
log = logging.getLogger("flyball.state")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What a state file shares: by which journal, but for its `local` tables. `has_own` tells whether there is
    anything in it that could not be had again from flyball.yaml."""

    journal: Journal
    local: frozenset[str]
    has_own: Callable[[sqlite3.Connection], bool]
    compact_after: int = COMPACT_AFTER

    def is_here(self, connection: sqlite3.Connection) -> bool:
        """Whether there is nothing to follow: asked often, outside of any transaction."""
        place = _place(connection)
        news = self.journal.news(place)
        return news is not None and (news.journal, news.head) == place

    def follow(self, connection: sqlite3.Connection) -> bool:
        """Take in all that the journal has, in the transaction that is open; whether workers must reload."""
        place, moved = _place(connection), False
        for _ in range(_ROUNDS):
            news = self.journal.news(place)
            if news is None or (news.journal == place.journal and news.head < place.position):
                # Nobody shares anything yet; or Redis forgot the end of what this host has followed.
                begun = self.journal.begin(dump(connection, self.local), place)
                if begun is not None:
                    _set_place(connection, begun)
                    return moved
                continue
            if news.journal != place.journal or place.position < news.base:
                place, moved = self._join(connection, place, news), True
            else:
                for entry in news.entries:
                    moved = replay(connection, entry) or moved
                place = place._replace(position=place.position + len(news.entries))
            _set_place(connection, place)
            if place == (news.journal, news.head):
                return moved
        raise StateAway("the shared admin state changes faster than it can be followed")

    def append(self, connection: sqlite3.Connection, written: Sequence[Statement], *, reloads: bool) -> None:
        """Let other hosts do the same. From then on it is done, even if this host does not come to its commit."""
        place = _place(connection)
        try:
            position = self.journal.append(place, packed(written, reloads=reloads))
        except JournalMoved:
            raise StateBusy("another host changed the shared admin state at the same moment; try again") from None
        place = place._replace(position=position)
        _set_place(connection, place)
        if position % self.compact_after == 0:
            self.journal.compact(place, dump(connection, self.local))

    def _join(self, connection: sqlite3.Connection, place: Place, news: News) -> Place:
        """Let the shared state be ours, unless that would lose something."""
        if news.journal != place.journal:
            self._check(connection, place, news)
            log.warning("the shared admin state is taken over", extra={"journal": news.journal, "had": place.journal})
        dumped = self.journal.snapshot(news.journal, news.base)
        if dumped is None:
            raise StateAway("the shared admin state was compacted this very moment")
        load(connection, dumped, self.local)
        return Place(news.journal, news.base)

    def _check(self, connection: sqlite3.Connection, place: Place, news: News) -> None:
        if place.journal and place.journal == news.came_from.journal:
            if place.position > news.came_from.position:
                raise StateForeign(
                    f"this host has {place.position - news.came_from.position} admin change(s) that the shared state "
                    "lost with its Redis and that another host began anew without"
                )
        elif self.has_own(connection):
            raise StateForeign("this host has keys, budgets or tokens of its own, made by its admin API")


def _place(connection: sqlite3.Connection) -> Place:
    return Place(*connection.execute("SELECT journal, position FROM state").fetchone())


def _set_place(connection: sqlite3.Connection, place: Place) -> None:
    connection.execute("UPDATE state SET journal = ?, position = ?", place)
