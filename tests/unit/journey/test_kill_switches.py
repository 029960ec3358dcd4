"""Kill switches of each kind: calls are refused, open streams end validly and at once, money is settled, rows tell."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.core.money import exact_usd
from proxy.journey.switched import end_switched
from proxy.policy import parse_target
from proxy.wire.endpoint import Endpoint
from tests.harness.emitted import DONE, Response, call, ends, function_item, part
from tests.harness.one_worker import EVENT, JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker
from tests.harness.read_by_sdk import chunks_by_sdk, read_by_sdk

ANSWER = b'{"model":"m","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}\n\n'
RUN = [(b"x-flyball-run", b"r1")]
OF_THE_CALL = [
    *("org:acme", "team:acme/support", "key:acme/support/bot", "agent:acme/bot", "run:acme/r1"),
    *("model:m", "model:M*", "provider:up"),
]
OF_OTHERS = [
    *("org:beta", "team:acme/sales", "key:acme/support/other", "agent:acme/triage", "run:acme/r2", "run:beta/r1"),
    *("model:cheap", "provider:other", "tool:*", "writes"),
]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("read_file", "delete_file")
]
TWO = """
providers: {up: {base_url: "http://127.0.0.1:9/v1"}, down: {base_url: "http://127.0.0.1:9/v1"}}
routes: [{model: m, targets: [{provider: down}, {provider: up, model: cheap}]}]
prices: {overlay: prices.yaml}
tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]
budgets: [{name: own, scope: "key:acme/support/bot", window: total, hard: true, limit_usd: 1000}]
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path, config()) as made:
        yield made
        await made.parts.ledger.close()


def off(house: OneWorker, target: str, reason: str = "It misbehaves") -> str:
    """Turn something off, as a worker learns of it."""
    made = house.stores.switches.set(parse_target(target), reason=reason, by="anna")
    learn(house)
    return made.id


def learn(house: OneWorker) -> None:
    house.parts.configured.reload_switches()
    end_switched(house.rooms)


def turning_off(house: OneWorker, target: str) -> Callable[[], Awaitable[None]]:
    async def now() -> None:
        off(house, target)

    return now


async def refused(house: OneWorker, client: Client) -> dict[str, Any]:
    """The error of a call that must not reach the provider."""
    await house.call(client, Answer(ANSWER, headers=JSON_HEADERS))
    assert house.rooms.transport.answers, "it was sent"  # type: ignore[attr-defined]
    error: dict[str, Any] = json.loads(client.text)["error"]
    return error


async def test_a_new_call_is_refused_and_the_row_names_the_switch(house: OneWorker) -> None:
    for target in OF_THE_CALL:
        switch = off(house, target)
        client = Client(chat(), headers=RUN)
        error = await refused(house, client)
        code = "run_stopped" if target.startswith("run:") else "policy_denied"
        told = error["flyball"]
        assert (client.status, error["code"]) == (403, code)
        assert (told["switch"], told["target"], told["reason"]) == (switch, target, "It misbehaves")
        assert error["message"] == f"This call is turned off by the kill switch {target}: It misbehaves."
        row = house.rows()[-1]
        assert (row["outcome"], row["code"], row["decision"]) == ("refused", code, "deny:kill_switch")
        assert row["refused_by"] == f"{target}/kill_switch"
        assert row["reason"] == f"turned off by the kill switch {target} (It misbehaves)"
        decision = house.rows("decisions")[-1]
        assert (decision["decision_id"], decision["code"]) == (told["decision"], "kill_switch")
        assert (decision["engine"], decision["internal"]) == ("flyball", switch)
        house.stores.switches.lift(switch, by="ben")
    assert await house.standing() == (0, 0)
    assert len(house.rows()) == len(OF_THE_CALL)


async def test_what_is_of_others_changes_nothing(house: OneWorker) -> None:
    client = Client(chat(stream=True), headers=RUN)
    await house.call(client, Answer(EVENT, *(turning_off(house, target) for target in OF_OTHERS), EVENT, DONE))
    assert client.text == EVENT * 2 + DONE
    client = await house.call(Client(chat(), headers=RUN), Answer(ANSWER, headers=JSON_HEADERS))
    assert client.status == 200 and client.text == ANSWER


async def test_an_open_stream_ends_at_its_next_event(house: OneWorker) -> None:
    half, spent_before = len(EVENT) // 2, 0
    for target in OF_THE_CALL:
        answer = Answer(EVENT, EVENT[:half], turning_off(house, target), EVENT[half:], EVENT, DONE)
        client = await house.call(Client(chat(stream=True), headers=RUN), answer)
        first, end = chunks_by_sdk(client.text)
        assert (first.choices[0].delta.content, end.choices[0].finish_reason) == ("Hi", "length")
        told = end.model_extra["flyball"]
        code = "run_stopped" if target.startswith("run:") else "policy_denied"
        assert (told["code"], told["target"], told["reason"]) == (code, target, "It misbehaves")
        row = house.rows()[-1]
        assert (row["outcome"], row["code"], row["status"]) == ("truncated", code, 200)
        assert row["reason"] == f"ended: the kill switch {target} was set (It misbehaves)"
        assert row["refused_by"] == f"{target}/kill_switch"
        assert answer.aborted.is_set() and not house.rooms.streams
        spent, held = await house.standing()
        assert held == 0 and spent - spent_before == exact_usd(row["cost_usd"]) > 0
        spent_before = spent
        house.stores.switches.lift(told["switch"], by="ben")
        learn(house)


async def test_a_silent_stream_ends_at_once(house: OneWorker) -> None:
    """Its provider says nothing more: no chunk is waited for."""
    said, client = asyncio.Event(), Client(chat(stream=True))

    async def silence() -> None:
        said.set()
        await asyncio.Event().wait()

    going = asyncio.ensure_future(house.call(client, Answer(EVENT, silence)))
    await said.wait()
    off(house, "provider:up")
    await asyncio.wait_for(going, 5)
    assert chunks_by_sdk(client.text)[-1].choices[0].finish_reason == "length"
    assert (await house.standing())[1] == 0


async def test_a_stream_of_responses_ends_as_the_sdk_expects(house: OneWorker) -> None:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    piece = {"type": "output_text", "text": "", "annotations": []}
    at = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    told = Response().event("response.output_item.added", output_index=0, item=message)
    told.event("response.content_part.added", **at, part=piece)
    told.event("response.output_text.delta", **at, delta="Hello", logprobs=[])
    first = b"".join(told.events)
    rest = told.completed()[len(first) :]
    body = json.dumps({"model": "m", "input": "x", "stream": True, "max_output_tokens": 50}).encode()
    client = Client(body, path="/v1/responses")
    await house.call(client, Answer(first, turning_off(house, "org:acme"), rest))
    assert b"response.incomplete" in client.text and b'"target":"org:acme"' in client.text
    assert client.text.startswith(first) and client.text.count(b"event: ") == 5
    assert (await house.standing())[1] == 0


async def test_a_call_that_waited_meanwhile_is_not_sent(house: OneWorker) -> None:
    """Its snapshot is older than the switch; what was held for it is given back."""
    counted = house.rooms.counter.count_input

    async def counting(*given: Any, **more: Any) -> Any:
        off(house, "agent:acme/bot")
        return await counted(*given, **more)

    house.rooms.counter.count_input = counting  # type: ignore[method-assign]
    error = await refused(house, Client(chat()))
    assert error["flyball"]["target"] == "agent:acme/bot"
    assert await house.standing() == (0, 0)
    assert house.rows()[0]["outcome"] == "refused"


async def test_a_stream_that_began_meanwhile_ends_at_once(house: OneWorker) -> None:
    class Switching:
        async def send(self, request: Any) -> Answer:
            off(house, "org:acme")
            return Answer(EVENT, DONE)

        async def close(self) -> None:
            return

    house.rooms.transport = Switching()
    client = Client(chat(stream=True))
    await house.parts.port(client.scope, client.receive, client.send)
    (end,) = chunks_by_sdk(client.text)
    assert end.choices[0].finish_reason == "length"


async def test_what_is_lifted_goes_on_and_what_has_ended_too(house: OneWorker) -> None:
    switch = off(house, "org:acme")
    await refused(house, Client(chat()))
    house.stores.switches.lift(switch, by="ben")
    learn(house)
    assert not house.rooms.snapshot().switches
    until = house.rooms.clock.now_ns() + 50_000_000
    house.stores.switches.set(parse_target("org:acme"), reason="for a moment", by="anna", expires_ns=until)
    learn(house)
    switches = house.rooms.snapshot().switches
    assert switches and not switches.has_ended(until - 1) and switches.has_ended(until)
    await asyncio.sleep(0.06)
    learn(house)
    client = await house.call(Client(chat()), Answer(ANSWER, headers=JSON_HEADERS))
    assert client.status == 200


async def test_it_needs_no_ledger(house: OneWorker) -> None:
    """A call that is turned off is told so, not that the ledger is away."""
    await house.parts.ledger.close()
    off(house, "org:acme")
    client = Client(chat())
    house.rooms.ledger = None  # type: ignore[assignment]
    await house.parts.port(client.scope, client.receive, client.send)
    assert client.status == 403


async def test_where_all_is_observed_it_is_only_written_down(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="enforcement: observe")) as house:
        client = Client(chat(stream=True))
        await house.call(client, Answer(EVENT, turning_off(house, "org:acme"), EVENT, DONE))
        assert client.text == EVENT * 2 + DONE
        await house.call(Client(chat()), Answer(ANSWER, headers=JSON_HEADERS))
        row = house.rows()[-1]
        assert (row["would_code"], row["would_by"]) == ("policy_denied", "org:acme/kill_switch")
        await house.parts.ledger.close()


async def test_the_next_candidate_serves_while_one_is_left(tmp_path: Path) -> None:
    with one_worker(tmp_path, TWO) as house:
        off(house, "provider:down")
        client = await house.call(Client(chat()), Answer(ANSWER, headers=JSON_HEADERS))
        assert client.status == 200
        assert b"left out by a kill switch: down" in client.answered[b"x-flyball-reason"]
        assert house.rows()[-1]["provider"] == "up"
        off(house, "model:CHEAP")
        assert (await refused(house, Client(chat())))["flyball"]["target"] in ("provider:down", "model:CHEAP")
        assert (await house.standing())[1] == 0
        await house.parts.ledger.close()


async def test_a_tool_that_is_off_does_not_reach_the_client(house: OneWorker) -> None:
    """No rule stands at tool_call: the kill switch makes the gate."""
    off(house, "tool:DELETE_*")
    events = [call("read_file", "{}", index=0), call("delete_file", "{}", index=1), ends(), USAGE, DONE]
    client = await house.call(Client(chat(stream=True, tools=TOOLS)), Answer(*events))
    read = read_by_sdk(Endpoint.CHAT, client.text)
    assert {name for name, _ in read.calls} == {"read_file"} and read.finishes == ["tool_calls"]
    assert "turned off by the kill switch tool:DELETE_*: It misbehaves." in read.text
    row = house.rows()[-1]
    assert (row["outcome"], row["decision"]) == ("ok", "deny:kill_switch")
    assert "delete_file (kill_switch)" in row["reason"]
    (decision,) = house.rows("decisions")
    assert (decision["point"], decision["tool"], decision["code"]) == ("tool_call", "delete_file", "kill_switch")
    spent, held = await house.standing()
    assert held == 0 and spent == exact_usd(row["cost_usd"])


async def test_allowed_calls_pass_a_switch_of_other_tools_byte_for_byte(house: OneWorker) -> None:
    off(house, "tool:delete_*")
    events = [call("read_file", '{"path":"a"}'), ends(), USAGE, DONE]
    client = await house.call(Client(chat(stream=True, tools=TOOLS)), Answer(*events))
    assert client.text == b"".join(events)


async def test_a_tool_that_is_off_in_a_whole_answer(house: OneWorker) -> None:
    """Turned off after the call was sent: the answer is looked at as it comes."""
    message = {"role": "assistant", "content": None, "tool_calls": [part(None, "delete_file", "{}", "1")]}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    body = json.dumps({"id": "c", "model": "m", "choices": choices}).encode()
    client = Client(chat(tools=TOOLS))
    await house.call(client, Answer(body[:9], turning_off(house, "tool:delete_file"), body[9:], headers=JSON_HEADERS))
    (choice,) = json.loads(client.text)["choices"]
    assert not choice["message"].get("tool_calls") and choice["finish_reason"] == "stop"


async def test_an_open_stream_that_offers_such_a_tool_ends(house: OneWorker) -> None:
    """Nobody looks at its calls, and a part of one may be with the client already."""
    for target, ended in (("tool:send_*", False), ("tool:delete_*", True), ("writes", True)):
        client = Client(chat(stream=True, tools=TOOLS))
        script = (EVENT, turning_off(house, target), EVENT, call("delete_file", "{}"), ends(), DONE)
        await house.call(client, Answer(*script))
        chunks = chunks_by_sdk(client.text)
        assert any(each.choices[0].delta.tool_calls for each in chunks) != ended
        assert chunks[-1].choices[0].finish_reason == ("length" if ended else "tool_calls")
        house.stores.switches.lift(house.rooms.snapshot().switches.all[-1].id, by="ben")
        learn(house)


async def test_an_open_stream_whose_calls_are_looked_at_goes_on_without_the_call(house: OneWorker) -> None:
    off(house, "tool:send_*")
    client = Client(chat(stream=True, tools=TOOLS))
    script = (EVENT, turning_off(house, "tool:delete_*"), EVENT, call("delete_file", "{}"), ends(), DONE)
    await house.call(client, Answer(*script))
    read = read_by_sdk(Endpoint.CHAT, client.text)
    assert read.calls == [] and read.text.startswith("HiHi") and "kill switch tool:delete_*" in read.text


async def test_tools_that_the_provider_runs_are_refused_with_the_request(tmp_path: Path) -> None:
    body = json.dumps({"model": "m", "input": "x", "tools": [{"type": "web_search"}], "max_output_tokens": 5}).encode()
    with one_worker(tmp_path, config(more="limits: {hosted_tools_ceiling_usd: 1}")) as house:
        off(house, "tool:code_*")
        client = await house.call(Client(body, path="/v1/responses"), Answer(ANSWER, headers=JSON_HEADERS))
        assert client.status == 200
        off(house, "tool:web_*")
        error = await refused(house, Client(body, path="/v1/responses"))
        assert (error["code"], error["flyball"]["target"]) == ("policy_denied", "tool:web_*")
        await house.parts.ledger.close()


async def test_a_tool_of_responses_is_denied(house: OneWorker) -> None:
    off(house, "writes:acme")
    tools = [{"type": "function", "name": "delete_file", "parameters": {"type": "object"}}]
    body = json.dumps({"model": "m", "input": "x", "stream": True, "tools": tools, "max_output_tokens": 5}).encode()
    whole = Response().call("delete_file", "{}").completed(function_item("delete_file", "{}"))
    client = await house.call(Client(body, path="/v1/responses"), Answer(whole))
    read = read_by_sdk(Endpoint.RESPONSES, client.text)
    assert (read.calls, read.error) == ([], "") and "(kill_switch)" in read.text


async def test_many_streams_end_and_other_orgs_go_on(house: OneWorker) -> None:
    """All that are open at that moment, of one worker."""
    said = [asyncio.Event() for _ in range(20)]
    clients = [Client(chat(stream=True), headers=[(b"x-flyball-run", b"r%d" % (n % 2))]) for n in range(20)]

    def silence(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            event.set()
            await asyncio.Event().wait()

        return wait

    class Many:
        def __init__(self) -> None:
            self.left = list(said)

        async def send(self, request: Any) -> Answer:
            return Answer(EVENT, silence(self.left.pop()))

        async def close(self) -> None:
            return

    house.rooms.transport = Many()
    going = [asyncio.ensure_future(house.parts.port(each.scope, each.receive, each.send)) for each in clients]
    await asyncio.gather(*(event.wait() for event in said))
    off(house, "run:acme/r1")
    await asyncio.wait_for(asyncio.gather(*going[1::2]), 10)
    assert not any(each.done() for each in going[::2])
    off(house, "org:acme")
    await asyncio.wait_for(asyncio.gather(*going), 10)
    rows = house.rows()
    assert len(rows) == 20 and {row["outcome"] for row in rows} == {"truncated"}
    spent, held = await house.standing()
    assert held == 0 and spent == sum(exact_usd(row["cost_usd"]) for row in rows)


async def test_with_writes_off_only_tools_registered_as_reading_pass(tmp_path: Path) -> None:
    registry = 'tools: [{name: "read_*", access: read}, {name: delete_file, access: write}]'
    events = [call("read_file", "{}", index=0), call("delete_file", "{}", index=1), call("other", "{}", index=2)]
    with one_worker(tmp_path, config(more=registry)) as house:
        off(house, "writes:acme")
        client = await house.call(Client(chat(stream=True, tools=TOOLS)), Answer(*events, ends(), USAGE, DONE))
        read = read_by_sdk(Endpoint.CHAT, client.text)
        assert {name for name, _ in read.calls} == {"read_file"} and read.text.count("(kill_switch)") == 2
        reading = Client(chat(stream=True, tools=TOOLS[:1]))
        await house.call(reading, Answer(EVENT, turning_off(house, "writes"), EVENT, DONE))
        assert reading.text == EVENT * 2 + DONE
        await house.parts.ledger.close()
