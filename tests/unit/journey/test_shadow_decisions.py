"""Rules that are only tried: asked at each point, never enforced, written down beside what counted."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from proxy.journey.ask import ask_shadows
from proxy.journey.shadows import MOST_WAITING, Shadows
from tests.harness.emitted import DONE, call, ends
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

BODY = (
    b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
)
TOOLS = [{"type": "function", "function": {"name": "mail", "parameters": {"type": "object"}}}]
NO = 'deny contains {"code": "tried", "msg": "x"} if input.model == "m"'


def tried(folder: Path, *, live: str = "", **shadow: str) -> Any:
    """A worker with shadow rules at the points they are given for, and perhaps a live one at `request`."""
    (folder / "rules").mkdir()
    for point, text in shadow.items():
        allow = f"package flyball.shadow.{point}\nallow := true\n"
        (folder / "rules" / f"{point}.rego").write_text(allow + text)
    if live:
        (folder / "rules" / "live.rego").write_text(f"package flyball.request\n{live}")
    return one_worker(folder, config(more="policy: {dir: rules}"))


async def shadows_of(worker: OneWorker) -> list[dict[str, Any]]:
    """What was written of shadow decisions once there was time for them."""
    assert not [row for row in worker.rows("decisions") if row.get("shadow")]
    await ask_shadows(worker.rooms)
    return [row for row in worker.rows("decisions") if row.get("shadow")]


async def unary(worker: OneWorker, body: bytes = b"") -> Client:
    return await worker.call(Client(body or chat()), Answer(BODY, headers=JSON_HEADERS))


@pytest.mark.parametrize("point", ["request", "route"])
async def test_a_shadow_no_stops_nothing_and_is_written(tmp_path: Path, point: str) -> None:
    with tried(tmp_path, **{point: NO}) as worker:
        assert (await unary(worker)).status == 200
        (row,) = await shadows_of(worker)
        (operation,) = worker.rows()
    assert (row["point"], row["code"], row["differs"]) == (point, "tried", True)
    assert row["operation_id"] == operation["operation_id"] and operation["decision"] == "allow"
    assert "allow" not in row and "live_id" not in row and row["engine"] == "embedded" and row["latency_us"] > 0
    assert json.loads(row["input"])["key"] == "bot"


async def test_it_stands_beside_the_decision_that_counted(tmp_path: Path) -> None:
    live = 'deny contains {"code": "live", "msg": "x"} if input.model == "m"'
    with tried(tmp_path, live=live, request=NO) as worker:
        assert (await unary(worker)).status == 403
        await unary(worker, chat(model="cheap"))
        differing, same = await shadows_of(worker)
        counted = [row for row in worker.rows("decisions") if not row.get("shadow")]
    assert [row["live_id"] for row in (differing, same)] == [row["decision_id"] for row in counted]
    assert differing["differs"] and "differs" not in same and same["allow"]


async def test_a_shadow_obligation_obliges_to_nothing(tmp_path: Path) -> None:
    rule = 'obligations contains {"type": "cap_tokens", "max": 7}'
    with tried(tmp_path, request=rule) as worker:
        await unary(worker)
        (row,) = await shadows_of(worker)
        sent = json.loads(worker.rooms.transport.seen[0].body)
    assert sent["max_tokens"] == 50 and row["allow"] and row["differs"]
    assert json.loads(row["obligations"]) == [{"type": "cap_tokens", "max": 7}]


async def test_what_only_the_shadow_reads_is_made_for_it(tmp_path: Path) -> None:
    rule = 'deny contains {"code": "said", "msg": "x"} if contains(input.messages.text[_].text, "Hel")'
    with tried(tmp_path, live='deny contains {"code": "no", "msg": "x"} if input.model == "z"', request=rule) as worker:
        await unary(worker)
        (row,) = await shadows_of(worker)
    assert row["code"] == "said" and "Hello" not in json.dumps(row)


@pytest.mark.parametrize("streams", [False, True])
async def test_tool_calls_are_looked_at_and_nothing_is_withheld(tmp_path: Path, streams: bool) -> None:
    rule = 'deny contains {"code": "root", "msg": "x"} if input.tool.arguments.to == "root"'
    begun, rest = call("mail", '{"to":'), call("", '"root"}').replace(b'"name":"",', b"")
    with tried(tmp_path, tool_call=rule) as worker:
        client = Client(chat(stream=streams, tools=TOOLS))
        if streams:

            async def half_is_there() -> None:
                assert client.text == begun

            await worker.call(client, Answer(begun, half_is_there, rest, ends(), DONE))
            assert client.text == begun + rest + ends() + DONE
        else:
            message = {"role": "assistant", "tool_calls": [_whole_call('{"to":"root"}')]}
            body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
            await worker.call(client, Answer(body, headers=JSON_HEADERS))
            assert client.text == body
        (row,) = await shadows_of(worker)
        assert worker.rows()[-1]["decision"] == "allow"
    assert (row["point"], row["tool"], row["code"], row["differs"]) == ("tool_call", "mail", "root", True)


async def test_one_that_cannot_be_evaluated_is_said_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = 'answer := 1 if input.model == "m"\nanswer := 2 if input.model == "m"'
    with tried(tmp_path, request=rules) as worker, caplog.at_level(logging.WARNING, "flyball.policy"):
        assert (await unary(worker)).status == 200
        assert await shadows_of(worker) == []
        await unary(worker)
        await ask_shadows(worker.rooms)
    assert [record.message for record in caplog.records] == ["a shadow policy could not be evaluated"]


async def test_too_many_are_dropped_and_counted(tmp_path: Path) -> None:
    with tried(tmp_path, request=NO) as worker:
        await unary(worker)
        (waiting,) = worker.rooms.shadows._waiting
        full = Shadows()
        assert (
            all(full.put(waiting) for _ in range(MOST_WAITING)) and not full.put(waiting) and len(full) == MOST_WAITING
        )
        large = Shadows()
        assert not large.put(waiting._replace(size=17 * 1024 * 1024)) and await large.take() is None
        assert len(await shadows_of(worker)) == 1


def _whole_call(arguments: str) -> dict[str, Any]:
    return {"id": "a", "type": "function", "function": {"name": "mail", "arguments": arguments}}
