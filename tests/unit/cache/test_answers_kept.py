"""Answers that are kept: sealed, bounded by bytes, never another organisation's or another request's."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cache import Cache, CachedAnswer, CacheRules, CacheSettings
from proxy.cache.exact import ExactCache
from proxy.cache.memory import OVERHEAD, MemoryStore
from proxy.cache.sealing import AnswerSeal, Unreadable
from proxy.cache.store import StoreAway

RULES = CacheRules(CacheSettings(), secret=b"s" * 32, generation="g", revision="r")
SEAL = AnswerSeal(b"b" * 32)
CANARY = b"canary-of-the-kept-answer"
FOREVER = 2**62


def answer(org: str, key: bytes, body: bytes = CANARY) -> CachedAnswer:
    return CachedAnswer(
        org=org, key=key, entry="op_1", made_ns=1, until_ns=FOREVER, provider="up", sent_model="m", model="m",
        body=body, content_type="application/json", streamed=False,
    )  # fmt: skip


class LooseStore(MemoryStore):
    """One that has lost its way: it hands out whatever it has, to anybody."""

    async def find(self, key: bytes, now_ns: int) -> bytes | None:
        return next(reversed(self._kept.values()))[1] if self._kept else None


class AwayStore(MemoryStore):
    """One that cannot be reached."""

    async def find(self, key: bytes, now_ns: int) -> bytes | None:
        raise StoreAway("gone")

    async def put(self, key: bytes, sealed: bytes, now_ns: int, until_ns: int) -> bool:
        raise StoreAway("gone")


@pytest.mark.parametrize("kind", [MemoryStore, LooseStore])
async def test_ten_thousand_pairs_of_tenants_and_not_one_leak(kind: type[MemoryStore]) -> None:
    """Names that run into each other, bodies that hold each other's names, and a store that hands out anything."""
    chance = random.Random(7)
    names = ("a", "b", "ab", "a\0b", "a:b", "A", "a ", "org:a", "", "ä")
    cache = ExactCache(kind(10**8), SEAL, max_answer_bytes=10**6)
    for _ in range(10_000):
        mine, other = chance.sample(names, 2)
        head, body = chance.choice([(b"h", b"x"), (b"", b"hx"), (b"hx", b""), (mine.encode(), other.encode())])
        own = RULES.key(mine, head, body)
        assert await cache.keep(answer(mine, own, mine.encode()), 1)
        for key in (RULES.key(other, head, body), own, RULES.key(mine, body, head) if head != body else own):
            found = await cache.find(other, key, 2)
            assert found is None or found.body == other.encode()


async def test_an_answer_is_its_owners() -> None:
    cache, key = ExactCache(MemoryStore(10**6), SEAL, max_answer_bytes=100), RULES.key("acme", b"", b"x")
    assert await cache.keep(answer("acme", key), 1)
    found = await cache.find("acme", key, 2)
    assert found is not None and found.body == CANARY
    assert await cache.find("acme", key, FOREVER) is None
    assert not await cache.keep(answer("acme", key, b"x" * 101), 1)


async def test_a_store_that_is_away_is_a_miss() -> None:
    cache, key = ExactCache(AwayStore(10**6), SEAL, max_answer_bytes=100), RULES.key("acme", b"", b"x")
    assert not await cache.keep(answer("acme", key), 1) and await cache.find("acme", key, 1) is None


def test_what_is_sealed_opens_for_its_request_only() -> None:
    sealed = SEAL.seal(answer("acme", b"k" * 32))
    assert CANARY not in sealed and SEAL.open(b"k" * 32, sealed).body == CANARY
    for key, seal, text in (
        (b"l" * 32, SEAL, sealed),
        (b"k" * 32, AnswerSeal(b"c" * 32), sealed),
        (b"k" * 32, SEAL, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (b"k" * 32, SEAL, b""),
    ):
        with pytest.raises(Unreadable):
            seal.open(key, text)
    assert "b" * 8 not in repr(SEAL)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400), st.integers(0, 9)), max_size=60), st.integers(0, 3000)
)
async def test_the_store_keeps_to_its_bytes(steps: list[tuple[int, int, int]], most: int) -> None:
    store = MemoryStore(most)
    for now, (name, size, until) in enumerate(steps):
        kept = await store.put(b"%d" % name, b"x" * size, now, now + until)
        assert kept == (size + OVERHEAD <= most and until > 0)
        assert store.size == sum(len(sealed) + OVERHEAD for _, sealed in store._kept.values()) <= most
        found = await store.find(b"%d" % name, now)
        assert (found is not None) == kept
        assert await store.find(b"%d" % name, now + until) is None or until == 0
    await store.close()
    assert (store.size, len(store)) == (0, 0)


async def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    store = MemoryStore(3 * (OVERHEAD + 1))
    for name in (b"a", b"b", b"c"):
        await store.put(name, b"x", 0, 9)
    await store.find(b"a", 1)
    await store.put(b"d", b"x", 1, 9)
    assert [await store.find(name, 2) for name in (b"a", b"b", b"c", b"d")] == [b"x", None, b"x", b"x"]
    await store.drop(b"a")
    assert await store.find(b"a", 2) is None


@pytest.mark.long
@pytest.mark.alone
async def test_a_million_inserts_stay_within_the_bound() -> None:
    """By the kernel's count of this process's memory."""
    settings = CacheSettings()
    before = _resident()
    store = MemoryStore(settings.exact.max_mb * 1_048_576 * 3 // 4)
    cache = Cache(settings, body_key=b"b" * 32)
    for number in range(1_000_000):
        key = number.to_bytes(32, "big")
        await store.put(key, bytes(1500), 0, FOREVER)
        cache.shadow.note(key, FOREVER)
    assert _resident() - before <= settings.exact.max_mb * 1_048_576


def _resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
