"""Answers that wait for a person: put aside whole and encrypted, given once, without a second call or a second bill."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.core.clock import SetClock, utc
from proxy.policy import Approval, Sealer, Wanted
from proxy.upstream import UpstreamFailed
from proxy.wire.endpoint import Endpoint
from tests.harness.emitted import DONE, Response, call, chunk, ends, function_item, part
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker
from tests.harness.read_by_sdk import read_by_sdk

NEEDS = (
    'obligations contains {"type": "require_approval", "reason": "writes"} if startswith(input.tool.name, "delete_")'
)
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}\n\n'
CANARY = "canary-of-the-parked-answer"
PATH = json.dumps({"path": CANARY})
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("read_file", "delete_file")
]
EVENTS = [chunk({"role": "assistant", "content": "I will."}), call("delete_file", PATH), ends(), USAGE, DONE]
BODY = chat(stream=True, tools=TOOLS)


@asynccontextmanager
async def ruled(folder: Path, more: str = "", rest: str = "", rules: str = NEEDS) -> AsyncIterator[OneWorker]:
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.rego").write_text(f"package flyball.tool_call\n{rules}")
    with one_worker(folder, config(more=f"policy: {{dir: rules, {more}}}\n{rest}")) as worker:
        worker.rooms.clock = SetClock(utc(worker.rooms.clock.now_ns()))
        yield worker


async def streamed(worker: OneWorker, *events: Any, body: bytes = BODY, **more: Any) -> Client:
    """One call; without events there is no upstream to be asked."""
    return await worker.call(Client(body, **more), *([Answer(*events)] if events else []))


def waiting(worker: OneWorker) -> Approval:
    (found,) = worker.stores.approvals.list(Wanted(state="pending"), worker.rooms.clock.now_ns(), 9)
    return found


def newest(worker: OneWorker) -> Approval:
    found = worker.stores.approvals.list(Wanted(), worker.rooms.clock.now_ns(), 9)
    return found[0]


def decide(worker: OneWorker, approval: Approval, verdict: Any = "approved") -> None:
    worker.stores.approvals.decide(approval.id, verdict, by="anna", note="so it is", now_ns=worker.rooms.clock.now_ns())


def bytes_of(folder: Path) -> bytes:
    """The state file and its log."""
    return b"".join(each.read_bytes() for each in folder.glob("ledger.sqlite*"))


def error_of(client: Client) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(client.text)["error"]
    return error


def state_of(worker: OneWorker, approval: Approval) -> tuple[str, int]:
    found = worker.stores.approvals.find(approval.id)
    assert found is not None
    return found.state, found.parked


async def test_a_stream_waits_and_is_given_once(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        denied = await streamed(worker, *EVENTS)
        approval = waiting(worker)
        read = read_by_sdk(Endpoint.CHAT, denied.text)
        assert read.calls == [] and read.finishes == ["stop"]
        assert approval.id in read.text and "(approval_required)" in read.text and read.text.startswith("I will.")
        first = worker.rows()[0]
        assert first["decision"] == "deny:approval_required" and approval.id in first["reason"]
        spent, held = await worker.standing()
        assert (approval.tools, approval.operation, held) == (("delete_file",), first["operation_id"], 0)

        early = await streamed(worker)
        assert (early.status, error_of(early)["code"]) == (403, "approval_required")
        assert error_of(early)["flyball"]["approval"] == approval.id
        assert early.answered[b"location"] == f"/v1/flyball/approvals/{approval.id}".encode()

        decide(worker, approval)
        given = await streamed(worker)
        assert given.text == b"".join(EVENTS)
        assert given.answered[b"x-flyball-cache-status"] == b"hit"
        assert given.answered[b"content-type"] == b"text/event-stream"
        row = worker.rows()[2]
        assert (row["outcome"], row["cost_usd"], row.get("attempts", 0)) == ("cached", "0.000000000", 0)
        assert approval.id in row["reason"] and first["operation_id"] in row["reason"] and "anna" in row["reason"]
        assert await worker.standing() == (spent, 0)
        assert state_of(worker, approval)[0] == "used"

        other = [chunk({"role": "assistant", "content": "No."}), ends("stop"), USAGE, DONE]
        after = await streamed(worker, *other)
        assert after.text == b"".join(other) and len(worker.rooms.transport.seen) == 1  # type: ignore[attr-defined]
        assert (await worker.standing())[0] == 2 * spent


async def test_an_answer_in_one_piece_waits_too(tmp_path: Path) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [part(None, "delete_file", PATH, "p")]}
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
    whole = json.dumps(
        {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
        | {"usage": usage},
        indent=1,
    ).encode()
    body = chat(tools=TOOLS)
    async with ruled(tmp_path) as worker:
        denied = await worker.call(Client(body), Answer(whole, headers=JSON_HEADERS))
        approval = waiting(worker)
        assert approval.id in json.loads(denied.text)["choices"][0]["message"]["content"]
        assert approval.id.encode() in denied.answered[b"x-flyball-reason"]
        decide(worker, approval)
        given = await worker.call(Client(body))
        assert given.text == whole and given.answered[b"content-length"] == str(len(whole)).encode()
        assert given.answered[b"x-flyball-cost-usd"] == b"0.00"
        again = await worker.call(Client(body), Answer(whole, headers=JSON_HEADERS))
        assert again.text != whole


async def test_a_response_waits_like_a_chat(tmp_path: Path) -> None:
    tools = [{"type": "function", "name": "delete_file", "parameters": SCHEMA}]
    body = json.dumps({"model": "m", "input": "x", "stream": True, "tools": tools, "max_output_tokens": 50}).encode()
    stream = Response().call("delete_file", PATH).completed(function_item("delete_file", PATH))
    async with ruled(tmp_path) as worker:
        denied = await streamed(worker, stream, body=body, path="/v1/responses")
        assert waiting(worker).id in read_by_sdk(Endpoint.RESPONSES, denied.text).text
        decide(worker, waiting(worker))
        assert (await streamed(worker, body=body, path="/v1/responses")).text == stream


@pytest.mark.parametrize("cut", [1, 7, 64])
async def test_the_same_bytes_whatever_pieces_they_came_in(tmp_path: Path, cut: int) -> None:
    whole = b"".join(EVENTS)
    async with ruled(tmp_path) as worker:
        await streamed(worker, *(whole[at : at + cut] for at in range(0, len(whole), cut)))
        decide(worker, waiting(worker))
        assert (await streamed(worker)).text == whole


async def test_the_history_may_name_its_calls_otherwise(tmp_path: Path) -> None:
    def body(id_: str, run: str = "r") -> dict[str, Any]:
        messages = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": [part(None, "read_file", PATH, id_)]},
            {"role": "tool", "tool_call_id": id_, "content": "y"},
        ]
        sent = chat(stream=True, tools=TOOLS, messages=messages)
        return {"body": sent, "headers": [(b"x-flyball-run", run.encode())]}

    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS, **body("call_1"))
        decide(worker, waiting(worker))
        elsewhere = await streamed(worker, *EVENTS, **body("call_1", "other"))
        assert elsewhere.text != b"".join(EVENTS)
        assert (await streamed(worker, **body("call_2"))).text == b"".join(EVENTS)


async def test_what_is_kept_cannot_be_read_without_the_key(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        denied = await streamed(worker, *EVENTS)
        assert CANARY.encode() not in denied.text and state_of(worker, waiting(worker))[1] > 0
        kept = bytes_of(tmp_path / "state")
        assert waiting(worker).id.encode() in kept and b"delete_file" in kept
        assert CANARY.encode() not in kept and b"I will." not in kept
        (asked,) = worker.stores.approvals.calls(waiting(worker).id)
        assert (asked.name, asked.arguments) == ("delete_file", PATH)
        assert (tmp_path / "state" / "body-key").stat().st_mode & 0o777 == 0o600


async def test_a_denied_answer_is_gone_and_its_request_refused(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        approval = waiting(worker)
        decide(worker, approval, "denied")
        with worker.stores.approvals._reading() as connection:
            assert connection.execute("SELECT COUNT(*) FROM approval_answers").fetchone() == (0,)
        error = error_of(await streamed(worker))
        assert (error["code"], error["flyball"]["rule"]) == ("policy_denied", "approval_denied")
        assert "so it is" in error["message"]


async def test_an_answer_that_nobody_approved_in_time_is_gone(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        approval = waiting(worker)
        assert isinstance(worker.rooms.clock, SetClock)
        worker.rooms.clock.move(3600)
        assert worker.stores.approvals.sweep(worker.rooms.clock.now_ns()) == 1
        assert state_of(worker, approval)[0] == "expired"
        again = await streamed(worker, *EVENTS)
        assert waiting(worker).id != approval.id and waiting(worker).id in read_by_sdk(Endpoint.CHAT, again.text).text
        with worker.stores.approvals._reading() as connection:
            assert connection.execute("SELECT COUNT(*) FROM approval_answers").fetchone() == (1,)


async def test_rules_of_today_outweigh_a_persons_yes(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        decide(worker, waiting(worker))
        rule = 'deny contains {"code": "frozen", "msg": "Not now."} if input.tool.name == "delete_file"'
        (tmp_path / "rules" / "rules.rego").write_text(f"package flyball.tool_call\n{rule}")
        worker.parts.configured.reload_file(worker.parts.configured.config)
        given = await streamed(worker)
        read = read_by_sdk(Endpoint.CHAT, given.text)
        assert read.calls == [] and "(frozen)" in read.text
        row = worker.rows()[-1]
        assert (row["outcome"], row["decision"]) == ("cached", "deny:frozen")


async def test_a_request_that_is_denied_by_now_gets_no_answer(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        approval = waiting(worker)
        decide(worker, approval)
        (tmp_path / "rules" / "more.rego").write_text(
            'package flyball.request\ndeny contains {"code": "closed", "msg": "Closed."}'
        )
        worker.parts.configured.reload_file(worker.parts.configured.config)
        assert error_of(await streamed(worker))["flyball"]["rule"] == "closed"
        assert state_of(worker, approval)[0] == "approved"


FINISHED = """package flyball.response
deny contains {"code": "odd", "msg": "Odd."} if {
	input.response.usage.output == 2
	input.response.finish_reason == "tool_calls"
}"""


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_is_denied_when_finished_waits_for_nobody(tmp_path: Path, stream: bool) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [part(None, "delete_file", PATH, "p")]}
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    whole = json.dumps({"id": "c", "model": "m", "choices": choices, "usage": usage}).encode()
    made = Answer(*EVENTS) if stream else Answer(whole, headers=JSON_HEADERS)
    async with ruled(tmp_path) as worker:
        (tmp_path / "rules" / "more.rego").write_text(FINISHED)
        worker.parts.configured.reload_file(worker.parts.configured.config)
        answered = await worker.call(Client(chat(stream=stream, tools=TOOLS)), made)
        assert b"policy_denied" in answered.text
        (approval,) = worker.stores.approvals.list(Wanted(), worker.rooms.clock.now_ns(), 9)
        assert (approval.state, approval.note) == ("expired", "a rule said no to the answer")
        with worker.stores.approvals._reading() as connection:
            assert connection.execute("SELECT COUNT(*) FROM approval_answers").fetchone() == (0,)


async def test_a_rule_on_finished_answers_that_came_later_outweighs_a_persons_yes(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        decide(worker, waiting(worker))
        (tmp_path / "rules" / "more.rego").write_text(FINISHED)
        worker.parts.configured.reload_file(worker.parts.configured.config)
        refused = await streamed(worker)
        assert (refused.status, error_of(refused)["flyball"]["rule"]) == (403, "odd")
        assert (await worker.standing())[1] == 0 and worker.rows()[-1]["cost_usd"] == "0.000000000"


async def test_calls_that_need_nobody_come_with_those_that_do(tmp_path: Path) -> None:
    events = [call("read_file", PATH), call("delete_file", PATH, index=1), ends(), USAGE, DONE]
    async with ruled(tmp_path) as worker:
        read = read_by_sdk(Endpoint.CHAT, (await streamed(worker, *events)).text)
        assert {each[0] for each in read.calls} == {"read_file"} and read.finishes == ["tool_calls"]
        assert waiting(worker).tools == ("delete_file",)
        decide(worker, waiting(worker))
        assert (await streamed(worker)).text == b"".join(events)


async def test_two_calls_at_once_are_given_the_answer_once(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        decide(worker, waiting(worker))
        clients = [Client(BODY), Client(BODY)]
        await asyncio.gather(*(worker.parts.port(each.scope, each.receive, each.send) for each in clients))
        assert sorted(each.status for each in clients) == [200, 403]
        (refused,) = (each for each in clients if each.status == 403)
        assert error_of(refused)["flyball"]["rule"] == "approval_used"
        assert (await worker.standing())[1] == 0


async def test_an_answer_that_breaks_off_cannot_be_approved(tmp_path: Path) -> None:
    failure = UpstreamFailed("reset", "gone", sent=True)
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS[:3], failure)
        (approval,) = worker.stores.approvals.list(Wanted(), worker.rooms.clock.now_ns(), 9)
        assert (approval.state, approval.parked, approval.note) == ("expired", 0, "its answer did not come whole")
        await streamed(worker, *EVENTS)
        assert waiting(worker).id != approval.id


async def test_an_answer_that_breaks_off_within_an_event_cannot_be_approved_either(tmp_path: Path) -> None:
    events = [call("delete_file", PATH), ends(), b'data: {"id":"c","choi', UpstreamFailed("reset", "gone", sent=True)]
    async with ruled(tmp_path) as worker:
        await streamed(worker, *events)
        (approval,) = worker.stores.approvals.list(Wanted(), worker.rooms.clock.now_ns(), 9)
        assert (approval.state, approval.parked) == ("expired", 0)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("approvals: {parked_answer_bytes: 100}", "parked_answer_too_large"),
        ("approvals: {parked_answer_bytes: 300, parked_bytes: 300}", "parked_answer_too_large"),
        ("approvals: {max_pending_per_key: 1}", "too_many_approvals"),
    ],
)
async def test_what_cannot_be_kept_is_denied_with_why(tmp_path: Path, more: str, code: str) -> None:
    async with ruled(tmp_path, more) as worker:
        if code == "too_many_approvals":
            await streamed(worker, *EVENTS, body=chat(stream=True, tools=TOOLS, temperature=1))
        text = (await streamed(worker, *EVENTS)).text
        assert f"({code})" in read_by_sdk(Endpoint.CHAT, text).text
        assert worker.rows()[-1]["decision"] == f"deny:{code}"


async def test_answers_of_all_keys_have_so_much_room(tmp_path: Path) -> None:
    async with ruled(tmp_path, "approvals: {parked_answer_bytes: 1100, parked_bytes: 1100}") as worker:
        await streamed(worker, *EVENTS, body=chat(stream=True, tools=TOOLS, temperature=1))
        text = (await streamed(worker, *EVENTS)).text
        assert "(approvals_full)" in read_by_sdk(Endpoint.CHAT, text).text
        decide(worker, waiting(worker), "denied")
        text = (await streamed(worker, *EVENTS)).text
        assert waiting(worker).id in read_by_sdk(Endpoint.CHAT, text).text


async def test_a_rate_limit_counts_it_and_leaves_it_there(tmp_path: Path) -> None:
    rest = 'rate_limits: [{name: slow, scope: "key:acme/support/bot", window: day, limit_requests: 2}]'
    async with ruled(tmp_path, rest=rest) as worker:
        await streamed(worker, *EVENTS)
        approval = waiting(worker)
        decide(worker, approval)
        other = [chunk({"role": "assistant", "content": "No."}), ends("stop"), USAGE, DONE]
        await streamed(worker, *other, body=chat(stream=True))
        limited = await streamed(worker)
        assert (limited.status, error_of(limited)["code"]) == (429, "rate_limited")
        assert state_of(worker, approval)[0] == "approved"


async def test_an_answer_that_is_given_counts_as_a_request(tmp_path: Path) -> None:
    rest = 'rate_limits: [{name: slow, scope: "key:acme/support/bot", window: day, limit_requests: 2}]'
    async with ruled(tmp_path, rest=rest) as worker:
        await streamed(worker, *EVENTS)
        decide(worker, waiting(worker))
        assert (await streamed(worker)).text == b"".join(EVENTS)
        assert (await streamed(worker, body=chat(stream=True))).status == 429


async def test_a_budget_that_is_used_up_does_not_keep_back_what_was_paid(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(f"package flyball.tool_call\n{NEEDS}")
    more = config(more="policy: {dir: rules}", budget="limit_usd: 0.012")
    with one_worker(tmp_path, more) as worker:
        await streamed(worker, *EVENTS)
        decide(worker, waiting(worker))
        other, number = [chunk({"role": "assistant", "content": "No."}), ends("stop"), USAGE, DONE], 0
        while (await streamed(worker, *other, body=chat(stream=True, seed=number))).status == 200:
            number += 1
            assert number < 99
        assert worker.rows()[-1]["code"] == "budget_exceeded"
        assert (await streamed(worker)).text == b"".join(EVENTS)


async def test_under_another_body_key_it_is_lost_and_asked_for_anew(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await streamed(worker, *EVENTS)
        decide(worker, waiting(worker))
        approvals = worker.stores.approvals
        approvals._sealer = type("Other", (Sealer,), {"digest": approvals._sealer.digest})(b"x" * 32)
        error = error_of(await streamed(worker))
        assert error["flyball"]["rule"] == "approval_used" and "another body-key" in error["message"]
        text = (await streamed(worker, *EVENTS)).text
        assert waiting(worker).id in read_by_sdk(Endpoint.CHAT, text).text


async def test_while_the_state_cannot_be_had_no_call_waits(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:

        async def break_it() -> None:
            with worker.stores.approvals._changing() as connection:
                connection.execute("ALTER TABLE approvals RENAME TO gone")

        text = (await streamed(worker, *EVENTS[:1], break_it, *EVENTS[1:])).text
        assert "(approvals_unavailable)" in read_by_sdk(Endpoint.CHAT, text).text
        refused = await streamed(worker)
        assert (refused.status, error_of(refused)["flyball"]["dependency"]) == (503, "approvals")


WAITS = NEEDS.replace('"reason": "writes"', '"reason": "writes", "wait_s": 30')


async def asking(worker: OneWorker, client: Client, *events: Any) -> asyncio.Task[Client]:
    """A call whose answer is held open: the task of it, once it waits."""
    task = asyncio.get_running_loop().create_task(worker.call(client, Answer(*events)))
    async with asyncio.timeout(30):
        while not worker.rooms.awaiting:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
    return task


async def test_a_stream_that_is_held_open_goes_on_with_its_call(tmp_path: Path) -> None:
    async with ruled(tmp_path, rules=WAITS) as worker:
        worker.rooms.settings = replace(worker.rooms.settings, ping_after_s=0.05)
        task = await asking(worker, client := Client(BODY), *EVENTS)
        async with asyncio.timeout(20):
            while b": ping" not in client.text:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        approval = waiting(worker)
        decide(worker, approval)
        await asyncio.wait_for(task, 20)
        assert client.text.replace(b": ping\n\n", b"") == b"".join(EVENTS)
        row = worker.rows()[-1]
        assert row["outcome"] == "ok" and f"approved by anna ({approval.id})" in row["reason"]
        assert row["decision"] == "allow" and state_of(worker, approval) == ("used", 0)
        assert (await worker.standing())[1] == 0


async def test_a_stream_that_is_held_open_is_told_a_no(tmp_path: Path) -> None:
    async with ruled(tmp_path, rules=WAITS) as worker:
        task = await asking(worker, client := Client(BODY), *EVENTS)
        decide(worker, waiting(worker), "denied")
        await asyncio.wait_for(task, 20)
        read = read_by_sdk(Endpoint.CHAT, client.text)
        assert read.calls == [] and "(approval_denied)" in read.text and "so it is" in read.text
        assert error_of(await streamed(worker))["flyball"]["rule"] == "approval_denied"


async def test_a_stream_that_waited_in_vain_is_put_aside(tmp_path: Path) -> None:
    async with ruled(tmp_path, "approvals: {max_wait_s: 1}", rules=WAITS) as worker:
        text = (await asyncio.wait_for(streamed(worker, *EVENTS), 30)).text
        assert waiting(worker).id in read_by_sdk(Endpoint.CHAT, text).text
        decide(worker, waiting(worker))
        assert (await streamed(worker)).text == b"".join(EVENTS)


async def test_each_call_of_an_answer_that_is_held_open_is_a_question_of_its_own(tmp_path: Path) -> None:
    events = [call("delete_file", PATH), call("delete_other", PATH, index=1), ends(), USAGE, DONE]
    async with ruled(tmp_path, rules=WAITS) as worker:
        task = await asking(worker, client := Client(BODY), *events)
        first = waiting(worker)
        decide(worker, first)
        async with asyncio.timeout(20):
            while (second := newest(worker)).id == first.id:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert (first.tools, second.tools) == (("delete_file",), ("delete_other",)) and second.id != first.id
        decide(worker, second)
        await asyncio.wait_for(task, 20)
        assert client.text == b"".join(events)
