"""Calls that keep coming while something is done to Flyball."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from proxy.sim import SimServer
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import chat

STREAM_TOKENS = 120
UNARY_TOKENS = 20


@dataclass(kw_only=True)
class Load:
    """So many callers at once, each making one call after the other: streams and whole answers in turn."""

    client: RawClient
    callers: int
    answers: dict[str, Answer] = field(default_factory=dict)

    async def during(self, what: Callable[[], Awaitable[None]]) -> None:
        """Call for as long as `what` runs, and let calls under way end."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as callers:
            for caller in range(self.callers):
                callers.create_task(self._keep_calling(caller, over))
            await what()
            over.set()

    @property
    def served(self) -> set[str]:
        """The calls that ended as they should: 200 and whole."""
        return {name for name, answer in self.answers.items() if answer.status == 200 and answer.is_whole}

    async def _keep_calling(self, caller: int, over: asyncio.Event) -> None:
        number = 0
        while not over.is_set():
            number += 1
            stream = (caller + number) % 2 == 0
            name = f"call-{caller}-{number}"
            body = chat(name, stream=stream, tokens=STREAM_TOKENS if stream else UNARY_TOKENS)
            self.answers[name] = await self.client.call(body)


def reached(sim: SimServer) -> list[str]:
    """The names of all calls that reached the provider, as often as they did."""
    return [
        each.body.partition(b'"session_id": "')[2].partition(b'"')[0].decode() for each in sim.provider.seen.requests
    ]
