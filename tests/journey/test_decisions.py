"""A real Flyball with rules: its decisions stand in ClickHouse, and the admin API and the console show them."""

import time
from pathlib import Path
from typing import Any

import httpx

from tests.harness.alert_receiver import SECRET, AlertReceiver
from tests.harness.flyball import Flyball
from tests.harness.log_server import LogServer

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}
policy: {dir: rules, decision_log: {url: "LOGS", token_env: LOG_TOKEN}}
alerts: {receivers: [{name: ops, url: "RECEIVER", secret_env: HOOK_SECRET}]}
tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]
"""
KEY = "fb-decisions-key-0123456789-abcdef"
LIVE = """package flyball.request
deny contains {"code": "no_large", "msg": "Only small ones.", "internal": "ticket 17"} if input.model == "sim-large"
obligations contains {"type": "tag", "key": "env", "value": "prod"}
obligations contains {"type": "alert", "msg": "a small one is asked for"} if input.model == "sim-small"
"""
TRIED = """package flyball.shadow.request
allow := true
deny contains {"code": "no_small", "msg": "x"} if input.model == "sim-small"
"""


def asked(flyball: Flyball, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.post(f"{flyball.data}/v1/chat/completions", json=body, headers=headers, timeout=30)


def test_decisions_reach_the_store_and_are_shown(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "live.rego").write_text(LIVE)
    (tmp_path / "rules" / "tried.rego").write_text(TRIED)
    with (
        AlertReceiver() as ops,
        LogServer() as logs,
        Flyball(
            tmp_path,
            CONFIG.replace("RECEIVER", f"{ops.url}hook").replace("LOGS", logs.url),
            {"BOT_KEY": KEY, "HOOK_SECRET": SECRET, "LOG_TOKEN": "t0ken"},
        ) as flyball,
    ):
        refused, served = asked(flyball, "sim-large"), asked(flyball, "sim-small")
        told = refused.json()["error"]["flyball"]
        assert (refused.status_code, served.status_code) == (403, 200)
        rows = flyball.wait_for_rows(4, "decisions")
        _stored(rows, told["decision"], served.headers["x-flyball-operation"])
        flyball.wait_for_rows(2)
        _explained(flyball, told)
        (tried,) = flyball.admin("GET", "/admin/v1/decisions?differs=true&code=no_small")["data"]
        assert (tried["operation_id"], tried["code"]) == (served.headers["x-flyball-operation"], "no_small")
        _seen(flyball, told)
        _exported(logs, told["decision"])
        assert asked(flyball, "sim-small").status_code == 200
        (alert,) = ops.wait_for(1, within_s=30)
        assert alert.is_signed_by(SECRET) and alert.said["type"] == "policy.alert"
        assert alert.said["data"]["operation"] == served.headers["x-flyball-operation"]
        (kept,) = flyball.admin("GET", "/admin/v1/alerts?kind=policy")["data"]
        assert kept["message"] == "A policy alerts for org:acme: a small one is asked for"
        logs.wait_for(6)
        metrics = _metrics_with(flyball, "flyball_decision_log_sent_total 6")
        assert 'flyball_policy_shadow_total{result="differs"}' in metrics


def _stored(rows: list[dict[str, Any]], refused: str, served: str) -> None:
    live = {row["decision_id"]: row for row in rows if not row["shadow"]}
    tried = {row["operation_id"]: row for row in rows if row["shadow"]}
    assert len(live) == len(tried) == 2 and live[refused]["code"] == "no_large" and not live[refused]["allow"]
    assert tried[served]["differs"] and live[tried[served]["live_id"]]["operation_id"] == served
    assert all(row["engine"] == "embedded" and row["latency_us"] > 0 for row in rows)


def _explained(flyball: Flyball, told: dict[str, Any]) -> None:
    explained = flyball.admin("GET", f"/admin/v1/decisions/{told['decision']}")
    assert explained["decision"]["internal"] == "ticket 17" and explained["input"]["model"] == "sim-large"
    operation = flyball.admin("GET", f"/admin/v1/operations/{told['operation']}")
    assert [each["shadow"] for each in operation["decisions"]].count(False) == 1
    assert told["decision"] in {each["id"] for each in operation["decisions"]}
    own = httpx.get(
        f"{flyball.data}/v1/flyball/operations/{told['operation']}", headers={"authorization": f"Bearer {KEY}"}
    )
    assert own.is_success and "ticket 17" not in own.text


def _metrics_with(flyball: Flyball, line: str) -> str:
    deadline = time.monotonic() + 30
    while line not in (page := httpx.get(flyball.admin_url + "/metrics", timeout=30).text):
        assert time.monotonic() < deadline, page
        time.sleep(0.1)
    return page


def _exported(logs: LogServer, refused: str) -> None:
    entries = {entry["decision_id"]: entry for entry in logs.wait_for(4)}
    assert entries[refused]["result"]["deny"] == [{"code": "no_large", "msg": "Only small ones."}]
    assert {entry["path"] for entry in entries.values()} == {"flyball/request", "flyball/shadow/request"}
    assert {head["authorization"] for head in logs.heads} == {"Bearer t0ken"}


def _seen(flyball: Flyball, told: dict[str, Any]) -> None:
    link = flyball.admin("POST", "/admin/v1/console/links")["path"]
    with httpx.Client(base_url=flyball.admin_url, follow_redirects=True, timeout=30) as browser:
        assert browser.get(link).status_code == 200
        assert "no_large" in browser.get("/console/decisions?answer=no").text
        page = browser.get(f"/console/decisions/{told['decision']}").text
        assert "ticket 17" in page and "no_large" in page
        assert told["decision"] in browser.get(f"/console/operations/{told['operation']}").text
