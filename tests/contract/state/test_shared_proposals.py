"""Policies proposed on one host, promoted on another, and taken by both: the same set, once, by somebody else."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from proxy.app.bundle_fetch import BundleFetch
from proxy.core.clock import SystemClock
from proxy.core.secret import Secret
from proxy.policy import Bundle, PolicySettings, ProposalError, ProposalStore, of_upload, open_policy
from proxy.processes.folder import StateFolder
from proxy.processes.host_policy import HostPolicy
from proxy.state import RedisJournal, Remote, Shared, StateFile
from tests.contract.ledger.redis_server import RedisServer, served

HostOf = Callable[[str], "Host"]


class Host:
    """One of the hosts that share a state."""

    def __init__(self, home: Path, shared: Shared) -> None:
        self.folder = StateFolder(home)
        self.folder.make()
        self.state = StateFile(self.folder.ledger, shared=shared)
        self.store = ProposalStore(self.state, clock=SystemClock())
        self.policy = HostPolicy(PolicySettings(), self.folder, BundleFetch(), SystemClock())

    async def follow(self) -> bool:
        self.state.follow()
        return await self.policy.follow()

    def decides(self) -> str:
        return open_policy(PolicySettings(), taken=self.folder.taken_policy).revision


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with served() as server:
        yield server


@pytest.fixture
def host(redis: RedisServer, tmp_path: Path) -> HostOf:
    name = uuid4().hex

    def make(folder: str) -> Host:
        journal = RedisJournal(Remote(Secret(redis.url)), name)
        return Host(tmp_path / folder, Shared(journal=journal, local=frozenset(), has_own=lambda connection: False))

    return make


def rules(code: str, comment: str = "") -> Bundle:
    rule = f'package flyball.request\n\ndeny contains {{"code": "{code}", "msg": "x"}} if input.model == "m"\n'
    return of_upload({"a.rego": rule + comment}, {"é": [1, None]}, base=True)


async def test_what_is_promoted_on_one_host_decides_on_the_other(host: HostOf) -> None:
    one, two = host("one"), host("two")
    starter = await one.policy.begin(one.store)
    assert await two.policy.begin(two.store) == starter
    large = rules("one", "# " + "x" * 500_000)
    one.store.propose(large, by="mara")
    assert await two.follow() and two.decides() == starter
    with pytest.raises(ProposalError, match="nobody promotes their own"):
        two.store.promote(by="Mara ", revision=large.revision)
    two.store.promote(by="noah", revision=large.revision)
    for each in (one, two):
        assert await each.follow() and each.decides() == large.revision
        assert not await each.follow()
    one.store.roll_back(by="mara")
    for each in (one, two):
        assert await each.follow() and each.decides() == starter
    assert one.store.load() == two.store.load()


def test_of_two_who_promote_at_once_one_does(host: HostOf) -> None:
    hosts = [host("one"), host("two")]
    made = hosts[0].store.propose(rules("one"), by="mara")

    def promote(each: Host) -> str:
        try:
            return each.store.promote(by="noah", revision=made.bundle.revision).promoted_by
        except ProposalError as error:
            return error.fault

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(promote, hosts)) == ["missing", "noah"]
    hosts[0].state.follow()
    hosts[1].state.follow()
    assert hosts[0].store.load() == hosts[1].store.load()
    assert hosts[0].store.load().previous is None


def test_nobody_promotes_what_another_has_put_there_meanwhile(host: HostOf) -> None:
    one, two = host("one"), host("two")
    seen = one.store.propose(rules("one"), by="mara")
    two.store.propose(rules("two"), by="lena")
    with pytest.raises(ProposalError, match="look at it first"):
        one.store.promote(by="noah", revision=seen.bundle.revision)
    assert one.store.load().active is None
