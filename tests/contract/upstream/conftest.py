"""Every Transport there is, under one set of expectations, on the loop that production uses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest
import uvloop

from proxy.upstream import AiohttpTransport, Provider, Transport, UpstreamRequest, UpstreamResponse, UpstreamSettings
from proxy.upstream.addresses import LookUp
from tests.contract.upstream.scripted import ScriptedUpstream

MakeTransport: TypeAlias = Callable[..., Transport]


def _aiohttp(look_up: LookUp | None = None, keep_alive_s: float = 15.0) -> Transport:
    return AiohttpTransport(UpstreamSettings(keep_alive_s=keep_alive_s), look_up=look_up)


IMPLEMENTATIONS: dict[str, MakeTransport] = {"aiohttp": _aiohttp}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both loops: uvloop is what a worker runs on, asyncio what the command falls back to where uvloop is missing."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
async def make_transport(request: pytest.FixtureRequest) -> AsyncIterator[MakeTransport]:
    made: list[Transport] = []

    def make(*, look_up: LookUp | None = None, keep_alive_s: float = 15.0) -> Transport:
        made.append(IMPLEMENTATIONS[request.param](look_up=look_up, keep_alive_s=keep_alive_s))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


@pytest.fixture
def transport(make_transport: MakeTransport) -> Transport:
    return make_transport()


class Call:
    """A call to a scripted provider, with a test's short patience."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def send(self, upstream: ScriptedUpstream, body: bytes = b"{}", **limits: float) -> UpstreamResponse:
        """Send one request; `limits` are fields of Provider."""
        return await self.transport.send(UpstreamRequest(provider(upstream, **limits), "/chat/completions", body))

    async def whole(self, upstream: ScriptedUpstream, body: bytes = b"{}", **limits: float) -> bytes:
        """Send one request and read its answer to the clean end."""
        return b"".join(await pieces(await self.send(upstream, body, **limits)))


_PROVIDERS: dict[tuple[str, tuple[tuple[str, float], ...]], Provider] = {}


def provider(upstream: ScriptedUpstream, **limits: float) -> Provider:
    """The provider that a scripted server is; the same object for the same limits, as in production."""
    key = (upstream.base_url, tuple(sorted(limits.items())))
    if key not in _PROVIDERS:
        _PROVIDERS[key] = Provider(name="scripted", base_url=upstream.base_url, **limits)  # type: ignore[arg-type]
    return _PROVIDERS[key]


async def pieces(response: UpstreamResponse) -> list[bytes]:
    """All chunks to the clean end, then close."""
    found = []
    while (piece := await response.chunk()) is not None:
        found.append(piece)
    await response.close()
    return found


@pytest.fixture
def call(transport: Transport) -> Call:
    return Call(transport)
