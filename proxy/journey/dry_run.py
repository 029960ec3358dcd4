"""Where a call would go, by the same steps as a call's, up to the money; nothing is sent, held or written."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from proxy.core.money import to_usd_text
from proxy.core.refusal import Refused
from proxy.journey.call import Call, Exchange
from proxy.journey.estimate import estimate
from proxy.journey.explain import ToldRouting, routing_of
from proxy.journey.identify import identify
from proxy.journey.read import claim, read
from proxy.journey.resolve import resolve, take_best
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.journey.switched import drop_unwritten
from proxy.policy import NO_SWITCHES


async def dry_run(call: Call, exchange: Exchange, rooms: Rooms) -> dict[str, Any]:
    """Who would serve the call, who could and who could not, and why. Policies are not asked, nor is the ledger.

    Raises:
        Refused: INVALID_API_KEY, REQUEST_TOO_LARGE, INVALID_REQUEST; any other refusal is a part of the answer.
    """
    journey = identify(call, exchange, rooms)
    switches = journey.snapshot.switches
    # What a kill switch refuses is written down where it is looked at, and a dry run writes nothing.
    journey.snapshot = replace(journey.snapshot, switches=NO_SWITCHES)
    await read(journey, rooms)
    claim(journey)
    refused: Refused | None = None
    try:
        resolve(journey, rooms)
        if switches:
            drop_unwritten(journey, switches)
        await estimate(journey, rooms)
        await take_best(journey, rooms)
    except Refused as no:
        refused = no
    return _told(journey, refused)


def _told(journey: Journey, refused: Refused | None) -> dict[str, Any]:
    resolution, made = journey.resolution, journey.estimate
    routing = routing_of(journey) or ToldRouting("", (), ())
    told: dict[str, Any] = {
        "object": "flyball.route",
        "requested_model": journey.request.model,
        "model": journey.model,
        "reason": journey.reason,
        "route": "" if resolution is None else resolution.route,
        "strategy": routing.strategy,
        "candidates": msgspec.to_builtins(routing.candidates) if refused is None else [],
        "left_out": msgspec.to_builtins(routing.left_out),
        "estimate": {
            "input_tokens": made.input_tokens,
            "output_tokens": made.output_tokens,
            "most_usd": to_usd_text(made.amount),
        },
        "refused": None if refused is None else _refusal(refused),
    }
    return told


def _refusal(refused: Refused) -> Mapping[str, Any]:
    return {
        "code": refused.why.code,
        "status": refused.status,
        "message": refused.message,
        "param": refused.param,
        "facts": refused.facts,
    }
