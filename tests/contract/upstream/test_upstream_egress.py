"""Through a CONNECT proxy, with a certificate of one's own, and with two live keys."""

import asyncio
import base64
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from proxy.core.secret import Secret
from proxy.upstream import AiohttpTransport, BadProvider, Provider, ProviderSettings, UpstreamFailed, UpstreamRequest
from proxy.upstream import UpstreamSettings as Settings
from proxy.upstream.transport import Transport
from tests.contract.upstream.conftest import pieces
from tests.contract.upstream.scripted import Conversation, Script, ScriptedUpstream, always, answer

LOGIN: Final = b"Basic " + base64.b64encode(b"ann:s3:cret")


@dataclass
class ConnectProxy:
    """A proxy that tunnels for whoever logs in as `login`; `heads` are the requests it was sent."""

    login: bytes | None = None
    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ConnectProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if self.login is not None and b"Proxy-Authorization: " + self.login not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
                writer.close()
                return
            host, _, port = head.split(b" ")[1].rpartition(b":")
            far_reader, far_writer = await asyncio.open_connection(host.decode(), int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@dataclass(frozen=True)
class Certificates:
    """`server` and `client` hold a certificate with its key; each signs itself. `locked` is a key with a passphrase."""

    server: Path
    client: Path
    locked: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("mtls")
    locked = folder / "locked.pem"
    server, client = _certificate(folder, "server"), _certificate(folder, "client")
    subprocess.run(
        ["openssl", "ec", "-in", client, "-aes128", "-passout", "pass:x", "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip
    return Certificates(server, client, locked)


def _certificate(folder: Path, name: str) -> Path:
    key, certificate, both = folder / f"{name}.key", folder / f"{name}.crt", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def serving(certificates: Certificates, *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.client)
        # With TLS 1.3 a client learns of a missing certificate only with the answer.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def made(upstream: ScriptedUpstream, certificates: Certificates | None = None, **settings: object) -> Provider:
    ca_file = None if certificates is None else certificates.server
    return Provider.of("p", ProviderSettings(base_url=upstream.base_url, ca_file=ca_file, **settings))  # type: ignore[arg-type]


async def test_a_tunnel_through_a_proxy_is_opened_once_and_logged_in(
    transport: Transport, certificates: Certificates
) -> None:
    async with (
        ScriptedUpstream(always(answer(b"ok")), tls=serving(certificates)) as upstream,
        ConnectProxy(login=LOGIN).running() as proxy,
    ):
        provider = made(
            upstream, certificates, proxy_url=proxy.url, proxy_credentials=Secret("ann:s3:cret"), api_key=Secret("sk-1")
        )
        for _ in range(5):
            assert await pieces(await transport.send(UpstreamRequest(provider, "/x", b"y" * 10_000))) == [b"ok"]
    assert len(proxy.heads) == len(upstream.conversations) == 1
    assert proxy.heads[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % upstream.port)
    assert b"sk-1" not in proxy.heads[0]
    received = upstream.received[-1]
    assert (received.line, received.body) == (b"POST /v1/x HTTP/1.1", b"y" * 10_000)
    assert received.header(b"proxy-authorization") is None


async def test_a_proxy_that_says_no_is_told_apart_from_the_provider(
    transport: Transport, certificates: Certificates
) -> None:
    async with (
        ScriptedUpstream(always(answer(b"ok")), tls=serving(certificates)) as upstream,
        ConnectProxy(login=LOGIN).running() as proxy,
    ):
        provider = made(upstream, certificates, proxy_url=proxy.url, proxy_credentials=Secret("ann:wrong"))
        with pytest.raises(UpstreamFailed, match="the proxy answered 407") as failed:
            await transport.send(UpstreamRequest(provider, "/x", b"{}"))
        assert (failed.value.kind, failed.value.sent) == ("refused", False)
        nobody = made(upstream, certificates, proxy_url="http://127.0.0.1:1")
        with pytest.raises(UpstreamFailed, match="no connection to the proxy"):
            await transport.send(UpstreamRequest(nobody, "/x", b"{}"))
    assert not upstream.received


async def test_a_provider_that_demands_a_certificate_is_shown_ours(
    transport: Transport, certificates: Certificates
) -> None:
    async with ScriptedUpstream(always(answer(b"ok")), tls=serving(certificates, asks=True)) as upstream:
        with pytest.raises(UpstreamFailed) as failed:
            await transport.send(UpstreamRequest(made(upstream, certificates), "/x", b"{}"))
        assert not upstream.received, failed.value
        known = made(upstream, certificates, client_cert_file=certificates.client)
        assert await pieces(await transport.send(UpstreamRequest(known, "/x", b"{}"))) == [b"ok"]


async def test_a_certificate_is_shown_through_a_proxy_too(transport: Transport, certificates: Certificates) -> None:
    async with (
        ScriptedUpstream(always(answer(b"ok")), tls=serving(certificates, asks=True)) as upstream,
        ConnectProxy().running() as proxy,
    ):
        known = made(upstream, certificates, client_cert_file=certificates.client, proxy_url=proxy.url)
        assert await pieces(await transport.send(UpstreamRequest(known, "/x", b"{}"))) == [b"ok"]


def test_a_renewed_certificate_makes_another_provider(certificates: Certificates, tmp_path: Path) -> None:
    file = tmp_path / "c.pem"
    file.write_bytes(certificates.client.read_bytes())
    settings = ProviderSettings(base_url="https://x", client_cert_file=file)
    before = Provider.of("p", settings)
    assert before == Provider.of("p", settings)
    file.write_bytes(_certificate(tmp_path, "other").read_bytes())
    assert before != Provider.of("p", settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"proxy_url": "https://p:1"}, "http://host:port"),
        ({"proxy_url": "http://p:x"}, "http://host:port"),
        ({"proxy_url": "http://u:p@p:1"}, "proxy_credentials_env"),
        ({"proxy_url": "http://p:1", "base_url": "http://x/v1"}, "https base_url"),
        ({"proxy_credentials": Secret("a:b")}, "without proxy_url"),
        ({"proxy_url": "http://p:1", "proxy_credentials": Secret("ann")}, "user:password"),
        ({"client_key_file": Path("/k.pem")}, "without client_cert_file"),
        ({"client_cert_file": Path("/absent.pem")}, "in PEM"),
        ({"client_cert_file": Path("/k.pem"), "base_url": "http://x/v1"}, "https base_url"),
        ({"api_key_next": Secret("b")}, "without api_key"),
        ({"api_key": Secret("a"), "api_key_next": Secret("b c")}, "without spaces"),
    ],
)
def test_what_cannot_work_is_refused_by_name(settings: dict[str, object], told: str) -> None:
    with pytest.raises(BadProvider, match=told):
        Provider.of("p", ProviderSettings(**{"base_url": "https://x/v1", **settings}))  # type: ignore[arg-type]


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody(certificates: Certificates) -> None:
    settings = ProviderSettings(
        base_url="https://x", client_cert_file=certificates.client, client_key_file=certificates.locked
    )
    with pytest.raises(BadProvider, match="without a passphrase"):
        Provider.of("p", settings)


def taking(*keys: str, status: bytes = b"401 Unauthorized") -> Script:
    """A provider to whom only these keys are good."""
    return taking_any({b"Bearer " + key.encode() for key in keys}, status)


def taking_any(good: set[bytes], status: bytes = b"401 Unauthorized") -> Script:
    async def script(conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            is_good = request.header(b"authorization") in good
            await conversation.send(answer(b"ok") if is_good else answer(b"no", status=status))

    return script


def sent_keys(upstream: ScriptedUpstream) -> list[str]:
    return [(each.header(b"authorization") or b"").decode().removeprefix("Bearer ") for each in upstream.received]


@pytest.fixture
async def two_keyed() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(Settings())
    yield transport
    await transport.close()


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_where_one_key_is_refused_the_other_is_tried_and_stays(
    two_keyed: AiohttpTransport, status: bytes
) -> None:
    good = {b"Bearer new"}
    async with ScriptedUpstream(taking_any(good, status)) as upstream:
        provider = made(upstream, api_key=Secret("old"), api_key_next=Secret("new"))
        for _ in range(3):
            assert await pieces(await two_keyed.send(UpstreamRequest(provider, "/x", b"{}"))) == [b"ok"]
        assert sent_keys(upstream) == ["old", "new", "new", "new"]
        assert two_keyed.keys_in_use() == {"p": "api_key_next"}
        good.clear()
        good.add(b"Bearer old")
        assert await pieces(await two_keyed.send(UpstreamRequest(provider, "/x", b"{}"))) == [b"ok"]
        assert sent_keys(upstream)[-2:] == ["new", "old"]
        assert two_keyed.keys_in_use() == {"p": "api_key"}


async def test_a_call_that_both_keys_are_refused_for_changes_nothing(two_keyed: AiohttpTransport) -> None:
    async with ScriptedUpstream(taking()) as upstream:
        provider = made(upstream, api_key=Secret("old"), api_key_next=Secret("new"))
        response = await two_keyed.send(UpstreamRequest(provider, "/x", b"{}"))
        assert (response.status, await pieces(response)) == (401, [b"no"])
        assert sent_keys(upstream) == ["old", "new"]
        assert two_keyed.keys_in_use() == {"p": "api_key"}


async def test_changed_keys_are_taken_while_running_and_begin_with_the_first(two_keyed: AiohttpTransport) -> None:
    async with ScriptedUpstream(taking("new", "newest")) as upstream:
        before = made(upstream, api_key=Secret("old"), api_key_next=Secret("new"))
        after = made(upstream, api_key=Secret("new"), api_key_next=Secret("newest"))
        for provider in (before, after):
            assert await pieces(await two_keyed.send(UpstreamRequest(provider, "/x", b"{}"))) == [b"ok"]
        assert sent_keys(upstream) == ["old", "new", "new"]
        assert two_keyed.keys_in_use() == {"p": "api_key"}


async def test_one_key_that_is_refused_is_told_so(transport: Transport) -> None:
    async with ScriptedUpstream(taking()) as upstream:
        response = await transport.send(UpstreamRequest(made(upstream, api_key=Secret("old")), "/x", b"{}"))
        assert (response.status, len(upstream.received)) == (401, 1)
        await response.close()
