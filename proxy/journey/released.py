"""Which tool calls this run was given: noted before they go on, looked up when results come back.

Only where a rule reads `tool_results_unreleased`: elsewhere nothing is noted, and nothing is looked up.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import MOST_OF_A_KEY, MOST_OF_A_RUN, ReleasedUnavailable, call_mark, run_mark
from proxy.wire.tool_calls import ToolCall
from proxy.wire.tool_results import LEGACY, ToolResult

INLINE_BYTES: Final = 32 * 1024
log = logging.getLogger("flyball.journey")


async def look_back(journey: Journey, rooms: Rooms) -> None:
    """Find the results in the call's history whose calls its run was never given, once.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE when it cannot be told.
    """
    if not journey.snapshot.reads_results or journey.unreleased is not None:
        return
    endpoint, body, read = journey.call.endpoint, journey.body, journey.call.dialect.tool_results
    if len(body) <= INLINE_BYTES:
        results = read(endpoint, body)
    else:
        results = await asyncio.to_thread(read, endpoint, body)
    journey.unreleased = await _never_given(journey, results, rooms) if results else ()
    journey.mark("policy", rooms.clock.monotonic_ns())


async def note_released(journey: Journey, rooms: Rooms, calls: Iterable[ToolCall]) -> None:
    """Remember calls that are about to reach the client; none of them goes on before every worker would know it.

    One that cannot be noted goes on all the same: its result will count as one to a call that was never given.
    """
    ids = {call_mark(call.id or LEGACY + call.name) for call in calls}
    if not ids:
        return
    try:
        most = MOST_OF_A_RUN if journey.claims.run else MOST_OF_A_KEY
        await asyncio.to_thread(rooms.released.note, _run(journey), sorted(ids), rooms.clock.now_ns(), most)
    except ReleasedUnavailable as error:
        log.error("tool calls not noted", extra={"operation": journey.call.operation, "error": str(error)})


async def _never_given(journey: Journey, results: list[ToolResult], rooms: Rooms) -> tuple[ToolResult, ...]:
    marks = {result: call_mark(result.id) for result in results}
    asked = sorted(set(marks.values()))
    try:
        given = await asyncio.to_thread(rooms.released.given, _run(journey), asked, rooms.clock.now_ns())
    except ReleasedUnavailable as error:
        raise Refused(
            Refusal.DEPENDENCY_UNAVAILABLE,
            "It cannot be told now which tool calls were given, so nothing may pass; try again shortly.",
            facts={"dependency": "released_calls", "detail": str(error)},
            retry_after_s=1,
        ) from error
    return tuple(result for result in results if not result.id or marks[result] not in given)


def _run(journey: Journey) -> bytes:
    principal = journey.principal
    return run_mark(principal.org, principal.key_id, journey.claims.run)
