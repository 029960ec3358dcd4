"""Hosts of one Flyball: each with a state folder, processes and rows of its own, over one ledger in Redis."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from proxy.core.money import exact_usd
from tests.chaos.scene import LEASE_S, started
from tests.harness.flyball import Flyball

HASH_KEY: Final = "5f" * 32
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""


def config(sim_url: str, redis_url: str, *, workers: int = 2, lease_s: int = LEASE_S, **parts: Any) -> str:
    """The same flyball.yaml for every host."""
    whole: dict[str, Any] = {
        "server": {
            "listen": "127.0.0.1:0",
            "admin_listen": "127.0.0.1:0",
            "workers": workers,
            "hash_key_env": "HASH_KEY",
            "body_key_env": "HASH_KEY",
        },
        "ledger": {"url": redis_url},
        "holds": {"lease_s": lease_s},
        "providers": {"sim": {"base_url": sim_url, "profile": "sim"}},
        "routes": [{"model": "*", "targets": [{"provider": "sim"}]}],
        "prices": {"overlay": "prices.yaml"},
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": [{"name": "bot", "key_env": "BOT_KEY"}]}]}],
        "budgets": [{"name": "all", "scope": "org:acme", "window": "total", "limit_usd": 1000, "hard": True}],
    }
    for part, settings in parts.items():
        whole[part] = {**whole.get(part, {}), **settings} if isinstance(settings, dict) else settings
    return json.dumps(whole)


def host(folder: Path, text: str, **environment: str) -> Flyball:
    """A host that does not run yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.yaml").write_text(PRICES)
    return started(folder, text, HASH_KEY=HASH_KEY, **environment)


@contextmanager
def hosts(folder: Path, text: str, count: int = 2) -> Iterator[list[Flyball]]:
    """So many, started at the same time."""
    made = [host(folder / f"host{number}", text) for number in range(count)]
    try:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(Flyball.start, made))
        yield made
    finally:
        for each in made:
            each.stop()


def kill_host(flyball: Flyball) -> None:
    """As by a power cut: all its processes at once."""
    pids = [flyball.pid, *(pid for role in ("worker", "collector", "admin") for pid in flyball.pids(role))]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    with suppress(Exception):
        flyball.stop(signal.SIGKILL)


def budget(flyball: Flyball, name: str = "all") -> dict[str, Any]:
    """Where a budget stands, as this host's admin port says."""
    found: dict[str, Any] = flyball.admin("GET", f"/admin/v1/budgets/{name}")
    return found


def until(true: Callable[[], bool], seconds: float) -> float:
    """Wait until something is so; how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not so after {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def rows_of_all(
    all_hosts: list[Flyball], count: int, seconds: float = 20.0, *, or_more: bool = False
) -> Mapping[str, dict[str, Any]]:
    """The operation rows of all hosts by id, once there are `count`; no operation stands twice, here or there."""
    deadline = time.monotonic() + seconds
    while True:
        rows = [row for each in all_hosts for row in each.query("SELECT * FROM operations")]
        if len(rows) >= count or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    twice = {name: number for name, number in Counter(row["operation_id"] for row in rows).items() if number > 1}
    assert not twice, f"more than one row: {twice}"
    assert len(rows) == count or (or_more and len(rows) > count), f"{len(rows)} rows, not {count}"
    return {row["operation_id"]: row for row in rows}


def booked(rows: Mapping[str, dict[str, Any]]) -> int:
    """The sum of the rows' costs, in nano-dollars."""
    return sum(exact_usd(row["cost_usd"] or "0") for row in rows.values())
