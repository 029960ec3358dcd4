"""Two hosts over one Redis: each alert is raised once and sent once, and one goes on where the other stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from proxy.app.alert_post import AlertPost
from proxy.app.ledgers import LOCAL
from proxy.budget import (
    Alerting,
    AlertSettings,
    BudgetSpec,
    BudgetStore,
    Outbox,
    Receiver,
    RedisCounterBook,
    RedisLead,
    Rung,
    Sender,
    Watcher,
)
from proxy.core.clock import SystemClock
from proxy.core.money import Nano
from proxy.core.secret import Secret
from proxy.state import RedisJournal, Remote, Shared, StateFile
from tests.contract.ledger.redis_server import missing, served
from tests.harness.alert_receiver import AlertReceiver

SETTINGS = AlertSettings(look_every_s=0.1, first_retry_s=0.1)
CLOCK = SystemClock()
SCOPES = tuple(f"user:acme/u{number}" for number in range(30))


class Host:
    """One host's state, with the alerts of its admin process."""

    def __init__(self, folder: Path, url: str, ledger: str) -> None:
        def remote() -> Remote:
            return Remote(Secret(url))

        shared = Shared(journal=RedisJournal(remote(), ledger), local=LOCAL, has_own=lambda _: False)
        self.state = StateFile(folder / "ledger.sqlite", shared=shared)
        self.book = RedisCounterBook(remote(), ledger)
        self.store = BudgetStore(self.state, book=self.book)
        self.outbox = Outbox(self.state)
        self.watcher = Watcher(self.store, self.state, self.outbox, CLOCK)
        self.post = AlertPost()
        self.lead = RedisLead(remote(), ledger, "alerts", folder.name)
        sender = Sender(self.outbox, self.post, CLOCK)
        self.alerting = Alerting(self.watcher, sender, self.outbox, CLOCK, lead=self.lead)

    @contextlib.asynccontextmanager
    async def running(self, receiver: Receiver) -> AsyncIterator[None]:
        self.alerting.use(SETTINGS, [receiver])
        task = asyncio.get_running_loop().create_task(self.alerting.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.post.close()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    name = uuid4().hex
    with served() as redis:
        yield Host(tmp_path / "one", redis.url, name), Host(tmp_path / "two", redis.url, name)


def crossed(host: Host) -> None:
    """Many users beyond the rung of a budget that each has."""
    budget = host.store.put(
        BudgetSpec(name="each", scope="user:acme/*", limit=Nano(100), ladder=(Rung(800_000, "alert"),), hard=False)
    )
    window = budget.window_at(CLOCK.now_ns()).name
    for scope in SCOPES:
        host.book.open(budget.counter_of(scope), window, Nano(85), kept_until_ns=None)


if not missing():

    def test_watchers_of_two_hosts_raise_each_alert_once(hosts: tuple[Host, Host]) -> None:
        crossed(hosts[0])
        hosts[1].state.follow()
        receiver = Receiver(name="ops", url=Secret("http://127.0.0.1:9/"), kind="webhook")
        with ThreadPoolExecutor(2) as pool:
            raised = list(pool.map(lambda host: host.watcher.look([receiver]), hosts))
        assert sorted(alert.scope for each in raised for alert in each) == sorted(SCOPES)
        for host in hosts:
            host.state.follow()
            assert len(host.outbox.newest(limit=100)) == len(SCOPES)
            assert host.watcher.look([receiver]) == []

    def test_one_host_leads_and_keeps_the_lead(hosts: tuple[Host, Host]) -> None:
        one, two = hosts
        assert [one.lead.is_ours(), two.lead.is_ours(), one.lead.is_ours()] == [True, False, True]

    async def test_each_is_sent_once_and_another_host_goes_on(hosts: tuple[Host, Host]) -> None:
        one, two = hosts
        await asyncio.to_thread(crossed, one)
        await asyncio.to_thread(two.state.follow)
        with AlertReceiver(slow_s=0.2) as ops:
            receiver = Receiver(name="ops", url=Secret(ops.url), kind="webhook")
            async with contextlib.AsyncExitStack() as second:
                async with one.running(receiver):
                    await asyncio.to_thread(ops.wait_for, 1, 30)
                    await second.enter_async_context(two.running(receiver))
                    await asyncio.to_thread(ops.wait_for, 5, 30)
                assert len(ops.told) < len(SCOPES)
                # The lease of the one that stopped lapses first.
                await asyncio.to_thread(ops.wait_for, len(SCOPES), 60)
                await asyncio.sleep(1)
        ids = [told.id for told in ops.told]
        assert len(set(ids)) == len(SCOPES)
        # What was on its way when its host stopped may have come twice.
        assert len(ids) <= len(SCOPES) + 1
