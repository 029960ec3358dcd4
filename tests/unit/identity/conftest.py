"""A fresh state file, a held clock and a store over them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.core.clock import SetClock
from proxy.identity import AdminTokens, KeyStore
from proxy.state import StateFile

HASH_KEY = bytes(range(32))


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "ledger.sqlite")


@pytest.fixture
def store(state: StateFile, clock: SetClock) -> KeyStore:
    return KeyStore(state, HASH_KEY, clock=clock)


@pytest.fixture
def tokens(state: StateFile, clock: SetClock) -> AdminTokens:
    return AdminTokens(state, HASH_KEY, clock=clock)


@pytest.fixture
def acme(store: KeyStore) -> KeyStore:
    """The store with org acme (cost center 4711) and its team support."""
    store.put_org("acme", cost_center="4711")
    store.put_team("acme", "support", cost_center="")
    return store
