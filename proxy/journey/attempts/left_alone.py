"""left_alone: where all targets of a route are not to be asked for some time, nobody is."""

import math
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.journey.translated import choose
from proxy.routing import Ranking

TOO_MANY: Final = 429
"""What each of the targets would say; clients wait and come again."""


async def pass_by_those_left_alone(journey: Journey, ranking: Ranking, rooms: Rooms) -> None:
    """See that the first target asked is not one that has said, or shown, that it wants to be left alone.

    Raises:
        Refused: UPSTREAM_OVERLOADED where all of them do, with the shortest of their waits; CAPABILITY_MISSING where
            the request cannot be put into the dialect of those that do not.
    """
    look = rooms.health.look
    if journey.candidate is None or not look(journey.candidate).wait_s:
        return
    looks = {each.candidate: look(each.candidate) for each in ranking.order}
    askable = tuple(each for each, seen in looks.items() if not seen.wait_s)
    if askable:
        journey.candidate = await choose(journey, askable)
        return
    wait_s = math.ceil(min(seen.wait_s for seen in looks.values()))
    why = "; ".join(f"{each.provider}: {seen.why}" for each, seen in looks.items())
    raise Refused(
        Refusal.UPSTREAM_OVERLOADED,
        f"All targets of the model {journey.model[:200]!r} are left alone for now ({why}); try again in {wait_s} s.",
        facts={"model": journey.model[:200], "targets": [*sorted({each.provider for each in looks})], "wait_s": wait_s},
        retry_after_s=wait_s,
        status=TOO_MANY,
    )
