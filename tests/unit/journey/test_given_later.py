"""An answer that a person approved is given later: kill switches of that moment count, and its calls are noted then."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.journey.rooms import Rooms
from proxy.journey.running import stop_runs
from proxy.journey.state import Journey
from proxy.journey.switched import end_switched
from proxy.policy import Approval, Undecidable, parse_target
from proxy.wire.endpoint import Endpoint
from tests.harness.emitted import call, ends
from tests.harness.one_worker import DONE, JSON_HEADERS, KEY, Answer, Client, OneWorker, chat
from tests.harness.read_by_sdk import read_by_sdk
from tests.unit.journey.test_parked_answers import (
    BODY,
    EVENTS,
    PATH,
    USAGE,
    WAITS,
    asking,
    decide,
    newest,
    ruled,
    streamed,
    waiting,
)

FORGED = 'package flyball.request\ndeny contains {"code": "forged"} if count(input.tool_results_unreleased) > 0\n'


async def approved(worker: OneWorker) -> None:
    await streamed(worker, *EVENTS)
    decide(worker, waiting(worker))


async def test_what_was_turned_off_since_is_not_given(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        await approved(worker)
        worker.stores.switches.set(parse_target("tool:delete_*"), reason="It deletes", by="anna")
        worker.parts.configured.reload_switches()
        given = await streamed(worker)
        read = read_by_sdk(Endpoint.CHAT, given.text)
        assert read.calls == [] and "(kill_switch)" in read.text
        assert worker.rows()[-1]["decision"] == "deny:kill_switch"


async def test_what_is_turned_off_meanwhile_is_not_given_either(tmp_path: Path) -> None:
    """Regression: only the calls in the answer were looked at once more, not whose answer it is."""
    async with ruled(tmp_path) as worker:
        await approved(worker)
        counted = worker.rooms.counter.count_input

        async def counting(*given: Any, **more: Any) -> Any:
            turn_off(worker, "agent:acme/bot")
            return await counted(*given, **more)

        worker.rooms.counter.count_input = counting  # type: ignore[method-assign]
        refused = await streamed(worker)
        assert refused.status == 403 and b"kill switch agent:acme/bot" in refused.text
        assert (await worker.standing())[1] == 0 and newest(worker).state == "approved"


TWO = [call("delete_file", PATH), call("delete_other", PATH, index=1), ends(), USAGE, DONE]


async def test_a_late_yes_is_to_no_call_that_came_after_it_was_shown(tmp_path: Path) -> None:
    """Regression: one that came between the last look and the end of the answer was one to all calls in it."""
    async with ruled(tmp_path, "approvals: {max_wait_s: 1}", rules=WAITS) as worker:
        book = worker.stores.approvals
        park = book.park

        def late(*given: Any) -> bool:
            decide(worker, waiting(worker))
            return park(*given)

        book.park = late  # type: ignore[assignment, method-assign]
        await asyncio.wait_for(streamed(worker, *TWO), 60)
        read = read_by_sdk(Endpoint.CHAT, (await streamed(worker)).text)
        assert {name for name, _ in read.calls} == {"delete_file"} and "(approval_required)" in read.text


async def test_one_call_is_not_let_go_by_a_yes_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: after a wait in vain the next call of the answer waited on, for the decision on the first."""
    waits: list[str] = []
    async with ruled(tmp_path, rules=WAITS) as worker:

        async def wait(journey: Journey, approval: Approval, seconds: float, rooms: Rooms) -> Approval:
            waits.append(approval.id)
            if len(waits) > 1:
                decide(worker, approval)
            found = rooms.approvals.find(approval.id)
            assert found is not None
            return found

        monkeypatch.setattr("proxy.journey.park.await_person", wait)
        client = await streamed(worker, *TWO)
        assert read_by_sdk(Endpoint.CHAT, client.text).calls == []
        assert len(waits) == 1 and waiting(worker).tools == ("delete_file", "delete_other")


async def test_what_somebody_looks_at_does_not_become_another_question(tmp_path: Path) -> None:
    """Regression: while the connection was held open they saw the first call; their yes after it was one to all."""
    async with ruled(tmp_path, "approvals: {max_wait_s: 1}", rules=WAITS) as worker:
        task = await asking(worker, Client(BODY), *TWO)
        seen = waiting(worker)
        assert seen.tools == ("delete_file",)
        await asyncio.wait_for(task, 60)
        with pytest.raises(Undecidable, match="expired"):
            decide(worker, seen)
        whole, old = waiting(worker), worker.stores.approvals.find(seen.id)
        assert old is not None and whole.id in old.note and whole.tools == ("delete_file", "delete_other")
        assert [each.name for each in worker.stores.approvals.calls(whole.id)] == list(whole.tools)
        decide(worker, whole)
        assert (await streamed(worker)).text == b"".join(TWO)


async def test_a_call_that_waited_can_be_answered_once_it_was_given(tmp_path: Path) -> None:
    def answered() -> Client:
        part: dict[str, Any] = {"id": "a", "type": "function", "function": {"name": "delete_file", "arguments": "{}"}}
        said = {"role": "assistant", "tool_calls": [part]}
        result = {"role": "tool", "tool_call_id": "a", "content": "1"}
        return Client(chat(messages=[{"role": "user", "content": "Hello"}, said, result]))

    whole = b'{"model":"m","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
    async with ruled(tmp_path) as worker:
        (tmp_path / "rules" / "forged.rego").write_text(FORGED)
        worker.parts.configured.reload_file(worker.parts.configured.config)
        await approved(worker)
        early = await worker.call(answered(), Answer(whole, headers=JSON_HEADERS))
        assert early.status == 403 and json.loads(early.text)["error"]["flyball"]["rule"] == "forged"
        given = await streamed(worker)
        assert given.text == b"".join(EVENTS)
        assert (await worker.call(answered(), Answer(whole, headers=JSON_HEADERS))).status == 200
        worker.stores.released.close()


def turn_off(worker: OneWorker, target: str, *, tell: bool = True) -> None:
    worker.stores.switches.set(parse_target(target), reason="It misbehaves", by="anna")
    worker.parts.configured.reload_switches()
    if tell:
        end_switched(worker.rooms)


@pytest.mark.parametrize("target", ["org:acme", "provider:up", "run"])
async def test_a_stream_that_is_held_open_ends_without_its_call(tmp_path: Path, target: str) -> None:
    async with ruled(tmp_path, rules=WAITS) as worker:
        client = Client(BODY, headers=[(b"x-flyball-run", b"r1")])
        task = await asking(worker, client, *EVENTS)
        approval = waiting(worker)
        if target == "run":
            key = worker.rooms.snapshot().keyring.authenticate(KEY, worker.rooms.clock.now_ns())
            stop_runs(worker.rooms, {(key.org, key.key_id, "r1")})
        else:
            turn_off(worker, target)
        await asyncio.wait_for(task, 10)
        assert b'"delete_file"' not in client.text and client.text.endswith(DONE)
        assert not worker.rooms.awaiting and (await worker.standing())[1] == 0
        assert worker.stores.approvals.find(approval.id) is not None


async def test_a_yes_that_comes_with_the_switch_lets_nothing_through(tmp_path: Path) -> None:
    """The person is faster than the next look at what was turned off."""
    async with ruled(tmp_path, rules=WAITS) as worker:
        task = await asking(worker, client := Client(BODY), *EVENTS)
        turn_off(worker, "org:acme", tell=False)
        decide(worker, waiting(worker))
        await asyncio.wait_for(task, 10)
        assert b'"delete_file"' not in client.text
        assert worker.rows()[-1]["decision"].startswith("deny:")


async def test_a_request_that_is_held_open_is_let_go_at_once(tmp_path: Path) -> None:
    rule = (
        'package flyball.request\nobligations contains {"type": "require_approval", "reason": "r", "wait_s": 30} if '
        'input.model == "m"\n'
    )
    async with ruled(tmp_path, rules="deny contains 1 if false") as worker:
        (tmp_path / "rules" / "asks.rego").write_text(rule)
        worker.parts.configured.reload_file(worker.parts.configured.config)
        task = await asking(worker, client := Client(chat()))
        turn_off(worker, "key:acme/support/bot")
        await asyncio.wait_for(task, 10)
        assert client.status == 403 and await worker.standing() == (0, 0)
