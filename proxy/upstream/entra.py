"""Azure's credentials: an application's secret is exchanged for a token by Microsoft Entra (client credentials).

Sources: Microsoft identity platform, "OAuth 2.0 client credentials flow"; Azure OpenAI, "Microsoft Entra ID
authentication".
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

from proxy.core.secret import Secret
from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.headers import RawHeader
from proxy.upstream.renewed_token import RenewedToken, Token
from proxy.upstream.settings import ProviderSettings
from proxy.upstream.token_endpoint import fetch_token, is_safe

_TENANT: Final = re.compile(r"[0-9A-Za-z.-]{1,255}\Z")


class Application(msgspec.Struct, frozen=True):
    """Who asks for tokens, of whom, and for what."""

    endpoint: str
    client_id: str
    client_secret: Secret
    scope: str


class EntraSigner:
    """Signs requests with the application's token."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._token = RenewedToken(application.client_id, self._fetch)

    async def sign(self, method: str, url: str, headers: Sequence[RawHeader], body: bytes) -> list[RawHeader]:
        """The header with the token.

        Raises:
            UpstreamFailed: there is no token that is good, and none could be had; nothing was sent.
        """
        return [(b"authorization", b"Bearer " + (await self._token.text()).encode("latin-1"))]

    async def _fetch(self) -> Token:
        who = self._application
        return await fetch_token(
            who.endpoint,
            {
                "grant_type": "client_credentials",
                "client_id": who.client_id,
                "client_secret": who.client_secret.reveal(),
                "scope": who.scope,
            },
        )


def entra_signer_of(name: str, settings: ProviderSettings) -> EntraSigner | None:
    """The signer of a provider with an application of Entra's; None for any other. The same one for the same
    application, so that a reload keeps its token.

    Raises:
        BadProvider: settings that cannot work.
    """
    tenant, client, secret = settings.azure_tenant_id, settings.azure_client_id, settings.azure_client_secret
    if tenant is None and client is None and secret is None:
        return None
    if not tenant or not client or secret is None:
        raise BadProvider(f"provider {name}: azure_tenant_id, azure_client_id and azure_client_secret go together")
    if settings.dialect != "openai":
        raise BadProvider(f"provider {name}: azure_client_id is for dialect: openai")
    if settings.api_key is not None or settings.credentials != "own":
        raise BadProvider(f"provider {name}: azure_client_id says who calls; leave api_key and credentials out")
    if not _TENANT.match(tenant):
        raise BadProvider(f"provider {name}: azure_tenant_id must be a tenant's id or domain")
    authority = settings.azure_authority.rstrip("/")
    if not is_safe(authority):
        raise BadProvider(f"provider {name}: azure_authority must be https")
    return _kept(Application(f"{authority}/{quote(tenant)}/oauth2/v2.0/token", client, secret, settings.azure_scope))


@lru_cache(maxsize=64)
def _kept(application: Application) -> EntraSigner:
    return EntraSigner(application)
