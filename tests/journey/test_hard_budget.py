"""Money for exactly 37 worst cases: 500 concurrent calls over 4 workers, and the upstream sees 37."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest

from proxy.core.money import exact_usd
from proxy.sim import Faults, Script, SimProvider, SimServer
from tests.harness.flyball import Flyball

CALLS = 500
PAYABLE = 37
KEY = "fb-test-key-for-the-hard-budget-0123456789"
BODY = {"model": "sim-small", "max_tokens": 100, "messages": [{"role": "user", "content": "Say hello to everyone."}]}
PRICES = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""


def config(folder: Path, sim_url: str, limit_usd: str) -> str:
    (folder / "prices.yaml").write_text(PRICES)
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 4}}
providers: {{sim: {{base_url: "{sim_url}", profile: sim}}}}
routes: [{{model: "*", targets: [{{provider: sim}}]}}]
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets:
  - {{name: acme-total, scope: "org:acme", window: total, limit_usd: {limit_usd}, hard: true}}
  - {{name: bot-month, scope: "key:acme/support/bot", window: month, limit_usd: 1000, hard: true}}
"""


async def all_at_once(url: str, count: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(limits=limits, timeout=60, headers=headers) as client:
        return await asyncio.gather(*(client.post(url + "/v1/chat/completions", json=BODY) for _ in range(count)))


def worst_case_usd(folder: Path, sim: SimServer) -> str:
    """What one such call is held for, as a refusal tells it."""
    folder.mkdir()
    with Flyball(folder, config(folder, sim.url, "0.000000001"), {"BOT_KEY": KEY}) as flyball:
        answer = httpx.post(
            flyball.data + "/v1/chat/completions", json=BODY, headers={"authorization": f"Bearer {KEY}"}
        )
    assert answer.status_code == 402
    wanted = answer.json()["error"]["flyball"]["wanted_usd"]
    assert isinstance(wanted, str)
    return wanted


@pytest.mark.timeout(300)
async def test_500_at_once_with_money_for_37(tmp_path: Path) -> None:
    """R1.1. Afterwards nothing is held, and what was spent is what the rows say, to the nano-dollar."""
    slow = Script(always=Faults(slow_s=10.0))  # no call ends, and gives money back, before all have asked
    with SimServer(SimProvider(slow)) as sim:
        worst = exact_usd(worst_case_usd(tmp_path / "probe", sim))
        limit = worst * PAYABLE + worst - 1
        (tmp_path / "main").mkdir()
        text = config(tmp_path / "main", sim.url, f"{limit // 10**9}.{limit % 10**9:09d}")
        with Flyball(tmp_path / "main", text, {"BOT_KEY": KEY}) as flyball:
            before = sim.provider.seen.total
            answers = await all_at_once(flyball.data, CALLS)
            statuses = Counter(answer.status_code for answer in answers)
            assert statuses == {200: PAYABLE, 402: CALLS - PAYABLE}
            assert sim.provider.seen.total - before == PAYABLE
            rows = flyball.wait_for_rows(CALLS)
            assert len({row["operation_id"] for row in rows}) == CALLS
            spent = sum(exact_usd(row["cost_usd"]) for row in rows)
            budgets = {each["name"]: each for each in flyball.admin("GET", "/admin/v1/budgets")["data"]}
            for name in ("acme-total", "bot-month"):
                assert budgets[name]["held_nano"] == 0
                assert budgets[name]["spent_nano"] == spent
            assert spent <= limit
