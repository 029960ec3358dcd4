"""One call taken as far as its target, in this process: nothing is held, sent or written."""

import time
from collections.abc import Mapping
from typing import cast

from proxy.journey.call import Call, Exchange
from proxy.journey.estimate import estimate
from proxy.journey.identify import identify
from proxy.journey.read import claim, read
from proxy.journey.resolve import resolve, select
from proxy.journey.state import Journey
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.dialect import OPENAI
from tests.harness.one_worker import KEY, OneWorker


class _Sent:
    """A client that has sent its body; nothing is answered."""

    started = False

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def body(self) -> bytes:
        """What was sent."""
        return self._body


async def begun(
    house: OneWorker, body: bytes, headers: Mapping[bytes, bytes] | None = None, number: int = 0
) -> Journey:
    """A chat that was read, and says what it belongs to."""
    call = Call(
        operation=f"op_{number}",
        dialect=OPENAI,
        endpoint=Endpoint.CHAT,
        path="/chat/completions",
        query=b"",
        raw_headers=list((headers or {}).items()),
        headers=headers or {},
        secret=KEY,
        received_ns=time.monotonic_ns(),
        arrived_ns=time.time_ns(),
    )
    journey = identify(call, cast(Exchange, _Sent(body)), house.rooms)
    await read(journey, house.rooms)
    claim(journey)
    return journey


async def routed(
    house: OneWorker, body: bytes, headers: Mapping[bytes, bytes] | None = None, number: int = 0
) -> Journey:
    """A chat whose target was chosen."""
    journey = await begun(house, body, headers, number)
    resolve(journey, house.rooms)
    await estimate(journey, house.rooms)
    await select(journey, house.rooms)
    return journey
