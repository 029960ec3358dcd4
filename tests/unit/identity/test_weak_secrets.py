"""Secrets that are weaker than any of ours: taken only where the file says so of the key."""

from pathlib import Path
from typing import Final

import pytest

from proxy.core.refusal import Refused
from proxy.identity import KeyStore, OrgSettings
from proxy.identity.errors import IdentityError
from proxy.identity.settings import KeySettings, TeamSettings
from proxy.state import StateFile

SPACED: Final = "My API Key"


def tenants(*, allow_weak: bool) -> tuple[OrgSettings, ...]:
    key = KeySettings(name="bot", key_env="BOT_KEY", allow_weak=allow_weak)
    return (OrgSettings(org="acme", teams=(TeamSettings(team="t", keys=(key,)),)),)


def test_a_short_secret_with_spaces_opens_where_it_is_allowed(tmp_path: Path) -> None:
    store = KeyStore(StateFile(tmp_path / "ledger.sqlite"), b"h" * 32)
    store.sync_from_file(tenants(allow_weak=True), {"BOT_KEY": SPACED})
    keyring = store.load()
    assert keyring.authenticate(SPACED, 0).key_name == "bot"
    assert keyring.verdict(SPACED, 0)[0] == "valid"
    for other in ("My API Ke", "my api key", " My API Key", "", "x" * 257):
        with pytest.raises(Refused):
            keyring.authenticate(other, 0)
    assert keyring.verdict("short", 0) == ("malformed", None)


def test_it_is_refused_where_nothing_is_said(tmp_path: Path) -> None:
    store = KeyStore(StateFile(tmp_path / "ledger.sqlite"), b"h" * 32)
    with pytest.raises(IdentityError, match="allow_weak"):
        store.sync_from_file(tenants(allow_weak=False), {"BOT_KEY": SPACED})


@pytest.mark.parametrize("text", ["", "tab\there", "é", "x" * 257])
def test_some_secrets_are_none_at_all(tmp_path: Path, text: str) -> None:
    store = KeyStore(StateFile(tmp_path / "ledger.sqlite"), b"h" * 32)
    with pytest.raises(IdentityError):
        store.sync_from_file(tenants(allow_weak=True), {"BOT_KEY": text})
