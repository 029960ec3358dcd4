"""A ping stands between events, never in one, and never after the end."""

import asyncio
from typing import Final

from proxy.journey.pinger import Pinger
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.stream import StreamTap
from tests.harness.one_worker import EVENT

PING: Final = b": ping\n\n"
LARGE: Final = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 200_000


class Taken:
    """The client's end: what was sent to it, in order."""

    started = True

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def gone(self) -> bool:
        """Never."""
        return False

    async def send(self, chunk: bytes) -> None:
        """Take it."""
        self.sent.append(chunk)


async def test_silence_is_filled_between_events() -> None:
    taken = Taken()
    pinger = Pinger(taken, StreamTap(Endpoint.CHAT, strip_usage=False), 0.01, PING)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    pinger.stop()
    assert set(taken.sent) == {PING}


async def test_an_event_that_begins_while_a_ping_is_on_its_way_is_not_torn() -> None:
    taken, tap = Taken(), StreamTap(Endpoint.CHAT, strip_usage=False)
    tap.feed(EVENT)
    pinger = Pinger(taken, tap, 3600, PING)  # type: ignore[arg-type]
    pinger._ping()
    # The relay's turn comes first: it forwards the beginning of an event too large to be kept back.
    await taken.send(tap.feed(LARGE))
    assert not tap.between_events
    await asyncio.sleep(0)
    pinger.stop()
    assert PING not in taken.sent


async def test_no_ping_follows_the_end() -> None:
    taken, tap = Taken(), StreamTap(Endpoint.CHAT, strip_usage=False)
    pinger = Pinger(taken, tap, 3600, PING)  # type: ignore[arg-type]
    pinger._ping()
    pinger.stop()
    await asyncio.sleep(0)
    assert taken.sent == []
