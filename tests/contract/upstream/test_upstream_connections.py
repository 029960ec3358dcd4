"""Connections are kept, never shared by two calls, never trusted when stale, and go nowhere they must not go."""

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from proxy.upstream import Provider, Transport, UpstreamFailed, UpstreamRequest
from tests.contract.upstream.conftest import Call, MakeTransport, pieces
from tests.contract.upstream.scripted import Conversation, ScriptedUpstream, always, answer


async def test_a_thousand_calls_in_a_row_use_one_connection(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"ok"))) as upstream:
        for _ in range(1000):
            assert await call.whole(upstream) == b"ok"
        assert len(upstream.conversations) == 1


async def test_two_hundred_calls_at_once_get_their_own_answers(call: Call) -> None:
    async def echo(conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            await asyncio.sleep(0.01)
            await conversation.send(answer(request.body))

    async with ScriptedUpstream(echo) as upstream:
        for _ in range(2):
            bodies = [b"call %d" % n for n in range(200)]
            assert await asyncio.gather(*[call.whole(upstream, body) for body in bodies]) == bodies
        assert len(upstream.conversations) <= 200


async def test_a_full_pool_makes_calls_wait_and_then_fail_unsent(call: Call) -> None:
    async def slow(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await asyncio.sleep(0.15)
            await conversation.send(answer(b"ok"))

    async with ScriptedUpstream(slow) as upstream:
        results = await asyncio.gather(*[call.whole(upstream, max_connections=2) for _ in range(6)])
        assert results == [b"ok"] * 6
        assert len(upstream.conversations) == 2
        calls = [call.whole(upstream, max_connections=1, connect_s=0.05) for _ in range(2)]
        first, second = await asyncio.gather(*calls, return_exceptions=True)
        assert first == b"ok"
        assert isinstance(second, UpstreamFailed)
        assert (second.kind, second.sent) == ("connect_timeout", False)


async def test_a_connection_closed_while_resting_is_replaced(call: Call) -> None:
    async def one_each(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(answer(b"ok"))
        conversation.close()

    async with ScriptedUpstream(one_each) as upstream:
        for _ in range(20):
            assert await call.whole(upstream) == b"ok"
            await asyncio.sleep(0.002)
        assert len(upstream.conversations) == 20


async def test_a_close_that_the_loop_has_not_seen_yet_is_noticed(call: Call) -> None:
    """The close waits in our kernel while we are busy; the request must not be written into it."""
    async with ScriptedUpstream(always(answer(b"ok"))) as upstream:
        assert await call.whole(upstream) == b"ok"
        raw = upstream.conversations[0].writer.get_extra_info("socket")
        socket.socket(fileno=socket.dup(raw.fileno())).shutdown(socket.SHUT_WR)
        assert await call.whole(upstream) == b"ok"
        assert len(upstream.conversations) == 2


async def test_a_request_is_never_sent_twice(call: Call) -> None:
    """The provider takes the second request on a kept connection and dies: it may have acted, so we do not repeat."""

    async def dies(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(answer(b"ok"))
        await conversation.request()
        conversation.reset()

    async with ScriptedUpstream(dies) as upstream:
        assert await call.whole(upstream) == b"ok"
        with pytest.raises(UpstreamFailed) as failed:
            await call.whole(upstream)
        assert (failed.value.kind, failed.value.sent) == ("reset", True)
        assert len(upstream.received) == 2


async def test_connection_close_is_honoured(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"ok", b"connection: close"))) as upstream:
        for _ in range(3):
            assert await call.whole(upstream) == b"ok"
        assert len(upstream.conversations) == 3


async def test_a_port_nobody_listens_on(transport: Transport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = Provider(name="p", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UpstreamFailed) as failed:
            await transport.send(UpstreamRequest(provider, "/x", b"{}"))
    assert (failed.value.kind, failed.value.sent) == ("refused", False)


async def test_a_host_that_does_not_answer(make_transport: MakeTransport) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        raise AssertionError

    provider = Provider(name="p", base_url="http://slow.example", connect_s=0.1)
    with pytest.raises(UpstreamFailed) as failed:
        await make_transport(look_up=never).send(UpstreamRequest(provider, "/x", b"{}"))
    assert (failed.value.kind, failed.value.sent) == ("connect_timeout", False)


async def test_a_name_that_does_not_exist(make_transport: MakeTransport) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(UpstreamFailed) as failed:
        await make_transport(look_up=unknown).send(
            UpstreamRequest(Provider(name="p", base_url="http://nowhere.example"), "/x", b"{}")
        )
    assert (failed.value.kind, failed.value.sent) == ("dns", False)


async def test_a_name_that_leads_inside_is_refused_and_nothing_is_connected(make_transport: MakeTransport) -> None:
    async def inside(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with ScriptedUpstream(always(answer(b"secret"))) as upstream:
        base_url = f"http://metadata.example:{upstream.port}"
        transport = make_transport(look_up=inside)
        with pytest.raises(UpstreamFailed) as failed:
            await transport.send(UpstreamRequest(Provider(name="p", base_url=base_url), "/x", b"{}"))
        assert (failed.value.kind, failed.value.sent) == ("forbidden_address", False)
        assert not upstream.conversations
        allowed = Provider(name="p", base_url=base_url, allow_private=True)
        assert await pieces(await transport.send(UpstreamRequest(allowed, "/x", b"{}"))) == [b"secret"]


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "0x7f.1"])
async def test_numbers_that_are_secretly_addresses_are_refused(make_transport: MakeTransport, host: str) -> None:
    async with ScriptedUpstream(always(answer(b"secret"))) as upstream:
        provider = Provider(name="p", base_url=f"http://{host}:{upstream.port}")
        with pytest.raises(UpstreamFailed) as failed:
            await make_transport().send(UpstreamRequest(provider, "/x", b"{}"))
        assert failed.value.kind in ("forbidden_address", "dns")
        assert not upstream.conversations


async def test_changed_settings_take_a_new_pool_and_the_old_call_ends_well(transport: Transport) -> None:
    async def slow(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(answer(b"ok")[:-1], b"k", gap_s=0.1)

    async with ScriptedUpstream(slow) as upstream:
        old = Provider(name="p", base_url=upstream.base_url)
        new = Provider(name="p", base_url=upstream.base_url, idle_s=9)
        under_way = await transport.send(UpstreamRequest(old, "/x", b"{}"))
        assert b"".join(await pieces(await transport.send(UpstreamRequest(new, "/x", b"{}")))) == b"ok"
        assert b"".join(await pieces(under_way)) == b"ok"
        await asyncio.wait_for(upstream.conversations[0].ended.wait(), 0.5)
        await pieces(await transport.send(UpstreamRequest(new, "/x", b"{}")))
        assert len(upstream.conversations) == 2


async def test_closing_the_transport_ends_what_is_under_way(make_transport: MakeTransport) -> None:
    async def silent(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.gone()

    async with ScriptedUpstream(silent) as upstream:
        transport = make_transport()
        waiting = asyncio.ensure_future(Call(transport).send(upstream))
        await asyncio.sleep(0.05)
        await transport.close()
        with pytest.raises(UpstreamFailed) as failed:
            await asyncio.wait_for(waiting, 1)
        assert failed.value.sent


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file, made by the openssl command."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def _serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_tls_is_verified_and_its_connections_are_kept(transport: Transport, certificate: Path) -> None:
    async with ScriptedUpstream(always(answer(b"ok")), tls=_serving(certificate)) as upstream:
        strict = Provider(name="strict", base_url=upstream.base_url)
        with pytest.raises(UpstreamFailed, match="TLS") as failed:
            await transport.send(UpstreamRequest(strict, "/x", b"{}"))
        assert (failed.value.kind, failed.value.sent) == ("refused", False)
        assert not upstream.received
        trusted = Provider(name="trusted", base_url=upstream.base_url, ca_file=certificate)
        before = len(upstream.conversations)
        for _ in range(50):
            assert await pieces(await transport.send(UpstreamRequest(trusted, "/x", b"y" * 100_000))) == [b"ok"]
        assert len(upstream.conversations) == before + 1
        assert upstream.received[-1].body == b"y" * 100_000


async def test_an_abort_over_tls_closes_at_once(transport: Transport, certificate: Path) -> None:
    async def silent(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
        await conversation.gone()

    async with ScriptedUpstream(silent, tls=_serving(certificate)) as upstream:
        trusted = Provider(name="trusted", base_url=upstream.base_url, ca_file=certificate)
        response = await transport.send(UpstreamRequest(trusted, "/x", b"{}"))
        response.abort()
        await asyncio.wait_for(upstream.conversations[0].ended.wait(), 0.1)


async def test_a_server_that_is_not_tls(transport: Transport) -> None:
    async with ScriptedUpstream(always(answer(b"ok"))) as upstream:
        provider = Provider(name="p", base_url=upstream.base_url.replace("http:", "https:"), connect_s=2)
        with pytest.raises(UpstreamFailed) as failed:
            await asyncio.wait_for(transport.send(UpstreamRequest(provider, "/x", b"{}")), 3)
        assert not failed.value.sent
