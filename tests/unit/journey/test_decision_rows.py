"""What is written down of policy's decisions: one row for each, at every point, and nobody's words in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.emitted import DONE, call, chunk, ends, part
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

BODY = (
    b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
)
TOOLS = [{"type": "function", "function": {"name": "mail", "parameters": {"type": "object"}}}]
CANARY = "canary-9e107d9d"


def ruled(folder: Path, more: str = "", **rules: str) -> Any:
    """A worker with rules at the points they are given for."""
    (folder / "rules").mkdir()
    for point, text in rules.items():
        (folder / "rules" / f"{point}.rego").write_text(f"package flyball.{point}\n{text}")
    return one_worker(folder, config(more=f"policy: {{dir: rules}}\n{more}"))


async def unary(worker: OneWorker, body: bytes = b"") -> Client:
    return await worker.call(Client(body or chat()), Answer(BODY, headers=JSON_HEADERS))


def refusal(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(client.text)["error"]["flyball"]
    return told


async def test_where_only_the_grant_is_loaded_nothing_is_written(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        assert (await unary(worker)).status == 200
        assert worker.rows("decisions") == [] and len(worker.rows()) == 1


async def test_a_yes_is_written_with_what_it_was_decided_by(tmp_path: Path) -> None:
    rule = 'obligations contains {"type": "tag", "key": "env", "value": "prod"} if input.model == "m"'
    with ruled(tmp_path, request=rule) as worker:
        await unary(worker)
        (operation,), (row,) = worker.rows(), worker.rows("decisions")
    assert row["decision_id"].startswith("dec_") and row["operation_id"] == operation["operation_id"]
    assert (row["point"], row["engine"], row["allow"], row["model"]) == ("request", "embedded", True, "m")
    assert (row["org"], row["team"], row["key_name"], row["agent"]) == ("acme", "support", "bot", "bot")
    assert row["revision"] == operation["policy_revision"] and row["latency_us"] > 0
    assert json.loads(row["obligations"]) == [{"type": "tag", "key": "env", "value": "prod"}]
    assert not row.keys() & {"code", "message", "denials", "shadow", "observed"}
    facts = json.loads(row["input"])
    assert (facts["point"], facts["key"], facts["messages"]["text"]) == ("request", "bot", None)


async def test_a_remembered_decision_is_written_like_any(tmp_path: Path) -> None:
    with ruled(tmp_path, request='deny contains {"code": "no", "msg": "x"} if input.model == "m"') as worker:
        await unary(worker)
        await unary(worker)
        first, second = worker.rows("decisions")
    assert first["decision_id"] != second["decision_id"] and first["operation_id"] != second["operation_id"]
    assert first["code"] == second["code"] == "no"


async def test_a_no_names_its_decision_and_keeps_what_the_client_is_not_told(tmp_path: Path) -> None:
    rules = """deny contains {"code": "b", "msg": "Second."}
deny contains {"code": "a", "msg": "First.", "internal": "ticket 17"}"""
    with ruled(tmp_path, request=rules) as worker:
        client = await unary(worker)
        (row,) = worker.rows("decisions")
    assert client.status == 403 and refusal(client)["decision"] == row["decision_id"]
    assert (row["code"], row["message"], row["internal"], row["denials"]) == ("a", "First.", "ticket 17", ["a", "b"])
    assert "allow" not in row and "observed" not in row


async def test_a_no_that_is_observed_says_so(tmp_path: Path) -> None:
    with ruled(tmp_path, "enforcement: observe", request='deny contains {"code": "no", "msg": "x"}') as worker:
        assert (await unary(worker)).status == 200
        (row,) = worker.rows("decisions")
    assert (row["code"], row["observed"]) == ("no", True)


async def test_no_decision_is_written_too(tmp_path: Path) -> None:
    with ruled(tmp_path, request='allow := 1 if input.model == "m"\nallow := 2 if input.model == "m"') as worker:
        assert (await unary(worker)).status == 503
        (row,) = worker.rows("decisions")
    assert row["code"] == "policy_unavailable" and "request.rego" in row["internal"] and "allow" not in row


async def test_what_needs_a_person_is_a_yes_that_obliges(tmp_path: Path) -> None:
    rule = 'obligations contains {"type": "require_approval", "reason": "large"}'
    with ruled(tmp_path, request=rule) as worker:
        client = await unary(worker)
        (row,) = worker.rows("decisions")
    assert client.status == 403 and refusal(client)["decision"] == row["decision_id"]
    assert row["allow"] and json.loads(row["obligations"])[0]["type"] == "require_approval"


async def test_a_route_tells_which_candidates_were_left_out(tmp_path: Path) -> None:
    rules = """deny_candidates contains {"id": candidate.id, "code": "region", "msg": "Not there."} if {
	some candidate in input.candidates
	candidate.model == "m"
}"""
    with ruled(tmp_path, route=rules) as worker:
        client = await unary(worker)
        await unary(worker, chat(model="cheap"))
        none_left, left = worker.rows("decisions")
    assert refusal(client)["decision"] == none_left["decision_id"]
    assert (none_left["point"], none_left["code"], none_left["denials"]) == (
        "route",
        "region",
        ["region", "region:up/m"],
    )
    assert left["allow"] and json.loads(left["input"])["candidates"][0]["id"] == "up/cheap"


async def test_every_tool_call_has_its_own_and_its_arguments_their_shape_only(tmp_path: Path) -> None:
    rule = 'deny contains {"code": "root", "msg": "x"} if input.tool.arguments.to == "root"'
    arguments = [{"to": "root", "body": CANARY, "n": 7, "cc": [CANARY], "deep": {"yes": True}}, {"to": "me"}]
    with ruled(tmp_path, tool_call=rule) as worker:
        events = [call("mail", json.dumps(each), index=number) for number, each in enumerate(arguments)]
        await worker.call(Client(chat(stream=True, tools=TOOLS)), Answer(*events, ends(), DONE))
        denied, allowed = worker.rows("decisions")
    assert (denied["point"], denied["tool"], denied["code"]) == ("tool_call", "mail", "root") and allowed["allow"]
    assert CANARY not in json.dumps(denied) and "tool.arguments" in denied["unread"]
    told = json.loads(denied["input"])["tool"]
    assert told["arguments"] == {
        "to": "string (4)",
        "body": f"string ({len(CANARY)})",
        "n": "number",
        "cc": [f"string ({len(CANARY)})"],
        "deep": {"yes": "boolean"},
    }
    assert (told["valid"], told["known"], told["arguments_bytes"]) == (True, True, len(json.dumps(arguments[0])))


async def test_what_the_gate_denies_by_itself_is_written_as_ours(tmp_path: Path) -> None:
    with ruled(tmp_path, tool_call='deny contains {"code": "no", "msg": "x"} if input.org == "else"') as worker:
        broken = chunk({"tool_calls": [part(0, "mail", "{}", "c1")]}).replace(b'"name"', b'"name":"read","name"')
        await worker.call(Client(chat(stream=True, tools=TOOLS)), Answer(broken, ends(), DONE))
        (row,) = worker.rows("decisions")
        client = await worker.call(Client(chat(tools=TOOLS)), Answer(b'{"tool_calls":', headers=JSON_HEADERS))
        unreadable = worker.rows("decisions")[-1]
    assert (row["point"], row["engine"], row["code"]) == ("tool_call", "flyball", "unreadable_tool_call")
    assert client.status == 403 and refusal(client)["decision"] == unreadable["decision_id"] != row["decision_id"]


async def test_provider_run_tools_are_denied_by_us(tmp_path: Path) -> None:
    body = json.dumps({"model": "m", "input": "x", "tools": [{"type": "web_search"}], "max_output_tokens": 5}).encode()
    more = "limits: {hosted_tools_ceiling_usd: 1}"
    with ruled(tmp_path, more, tool_call='deny contains {"code": "no", "msg": "x"} if input.org == "else"') as worker:
        client = await worker.call(Client(body, path="/v1/responses"))
        (row,) = worker.rows("decisions")
    assert (row["point"], row["engine"], row["code"]) == ("request", "flyball", "provider_tool")
    assert refusal(client)["decision"] == row["decision_id"]


@pytest.mark.parametrize(
    ("rule", "unread", "read"),
    [
        ('input.model == "m"', {"params", "messages.count", "tools", "budgets", "clock", "messages.text"}, set()),
        ("input.clock.hour > 24", {"budgets", "tools"}, {"clock"}),
        ("input.params.temperature > 3", {"messages.text", "budgets"}, {"params", "tools", "messages.count"}),
        ('input.messages.text[_].text == "x"', {"messages.text", "clock"}, {"params", "messages.roles"}),
    ],
)
async def test_what_is_not_there_as_a_rule_might_have_seen_it_is_named(
    tmp_path: Path, rule: str, unread: set[str], read: set[str]
) -> None:
    with ruled(tmp_path, request=f'deny contains {{"code": "no", "msg": "x"}} if {rule}') as worker:
        await unary(worker)
        (row,) = worker.rows("decisions")
    assert unread <= set(row["unread"]) and not read & set(row["unread"])


async def test_what_was_said_is_kept_nowhere_though_rules_read_it(tmp_path: Path) -> None:
    rules = f"""deny contains {{"code": "no", "msg": "x"}} if {{
	some message in input.messages.text
	contains(message.text, "{CANARY}")
	input.params.stop
}}"""
    words = [{"role": "user", "content": CANARY}]
    body = chat(messages=words, stop=[CANARY], metadata={"k": CANARY}, reasoning_effort="low", seed=4)
    with ruled(tmp_path, request=rules) as worker:
        assert (await unary(worker, body)).status == 403
        (row,) = worker.rows("decisions")
    assert CANARY not in json.dumps(row)
    params = json.loads(row["input"])["params"]
    assert (params["reasoning_effort"], params["seed"], params["stop"]) == ("low", 4, [f"string ({len(CANARY)})"])
    assert {"params.stop", "params.metadata", "messages.text"} <= set(row["unread"])
    assert "params.seed" not in row["unread"]


async def test_a_huge_input_is_bounded_and_says_what_is_missing(tmp_path: Path) -> None:
    many = [{"type": "function", "function": {"name": f"tool_{n:05}"}} for n in range(420)]  # read without a thread
    arguments = {f"name_{n:03}_{'x' * 50}": {f"m{k}": k for k in range(60)} for n in range(60)}
    with ruled(tmp_path, tool_call='deny contains {"code": "no", "msg": "x"} if count(input.tools) == 1') as worker:
        events = [call("tool_00001", json.dumps(arguments)), ends(), DONE]
        await worker.call(Client(chat(stream=True, tools=many)), Answer(*events))
        (row,) = worker.rows("decisions")
    assert len(row["input"]) <= 16_384 and {"tools", "tool.arguments"} <= set(row["unread"])
    facts = json.loads(row["input"])
    assert facts["tools"] is None and facts["tool"]["arguments"] is None and facts["org"] == "acme"
