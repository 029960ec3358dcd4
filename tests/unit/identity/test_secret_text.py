"""What a secret may look like, and how it is kept."""

import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.secret import Secret
from proxy.identity.digests import Digester
from proxy.identity.secret_text import TOKEN_MARK, new_secret, shown_prefix, well_shaped

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


def test_made_secrets_have_the_promised_shape_and_differ() -> None:
    made = {new_secret().reveal() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"fb-[A-Za-z0-9_-]{43}", each) and well_shaped(each) for each in made)


@given(st.text(VISIBLE, min_size=20, max_size=256))
def test_every_visible_ascii_text_of_the_right_length_is_a_secret(text: str) -> None:
    assert well_shaped(text)


@given(st.text(max_size=300))
def test_well_shaped_is_exactly_the_rule(text: str) -> None:
    assert well_shaped(text) == (20 <= len(text) <= 256 and all(each in VISIBLE for each in text))


@pytest.mark.parametrize(
    "bad", ["", "x" * 19, "x" * 257, "x" * 19 + " y", "x" * 25 + "\n", "ü" * 25, "x" * 25 + "\x7f"]
)
def test_other_texts_are_not(bad: str) -> None:
    assert not well_shaped(bad)


@given(st.text(VISIBLE, min_size=20, max_size=256))
def test_the_shown_beginning_gives_little_away(text: str) -> None:
    prefix = shown_prefix(Secret(text))
    assert text.startswith(prefix)
    assert len(prefix) <= 8


def test_the_shown_beginning_of_ours_is_the_mark_and_four() -> None:
    assert len(shown_prefix(new_secret())) == 7
    assert len(shown_prefix(new_secret(TOKEN_MARK))) == 8


@given(st.binary(min_size=32, max_size=64), st.text(VISIBLE, min_size=1, max_size=256))
def test_the_digest_is_hmac_sha256_of_sha256(key: bytes, secret: str) -> None:
    wanted = hmac.digest(key, hashlib.sha256(secret.encode()).digest(), "sha256")
    assert Digester(key).digest(secret) == wanted


@pytest.mark.parametrize("length", [0, 31, 65])
def test_a_hash_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="hash-key"):
        Digester(b"k" * length)
