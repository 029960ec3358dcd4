"""What a request's head must be like before anything is believed of it, and where a key may stand in it."""

import pytest

from proxy.core.refusal import Refusal, Refused
from proxy.edge.credentials import secret_of
from proxy.edge.heads import check_head

Pairs = list[tuple[bytes, bytes]]


def check(pairs: Pairs, version: str = "1.1", allowed: frozenset[bytes] | None = None) -> None:
    check_head(version, pairs, dict(pairs), allowed)


def refusal(pairs: Pairs, version: str = "1.1", allowed: frozenset[bytes] | None = None) -> Refused:
    with pytest.raises(Refused) as refused:
        check(pairs, version, allowed)
    return refused.value


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:4000", "127.0.0.1", "[::1]", "[::1]:4000", "a-b.c_d.example", "x:65535"]
)
def test_ordinary_hosts_are_taken(host: str) -> None:
    check([(b"host", host.encode())])


@pytest.mark.parametrize(
    "host", ["", ":80", "a b", "a/b", "a#b", "a?b", "a@b", "a\\b", "[::1", "::1", "a:b", "a:123456"]
)
def test_odd_hosts_are_not(host: str) -> None:
    assert refusal([(b"host", host.encode())]).param == "host"


def test_only_http_1_0_may_do_without_a_host() -> None:
    check([], "1.0")
    assert refusal([]).param == "host"


def test_only_allowed_hosts_are_answered_whatever_their_port_and_case() -> None:
    allowed = frozenset({b"flyball.example", b"[::1]"})
    for host in (b"flyball.example", b"Flyball.Example:4000", b"[::1]:4000", b"[::1]"):
        check([(b"host", host)], allowed=allowed)
    for host in (b"example", b"flyball.example.evil", b"x.flyball.example", b"127.0.0.1", b"[::2]"):
        assert refusal([(b"host", host)], allowed=allowed).why is Refusal.HOST_NOT_ALLOWED
    assert refusal([], "1.0", allowed).why is Refusal.HOST_NOT_ALLOWED


@pytest.mark.parametrize("name", [b"host", b"authorization", b"x-api-key", b"content-encoding", b"x-flyball-run"])
def test_what_we_act_on_stands_once(name: bytes) -> None:
    pairs = [(b"host", b"x"), (name, b"x"), (name, b"x")]
    assert refusal(pairs).param == name.decode()


def test_what_we_only_pass_on_may_stand_twice() -> None:
    check([(b"host", b"x"), (b"accept", b"a"), (b"accept", b"b"), (b"x-other", b"1"), (b"x-other", b"2")])


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({}, ""),
        ({b"authorization": b"Bearer one"}, "one"),
        ({b"authorization": b"bEARER   one "}, "one"),
        ({b"authorization": b"Bearer"}, ""),
        ({b"authorization": b"Basic one"}, ""),
        ({b"authorization": b"one"}, ""),
        ({b"authorization": b"Basic one", b"api-key": b"two"}, "two"),
        ({b"x-api-key": b"one"}, "one"),
        ({b"x-goog-api-key": b"one"}, "one"),
        ({b"x-flyball-key": b"own", b"authorization": b"Bearer sdk", b"x-api-key": b"other"}, "own"),
        ({b"authorization": b"Bearer \xff\xfe"}, "\xff\xfe"),
    ],
)
def test_a_key_is_found_where_an_sdk_puts_it(headers: dict[bytes, bytes], secret: str) -> None:
    assert secret_of(headers) == secret
