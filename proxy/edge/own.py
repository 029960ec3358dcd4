"""What a key may ask about itself: its models, limits and operations (DESIGN §3)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from proxy.budget import Balance, LedgerUnavailable, LineKind, figures
from proxy.core.clock import utc
from proxy.core.ids import born_ms
from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.journey.approve import unavailable as approvals_unavailable
from proxy.journey.hold import ledger_refusal
from proxy.journey.resolve import usable_models
from proxy.journey.rooms import Rooms
from proxy.policy import ApprovalsUnavailable
from proxy.runs import Claims
from proxy.telemetry import TelemetryUnavailable

MOST_ID: Final = 64
FindOperation: TypeAlias = Callable[[str, Principal], Awaitable[dict[str, Any] | None]]


async def key_facts(rooms: Rooms, principal: Principal, now_ns: int) -> dict[str, Any]:
    """The key's own name, models, budgets and limits; budgets of wider scopes are not told.

    Rate limits of its team and org are: a client that is to keep to a rate must know it, and answers tell it too.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE while the ledger cannot be asked.
    """
    lines = rooms.snapshot().budgets.lines_for(principal.scopes, now_ns, key=principal.key_id)
    told = tuple(line for line in lines if line.kind is LineKind.RATE or line.scope.startswith("key:"))
    try:
        balances = await rooms.ledger.balances(told)
    except LedgerUnavailable as error:
        raise ledger_refusal(error) from error
    return {
        "object": "flyball.key",
        "key_id": principal.key_id,
        "name": principal.key_name,
        "org": principal.org,
        "team": principal.team,
        "models": usable_models(rooms.snapshot(), principal),
        "agents": list(principal.agents),
        "budgets": [_standing(balance) for balance in balances if balance.line.kind is LineKind.BUDGET],
        "limits": [_standing(balance) for balance in balances if balance.line.kind is LineKind.RATE],
        "runs": _run_limits(rooms, principal),
    }


def _standing(balance: Balance) -> dict[str, Any]:
    """A budget or limit with the numbers that a refusal shows."""
    line, spent, held = balance
    return {
        "name": line.name,
        "scope": line.scope,
        "window": line.window,
        **figures(line, spent=spent, held=held, remaining=max(0, line.limit - spent - held)),
        "enforcement": "observe" if line.observed else "enforce" if line.hard else "soft",
        "resets_at": None if line.resets_at_ns is None else utc(line.resets_at_ns).isoformat(),
    }


def _run_limits(rooms: Rooms, principal: Principal) -> dict[str, Any]:
    """What each run of the key may use; nothing where runs are not limited."""
    any_run = Claims(run="(any)", agent=principal.key_name)
    runs = rooms.snapshot().runs
    ticket = runs.ticket(principal, any_run)
    limits: dict[str, Any] = {}
    for line in runs.lines(principal, any_run, rooms.clock.now_ns()):
        limits |= figures(line)
    if ticket is not None:
        limits |= {
            name: value
            for name, value in (("limit_seconds", ticket.max_s), ("limit_depth", ticket.max_depth))
            if value is not None
        }
    return limits


async def own_operation(find: FindOperation, operation: str, principal: Principal) -> dict[str, Any]:
    """One of the key's own operations.

    Raises:
        Refused: NOT_FOUND for an unknown one, and just the same for somebody else's; DEPENDENCY_UNAVAILABLE.
    """
    try:
        found = await find(operation, principal) if _is_ours(operation) else None
    except TelemetryUnavailable as error:
        raise Refused(
            Refusal.DEPENDENCY_UNAVAILABLE,
            "The telemetry store cannot be asked now; the call itself is on record. Try again shortly.",
            facts={"dependency": "telemetry"},
            retry_after_s=5,
        ) from error
    if found is None:
        raise Refused(
            Refusal.NOT_FOUND,
            "This key has no such operation. A row appears a few seconds after its call has ended.",
        )
    return found


async def own_approval(rooms: Rooms, approval: str, principal: Principal) -> dict[str, Any]:
    """How one of the key's own approvals stands, for who waits for it.

    Raises:
        Refused: NOT_FOUND for an unknown one, and just the same for another key's; DEPENDENCY_UNAVAILABLE.
    """
    try:
        found = await asyncio.to_thread(rooms.approvals.find, approval[:MOST_ID])
    except ApprovalsUnavailable as error:
        raise approvals_unavailable(error) from error
    if found is None or found.key_id != principal.key_id:
        raise Refused(Refusal.NOT_FOUND, "This key has no such approval.")
    return {
        "object": "flyball.approval",
        "id": found.id,
        "state": found.standing(rooms.clock.now_ns()),
        "point": found.point,
        "operation": found.operation,
        "model": found.model,
        "run": found.run,
        "reason": found.reason,
        "tools": list(found.tools),
        "made_at": _moment(found.made_ns),
        "expires_at": _moment(found.expires_ns),
        "decided_at": _moment(found.decided_ns),
        "note": found.note,
        "used_by": found.used_by,
    }


def _moment(ns: int | None) -> str | None:
    return None if ns is None else utc(ns).isoformat(timespec="seconds")


def _is_ours(operation: str) -> bool:
    return operation.startswith("op_") and born_ms(operation) is not None
