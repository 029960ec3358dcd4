"""A Flyball over the simulated provider, set up so that what goes wrong shows soon: short leases, short patience."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx

from proxy.core.money import exact_usd
from tests.harness.flyball import Flyball

KEY: Final = "fb-test-key-for-what-goes-wrong-0123456789"
ENVIRONMENT: Final = {"BOT_KEY": KEY}
LEASE_S: Final = 3
QUIET_S: Final = 30.0
ROLLUP_S: Final = 5.0


def config(
    providers: Mapping[str, Mapping[str, Any]],
    routes: Mapping[str, tuple[str, str]],
    *,
    workers: int = 1,
    **parts: Mapping[str, Any],
) -> str:
    """A configuration as text. `routes`: a client's model name → provider and model."""
    whole: dict[str, Any] = {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": workers},
        "holds": {"lease_s": LEASE_S},
        "providers": providers,
        "routes": [
            {"model": name, "targets": [{"provider": provider, "model": model}]}
            for name, (provider, model) in routes.items()
        ],
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": [{"name": "bot", "key_env": "BOT_KEY"}]}]}],
        "budgets": [{"name": "all", "scope": "org:acme", "window": "total", "limit_usd": 1000, "hard": True}],
    }
    for part, settings in parts.items():
        whole[part] = {**whole.get(part, {}), **settings}
    return json.dumps(whole)


def sim_config(sim_url: str, *, workers: int = 1, **parts: Mapping[str, Any]) -> str:
    """The simulated provider for every `sim-*` model."""
    providers = {"sim": {"base_url": sim_url, "profile": "sim"}}
    routes = {model: ("sim", model) for model in ("sim-small", "sim-large", "sim-reasoner", "sim-embed")}
    return config(providers, routes, workers=workers, **parts)


def chat(name: str, *, model: str = "sim-small", stream: bool = True, fault: str = "", tokens: int = 0) -> bytes:
    """A chat request. Its name becomes the row's `run`, and is in what the provider sees."""
    metadata = {"session_id": name}
    metadata |= {"sim_fault": fault} if fault else {}
    metadata |= {"sim_output_tokens": str(tokens)} if tokens else {}
    body = {
        "model": model,
        "stream": stream,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": f"Tell me about {name}."}],
        "metadata": metadata,
    }
    return json.dumps(body).encode()


def budget(flyball: Flyball) -> dict[str, Any]:
    """The live state of the one budget."""
    (found,) = flyball.admin("GET", "/admin/v1/budgets")["data"]
    assert isinstance(found, dict)
    return found


def until_nothing_is_held(flyball: Flyball, seconds: float = QUIET_S) -> float:
    """Wait until no hold is left; how long that took."""
    began = time.monotonic()
    while budget(flyball)["held_nano"]:
        assert time.monotonic() - began < seconds, f"still held: {budget(flyball)}"
        time.sleep(0.05)
    return time.monotonic() - began


def until_the_store_answers(flyball: Flyball, seconds: float = QUIET_S) -> float:
    """Wait until ClickHouse answers at its published place; how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with suppress(httpx.HTTPError, AssertionError):
            flyball.query("SELECT 1")
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"ClickHouse does not answer after {seconds} s")


def rows_by_run(flyball: Flyball, count: int) -> dict[str, dict[str, Any]]:
    """The operation rows by the name of their call, once there are `count`; never two of one call."""
    rows = flyball.wait_for_rows(count)
    runs = Counter(row["run"] for row in rows)
    twice = {run: number for run, number in runs.items() if number > 1}
    assert not twice, f"more than one row: {twice}"
    return {row["run"]: row for row in rows}


def until_the_rollup_says(flyball: Flyball, count: int, spent: int) -> None:
    """Wait for the sums of the rollup: an insert reaches it a moment after the table it is made from."""
    deadline = time.monotonic() + ROLLUP_S
    while True:
        (rollup,) = flyball.query("SELECT sum(cost_usd) AS cost, sum(calls) AS calls FROM spend_quarter_hours")
        if (exact_usd(rollup["cost"]), int(rollup["calls"])) == (spent, count):
            return
        assert time.monotonic() < deadline, (rollup, spent, count)
        time.sleep(0.1)


def balanced_books(flyball: Flyball, count: int) -> dict[str, dict[str, Any]]:
    """Rows by call, after checking that nothing is held and that what was spent is what the rows say, exactly.

    `count` is how many rows there must be; the raw sums must be those of the rollup, and every attempt an
    operation's.
    """
    until_nothing_is_held(flyball)
    until_the_store_answers(flyball)
    rows = rows_by_run(flyball, count)
    assert len(rows) == count, f"{len(rows)} rows, not {count}"
    spent = sum(exact_usd(row["cost_usd"] or "0") for row in rows.values())
    assert budget(flyball)["spent_nano"] == spent
    until_the_rollup_says(flyball, count, spent)
    attempts = flyball.wait_for_rows(sum(int(row["attempts"]) for row in rows.values()), "attempts")
    by_operation = Counter(attempt["operation_id"] for attempt in attempts)
    assert by_operation == {row["operation_id"]: row["attempts"] for row in rows.values() if row["attempts"]}
    assert sum(exact_usd(attempt["cost_usd"] or "0") for attempt in attempts) == spent
    return rows


def started(folder: Path, text: str, **environment: str) -> Flyball:
    """A Flyball in a folder of its own, not running yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return Flyball(folder, text, {**ENVIRONMENT, **environment})
