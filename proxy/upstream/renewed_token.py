"""A token that runs out: fetched once for all who wait, and anew beside the calls before it does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from proxy.upstream.failure import UpstreamFailed

EARLY_S: Final = 300.0
"""So long before its end a token is renewed: Google and Microsoft give one for an hour."""
AGAIN_S: Final = 5.0
"""So long after a failure it is tried again while the old token is good."""
log = logging.getLogger("flyball.upstream")


class Token(NamedTuple):
    """What a token endpoint has given, and for how many seconds it is good."""

    text: str
    lifetime_s: float


class RenewedToken:
    """One token, shared by everyone on an event loop."""

    def __init__(self, name: str, fetch: Callable[[], Awaitable[Token]]) -> None:
        """`name` says in the log whose it is. `fetch` raises UpstreamFailed, `sent` false."""
        self._name = name
        self._fetch = fetch
        self._text = ""
        self._ends_at = self._try_at = 0.0
        self._renewing: asyncio.Task[None] | None = None
        self._failure: UpstreamFailed | None = None

    async def text(self) -> str:
        """The token; waits only where there is none that is good.

        Raises:
            UpstreamFailed: none could be had.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._ends_at:
            # Waited for, not awaited: a caller that gives up must not end it for the others.
            await asyncio.wait({self._renewal()})
            if asyncio.get_running_loop().time() >= self._ends_at:
                raise self._failure or UpstreamFailed("credentials", "no token could be had", sent=False)
        elif now >= self._ends_at - EARLY_S and now >= self._try_at:
            self._renewal()
        return self._text

    def _renewal(self) -> "asyncio.Task[None]":
        loop = asyncio.get_running_loop()
        if self._renewing is None or self._renewing.done() or self._renewing.get_loop() is not loop:
            self._renewing = loop.create_task(self._renew())
        return self._renewing

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            token = await self._fetch()
        except UpstreamFailed as failure:
            self._failure, self._try_at = failure, loop.time() + AGAIN_S
            log.warning("no new token", extra={"provider": self._name, "error": failure.message})
            return
        self._text, self._ends_at, self._failure = token.text, loop.time() + token.lifetime_s, None
