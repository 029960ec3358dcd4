"""An admin port per test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from proxy.core.clock import SetClock
from tests.unit.admin.admin_port import Port, serving


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))


@pytest.fixture
def port(tmp_path: Path, clock: SetClock) -> Iterator[Port]:
    with serving(tmp_path, clock, console_link=lambda person: f"/console/open?code=for-{person.name}") as port:
        yield port


@pytest.fixture
def owner(port: Port) -> Iterator[httpx.Client]:
    with port.as_owner() as client:
        yield client
