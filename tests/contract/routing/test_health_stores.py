"""What workers tell each other of targets, over both places it is kept in; and what they make of it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.core.clock import SystemClock
from proxy.core.secret import Secret
from proxy.processes.duty import repeated
from proxy.routing import (
    HEALTH_EVERY_S,
    Candidate,
    Ended,
    EndKind,
    Headroom,
    Health,
    HealthSettings,
    HealthStore,
    RedisHealthStore,
    Sharing,
    SqliteHealthStore,
)
from proxy.state import Remote, StateFile
from tests.contract.ledger.redis_server import served
from tests.contract.place import place as place
from tests.contract.place import redis as redis

ONE = Candidate("up", "m")
SETTINGS = HealthSettings(pause_s=0.5, max_pause_s=1)


def opened(place: str) -> HealthStore:
    """As each worker opens it."""
    if place.startswith("redis"):
        url, _, name = place.partition("#")
        return RedisHealthStore(Remote(Secret(url)), name)
    return SqliteHealthStore(StateFile(Path(place)), SystemClock())


class Worker:
    """One that hears and tells as in its process."""

    def __init__(self, name: str, place: str) -> None:
        self.health = Health(SETTINGS, SystemClock(), worker=name)
        self.store = opened(place)
        self.sharing = Sharing(self.health, self.store)

    def call(self, kind: EndKind = "ok", times: int = 1, **more: object) -> None:
        """So many calls to the target."""
        for _ in range(times):
            self.health.began(ONE)
            self.health.ended(ONE, Ended(kind, **more))  # type: ignore[arg-type]

    @property
    def why(self) -> str:
        """Why the target is not asked."""
        return self.health.look(ONE).why


@pytest.fixture
def workers(place: str) -> Iterator[Callable[..., list[Worker]]]:
    made: list[Worker] = []

    def make(*names: str) -> list[Worker]:
        made.extend(Worker(name, place) for name in names)
        return made

    yield make
    for each in made:
        each.store.close()


async def exchanged(workers: list[Worker], times: int = 2) -> None:
    """Each has told and heard so often."""
    for _ in range(times):
        for each in workers:
            await each.sharing.turn()


def test_reports_are_kept_one_a_worker_with_their_age(place: str) -> None:
    one, other = opened(place), opened(place)
    assert list(one.exchange("a", b"")) == []
    one.exchange("a", b"\x00first")
    one.exchange("a", b"second:\xff")
    time.sleep(0.05)
    told = other.exchange("b", b"third")
    assert {(each.worker, each.report) for each in told} == {("a", b"second:\xff"), ("b", b"third")}
    (age_s,) = [each.age_s for each in told if each.worker == "a"]
    assert 0.04 < age_s < 10
    one.close()
    other.close()


async def test_what_fails_at_one_is_left_alone_by_all(workers: Callable[..., list[Worker]]) -> None:
    one, other = workers("a", "b")
    one.call("fault", SETTINGS.min_calls)
    await exchanged([one, other])
    assert "open" in one.why
    assert "open" in other.why


async def test_failures_of_all_together_open_it(workers: Callable[..., list[Worker]]) -> None:
    made = workers("a", "b", "c", "d")
    for each in made:
        each.call("fault", SETTINGS.min_calls // 4)
        assert not each.why
    await exchanged(made)
    assert all("open" in each.why for each in made)


async def test_what_fails_at_one_of_many_is_left_alone_by_that_one(workers: Callable[..., list[Worker]]) -> None:
    sick, *others = workers("a", "b", "c")
    for each in others:
        each.call("ok", 50)
    await exchanged([sick, *others])
    sick.call("fault", SETTINGS.min_calls)
    await exchanged([sick, *others])
    assert "open" in sick.why
    assert not any(each.why for each in others)


async def test_a_cooldown_and_headroom_are_shared(workers: Callable[..., list[Worker]]) -> None:
    one, other = workers("a", "b")
    one.call("limited", retry_after_s=30.0, headroom=Headroom(0.02, 40.0))
    await exchanged([one, other])
    look = other.health.look(ONE)
    assert 25 < look.wait_s <= 30
    assert look.headroom == 0.02


async def test_one_tries_it_and_all_take_it_back(workers: Callable[..., list[Worker]]) -> None:
    one, other = workers("a", "b")
    one.call("fault", SETTINGS.min_calls)
    await exchanged([one, other])
    await _until(lambda: one.health.look(ONE).ready)
    await exchanged([one, other])
    assert other.why == "it is being tried"
    one.call("ok")
    await exchanged([one, other])
    assert {other.health.look(ONE).why for _ in range(200)} == {"it is coming back", ""}


async def test_another_tries_it_when_the_first_has_no_calls_for_it(workers: Callable[..., list[Worker]]) -> None:
    one, other = workers("a", "b")
    one.call("fault", SETTINGS.min_calls)
    await exchanged([one, other])
    await _until(lambda: other.health.look(ONE).ready)
    other.call("ok")
    await exchanged([one, other])
    assert {one.health.look(ONE).why for _ in range(200)} == {"it is coming back", ""}


async def test_one_that_starts_later_hears_of_it(workers: Callable[..., list[Worker]]) -> None:
    one = workers("a")[0]
    one.call("fault", SETTINGS.min_calls)
    await exchanged([one])
    late = workers("b")[1]
    await exchanged([late], 1)
    assert "open" in late.why


async def test_a_report_of_another_version_is_passed_over(place: str, workers: Callable[..., list[Worker]]) -> None:
    opened(place).exchange("z", b"not what it was")
    one, other = workers("a", "b")
    one.call("fault", SETTINGS.min_calls)
    await exchanged([one, other])
    assert "open" in other.why


async def test_two_hosts_agree_within_two_seconds(workers: Callable[..., list[Worker]]) -> None:
    one, other = workers("a", "b")
    duties = [asyncio.ensure_future(repeated(each.sharing.turn, HEALTH_EVERY_S)) for each in (one, other)]
    await asyncio.sleep(0.3)  # somewhere within their turns
    one.call("fault", SETTINGS.min_calls)
    began = time.monotonic()
    await _until(lambda: bool(other.why))
    opened_after = time.monotonic() - began
    await _until(lambda: one.health.look(ONE).ready)
    one.call("ok")
    began = time.monotonic()
    await _until(lambda: other.health.look(ONE).ready)
    assert opened_after < 2
    assert time.monotonic() - began < 2
    for each in duties:
        each.cancel()
    await asyncio.gather(*duties, return_exceptions=True)


async def test_without_redis_each_goes_by_its_own_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flyball.health")
    with served() as server:
        one, other = (Worker(name, f"{server.tcp_url}#lost") for name in "ab")
        other.call("fault", 2)
        await exchanged([one, other])
        server.stop(kill=True)
        await exchanged([one, other])
        assert [each.sharing.is_away for each in (one, other)] == [True, True]
        one.call("fault", SETTINGS.min_calls)
        assert "open" in one.why
        assert not other.why
        server.start()
        await exchanged([one, other])
        assert [each.sharing.is_away for each in (one, other)] == [False, False]
        assert "open" in other.why
        for each in (one, other):
            each.store.close()
    said = [record.message for record in caplog.records]
    assert said.count("the health of targets is not shared: each worker goes by its own") == 2
    assert said.count("the health of targets is shared again") == 2


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(0.02)
