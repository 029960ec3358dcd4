"""relay: a carried call's answer goes back byte for byte; what it tells of objects and money is read on the way."""

import asyncio
from typing import Final

from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.account import account
from proxy.journey.answer_headers import answer_headers, stream_headers
from proxy.journey.call import Headers
from proxy.journey.inflating import inflated
from proxy.journey.kept.due import defer
from proxy.journey.kept.finish import finish
from proxy.journey.kept.first_event import FirstEvent
from proxy.journey.kept.lists import owned_list
from proxy.journey.kept.note import forget, note
from proxy.journey.kept.passage import Passage
from proxy.journey.kept.settle import settle
from proxy.journey.patience import Unread
from proxy.journey.rooms import Rooms
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.openai.yielded import named_in
from proxy.wire.place import Does, Spends

BODILESS: Final = frozenset({204, 304})
_OF_THE_BYTES: Final = frozenset({b"content-encoding", b"content-length", b"content-md5", b"digest", b"etag"})
"""Headers that say something of the bytes that came, and nothing of others."""


async def relay(passage: Passage, response: UpstreamResponse, rooms: Rooms) -> None:
    """Relay the answer: JSON whole, so that its objects are noted before anybody asks for them; all else as it comes.

    Raises:
        Refused: UPSTREAM_TRUNCATED when the upstream stops early and nothing was sent yet.
        UpstreamFailed: it stopped early, or the client left; a part was sent.
    """
    unread = Unread(passage.journey.attempts[-1])
    try:
        if _is_json(response) and passage.place.does is not Does.UNKNOWN:
            await _relay_whole(passage, response, rooms)
        else:
            await _relay_parts(passage, response, rooms)
    except UpstreamFailed as failure:
        await _cut(passage, failure, rooms)
    except asyncio.CancelledError:
        if not unread.passed:
            raise
        await _cut(passage, UpstreamFailed("aborted", "the client did not take its answer", sent=True), rooms)
    finally:
        unread.stop()
        await response.close()


async def _relay_whole(passage: Passage, response: UpstreamResponse, rooms: Rooms) -> None:
    journey, exchange = passage.journey, passage.journey.exchange
    attempt = journey.attempts[-1]
    must_be_read = passage.place.does in (Does.LIST, Does.MAKE) and not passage.provider.shares_state
    most = rooms.settings.metered_answer_bytes if must_be_read else rooms.settings.buffered_answer_bytes
    parts: list[bytes] = []
    while (chunk := await response.chunk()) is not None:
        attempt.response_bytes += len(chunk)
        if not exchange.started:
            parts.append(chunk)
        if exchange.started:
            await exchange.send(chunk)
        elif attempt.response_bytes > most:
            if must_be_read:
                raise UpstreamFailed("aborted", "the answer is too large to be looked through", sent=True)
            await exchange.start(response.status, answer_headers(journey, response, rooms))
            for part in parts:
                await exchange.send(part)
            parts.clear()
    _over(passage, rooms)
    if exchange.started:  # too large to have been kept: nothing in it is the caller's to have noted
        await settle(passage, response, b"", rooms)
        await account(journey, rooms)
        await exchange.finish()
        return
    whole = b"".join(parts)
    changed = await _read(passage, response, whole, rooms)
    await account(journey, rooms)
    headers = answer_headers(journey, response, rooms)
    if changed is not None:
        whole, headers = changed, [pair for pair in headers if pair[0] not in _OF_THE_BYTES]
    await exchange.answer(response.status, _with_length(response.status, headers, len(whole)), whole)


async def _read(passage: Passage, response: UpstreamResponse, whole: bytes, rooms: Rooms) -> bytes | None:
    """Note what the answer names and bill it; the body to send in its place where it lists what is others'."""
    journey, readable = passage.journey, inflated(response, whole)
    changed = None
    if response.status < 300:
        if passage.place.does is Does.LIST and not passage.provider.shares_state:
            changed = await owned_list(passage, readable, rooms)
        elif passage.place.spends is Spends.BATCH:
            await defer(journey, journey.attempts[-1], named_in(readable, passage.place.yields), rooms)
        else:
            await note(passage, readable, rooms)
            if (kept := passage.kept.get(passage.place.id)) is not None and passage.place.is_shown(journey.call.method):
                await finish(kept, readable, rooms)
        await forget(passage, rooms)
    await settle(passage, response, readable, rooms)
    return changed


async def _relay_parts(passage: Passage, response: UpstreamResponse, rooms: Rooms) -> None:
    """A file, a stream or nothing at all: sent on as it comes, as slowly as the client takes it."""
    journey, exchange = passage.journey, passage.journey.exchange
    attempt = journey.attempts[-1]
    if passage.upload is None or passage.upload.is_whole:  # who watches must have read the request
        exchange.watch(response.abort)
    first = FirstEvent() if passage.place.yields and _is_stream(response) else None
    headers = answer_headers(journey, response, rooms)
    if response.status in BODILESS:
        headers = [pair for pair in headers if pair[0] != b"content-length"]
    await exchange.start(response.status, stream_headers(headers) if _is_stream(response) else headers)
    while (chunk := await response.chunk()) is not None:
        attempt.response_bytes += len(chunk)
        if first is not None:
            chunk, data = first.feed(chunk)
            if data is not None:
                first = None
                await note(passage, data, rooms)
        if chunk and not exchange.write(chunk):
            await exchange.send(chunk)
    if first is not None and (rest := first.close()):
        await exchange.send(rest)
    _over(passage, rooms)
    if response.status < 300:
        await forget(passage, rooms)
    await settle(passage, response, b"", rooms)
    await account(journey, rooms)
    await exchange.finish()


def _over(passage: Passage, rooms: Rooms) -> None:
    """The upstream has said all it had to say."""
    journey = passage.journey
    attempt = journey.attempts[-1]
    attempt.ended_ns = rooms.clock.monotonic_ns()
    journey.mark("upstream", attempt.ended_ns)
    journey.status = attempt.status
    journey.outcome = attempt.outcome = Outcome.OK if attempt.status < 400 else Outcome.UPSTREAM_ERROR
    if attempt.status >= 400:
        attempt.error = journey.error = f"http_{attempt.status}"


async def _cut(passage: Passage, failure: UpstreamFailed, rooms: Rooms) -> None:
    """The answer broke off: by the provider, or because nobody waits for it any more."""
    journey = passage.journey
    attempt, exchange = journey.attempts[-1], journey.exchange
    attempt.ended_ns = rooms.clock.monotonic_ns()
    attempt.error = journey.error = failure.kind
    gone = exchange.gone()
    journey.outcome = attempt.outcome = Outcome.CANCELLED if gone else Outcome.TRUNCATED
    journey.status = attempt.status if exchange.started else Refusal.UPSTREAM_TRUNCATED.status
    await settle(passage, None, b"", rooms)
    if exchange.started or gone:
        raise failure
    raise Refused(
        Refusal.UPSTREAM_TRUNCATED,
        f"The provider {attempt.provider.name!r} broke off in the middle of its answer ({failure.kind}).",
        facts={"provider": attempt.provider.name, "failure": failure.kind},
    ) from failure


def _is_json(response: UpstreamResponse) -> bool:
    return any(name == b"content-type" and b"json" in value.lower() for name, value in response.headers)


def _is_stream(response: UpstreamResponse) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in response.headers)


def _with_length(status: int, headers: Headers, length: int) -> Headers:
    if status in BODILESS:
        return [pair for pair in headers if pair[0] != b"content-length"]
    if any(name == b"content-length" for name, _ in headers):
        return headers
    return [*headers, (b"content-length", str(length).encode())]
