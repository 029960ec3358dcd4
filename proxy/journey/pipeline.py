"""The order of a call's journey (DESIGN §2); only this file knows it."""

from typing import Final

from proxy.journey.account import accounted
from proxy.journey.attempts.reach import reach
from proxy.journey.caching.cached import answered
from proxy.journey.caching.keeping import leave_flight
from proxy.journey.caching.look import look
from proxy.journey.caching.seek import seek
from proxy.journey.call import Call, Exchange
from proxy.journey.decide import decide
from proxy.journey.errands.copies import send_copies
from proxy.journey.estimate import estimate
from proxy.journey.find import find
from proxy.journey.hold import hold
from proxy.journey.identify import identify
from proxy.journey.kept.lean import lean_on_own
from proxy.journey.pump import pump
from proxy.journey.read import claim, read
from proxy.journey.recall import recall, replay
from proxy.journey.released import look_back
from proxy.journey.resolve import resolve, select
from proxy.journey.rooms import Rooms
from proxy.policy import Point

_REQUEST: Final = Point.REQUEST
_ROUTE: Final = Point.ROUTE


async def travel(call: Call, exchange: Exchange, rooms: Rooms) -> None:
    """Carry one call from its key to its last byte; every branch behind `identify` ends in exactly one operation row.

    Raises:
        Refused: the call is answered with a refusal; nothing of an answer was sent yet.
    """
    journey = identify(call, exchange, rooms)
    async with accounted(journey, rooms):
        await read(journey, rooms)
        claim(journey)
        while journey.granted is None:  # once more where a ladder names another model
            resolve(journey, rooms)
            if journey.request.stateful:
                await lean_on_own(journey, rooms)
            await estimate(journey, rooms)
            await find(journey, rooms)
            await look_back(journey, rooms)
            await decide(journey, rooms, _REQUEST)
            await recall(journey, rooms)
            if journey.looked is not None:
                await leave_flight(journey, journey.looked, rooms)
            look(journey, rooms)
            if journey.looked is not None and journey.looked.serves and await answered(journey, journey.looked, rooms):
                return
            if rooms.semantic is not None:
                seek(journey, rooms)
            await hold(journey, rooms)
        if journey.recalled is not None:
            await replay(journey, journey.recalled, rooms)
            return
        await decide(journey, rooms, _ROUTE)
        await select(journey, rooms)
        response = await reach(journey, rooms)
        await pump(journey, response, rooms)
        send_copies(journey, rooms)
