"""Real multi-turn agent traffic under the semantic cache at its most careless: turns with tools have no hit."""

import json
from pathlib import Path
from typing import Any

from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import Answer, Client, one_worker
from tests.harness.recordings import Recording, recordings, told_when_absent
from tests.unit.journey.test_semantic_shadow import found

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers:
  up: {base_url: "http://127.0.0.1:9/v1"}
  claude: {dialect: anthropic, base_url: "http://127.0.0.1:9"}
routes: [{model: "claude*", targets: [{provider: claude}]}, {model: "*", targets: [{provider: up}]}]
tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]
cache: {exact: {mode: disabled}, semantic: {mode: shadow, threshold: 0, deadline_ms: 20000}}
"""
CHATS = {Endpoint.CHAT: "/v1/chat/completions", Endpoint.MESSAGES: "/v1/messages"}
TOOLS = ("tools", "functions", "tool_calls", "function_call", "tool_call_id", "tool_use_id")


def names_in(value: Any) -> set[str]:
    """The names of all members that hold something, at any depth."""
    if isinstance(value, dict):
        return {name for name, each in value.items() if each} | {
            name for each in value.values() for name in names_in(each)
        }
    return {name for each in value for name in names_in(each)} if isinstance(value, list) else set()


def is_tool_turn(recording: Recording) -> bool:
    return not names_in(recording.request).isdisjoint(TOOLS)


async def test_no_tool_turn_of_real_traffic_is_ever_a_hit(tmp_path: Path) -> None:
    chats = [each for each in recordings() if each.endpoint in CHATS and each.status == 200]
    told_when_absent(len(chats))
    hits = {True: 0, False: 0}
    with one_worker(tmp_path, CONFIG) as worker:
        for recording in chats:
            media = recording.headers.get("content-type", "application/json").encode()
            for _ in range(2):
                answer = Answer(found(worker), recording.body, headers=[(b"content-type", media)])
                client = Client(json.dumps(recording.request).encode(), CHATS[recording.endpoint])
                await worker.call(client, answer)
                await found(worker)()
                if client.status == 200:
                    hits[is_tool_turn(recording)] += worker.rows()[-1].get("cache_status") == "would_hit"
    turns = sum(is_tool_turn(recording) for recording in chats)
    assert hits[True] == 0
    if chats:
        assert turns >= 5
        assert hits[False] >= 5  # so that it is no wonder: the same again is a hit where no tool is
