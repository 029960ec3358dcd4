"""Alerts from real calls to a real receiver: soon, signed, once over four workers and a restart, anew per window."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from proxy.sim import Script, SimProvider, SimServer
from tests.harness.alert_receiver import SECRET, AlertReceiver, Told
from tests.harness.flyball import Flyball

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 4}
providers: {sim: {base_url: "SIM", profile: sim}}
routes: [{model: "*", targets: [{provider: sim}]}]
tenants:
  - {org: acme, teams: [{team: t, keys: [{name: a, key_env: A}, {name: b, key_env: B}, {name: c, key_env: C}]}]}
budgets:
  - {name: ten, scope: "key:acme/t/a", window: total, limit_requests: 10,
     ladder: [{at: 0.8, do: alert}, {at: 1, do: block}]}
  - {name: quick, scope: "key:acme/t/b", window: minute, limit_requests: 4, ladder: [{at: 0.5, do: alert}]}
  - {name: dollar, scope: "key:acme/t/c", window: total, limit_usd: "0.0000001"}
alerts:
  receivers:
    - {name: ops, url: "RECEIVER", secret_env: HOOK_SECRET}
"""
KEYS = {name: f"fb-test-key-of-{name}-0123456789" for name in "ABC"}


@pytest.fixture
def ops() -> Iterator[AlertReceiver]:
    with AlertReceiver() as receiver:
        yield receiver


@pytest.fixture
def flyball(tmp_path: Path, ops: AlertReceiver) -> Iterator[Flyball]:
    with SimServer(SimProvider(Script())) as sim:
        config = CONFIG.replace("SIM", sim.url).replace("RECEIVER", f"{ops.url}hook")
        with Flyball(tmp_path, config, {**KEYS, "HOOK_SECRET": SECRET}) as running:
            yield running


def ask(flyball: Flyball, key: str) -> int:
    body = {"model": "sim-small", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {KEYS[key]}"}
    answer = httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)
    return answer.status_code


def of(told: list[Told], budget: str) -> list[str]:
    return [each.said["data"]["kind"] for each in told if each.said["data"].get("budget") == budget]


def test_alerts_arrive_within_three_seconds_and_once(flyball: Flyball, ops: AlertReceiver) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(flyball, "A"), range(40)))
    crossed = time.monotonic()
    assert sorted(answers) == [200] * 10 + [402] * 30
    told = ops.wait_for(2, within_s=5)
    assert told[-1].at - crossed < 3
    assert all(each.is_signed_by(SECRET) for each in told)
    data = {each.said["data"]["kind"]: each.said["data"] for each in told}
    assert sorted(data) == ["alert", "block"]
    assert (data["alert"]["scope"], data["alert"]["limit_requests"], data["alert"]["fraction"]) == (
        "key:acme/t/a",
        10,
        "0.8",
    )
    # A budget too small for any call refuses the first one, and says so.
    assert ask(flyball, "C") == 402
    refused = ops.wait_for(3, within_s=5)[-1].said["data"]
    assert (refused["kind"], refused["budget"], refused["spent_usd"]) == ("block", "dollar", "0.00")
    flyball.stop()
    flyball.start()
    assert ask(flyball, "A") == ask(flyball, "C") == 402
    time.sleep(3)
    assert len(ops.told) == 3
    listed = flyball.admin("GET", "/admin/v1/alerts?org=acme")["data"]
    assert next((each["budget"], each["kind"], each["state"]) for each in listed) == ("dollar", "block", "sent")
    assert {each["id"] for each in listed} == {each.id for each in ops.told}
    tested = flyball.admin("POST", "/admin/v1/alerts/test", {"receiver": "ops"})
    assert (tested["delivered"], ops.told[-1].said["type"]) == (True, "budget.test")
    page = httpx.get(flyball.admin_url + "/metrics", timeout=10).text
    assert 'flyball_alert_deliveries_pending{receiver="ops"}' not in page
    assert "# TYPE flyball_alerts_total counter" in page
    assert SECRET not in flyball.log.read_text()


def test_a_changed_file_names_other_receivers(flyball: Flyball, ops: AlertReceiver) -> None:
    with AlertReceiver() as chat:
        flyball.config.write_text(flyball.config.read_text().replace(ops.url, chat.url))
        deadline = time.monotonic() + 15
        while not chat.told:
            flyball.admin("POST", "/admin/v1/alerts/test", {"receiver": "ops"})
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.long
def test_the_next_window_alerts_again(flyball: Flyball, ops: AlertReceiver) -> None:
    windows = []
    for _ in range(2):
        # Clear of a minute's end, so that both calls fall into one.
        while datetime.now(UTC).second > 50 or f"{datetime.now(UTC):%H:%M}" in windows:
            time.sleep(0.2)
        windows.append(f"{datetime.now(UTC):%H:%M}")
        for _ in range(2):
            assert ask(flyball, "B") == 200
        ops.wait_for(len(windows), within_s=3)
        time.sleep(2)
    assert of(ops.told, "quick") == ["alert", "alert"]
    assert [json.loads(each.body)["data"]["window"][-6:-1] for each in ops.told] == windows
