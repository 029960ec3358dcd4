"""Finding runs: by what their calls left in the store, and by what the ledger knows of those that have no row yet."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from proxy.admin.call import Call
from proxy.budget import RunState
from proxy.core.tenant import Principal
from proxy.identity import IdentityError
from proxy.telemetry import RunIdentity, RunTotals

ID_MARK: Final = "run_"


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRun:
    """One run with what is known of it: its calls so far (None: no row yet), and what the ledger keeps of it."""

    identity: RunIdentity
    team: str
    key: str
    totals: RunTotals | None
    live: RunState | None
    is_killed: bool

    @property
    def id(self) -> str:
        """What stands for it in paths."""
        return ID_MARK + self.identity.digest

    @property
    def principal(self) -> Principal:
        """Whose it is, as its limits ask."""
        return Principal(org=self.identity.org, team=self.team, key_id=self.identity.key_id, key_name=self.key)


def identity_of(live: RunState) -> RunIdentity:
    """Which run a state is of."""
    return RunIdentity(live.org, live.key_id, live.name)


async def killed_runs(call: Call, org: str | None) -> frozenset[RunIdentity]:
    """Every run of an org (None: of all) that a person stopped and that is remembered."""
    killed = await call.rooms.runs.killed_runs(0)
    return frozenset(RunIdentity(*each) for each in killed if org in (None, each[0]))


async def found_runs(
    call: Call, totals: Iterable[RunTotals], lives: Iterable[RunState], killed: Collection[RunIdentity]
) -> list[FoundRun]:
    """Runs from all sources as one, those with rows first, in their order; none outside the token's binding."""
    by_identity = {identity_of(each): each for each in lives}
    found = [
        FoundRun(
            identity=each.identity,
            team=each.team,
            key=each.key_name,
            totals=each,
            live=by_identity.pop(each.identity, None),
            is_killed=each.identity in killed,
        )
        for each in totals
    ]
    for identity, live in by_identity.items():
        team, key = await asyncio.to_thread(_named, call, identity.key_id)
        found.append(
            FoundRun(identity=identity, team=team, key=key, totals=None, live=live, is_killed=identity in killed)
        )
    return [each for each in found if call.binding.sees(each.identity.org, each.team)]


def _named(call: Call, key_id: str) -> tuple[str, str]:
    """The team and name of a key; its id where it is gone."""
    try:
        record = call.rooms.key_store.key(key_id)
    except IdentityError:
        return "", key_id
    return record.team, record.name
