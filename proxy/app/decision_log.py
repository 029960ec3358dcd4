"""Decision logs, plugged together in the collector: what was shipped of decisions goes on to a server of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from proxy import __version__
from proxy.core.ids import new_id
from proxy.policy import DecisionLogSettings, LogSender, NotSent, entries_of
from proxy.upstream import GuardedResolver

_HEADERS: Final = {"content-type": "application/json", "content-encoding": "gzip"}


class DecisionLog:
    """Takes spooled rows and sends them on; `run` until cancelled."""

    def __init__(
        self,
        settings: DecisionLogSettings,
        look_up: Callable[[str, int], Awaitable[list[str]]] | None = None,
    ) -> None:
        """`look_up` gives the addresses of a name; by default the operating system's."""
        self._settings = settings
        self._look_up = look_up
        self._session: aiohttp.ClientSession | None = None
        self._labels = {"app": "flyball", "id": new_id("wrk"), "version": __version__}
        self._sender = LogSender(self._post, settings.buffer_mb * 1024 * 1024)
        self.figures = self._sender.figures

    async def take(self, content: bytes) -> None:
        """Rows of decisions that ClickHouse has, as they were spooled; waits for no server."""
        self._sender.put(*await asyncio.to_thread(entries_of, content.splitlines(), self._labels))

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            await self._sender.run()
        finally:
            if self._session is not None:
                await self._session.close()

    async def _post(self, body: bytes) -> int:
        settings = self._settings
        headers = dict(_HEADERS)
        if settings.token is not None:
            headers["authorization"] = f"Bearer {settings.token.reveal()}"
        timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        url = f"{(settings.url or '').rstrip('/')}/logs"
        try:
            session = self._opened()
            async with session.post(url, data=body, headers=headers, allow_redirects=False, timeout=timeout) as answer:
                return answer.status
        except TimeoutError:
            raise NotSent(f"no answer within {settings.timeout_s} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Never its text: a URL that is itself a secret could stand in it.
            raise NotSent(f"cannot be reached: {type(error).__name__}") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = GuardedResolver(allow_private=self._settings.allow_private, look_up=self._look_up)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session
