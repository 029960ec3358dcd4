"""Tokens for Azure from a scripted token endpoint of Entra's on a real socket."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs

import pytest

from proxy.core.secret import Secret
from proxy.upstream import BadProvider, Provider, ProviderSettings, UpstreamFailed
from tests.harness.replaying import ReplayingUpstream, Told

AZURE: Final = "https://ours.openai.azure.com/openai/v1"
URL: Final = AZURE + "/chat/completions"


@pytest.fixture
def endpoint() -> Iterator[ReplayingUpstream]:
    with ReplayingUpstream() as upstream:
        tells(upstream, b'{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"eyJ.tok"}')
        yield upstream


def tells(upstream: ReplayingUpstream, body: bytes, status: int = 200) -> None:
    upstream.answers[""] = Told(status=status, headers={}, pieces=(body,), chunked=False)


def settings(authority: str = "https://login.microsoftonline.com", **more: Any) -> ProviderSettings:
    given: dict[str, Any] = {
        "base_url": AZURE,
        "azure_tenant_id": "ours.onmicrosoft.com",
        "azure_client_id": "app-1",
        "azure_client_secret": Secret("s3cret+/="),
        "azure_authority": authority,
    }
    return ProviderSettings(**{**given, **more})


async def signed(provider: Provider) -> list[tuple[bytes, bytes]]:
    assert provider.signer is not None
    return await provider.signer.sign("POST", URL, [], b"{}")


async def test_the_secret_is_exchanged_once_for_all_who_wait(endpoint: ReplayingUpstream) -> None:
    azure = Provider.of("azure", settings(endpoint.url))
    assert await asyncio.gather(*(signed(azure) for _ in range(20))) == [[(b"authorization", b"Bearer eyJ.tok")]] * 20
    again = Provider.of("azure", settings(endpoint.url))
    assert await signed(again) == [(b"authorization", b"Bearer eyJ.tok")], "a reload keeps the token"
    (asked,) = endpoint.asked[""]
    assert (asked.method, asked.target) == ("POST", "/ours.onmicrosoft.com/oauth2/v2.0/token")
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app-1"],
        "client_secret": ["s3cret+/="],
        "scope": ["https://cognitiveservices.azure.com/.default"],
    }


async def test_another_scope_is_another_token(endpoint: ReplayingUpstream) -> None:
    await signed(Provider.of("azure", settings(endpoint.url)))
    await signed(Provider.of("azure", settings(endpoint.url, azure_scope="https://ai.azure.com/.default")))
    scopes = [parse_qs(asked.body.decode())["scope"] for asked in endpoint.asked[""]]
    assert scopes == [["https://cognitiveservices.azure.com/.default"], ["https://ai.azure.com/.default"]]


async def test_a_refused_secret_fails_the_call_and_says_why(endpoint: ReplayingUpstream) -> None:
    tells(endpoint, b'{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret"}', 401)
    with pytest.raises(UpstreamFailed, match="AADSTS7000215") as failed:
        await signed(Provider.of("azure", settings(endpoint.url)))
    assert (failed.value.kind, failed.value.sent) == ("credentials", False)
    assert "s3cret" not in failed.value.message


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"azure_client_secret": None}, "go together"),
        ({"azure_tenant_id": ""}, "go together"),
        ({"azure_tenant_id": "a/b"}, "tenant's id or domain"),
        ({"api_key": Secret("k")}, "leave api_key and credentials out"),
        ({"credentials": "passthrough"}, "leave api_key and credentials out"),
        ({"dialect": "anthropic"}, "for dialect: openai"),
        ({"azure_authority": "http://login.example"}, "must be https"),
    ],
)
def test_settings_that_cannot_work_are_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(BadProvider, match=said):
        Provider.of("azure", settings(**more))
