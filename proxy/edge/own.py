"""What a key may ask about itself: its models, limits and operations (DESIGN §3)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from proxy.core.clock import utc
from proxy.core.money import Nano, to_usd_text
from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.journey.resolve import usable_models
from proxy.journey.rooms import Rooms

FindOperation: TypeAlias = Callable[[str, Principal], Awaitable[dict[str, Any] | None]]


def model_object(name: str) -> dict[str, Any]:
    """One model in OpenAI's shape."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "flyball"}


async def key_facts(rooms: Rooms, principal: Principal, now_ns: int) -> dict[str, Any]:
    """The key's own name, models and budgets; budgets of wider scopes are not told."""
    lines = rooms.snapshot().budgets.lines_for(principal.scopes, now_ns)
    own = tuple(line for line in lines if line.scope.startswith("key:"))
    balances = await rooms.ledger.balances(own)
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
                "limit_usd": to_usd_text(balance.line.limit),
                "spent_usd": to_usd_text(balance.spent),
                "held_usd": to_usd_text(balance.held),
                "remaining_usd": to_usd_text(Nano(max(0, balance.line.limit - balance.spent - balance.held))),
                "resets_at": None if balance.line.resets_at_ns is None else utc(balance.line.resets_at_ns).isoformat(),
            }
            for balance in balances
        ],
    }


async def own_operation(find: FindOperation, operation: str, principal: Principal) -> dict[str, Any]:
    """One of the key's own operations.

    Raises:
        Refused: NOT_FOUND for an unknown one, and just the same for somebody else's.
    """
    found = await find(operation, principal)
    if found is None:
        raise Refused(
            Refusal.NOT_FOUND,
            "This key has no such operation. A row appears a few seconds after its call has ended.",
        )
    return found
