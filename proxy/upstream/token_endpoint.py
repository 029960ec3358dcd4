"""A token endpoint of OAuth 2.0 (RFC 6749): a form is posted, and a token that runs out comes back."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.renewed_token import Token

_FETCH_S: Final = 20.0
_MOST_BYTES: Final = 64 * 1024
_LONGEST_SAID: Final = 300
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class _Given(msgspec.Struct):
    access_token: str
    expires_in: float


def is_safe(url: str) -> bool:
    """Whether secrets may be posted to a URL: https, or a server on this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in _HERE)


async def fetch_token(url: str, form: Mapping[str, str]) -> Token:
    """Post a form to an endpoint, and read the token in its answer. Redirects are not followed.

    Raises:
        UpstreamFailed: there is no token; nothing was sent to the provider itself.
    """
    try:
        timeout = aiohttp.ClientTimeout(total=_FETCH_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=form, allow_redirects=False) as answer,
        ):
            return _read(url, answer.status, await answer.content.read(_MOST_BYTES))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _failed(url, str(error) or type(error).__name__) from error


def _read(url: str, status: int, body: bytes) -> Token:
    if status != 200:
        raise _failed(url, f"{status}: {body[:_LONGEST_SAID].decode('utf-8', 'replace')}")
    try:
        given = msgspec.json.decode(body, type=_Given, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _failed(url, "its answer holds no token") from None
    if not given.access_token.isascii() or not given.access_token.isprintable() or given.expires_in <= 0:
        raise _failed(url, "its token cannot be sent as a header")
    return Token(given.access_token, given.expires_in)


def _failed(url: str, why: str) -> UpstreamFailed:
    return UpstreamFailed("credentials", f"no token from {url}: {why}", sent=False)
