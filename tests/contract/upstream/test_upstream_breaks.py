"""An answer that breaks off, or that could be read in two ways, is never taken for a whole one."""

import asyncio

import pytest

from proxy.upstream import UpstreamFailed, UpstreamResponse
from tests.contract.upstream.conftest import Call
from tests.contract.upstream.scripted import (
    CHUNKED_HEAD,
    LAST_CHUNK,
    Conversation,
    ScriptedUpstream,
    always,
    answer,
    chunked,
    once,
)

BODY = b'data: {"n":1}\n\ndata: [DONE]\n\n'
LENGTH = answer(BODY, b"content-type: text/event-stream")
CHUNKS = CHUNKED_HEAD + chunked(BODY[:15], BODY[15:]) + LAST_CHUNK


async def until_it_breaks(response: UpstreamResponse) -> tuple[bytes, UpstreamFailed | None]:
    """All bytes handed out, and how it ended (None = cleanly)."""
    found = b""
    try:
        while (piece := await response.chunk()) is not None:
            found += piece
    except UpstreamFailed as failure:
        with pytest.raises(UpstreamFailed) as again:
            await response.chunk()
        assert again.value.kind == failure.kind
        return found, failure
    return found, None


def body_bytes(wire: bytes, sent: int) -> bytes:
    """The part of BODY that stands in the first `sent` bytes of a wire form of it."""
    head, _, rest = wire.partition(b"\r\n\r\n")
    rest = rest[: max(0, sent - len(head) - 4)]
    if wire is LENGTH:
        return rest
    found = b""
    while rest:
        size, end, rest = rest.partition(b"\r\n")
        length = int(size, 16) if end else 0
        found += rest[:length]
        rest = rest[length + 2 :]
    return found


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
@pytest.mark.parametrize("wire", [LENGTH, CHUNKS], ids=["length", "chunked"])
async def test_a_break_after_any_byte_is_told_and_what_came_before_is_kept(
    call: Call, wire: bytes, reset: bool
) -> None:
    for sent in range(len(wire)):
        async with ScriptedUpstream(
            once(wire[:sent], reset=False) if not reset else _then_reset(wire[:sent])
        ) as upstream:
            try:
                response = await call.send(upstream)
            except UpstreamFailed as failure:
                assert (failure.kind, failure.sent) == ("reset", True)
                assert sent < wire.index(b"\r\n\r\n") + 4
                continue
            found, failure_ = await until_it_breaks(response)
            assert failure_ is not None, f"{sent} of {len(wire)} bytes were taken for a whole answer"
            assert (failure_.kind, failure_.sent) == ("reset", True)
            assert found == body_bytes(wire, sent)
            await response.close()


def _then_reset(part: bytes):  # type: ignore[no-untyped-def]
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(part)
        await asyncio.sleep(0.005)  # a reset overtakes bytes that the other side has not read yet
        conversation.reset()

    return script


async def test_bytes_that_arrived_before_a_break_are_handed_out_to_a_late_reader(call: Call) -> None:
    async with ScriptedUpstream(once(CHUNKED_HEAD + chunked(b"data: usage\n\n"))) as upstream:
        response = await call.send(upstream)
        await asyncio.sleep(0.05)
        assert await response.chunk() == b"data: usage\n\n"
        with pytest.raises(UpstreamFailed, match="broke") as failed:
            await response.chunk()
        assert failed.value.kind == "reset"


async def test_a_body_without_a_length_that_is_reset_is_not_whole(call: Call) -> None:
    async with ScriptedUpstream(_then_reset(b"HTTP/1.1 200 OK\r\n\r\npart")) as upstream:
        found, failure = await until_it_breaks(await call.send(upstream))
        assert found == b"part"
        assert failure is not None
        assert failure.kind == "reset"


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx y: 1\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx : 1\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n: 1\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\rset-cookie: b\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\x1b[0m\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 40_000 + b"\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 300 + b"content-length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01 tls on a plain port",
    ],
)
async def test_an_ambiguous_or_foreign_answer_is_refused_and_its_connection_dropped(call: Call, wire: bytes) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(wire)
        await conversation.gone()

    async with ScriptedUpstream(script) as upstream:
        for connections in (1, 2):
            with pytest.raises(UpstreamFailed) as failed:
                await asyncio.wait_for(call.send(upstream), 2)
            assert (failed.value.kind, failed.value.sent) == ("protocol", True)
            assert len(upstream.conversations) == connections


@pytest.mark.parametrize("bad", [b"zz\r\nok\r\n", b"-1\r\nok\r\n", b"ffffffffffffffffff\r\nok\r\n", b"2\r\nok!!\r\n"])
async def test_a_broken_chunk_in_the_middle_ends_it_with_an_error(call: Call, bad: bytes) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(CHUNKED_HEAD + chunked(b"good"), bad, gap_s=0.02)
        await conversation.gone()

    async with ScriptedUpstream(script) as upstream:
        response = await call.send(upstream)
        found, failure = await asyncio.wait_for(until_it_breaks(response), 2)
        assert found.startswith(b"good")
        assert failure is not None
        assert failure.kind in ("protocol", "reset")


async def test_bytes_after_the_end_never_answer_the_next_call(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"mine") + answer(b"another's"))) as upstream:
        for _ in range(3):
            assert await call.whole(upstream) == b"mine"


async def test_bytes_on_a_resting_connection_never_answer_the_next_call(call: Call) -> None:
    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(answer(b"mine"), answer(b"late"), gap_s=0.03)

    async with ScriptedUpstream(script) as upstream:
        assert await call.whole(upstream) == b"mine"
        await asyncio.sleep(0.06)
        assert await call.whole(upstream) == b"mine"
        assert len(upstream.conversations) == 2
