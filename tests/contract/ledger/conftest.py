"""One ledger at a time, of every kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.budget import Ledger
from tests.contract.ledger.kinds import KINDS, opened

# Without a redis-server there is nothing to try them on; redis_server.missing says so.
collect_ignore_glob = [] if "redis" in KINDS else ["test_redis_*.py"]


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Which implementation."""
    return str(request.param)


@pytest.fixture
async def ledger(kind: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    async with opened(kind, tmp_path) as made:
        yield made
