"""Streams whose callers name no maximum: covered in steps while there is money, ended validly when there is none."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from proxy.core.money import exact_usd
from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

KEY = "fb-test-key-for-the-budget-cut-0123456789"
STEP = 1024
TOKEN_NANO = 100_000
PRICES = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""
HEADERS = {"authorization": f"Bearer {KEY}"}


def config(sim_url: str, limit_usd: str) -> str:
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}}
holds: {{first_hold_output_tokens: {STEP}}}
metering: {{margin_percent: 0}}
providers: {{sim: {{base_url: "{sim_url}", profile: sim}}}}
routes: [{{model: "*", targets: [{{provider: sim}}]}}]
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets: [{{name: acme-total, scope: "org:acme", window: total, limit_usd: {limit_usd}, hard: true}}]
"""


@contextmanager
def house(folder: Path, limit_usd: str, speed: float = 12) -> Iterator[tuple[Flyball, SimProvider]]:
    (folder / "prices.yaml").write_text(PRICES)
    provider = SimProvider(settings=SimSettings(speed=speed))
    with SimServer(provider) as sim, Flyball(folder, config(sim.url, limit_usd), {"BOT_KEY": KEY}) as flyball:
        yield flyball, provider


def body(tokens: int, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Tell me everything."}]
    metadata = {"sim_output_tokens": str(tokens)}
    return {"model": "sim-small", "stream": True, "messages": messages, "metadata": metadata, **more}


async def stream(url: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks of one stream, which must end as streams do."""
    async with (
        httpx.AsyncClient(timeout=60, headers=HEADERS) as client,
        client.stream("POST", url + "/v1/chat/completions", json=content) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        text = b"".join([part async for part in answer.aiter_raw()])
    *events, done, rest = text.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


async def standing(client: httpx.AsyncClient, flyball: Flyball) -> dict[str, Any]:
    answer = await client.get(flyball.admin_url + "/admin/v1/budgets")
    (found,) = answer.json()["data"]
    assert isinstance(found, dict)
    return found


async def watched(
    flyball: Flyball, *streams: dict[str, Any]
) -> tuple[list[list[dict[str, Any]]], list[tuple[int, int]]]:
    """All streams at once, and what was spent and held at every look meanwhile."""
    headers = {"authorization": f"Bearer {flyball.secret('admin-token')}"}
    looks: list[tuple[int, int]] = []
    async with httpx.AsyncClient(timeout=30, headers=headers) as client, asyncio.timeout(90):
        running = asyncio.gather(*(stream(flyball.data, each) for each in streams))
        while not running.done():
            now = await standing(client, flyball)
            looks.append((now["spent_nano"], now["held_nano"]))
            await asyncio.sleep(0.01)
        return await running, looks


def closed_books(flyball: Flyball, count: int) -> list[dict[str, Any]]:
    """The rows, once nothing is held and what is spent is their sum, exactly."""
    rows = flyball.wait_for_rows(count)
    deadline = time.monotonic() + 10
    while (now := flyball.admin("GET", "/admin/v1/budgets")["data"][0])["held_nano"]:
        assert time.monotonic() < deadline, now
        time.sleep(0.05)
    assert now["spent_nano"] == sum(exact_usd(row["cost_usd"]) for row in rows)
    assert [exact_usd(row["overrun_usd"]) for row in rows] == [0] * count
    return rows


def endings(provider: SimProvider) -> list[str]:
    """How the provider saw its answers end, once all have."""
    deadline = time.monotonic() + 10
    while "open" in (found := [each.ending for each in provider.seen.requests]):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


async def test_a_long_stream_is_covered_step_by_step(tmp_path: Path) -> None:
    with house(tmp_path, "1000") as (flyball, provider):
        (chunks,), looks = await watched(flyball, body(5000))
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        (row,) = closed_books(flyball, 1)
        assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("ok", "provider", 5000)
        held = sorted({amount for _, amount in looks if amount})
        assert len(held) >= 4
        assert exact_usd(row["held_usd"]) >= exact_usd(row["cost_usd"])
        # What is held is never much more than what flowed: the last step and a bit.
        assert held[-1] <= (5000 + 1.5 * STEP) * TOKEN_NANO
        assert endings(provider) == ["finished"]


async def test_a_stream_ends_with_its_money(tmp_path: Path) -> None:
    """Money for one and a half steps: the stream is ended validly, and all but the last few tokens of it is used."""
    limit = STEP * 3 // 2 * TOKEN_NANO
    with house(tmp_path, f"0.{limit:09d}") as (flyball, provider):
        (chunks,), looks = await watched(flyball, body(16000))
        assert all(spent + held <= limit for spent, held in looks)
        last = chunks[-1]
        assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}]
        assert last["flyball"]["budget"] == "acme-total"
        (row,) = closed_books(flyball, 1)
        assert (row["outcome"], row["code"], row["finish_reason"]) == ("truncated", "budget_exceeded", "length")
        assert (row["status"], row["usage_source"]) == (200, "estimated")
        assert row["operation_id"] == last["flyball"]["operation"]
        assert 0.85 * limit < exact_usd(row["cost_usd"]) <= limit
        assert endings(provider) == ["client_left"]
        (attempt,) = flyball.wait_for_rows(1, "attempts")
        assert (attempt["outcome"], attempt["error"]) == ("truncated", "budget_exceeded")


async def test_three_at_once_never_pass_the_limit(tmp_path: Path) -> None:
    """No maximum was named by any, and each would have made ten steps."""
    limit = STEP * 5 * TOKEN_NANO
    with house(tmp_path, f"0.{limit:09d}") as (flyball, provider):
        answers, looks = await watched(flyball, *[body(10_000)] * 3)
        assert len(looks) > 10
        assert max(spent + held for spent, held in looks) <= limit
        for chunks in answers:
            assert chunks[-1]["choices"][0]["finish_reason"] == "length"
        rows = closed_books(flyball, 3)
        assert {(row["outcome"], row["code"]) for row in rows} == {("truncated", "budget_exceeded")}
        spent = sum(exact_usd(row["cost_usd"]) for row in rows)
        assert 0.7 * limit < spent <= limit
        assert endings(provider) == ["client_left"] * 3


async def test_no_maximum_pins_no_budget(tmp_path: Path) -> None:
    """R1.5: two at once under a budget of a hundred times what each is held for, which is then used to a hundredth."""
    limit = STEP * 200 * TOKEN_NANO
    with house(tmp_path, f"{limit // 10**9}.{limit % 10**9:09d}") as (flyball, _):
        answers, looks = await watched(flyball, body(300), body(300))
        assert [chunks[-1]["choices"][0]["finish_reason"] for chunks in answers] == ["stop", "stop"]
        assert max(spent + held for spent, held in looks) < limit * 0.011
        assert {row["outcome"] for row in closed_books(flyball, 2)} == {"ok"}
