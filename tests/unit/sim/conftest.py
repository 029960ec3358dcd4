"""A simulated provider in a thread and a client for it."""

from collections.abc import Iterator

import httpx
import pytest

from proxy.sim import SimProvider, SimServer, SimSettings


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """One that does not wait between tokens."""
    with SimServer(SimProvider(settings=SimSettings(speed=0))) as server:
        yield server


@pytest.fixture
def client(sim: SimServer) -> Iterator[httpx.Client]:
    """A client whose base URL is the sim's."""
    with httpx.Client(base_url=sim.url, headers={"authorization": "Bearer sk-test"}, timeout=5) as client:
        yield client
