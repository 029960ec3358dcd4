"""How a realtime session ends: what its row says, what the client is told, and with which close code."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from proxy.core.outcome import Outcome
from proxy.core.refusal import JsonValue, Refusal, Refused
from proxy.journey.halt import Halt
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.openai.realtime.own_event import error_event, told_event

POLICY_VIOLATION: Final = 1008
GOING_AWAY: Final = 1001
RESTARTING: Final = 1012
BROKEN: Final = 1011
NORMAL: Final = 1000
_SENDABLE: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class Ending(Struct):
    """The end of one session. `code` and `reason` close the client's side, after `event` where there is one."""

    outcome: Outcome
    code: int
    reason: str = ""
    event: str = ""
    refusal: str = ""
    error: str = ""
    said: str = ""
    by: str = ""
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


def by_client(code: int, *, in_flight: bool) -> Ending:
    """The client left; with a response under way that is a cancelled one."""
    clean = code in (NORMAL, GOING_AWAY, 1005) and not in_flight
    return Ending(Outcome.OK if clean else Outcome.CANCELLED, NORMAL, error="" if clean else "client_left")


def by_provider(journey: Journey, code: int, reason: str, *, in_flight: bool) -> Ending:
    """The provider ended it; what it says is passed on, and a break is told."""
    if code in _SENDABLE or 3000 <= code < 5000:
        clean = code in (NORMAL, GOING_AWAY) and not in_flight
        error = "" if clean else f"closed_{code}"
        return Ending(Outcome.OK if clean else Outcome.TRUNCATED, code, reason, error=error)
    name = journey.attempts[-1].provider.name if journey.attempts else ""
    event = told_event(
        journey.call.operation,
        Refusal.UPSTREAM_TRUNCATED.error_type,
        Refusal.UPSTREAM_TRUNCATED.code,
        f"The provider {name!r} broke the session off.",
    )
    return Ending(Outcome.TRUNCATED, BROKEN, "upstream_truncated", event, error="reset")


def by_refusal(journey: Journey, refused: Refused) -> Ending:
    """The session may not go on: there is no money, or a rule says no."""
    event = error_event(journey.call.operation, refused)
    code = refused.why.code
    close = BROKEN if refused.status >= 500 else POLICY_VIOLATION
    return Ending(Outcome.TRUNCATED, close, code, event, refusal=code, error=code, said=refused.message, by=refused.by)


def by_halt(journey: Journey, halt: Halt) -> Ending:
    """People ended it: its run was killed, or a kill switch is of it."""
    refused = Refused(halt.refusal, f"The session was ended: {halt.said}.", facts=halt.facts, by=halt.by)
    return by_refusal(journey, refused)


def by_time(journey: Journey, seconds: float) -> Ending:
    """It has lasted as long as it may."""
    message = f"A session lasts {seconds:g} s at most (limits.realtime_session_s); open a new one."
    event = told_event(journey.call.operation, "invalid_request_error", "session_expired", message)
    return Ending(Outcome.OK, GOING_AWAY, "session_expired", event, error="session_expired", said=message)


def by_shutdown(journey: Journey) -> Ending:
    """The worker ends."""
    refused = Refused(Refusal.SHUTTING_DOWN, "Flyball was stopped; open the session again.")
    return Ending(
        Outcome.TRUNCATED,
        RESTARTING,
        refused.why.code,
        error_event(journey.call.operation, refused),
        error="shutting_down",
    )


def note_ending(journey: Journey, ending: Ending, rooms: Rooms) -> None:
    """Write into the session's facts how it ended."""
    now_ns = rooms.clock.monotonic_ns()
    for attempt in journey.attempts:
        attempt.ended_ns = attempt.ended_ns or now_ns
    session = journey.attempts.pop(0)
    journey.attempts.append(session)  # the operation's row is told by the last
    session.outcome = journey.outcome = ending.outcome
    session.error = journey.error = ending.error
    if ending.refusal:
        journey.code = ending.refusal
    if ending.by:
        journey.measured.refused_by = ending.by
    if ending.said:
        journey.say(ending.said)
