"""What ends or changes a realtime session: money, rules, tool calls that are decided, kill switches, killed runs."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import Ledger, LedgerUnavailable
from proxy.journey.running import stop_runs
from proxy.journey.switched import end_switched
from proxy.policy import parse_target
from tests.harness.one_worker import KEY, OneWorker, config, one_worker
from tests.harness.sessions import Caller, Provider, begin, begun, created, done, usage

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("read_file", "delete_file")]
PATH = '{"path":"a"}'
FIRST = 1024 * 10_000 + 4096 * 100_000
"""What the first response of a session is held for, in nano-dollars."""


@contextmanager
def house_of(folder: Path, limit: str = "limit_usd: 1000", more: str = "", **rules: str) -> Iterator[OneWorker]:
    if rules:
        (folder / "rules").mkdir()
        for point, text in rules.items():
            (folder / "rules" / f"{point}.rego").write_text(f"package flyball.{point}\n{text}")
        more += "\npolicy: {dir: rules}"
    with one_worker(folder, config(budget=limit, more=more)) as made:
        yield made


def item(number: int, name: str, arguments: str = PATH) -> dict[str, Any]:
    """A function call as the item that holds it."""
    return {"id": f"item_{number}", "type": "function_call", "call_id": f"call_{number}", "name": name,
            "arguments": arguments, "status": "completed"}  # fmt: skip


def call_events(number: int, name: str, arguments: str = PATH) -> list[str]:
    """A function call as it comes, up to where it is whole."""
    bare = {**item(number, name, ""), "status": "in_progress"}
    of_it = {"response_id": "resp_1", "item_id": f"item_{number}", "output_index": number}
    events: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "response_id": "resp_1", "item": bare},
        {"type": "conversation.item.added", "item": bare},
        {"type": "response.function_call_arguments.delta", **of_it, "delta": arguments},
        {"type": "response.function_call_arguments.done", **of_it, "arguments": arguments},
        {"type": "conversation.item.done", "item": item(number, name, arguments)},
        {"type": "response.output_item.done", "response_id": "resp_1", "item": item(number, name, arguments)},
    ]
    return [json.dumps(each) for each in events]


async def ended(house: OneWorker, caller: Caller, session: "asyncio.Task[None]") -> dict[str, Any]:
    """Leave, and the session's row."""
    caller.leave()
    await session
    (row,) = house.rows()
    return row


STARTER = "policy: {settings: settings.json}"


@contextmanager
def starter(folder: Path) -> Iterator[OneWorker]:
    """The starter library's rules on tool calls: only `read_*`."""
    (folder / "settings.json").write_text(json.dumps({"settings": {"tool_calls": {"agents": {"*": ["read_*"]}}}}))
    with one_worker(folder, config(more=STARTER)) as worker:
        yield worker


async def test_an_allowed_call_comes_as_it_was_and_a_denied_one_never(tmp_path: Path) -> None:
    with starter(tmp_path) as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        good, bad = call_events(0, "read_file"), call_events(1, "delete_file")
        last = done(1, usage(10, 0, 5, 0), item(0, "read_file"), item(1, "delete_file"))
        echo = json.dumps({"type": "conversation.item.done", "item": item(1, "delete_file")})
        provider.say(created(tools=TOOLS), begun(1), *good, *bad, last, echo, '{"type":"x.y"}')
        await caller.until(lambda: any(each.get("type") == "x.y" for each in caller.events))
        assert caller.messages[2:8] == good
        refusal, finished, end = caller.events[8:]
        assert (refusal["type"], refusal["error"]["code"]) == ("error", "policy_denied")
        assert refusal["error"]["flyball"]["rule"] == "tool_not_listed"
        assert finished["response"]["output"] == [item(0, "read_file")]
        assert end == {"type": "x.y"}
        assert not any("delete_file" in str(each) for each in caller.messages[1:] if "policy_denied" not in str(each))
        row = await ended(house, caller, session)
        assert "delete_file (tool_not_listed)" in row["reason"]
        assert row["decision"].startswith("deny:")
        await house.parts.ledger.close()


async def test_a_call_is_withheld_until_it_is_whole_and_one_that_only_the_end_tells_is_decided(tmp_path: Path) -> None:
    with starter(tmp_path) as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        text = json.dumps({"type": "response.text.delta", "response_id": "resp_1", "delta": "meanwhile"})
        provider.say(created(tools=TOOLS), begun(1), *call_events(0, "read_file")[:-1], text)
        assert (await caller.got(3))[2] == text
        provider.say(done(1, usage(10, 0, 5, 0), item(7, "delete_file")))
        await caller.got(5)
        assert caller.events[3]["error"]["code"] == "policy_denied"
        assert caller.events[4]["response"]["output"] == []
        await ended(house, caller, session)
        await house.parts.ledger.close()


async def test_tools_that_the_provider_runs_are_refused_where_rules_look_at_calls(tmp_path: Path) -> None:
    with starter(tmp_path) as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        provider.say(created())
        caller.say(json.dumps({"type": "session.update", "session": {"tools": [{"type": "mcp", "server_label": "x"}]}}))
        await caller.got(2)
        (refusal,) = [each["error"] for each in caller.events if each["type"] == "error"]
        assert refusal["flyball"]["rule"] == "provider_tool"
        assert provider.heard == []
        await ended(house, caller, session)
        await house.parts.ledger.close()


async def test_a_rule_may_keep_sessions_out(tmp_path: Path) -> None:
    rule = 'deny contains {"code": "no_voice", "msg": "No voice."} if input.endpoint == "realtime"'
    with house_of(tmp_path, request=rule) as house:
        caller, provider = Caller(), Provider()
        await begin(house, caller, provider)
        assert (caller.refused[0], caller.refused[1]["error"]["flyball"]["rule"]) == (403, "no_voice")
        assert provider.request is None
        await house.parts.ledger.close()


async def test_an_obligation_that_nobody_could_see_to_is_refused_by_name(tmp_path: Path) -> None:
    rule = 'obligations contains {"type": "strip_tool", "name": "delete_file"}'
    with house_of(tmp_path, request=rule) as house:
        caller = Caller()
        await begin(house, caller, Provider())
        error = caller.refused[1]["error"]
        assert (error["code"], error["param"]) == ("capability_missing", "strip_tool")
        await house.parts.ledger.close()


async def test_a_rule_on_findings_sees_that_nothing_could_be_looked_through(tmp_path: Path) -> None:
    rule = 'deny contains {"code": "unread", "msg": "x"} if not input.findings_scan.whole'
    with house_of(tmp_path, request=rule) as house:
        caller = Caller()
        await begin(house, caller, Provider())
        assert caller.refused[1]["error"]["flyball"]["rule"] == "unread"
        await house.parts.ledger.close()


async def test_a_rule_on_responses_ends_the_session_in_the_place_of_the_end_of_one(tmp_path: Path) -> None:
    rule = 'deny contains {"code": "cut", "msg": "Cut."} if input.response.finish_reason == "incomplete"'
    with house_of(tmp_path, response=rule) as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        good = done(1, usage(10, 0, 5, 0))
        provider.say(created(), begun(1), good, begun(2), done(2, usage(10, 0, 5, 0), status="incomplete"))
        await session
        assert caller.messages[2] == good
        assert caller.events[-1]["error"]["flyball"]["rule"] == "cut"
        assert caller.closed == (1008, "policy_denied")
        (row,) = house.rows()
        assert (row["code"], row["output_tokens"]) == ("policy_denied", 10)
        await house.parts.ledger.close()


async def test_without_money_for_a_first_response_nothing_is_opened(tmp_path: Path) -> None:
    with house_of(tmp_path, f"limit_usd: {(FIRST - 1) / 1e9:.9f}") as house:
        caller, provider = Caller(), Provider()
        await begin(house, caller, provider)
        assert (caller.refused[0], caller.refused[1]["error"]["code"]) == (402, "budget_exceeded")
        assert provider.request is None
        await house.parts.ledger.close()


@pytest.mark.parametrize("unit", ["limit_usd: 1", "limit_tokens: 12000"])
async def test_a_session_that_can_no_longer_be_covered_is_told_and_closed(tmp_path: Path, unit: str) -> None:
    with house_of(tmp_path, unit) as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        provider.say(created())
        for number in range(1, 200):
            provider.say(begun(number), done(number, usage(600, 0, 400, 0)))
        await session
        assert caller.events[-1]["error"]["code"] == "budget_exceeded"
        assert caller.closed == (1008, "budget_exceeded")
        assert provider.closed is not None
        (row,) = house.rows()
        assert (row["outcome"], row["code"]) == ("truncated", "budget_exceeded")
        assert row.get("overrun_usd", "0") == "0"
        spent, held = await house.standing()
        assert held == 0
        limit = 1_000_000_000 if "usd" in unit else 12000
        assert limit / 3 < spent <= limit
        await house.parts.ledger.close()


async def test_sound_that_comes_in_is_held_for_as_it_comes(tmp_path: Path) -> None:
    """Money for the first response and about ten minutes of sound: 10 tokens a second."""
    with house_of(tmp_path, f"limit_usd: {(FIRST + 60_000_000) / 1e9:.9f}") as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        provider.say(created())
        ten_seconds = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 640_000})
        caller.say(*[ten_seconds] * 100)
        await session
        assert caller.closed == (1008, "budget_exceeded")
        assert 60 <= len(provider.heard) <= 75
        assert await house.standing() == (0, 0)
        await house.parts.ledger.close()


async def test_a_rate_that_is_short_ends_no_session(tmp_path: Path) -> None:
    more = 'rate_limits: [{name: slow, scope: "key:acme/support/bot", limit_tokens: 6000, window: minute}]'
    with house_of(tmp_path, more=more) as house:
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        provider.say(created())
        for number in range(1, 9):
            provider.say(begun(number), done(number, usage(600, 0, 400, 0)))
        await caller.got(17)
        row = await ended(house, caller, session)
        assert (row["outcome"], row["output_tokens"]) == ("ok", 3200)
        await house.parts.ledger.close()


@pytest.mark.parametrize("how", ["switch", "run"])
async def test_people_end_a_session_at_once(tmp_path: Path, how: str) -> None:
    with house_of(tmp_path) as house:
        caller, provider = Caller(headers=[(b"x-flyball-run", b"r1")]), Provider()
        session = begin(house, caller, provider)
        provider.say(created(), begun(1))
        await caller.got(2)
        provider.say(done(1, usage(9, 0, 1, 0), status="cancelled"))
        if how == "switch":
            house.stores.switches.set(parse_target("model:m"), reason="It misbehaves", by="anna")
            house.parts.configured.reload_switches()
            end_switched(house.rooms)
        else:
            key = house.rooms.snapshot().keyring.authenticate(KEY, house.rooms.clock.now_ns())
            stop_runs(house.rooms, {(key.org, key.key_id, "r1")})
        await session
        code = "policy_denied" if how == "switch" else "run_stopped"
        assert caller.events[-1]["error"]["code"] == code
        assert caller.closed == (1008, code)
        (row,) = house.rows()
        assert (row["outcome"], row["code"]) == ("truncated", code)
        assert (await house.standing())[1] == 0
        assert house.rooms.streams == set()
        await house.parts.ledger.close()


class Away:
    """The ledger, which can be asked for no more."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def extend(self, operation: str, more: Any) -> Any:
        raise LedgerUnavailable("away")


async def test_a_ledger_that_is_away_ends_the_session_when_more_is_to_be_held(tmp_path: Path) -> None:
    with house_of(tmp_path) as house:
        ledger = house.rooms.ledger
        house.rooms.ledger = Away(ledger)
        caller, provider = Caller(), Provider()
        session = begin(house, caller, provider)
        provider.say(created())
        caller.say(json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 64_000_000}))
        await session
        assert caller.events[-1]["error"]["code"] == "dependency_unavailable"
        assert caller.closed == (1011, "dependency_unavailable")
        assert provider.heard == []
        assert (await house.standing())[1] == 0
        await ledger.close()
