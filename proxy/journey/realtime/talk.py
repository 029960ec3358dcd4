"""The order of a realtime session's journey: that of a call, with a conversation in the place of an answer."""

from typing import Final

from proxy.journey.account import accounted
from proxy.journey.call import Call
from proxy.journey.decide import decide
from proxy.journey.hold import hold
from proxy.journey.identify import identify
from proxy.journey.read import claim
from proxy.journey.realtime.ask import ask_session, estimate_session, refuse_uncarried
from proxy.journey.realtime.client import ClientSocket
from proxy.journey.realtime.connect import answer_headers, connect
from proxy.journey.realtime.session import Session
from proxy.journey.resolve import resolve, select
from proxy.journey.rooms import Rooms
from proxy.policy import Point

_REQUEST: Final = Point.REQUEST
_ROUTE: Final = Point.ROUTE


async def talk(call: Call, client: ClientSocket, rooms: Rooms) -> None:
    """Carry one session from its key to its close; behind `identify` it ends in exactly one operation row.

    The row has an attempt for each response and each transcription that was billed, and last one for the session.

    Raises:
        Refused: the session is refused, or the worker ends.
    """
    journey = identify(call, client, rooms)
    async with accounted(journey, rooms):
        ask_session(journey, rooms)
        claim(journey)
        while journey.granted is None:  # once more where a ladder names another model
            resolve(journey, rooms)
            estimate_session(journey, rooms)
            await decide(journey, rooms, _REQUEST)
            refuse_uncarried(journey)
            await hold(journey, rooms)
        await decide(journey, rooms, _ROUTE)
        await select(journey, rooms)
        upstream = await connect(journey, client, rooms)
        if upstream is None:
            return
        try:
            await client.accept(upstream.subprotocol, answer_headers(journey, upstream, rooms))
            await Session(journey, client, upstream, rooms).run()
        finally:
            upstream.abort()
