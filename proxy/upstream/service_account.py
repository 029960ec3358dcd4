"""Vertex AI's credentials: a service account signs who it is, and Google gives a token for that (RFC 7523).

Source: Google Cloud, "Using OAuth 2.0 for Server to Server Applications".
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.core.clock import SystemClock
from proxy.core.secret import Secret
from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.failure import UpstreamFailed
from proxy.upstream.headers import RawHeader
from proxy.upstream.renewed_token import RenewedToken, Token

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NS_PER_S: Final = 1_000_000_000
_SIGNED_FOR_S: Final = 3600
_FETCH_S: Final = 20.0
_MOST_BYTES: Final = 64 * 1024
_LONGEST_SAID: Final = 300


class ServiceAccount(msgspec.Struct, frozen=True):
    """What a key file of Google Cloud says, as far as it is needed."""

    type: str
    client_email: str
    private_key: str
    token_uri: str = "https://oauth2.googleapis.com/token"
    private_key_id: str = ""


class _Given(msgspec.Struct):
    access_token: str
    expires_in: float


class ServiceAccountSigner:
    """Signs requests with the account's token."""

    def __init__(self, account: ServiceAccount) -> None:
        self._account = account
        self._token = RenewedToken(account.client_email, self._fetch)

    async def sign(self, method: str, url: str, headers: Sequence[RawHeader], body: bytes) -> list[RawHeader]:
        """The header with the token.

        Raises:
            UpstreamFailed: there is no token that is good, and none could be had; nothing was sent.
        """
        return [(b"authorization", b"Bearer " + (await self._token.text()).encode("latin-1"))]

    async def _fetch(self) -> Token:
        account = self._account
        assertion = await asyncio.to_thread(_assertion, account, SystemClock().now_ns() // NS_PER_S)
        form = {"grant_type": _GRANT, "assertion": assertion}
        try:
            timeout = aiohttp.ClientTimeout(total=_FETCH_S)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(account.token_uri, data=form, allow_redirects=False) as answer,
            ):
                return _read(account, answer.status, await answer.content.read(_MOST_BYTES))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            raise _failed(account, why) from error


def signer_of(name: str, credentials: Secret) -> ServiceAccountSigner:
    """The signer of a key file's content; the same one for the same content, so that a reload keeps its token.

    Raises:
        BadProvider: it is no key of a service account, or its token endpoint is none.
    """
    try:
        account = msgspec.json.decode(credentials.reveal(), type=ServiceAccount)
    except msgspec.MsgspecError as error:
        raise BadProvider(f"provider {name}: service_account must be the JSON key of one: {error}") from None
    parts = urlsplit(account.token_uri)
    if account.type != "service_account":
        raise BadProvider(
            f"provider {name}: service_account is of type {account.type!r}; only service_account is known"
        )
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadProvider(f"provider {name}: service_account has a token_uri that is not https")
    try:
        load_pem_private_key(account.private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadProvider(f"provider {name}: the private_key of service_account is no key in PEM") from None
    return _kept(account)


@lru_cache(maxsize=64)
def _kept(account: ServiceAccount) -> ServiceAccountSigner:
    return ServiceAccountSigner(account)


def _assertion(account: ServiceAccount, now_s: int) -> str:
    """What the account says of itself, signed: a millisecond of work, off the loop."""
    import jwt  # noqa: PLC0415 - only workers that speak to Vertex AI need it

    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now_s,
        "exp": now_s + _SIGNED_FOR_S,
    }
    headers = {"kid": account.private_key_id} if account.private_key_id else None
    return jwt.encode(claims, account.private_key, algorithm="RS256", headers=headers)


def _read(account: ServiceAccount, status: int, body: bytes) -> Token:
    if status != 200:
        raise _failed(account, f"{status}: {body[:_LONGEST_SAID].decode('utf-8', 'replace')}")
    try:
        given = msgspec.json.decode(body, type=_Given)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _failed(account, "its answer holds no token") from None
    if not given.access_token.isascii() or not given.access_token.isprintable() or given.expires_in <= 0:
        raise _failed(account, "its token cannot be sent as a header")
    return Token(given.access_token, given.expires_in)


def _failed(account: ServiceAccount, why: str) -> UpstreamFailed:
    return UpstreamFailed("credentials", f"no token from {account.token_uri}: {why}", sent=False)
