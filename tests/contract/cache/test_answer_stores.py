"""Stores of answers: one suite over memory and a real Redis, and many alike at once over workers that share one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.cache import CachedAnswer
from proxy.cache.exact import ExactCache
from proxy.cache.memory import MemoryStore
from proxy.cache.redis import RedisStore
from proxy.cache.sealing import AnswerSeal
from proxy.cache.store import AnswerStore, StoreAway
from proxy.core.secret import Secret
from tests.contract.ledger.redis_server import served, shared_url
from tests.harness.emitted import DONE
from tests.harness.one_worker import Client, Upstream, chat, config, one_worker
from tests.unit.journey.test_cache_serves import EVENTS, Gated, said

S = 1_000_000_000
SEAL = AnswerSeal(b"b" * 32)


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[AnswerStore]:
    made: AnswerStore = MemoryStore(10**6) if request.param == "memory" else RedisStore(Secret(shared_url()))
    if isinstance(made, RedisStore):
        await made._client.flushdb()
    yield made
    await made.close()


def answer(org: str, key: bytes) -> CachedAnswer:
    return CachedAnswer(
        org=org, key=key, entry="op_1", made_ns=0, until_ns=60 * S, provider="up", sent_model="m", model="m",
        body=b"canary", content_type="application/json", streamed=False,
    )  # fmt: skip


async def test_what_is_put_is_found_until_it_is_dropped_or_old(store: AnswerStore) -> None:
    assert await store.find(b"a", 0) is None
    assert await store.put(b"a", b"\x00one", 0, 60 * S) and await store.put(b"b", b"two", 0, 60 * S)
    assert await store.put(b"a", b"\x00three", 0, 60 * S)
    assert (await store.find(b"a", 1), await store.find(b"b", 1)) == (b"\x00three", b"two")
    await store.drop(b"a")
    assert (await store.find(b"a", 1), await store.find(b"b", 1)) == (None, b"two")
    assert not await store.put(b"b", b"late", 60 * S, 60 * S)


async def test_an_answer_is_sealed_and_its_owners(store: AnswerStore) -> None:
    cache = ExactCache(store, SEAL, max_answer_bytes=100)
    assert await cache.keep(answer("acme", b"k" * 32), 0)
    kept = await store.find(b"k" * 32, 1)
    assert kept is not None and b"canary" not in kept and b"acme" not in kept
    found = await cache.find("acme", b"k" * 32, 1)
    assert found == answer("acme", b"k" * 32) and await cache.find("beta", b"k" * 32, 1) is None
    await store.put(b"l" * 32, kept, 0, 60 * S)
    assert await cache.find("acme", b"l" * 32, 1) is None


async def test_a_run_is_told_of_what_it_had(store: AnswerStore) -> None:
    one, other = (ExactCache(store, SEAL, max_answer_bytes=100) for _ in range(2))
    await one.note_had(b"k" * 32, "r1", 0, 60 * S)
    assert await one.has_had(b"k" * 32, "r1", 1) and not await one.has_had(b"k" * 32, "r2", 1)
    assert await other.has_had(b"k" * 32, "r1", 1) == store.is_shared


async def test_one_claims_and_the_next_after_it(store: AnswerStore) -> None:
    if not store.is_shared:
        assert await store.claim(b"k", b"op_1", 1) and await store.claim(b"k", b"op_2", 1)
        return
    assert await store.claim(b"k", b"op_1", 60) and not await store.claim(b"k", b"op_2", 60)
    await store.resign(b"k", b"op_2")
    await store.renew(b"k", b"op_1", 60)
    assert await store.is_claimed(b"k")
    await store.resign(b"k", b"op_1")
    assert not await store.is_claimed(b"k") and await store.claim(b"k", b"op_2", 0.05)
    async with asyncio.timeout(10):
        while await store.is_claimed(b"k"):  # noqa: ASYNC110 - a dead worker's claim ends by itself
            await asyncio.sleep(0.01)


async def test_two_hundred_alike_at_two_workers_are_one_call(tmp_path: Path) -> None:
    environment = {"CACHE_URL": shared_url(), "BODY_KEY": "ab" * 32}
    more = "cache: {exact: {mode: serve, url_env: CACHE_URL}}"
    text = config(more=more).replace("workers: 1", "workers: 1, body_key_env: BODY_KEY")
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with one_worker(folders[0], text, environment) as one, one_worker(folders[1], text, environment) as two:
        answered = Gated(*EVENTS)
        upstream = Upstream(answered)
        clients = [Client(chat(stream=True)) for _ in range(200)]
        tasks = []
        for number, client in enumerate(clients):
            worker = (one, two)[number % 2]
            worker.rooms.transport = upstream
            tasks.append(asyncio.ensure_future(worker.parts.port(client.scope, client.receive, client.send)))
        async with asyncio.timeout(30):
            while one.rooms.cache.exact.flights.waiters + two.rooms.cache.exact.flights.waiters < 198:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        answered.opened.set()
        await asyncio.gather(*tasks)
        assert len(upstream.seen) == 1 and {client.text for client in clients} == {clients[0].text}
        assert clients[0].text.endswith(DONE)
        assert sorted(said(client) for client in clients) == ["hit"] * 199 + ["miss"]
        rows = one.rows() + two.rows()
        assert [row["cost_usd"] for row in rows if row["cost_usd"] != "0.000000000"] == ["0.020000000"]
        for worker in (one, two):
            await worker.rooms.cache.close()


async def test_a_redis_that_stands_still_or_is_gone_is_a_miss() -> None:
    with served() as server:
        store = RedisStore(Secret(server.url))
        cache = ExactCache(store, SEAL, max_answer_bytes=100)
        assert await cache.keep(answer("acme", b"k" * 32), 0)
        server.pause()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await cache.find("acme", b"k" * 32, 1) is None and await cache.claim(b"k" * 32, b"op_1")
        for _ in range(100):
            assert not await cache.keep(answer("acme", b"k" * 32), 0)
        assert loop.time() - began < 5, "one deadline, then it is left alone"
        server.go_on()
        store._away_until = 0.0
        assert await cache.find("acme", b"k" * 32, 1) is not None
        server.stop(kill=True)
        with pytest.raises(StoreAway):
            await store.find(b"k" * 32, 1)
        await cache.close()
