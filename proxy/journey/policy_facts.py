"""What a policy is told about a call (policies/contract.json): every member there, always; what no rule reads is empty.

Reading a body whole costs more than most calls do otherwise, so messages, tools and parameters are only looked at
where a rule reads them.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from msgspec.structs import asdict

from proxy.budget import Balance, HoldLine, LineKind, figures
from proxy.core.clock import utc
from proxy.core.money import to_usd_text
from proxy.core.usage import Bucket
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import EVERYTHING, Found, Point, Reads
from proxy.wire.policy_view import PolicyView

Json: TypeAlias = Any
VERSION: Final = 1
NS_PER_S: Final = 1_000_000_000
INLINE_BYTES: Final = 32 * 1024
OF_THE_BODY: Final = frozenset({"messages", "tools", "provider_tools", "params"})
TEXT: Final = ("messages", "text")
LOOKED_UP: Final = ("findings", "findings_scan", "tool_results_unreleased", "budgets", "run_counters", "clock")
UNRELEASED: Final = "tool_results_unreleased"
MOST_RESULTS: Final = 256
LONGEST_ID: Final = 256
NOTHING_FOUND: Final = Found()
_NOTHING: Final = PolicyView(messages=(), count=0, is_whole=True, tools=(), provider_tools=(), params={})


async def policy_facts(journey: Journey, rooms: Rooms, point: Point, reads: Reads) -> dict[str, Json]:
    """The input of one point of the call's journey."""
    roots = {path[0] for path in reads.paths if path}
    everything = EVERYTHING in reads.paths
    view = await _view(journey) if everything or roots & OF_THE_BODY else _NOTHING
    principal, claims, facts = journey.principal, journey.claims, journey.request
    now_ns = rooms.clock.now_ns()
    resolution = journey.resolution
    found = journey.found or NOTHING_FOUND
    told: dict[str, Json] = {
        "version": VERSION,
        "point": point.value,
        "operation": journey.call.operation,
        "endpoint": journey.call.endpoint.value,
        "method": journey.call.method,
        "path": journey.call.path,
        "gate": journey.gate,
        "org": principal.org,
        "team": principal.team,
        "key": principal.key_name,
        "key_id": principal.key_id,
        "cost_center": principal.cost_center,
        "user": claims.end_user,
        "agent": claims.agent or principal.key_name,
        "run": claims.run,
        "step": claims.step,
        "tags": dict(principal.tags),
        "claims": {"tags": dict(claims.tags), "parent_run": claims.parent_run, "run_source": claims.run_source},
        "model": journey.model,
        "requested_model": facts.model,
        "provider": resolution.candidates[0].provider if resolution else "",
        "stream": facts.streamed,
        "max_tokens": facts.max_output_tokens,
        "params": view.params,
        "messages": {
            "count": view.count,
            "bytes": len(journey.body),
            "roles": [message.role for message in view.messages],
            "text": _text(view) if everything or _asks_for_text(reads) else None,
        },
        "tools": [_offered(journey, name, kind) for name, kind in view.tools],
        "provider_tools": list(facts.hosted_tools),
        "findings": [asdict(finding) for finding in found.findings],
        "findings_scan": {"whole": found.is_whole, "unread_parts": found.unread},
        "tool_results_unreleased": _unreleased(journey) if everything or UNRELEASED in roots else [],
        "estimate_usd": to_usd_text(journey.estimate.amount),
        "estimate": {"input_tokens": journey.estimate.input_tokens, "output_tokens": journey.estimate.output_tokens},
        "priced": all(price is not None for price in journey.prices.values()),
        "budgets": _budgets(journey, rooms, now_ns) if everything or "budgets" in roots else [],
        "run_counters": _run_counters(journey, rooms) if everything or "run_counters" in roots else {},
        "clock": _clock(now_ns // NS_PER_S) if everything or "clock" in roots else {},
    }
    if point is Point.ROUTE:
        told["candidates"] = _candidates(journey)
    elif point is Point.RESPONSE:
        told["response"] = response_facts(journey)
    return told


@lru_cache(maxsize=64)
def left_empty(reads: Reads) -> tuple[str, ...]:
    """The members of an input that are empty for one reason: that no rule reads them."""
    if EVERYTHING in reads.paths:
        return ()
    roots = {path[0] for path in reads.paths}
    empty = () if roots & OF_THE_BODY else ("params", "messages.count", "messages.roles", "tools")
    text = () if _asks_for_text(reads) else (".".join(TEXT),)
    return (*empty, *text, *(name for name in LOOKED_UP if name not in roots))


def _unreleased(journey: Journey) -> list[Json]:
    results = (journey.unreleased or ())[:MOST_RESULTS]
    return [{"id": each.id[:LONGEST_ID], "name": each.name, "index": each.index} for each in results]


def registered(journey: Journey, name: str) -> Json:
    """What the registry says of a tool; None where it says nothing."""
    found = journey.snapshot.tools.of(journey.principal.org, name)
    if found is None:
        return None
    return {"owner": found.owner, "risk": found.risk, "access": found.access, "version": found.version}


def _offered(journey: Journey, name: str, kind: str) -> Json:
    found = journey.snapshot.tools.of(journey.principal.org, name)
    told = {"name": name, "type": kind, "access": None, "risk": None}
    return told if found is None else {**told, "access": found.access, "risk": found.risk}


def candidate_id(provider: str, model: str) -> str:
    """How a route rule names a candidate."""
    return f"{provider}/{model}"


def _candidates(journey: Journey) -> list[Json]:
    if journey.resolution is None:
        return []
    return [
        {"id": candidate_id(each.provider, each.model), "provider": each.provider, "model": each.model}
        for each in journey.resolution.candidates
    ]


def response_facts(journey: Journey) -> dict[str, Json]:
    """The answer as it was billed; one that was kept, as it was then."""
    if journey.kept_response is not None:
        return journey.kept_response
    last = journey.attempts[-1]
    return {
        "status": journey.status,
        "streamed": journey.request.streamed,
        "finish_reason": last.finish_reason,
        "usage": {bucket.value: last.usage.count(bucket) for bucket in Bucket},
        "usage_source": last.usage.source.value,
        "cost_usd": None if journey.cost is None else to_usd_text(journey.cost),
    }


async def _view(journey: Journey) -> PolicyView:
    if journey.call.endpoint.is_carried and not journey.request.is_object:
        return _NOTHING
    view = journey.call.dialect.read_view
    if len(journey.body) <= INLINE_BYTES:
        return view(journey.call.endpoint, journey.body)
    return await asyncio.to_thread(view, journey.call.endpoint, journey.body)


def _asks_for_text(reads: Reads) -> bool:
    return any(path[: len(TEXT)] == TEXT[: len(path)] for path in reads.paths)


def _text(view: PolicyView) -> list[Json]:
    return [{"role": message.role, "text": message.text} for message in view.messages]


def _budgets(journey: Journey, rooms: Rooms, now_ns: int) -> list[Json]:
    """Where the call's budgets stood when this worker last heard of them, and how long ago in seconds; null: never."""
    told = []
    for line in journey.lines:
        if line.kind is LineKind.RUN:
            continue
        known = rooms.standing.of(line)
        numbers = {} if known is None else _numbers(known[0])
        age_s = None if known is None else (now_ns - known[1]) // NS_PER_S
        told.append({"name": line.name, "scope": line.scope, "kind": line.kind.value, "age_s": age_s, **numbers})
    return told


def _numbers(balance: Balance) -> Mapping[str, Json]:
    line, spent, held = balance
    limit = line.limit if line.whole is None else line.whole
    fraction = None if limit == 0 else round((spent + held) / limit, 6)
    return {**figures(line, spent=spent, held=held, remaining=max(0, line.limit - spent - held)), "fraction": fraction}


def _run_counters(journey: Journey, rooms: Rooms) -> dict[str, Json]:
    """What the call's run has used of what its limits count."""
    counters: dict[str, Json] = {}
    for line in journey.lines:
        known = rooms.standing.of(line) if line.kind is LineKind.RUN else None
        if known is not None:
            counters[line.unit.value] = _used(line, known[0])
    return counters


def _used(line: HoldLine, balance: Balance) -> int:
    return int(balance.spent + balance.held)


@lru_cache(maxsize=2)
def _clock(seconds: int) -> dict[str, Json]:
    """The same for all calls of a second; nobody writes into an input."""
    now = utc(seconds * NS_PER_S)
    return {
        "now": now.isoformat(timespec="seconds"),
        "unix": seconds,
        "weekday": now.isoweekday(),
        "hour": now.hour,
        "minute": now.minute,
    }
