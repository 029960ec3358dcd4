"""Whose keys sign for AWS: those of the configuration, or of AWS's chain, looked up once and off the loop."""

import asyncio
from pathlib import Path

import pytest

from proxy.core.secret import Secret
from proxy.upstream import BadProvider, Provider, ProviderSettings, UpstreamFailed
from proxy.upstream.sigv4 import Chain, Keys, sigv4_of

URL = "https://bedrock-runtime.eu-central-1.amazonaws.com"


def settings(**more: object) -> ProviderSettings:
    return ProviderSettings(**{"dialect": "bedrock", "base_url": URL, **more})  # type: ignore[arg-type]


async def test_keys_of_the_chain_are_looked_up_once_for_all_who_wait() -> None:
    looked = []

    def find() -> Keys:
        looked.append(1)
        return Keys("id", "secret", "token")

    chain = Chain(find)
    assert await asyncio.gather(*(chain.keys() for _ in range(9))) == [Keys("id", "secret", "token")] * 9
    assert looked == [1]


async def test_a_chain_without_keys_says_so_and_is_asked_again() -> None:
    found: list[Keys] = []

    def find() -> Keys:
        if not found:
            raise LookupError("none here")
        return found[0]

    chain = Chain(find)
    with pytest.raises(UpstreamFailed, match="no AWS credentials: none here"):
        await chain.keys()
    found.append(Keys("id", "secret"))
    assert await chain.keys() == found[0]


async def test_awss_own_chain_signs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shared = tmp_path / "credentials"
    shared.write_text("[team]\naws_access_key_id = AKTEAM\naws_secret_access_key = s\naws_session_token = tok\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    signer = sigv4_of("p", settings(aws_profile="team"))
    assert signer is sigv4_of("p", settings(aws_profile="team"))
    made = dict(await signer.sign("POST", URL + "/model/a/converse", [(b"content-type", b"application/json")], b"{}"))
    assert b"Credential=AKTEAM/" in made[b"authorization"] and b"/eu-central-1/bedrock/" in made[b"authorization"]
    assert made[b"x-amz-security-token"] == b"tok"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"base_url": "https://x"}, "aws_region must be set"),
        ({"aws_access_key_id": Secret("a")}, "go together"),
        ({"aws_session_token": Secret("a")}, "of no use"),
        ({"aws_profile": "p", "aws_access_key_id": Secret("a"), "aws_secret_access_key": Secret("b")}, "set one"),
        ({"api_key": Secret("a"), "aws_region": "r"}, "without api_key"),
        ({"dialect": "openai", "aws_region": "r"}, "for dialect: bedrock"),
    ],
)
def test_settings_that_cannot_work_are_refused(more: dict[str, object], told: str) -> None:
    with pytest.raises(BadProvider, match=told):
        Provider.of("p", settings(**more))
