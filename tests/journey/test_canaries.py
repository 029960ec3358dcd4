"""R20.4, R20.5: planted secrets and prompts, every way a call can go, and a search of every place they could be."""

import json
import os
import signal
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from proxy.sim import Replay, SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.harness.flyball import Flyball
from tests.harness.log_server import LogServer
from tests.journey import canaries
from tests.journey.canaries import (
    ANSWER,
    BROUGHT_KEY,
    CLIENT_KEY,
    FOREIGN_HEADERS,
    PROMPT,
    PROVIDER_KEY,
    QUERY,
    SECRETS,
    TOOL,
    USER_MAIL,
    WRONG_ADMIN,
    WRONG_KEY,
    body,
    echo,
    found_in,
)
from tests.journey.raw_http import connect, exchange, request

ENDPOINTS: Final = {
    "/chat/completions": "sim-small",
    "/completions": "sim-small",
    "/responses": "sim-small",
    "/embeddings": "sim-embed",
}
FAULTS: Final = (
    *("400", "401", "403", "404", "429=1", "500", "503", "529", "slow=3", "stall=2", "cut=0", "cut=200", "close=200"),
    *("error=2", "no-usage", "garbage", "huge=3000", "length=10", "length=-10"),
)
BAD_BODIES: Final = (
    json.dumps(body("/chat/completions", "sim-small")).encode()[:-30],
    json.dumps({**body("/chat/completions", "sim-small"), "stream": PROMPT}).encode(),
    json.dumps({**body("/chat/completions", "sim-small"), "max_tokens": PROMPT}).encode(),
    json.dumps({**body("/chat/completions", "sim-small"), "tools": PROMPT}).encode(),
    json.dumps({**body("/chat/completions", "sim-small"), "n": 0}).encode(),
    json.dumps([PROMPT]).encode(),
    json.dumps(PROMPT).encode(),
    PROMPT.encode(),
    PROMPT.encode() + b"\xff",
    b'{"model":"sim-small","' + PROMPT.encode() + b'":' + b"[" * 100_000,
    json.dumps({**body("/responses", "sim-small"), "previous_response_id": PROMPT}).encode(),
    json.dumps({"model": "no-such-model", "messages": [{"role": "user", "content": PROMPT}]}).encode(),
)


RULES: Final = {
    "request": 'deny contains {"code": "no", "msg": "x"} if input.messages.text[_].text == input.params.none',
    "tool_call": 'deny contains {"code": "no", "msg": "x"} if input.tool.arguments.to == "nobody"',
    "shadow.request": 'allow if input.messages.text[0].text != ""',
    "shadow.tool_call": 'allow if input.tool.arguments.to != ""',
}
"""Rules that read all that was said, and change nothing."""


def config(sim_url: str, echo_url: str, log_url: str) -> str:
    def provider(url: str, more: str = "") -> str:
        return f'{{base_url: "{url}", api_key_env: PROVIDER_KEY, profile: sim{more}}}'

    patience = ", first_byte_timeout_s: 1, idle_timeout_s: 1"
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}}
limits: {{buffered_answer_bytes: 20000}}
policy: {{dir: rules, decision_log: {{url: "{log_url}"}}}}
providers:
  sim: {provider(sim_url, patience)}
  echo: {provider(echo_url, patience)}
  dead: {provider(f"http://127.0.0.1:{canaries.closed_port()}/v1")}
  nowhere: {provider("http://no-such-host.invalid/v1", ", connect_timeout_s: 2")}
  tls: {provider(sim_url.replace("http://", "https://"), ", connect_timeout_s: 2")}
routes:
  - {{model: "sim-*", targets: [{{provider: sim}}]}}
  - {{model: alias, targets: [{{provider: sim, model: sim-small}}]}}
  - {{model: echo, targets: [{{provider: echo}}]}}
  - {{model: dead, targets: [{{provider: dead}}]}}
  - {{model: nowhere, targets: [{{provider: nowhere}}]}}
  - {{model: tls, targets: [{{provider: tls}}]}}
tenants:
  - {{org: acme, teams: [{{team: support, keys: [
      {{name: bot, key_env: CLIENT_KEY, agents: [triage]}}, {{name: poor, key_env: POOR_KEY}}]}}]}}
budgets: [{{name: empty, scope: "key:acme/support/poor", window: total, limit_usd: 0, hard: true}}]
"""


@dataclass
class Told:
    """What clients of both ports were told, and which operations they made."""

    answers: list[tuple[str, bytes]] = field(default_factory=list)
    errors: list[tuple[str, bytes]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)


@dataclass
class Scene:
    flyball: Flyball
    sim: SimServer
    told: Told
    logs: LogServer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A Flyball through which every kind of call has gone; the tests then look for what it left."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "rules").mkdir()
    for point, rule in RULES.items():
        (folder / "rules" / f"{point}.rego").write_text(f"package flyball.{point}\n{rule}\n")
    secrets = {"CLIENT_KEY": CLIENT_KEY, "PROVIDER_KEY": PROVIDER_KEY, "POOR_KEY": CLIENT_KEY[::-1]}
    with (
        SimServer(SimProvider(settings=SimSettings(speed=20))) as sim,
        echo() as echo_url,
        LogServer() as logs,
        Flyball(folder, config(sim.url, echo_url, logs.url), secrets) as flyball,
    ):
        told = Told()
        run_everything(flyball, sim, told)
        flyball.wait_for_rows(len(told.operations) // 2)
        time.sleep(2.5)
        yield Scene(flyball, sim, told, logs)


def run_everything(flyball: Flyball, sim: SimServer, told: Told) -> None:
    served(flyball, told)
    refused(flyball, told)
    failing(flyball, sim, told)
    ledger_away(flyball, told)
    abandoned(flyball)
    by_hand(flyball, told)
    admin_mistakes(flyball, told)


def ask(flyball: Flyball, told: Told, content: bytes | dict[str, Any], key: str = CLIENT_KEY, **more: Any) -> int:
    """One call with canaries in all its headers and its query; the status, 0 when the answer broke off."""
    target = more.pop("path", "/chat/completions")
    headers = [("x-flyball-key", key), *FOREIGN_HEADERS, *more.pop("headers", ())]
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        answer = httpx.post(f"{flyball.data}/v1{target}?x={QUERY}", content=data, headers=headers, timeout=30, **more)
    except httpx.HTTPError:
        return 0
    told.statuses.add(answer.status_code)
    told.answers.append((target, answer.content))
    if "x-flyball-operation" in answer.headers:
        told.operations.append(answer.headers["x-flyball-operation"])
    if answer.status_code >= 400:
        told.errors.append((f"{answer.status_code} {target}", answer.content + repr(answer.headers).encode()))
    return answer.status_code


def served(flyball: Flyball, told: Told) -> None:
    for path, model in ENDPOINTS.items():
        assert ask(flyball, told, body(path, model), path=path) == 200
        if model != "sim-embed":
            assert ask(flyball, told, body(path, model, stream=True), path=path) == 200
    assert ask(flyball, told, body("/chat/completions", "alias", stream=True)) == 200
    assert ask(flyball, told, body("/chat/completions", "sim-small", metadata={"session_id": "s1", "x": PROMPT})) == 200


def refused(flyball: Flyball, told: Told) -> None:
    good = body("/chat/completions", "sim-small")
    for key in (WRONG_KEY, "", "short"):
        assert ask(flyball, told, good, key=key) == 401
    assert ask(flyball, told, good, key=CLIENT_KEY[::-1]) == 402
    for bad in BAD_BODIES:
        assert 400 <= ask(flyball, told, bad) < 500
    for name in ("x-flyball-agent", "x-flyball-tags"):
        assert ask(flyball, told, good, headers=[(name, PROMPT)]) == 400
    assert ask(flyball, told, good, headers=[("content-encoding", "gzip")]) == 400
    assert ask(flyball, told, b" " * 40_000_000) == 413
    for path in ("/files", f"/{PROMPT}", "/admin/v1/keys"):
        assert ask(flyball, told, good, path=path) == 404


def failing(flyball: Flyball, sim: SimServer, told: Told) -> None:
    for fault in FAULTS:
        for streamed in (False, True):
            marked = body("/chat/completions", "sim-small", stream=streamed, metadata={"sim_fault": fault})
            ask(flyball, told, marked)
    for model in ("echo", "dead", "nowhere", "tls"):
        assert ask(flyball, told, body("/chat/completions", model)) >= 500
    replays = (
        Replay(status=400, body=json.dumps({"error": {"message": f"bad: {ANSWER}"}}).encode()),
        Replay(status=200, body=ANSWER.encode()),
        Replay(status=200, body=json.dumps({"id": ANSWER, "model": "m", "choices": ANSWER, "usage": ANSWER}).encode()),
        Replay(status=200, headers=((b"content-type", b"text/event-stream"),), body=f"data: {ANSWER}\n\n".encode()),
    )
    for replay in replays:
        sim.provider.script.add(replay)
        ask(flyball, told, body("/chat/completions", "sim-small"))
    for replay, streamed in ((_tool_call("message"), False), (_tool_call("delta"), True)):
        sim.provider.script.add(replay)
        assert ask(flyball, told, body("/chat/completions", "sim-small", stream=streamed)) == 200


def _tool_call(member: str) -> Replay:
    """An answer that calls a tool with what nobody may read."""
    function = {"name": "mail", "arguments": json.dumps({"to": TOOL, "body": ANSWER})}
    called = {"role": "assistant", "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}
    told = {"id": "c", "choices": [{"index": 0, member: called, "finish_reason": "tool_calls"}]}
    if member == "message":
        return Replay(status=200, body=json.dumps(told).encode())
    stream = f"data: {json.dumps(told)}\n\ndata: [DONE]\n\n".encode()
    return Replay(status=200, headers=((b"content-type", b"text/event-stream"),), body=stream)


def ledger_away(flyball: Flyball, told: Told) -> None:
    """Somebody holds the state file for longer than a call waits."""
    with sqlite3.connect(flyball.home / "ledger.sqlite", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert ask(flyball, told, body("/chat/completions", "sim-small")) == 503
        connection.execute("ROLLBACK")
    connection.close()


def abandoned(flyball: Flyball) -> None:
    """Clients that leave before and after the first byte, and a worker that is killed under a stream."""
    for path, model in ENDPOINTS.items():
        data = json.dumps(body(path, model, stream=model != "sim-embed")).encode()
        with connect(flyball.data) as connection:
            connection.sendall(request(data, target="/v1" + path, key=CLIENT_KEY))
            time.sleep(0.1)
    stalled = json.dumps(body("/chat/completions", "sim-large", stream=True, metadata={"sim_fault": "slow=5"})).encode()
    connections = [connect(flyball.data) for _ in range(16)]  # over two workers, so that the one that dies has some
    for connection in connections:
        connection.sendall(request(stalled, key=CLIENT_KEY))
    time.sleep(0.5)
    os.kill(flyball.pids("worker")[0], signal.SIGKILL)
    time.sleep(1.0)
    for connection in connections:
        connection.close()


def by_hand(flyball: Flyball, told: Told) -> None:
    """What is no HTTP, or hardly."""
    for raw in (
        PROMPT.encode() + b"\r\n\r\n",
        request(PROMPT.encode(), target=f"/{PROMPT}\0", key=CLIENT_KEY),
        request(PROMPT.encode(), key=CLIENT_KEY, headers=[("x-secret", PROMPT * 10_000)]),
        request(PROMPT.encode(), key=CLIENT_KEY, headers=[("Content-Length", "1"), ("Content-Length", PROMPT)]),
        request(PROMPT.encode(), key=CLIENT_KEY, host=f"{PROMPT}/#@x"),
        request(PROMPT.encode(), key=CLIENT_KEY, method=PROMPT),
    ):
        answer = exchange(flyball.data, raw)
        assert answer is not None
        told.errors.append(("by hand", answer.body))


def admin_mistakes(flyball: Flyball, told: Told) -> None:
    """Secrets in the wrong places of the admin port."""
    good = {"authorization": f"Bearer {flyball.secret('admin-token')}"}
    place = {"org": "acme", "team": "support"}
    tries: list[tuple[dict[str, str], str, object]] = [
        ({"authorization": f"Bearer {WRONG_ADMIN}"}, "/admin/v1/keys", {**place, "name": "x", "secret": BROUGHT_KEY}),
        (good, "/admin/v1/keys", {**place, "name": "x", "secret": BROUGHT_KEY + " with spaces"}),
        (good, "/admin/v1/keys", {**place, "name": "x", "secret": [BROUGHT_KEY]}),
        (good, "/admin/v1/keys", {**place, "name": 5, "secret": BROUGHT_KEY}),
        (good, "/admin/v1/keys", {**place, "name": "x", "secrets": BROUGHT_KEY}),
        (good, "/admin/v1/keys", {**place, "name": "brought", "secret": BROUGHT_KEY}),
        (good, "/admin/v1/keys", {**place, "name": "again", "secret": BROUGHT_KEY}),
        ({**good, "idempotency-key": "one"}, "/admin/v1/keys", {**place, "name": "once"}),
    ]
    for headers, path, content in tries:
        answer = httpx.post(flyball.admin_url + path, json=content, headers=headers, timeout=30)
        told.errors.append((f"{answer.status_code} POST {path}", answer.content))
    httpx.get(flyball.admin_url + f"/console/open?code={WRONG_ADMIN}", timeout=30)
    httpx.post(flyball.admin_url + "/console/login", data={"token": WRONG_ADMIN}, timeout=30)


# What was left behind.


def test_every_kind_of_call_was_made(scene: Scene) -> None:
    """Else the search would find nothing because there was nothing."""
    assert {200, 400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 504, 529} <= scene.told.statuses
    scene.flyball.wait_for_rows(1, where="outcome = 'lost'")
    rows = scene.flyball.query("SELECT DISTINCT outcome FROM operations")
    outcomes = {"ok", "refused", "upstream_error", "truncated", "cancelled", "lost"}
    assert {row["outcome"] for row in rows} >= outcomes
    sent = b"".join(seen.body for seen in scene.sim.provider.seen.requests)
    assert not {PROMPT, TOOL, USER_MAIL} - set(found_in(sent, (PROMPT, TOOL, USER_MAIL)))
    assert scene.flyball.wait_for_rows(1, where=f"end_user = '{USER_MAIL}'")
    decided = scene.flyball.wait_for_rows(4, "decisions", where="tool = 'mail' AND input != ''")
    assert {(row["point"], row["shadow"]) for row in decided} == {("tool_call", False), ("tool_call", True)}
    assert scene.flyball.wait_for_rows(20, "decisions", where="point = 'request'")


def test_the_provider_is_sent_its_key_and_nobody_elses(scene: Scene) -> None:
    for seen in scene.sim.provider.seen.requests:
        assert seen.header("authorization") == f"Bearer {PROVIDER_KEY}"
        heads = json.dumps([seen.path, seen.headers]).encode()
        assert found_in(heads, SECRETS) == [PROVIDER_KEY], heads
        assert not any(name.startswith("x-flyball-") for name, _ in seen.headers)
        assert found_in(seen.body, SECRETS) == []


def test_the_log_holds_none_of_them(scene: Scene) -> None:
    log = scene.flyball.log.read_bytes()
    assert found_in(log) == []
    assert scene.flyball.secret("admin-token").encode() not in log
    assert b"traceback" not in log.lower(), log[-5000:].decode()
    for line in log.splitlines():
        json.loads(line)


def test_no_file_of_the_state_folder_holds_them(scene: Scene) -> None:
    token = scene.flyball.secret("admin-token")
    for name, content in canaries.files(scene.flyball.home):
        assert found_in(content) == [], name
        assert name == "admin-token" or token.encode() not in content, name


def test_no_table_holds_them(scene: Scene) -> None:
    for name, rows in canaries.tables(scene.flyball):
        assert found_in(rows) == [], name


def test_no_decision_log_holds_them(scene: Scene) -> None:
    assert {entry["path"] for entry in scene.logs.wait_for(20)} >= {"flyball/request", "flyball/tool_call"}
    assert found_in(b"".join(scene.logs.raw)) == []


def test_no_answer_of_the_admin_port_holds_them(scene: Scene) -> None:
    operations = sorted(set(scene.told.operations) & ids(scene))[:60]
    token = scene.flyball.secret("admin-token").encode()
    answers = [*canaries.admin_answers(scene.flyball, operations), *canaries.console_pages(scene.flyball, operations)]
    assert len(answers) > 100
    for name, content in answers:
        assert found_in(content) == [], name
        assert token not in content, name


def test_no_error_tells_a_secret(scene: Scene) -> None:
    """An error may repeat a field's name or a path to who sent it; never a key or a foreign header."""
    assert len(scene.told.errors) > 30
    for name, content in scene.told.errors:
        assert found_in(content, SECRETS) == [], (name, content)
    for name, content in scene.told.answers:
        assert found_in(content, SECRETS) == [], name


def test_no_command_line_holds_them(scene: Scene) -> None:
    lines = list(canaries.processes(scene.flyball))
    assert len(lines) == 4
    for name, words in lines:
        assert found_in(words) == [], name


def test_only_the_owner_may_read_the_state_folder(scene: Scene) -> None:
    home = scene.flyball.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
    for name in ("admin-token", "hash-key", "clickhouse-password", "grafana-password"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name


def test_what_is_left_after_the_end_holds_none_of_them(scene: Scene) -> None:
    """Last, since it ends the server: what is written at shutdown is searched too."""
    assert scene.flyball.stop() == 0
    for name, content in canaries.files(scene.flyball.home):
        assert found_in(content) == [], name
    assert found_in(scene.flyball.log.read_bytes()) == []


def ids(scene: Scene) -> set[str]:
    return {row["operation_id"] for row in scene.flyball.query("SELECT operation_id FROM operations")}
