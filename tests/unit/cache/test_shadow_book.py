"""What a cache in shadow remembers: hashes, bounded, each organisation's and each configuration's its own."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cache import Cache, CacheRule, CacheRules, CacheSettings
from proxy.cache.repeats import Repeats
from proxy.cache.settings import CacheOverride, ExactSettings
from proxy.cache.shadow import ENTRY_BYTES, ShadowBook

SETTINGS = CacheSettings()
AGE = {"secret": b"s" * 32, "generation": "g1", "revision": "r1"}


def rules(**changed: object) -> CacheRules:
    return CacheRules(SETTINGS, **{**AGE, **changed})  # type: ignore[arg-type]


def test_it_never_grows_beyond_its_bound() -> None:
    book = ShadowBook(100 * ENTRY_BYTES)
    for number in range(10_000):
        book.note(number.to_bytes(32, "big"), 2)
        assert len(book) <= 101
    assert book.is_fresh((9_999).to_bytes(32, "big"), 1) and not book.is_fresh((9_000).to_bytes(32, "big"), 1)


def test_the_newest_moment_counts() -> None:
    book = ShadowBook(2 * ENTRY_BYTES)
    book.note(b"a", 5)
    book.note(b"b", 5)
    book.note(b"a", 9)
    assert book.is_fresh(b"a", 8) and not book.is_fresh(b"a", 9) and not book.is_fresh(b"b", 5)


def test_a_request_is_read_once_however_often_it_comes() -> None:
    book = ShadowBook(4 * ENTRY_BYTES)
    read: list[bytes] = []

    def judge(key: bytes) -> bool:
        read.append(key)
        return key != b"never"

    for _ in range(3):
        assert book.may_be_kept(b"one", lambda: judge(b"one"))
        assert not book.may_be_kept(b"never", lambda: judge(b"never"))
    assert read == [b"one", b"never"]


def test_a_host_shares_what_it_may_keep_among_its_workers() -> None:
    settings = replace(SETTINGS, exact=ExactSettings(max_mb=1))
    for workers in (1, 4):
        cache = Cache(settings, body_key=b"b" * 32, workers=workers)
        for number in range(5_000):
            cache.shadow.note(number.to_bytes(32, "big"), 2)
        assert len(cache.shadow) * ENTRY_BYTES <= 1_048_576 // 4 // workers + ENTRY_BYTES


def test_repeats_are_bounded_too() -> None:
    repeats = Repeats(most=10)
    for number in range(100):
        repeats.note(b"key", str(number))
    assert repeats.has(b"key", "99") and not repeats.has(b"key", "1") and not repeats.has(b"other", "99")


@pytest.mark.parametrize(
    "changed", [{"secret": b"t" * 32}, {"generation": "g2"}, {"revision": "r2"}], ids=lambda each: str(*each)
)
def test_another_configuration_or_policy_knows_no_key_of_before(changed: Mapping[str, object]) -> None:
    assert rules().key("acme", b"head", b"body") != rules(**changed).key("acme", b"head", b"body")


@given(st.lists(st.tuples(st.sampled_from(("a", "ab", "b")), st.binary(max_size=6), st.binary(max_size=6)), max_size=8))
def test_keys_are_of_one_organisation_and_one_request(asked: list[tuple[str, bytes, bytes]]) -> None:
    known = rules()
    assert len({known.key(*each) for each in asked}) == len(set(asked))


def test_the_first_override_that_matches_wins() -> None:
    overrides = (
        CacheOverride(org="acme", route="gpt-*", ttl_s=60),
        CacheOverride(org="acme-*", exact="disabled"),
        CacheOverride(exact="shadow", ttl_s=1),
    )
    known = CacheRules(replace(SETTINGS, overrides=overrides), **AGE)  # type: ignore[arg-type]
    assert known.of("acme", "gpt-*") == CacheRule("shadow", 60 * 10**9)
    assert known.of("acme-eu", "gpt-*") == CacheRule("disabled", 3600 * 10**9)
    assert known.of("acme", "gpt-5") == CacheRule("shadow", 10**9)
