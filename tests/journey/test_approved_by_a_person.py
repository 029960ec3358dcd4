"""A tool call that a person must approve, over a running Flyball with two workers and the openai package.

Denied with an approval's id, approved by the admin API, given as it was made: by either worker, after all of them were
started again, once, with one upstream request and one bill.
"""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import openai
import pytest

from proxy.cli import main
from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.timeout(240)
KEYS: Final = {"BOT_KEY": "approved-bot-key-0123456789abcdef", "OTHER_KEY": "approved-other-key-0123456789abcdef"}
CONFIG: Final = """
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}}
providers: {{sim: {{base_url: "{url}", profile: sim}}}}
routes: [{{model: "*", targets: [{{provider: sim}}]}}]
prices: {{overlay: prices.yaml}}
policy: {{dir: rules}}
tenants:
  - org: acme
    teams: [{{team: t, keys: [{{name: bot, key_env: BOT_KEY, owner: bob}}, {{name: other, key_env: OTHER_KEY}}]}}]
budgets: [{{name: all, scope: "org:acme", window: total, hard: true, limit_usd: 1000}}]
"""
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""
RULES: Final = """package flyball.tool_call

obligations contains {"type": "require_approval", "reason": "deletes", "expires_s": EXPIRES} if {
	startswith(input.tool.name, "delete_")
}
"""
TOOL: Final = {
    "type": "function",
    "function": {
        "name": "delete_file",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string", "enum": ["canary-path-of-the-parked-call"]}},
            "required": ["path"],
        },
    },
}
APPROVALS: Final = "/admin/v1/approvals"


@pytest.fixture(scope="module")
def provider() -> SimProvider:
    return SimProvider(settings=SimSettings(speed=0))


@pytest.fixture(scope="module")
def flyball(provider: SimProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    folder = tmp_path_factory.mktemp("approved")
    (folder / "prices.yaml").write_text(PRICES)
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.rego").write_text(RULES.replace("EXPIRES", "3600"))
    with SimServer(provider) as sim, Flyball(folder, CONFIG.format(url=sim.url), KEYS) as made:
        yield made


@pytest.fixture(scope="module")
def anna(flyball: Flyball) -> Iterator[httpx.Client]:
    with person(flyball, "anna", "approver") as client:
        yield client


def person(flyball: Flyball, name: str, role: str) -> httpx.Client:
    secret = flyball.admin("POST", "/admin/v1/tokens", {"name": name, "role": role})["secret"]
    return httpx.Client(base_url=flyball.admin_url, headers={"authorization": f"Bearer {secret}"}, timeout=30)


def ask(flyball: Flyball, said: str, *, stream: bool) -> tuple[str, list[tuple[str, str]], str]:
    """What the SDK makes of an answer: text, tool calls, finish reason. A connection of its own: either worker's."""
    messages: Any = [{"role": "user", "content": said}]
    given: Any = {"model": "sim-small", "messages": messages, "tools": [TOOL], "tool_choice": "required"}
    with openai.OpenAI(base_url=f"{flyball.data}/v1", api_key=KEYS["BOT_KEY"], max_retries=0) as client:
        if not stream:
            choice = client.chat.completions.create(**given).choices[0]
            calls = [(each.function.name, each.function.arguments) for each in choice.message.tool_calls or ()]
            return choice.message.content or "", calls, choice.finish_reason
        text, finish, parts = "", "", dict[int, list[str]]()
        for chunk in client.chat.completions.create(**given, stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for part in choice.delta.tool_calls or ():
                    call = parts.setdefault(part.index, ["", ""])
                    call[0] += part.function.name or ""
                    call[1] += part.function.arguments or ""
        return text, [(name, arguments) for name, arguments in parts.values()], finish


def pending(client: httpx.Client) -> dict[str, Any]:
    (found,) = client.get(APPROVALS, params={"state": "pending"}).json()["data"]
    approval: dict[str, Any] = found
    return approval


def polled(flyball: Flyball, approval: str, key: str = "BOT_KEY") -> httpx.Response:
    headers = {"authorization": f"Bearer {KEYS[key]}"}
    return httpx.get(f"{flyball.data}/v1/flyball/approvals/{approval}", headers=headers, timeout=30)


def held(flyball: Flyball) -> tuple[int, int]:
    found = flyball.admin("GET", "/admin/v1/budgets/all")
    return found["spent_nano"], found["held_nano"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_call_is_given_once_after_a_persons_yes(
    flyball: Flyball, provider: SimProvider, anna: httpx.Client, stream: bool, restarts: bool
) -> None:
    said, seen = f"delete it: {stream} {restarts}", provider.seen.total
    text, calls, finish = ask(flyball, said, stream=stream)
    approval = pending(anna)
    assert calls == [] and finish == "stop" and approval["id"] in text
    with pytest.raises(openai.PermissionDeniedError) as early:
        ask(flyball, said, stream=stream)
    assert early.value.code == "approval_required"
    assert early.value.response.headers["location"] == f"/v1/flyball/approvals/{approval['id']}"
    assert polled(flyball, approval["id"]).json()["state"] == "pending"
    assert polled(flyball, approval["id"], "OTHER_KEY").status_code == 404
    (told,) = anna.get(f"{APPROVALS}/{approval['id']}").json()["calls"]
    assert anna.post(f"{APPROVALS}/{approval['id']}/approve", json={"note": "fine"}).json()["state"] == "approved"
    if restarts:
        kill_workers(flyball)
    text, calls, finish = ask(flyball, said, stream=stream)
    assert (text, calls, finish) == ("", [(told["name"], told["arguments"])], "tool_calls")
    assert "canary-path" in told["arguments"]
    assert polled(flyball, approval["id"]).json()["state"] == "used"
    assert provider.seen.total == seen + 1
    rows = flyball.wait_for_rows(2, where=f"reason LIKE '%{approval['id']}%'")
    by_outcome = {row["outcome"]: row for row in rows}
    assert by_outcome.keys() == {"ok", "cached"} and by_outcome["ok"]["operation_id"] == approval["operation"]
    assert exact_usd(by_outcome["ok"]["cost_usd"]) > 0 == exact_usd(by_outcome["cached"]["cost_usd"])
    assert approval["operation"] in by_outcome["cached"]["reason"] and "anna" in by_outcome["cached"]["reason"]
    total = sum(exact_usd(row["cost_usd"]) for row in flyball.query("SELECT cost_usd FROM operations"))
    assert held(flyball) == (total, 0)
    # What was used up is: the same request goes its ordinary way, and waits for another yes.
    text, calls, _ = ask(flyball, said, stream=stream)
    assert calls == [] and provider.seen.total == seen + 2 and pending(anna)["id"] in text
    assert anna.post(f"{APPROVALS}/{pending(anna)['id']}/deny", json={}).is_success


def kill_workers(flyball: Flyball) -> None:
    """Kill every worker, and wait until others serve in their place."""
    old = flyball.pids("worker")
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        fresh = flyball.pids("worker")
        if len(fresh) == len(old) and not set(fresh) & set(old) and is_ready(flyball):
            return
        time.sleep(0.05)
    raise AssertionError("no other workers came")


def is_ready(flyball: Flyball) -> bool:
    try:
        return all(httpx.get(flyball.data + "/readyz", timeout=5).is_success for _ in range(8))
    except httpx.HTTPError:
        return False


def test_nobody_decides_on_their_own_request(flyball: Flyball, anna: httpx.Client) -> None:
    ask(flyball, "delete mine", stream=True)
    approval = pending(anna)
    with person(flyball, "Bob", "approver") as bob, person(flyball, "vera", "viewer") as vera:
        for client, code in ((bob, "own_request"), (vera, "permission_denied")):
            refused = client.post(f"{APPROVALS}/{approval['id']}/approve", json={})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, code)
        assert vera.get(f"{APPROVALS}/{approval['id']}").json()["calls"] is None
    assert anna.post(f"{APPROVALS}/{approval['id']}/deny", json={"note": "never"}).json()["state"] == "denied"
    with pytest.raises(openai.PermissionDeniedError, match="never") as denied:
        ask(flyball, "delete mine", stream=True)
    assert denied.value.code == "policy_denied"


def test_what_is_kept_is_not_to_be_read(flyball: Flyball, anna: httpx.Client) -> None:
    ask(flyball, "delete the canary", stream=False)
    files: list[Path] = [*flyball.home.glob("ledger.sqlite*"), *flyball.home.glob("spool/**/*"), flyball.log]
    kept = b"".join(path.read_bytes() for path in files if path.is_file())
    assert pending(anna)["id"].encode() in kept and b"canary-path" not in kept
    assert len(flyball.secret("body-key")) == 64
    assert anna.post(f"{APPROVALS}/{pending(anna)['id']}/deny", json={}).is_success


def test_the_command_lists_shows_and_decides(
    flyball: Flyball, anna: httpx.Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(flyball.folder)
    monkeypatch.setenv("FLYBALL_HOME", str(flyball.home))
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    text, _, _ = ask(flyball, "delete by command", stream=True)
    assert main(["approvals", "list"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    name = line.split()[0]
    assert name in text and "pending" in line and "acme/t/bot" in line and "delete_file" in line
    assert main(["approvals", "show", name]) == 0
    shown = capsys.readouterr().out
    assert 'delete_file({"path":"canary-path-of-the-parked-call"})' in shown.replace(": ", ":") and "deletes" in shown
    assert main(["approvals", "approve", name, "--note", "by hand"]) == 0
    assert "approved" in capsys.readouterr().out
    assert ask(flyball, "delete by command", stream=True)[2] == "tool_calls"
    assert main(["approvals", "list", "--state", "used", "--limit", "1"]) == 0
    assert name in capsys.readouterr().out
    with pytest.raises(SystemExit, match="is used already"):
        main(["approvals", "deny", name])


def test_what_nobody_decided_in_time_is_gone(flyball: Flyball, provider: SimProvider, anna: httpx.Client) -> None:
    (flyball.folder / "rules" / "rules.rego").write_text(RULES.replace("EXPIRES", "2"))
    revision = None
    deadline = time.monotonic() + 60
    first = ""
    while time.monotonic() < deadline:
        text, _, _ = ask(flyball, f"delete soon {revision}", stream=True)
        first = text[text.index("apr_") :][:36]
        told = polled(flyball, first).json()
        if datetime.fromisoformat(told["expires_at"]) < datetime.now(UTC) + timedelta(seconds=10):
            break
        revision = first
        assert anna.post(f"{APPROVALS}/{first}/deny", json={}).is_success
        time.sleep(0.2)
    while polled(flyball, first).json()["state"] == "pending" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert polled(flyball, first).json()["state"] == "expired"
    refused = anna.post(f"{APPROVALS}/{first}/approve", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_decided")
    again, _, _ = ask(flyball, f"delete soon {revision}", stream=True)
    assert first not in again and "apr_" in again
    assert held(flyball)[1] == 0
