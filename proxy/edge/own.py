"""What a key may ask about itself: its models, limits and operations (DESIGN §3)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from proxy.budget import LedgerUnavailable, figures
from proxy.core.clock import utc
from proxy.core.ids import born_ms
from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.journey.hold import ledger_refusal
from proxy.journey.resolve import usable_models
from proxy.journey.rooms import Rooms
from proxy.telemetry import TelemetryUnavailable

FindOperation: TypeAlias = Callable[[str, Principal], Awaitable[dict[str, Any] | None]]


def model_object(name: str) -> dict[str, Any]:
    """One model in OpenAI's shape."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "flyball"}


async def key_facts(rooms: Rooms, principal: Principal, now_ns: int) -> dict[str, Any]:
    """The key's own name, models and budgets; budgets of wider scopes are not told.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE while the ledger cannot be asked.
    """
    lines = rooms.snapshot().budgets.lines_for(principal.scopes, now_ns)
    own = tuple(line for line in lines if line.scope.startswith("key:"))
    try:
        balances = await rooms.ledger.balances(own)
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
        "budgets": [
            {
                "name": balance.line.name,
                "scope": balance.line.scope,
                "window": balance.line.window,
                **figures(
                    balance.line,
                    spent=balance.spent,
                    held=balance.held,
                    remaining=max(0, balance.line.limit - balance.spent - balance.held),
                ),
                "resets_at": None if balance.line.resets_at_ns is None else utc(balance.line.resets_at_ns).isoformat(),
            }
            for balance in balances
        ],
    }


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


def _is_ours(operation: str) -> bool:
    return operation.startswith("op_") and born_ms(operation) is not None
