"""An answer that a person approved is given later: kill switches of that moment count, and its calls are noted then."""

import json
from pathlib import Path
from typing import Any

from proxy.policy import parse_target
from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat
from tests.harness.read_by_sdk import read_by_sdk
from tests.unit.journey.test_parked_answers import EVENTS, decide, ruled, streamed, waiting

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
