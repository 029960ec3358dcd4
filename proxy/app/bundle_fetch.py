"""Fetches bundles of policies: checked addresses only, no redirects, a bounded answer (OPA's bundle service API)."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import aiohttp

from proxy.policy import MOST_PACKED, BundleSettings
from proxy.upstream import GuardedResolver

_OK: Final = 200
_UNCHANGED: Final = 304
_CHUNK: Final = 64 * 1024


class NotFetched(Exception):
    """No bundle was to be had; the text says why, and repeats no address or token."""


class Fetched(NamedTuple):
    """What a server answered: a bundle and what it calls it, or None where that is unchanged."""

    archive: bytes | None
    etag: str


class BundleFetch:
    """Asks for a bundle over a connection of its own that is closed after the answer."""

    def __init__(self, look_up: Callable[[str, int], Awaitable[list[str]]] | None = None) -> None:
        """`look_up` gives the addresses of a name; by default the operating system's."""
        self._look_up = look_up

    async def __call__(self, settings: BundleSettings, etag: str = "") -> Fetched:
        """The bundle at `settings.url`, unless it is still what the server called `etag`.

        Raises:
            NotFetched: it cannot be reached, answers something else, too much or too late.
        """
        try:
            async with (
                self._session(settings) as session,
                session.get(settings.url or "", headers=_headers(settings, etag), allow_redirects=False) as answer,
            ):
                return await _read(answer, etag)
        except TimeoutError:
            raise NotFetched(f"no whole answer within {settings.timeout_s} s") from None
        except aiohttp.ClientConnectorError as error:
            why = error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__
            raise NotFetched(f"cannot be reached: {why}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Never its text: a URL with a secret in its query could stand in it.
            raise NotFetched(f"cannot be asked: {type(error).__name__}") from None

    def _session(self, settings: BundleSettings) -> aiohttp.ClientSession:
        resolver = GuardedResolver(allow_private=settings.allow_private, look_up=self._look_up)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            auto_decompress=False,
            trust_env=False,
        )


def _headers(settings: BundleSettings, etag: str) -> dict[str, str]:
    headers = {"user-agent": "flyball", "accept-encoding": "identity", "prefer": "modes=snapshot"}
    if settings.token is not None:
        headers["authorization"] = f"Bearer {settings.token.reveal()}"
    if etag:
        headers["if-none-match"] = etag
    return headers


async def _read(answer: aiohttp.ClientResponse, etag: str) -> Fetched:
    if answer.status == _UNCHANGED and etag:
        return Fetched(None, etag)
    if answer.status != _OK:
        raise NotFetched(f"the server answers {answer.status}")
    read = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        read += chunk
        if len(read) > MOST_PACKED:
            raise NotFetched(f"the server sends more than {MOST_PACKED:,} bytes")
    return Fetched(bytes(read), answer.headers.get("etag", ""))
