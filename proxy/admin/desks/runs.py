"""Runs: what they did, how they stand against their limits, and stopping one."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from proxy.admin.call import Answer, Call
from proxy.admin.desks.operations import show_operation
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import page_after, place_of
from proxy.admin.run_limits import limits_of
from proxy.admin.run_search import FoundRun, found_runs, identity_of, killed_runs
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.runs import KillBody, RunExplained, RunKilled, RunOfQuery, RunQuery, show_run
from proxy.core.clock import utc
from proxy.telemetry import RunIdentity, RunsQuery, TelemetryUnavailable, run_cursor

LAST_CALLS: Final = 20
MOST_LIVE: Final = 1000
MOST_NEW: Final = 100
_ID: Final = re.compile(r"run_([0-9a-f]{32})")


async def list_runs(call: Call) -> Answer:
    """The runs that the token reaches, the latest first; those whose first call still goes on before them."""
    asked = call.query(RunQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    killed = await killed_runs(call, org)
    (before,) = place_of(asked.page, 1)
    question = RunsQuery(
        org=org,
        team=team,
        key=asked.key,
        agent=asked.agent,
        run=asked.name,
        since=utc(call.now_ns()) - timedelta(days=asked.days),
        end=asked.state if asked.state in ("open", "stopped") else None,
        only=tuple(killed) if asked.state == "killed" else None,
        but=tuple(killed) if asked.state in ("open", "stopped") else (),
        limit=asked.limit + 1,
        before=before or None,
    )
    totals = await call.rooms.reader.runs(question)
    shown = await found_runs(call, totals[: asked.limit], (), killed)
    new = [] if before else await _without_rows(call, asked, killed)
    more = len(totals) > asked.limit
    return Answer(
        Listing(
            data=tuple(show_run(each) for each in (*new, *shown)),
            has_more=more,
            next_page=page_after(run_cursor(totals[asked.limit - 1])) if more else None,
        )
    )


async def get_run(call: Call) -> Answer:
    """One run by its name or id: what it did, how it stands against its limits, and its last calls."""
    found = _one(call, await _candidates(call))
    identity = found.identity
    filters = {"run": (identity.run,), "key_id": (identity.key_id,)}
    last = await call.rooms.reader.recent(org=identity.org, filters=filters, limit=LAST_CALLS)
    return Answer(
        RunExplained(
            run=show_run(found),
            limits=await limits_of(call, found),
            last_calls=tuple(show_operation(row) for row in last),
        )
    )


async def kill_run(call: Call) -> Answer:
    """Stop a run for good: it takes no more calls, and its open streams are ended within a second.

    A run that was not seen yet can be stopped too, by its name with its org, team and key. Stopping one twice is fine.
    """
    reason = call.body(KillBody).reason
    try:
        candidates = await _candidates(call)
    except TelemetryUnavailable:
        # What must be stopped now is not to wait for a store of what was.
        candidates = []
    found = _one(call, candidates) if candidates else await _unseen(call)
    identity = found.identity
    call.binding.require_rule(identity.org, found.team or None)
    await call.rooms.runs.kill_run(*identity, call.now_ns())
    killed = RunKilled(
        id=found.id,
        name=identity.run,
        org=identity.org,
        team=found.team,
        key=found.key,
        key_id=identity.key_id,
        reason=reason,
    )
    before = show_run(found)
    subject = f"run:{identity.org}/{identity.run}"
    await asyncio.to_thread(
        call.audit, "run.kill", subject, org=identity.org, team=found.team or None, before=before, after=killed
    )
    return Answer(killed)


async def _candidates(call: Call) -> list[FoundRun]:
    """The runs that the path may mean."""
    asked, text = call.query(RunOfQuery), call.path["run"]
    org, team = call.binding.narrowed(asked.org, asked.team)
    lives, by_id = await call.rooms.runs.runs(org, MOST_LIVE), _ID.fullmatch(text)
    if by_id is not None:
        meant = [each for each in lives if identity_of(each).digest == by_id[1]]
        totals = await call.rooms.reader.runs(RunsQuery(org=org, team=team, digest=by_id[1]))
    else:
        meant = [each for each in lives if each.name == text]
        totals = await call.rooms.reader.runs(RunsQuery(org=org, team=team, run=text))
    found = await found_runs(call, totals, meant, await killed_runs(call, org))
    return [each for each in found if team in (None, each.team) and asked.key in (None, each.key, each.identity.key_id)]


def _one(call: Call, candidates: Sequence[FoundRun]) -> FoundRun:
    name = call.path["run"]
    if not candidates:
        raise Refusal(Fault.NOT_FOUND, f"There is no run {name}.")
    if len(candidates) > 1:
        keys = ", ".join(sorted(f"{each.identity.org}/{each.team}/{each.key}" for each in candidates)[:8])
        message = f"The run {name} is one of several keys: {keys}; say whose by org, team and key, or take its id."
        raise Refusal(Fault.INVALID_REQUEST, message, param="key")
    return candidates[0]


async def _unseen(call: Call) -> FoundRun:
    """A run of which there is no call yet, by its whole name."""
    asked, name = call.query(RunOfQuery), call.path["run"]
    if asked.org is None or asked.team is None or asked.key is None or _ID.fullmatch(name):
        message = (
            f"There is no run {name}; one that has made no call yet is stopped by its name with org, team and key."
        )
        raise Refusal(Fault.NOT_FOUND, message)
    key = await asyncio.to_thread(call.rooms.key_store.named_key, asked.org, asked.team, asked.key)
    identity = RunIdentity(key.org, key.key_id, name)
    return FoundRun(identity=identity, team=key.team, key=key.name, totals=None, live=None, is_killed=False)


async def _without_rows(call: Call, asked: RunQuery, killed: frozenset[RunIdentity]) -> list[FoundRun]:
    """Runs whose first call has not ended, so that the store knows nothing of them."""
    latest = await call.rooms.runs.runs(call.binding.org or asked.org, MOST_NEW)
    if not latest or asked.agent is not None or asked.state == "stopped":
        return []
    known = await call.rooms.reader.runs(
        RunsQuery(org=None, only=tuple(identity_of(each) for each in latest), limit=MOST_NEW)
    )
    seen = {each.identity for each in known}
    found = await found_runs(call, (), [each for each in latest if identity_of(each) not in seen], killed)
    return [each for each in found if _is_asked_for(each, asked)]


def _is_asked_for(found: FoundRun, asked: RunQuery) -> bool:
    return (
        asked.org in (None, found.identity.org)
        and asked.team in (None, found.team)
        and asked.key in (None, found.key)
        and asked.name in (None, found.identity.run)
        and (asked.state is None or (asked.state == "killed") == found.is_killed)
    )
