"""Policies from a bundle server: fetched, kept when the server is away or sends what is no good, and told about."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.app.bundle_fetch import BundleFetch, NotFetched
from proxy.app.policy_status import PolicyStatus, read_status
from proxy.core.clock import SetClock
from proxy.core.secret import Secret
from proxy.policy import MOST_PACKED, BadPolicy, PolicySettings, open_policy
from proxy.policy.bundles import BundleKey, BundleSettings
from proxy.processes.folder import StateFolder
from proxy.processes.host_policy import HostPolicy
from proxy.processes.metrics import render
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
    page = render(house.folder.run)
    assert f'flyball_policy_takes_total{{outcome="{counted}"}} 1\n' in page and "flyball_policy_stale 1\n" in page
    server.status, server.slow_s, server.bundle = 0, 0.0, NEWER
    assert await house.after_a_poll()
    assert house.decides() != revision and not house.status().stale
    assert "flyball_policy_stale 0\n" in render(house.folder.run)


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
