"""`--role`: the roles of one host started apart, over one state folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.harness.flyball import Flyball

CONFIG = "server: {listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0', workers: 1}\n"


def start(flyball: Flyball, *roles: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(flyball.config)]
    for role in roles:
        command += ["--role", role]
    with flyball.log.open("ab") as log:
        return subprocess.Popen(command, env=flyball.environment, stdout=subprocess.DEVNULL, stderr=log)


def wait_until_published(flyball: Flyball, *names: str) -> None:
    deadline = time.monotonic() + 60
    while not set(names) <= flyball.endpoints().keys():
        assert time.monotonic() < deadline, flyball.log.read_text()[-3000:]
        time.sleep(0.05)


def ended(process: subprocess.Popen[bytes]) -> int:
    os.kill(process.pid, signal.SIGTERM)
    return process.wait(60)


def test_roles_apart_serve_as_one(tmp_path: Path) -> None:
    flyball = Flyball(tmp_path, CONFIG)
    serving = start(flyball, "worker")
    try:
        wait_until_published(flyball, "data")
        call = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"authorization": f"Bearer {flyball.secret('first-key')}"}
        answer = httpx.post(flyball.data + "/v1/chat/completions", json=call, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        assert "clickhouse" not in flyball.endpoints()
        rest = start(flyball, "collector", "admin")
        try:
            wait_until_published(flyball, "clickhouse", "admin")
            (row,) = flyball.wait_for_rows(1)
            assert row["operation_id"] == answer.headers["x-flyball-operation"]
            told = flyball.admin("GET", f"/admin/v1/operations/{row['operation_id']}")
            assert told["attempts"]
        finally:
            assert ended(rest) == 0
        assert flyball.endpoints().keys() & {"data", "clickhouse", "admin"} == {"data"}
    finally:
        assert ended(serving) == 0


def test_a_role_runs_once_per_state_folder(tmp_path: Path) -> None:
    flyball = Flyball(tmp_path, CONFIG)
    first = start(flyball, "collector")
    try:
        wait_until_published(flyball, "clickhouse")
        second = start(flyball, "collector")
        assert second.wait(60) == 1
        assert "another flyball serves from" in flyball.log.read_text()
    finally:
        assert ended(first) == 0
