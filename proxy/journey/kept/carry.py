"""The order of a carried call's journey; only this file knows it."""

from typing import Final

from proxy.journey.account import accounted
from proxy.journey.call import Call, UploadExchange
from proxy.journey.decide import decide
from proxy.journey.hold import hold
from proxy.journey.identify import identify
from proxy.journey.kept.own import own
from proxy.journey.kept.passage import Passage
from proxy.journey.kept.price import price
from proxy.journey.kept.read import read
from proxy.journey.kept.relay import relay
from proxy.journey.kept.send import send
from proxy.journey.kept.settle import close_bill
from proxy.journey.resolve import select
from proxy.journey.rooms import Rooms
from proxy.policy import Point
from proxy.wire.place import Place

_REQUEST: Final = Point.REQUEST
_ROUTE: Final = Point.ROUTE


async def carry(call: Call, exchange: UploadExchange, rooms: Rooms, place: Place) -> None:
    """Carry one call from its key to its last byte; every branch behind `identify` ends in exactly one operation row.

    Raises:
        Refused: the call is answered with a refusal; nothing of an answer was sent yet.
        UpstreamFailed: the provider broke off, or the client left, when a part of the answer was sent.
    """
    journey = identify(call, exchange, rooms)
    async with accounted(journey, rooms):
        passage = Passage(journey, place, exchange)
        await read(passage, rooms)
        await own(passage, rooms)
        while journey.granted is None:  # once more where a ladder delays the call
            await price(passage, rooms)
            await decide(journey, rooms, _REQUEST)
            await hold(journey, rooms)
        await decide(journey, rooms, _ROUTE)
        await select(journey, rooms)
        try:
            response = await send(passage, rooms)
            await relay(passage, response, rooms)
        finally:
            close_bill(passage, rooms)
