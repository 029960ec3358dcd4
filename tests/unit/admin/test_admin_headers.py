"""What is read from raw header lines."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.faults import Fault, Refusal
from proxy.admin.headers import ANY, NOT_YET, Condition, bearer, condition, host_name, idempotency_key
from proxy.identity import KeyStore

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


@given(st.text(VISIBLE, min_size=1), st.sampled_from(["Bearer", "bearer", "BEARER", "bEaReR"]), st.integers(1, 3))
def test_a_bearer_token_is_found_however_it_is_written(token: str, scheme: str, spaces: int) -> None:
    assert bearer([(b"authorization", f"{scheme}{' ' * spaces}{token}".encode())]) == token


@given(st.binary(max_size=80))
def test_whatever_stands_there_a_token_is_visible_ascii_or_nothing(value: bytes) -> None:
    token = bearer([(b"authorization", value)])
    assert token is None or (token.encode() in value and all(each in VISIBLE for each in token))


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"Bearer a b", b"Bearer\ta", b"abc"])
def test_other_lines_carry_no_token(value: bytes) -> None:
    assert bearer([(b"authorization", value)]) is None


def test_two_authorization_lines_carry_none() -> None:
    assert bearer([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer a")]) is None


@given(st.binary(max_size=80))
def test_a_host_name_is_plain_or_nothing(value: bytes) -> None:
    name = host_name([(b"host", value)])
    assert name is None or re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]|", name)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"LocalHost:4001", "localhost"),
        (b"127.0.0.1", "127.0.0.1"),
        (b"[::1]:4001", "[::1]"),
        (b"example.com.", "example.com"),
        (b"x/#@localhost", None),
        (b"localhost@evil", None),
        (b"localhost:4001:1", None),
        (b"localhost ", None),
        (b"", None),
    ],
)
def test_host_names(value: bytes, name: str | None) -> None:
    assert host_name([(b"host", value)]) == name


def test_two_hosts_are_none() -> None:
    assert host_name([(b"host", b"localhost"), (b"host", b"localhost")]) is None
    assert host_name([]) is None


@pytest.mark.parametrize(
    ("lines", "tag", "version"),
    [
        ([], None, None),
        ([(b"if-match", b'"3"')], "3", 3),
        ([(b"if-match", b' "abc0" ')], "abc0", KeyStore.NEVER_MATCHES),
        ([(b"if-match", b"*")], ANY, KeyStore.MUST_EXIST),
        ([(b"if-none-match", b"*")], NOT_YET, KeyStore.MUST_NOT_EXIST),
        ([(b"if-match", b'"0"')], "0", KeyStore.NEVER_MATCHES),
    ],
)
def test_conditions(lines: list[tuple[bytes, bytes]], tag: str | None, version: int | None) -> None:
    assert condition(lines) == Condition(tag)
    assert condition(lines).version == version


def test_a_condition_is_met_by_what_it_names() -> None:
    assert Condition(None).met_by(None) and Condition(None).met_by("1")
    assert Condition("1").met_by("1") and not Condition("1").met_by("2") and not Condition("1").met_by(None)
    assert Condition(ANY).met_by("1") and not Condition(ANY).met_by(None)
    assert Condition(NOT_YET).met_by(None) and not Condition(NOT_YET).met_by("1")


@pytest.mark.parametrize(
    "lines",
    [
        [(b"if-match", b"3")],
        [(b"if-match", b'W/"3"')],
        [(b"if-match", b'"1", "2"')],
        [(b"if-none-match", b'"3"')],
        [(b"if-match", b'"3"'), (b"if-match", b'"3"')],
        [(b"if-match", b"*"), (b"if-none-match", b"*")],
    ],
)
def test_malformed_conditions_are_refused(lines: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refusal) as caught:
        condition(lines)
    assert caught.value.fault is Fault.INVALID_REQUEST


@given(st.text(string.printable, max_size=300))
def test_an_idempotency_key_is_visible_ascii(text: str) -> None:
    fits = 1 <= len(text) <= 255 and all(each in VISIBLE for each in text)
    try:
        assert (idempotency_key([(b"idempotency-key", text.encode())]) == text.encode()) == fits
    except Refusal as refusal:
        assert not fits and refusal.param == "idempotency-key"
