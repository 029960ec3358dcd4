"""What a realtime session is asked for, and what its first response could cost."""

from typing import Final

import msgspec

from proxy.core.refusal import Refusal, Refused
from proxy.journey.estimate import find_price, lines_of, worst
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Found
from proxy.wire.facts import RequestFacts
from proxy.wire.openai.realtime.asked import model_asked

FIRST_INPUT_TOKENS: Final = 1024
"""What is held for what a session begins with; whatever comes is counted as it comes."""
UNREAD: Final = Found(is_whole=False, unread=1)
"""What is said in a session cannot be looked through before it is opened, and rules see that."""


def ask_session(journey: Journey, rooms: Rooms) -> None:
    """Read what the query asks for; the body that policies see is written of it.

    Raises:
        Refused: INVALID_REQUEST, CAPABILITY_MISSING.
    """
    model = model_asked(journey.call.query)
    journey.facts = RequestFacts(model=model, streamed=True, has_tools=True)
    journey.model = model
    journey.body = journey.original = body_of(model)
    journey.found = UNREAD if journey.snapshot.reads_findings else None
    journey.unreleased = ()
    journey.mark("read", rooms.clock.monotonic_ns())


def body_of(model: str, tools: object = ()) -> bytes:
    """A session as one request: what rules and the tool gate read."""
    return msgspec.json.encode({"model": model, "modalities": ["text", "audio"], "tools": tools})


def estimate_session(journey: Journey, rooms: Rooms) -> None:
    """Price the session's first response, highest over its candidates; what follows is held as it comes.

    Raises:
        Refused: UNPRICED_MODEL, INVALID_REQUEST.
    """
    journey.lines = lines_of(journey)
    candidates = journey.resolution.candidates if journey.resolution else ()
    journey.prices.clear()
    for candidate in candidates:
        journey.prices[candidate] = find_price(journey, candidate)
    journey.estimate = worst(journey, FIRST_INPUT_TOKENS, rooms)
    journey.mark("estimate", rooms.clock.monotonic_ns())


def refuse_uncarried(journey: Journey) -> None:
    """Refuse a session that a rule wants changed in a way that nobody could see to while it runs.

    Raises:
        Refused: CAPABILITY_MISSING, naming the obligation.
    """
    duties = None if journey.decision is None else journey.decision.duties
    if duties is None:
        return
    asked = {"cap_tokens": duties.cap_tokens, "strip_tool": duties.strip_tools, "redact": duties.redact}
    for name, value in asked.items():
        if value:
            raise Refused(
                Refusal.CAPABILITY_MISSING,
                f"The policy obliges to `{name}`, which is not done to realtime sessions; deny the endpoint "
                "`realtime` or exempt it from that rule.",
                param=name,
                by=f"policy/{name}",
            )
