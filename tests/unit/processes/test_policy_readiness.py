"""/readyz and an OPA server that is away: not ready, calls are 503, and it heals by itself."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from proxy.config import load_config
from proxy.processes.worker import Worker
from tests.contract.policy.scripted_opa import GRANT, answer, scripted
from tests.harness.one_worker import JSON_HEADERS, KEY, Answer, Client, OneWorker, chat, config, one_worker
from tests.unit.processes.test_readiness import ANSWER, ready


async def knock(house: OneWorker, said: str = "") -> str:
    """One turn of the worker's duty; what it knew as away before and knows now."""
    worker = Worker.__new__(Worker)
    worker._parts, worker._policy_away = house.parts, said
    await worker._knock_at_policy()
    return worker._policy_away


async def served(house: OneWorker) -> int:
    client = await house.call(Client(chat()), Answer(ANSWER, headers=JSON_HEADERS))
    return client.status


async def test_no_call_passes_until_a_policy_decides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "flyball.worker")
    async with scripted() as opa:
        opa.reply = b""
        with one_worker(tmp_path, config(more=f"policy: {{url: '{opa.url}'}}")) as house:
            status, told = await ready(house)
            assert (status, told["policy"]) == (503, "unavailable")
            said = await knock(house)
            refused = await house.call(Client(chat()))
            error = json.loads(refused.text)["error"]
            assert (refused.status, error["code"]) == (503, "dependency_unavailable")
            assert error["flyball"]["dependency"] == "policy"
            opa.reply = GRANT
            assert await knock(house, said) == ""
            assert (await ready(house))[0] == 200
            assert await served(house) == 200
            opa.reply = answer({"result": {"allow": True, "deny": [{"code": "no_way", "msg": "Never."}]}})
            denied = await house.call(Client(chat()))
            error = json.loads(denied.text)["error"]
            assert (denied.status, error["code"], error["flyball"]["rule"]) == (403, "policy_denied", "no_way")
            messages = [record.message for record in caplog.records]
            assert messages.count("no policy decides, so no call passes") == 1
            assert messages.count("a policy decides") == 1
            await house.parts.close()


async def test_a_changed_server_is_asked_and_the_old_ones_connections_are_closed(tmp_path: Path) -> None:
    async with scripted() as first, scripted() as second:
        with one_worker(tmp_path, config(more=f"policy: {{url: '{first.url}'}}")) as house:
            assert await served(house) == 200
            assert len(first.asked) == 2
            old = house.rooms.snapshot().policy
            path = tmp_path / "flyball.yaml"
            path.write_text(config(more=f"policy: {{url: '{second.url}', points: [request]}}"))
            given = {"BOT_KEY": KEY, "FLYBALL_HOME": str(tmp_path / "state")}
            await asyncio.to_thread(house.parts.configured.reload_file, load_config(path, given))
            await knock(house)
            assert old._client is None  # type: ignore[attr-defined] # its connections are gone
            asked = len(second.asked)
            assert await served(house) == 200
            assert (len(first.asked), len(second.asked)) == (2, asked + 1)
            await house.parts.close()
