"""Open streams, so that those of a run that is killed, or of what a kill switch turns off, are ended.

A stream is noted when it begins; a chunk costs nothing for it.
"""

from collections.abc import Callable, Collection
from typing import Final

from proxy.budget import Stopped
from proxy.core.refusal import Refusal
from proxy.core.tenant import run_scope
from proxy.journey.halt import Halt
from proxy.journey.observe import observes, refuse_unless_observed
from proxy.journey.refusals import stopped
from proxy.journey.rooms import Rooms, RunKey
from proxy.journey.state import Journey

OVERLAP_NS: Final = 60_000_000_000
"""How far back every look at the kills reaches beyond the last one: clocks differ between hosts."""


def enter(journey: Journey, rooms: Rooms, stop: Callable[[], None], look: Callable[[], None]) -> None:
    """Have a stream ended by `stop` when its run is killed, and told to `look` when kill switches are set.

    At once where that was a moment ago.
    """
    rooms.streams.add(look)
    if rooms.snapshot().switches:
        look()
    if not journey.claims.run:
        return
    run = run_of(journey)
    rooms.running.setdefault(run, set()).add(stop)
    if run in rooms.killed and not journey.snapshot.budgets.observes(journey.principal.org):
        stop()


def leave(journey: Journey, rooms: Rooms, stop: Callable[[], None], look: Callable[[], None]) -> None:
    """The stream has ended."""
    rooms.streams.discard(look)
    if not journey.claims.run:
        return
    run = run_of(journey)
    streams = rooms.running.get(run)
    if streams is not None:
        streams.discard(stop)
        if not streams:
            del rooms.running[run]


def stop_runs(rooms: Rooms, killed: Collection[RunKey]) -> int:
    """End the open streams of runs that were killed, and let no more calls of theirs in; how many were ended."""
    fresh = [run for run in killed if run not in rooms.killed]
    rooms.killed.update(fresh)
    budgets, ended = rooms.snapshot().budgets, 0
    for run in fresh:
        if budgets.observes(run[0]):
            continue
        for stop in tuple(rooms.running.get(run, ())):
            stop()
            ended += 1
    return ended


async def end_killed(rooms: Rooms) -> None:
    """Look for kills since the last look, wherever they were made.

    Raises:
        LedgerUnavailable: it cannot be looked now; the next look reaches as far back as this one.
    """
    now = rooms.clock.now_ns()
    stop_runs(rooms, await rooms.ledger.killed_runs(max(0, rooms.kills_seen_ns - OVERLAP_NS)))
    rooms.kills_seen_ns = now


def refuse_killed(journey: Journey, rooms: Rooms) -> None:
    """Refuse a call whose run was killed where no limit of it makes the ledger look itself.

    Raises:
        Refused: RUN_STOPPED.
    """
    if journey.ticket is None and journey.claims.run and run_of(journey) in rooms.killed:
        refuse_unless_observed(journey, stopped(journey, Stopped(journey.claims.run, "killed")))


def is_killed(journey: Journey, rooms: Rooms) -> bool:
    """Whether the call's run was killed meanwhile, where that is not only written down."""
    return bool(rooms.killed and journey.claims.run) and run_of(journey) in rooms.killed and not observes(journey)


def run_halt(journey: Journey) -> Halt:
    """The end of a stream whose run was killed."""
    run = journey.claims.run
    facts = {"scope": run_scope(journey.principal.org, run), "run": run, "why": "killed"}
    return Halt(Refusal.RUN_STOPPED, "its run was stopped", facts)


def run_of(journey: Journey) -> RunKey:
    """Whose run it is, and its name: what the ledger knows it by."""
    return journey.principal.org, journey.principal.key_id, journey.claims.run
