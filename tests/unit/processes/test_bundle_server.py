"""Policies from a bundle server: fetched, kept when the server is away or sends what is no good, and told about."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.app.bundle_fetch import BundleFetch, NotFetched
from proxy.app.policy_status import PolicyStatus, read_status
from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.policy import (
    MOST_PACKED,
    BadPolicy,
    Bundle,
    EmbeddedRego,
    Point,
    PolicySettings,
    ProposalStore,
    of_upload,
    open_policy,
    read_taken,
)
from proxy.policy.bundles import BundleKey, BundleSettings
from proxy.policy.shadowing import Shadowed
from proxy.policy.taken import write_taken
from proxy.processes.folder import StateFolder
from proxy.processes.host_policy import HostPolicy
from proxy.processes.metrics import render
from proxy.state import StateFile
from tests.harness.bundle_server import TOKEN, BundleServer, bundle_server
from tests.harness.bundles import FILES, SECRET, packed, signed

KEY = BundleKey(id="one", algorithm="HS256", key=Secret(SECRET))
GOOD = packed(signed(FILES))
NEWER = packed(signed({**FILES, "/data.json": b'{"allowed": ["sim-large"]}', "/.manifest": b'{"revision": "r2"}'}))
FORGED = packed({**signed(FILES), "/data.json": b'{"allowed": ["all"]}'})
MINUTE = datetime(2026, 1, 1, 0, 1, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with bundle_server(GOOD) as served:
        yield served


def settings(url: str, **more: object) -> PolicySettings:
    return PolicySettings(bundle=BundleSettings(url=url, keys=(KEY,), token=Secret(TOKEN), **more))  # type: ignore[arg-type] # by name


class House:
    """One host's policies over a state folder, at a time that is set."""

    def __init__(self, home: Path, settings: PolicySettings) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.clock = SetClock(self.now)
        self.folder = StateFolder(home)
        self.folder.make()
        self.policy = HostPolicy(settings, self.folder, BundleFetch(), self.clock)

    async def after_a_poll(self) -> bool:
        self.now += 2 * MINUTE
        self.clock._ns = SetClock(self.now)._ns
        return await self.policy.look()

    def status(self) -> PolicyStatus:
        found = read_status(self.folder.run)
        assert found is not None
        return found

    def decides(self) -> str:
        return open_policy(self.policy.settings, taken=self.folder.taken_policy).revision


async def test_a_bundle_is_fetched_once_and_asked_for_by_what_the_server_calls_it(
    tmp_path: Path, server: BundleServer
) -> None:
    house = House(tmp_path, settings(server.url))
    revision = await house.policy.begin()
    assert house.decides() == revision and house.status().named == "r1"
    assert not await house.policy.look()
    assert not await house.after_a_poll()
    assert server.answers == [200, 304]
    assert [seen["authorization"] for seen in server.seen] == [f"Bearer {TOKEN}"] * 2
    assert server.seen[0]["prefer"] == "modes=snapshot"
    server.bundle = NEWER
    assert await house.after_a_poll()
    assert house.decides() != revision and house.status().named == "r2"


@pytest.mark.parametrize(
    ("fault", "said", "counted"),
    [
        ({"bundle": FORGED}, "data.json: is not what was signed", "refused"),
        ({"bundle": packed(FILES)}, "the bundle is not signed", "refused"),
        ({"bundle": GOOD[:-9]}, "is cut short", "refused"),
        (
            {"bundle": packed(signed({**FILES, "/rules/models.rego": b"package flyball.x\n\na {"}))},
            "rules/models.rego:3",
            "refused",
        ),
        ({"bundle": b"x" * (MOST_PACKED + 1)}, "sends more than", "unreachable"),
        ({"status": 500}, "the server answers 500", "unreachable"),
        ({"status": 401}, "the server answers 401", "unreachable"),
        ({"status": 302, "location": "http://127.0.0.1:1/"}, "the server answers 302", "unreachable"),
        ({"bundle": NEWER, "slow_s": 3.0}, "no whole answer within 1 s", "unreachable"),
    ],
)
async def test_what_is_no_good_keeps_the_old_policies_and_is_told(
    tmp_path: Path, server: BundleServer, fault: dict[str, object], said: str, counted: str
) -> None:
    house = House(tmp_path, settings(server.url, timeout_s=1))
    revision = await house.policy.begin()
    for name, value in fault.items():
        setattr(server, name, value)
    assert not await house.after_a_poll()
    assert house.decides() == revision
    status = house.status()
    assert status.stale and said in status.error and status.revision == revision
    page = render(house.folder.run, house.folder.run)
    assert f'flyball_policy_takes_total{{outcome="{counted}"}} 1\n' in page and "flyball_policy_stale 1\n" in page
    server.status, server.slow_s, server.bundle = 0, 0.0, NEWER
    assert await house.after_a_poll()
    assert house.decides() != revision and not house.status().stale
    assert "flyball_policy_stale 0\n" in render(house.folder.run, house.folder.run)


async def test_a_start_without_the_server_begins_with_what_was_taken_last_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flyball.supervisor")
    with bundle_server(GOOD) as server:
        revision = await House(tmp_path, settings(server.url)).policy.begin()
    again = House(tmp_path, settings(server.url))
    assert await again.policy.begin() == revision == again.decides()
    assert again.status().stale and "cannot be reached" in again.status().error
    assert "policies are not taken; the old ones decide" in [record.message for record in caplog.records]
    with bundle_server(GOOD, int(server.url.split(":")[2].split("/")[0])) as back:
        assert not await again.after_a_poll()
        assert back.answers == [304] and not again.status().stale


@pytest.mark.parametrize("change", ["url", "key", "scope", "nothing taken"])
async def test_what_was_taken_from_elsewhere_is_not_begun_with(tmp_path: Path, change: str) -> None:
    with bundle_server(GOOD) as server:
        if change != "nothing taken":
            await House(tmp_path, settings(server.url)).policy.begin()
    others = {
        "url": settings(server.url + "2"),
        "key": PolicySettings(bundle=BundleSettings(url=server.url, keys=())),
        "scope": settings(server.url, scope="other"),
        "nothing taken": settings(server.url),
    }
    with pytest.raises(BadPolicy, match="cannot be reached"):
        await House(tmp_path, others[change]).policy.begin()


async def test_a_changed_file_is_taken_though_the_server_is_away_only_if_the_bundle_is_the_same(tmp_path: Path) -> None:
    with bundle_server(GOOD) as server:
        house = House(tmp_path, settings(server.url))
        revision = await house.policy.begin()
    assert await house.policy.take(settings(server.url, poll_s=30)) == revision
    with pytest.raises(BadPolicy):
        await house.policy.take(settings(server.url + "2"))
    assert house.decides() == revision and house.status().stale


def proposals(house: House) -> ProposalStore:
    return ProposalStore(StateFile(house.folder.ledger), clock=house.clock)


def proposed(code: str) -> Bundle:
    rule = f'package flyball.request\n\ndeny contains {{"code": "{code}", "msg": "x"}} if input.model == "m"\n'
    return of_upload({"a.rego": rule}, {}, base=True)


async def test_a_candidate_is_tried_beside_a_bundle_whatever_the_server_does(
    tmp_path: Path, server: BundleServer
) -> None:
    house = House(tmp_path, settings(server.url))
    store = proposals(house)
    revision = await house.policy.begin(store)
    assert not await house.policy.follow()
    made = store.propose(proposed("one"), by="mara")
    assert await house.policy.follow() and not await house.policy.follow()
    engine = open_policy(house.policy.settings, taken=house.folder.taken_policy)
    assert isinstance(engine, Shadowed) and engine.revision == revision
    assert engine.candidate.revision == made.bundle.revision and engine.has_shadow(Point.REQUEST)
    assert open_policy(house.policy.settings, engine, taken=house.folder.taken_policy) is engine
    server.bundle = NEWER
    assert await house.after_a_poll()
    newer = open_policy(house.policy.settings, engine, taken=house.folder.taken_policy)
    assert isinstance(newer, Shadowed) and newer.revision != revision

    # Taken back while nothing ran: the server says that nothing has changed, and it is not tried any more.
    store.discard()
    again = House(tmp_path, settings(server.url))
    await again.policy.begin(proposals(again))
    assert server.answers[-1] == 304
    assert isinstance(open_policy(again.policy.settings, taken=again.folder.taken_policy), EmbeddedRego)


async def test_what_is_promoted_decides_where_the_file_names_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, PolicySettings())
    store = proposals(house)
    starter = await house.policy.begin(store)
    made = store.propose(proposed("one"), by="mara")
    store.promote(by="noah", revision=made.bundle.revision)
    assert await house.policy.follow()
    assert house.decides() == made.bundle.revision == house.status().revision
    again = House(tmp_path, PolicySettings())
    assert await again.policy.begin(proposals(again)) == made.bundle.revision
    store.roll_back(by="noah")
    assert await again.policy.follow() and again.decides() == starter

    by_file = House(tmp_path, PolicySettings(dir=_folder(tmp_path)))
    own = await by_file.policy.begin(proposals(by_file))
    other = store.propose(proposed("two"), by="mara")
    store.promote(by="noah", revision=other.bundle.revision)
    await by_file.policy.follow()
    assert by_file.decides() == own and own not in (made.bundle.revision, other.bundle.revision, starter)


async def test_a_candidate_that_cannot_be_loaded_keeps_nothing_from_deciding(tmp_path: Path) -> None:
    house = House(tmp_path, PolicySettings())
    store = proposals(house)
    revision = await house.policy.begin(store)
    store.propose(Bundle.of({"a.rego": "package a {"}, {}), by="another version")
    assert not await house.policy.follow()
    assert house.status().stale and "a.rego:1" in house.status().error and house.decides() == revision
    again = House(tmp_path, PolicySettings())
    assert await again.policy.begin(proposals(again)) == revision == again.decides()
    kept = read_taken(again.folder.taken_policy)
    write_taken(again.folder.taken_policy, replace(kept, candidate=Bundle.of({"a.rego": "package a {"}, {})))
    assert again.decides() == revision


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "own.rego").write_text("package flyball.request\n")
    return tmp_path / "rules"


async def test_a_name_that_leads_to_a_private_address_is_not_asked(server: BundleServer) -> None:
    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    named = server.url.replace("127.0.0.1", "bundles.example.com")
    with pytest.raises(NotFetched, match="not a public address"):
        await BundleFetch(here)(BundleSettings(url=named))
    assert server.seen == []
    found = await BundleFetch(here)(BundleSettings(url=named, allow_private=True))
    assert found.archive == GOOD


def test_what_cannot_be_read_is_no_status(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / "policy.json").write_text("{")
    assert read_status(tmp_path) is None
    PolicyStatus(source="x", stale=True, error="e").write(tmp_path)
    assert json.loads((tmp_path / "policy.json").read_text())["stale"] is True
