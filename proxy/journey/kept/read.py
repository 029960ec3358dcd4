"""read and runs: what a carried call's head and, where it may name objects, its body say."""

import asyncio
from typing import Final

from proxy.journey.kept.passage import Passage, Upload
from proxy.journey.read import claim
from proxy.journey.rooms import Rooms
from proxy.policy import Found
from proxy.wire.openai.carried import carried_facts
from proxy.wire.openai.references import references_in
from proxy.wire.place import Does, Spends

INLINE_BYTES: Final = 16_384
WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})
_JSON: Final = (b"", b"application/json")
SAID: Final = frozenset({"response", "chat_completion", "conversation", "thread", "message_batch"})
"""What holds a model's own words, as it said them before any rule looked."""
UNREAD: Final = Found(is_whole=False, unread=1)


async def read(passage: Passage, rooms: Rooms) -> None:
    """Read the body, unless it is a file or of a path that nobody here knows: those are sent on as they come.

    Raises:
        Refused: REQUEST_TOO_LARGE, INVALID_REQUEST.
    """
    journey, place = passage.journey, passage.place
    call = journey.call
    content_type = call.headers.get(b"content-type", b"")
    if place.streams_in or (place.does is Does.UNKNOWN and not _is_plain_json(passage)):
        if call.method not in WITHOUT_BODY:
            passage.upload = Upload(passage.exchange)
    elif call.method not in WITHOUT_BODY or _has_body(passage):
        journey.body = journey.original = await journey.exchange.body()
    body = journey.body
    if len(body) > INLINE_BYTES:
        journey.facts = await asyncio.to_thread(carried_facts, body)
    else:
        journey.facts = carried_facts(body)
    journey.model = journey.facts.model
    if place.spends is not Spends.NOTHING or place.kind in SAID:
        journey.gate = "none"
    if body or passage.upload is not None:
        journey.found = UNREAD  # no detector knows what it looks like
    if body and place.does is not Does.UNKNOWN:
        if len(body) > INLINE_BYTES:
            passage.named = await asyncio.to_thread(references_in, body, content_type)
        else:
            passage.named = references_in(body, content_type)
    claim(journey)
    journey.mark("read", rooms.clock.monotonic_ns())


def _is_plain_json(passage: Passage) -> bool:
    headers = passage.journey.call.headers
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind in _JSON and b"content-encoding" not in headers


def _has_body(passage: Passage) -> bool:
    headers = passage.journey.call.headers
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
