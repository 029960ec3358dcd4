"""Redis standing still, slow, restarted or made to forget its scripts while calls are served: 503, then well."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from proxy.sim import SimProvider, SimServer, SimSettings
from tests.chaos.hosts import booked, budget, config, host, rows_of_all, until
from tests.chaos.load import Load
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import chat
from tests.contract.ledger.redis_server import RedisServer, served
from tests.contract.ledger.slow_relay import SlowRelay, relayed
from tests.harness.flyball import Flyball

ANSWERED_S = 0.25
BUSY_S = 0.35
"""What a busy machine adds; usually it is some hundredths."""
PATIENT = {"deadline_ms": 5_000, "patience_ms": 20_000}
"""For tests of what is counted, not of how soon: no busy machine makes Redis seem away."""
pytestmark = pytest.mark.alone


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with served() as server:
        yield server


@pytest.fixture
def flyball(tmp_path: Path, redis: RedisServer) -> Iterator[Flyball]:
    with (
        SimServer(SimProvider(settings=SimSettings(speed=2, keep_requests=100_000))) as sim,
        host(tmp_path, config(sim.url, redis.tcp_url, workers=1, lease_s=30)) as running,
    ):
        yield running


@pytest.fixture
def patient(tmp_path: Path, redis: RedisServer) -> Iterator[Flyball]:
    with (
        SimServer(SimProvider(settings=SimSettings(speed=2))) as sim,
        host(tmp_path, config(sim.url, redis.tcp_url, workers=1, lease_s=30, ledger=PATIENT)) as running,
    ):
        yield running


def ledger_of(flyball: Flyball) -> tuple[str, str]:
    said = httpx.get(flyball.data + "/readyz", timeout=10).json()
    return said["status"], said["dependencies"]["ledger"]


def metric(flyball: Flyball, name: str) -> str:
    lines = httpx.get(flyball.admin_url + "/metrics", timeout=10).text.splitlines()
    (found,) = [line.rpartition(" ")[2] for line in lines if line.startswith(name + " ")]
    return found


def is_well(flyball: Flyball) -> bool:
    client = RawClient(url=flyball.data)
    return asyncio.run(client.call(chat("well", stream=False, tokens=1))).status == 200


def refused_at_once(answers: list[Answer]) -> None:
    for answer in answers:
        assert answer.status == 503
        assert answer.seconds < ANSWERED_S + BUSY_S
        error = json.loads(answer.body)["error"]
        assert (error["code"], error["flyball"]["dependency"]) == ("dependency_unavailable", "ledger")
        assert answer.headers["retry-after"]


async def calls(flyball: Flyball, name: str, count: int) -> list[Answer]:
    client = RawClient(url=flyball.data)
    return await asyncio.gather(
        *(client.call(chat(f"{name}-{number}", stream=False, tokens=1)) for number in range(count))
    )


def test_one_that_stands_still_is_503_within_a_quarter_second_and_heals(flyball: Flyball, redis: RedisServer) -> None:
    assert is_well(flyball)
    until(lambda: metric(flyball, "flyball_ledger_up") == "1", 10)  # told once a second

    async def scene() -> tuple[Answer, list[Answer]]:
        client = RawClient(url=flyball.data)
        async with asyncio.TaskGroup() as group:
            stream = group.create_task(client.call(chat("stream", tokens=60)))
            await asyncio.sleep(0.4)
            redis.pause()
            try:
                refused = [each for _ in range(4) for each in await calls(flyball, "away", 5)]
                await asyncio.sleep(3)
                assert await asyncio.to_thread(ledger_of, flyball) == ("not_ready", "unavailable")
                assert await asyncio.to_thread(metric, flyball, "flyball_ledger_up") == "0"
            finally:
                redis.go_on()
        return stream.result(), refused

    stream, refused = asyncio.run(scene())
    refused_at_once(refused)
    assert stream.is_whole
    until(lambda: ledger_of(flyball) == ("ready", "ok"), 5)
    until(lambda: is_well(flyball), 5)
    until(lambda: budget(flyball)["held_nano"] == 0, 5)
    time.sleep(1.5)
    rows = rows_of_all([flyball], 2 + 1 + 20, or_more=True)
    assert Counter(row["outcome"] for row in rows.values())["ok"] == 3
    assert budget(flyball)["spent_nano"] == booked(rows)


def test_under_load_nothing_it_does_costs_the_books(flyball: Flyball, redis: RedisServer) -> None:
    load = Load(client=RawClient(url=flyball.data), callers=8)

    async def trouble() -> None:
        await asyncio.sleep(1)
        redis.command("SCRIPT", "FLUSH")
        await asyncio.sleep(0.5)
        await asyncio.to_thread(redis.stop, kill=True)
        await asyncio.sleep(1)
        await asyncio.to_thread(redis.start)
        await asyncio.sleep(2)
        redis.pause()
        await asyncio.sleep(1)
        redis.go_on()
        await asyncio.sleep(2)

    asyncio.run(load.during(trouble))
    until(lambda: ledger_of(flyball) == ("ready", "ok"), 5)
    until(lambda: budget(flyball)["held_nano"] == 0, 10)
    rows = rows_of_all([flyball], len(load.answers))
    assert Counter(answer.status for answer in load.answers.values()).keys() == {200, 503}
    assert {row["run"] for row in rows.values() if row["outcome"] == "ok"} == load.served
    assert budget(flyball)["spent_nano"] == booked(rows)


@contextmanager
def slow_way(port: int) -> Iterator[SlowRelay]:
    """A relay to Redis in a thread of its own."""
    ready, over, made = threading.Event(), threading.Event(), list[SlowRelay]()

    async def serve() -> None:
        async with relayed(port) as relay:
            made.append(relay)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield made[0]
    finally:
        over.set()
        thread.join(10)


def test_one_that_is_five_seconds_slow_is_503_at_once(tmp_path: Path, redis: RedisServer) -> None:
    with (
        slow_way(redis.port) as relay,
        SimServer(SimProvider(settings=SimSettings(speed=2))) as sim,
        host(tmp_path, config(sim.url, relay.url, workers=1, lease_s=30)) as flyball,
    ):
        assert is_well(flyball)
        relay.delay_s = 5.0
        refused_at_once([each for _ in range(4) for each in asyncio.run(calls(flyball, "slow", 5))])
        relay.delay_s = 0.0
        until(lambda: is_well(flyball), 10)
        until(lambda: budget(flyball)["held_nano"] == 0, 10)
        time.sleep(1.5)
        assert budget(flyball)["spent_nano"] == booked(rows_of_all([flyball], 22, or_more=True))


def test_admin_changes_wait_for_it_too(flyball: Flyball, redis: RedisServer) -> None:
    redis.stop(kill=True)
    headers = {"authorization": f"Bearer {flyball.secret('admin-token')}"}
    answer = httpx.put(flyball.admin_url + "/admin/v1/orgs/new", json={}, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
    redis.start()
    assert httpx.put(flyball.admin_url + "/admin/v1/orgs/new", json={}, headers=headers, timeout=20).status_code < 300


def test_a_start_waits_for_it_and_says_so(tmp_path: Path, redis: RedisServer) -> None:
    redis.stop()
    late = host(tmp_path / "late", config("http://127.0.0.1:9/v1", redis.tcp_url, ledger={"start_wait_s": 1}))
    with pytest.raises(RuntimeError, match="no Redis to count money in after 1 s"):
        late.start()
    assert "waiting for the ledger's Redis" in late.log.read_text()


def test_one_that_forgets_is_refused(tmp_path: Path) -> None:
    with served("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as redis:
        made = host(tmp_path, config("http://127.0.0.1:9/v1", f"redis://x:secret-word@127.0.0.1:{redis.port}"))
        with pytest.raises(RuntimeError, match="password in it"):
            made.start()
        made = host(tmp_path, config("http://127.0.0.1:9/v1", redis.tcp_url))
        began = time.monotonic()
        with pytest.raises(RuntimeError, match="set maxmemory-policy to noeviction"):
            made.start()
        assert time.monotonic() - began < 20
        assert "secret-word" not in made.log.read_text()


def test_one_without_a_log_of_its_writes_is_warned_of_or_refused(tmp_path: Path) -> None:
    with served("--appendonly", "no") as redis:
        strict = host(tmp_path / "strict", config("http://127.0.0.1:9/v1", redis.tcp_url, ledger={"require_aof": True}))
        with pytest.raises(RuntimeError, match="its appendonly is off"):
            strict.start()
        with host(tmp_path / "lenient", config("http://127.0.0.1:9/v1", redis.tcp_url)) as lenient:
            assert "its appendonly is off" in lenient.log.read_text()


def test_one_that_forgot_everything_is_made_anew_from_the_rows(patient: Flyball, redis: RedisServer) -> None:
    assert [each.status for each in asyncio.run(calls(patient, "before", 5))] == [200] * 5
    spent = booked(rows_of_all([patient], 5))
    assert budget(patient)["spent_nano"] == spent > 0
    redis.command("FLUSHALL")
    until(lambda: budget(patient)["spent_nano"] == spent, 25)
    until(lambda: ledger_of(patient) == ("ready", "ok"), 5)
    until(lambda: is_well(patient), 5)
    time.sleep(1.5)
    assert budget(patient)["spent_nano"] == booked(rows_of_all([patient], 6, or_more=True))


def test_a_new_ledger_takes_no_call_before_it_says_what_the_rows_say(tmp_path: Path) -> None:
    with SimServer(SimProvider(settings=SimSettings(speed=0))) as sim:
        with served() as first, host(tmp_path, config(sim.url, first.tcp_url, workers=2, ledger=PATIENT)) as flyball:
            assert [each.status for each in asyncio.run(calls(flyball, "old", 5))] == [200] * 5
            spent = booked(rows_of_all([flyball], 5))
        with served() as second, host(tmp_path, config(sim.url, second.tcp_url, workers=2, ledger=PATIENT)) as flyball:
            assert budget(flyball)["spent_nano"] == spent
            assert "its counters are what the rows say" in flyball.log.read_text()
            until(lambda: is_well(flyball), 5)
