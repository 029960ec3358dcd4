"""Proposed policies in the state file. Where hosts share the state, they share these as well."""

import json
from contextlib import closing
from sqlite3 import Connection
from typing import Any, Final, Literal, TypeAlias

from proxy.core.clock import Clock
from proxy.policy.bundle import Bundle
from proxy.policy.proposals.policy_set import PolicySet, Proposals
from proxy.policy.proposals.schema import ROOM, STEPS
from proxy.state import StateFile, migrate

LARGEST_SET: Final = 900_000
"""Bytes of one set, written as JSON."""
_COLUMNS: Final = "place, content, proposed_by, proposed_ns, promoted_by, promoted_ns"
Place: TypeAlias = Literal["active", "candidate", "previous"]


class ProposalError(Exception):
    """What cannot be done with proposed policies; nothing was changed. `fault` is how."""

    def __init__(self, fault: Literal["too_large", "missing", "changed", "own"], said: str) -> None:
        super().__init__(said)
        self.fault: Final = fault


class ProposalStore:
    """The one place where policies are proposed, promoted and taken back. Its methods block."""

    def __init__(self, state: StateFile, *, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        with closing(state.connect()) as connection:
            migrate(connection, ROOM, STEPS)

    def load(self) -> Proposals:
        """All there are."""
        with self._state.read() as connection:
            return _proposals(connection)

    def revisions(self) -> dict[str, str]:
        """Their revisions by their places, which is cheaper."""
        with self._state.read() as connection:
            return dict(connection.execute("SELECT place, revision FROM policy_sets").fetchall())

    def propose(self, bundle: Bundle, *, by: str) -> PolicySet:
        """Put policies, found good, in the place of the candidate.

        Raises:
            ProposalError: they are too large.
        """
        made = PolicySet(bundle=bundle, proposed_by=by, proposed_ns=self._clock.now_ns())
        content = json.dumps({"modules": dict(bundle.modules), "data": bundle.data})
        if len(content) > LARGEST_SET:
            raise ProposalError("too_large", f"a set of policies has at most {LARGEST_SET:,} bytes")
        with self._state.change() as connection:
            _put(connection, "candidate", made, content)
        return made

    def discard(self) -> PolicySet:
        """Take the candidate back.

        Raises:
            ProposalError: there is none.
        """
        with self._state.change() as connection:
            found = _needed(_proposals(connection).candidate, "there is no candidate")
            connection.execute("DELETE FROM policy_sets WHERE place = 'candidate'")
        return found

    def promote(self, *, by: str, revision: str | None = None) -> PolicySet:
        """Make the candidate what decides; what decided before is kept. `revision`: what it is expected to be.

        Raises:
            ProposalError: there is none, it is another one, or the same person has proposed it.
        """
        with self._state.change() as connection:
            found = _needed(_proposals(connection).candidate, "there is no candidate")
            if revision is not None and revision != found.bundle.revision:
                raise ProposalError("changed", f"the candidate is {found.bundle.revision} now: look at it first")
            if _folded(by) == _folded(found.proposed_by):
                raise ProposalError("own", f"{by} has proposed this; nobody promotes their own request")
            connection.execute("DELETE FROM policy_sets WHERE place = 'previous'")
            connection.execute("UPDATE policy_sets SET place = 'previous' WHERE place = 'active'")
            connection.execute(
                "UPDATE policy_sets SET place = 'active', promoted_by = ?, promoted_ns = ? WHERE place = 'candidate'",
                (by, self._clock.now_ns()),
            )
            return _needed(_proposals(connection).active, "")

    def roll_back(self, *, by: str) -> Proposals:
        """Let what decided before decide again: the set before, which takes the place of the one that decides; or the
        starter library, where there was none before.

        Raises:
            ProposalError: nothing was promoted.
        """
        with self._state.change() as connection:
            found = _proposals(connection)
            active = _needed(found.active, "nothing was promoted, so there is nothing to go back from")
            connection.execute("DELETE FROM policy_sets WHERE place IN ('active', 'previous')")
            _put(connection, "previous", active, _content(active))
            if found.previous is not None:
                now = found.previous
                again = PolicySet(
                    bundle=now.bundle,
                    proposed_by=now.proposed_by,
                    proposed_ns=now.proposed_ns,
                    promoted_by=by,
                    promoted_ns=self._clock.now_ns(),
                )
                _put(connection, "active", again, _content(again))
            return _proposals(connection)


def _proposals(connection: Connection) -> Proposals:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM policy_sets").fetchall()  # noqa: S608 - a constant
    found = {row[0]: _policy_set(row) for row in rows}
    return Proposals(active=found.get("active"), candidate=found.get("candidate"), previous=found.get("previous"))


def _policy_set(row: tuple[Any, ...]) -> PolicySet:
    kept = json.loads(row[1])
    return PolicySet(
        bundle=Bundle.of(kept["modules"], kept["data"]),
        proposed_by=row[2],
        proposed_ns=row[3],
        promoted_by=row[4],
        promoted_ns=row[5],
    )


def _put(connection: Connection, place: Place, made: PolicySet, content: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO policy_sets"
        " (place, revision, content, proposed_by, proposed_ns, promoted_by, promoted_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            place,
            made.bundle.revision,
            content,
            made.proposed_by,
            made.proposed_ns,
            made.promoted_by,
            made.promoted_ns,
        ),
    )


def _content(made: PolicySet) -> str:
    return json.dumps({"modules": dict(made.bundle.modules), "data": made.bundle.data})


def _needed(found: PolicySet | None, missing: str) -> PolicySet:
    if found is None:
        raise ProposalError("missing", missing)
    return found


def _folded(name: str) -> str:
    return name.strip().casefold()
