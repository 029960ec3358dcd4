"""Where a store that workers and hosts share lies: in the state file, or in a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.ledger.redis_server import RedisServer, served


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with served() as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A path, or a Redis's address with a name of its own behind `#`."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    server: RedisServer = request.getfixturevalue("redis")
    return f"{server.tcp_url}#{tmp_path.name}"
