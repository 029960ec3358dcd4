"""Other requests than a POST in one piece: any method, bodies that are still coming, answers without a body."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.upstream import Transport, UpstreamFailed, UpstreamRequest
from tests.contract.upstream.conftest import pieces, provider
from tests.contract.upstream.scripted import Conversation, ScriptedUpstream, always, answer


async def parts(*given: bytes | UpstreamFailed) -> AsyncIterator[bytes]:
    """A body as it comes."""
    for part in given:
        await asyncio.sleep(0)
        if isinstance(part, UpstreamFailed):
            raise part
        yield part


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_a_request_without_a_body_tells_no_length(transport: Transport, method: str) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        response = await transport.send(UpstreamRequest(provider(upstream), "/files/a%20b", b"", method=method))
        assert b"".join(await pieces(response)) == b"{}"
        (seen,) = upstream.received
        assert seen.line == f"{method} /v1/files/a%20b HTTP/1.1".encode()
        assert seen.header(b"content-length") is None


async def test_an_empty_post_tells_that_it_is_empty(transport: Transport) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        await pieces(await transport.send(UpstreamRequest(provider(upstream), "/x", b"")))
        assert upstream.received[0].header(b"content-length") == b"0"


async def test_answers_without_a_body_leave_the_connection_to_the_next(transport: Transport) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: 1\r\n\r\n"
    told = [head, b"HTTP/1.1 204 No Content\r\n\r\n", answer(b"rest")]

    async def script(conversation: Conversation) -> None:
        for each in told:
            await conversation.request()
            await conversation.send(each)

    async with ScriptedUpstream(script) as upstream:
        first = await transport.send(UpstreamRequest(provider(upstream), "/x", b"", method="HEAD"))
        assert (first.status, dict(first.headers)[b"x-a"], await pieces(first)) == (200, b"1", [])
        second = await transport.send(UpstreamRequest(provider(upstream), "/x", b"", method="DELETE"))
        assert (second.status, await pieces(second)) == (204, [])
        third = await transport.send(UpstreamRequest(provider(upstream), "/x", b""))
        assert await pieces(third) == [b"rest"]
        assert len(upstream.conversations) == 1


async def test_a_body_of_known_length_goes_on_as_it_comes(transport: Transport) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        body = [b"a" * 100_000, b"", b"b" * 3]
        request = UpstreamRequest(provider(upstream), "/files", b"", parts=parts(*body), length=100_003)
        await pieces(await transport.send(request))
        (seen,) = upstream.received
        assert (seen.header(b"content-length"), seen.body) == (b"100003", b"".join(body))


async def test_a_body_of_unknown_length_is_sent_in_chunks(transport: Transport) -> None:
    received = bytearray()

    async def script(conversation: Conversation) -> None:
        await conversation.reader.readuntil(b"\r\n\r\n")
        received.extend(await conversation.reader.readuntil(b"0\r\n\r\n"))
        await conversation.send(answer(b"{}"))

    async with ScriptedUpstream(script) as upstream:
        request = UpstreamRequest(provider(upstream), "/files", b"", parts=parts(b"abc", b"de"))
        await pieces(await transport.send(request))
        assert bytes(received) == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


async def test_a_body_that_breaks_off_ends_the_attempt(transport: Transport) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        broken = parts(b"a", UpstreamFailed("aborted", "the client is gone", sent=True))
        request = UpstreamRequest(provider(upstream), "/files", b"", parts=broken, length=10)
        with pytest.raises(UpstreamFailed, match="the client is gone"):
            await transport.send(request)


async def test_a_provider_may_answer_before_it_has_the_whole_body(transport: Transport) -> None:
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await never.wait()

    async def script(conversation: Conversation) -> None:
        await conversation.reader.readuntil(b"\r\n\r\n")
        await conversation.send(answer(b"no", status=b"413 Too Large"))
        await conversation.gone()

    async with ScriptedUpstream(script) as upstream:
        response = await transport.send(UpstreamRequest(provider(upstream), "/files", b"", parts=slow(), length=10))
        assert (response.status, await pieces(response)) == (413, [b"no"])
        await asyncio.wait_for(upstream.conversations[0].ended.wait(), 10)


async def test_a_slow_client_is_no_late_provider(transport: Transport) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.1)
            yield b"a"

    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        here = provider(upstream, first_byte_s=0.5)
        response = await transport.send(UpstreamRequest(here, "/files", b"", parts=slow(), length=8))
        assert response.status == 200
        await pieces(response)
