"""Heads and framing that are wrong in every way: bounded, never ambiguous, never upstream, always answered."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import pytest

from tests.journey.guarded import CHAT, KEY, UNKNOWN_KEY, Guarded, guarded
from tests.journey.raw_http import Answer, connect, exchange, read_answer, request

BODY = json.dumps(CHAT).encode()
CHUNKED = ("Transfer-Encoding", "chunked")
LENGTH = ("Content-Length", str(len(BODY)))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("http")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_happens(scene: Guarded) -> Iterator[None]:
    with scene.untouched():
        yield


def closed(answer: Answer) -> bool:
    return answer.headers.get("connection") == "close"


def with_headers(*headers: tuple[str, str]) -> bytes:
    return request(BODY, key=KEY, headers=headers)


TOO_LARGE = {
    "10,000 headers": with_headers(*((f"x-{number}", "v") for number in range(10_000))),
    "one header too many": with_headers(*((f"x-{number}", "v") for number in range(127))),
    "a header of 1 MB": with_headers(("x-long", "v" * 1024 * 1024)),
    "a header name of 1 MB": with_headers(("x" * 1024 * 1024, "v")),
    "many long headers": with_headers(*((f"x-{number}", "v" * 1000) for number in range(100))),
    "a path of 20 KB": request(BODY, key=KEY, target="/v1/" + "x" * 20_000),
    "a query of 20 KB": request(BODY, key=KEY, target="/v1/chat/completions?" + "x" * 20_000),
    "20,000 trailers": request(
        b"0\r\n" + b"".join(b"x-%d: v\r\n" % number for number in range(20_000)) + b"\r\n", key=KEY, headers=[CHUNKED]
    ),
}

NOT_HTTP = {
    "TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\x11" * 190,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9,
    "SOCKS": b"\x05\x01\x00",
    "noise": bytes(range(256)),
    "endless method": b"X" * 100_000 + b" / HTTP/1.1\r\n\r\n",
    "unknown method": request(method="FOO", key=KEY),
    "method in lower case": request(method="post", key=KEY),
    "unknown version": request(BODY, key=KEY, version="9.9"),
    "CONNECT": request(method="CONNECT", target="evil.example:443", key=KEY),
    "authority as target": request(BODY, target="evil.example:443", key=KEY),
    "absolute target without path": request(BODY, target="http://evil.example", key=KEY),
    "query only": request(BODY, target="?x", key=KEY),
    "NUL in the path": request(BODY, target="/v1/chat/completions\0", key=KEY),
    "line feed in the path": request(BODY, target="/v1/chat\n/completions", key=KEY),
    "CR in the path": request(BODY, target="/v1/chat\r/completions", key=KEY),
    "space in the path": request(BODY, target="/v1/chat /completions", key=KEY),
    "latin-1 in the path": request(BODY, target="/v1/chat\xff", key=KEY),
    "content-length and chunked": request(b"0\r\n\r\n", key=KEY, headers=[("Content-Length", "5"), CHUNKED]),
    "chunked and content-length": request(b"0\r\n\r\n", key=KEY, headers=[CHUNKED, ("Content-Length", "5")]),
    "chunked, identity": request(b"0\r\n\r\n", key=KEY, headers=[("Transfer-Encoding", "chunked, identity")]),
    "identity": with_headers(("Transfer-Encoding", "identity")),
    "xchunked": request(b"0\r\n\r\n", key=KEY, headers=[("Transfer-Encoding", "xchunked")]),
    "chunked behind a tab": request(b"0\r\n\r\n", key=KEY, headers=[("Transfer-Encoding", "\x0bchunked")]),
    "chunked twice": request(b"0\r\n\r\n", key=KEY, headers=[CHUNKED, CHUNKED]),
    "two equal lengths": with_headers(LENGTH, LENGTH),
    "two lengths": with_headers(LENGTH, ("Content-Length", "1")),
    "list of lengths": with_headers(("Content-Length", f"{len(BODY)}, {len(BODY)}")),
    "signed length": with_headers(("Content-Length", "+5")),
    "negative length": with_headers(("Content-Length", "-5")),
    "hexadecimal length": with_headers(("Content-Length", "0x5")),
    "empty length": with_headers(("Content-Length", "")),
    "length beyond 64 bits": with_headers(("Content-Length", "9" * 40)),
    "folded header": with_headers(("x-a", "b\r\n folded")),
    "space before the colon": with_headers(("x-a ", "b")),
    "space before the name": with_headers((" x-a", "b")),
    "CR in a value": with_headers(("x-a", "b\rx-b: c")),
    "LF in a value": with_headers(("x-a", "b\nx-b: c")),
    "NUL in a value": with_headers(("x-a", "b\0c")),
    "brackets in a name": with_headers(("x(a)", "b")),
    "no name": with_headers(("", "b")),
    "no colon": b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n",
    "bare line feeds": b"GET /v1/models HTTP/1.1\nHost: x\n\n",
    "chunk size is no number": request(b"zz\r\nx\r\n0\r\n\r\n", key=KEY, headers=[CHUNKED]),
    "chunk size beyond 64 bits": request(b"F" * 17 + b"\r\nx\r\n0\r\n\r\n", key=KEY, headers=[CHUNKED]),
    "chunk longer than it says": request(b"1\r\nxy\r\n0\r\n\r\n", key=KEY, headers=[CHUNKED]),
}

BEGUN = {"identity", "xchunked", "chunk size is no number", "chunk size beyond 64 bits", "chunk longer than it says"}
"""Refused for how the body is framed: whose call it was was known, so it leaves a row."""

ODD_HOSTS = ["x/#@evil", "x/v1/models?", "a b", "a,b", "me@x", "x\\y", "[::1", "x:99999999", "", "ü", "x\t"]


@pytest.mark.parametrize("case", TOO_LARGE)
def test_heads_and_trailers_beyond_the_bounds_are_431(scene: Guarded, case: str) -> None:
    answer = scene.ask(TOO_LARGE[case])
    scene.turned_away(answer, 431, "headers_too_large")
    assert closed(answer)
    if case == "20,000 trailers":
        scene.unanswered["invalid_request"] += 1


@pytest.mark.parametrize("case", NOT_HTTP)
def test_what_is_no_http_is_400_and_closed(scene: Guarded, case: str) -> None:
    answer = scene.ask(NOT_HTTP[case])
    scene.turned_away(answer, 400, "invalid_http")
    assert closed(answer)
    if case in BEGUN:
        scene.unanswered["invalid_request"] += 1


@pytest.mark.parametrize("version", ["2.0", "0.9"])
def test_other_versions_are_505(scene: Guarded, version: str) -> None:
    scene.turned_away(scene.ask(request(BODY, key=KEY, version=version)), 505, "http_version_not_supported")


def test_a_header_line_without_end_takes_no_memory(scene: Guarded) -> None:
    """Nothing is answered wrongly early, nothing is hoarded, and the connection ends."""
    before = memory(scene)
    with connect(scene.flyball.data) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nx-endless: ")
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                sent += connection.send(b"v" * 65_536)
        except ConnectionError:
            pass
    assert sent < 32 * 1024 * 1024
    assert memory(scene) - before < 10 * 1024 * 1024


def test_a_chunk_extension_without_end_is_cut_off(scene: Guarded) -> None:
    answer = scene.ask(request(b"5;" + b"x" * 500_000, key=KEY, headers=[CHUNKED]))
    assert (answer.status, closed(answer)) == (400, True)
    scene.unanswered["invalid_request"] += 1  # the call had been identified when its connection was closed


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_an_odd_host_is_refused(scene: Guarded, host: str) -> None:
    answer = scene.ask(request(BODY, key=KEY, host=host))
    scene.turned_away(answer, 400, "invalid_request")
    assert answer.error["param"] == "host"


def test_a_missing_host_is_refused_but_not_of_http_1_0(scene: Guarded) -> None:
    scene.turned_away(scene.ask(request(BODY, key=KEY, host=None)), 400, "invalid_request")
    answer = scene.ask(request(b"{}", key=KEY, host=None, version="1.0"))
    scene.refused(answer, 400, "invalid_request")
    assert closed(answer)


@pytest.mark.parametrize(
    "name", ["Host", "Authorization", "x-api-key", "content-encoding", "x-flyball-key", "X-Flyball-Tags"]
)
def test_what_must_stand_once_is_refused_twice(scene: Guarded, name: str) -> None:
    key = None if name == "Authorization" else KEY
    host = None if name == "Host" else "localhost"
    answer = scene.ask(request(BODY, key=key, host=host, headers=[(name, "identity"), (name, "identity")]))
    scene.turned_away(answer, 400, "invalid_request")
    assert answer.error["param"] == name.lower()


def test_the_target_names_no_other_server(scene: Guarded) -> None:
    """An absolute target is served by its path alone; where it points to is of no account."""
    target = "http://169.254.169.254/v1/models/none"
    scene.turned_away(scene.ask(request(method="GET", target=target, key=KEY)), 404, "model_not_found")
    answer = scene.ask(request(method="GET", target="https://evil.example/admin/v1/keys", key=KEY))
    scene.turned_away(answer, 404, "path_not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_405_and_told_the_right_one(scene: Guarded, method: str) -> None:
    """GET is another call: for the list of what was stored."""
    answer = scene.ask(request(method=method, key=KEY))
    scene.turned_away(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_head_has_no_body(scene: Guarded) -> None:
    with connect(scene.flyball.data) as connection:
        for _ in range(2):
            connection.sendall(request(method="HEAD", key=KEY))
            answer = read_answer(connection, "HEAD")
            assert answer is not None
            assert (answer.status, answer.body) == (405, b"")


def test_pipelined_requests_are_answered_in_order(scene: Guarded) -> None:
    models = [f"unknown-{number}" for number in range(20)]
    with connect(scene.flyball.data) as connection:
        connection.sendall(b"".join(request(json.dumps({"model": model}).encode(), key=KEY) for model in models))
        for model in models:
            answer = read_answer(connection)
            assert answer is not None
            assert model in scene.refused(answer, 404, "model_not_found")["message"]


def test_a_request_behind_a_bad_one_is_not_served(scene: Guarded) -> None:
    with connect(scene.flyball.data) as connection:
        connection.sendall(NOT_HTTP["content-length and chunked"] + request(BODY, key=KEY))
        answer = read_answer(connection)
        assert answer is not None
        assert answer.status == 400
        assert connection.recv(1000) == b""


def test_a_smuggled_request_stays_a_body(scene: Guarded) -> None:
    inner = request(BODY, key=KEY)
    scene.refused(scene.post(inner), 400, "invalid_request")


def test_an_offer_to_upgrade_is_passed_over(scene: Guarded) -> None:
    """Java's client makes it with every plain POST; the body behind it must not be lost, nor a second request."""
    offer = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    body = json.dumps({"model": "behind-an-upgrade"}).encode()
    raw = request(body, key=KEY, headers=offer)
    with connect(scene.flyball.data) as connection:
        for cut in (len(raw), len(raw) - 5, len(raw) - len(body), 30):
            connection.sendall(raw[:cut])
            time.sleep(0.05)
            connection.sendall(raw[cut:])
            answer = read_answer(connection)
            assert answer is not None
            assert "behind-an-upgrade" in scene.refused(answer, 404, "model_not_found")["message"]
    websocket = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")]
    answer = scene.ask(request(method="GET", target="/v1/realtime", key=KEY, headers=websocket))
    scene.turned_away(answer, 404, "path_not_found")


def test_trailers_say_nothing(scene: Guarded) -> None:
    """A key, or any header, that comes after the body was not there when the call was looked at."""
    answer = scene.ask(request(b"0\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n\r\n", headers=[CHUNKED]))
    scene.turned_away(answer, 401, "invalid_api_key")


WRONG_KEYS = [
    UNKNOWN_KEY,
    "",
    "short",
    KEY[:-1],
    KEY + "x",
    KEY.upper(),
    "x" * 257,
    "\xfc" * 40,
    "' OR '1'='1' -- -----",
]
FORMS: Final[dict[str, Callable[[str], tuple[str, str]]]] = {
    "bearer": lambda key: ("Authorization", f"Bearer {key}"),
    "bearer in capitals": lambda key: ("AUTHORIZATION", f"BEARER {key}"),
    "x-api-key": lambda key: ("x-api-key", key),
    "api-key": lambda key: ("api-key", key),
    "x-goog-api-key": lambda key: ("X-Goog-Api-Key", key),
    "x-flyball-key": lambda key: ("X-Flyball-Key", key),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_counts_in_every_form_and_a_wrong_one_in_none(scene: Guarded, form: str) -> None:
    scene.refused(scene.ask(request(b"{}", headers=[FORMS[form](KEY)])), 400, "invalid_request")
    for wrong in WRONG_KEYS:
        answer = scene.ask(request(BODY, headers=[FORMS[form](wrong)]))
        error = scene.turned_away(answer, 401, "invalid_api_key")
        assert error["message"] == "The API key is missing or not valid."
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_no_key_at_all_is_401(scene: Guarded) -> None:
    scene.turned_away(scene.ask(request(BODY)), 401, "invalid_api_key")
    basic = scene.ask(request(BODY, headers=[("Authorization", "Basic " + KEY)]))
    scene.turned_away(basic, 401, "invalid_api_key")


def test_the_key_of_our_own_header_wins_over_what_an_sdk_sends(scene: Guarded) -> None:
    both = [("x-flyball-key", KEY), ("x-api-key", UNKNOWN_KEY)]
    scene.refused(scene.ask(request(b"{}", key=UNKNOWN_KEY, headers=both)), 400, "invalid_request")
    both = [("x-flyball-key", UNKNOWN_KEY)]
    scene.turned_away(scene.ask(request(b"{}", key=KEY, headers=both)), 401, "invalid_api_key")


def test_a_revoked_and_an_expired_key_open_nothing(scene: Guarded) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    made = {"org": "lapsed", "team": "lapsed"}
    scene.flyball.admin("PUT", "/admin/v1/orgs/lapsed", {})
    scene.flyball.admin("PUT", "/admin/v1/teams/lapsed/lapsed", {})
    revoked = scene.flyball.admin("POST", "/admin/v1/keys", {**made, "name": "revoked"})["secret"]
    expired = scene.flyball.admin("POST", "/admin/v1/keys", {**made, "name": "expired", "expires_at": soon})["secret"]
    wait_until(scene, revoked, 400)
    wait_until(scene, expired, 400)
    scene.flyball.admin("POST", "/admin/v1/keys/lapsed/lapsed/revoked/revoke", {})
    wait_until(scene, revoked, 401)
    wait_until(scene, expired, 401)


def test_the_log_tells_why_and_the_caller_is_not_told(scene: Guarded) -> None:
    time.sleep(1.1)
    scene.turned_away(scene.ask(request(BODY, key=UNKNOWN_KEY)), 401, "invalid_api_key")
    for _ in range(50):
        scene.ask(request(BODY, key=UNKNOWN_KEY))
    lines = [json.loads(line) for line in scene.flyball.log.read_text().splitlines() if "without a valid key" in line]
    assert any(line["why"] == "unknown" for line in lines)
    assert len(lines) < 40  # told at most once a second, however many come
    time.sleep(1.5)
    page = httpx.get(scene.flyball.admin_url + "/metrics").text
    (count,) = (line.split()[1] for line in page.splitlines() if line.startswith("flyball_unauthorised_total"))
    assert int(count) >= 51


def test_a_client_that_only_half_closes_or_resets_harms_nobody(scene: Guarded) -> None:
    for linger in (b"\1\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0"):
        with connect(scene.flyball.data) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Len")
    assert exchange(scene.flyball.data, request(BODY, key=UNKNOWN_KEY)) is not None


def test_only_identified_calls_left_a_row(scene: Guarded) -> None:
    total = len(scene.expected) + scene.unanswered.total()
    rows = {row["operation_id"]: row for row in scene.flyball.wait_for_rows(total)}
    time.sleep(1.5)  # any row too many would be shipped by now
    rows = {row["operation_id"]: row for row in scene.flyball.wait_for_rows(total)}
    assert {name: rows[name]["code"] for name in scene.expected} == scene.expected
    assert Counter(rows[name]["code"] for name in rows.keys() - scene.expected.keys()) == scene.unanswered
    assert not rows.keys() & scene.strangers
    assert {row["outcome"] for row in rows.values()} == {"refused"}


def wait_until(scene: Guarded, key: str, status: int) -> None:
    """Propagation takes less than 5 s; calls on the way count as what they are."""
    deadline = time.monotonic() + 5
    while True:
        answer = scene.ask(request(b"{}", key=key))
        if answer.status == 400:
            scene.refused(answer, 400, "invalid_request")
        if answer.status == status:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def memory(scene: Guarded) -> int:
    (pid,) = scene.flyball.pids("worker")
    with open(f"/proc/{pid}/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
