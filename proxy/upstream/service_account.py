"""Vertex AI's credentials: a service account signs who it is, and Google gives a token for that (RFC 7523).

Source: Google Cloud, "Using OAuth 2.0 for Server to Server Applications".
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.core.clock import SystemClock
from proxy.core.secret import Secret
from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.headers import RawHeader
from proxy.upstream.renewed_token import RenewedToken, Token
from proxy.upstream.token_endpoint import fetch_token, is_safe

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NS_PER_S: Final = 1_000_000_000
_SIGNED_FOR_S: Final = 3600


class ServiceAccount(msgspec.Struct, frozen=True):
    """What a key file of Google Cloud says, as far as it is needed."""

    type: str
    client_email: str
    private_key: str
    token_uri: str = "https://oauth2.googleapis.com/token"
    private_key_id: str = ""


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
        return await fetch_token(account.token_uri, form)


def signer_of(name: str, credentials: Secret) -> ServiceAccountSigner:
    """The signer of a key file's content; the same one for the same content, so that a reload keeps its token.

    Raises:
        BadProvider: it is no key of a service account, or its token endpoint is none.
    """
    try:
        account = msgspec.json.decode(credentials.reveal(), type=ServiceAccount)
    except msgspec.MsgspecError as error:
        raise BadProvider(f"provider {name}: service_account must be the JSON key of one: {error}") from None
    if account.type != "service_account":
        raise BadProvider(
            f"provider {name}: service_account is of type {account.type!r}; only service_account is known"
        )
    if not is_safe(account.token_uri):
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
