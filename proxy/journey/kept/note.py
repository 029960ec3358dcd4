"""note: what an answer names is the caller's org's from now on; what was deleted is nobody's."""

import asyncio
import logging

from proxy.journey.kept.own import unowned
from proxy.journey.kept.passage import Passage
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.ownership import Kept, OwnershipUnavailable
from proxy.wire.openai.yielded import Named, named_in
from proxy.wire.place import Does

log = logging.getLogger("flyball.journey")


async def note(passage: Passage, answer: bytes, rooms: Rooms) -> None:
    """Remember whose the objects are that an answer names; done before anybody is told of them.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE: what cannot be remembered could never be asked for.
    """
    place, journey = passage.place, passage.journey
    named = named_in(answer, place.yields)
    if place.does is Does.MAKE and not named:
        log.warning("an object was made that names no id", extra={"operation": journey.call.operation})
    await remember(journey, passage.provider.name, named, rooms)


async def remember(journey: Journey, provider: str, named: list[Named], rooms: Rooms, *, due: bytes = b"") -> None:
    """Write ownership records; `due` is what the first of the objects still has to be billed for."""
    if not named:
        return
    principal, now_ns = journey.principal, rooms.clock.now_ns()
    kept = [
        Kept(
            id=each.id,
            provider=provider,
            org=principal.org,
            team=principal.team,
            key_id=principal.key_id,
            kind=each.kind,
            made_ns=now_ns,
            due=due if number == 0 else b"",
        )
        for number, each in enumerate(named)
    ]
    try:
        await asyncio.to_thread(rooms.ownership.note, kept)
    except OwnershipUnavailable as error:
        raise unowned(error) from error


async def forget(passage: Passage, rooms: Rooms) -> None:
    """An object that was deleted is nobody's any more."""
    journey, place = passage.journey, passage.place
    if journey.call.method != "DELETE" or not place.is_whole or place.id not in passage.kept:
        return
    try:
        await asyncio.to_thread(rooms.ownership.forget, journey.principal.org, passage.provider.name, place.id)
    except OwnershipUnavailable as error:
        # It is gone at the provider; the record only says whose it was.
        log.warning("an ownership record was not forgotten", extra={"error": str(error)})
