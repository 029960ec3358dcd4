"""What a provider sends is what comes out: status, headers and bytes, in the rhythm they came."""

import asyncio
import gzip
from typing import Any

import pytest

from proxy.core.secret import Secret
from proxy.upstream import Provider, Transport, UpstreamFailed, UpstreamRequest, forwardable
from tests.contract.upstream.conftest import Call, pieces
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

EVENTS = [b'data: {"n":%d}\n\n' % n for n in range(20)] + [b"data: [DONE]\n\n"]


@pytest.mark.parametrize("status", [b"200 OK", b"201 Created", b"400 Bad Request", b"429 Slow Down", b"529 Overloaded"])
async def test_status_headers_and_body_come_as_sent(call: Call, status: bytes) -> None:
    headers = [b"X-Request-Id: req_1", b"x-twice: a", b"x-twice: b", b"x-empty:", b"x-odd: caf\xc3\xa9 \xe9"]
    async with ScriptedUpstream(always(answer(b"\x00\xffbody", *headers, status=status))) as upstream:
        response = await call.send(upstream)
        assert response.status == int(status[:3])
        assert response.headers == [
            (b"x-request-id", b"req_1"),
            (b"x-twice", b"a"),
            (b"x-twice", b"b"),
            (b"x-empty", b""),
            (b"x-odd", b"caf\xc3\xa9 \xe9"),
            (b"content-length", b"6"),
        ]
        assert b"".join(await pieces(response)) == b"\x00\xffbody"


async def test_the_request_stands_on_the_wire_as_asked_and_nothing_is_added(transport: Transport) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        provider = Provider(
            name="p",
            base_url=upstream.base_url,
            api_key=Secret("sk-own"),
            query=b"api-version=1",
            extra_headers={"x-extra": "1"},
        )
        headers = [(b"content-type", b"application/json"), (b"user-agent", b"caf\xe9/1"), (b"accept-encoding", b"gzip")]
        request = UpstreamRequest(provider, "/a%2Fb/../c", b'{"a":1}', query=b"x=%41&y=a+b", headers=headers)
        await pieces(await transport.send(request))
        request.streamed = True
        await pieces(await transport.send(request))
    seen = upstream.received
    assert seen[0].line == b"POST /v1/a%2Fb/../c?api-version=1&x=%41&y=a+b HTTP/1.1"
    assert seen[0].headers == [
        (b"host", b"127.0.0.1:%d" % upstream.port),
        (b"authorization", b"Bearer sk-own"),
        (b"x-extra", b"1"),
        *headers,
        (b"content-length", b"7"),
    ]
    assert seen[0].body == b'{"a":1}'
    assert seen[1].header(b"accept-encoding") == b"identity"


async def test_azure_key_goes_into_its_own_header(transport: Transport) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        provider = Provider(name="p", base_url=upstream.base_url, api_key=Secret("az"), auth_header="api-key")
        await pieces(await transport.send(UpstreamRequest(provider, "/x", b"")))
    seen = upstream.received
    assert seen[0].header(b"api-key") == b"az"
    assert seen[0].header(b"authorization") is None
    assert seen[0].header(b"content-length") == b"0"


async def test_stream_pieces_come_out_one_by_one_as_they_are_written(call: Call) -> None:
    handed_out = asyncio.Semaphore(0)

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(CHUNKED_HEAD)
        for event in EVENTS:
            await conversation.send(chunked(event))
            await handed_out.acquire()  # nothing more is written before this one has come out
        await conversation.send(LAST_CHUNK)

    async with ScriptedUpstream(script) as upstream:
        response = await call.send(upstream)
        for event in EVENTS:
            assert await response.chunk() == event
            handed_out.release()
        assert await response.chunk() is None
        assert await response.chunk() is None


async def test_no_secret_a_client_sends_reaches_the_provider(transport: Transport) -> None:
    names = [
        b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"proxy-authorization", b"host",
        b"x-flyball-key", b"x-flyball-user", b"x-forwarded-for", b"forwarded", b"referer", b"origin", b"x-anything",
        b"te", b"upgrade", b"expect", b"keep-alive", b"transfer-encoding", b"content-length", b"x-stainless-hidden",
    ]  # fmt: skip
    sent = [(name, b"CANARY-%d" % n) for n, name in enumerate(names)]
    sent.append((b"connection", b"close, X-Stainless-Hidden"))
    sent.append((b"x-stainless-lang", b"python"))
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        provider = Provider(name="p", base_url=upstream.base_url, api_key=Secret("sk-own"))
        headers = forwardable(sent, provider)
        await pieces(await transport.send(UpstreamRequest(provider, "/x", b"{}", headers=headers)))
    wire = repr(upstream.received)
    assert "CANARY" not in wire
    assert "hidden" not in wire.lower()
    assert upstream.received[0].header(b"x-stainless-lang") == b"python"
    assert upstream.received[0].header(b"authorization") == b"Bearer sk-own"


@pytest.mark.parametrize(
    "request_",
    [
        {"query": b"a=1 HTTP/1.1\r\nx: y"},
        {"path": "/x y"},
        {"path": "/x\r\nx: y"},
        {"headers": [(b"user-agent", b"a\r\nx: y")]},
        {"headers": [(b"user-agent", b"a\nx: y")]},
        {"headers": [(b"user-agent\r\nx", b"a")]},
        {"headers": [(b"user-agent", b"a\0b")]},
    ],
)
async def test_a_request_that_would_be_two_is_not_sent(transport: Transport, request_: dict[str, Any]) -> None:
    async with ScriptedUpstream(always(answer(b"{}"))) as upstream:
        request = UpstreamRequest(Provider(name="p", base_url=upstream.base_url), "/x", b"{}")
        for name, value in request_.items():
            setattr(request, name, value)
        with pytest.raises(UpstreamFailed) as failed:
            await transport.send(request)
        assert (failed.value.kind, failed.value.sent) == ("protocol", False)
        assert not upstream.conversations


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64])
async def test_any_split_of_the_wire_gives_the_same_bytes(call: Call, step: int) -> None:
    wire = CHUNKED_HEAD + chunked(*EVENTS) + LAST_CHUNK

    async def script(conversation: Conversation) -> None:
        await conversation.request()
        for at in range(0, len(wire), step):
            conversation.writer.write(wire[at : at + step])
            await asyncio.sleep(0)

    async with ScriptedUpstream(script) as upstream:
        assert await call.whole(upstream) == b"".join(EVENTS)


async def test_trailers_and_chunk_extensions_are_taken_and_the_connection_is_kept(call: Call) -> None:
    wire = CHUNKED_HEAD + b"3;ext=1\r\nabc\r\n0\r\nx-trailer: 1\r\nserver-timing: a;dur=1\r\n\r\n"
    async with ScriptedUpstream(always(wire)) as upstream:
        for _ in range(3):
            assert await call.whole(upstream) == b"abc"
        assert len(upstream.conversations) == 1


async def test_interim_answers_are_passed_over(call: Call) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async with ScriptedUpstream(always(interim, answer(b"ok"), gap_s=0.02)) as upstream:
        for _ in range(2):
            response = await call.send(upstream)
            assert response.status == 200
            assert (b"link", b"</x>") not in response.headers
            assert await pieces(response) == [b"ok"]


async def test_an_encoded_body_is_left_as_it_is(call: Call) -> None:
    body = gzip.compress(b'{"usage":{}}' * 50)
    async with ScriptedUpstream(always(answer(body, b"content-encoding: gzip"))) as upstream:
        response = await call.send(upstream)
        assert (b"content-encoding", b"gzip") in response.headers
        assert b"".join(await pieces(response)) == body


async def test_a_body_that_ends_with_the_connection_is_whole(call: Call) -> None:
    async with ScriptedUpstream(once(b"HTTP/1.0 200 OK\r\nx: 1\r\n\r\n", b"one", b"two", gap_s=0.02)) as upstream:
        assert await call.whole(upstream) == b"onetwo"


async def test_answers_without_a_body(call: Call) -> None:
    for head in (b"HTTP/1.1 204 No Content\r\n\r\n", answer(b"")):
        async with ScriptedUpstream(always(head)) as upstream:
            assert await call.whole(upstream) == b""
            assert await call.whole(upstream) == b""
            assert len(upstream.conversations) == 1


async def test_redirects_are_handed_back_and_not_followed(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"", b"location: http://127.0.0.1:1/x", status=b"307 T"))) as upstream:
        response = await call.send(upstream)
        assert response.status == 307
        assert (b"location", b"http://127.0.0.1:1/x") in response.headers
        await pieces(response)
        assert len(upstream.conversations) == 1


async def test_cookies_are_not_kept(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"{}", b"set-cookie: a=b"))) as upstream:
        for _ in range(2):
            await call.whole(upstream)
    assert upstream.received[1].header(b"cookie") is None


async def test_a_large_request_body_arrives_whole(call: Call) -> None:
    body = bytes(range(256)) * 40_000
    async with ScriptedUpstream(always(answer(b"taken"))) as upstream:
        assert await call.whole(upstream, body) == b"taken"
    assert upstream.received[0].body == body


async def test_a_refusal_before_the_whole_body_is_taken_comes_through(call: Call) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.reader.readuntil(b"\r\n\r\n")
        await conversation.send(answer(b"too large", status=b"413 Too Large"))
        await conversation.gone()

    async with ScriptedUpstream(script) as upstream:
        for connections in (1, 2):  # a half-sent connection is not used again
            response = await call.send(upstream, b"x" * 30_000_000)
            assert response.status == 413
            assert await pieces(response) == [b"too large"]
            assert len(upstream.conversations) == connections
