"""Policy on a call's way: what was sent, what the client saw, what the row says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

BODY = (
    b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
)


@asynccontextmanager
async def ruled(folder: Path, rules: str, *, more: str = "", point: str = "request") -> AsyncIterator[OneWorker]:
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.rego").write_text(f"package flyball.{point}\n{rules}")
    with one_worker(folder, config(more=f"policy: {{dir: rules}}\n{more}")) as worker:
        yield worker


async def asked(worker: OneWorker, client: Client) -> tuple[Client, dict[str, Any], list[dict[str, Any]]]:
    """The client as it was answered, the row, and the bodies that were sent upstream."""
    await worker.call(client, Answer(BODY, headers=JSON_HEADERS))
    sent = [json.loads(request.body) for request in worker.rooms.transport.seen]  # type: ignore[attr-defined] # a scripted one
    return client, worker.rows()[-1], sent


async def test_a_no_names_its_rule_and_nothing_is_sent(tmp_path: Path) -> None:
    rules = (
        'deny contains {"code": "cheap_only", "msg": "Only cheap models.", "internal": "secret"} if input.model == "m"'
    )
    async with ruled(tmp_path, rules) as worker:
        client, row, sent = await asked(worker, Client(chat()))
        error = json.loads(client.text)["error"]
        assert (client.status, error["code"], error["message"]) == (403, "policy_denied", "Only cheap models.")
        assert error["flyball"]["rule"] == "cheap_only" and b"secret" not in client.text
        assert sent == [] and (row["outcome"], row["code"], row["decision"]) == (
            "refused",
            "policy_denied",
            "deny:cheap_only",
        )
        assert await worker.standing() == (0, 0)
        client, row, sent = await asked(worker, Client(chat(model="cheap")))
        assert client.status == 200 and row["decision"] == "allow" and len(row["policy_revision"]) == 64


@pytest.mark.parametrize(
    "rules",
    [
        'allow := 1 if input.model == "m"\nallow := 2 if input.model == "m"',
        'deny contains "no"',
        'obligations contains {"type": "fly"}',
        'obligations contains {"type": "redact", "kinds": [lower("SHOE")]}',
    ],
)
async def test_no_decision_lets_nothing_pass(tmp_path: Path, rules: str) -> None:
    async with ruled(tmp_path, rules) as worker:
        client, row, sent = await asked(worker, Client(chat()))
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"]) == (503, "dependency_unavailable")
    assert error["flyball"]["dependency"] == "policy" and b"retry-after" in client.answered
    assert sent == [] and row["outcome"] == "refused"


async def test_a_cap_lowers_the_limit_and_the_hold(tmp_path: Path) -> None:
    async with ruled(tmp_path, 'obligations contains {"type": "cap_tokens", "max": 7}') as worker:
        client, row, sent = await asked(worker, Client(chat(max_tokens=50)))
        assert sent[0]["max_tokens"] == 7
        assert client.answered[b"x-flyball-reason"] == b"capped to 7 output tokens by policy"
        capped = row["held_usd"]
        client, row, sent = await asked(worker, Client(chat(max_tokens=3)))
        assert sent[0]["max_tokens"] == 3 and b"x-flyball-reason" not in client.answered
    assert float(capped) < 0.002  # fifty tokens would be 0.005


async def test_a_forced_model_is_routed_estimated_and_sent(tmp_path: Path) -> None:
    rules = 'obligations contains {"type": "force_model", "model": "cheap"}'
    async with ruled(tmp_path, rules) as worker:
        client, row, sent = await asked(worker, Client(chat()))
    assert sent[0]["model"] == "cheap" and client.answered[b"x-flyball-model"] == b"cheap"
    assert (row["requested_model"], row["route"], row["reason"]) == (
        "m",
        "cheap",
        "model forced from m to cheap by policy",
    )


async def test_a_downgrade_takes_the_first_pattern_that_matches(tmp_path: Path) -> None:
    rules = 'obligations contains {"type": "downgrade", "to": {"x*": "embed", "m*": "cheap"}}'
    async with ruled(tmp_path, rules) as worker:
        _, row, sent = await asked(worker, Client(chat()))
        assert sent[0]["model"] == "cheap" and row["reason"] == "downgraded from m to cheap by policy"
        _, _, sent = await asked(worker, Client(chat(model="embed")))
        assert sent[0]["model"] == "embed"


async def test_a_stripped_tool_is_not_sent(tmp_path: Path) -> None:
    rules = """obligations contains {"type": "strip_tool", "name": tool.name} if {
	some tool in input.tools
	tool.name != "read"
}"""
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("read", "write")]
    async with ruled(tmp_path, rules) as worker:
        client, _, sent = await asked(worker, Client(chat(tools=tools)))
        assert [tool["function"]["name"] for tool in sent[0]["tools"]] == ["read"]
        assert client.answered[b"x-flyball-reason"] == b"tools taken out by policy: write"
        _, _, sent = await asked(worker, Client(chat(tools=tools[1:], tool_choice="auto")))
        assert "tools" not in sent[0] and "tool_choice" not in sent[0]


async def test_a_tag_stands_on_the_row_and_outweighs_the_clients(tmp_path: Path) -> None:
    rules = 'obligations contains {"type": "tag", "key": "env", "value": "prod"}'
    async with ruled(tmp_path, rules) as worker:
        _, row, _ = await asked(worker, Client(chat(), headers=[(b"x-flyball-tags", b"env=dev,k=v")]))
    assert row["tags"] == {"env": "prod", "k": "v"}


async def test_what_needs_a_person_waits_for_none_and_is_refused(tmp_path: Path) -> None:
    rules = 'obligations contains {"type": "require_approval", "reason": "large"} if input.max_tokens > 40'
    async with ruled(tmp_path, rules) as worker:
        client, row, sent = await asked(worker, Client(chat()))
    assert (client.status, row["code"], sent) == (403, "approval_required", [])
    assert client.answered[b"x-should-retry"] == b"false"


async def test_a_route_rule_leaves_candidates_out_until_none_is_left(tmp_path: Path) -> None:
    rules = """deny_candidates contains {"id": candidate.id, "code": "region", "msg": "Not there."} if {
	some candidate in input.candidates
	candidate.model == "m"
}"""
    async with ruled(tmp_path, rules, point="route") as worker:
        client, row, sent = await asked(worker, Client(chat()))
        assert (client.status, row["decision"], sent) == (403, "deny:region", [])
        assert await worker.standing() == (0, 0)
        client, row, _ = await asked(worker, Client(chat(model="cheap")))
        assert (client.status, row["decision"]) == (200, "allow")


@pytest.mark.parametrize(
    "duty", ['"cap_tokens", "max": 5', '"strip_tool", "name": "go"', '"redact", "kinds": ["email"]']
)
async def test_a_candidate_that_is_left_out_stays_so_whatever_else_the_rule_wants(tmp_path: Path, duty: str) -> None:
    """Regression: what changes the call's price has it resolved anew, and the candidate was among the targets again."""
    rules = f"""deny_candidates contains {{"id": "up/m", "code": "region", "msg": "Not there."}}
obligations contains {{"type": {duty}}}"""
    other = 'other: {base_url: "http://127.0.0.1:9/v1"}'
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(f"package flyball.route\n{rules}")
    text = config(more="policy: {dir: rules}").replace("providers: {", f"providers: {{{other}, ")
    tools = [{"type": "function", "function": {"name": "go"}}]
    messages = [{"role": "user", "content": "I am bob@acme.example"}]
    with one_worker(
        tmp_path, text.replace("targets: [{provider: up}]", "targets: [{provider: up}, {provider: other}]")
    ) as worker:
        client, row, _ = await asked(worker, Client(chat(tools=tools, messages=messages)))
        assert (client.status, row["provider"]) == (200, "other")


async def test_a_rule_reads_the_budgets_as_they_were_last_heard_of(tmp_path: Path) -> None:
    rules = (
        'deny contains {"code": "half", "msg": "Half is spent."} if { some b in input.budgets; b.spent_usd != "0.00" }'
    )
    async with ruled(tmp_path, rules) as worker:
        assert (await asked(worker, Client(chat())))[0].status == 200
        assert (await asked(worker, Client(chat())))[0].status == 200
        client, _, _ = await asked(worker, Client(chat()))
    assert json.loads(client.text)["error"]["flyball"]["rule"] == "half"


async def test_texts_and_parameters_are_there_for_a_rule_that_reads_them(tmp_path: Path) -> None:
    rules = """deny contains {"code": "text", "msg": "x"} if { some m in input.messages.text; contains(m.text, "Hel") }
deny contains {"code": "hot", "msg": "x"} if input.params.temperature > 1
"""
    async with ruled(tmp_path, rules) as worker:
        _, row, _ = await asked(worker, Client(chat(temperature=2)))
        assert row["decision"] == "deny:hot"
        _, row, _ = await asked(worker, Client(chat()))
        assert row["decision"] == "deny:text"
        _, row, _ = await asked(worker, Client(chat(messages=[{"role": "user", "content": "Bye"}])))
        assert row["decision"] == "allow"
