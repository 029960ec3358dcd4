"""An OPA server that decides on finished answers, where the settings name that point."""

import json
from pathlib import Path

import pytest

from tests.contract.policy.scripted_opa import GRANT, Scripted, answer, scripted
from tests.harness.emitted import DONE, chunk, ends
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

WHOLE = json.dumps(
    {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 8}}
).encode()
STREAM = [chunk({"content": "Hi"}), ends("stop"), DONE]
NO = answer({"result": {"allow": True, "deny": [{"code": "late", "msg": "Too late."}]}})


async def asked(worker: OneWorker, *, streams: bool) -> Client:
    body = chat(stream=True) if streams else chat()
    return await worker.call(Client(body), Answer(*STREAM) if streams else Answer(WHOLE, headers=JSON_HEADERS))


def opa(server: Scripted, points: str) -> str:
    return config(more=f'policy: {{url: "{server.url}", points: [{points}], deadline_ms: 5000}}')


@pytest.mark.parametrize("streams", [False, True])
async def test_it_is_asked_once_the_answer_is_finished(tmp_path: Path, streams: bool) -> None:
    async with scripted() as server:
        with one_worker(tmp_path, opa(server, "response")) as worker:
            client = await asked(worker, streams=streams)
            assert client.text == (b"".join(STREAM) if streams else WHOLE)
            ((path, _, question),) = server.asked
            assert path.startswith("/v1/data/flyball/response")
            told = question["input"]["response"]
            assert (told["finish_reason"], told["streamed"], told["status"]) == ("stop", streams, 200)
            server.reply = NO
            denied = await asked(worker, streams=streams)
            assert denied.status == (200 if streams else 403) and b'"rule":"late"' in denied.text
            server.reply = b""
            away = await asked(worker, streams=streams)
            assert away.status == (200 if streams else 503) and b"dependency_unavailable" in away.text
            rows = worker.rows("decisions")
            await worker.parts.configured.close()
    assert [(row["engine"], row["point"], row.get("code", "")) for row in rows] == [
        ("opa", "response", ""),
        ("opa", "response", "late"),
        ("opa", "response", "policy_unavailable"),
    ]


async def test_where_it_is_not_named_nothing_waits_for_it(tmp_path: Path) -> None:
    async with scripted() as server:
        server.reply = GRANT
        with one_worker(tmp_path, opa(server, "request")) as worker:
            assert (await asked(worker, streams=True)).text == b"".join(STREAM)
            await worker.parts.configured.close()
    assert len(server.asked) == 1
