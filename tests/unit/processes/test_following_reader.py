"""The telemetry store is followed when it moves to another port, by one reader at a time."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from proxy.app import following_reader
from proxy.app.following_reader import FollowingReader
from proxy.telemetry import TelemetrySettings, TelemetryUnavailable


class Connection:
    """A reader that notes when it is opened and closed, and takes its time to close."""

    opened: ClassVar[list["Connection"]] = []

    def __init__(self, address: str, settings: TelemetrySettings) -> None:
        self.address = address
        self.closed = 0
        Connection.opened.append(self)

    async def operation(self, operation: str, org: str | None) -> str:
        """Where it was asked."""
        return self.address

    async def close(self) -> None:
        """In a moment."""
        self.closed += 1
        await asyncio.sleep(0.01)


def address_of(settings: TelemetrySettings, home: Path, url: str) -> str:
    """The URL itself."""
    return url


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    Connection.opened = []
    monkeypatch.setattr(following_reader, "Reader", Connection)
    monkeypatch.setattr(following_reader, "store_address", address_of)
    return [None]


async def test_a_store_that_moves_is_followed_once(tmp_path: Path, moved: list[str | None]) -> None:
    reader: Any = FollowingReader(TelemetrySettings(), tmp_path, lambda: moved[-1])
    with pytest.raises(TelemetryUnavailable):
        await reader.operation("op", None)
    moved.append("http://one")
    assert await reader.operation("op", None) == "http://one"
    moved.append("http://two")
    asked = await asyncio.gather(*(reader.operation("op", None) for _ in range(5)))
    assert asked == ["http://two"] * 5
    await reader.close()
    assert [(each.address, each.closed) for each in Connection.opened] == [("http://one", 1), ("http://two", 1)]
