"""Finished answers on their way to the client: what a rule is told of them, what the client sees, what the row says."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from proxy.journey.ask import ask_shadows
from proxy.upstream import UpstreamFailed
from tests.harness.emitted import DONE, Response, call, chunk, ends
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
}
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}\n\n'
STREAM = [chunk({"role": "assistant"}), chunk({"content": "Hi"}), ends("length"), USAGE, DONE]
NO = 'deny contains {"code": "cut_off", "msg": "It was cut off."} if input.response.finish_reason == "length"'
NOT_THIS = 'deny contains {"code": "cut_off", "msg": "x"} if input.response.finish_reason == "nothing"'


def ruled(folder: Path, more: str = "", **rules: str) -> Any:
    (folder / "rules").mkdir()
    for point, text in rules.items():
        (folder / "rules" / f"{point}.rego").write_text(f"package flyball.{point}\n{text}")
    return one_worker(folder, config(more=f"policy: {{dir: rules}}\n{more}"))


async def unary(worker: OneWorker, **more: Any) -> Client:
    body = json.dumps({**ANSWER, **more}).encode()
    return await worker.call(Client(chat()), Answer(body, headers=JSON_HEADERS))


async def streamed(worker: OneWorker, *events: Any) -> Client:
    return await worker.call(Client(chat(stream=True)), Answer(*events))


async def test_a_rule_is_told_what_the_answer_used_and_cost(tmp_path: Path) -> None:
    with ruled(tmp_path, response=NOT_THIS) as worker:
        client = await unary(worker)
        assert client.status == 200 and json.loads(client.text) == ANSWER
        await streamed(worker, *STREAM)
        first, second = worker.rows("decisions")
        operation = worker.rows()[0]
    assert (first["point"], first["allow"], first["operation_id"]) == ("response", True, operation["operation_id"])
    told = json.loads(first["input"])["response"]
    usage = told.pop("usage")
    assert (usage["input"], usage["output"], usage["cache_read"]) == (8, 2, 0)
    assert told == {
        "status": 200,
        "streamed": False,
        "finish_reason": "length",
        "usage_source": "provider",
        "cost_usd": "0.00028",
    }
    assert json.loads(second["input"])["response"] == {**told, "usage": usage, "streamed": True}


async def test_a_denied_answer_is_not_sent_and_is_billed(tmp_path: Path) -> None:
    with ruled(tmp_path, response=NO) as worker:
        client = await unary(worker)
        (row,), (decision,) = worker.rows(), worker.rows("decisions")
        spent, held = await worker.standing()
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["message"]) == (403, "policy_denied", "It was cut off.")
    assert (error["flyball"]["point"], error["flyball"]["decision"]) == ("response", decision["decision_id"])
    assert (row["outcome"], row["code"], row["decision"]) == ("ok", "policy_denied", "deny:cut_off")
    assert row["refused_by"] == "policy/cut_off" and (spent, held) == (280_000, 0) and b"Hi" not in client.text


async def test_without_a_decision_it_is_not_sent_either(tmp_path: Path) -> None:
    with ruled(tmp_path, response='allow := 1 if input.org == "acme"') as worker:
        client = await unary(worker)
        (row,), (decision,) = worker.rows(), worker.rows("decisions")
        assert await worker.standing() == (280_000, 0)
    assert client.status == 503 and (row["outcome"], row["code"]) == ("ok", "dependency_unavailable")
    assert decision["code"] == "policy_unavailable"


async def test_an_allowed_stream_is_the_same_bytes_and_only_its_end_waits(tmp_path: Path) -> None:
    with ruled(tmp_path, response=NOT_THIS) as worker:
        client = Client(chat(stream=True))

        async def all_but_the_end() -> None:
            assert client.text == b"".join(STREAM[:2])

        await worker.call(client, Answer(*STREAM[:3], all_but_the_end, *STREAM[3:], all_but_the_end))
        row = worker.rows()[-1]
    assert client.text == b"".join(STREAM)
    assert (row["outcome"], row.get("code", ""), row["decision"]) == ("ok", "", "allow")


async def test_a_denied_stream_ends_in_an_error_that_names_the_rule(tmp_path: Path) -> None:
    with ruled(tmp_path, response=NO) as worker:
        client = await streamed(worker, *STREAM)
        (row,), (decision,) = worker.rows(), worker.rows("decisions")
        assert await worker.standing() == (280_000, 0)
    begun = b"".join(STREAM[:2])
    assert client.status == 200 and client.text.startswith(begun) and b'finish_reason":"' not in client.text
    error = json.loads(client.text[len(begun) :].removeprefix(b"data: "))["error"]
    assert (error["code"], error["flyball"]["rule"]) == ("policy_denied", "cut_off")
    assert error["flyball"]["decision"] == decision["decision_id"] and b"[DONE]" not in client.text
    assert (row["outcome"], row["code"], row["decision"], row["status"]) == ("ok", "policy_denied", "deny:cut_off", 200)


async def test_a_response_ends_likewise(tmp_path: Path) -> None:
    made = Response().event("response.output_text.delta", delta="Hi")
    made.completed()
    events = made.events
    body = json.dumps({"model": "m", "input": "x", "stream": True, "max_output_tokens": 50}).encode()
    rule = 'deny contains {"code": "no", "msg": "x"} if input.endpoint == "responses"'
    with ruled(tmp_path, response=rule) as worker:
        client = await worker.call(Client(body, path="/v1/responses"), Answer(*events))
    assert (
        client.text.startswith(b"".join(events[:-1]) + b"event: error\n") and b"response.completed" not in client.text
    )


async def test_the_tool_gate_goes_before_it(tmp_path: Path) -> None:
    gate = 'deny contains {"code": "root", "msg": "x"} if input.tool.name == "rm"'
    events = [call("rm", "{}"), ends(), USAGE, DONE]
    with ruled(tmp_path, tool_call=gate, response=NOT_THIS) as worker:
        client = await streamed(worker, *events)
        assert b"(root)" in client.text and client.text.endswith(DONE)
        assert worker.rows()[-1]["decision"] == "deny:root"
    (tmp_path / "both").mkdir()
    rule = 'deny contains {"code": "no", "msg": "x"} if input.response.status == 200'
    with ruled(tmp_path / "both", tool_call=gate, response=rule) as worker:
        client = await streamed(worker, *events)
        points = [row["point"] for row in worker.rows("decisions")]
    assert b"(root)" in client.text and b'"code":"policy_denied"' in client.text and b"[DONE]" not in client.text
    assert points == ["tool_call", "response"]


async def test_where_it_is_observed_nothing_waits_and_the_row_tells(tmp_path: Path) -> None:
    with ruled(tmp_path, "enforcement: observe", response=NO) as worker:
        client = Client(chat(stream=True))

        async def the_end_is_there() -> None:
            assert client.text == b"".join(STREAM[:3])

        await worker.call(client, Answer(*STREAM[:3], the_end_is_there, *STREAM[3:]))
        assert (await unary(worker)).status == 200
        rows = worker.rows()
        assert [row["observed"] for row in worker.rows("decisions")] == [True, True]
    assert {(row["would_code"], row["would_by"]) for row in rows} == {("policy_denied", "policy/cut_off")}


async def test_a_stream_that_breaks_off_is_not_asked_about(tmp_path: Path) -> None:
    with ruled(tmp_path, response=NO) as worker:
        client = await streamed(worker, *STREAM[:2], UpstreamFailed("reset", "gone", sent=True))
        assert worker.rows("decisions") == [] and worker.rows()[-1]["outcome"] == "truncated"
    assert b"upstream_truncated" in client.text


async def test_a_last_event_without_its_blank_line_is_decided_on_too(tmp_path: Path) -> None:
    """Regression: such an answer was a finished one for its bill and its row, and passed without a decision."""
    with ruled(tmp_path, response=NO) as worker:
        client = await streamed(worker, *STREAM[:2], STREAM[2].rstrip(b"\n"))
        (row,) = worker.rows()
        (decision,) = worker.rows("decisions")
    assert (row["outcome"], row["decision"], decision["code"]) == ("ok", "deny:cut_off", "cut_off")
    assert b'finish_reason":"' not in client.text and b'"rule":"cut_off"' in client.text


async def test_an_error_of_the_provider_is_not_asked_about(tmp_path: Path) -> None:
    with ruled(tmp_path, response=NO) as worker:
        client = await worker.call(Client(chat()), Answer(b'{"error":{}}', status=400, headers=JSON_HEADERS))
        assert client.status == 400 and worker.rows("decisions") == []


async def test_it_may_oblige_to_a_tag_and_an_alert(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = """obligations contains {"type": "tag", "key": "ended", "value": input.response.finish_reason}
obligations contains {"type": "alert", "msg": "cut off"}
obligations contains {"type": "no_cache"}"""
    with ruled(tmp_path, response=rules) as worker, caplog.at_level(logging.WARNING, "flyball.policy"):
        await unary(worker)
        assert worker.rows()[-1]["tags"] == {"ended": "length"}
    assert [record.message for record in caplog.records] == ["a policy raises an alert"]


async def test_what_means_nothing_there_is_no_decision(tmp_path: Path) -> None:
    with ruled(tmp_path, response='obligations contains {"type": "cap_tokens", "max": 1}') as worker:
        assert (await unary(worker)).status == 503


@pytest.mark.parametrize("streams", [False, True])
async def test_rules_that_are_tried_are_asked_too(tmp_path: Path, streams: bool) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "tried.rego").write_text(f"package flyball.shadow.response\nallow := true\n{NO}")
    with one_worker(tmp_path, config(more="policy: {dir: rules}")) as worker:
        client = await (streamed(worker, *STREAM) if streams else unary(worker))
        assert client.status == 200 and b"policy_denied" not in client.text
        await ask_shadows(worker.rooms)
        (row,) = worker.rows("decisions")
    assert (row["point"], row["shadow"], row["code"], row["differs"]) == ("response", True, "cut_off", True)


async def test_a_stream_without_a_decision_ends_in_an_error_too(tmp_path: Path) -> None:
    with ruled(tmp_path, response='allow := 1 if input.org == "acme"') as worker:
        client = await streamed(worker, *STREAM)
        row = worker.rows()[-1]
    assert b'"code":"dependency_unavailable"' in client.text and b"[DONE]" not in client.text
    assert (row["outcome"], row["code"]) == ("ok", "dependency_unavailable")
