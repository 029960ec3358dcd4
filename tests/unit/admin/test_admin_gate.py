"""Nobody gets in without a token, by no path, under no name."""

import socket
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from proxy.admin.routes import ROUTES
from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.identity import AdminTokens
from tests.unit.admin.admin_port import BOOTSTRAP, Port, serving

PATHS = sorted({"/admin/v1" + route.path for route in ROUTES} | {"/admin/v1/openapi.json", "/admin/v1", "/admin/v1/x"})


def raw(port: Port, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are; the status and all that came back."""
    host, _, number = port.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(number)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer


def get(path: str, *lines: str, host: str | None = "localhost") -> bytes:
    head = [f"GET {path} HTTP/1.1", *([] if host is None else [f"host: {host}"]), "connection: close", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


@pytest.mark.parametrize("token", [None, "x" * 40, "fba-" + "A" * 43])
def test_every_path_wants_a_token_before_anything_else(port: Port, token: str | None) -> None:
    with port.client(token) as client:
        for path in PATHS:
            for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
                response = client.request(method, path, content=b"{")
                assert response.status_code == 401, f"{method} {path}"
                assert response.json()["error"]["code"] == "invalid_admin_token"
                assert response.headers["www-authenticate"].startswith("Bearer")


def test_every_no_reads_the_same(port: Port, clock: SetClock) -> None:
    gone = port.rooms.tokens.create("gone", AdminTokens.Role.OWNER)
    port.rooms.tokens.delete("gone")
    late = port.rooms.tokens.create("late", AdminTokens.Role.OWNER, expires_ns=clock.now_ns())
    key_store = port.rooms.key_store
    key_store.put_org("acme", cost_center="")
    key_store.put_team("acme", "support", cost_center="")
    key = key_store.create_key("acme", "support", "bot", key_store.Terms())
    bodies = set()
    for secret in (gone.secret, late.secret, key.secret, Secret("x" * 40), Secret("short")):
        with port.client(secret.reveal()) as client:
            response = client.get("/admin/v1/self")
        assert response.status_code == 401 and secret.reveal() not in response.text
        bodies.add(response.text)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    "path",
    [
        "//admin/v1/orgs",
        "/admin//v1/orgs",
        "/v1/../admin/v1/orgs",
        "/admin/v1/../v1/orgs",
        "/admin%2fv1/orgs",
        "/%61dmin/v1/orgs",
        "/admin/v1/orgs/",
        "/admin/v1/orgs/..",
        "/admin/v1/orgs/a%63me",
        "/admin/v1/orgs/acme;x",
        "/admin/v1/orgs/acme%00",
        "/ADMIN/v1/orgs",
        "/console",
        "/",
    ],
)
def test_odd_paths_lead_nowhere_with_or_without_a_token(port: Port, path: str) -> None:
    port.tenants("acme")
    status, answer = raw(port, get(path))
    assert status in (401, 404) and b"acme" not in answer
    status, answer = raw(port, get(path, f"authorization: Bearer {BOOTSTRAP}"))
    assert status == 404 and b'"path_not_found"' in answer


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost@evil", "x/#@localhost", "127.0.0.1.evil.example", "", None]
)
def test_a_foreign_host_gets_nothing(port: Port, host: str | None) -> None:
    for path in ("/admin/v1/self", "/metrics", "/console"):
        status, answer = raw(port, get(path, f"authorization: Bearer {BOOTSTRAP}", host=host))
        # A request without Host is already malformed for the HTTP parser.
        assert status == 421 or (host is None and status == 400)
        assert b"bootstrap" not in answer


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4001", "127.0.0.1:1", "[::1]:4001", "localhost."])
def test_loopback_names_are_answered(port: Port, host: str) -> None:
    assert raw(port, get("/admin/v1/self", f"authorization: Bearer {BOOTSTRAP}", host=host))[0] == 200


def test_two_hosts_or_two_authorizations_are_refused(port: Port) -> None:
    twice = f"authorization: Bearer {BOOTSTRAP}"
    assert raw(port, get("/admin/v1/self", twice, "host: localhost"))[0] in (400, 421)
    assert raw(port, get("/admin/v1/self", twice, twice))[0] == 401


def test_other_hosts_by_setting(tmp_path: Path, clock: SetClock) -> None:
    with serving(tmp_path, clock, allowed_hosts=frozenset({"Flyball.example"})) as port:
        assert raw(port, get("/metrics", host="flyball.example:443"))[0] == 200
        assert raw(port, get("/metrics", host="other.example"))[0] == 421


def test_probes_are_answered_under_any_name_and_told_nothing(port: Port) -> None:
    assert raw(port, get("/healthz", host="10.1.2.3:4001"))[0] == 200
    with port.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.head("/healthz").content == b""
        assert client.post("/healthz").status_code == 405


def test_metrics_can_want_a_token_of_their_own(tmp_path: Path, clock: SetClock) -> None:
    token = Secret("metrics-token-0123456789")
    with serving(tmp_path, clock, metrics=lambda: "up 1\n", metrics_token=token) as port:
        with port.client() as client:
            assert client.get("/metrics").status_code == 401
        with port.as_owner() as client:
            assert client.get("/metrics").status_code == 401
        with port.client(token.reveal()) as client:
            response = client.get("/metrics")
            assert (response.status_code, response.text) == (200, "up 1\n")
            assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert client.get("/admin/v1/self").status_code == 401


def test_broken_metrics_are_an_answer(tmp_path: Path, clock: SetClock) -> None:
    def broken() -> str:
        raise OSError("canary")

    with serving(tmp_path, clock, metrics=broken) as port, port.client() as client:
        response = client.get("/metrics")
        assert response.status_code == 500 and "canary" not in response.text


async def _console(scope: Scope, receive: Receive, send: Send) -> None:
    body = f"{scope['root_path']} {scope['path']}".encode()
    headers = [(b"content-security-policy", b"default-src 'self'")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def test_the_console_is_mounted_with_its_own_headers(tmp_path: Path, clock: SetClock) -> None:
    with serving(tmp_path, clock, console=_console) as port, port.client() as client:
        response = client.get("/console/spend")
        assert response.text == "/console /console/spend"
        assert response.headers["content-security-policy"] == "default-src 'self'"
        assert response.headers["x-frame-options"] == "DENY"
        assert client.get("/consoles").status_code == 404


def test_answers_are_hardened_and_no_other_origin_is_let_in(owner: httpx.Client) -> None:
    response = owner.get("/admin/v1/self", headers={"origin": "https://evil.example"})
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert owner.options("/admin/v1/self").status_code == 405


def test_a_body_is_json_small_and_only_where_it_belongs(owner: httpx.Client) -> None:
    form = owner.put("/admin/v1/orgs/acme", data={"cost_center": "1"})
    assert (form.status_code, form.json()["error"]["code"]) == (415, "unsupported_media_type")
    large = owner.put("/admin/v1/orgs/acme", json={"cost_center": "x" * 1_000_000})
    assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")
    assert owner.request("DELETE", "/admin/v1/orgs/acme", json={}).status_code == 400
    assert owner.put("/admin/v1/orgs/acme", json={}).status_code == 201


def test_a_large_body_without_a_length_is_refused_too(port: Port) -> None:
    with port.as_owner() as client:
        pieces = (b"x" * 65536 for _ in range(40))
        head = {"content-type": "application/json"}
        try:
            response = client.put("/admin/v1/orgs/acme", content=pieces, headers=head)
        except httpx.WriteError:
            return  # closed while we were still sending: refused as well
        assert response.status_code == 413


def test_a_wrong_method_is_told_the_right_ones(owner: httpx.Client) -> None:
    response = owner.post("/admin/v1/orgs/acme", json={})
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET, PUT")


def test_a_busy_state_file_is_503(port: Port, owner: httpx.Client) -> None:
    lock = port.rooms.state.connect()
    lock.execute("BEGIN IMMEDIATE")
    try:
        response = owner.put("/admin/v1/orgs/acme", json={})
    finally:
        lock.close()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert response.headers["retry-after"] == "1"


def test_what_is_unforeseen_is_500_and_shows_nothing(
    port: Port, owner: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    port.reader.fails = RuntimeError("canary of an exception")
    response = owner.get("/admin/v1/spend?start_time=1793491200")
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "canary" not in response.text + caplog.text
    assert "RuntimeError at" in caplog.text


def test_a_websocket_is_turned_away(port: Port) -> None:
    upgrade = ("upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13", "sec-websocket-key: eA==")
    status, _ = raw(port, get("/admin/v1/self", *upgrade))
    assert status in (400, 401, 403)
