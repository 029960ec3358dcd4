"""A state folder that cannot be used: `serve` says so in one line and ends; a broken ledger fails closed and heals."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.raw_client import RawClient
from tests.chaos.scene import balanced_books, chat, sim_config, started


def a_file(home: Path) -> None:
    home.write_text("not a folder")


def garbage(home: Path) -> None:
    home.mkdir()
    (home / "ledger.sqlite").write_bytes(bytes(range(256)) * 40)


def newer(home: Path) -> None:
    home.mkdir()
    with sqlite3.connect(home / "ledger.sqlite") as connection:
        connection.execute("CREATE TABLE migrations (room TEXT PRIMARY KEY, steps INTEGER NOT NULL) WITHOUT ROWID")
        connection.execute("INSERT INTO migrations VALUES ('state', 999)")
    connection.close()


def no_spool(home: Path) -> None:
    (home / "spool").mkdir(parents=True)
    (home / "spool" / "open").write_text("not a folder")


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (a_file, "the state folder"),
        (garbage, "file is not a database"),
        (newer, "this version knows"),
        (no_spool, "the state folder"),
    ],
)
def test_serve_says_why_it_cannot_start(tmp_path: Path, break_it: Callable[[Path], None], told: str) -> None:
    home = tmp_path / "state"
    break_it(home)
    (tmp_path / "flyball.yaml").write_text("server: {listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0', workers: 1}")
    ended = subprocess.run(
        [sys.executable, "-m", "proxy", "serve", "--config", str(tmp_path / "flyball.yaml")],
        env={**os.environ, "FLYBALL_HOME": str(home), "FLYBALL_TELEMETRY__LISTEN": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("flyball: ")
    assert told in last


def test_a_ledger_that_breaks_while_it_serves_fails_closed_and_heals(tmp_path: Path) -> None:
    """Its file is made unreadable under it, as a broken disk would, and then whole again."""
    with (
        SimServer(SimProvider(settings=SimSettings(speed=0))) as sim,
        started(tmp_path, sim_config(sim.url, workers=1)) as flyball,
    ):
        client = RawClient(url=flyball.data)

        async def call(name: str) -> tuple[int, bytes, float]:
            answer = await client.call(chat(name, stream=False, tokens=1))
            return answer.status, answer.body, answer.seconds

        assert asyncio.run(call("before"))[0] == 200
        with sqlite3.connect(flyball.home / "ledger.sqlite", isolation_level=None) as connection:
            connection.execute("ALTER TABLE holds RENAME TO holds_away")
        status, body, seconds = asyncio.run(call("broken"))
        assert status == 503
        assert json.loads(body)["error"]["code"] == "dependency_unavailable"
        assert seconds < 0.5
        assert sim.provider.seen.total == 1
        with sqlite3.connect(flyball.home / "ledger.sqlite", isolation_level=None) as connection:
            connection.execute("ALTER TABLE holds_away RENAME TO holds")
        connection.close()
        assert asyncio.run(call("after"))[0] == 200
        rows = balanced_books(flyball, 3)
        assert rows["broken"]["code"] == "dependency_unavailable"


def gone_with_all_that_is_written_meanwhile(folder: Path) -> None:
    """Its processes make files while it is taken away: a folder that got one is not empty, and is tried again."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    raise AssertionError(f"{list(folder.rglob('*'))} cannot be taken away")


def test_it_ends_in_order_though_its_folder_is_gone(tmp_path: Path) -> None:
    """Somebody removed it under a running Flyball: there is nothing left to save, and nothing to hang for."""
    flyball = started(tmp_path, sim_config("http://127.0.0.1:9/v1", workers=1))
    with flyball:
        gone_with_all_that_is_written_meanwhile(flyball.home)
        began = time.monotonic()
        assert flyball.stop() in (0, 1)
        assert time.monotonic() - began < 25
