"""lists: of what a provider lists, only what is the caller's org's, in its order, over as many pages as it takes."""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from msgspec import Raw
from msgspec.structs import replace

from proxy.core.refusal import Refusal, Refused
from proxy.journey.inflating import inflated
from proxy.journey.kept.note import remember
from proxy.journey.kept.own import found
from proxy.journey.kept.passage import Passage
from proxy.journey.kept.send import request_of
from proxy.journey.rooms import Rooms
from proxy.upstream import UpstreamFailed
from proxy.wire.openai.yielded import ListPage, named_in, owned_of, read_page, with_items

MOST_PAGES: Final = 50
BOUNDS: Final = frozenset({"after", "before", "after_id", "before_id"})


async def owned_list(passage: Passage, first: bytes, rooms: Rooms) -> bytes:
    """The list that the client asked for, without what is others'; `first` is the provider's first page.

    Pages are asked for until as many are found as were wanted, and one more, which says whether there are others.

    Raises:
        Refused: CAPABILITY_MISSING where it is not found within the most pages that are asked for, or cannot be read.
        UpstreamFailed: a further page did not come.
    """
    page = read_page(first)
    if page is None:
        raise _unreadable("it is no list that can be read")
    wanted = _limit(passage) or len(page.items)
    shown: list[tuple[str, Raw]] = []
    current = page
    for _ in range(MOST_PAGES):
        ids = [id for id, _ in current.items if id]
        owned = await found(passage.journey, ids, rooms) if ids else {}
        here = [id for id, kept in owned.items() if kept.provider == passage.provider.name]
        shown += owned_of(current, here)
        if len(shown) > wanted or not current.has_more or not current.last:
            await _remember_outputs(passage, shown[:wanted], rooms)
            return with_items(page, shown[:wanted], has_more=len(shown) > wanted)
        current = await _next(passage, current.last, rooms)
    raise _unreadable(f"yours are not all within its first {MOST_PAGES} pages: ask for them by their ids")


async def _remember_outputs(passage: Passage, items: list[tuple[str, Raw]], rooms: Rooms) -> None:
    named = [each for _, raw in items for each in named_in(bytes(raw), passage.place.yields)]
    await remember(passage.journey, passage.provider.name, named, rooms)


async def _next(passage: Passage, after: str, rooms: Rooms) -> ListPage:
    pairs = parse_qsl(passage.journey.call.query.decode("latin-1"), keep_blank_values=True)
    cursor = passage.place.cursor
    query = urlencode([*(pair for pair in pairs if pair[0] not in BOUNDS), (cursor, after)]).encode()
    response = await rooms.transport.send(replace(request_of(passage), query=query))
    try:
        parts: list[bytes] = []
        size = 0
        while (chunk := await response.chunk()) is not None:
            size += len(chunk)
            if size > rooms.settings.metered_answer_bytes:
                raise UpstreamFailed("aborted", "the list is too large to be looked through", sent=True)
            parts.append(chunk)
    finally:
        await response.close()
    page = read_page(inflated(response, b"".join(parts))) if response.status < 300 else None
    if page is None:
        raise _unreadable("a further page of it could not be had")
    return page


def _limit(passage: Passage) -> int:
    for name, value in parse_qsl(passage.journey.call.query.decode("latin-1")):
        if name == "limit" and value.isdigit():
            return int(value)
    return 0


def _unreadable(why: str) -> Refused:
    return Refused(
        Refusal.CAPABILITY_MISSING,
        f"The provider's list holds what is others' too, and cannot be cut down to yours: {why}.",
    )
