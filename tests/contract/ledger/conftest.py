"""One ledger at a time, of every kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.budget import Ledger
from tests.contract.ledger.kinds import KINDS, opened


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Which implementation."""
    return str(request.param)


@pytest.fixture
async def ledger(kind: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    async with opened(kind, tmp_path) as made:
        yield made
