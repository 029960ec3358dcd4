"""Tokens for Vertex AI from a scripted token endpoint on a real socket."""

import asyncio
import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.core.secret import Secret
from proxy.upstream import BadProvider, Provider, ProviderSettings, UpstreamFailed
from proxy.upstream.renewed_token import AGAIN_S, EARLY_S, RenewedToken, Token
from proxy.upstream.service_account import SCOPE, ServiceAccountSigner, signer_of
from tests.harness.replaying import ReplayingUpstream, Told
from tests.harness.scripted_google import account

VERTEX: Final = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1"


@pytest.fixture
def endpoint() -> Iterator[ReplayingUpstream]:
    with ReplayingUpstream() as upstream:
        tells(upstream, b'{"access_token":"tok","expires_in":3599}')
        yield upstream


def tells(upstream: ReplayingUpstream, body: bytes, status: int = 200) -> None:
    upstream.answers[""] = Told(status=status, headers={}, pieces=(body,), chunked=False)


async def signed(signer: ServiceAccountSigner) -> list[tuple[bytes, bytes]]:
    return await signer.sign("POST", VERTEX, [], b"{}")


async def test_a_signed_assertion_is_exchanged_once_for_all_who_wait(endpoint: ReplayingUpstream) -> None:
    key = account(endpoint.url)
    signer = signer_of("vertex", Secret(key))
    assert await asyncio.gather(*(signed(signer) for _ in range(20))) == [[(b"authorization", b"Bearer tok")]] * 20
    assert await signed(signer_of("again", Secret(key))) == [(b"authorization", b"Bearer tok")]
    (asked,) = endpoint.asked[""]
    form = parse_qs(asked.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    public = load_pem_private_key(json.loads(key)["private_key"].encode(), None).public_key()
    claims = jwt.decode(form["assertion"][0], public, algorithms=["RS256"], audience=endpoint.url)  # type: ignore[arg-type] # an RSA key
    assert (claims["iss"], claims["scope"]) == ("bot@ours.iam.gserviceaccount.com", SCOPE)
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(form["assertion"][0])["kid"] == "k1"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"error":"invalid_grant"}', 400), (b"{}", 200), (b'{"access_token":"a\\nb","expires_in":9}', 200)],
)
async def test_without_a_token_nothing_is_sent(endpoint: ReplayingUpstream, body: bytes, status: int) -> None:
    tells(endpoint, body, status)
    signer = signer_of("vertex", Secret(account(endpoint.url)))
    with pytest.raises(UpstreamFailed) as failed:
        await signed(signer)
    assert (failed.value.kind, failed.value.sent) == ("credentials", False)
    tells(endpoint, b'{"access_token":"tok","expires_in":3599}')
    assert await signed(signer) == [(b"authorization", b"Bearer tok")]


async def test_an_endpoint_that_is_not_there_fails_the_call() -> None:
    with pytest.raises(UpstreamFailed, match=r"no token from http://127\.0\.0\.1:1"):
        await signed(signer_of("vertex", Secret(account("http://127.0.0.1:1"))))


async def test_a_token_is_renewed_beside_the_calls_before_it_ends() -> None:
    given = asyncio.Event()
    made = iter([Token("one", EARLY_S - 1), Token("two", 3600.0)])
    fetched = 0

    async def fetch() -> Token:
        nonlocal fetched
        fetched += 1
        if fetched > 1:
            await given.wait()
        return next(made)

    token = RenewedToken("x", fetch)
    assert [await token.text() for _ in range(5)] == ["one"] * 5
    await asyncio.sleep(0)
    assert fetched == 2
    given.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (await token.text(), fetched) == ("two", 2)


async def test_a_failed_renewal_leaves_the_old_token_and_is_not_tried_at_once() -> None:
    fetched = 0

    async def fetch() -> Token:
        nonlocal fetched
        fetched += 1
        if fetched > 1:
            raise UpstreamFailed("credentials", "away", sent=False)
        return Token("one", EARLY_S - 1)

    token = RenewedToken("x", fetch)
    for _ in range(10):
        assert await token.text() == "one"
        await asyncio.sleep(0)
    assert fetched == 2
    assert AGAIN_S > 1


async def test_a_caller_that_gives_up_ends_it_for_nobody_else() -> None:
    given = asyncio.Event()

    async def fetch() -> Token:
        await given.wait()
        return Token("one", 3600.0)

    token = RenewedToken("x", fetch)
    first, second = asyncio.ensure_future(token.text()), asyncio.ensure_future(token.text())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    given.set()
    assert await second == "one"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "authorized_user"}, "authorized_user"),
        ({"token_uri": "http://tokens.example.com/"}, "https"),
        ({"private_key": "no key"}, "PEM"),
        ({"client_email": 7}, "JSON key"),
    ],
)
def test_a_file_that_is_no_service_accounts_is_refused(change: dict[str, object], said: str) -> None:
    text = json.dumps({**json.loads(account("https://oauth2.googleapis.com/token")), **change})
    settings = ProviderSettings(dialect="gemini", base_url=VERTEX, service_account=Secret(text))
    with pytest.raises(BadProvider, match=said):
        Provider.of("vertex", settings)


def test_credentials_are_googles_and_alone() -> None:
    key = Secret(account("https://oauth2.googleapis.com/token"))
    with pytest.raises(BadProvider, match="dialect: gemini"):
        Provider.of("v", ProviderSettings(base_url=VERTEX, service_account=key))
    with pytest.raises(BadProvider, match="leave api_key"):
        Provider.of("v", ProviderSettings(dialect="gemini", base_url=VERTEX, service_account=key, api_key=Secret("k")))
    assert Provider.of("v", ProviderSettings(dialect="gemini", base_url=VERTEX, service_account=key)).signer is not None


def test_a_key_goes_as_google_wants_it() -> None:
    settings = ProviderSettings(dialect="gemini", base_url="http://127.0.0.1:1", api_key=Secret("k"))
    provider = Provider.of("studio", settings)
    assert (provider.auth_header, provider.profile.name) == ("x-goog-api-key", "gemini")
    assert provider.on_client_disconnect == "drain"
