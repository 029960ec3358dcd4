"""The parser's clock: clients that send too slowly, or for ever, are let go; those that wait for us are not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from proxy.edge import BoundedHttpProtocol, protocol

GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LOOK_S", 0.02)
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    monkeypatch.setattr(protocol, "SILENCE_S", 0.2)
    monkeypatch.setattr(protocol, "UNREAD_S", 0.3)
    monkeypatch.setattr(protocol, "MAX_UNREAD_BYTES", 300_000)


async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Reads the body unless the path says not to; answers after as many tenths of a second as the query says."""
    more = scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await asyncio.sleep(int(scope["query_string"] or b"0") / 10)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, http=BoundedHttpProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with connection() as (reader, _):
        assert await rest(reader) == b""


async def test_a_head_that_drips_is_408() -> None:
    async with connection() as (reader, writer):
        for sign in GOOD[:7]:
            writer.write(bytes([sign]))
            await asyncio.sleep(0.02)
        answer = await rest(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer


async def test_a_second_head_that_drips_is_408_too() -> None:
    async with connection() as (reader, writer):
        writer.write(GOOD)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(GOOD[:-1])
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_connection_kept_alive_may_be_silent() -> None:
    async with connection() as (reader, writer):
        for _ in range(2):
            writer.write(GOOD)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.5)


async def test_a_body_that_falls_silent_ends_the_connection() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert await rest(reader) == b""


async def test_a_slow_body_that_goes_on_is_read() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.07)
            writer.write(b"x")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_a_client_that_waits_for_our_answer_is_not_hurried() -> None:
    async with connection() as (reader, writer):
        writer.write(GOOD.replace(b"/ ", b"/?10 ", 1))
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_the_next_head_does_not_cut_an_answer_under_way() -> None:
    async with connection() as (reader, writer):
        writer.write(GOOD.replace(b"/ ", b"/?6 ", 1) + GOOD[:5])
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


async def test_an_answered_body_is_thrown_away_only_so_long() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        assert writer.transport.is_closing() or await rest(reader) == b""


async def test_an_answered_body_is_thrown_away_only_so_far() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
            raise AssertionError("130 MB were taken")


async def test_an_answered_body_that_ends_leaves_the_connection_good() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.write(b"12345" + GOOD)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")


async def test_trailers_do_not_become_headers() -> None:
    """What came behind the body was once added to the list of headers that are forwarded."""
    seen: list[tuple[bytes, bytes]] = []

    async def telling(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        seen.extend(scope["headers"])

    config = uvicorn.Config(telling, http=BoundedHttpProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: BoundedHttpProtocol(config, ServerState(), {}), "127.0.0.1", 0) as on:
        reader, writer = await asyncio.open_connection(*on.sockets[0].getsockname())
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"1\r\nx\r\n0\r\nopenai-organization: mine\r\n\r\n")
        await reader.readuntil(b"ok")
        writer.close()
        await writer.wait_closed()
    assert [name for name, _ in seen] == [b"host", b"transfer-encoding"]
