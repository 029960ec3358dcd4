"""Calls that a person must approve: asked for once, let pass once, refused, expired, never passed on unasked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.core.clock import SetClock, utc
from proxy.policy import Approval, Wanted
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

RULE = 'obligations contains {"type": "require_approval", "reason": "large", "expires_s": 600} if input.max_tokens > 40'
SAID = json.dumps(
    {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
    }
).encode()


@asynccontextmanager
async def ruled(folder: Path, rules: str = RULE, more: str = "") -> AsyncIterator[OneWorker]:
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.rego").write_text(f"package flyball.request\n{rules}")
    with one_worker(folder, config(more=f"policy: {{dir: rules, {more}}}")) as worker:
        worker.rooms.clock = SetClock(utc(worker.rooms.clock.now_ns()))
        yield worker


async def asked(worker: OneWorker, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None) -> Client:
    return await worker.call(Client(body or chat(), headers=headers or []), Answer(SAID, headers=JSON_HEADERS))


def refusal(client: Client) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(client.text)["error"]
    return error


def id_of(client: Client) -> str:
    return str(refusal(client)["flyball"]["approval"])


def decide(worker: OneWorker, approval: str, verdict: Any = "approved", note: str = "") -> Approval:
    now_ns = worker.rooms.clock.now_ns()
    return worker.stores.approvals.decide(approval, verdict, by="anna", note=note, now_ns=now_ns)


def later(worker: OneWorker) -> None:
    """As long later as approvals hold here."""
    assert isinstance(worker.rooms.clock, SetClock)
    worker.rooms.clock.move(600)


async def test_the_same_request_waits_for_the_same_approval(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        first, again, other = await asked(worker), await asked(worker), await asked(worker, chat(temperature=1))
        row = worker.rows()[0]
        assert await worker.standing() == (0, 0)
    error = refusal(first)
    assert (first.status, error["code"], error["flyball"]["reason"]) == (403, "approval_required", "large")
    assert first.answered[b"location"] == f"/v1/flyball/approvals/{id_of(first)}".encode()
    assert first.answered[b"x-should-retry"] == b"false" and error["flyball"]["expires_at"].endswith("+00:00")
    assert id_of(first) == id_of(again) != id_of(other)
    assert (row["outcome"], row["code"], row["refused_by"]) == (
        "refused",
        "approval_required",
        "policy/require_approval",
    )


async def test_an_approval_lets_one_call_pass(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        approval = id_of(await asked(worker))
        decide(worker, approval)
        other_run = await asked(worker, headers=[(b"x-flyball-run", b"r")])
        served, after = await asked(worker), await asked(worker)
        assert (other_run.status, served.status, after.status) == (403, 200, 403)
        assert approval not in (id_of(other_run), id_of(after))
        kept = worker.stores.approvals.find(approval)
        row = worker.rows()[2]
        assert kept is not None and (kept.state, kept.used_by) == ("used", row["operation_id"])
        assert served.answered[b"x-flyball-reason"] == f"approved by anna ({approval})".encode()
        assert row["outcome"] == "ok" and float(row["cost_usd"]) > 0
        assert (await worker.standing())[1] == 0


async def test_a_denied_request_is_denied_until_its_approval_expires(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        approval = id_of(await asked(worker))
        decide(worker, approval, "denied", "too dear")
        denied = await asked(worker)
        error = refusal(denied)
        assert (denied.status, error["code"], error["flyball"]["rule"]) == (403, "policy_denied", "approval_denied")
        assert error["flyball"]["approval"] == approval and "too dear" in error["message"]
        later(worker)
        assert id_of(await asked(worker)) != approval


@pytest.mark.parametrize("is_approved", [True, False])
async def test_what_is_not_used_in_its_time_expires(tmp_path: Path, is_approved: bool) -> None:
    async with ruled(tmp_path) as worker:
        approval = id_of(await asked(worker))
        if is_approved:
            decide(worker, approval)
        later(worker)
        again = await asked(worker)
        assert again.status == 403 and id_of(again) != approval
        kept = worker.stores.approvals.find(approval)
        assert kept is not None and kept.state == "expired"


async def test_a_key_asks_for_so_many_at_once(tmp_path: Path) -> None:
    async with ruled(tmp_path, more="approvals: {max_pending_per_key: 2}") as worker:
        for temperature in (0, 1):
            assert refusal(await asked(worker, chat(temperature=temperature)))["code"] == "approval_required"
        error = refusal(await asked(worker, chat(temperature=2)))
        assert (error["code"], error["flyball"]["rule"]) == ("policy_denied", "too_many_approvals")
        assert "decided or expires" in error["message"]


async def test_where_it_is_observed_nothing_waits(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(f"package flyball.request\n{RULE}")
    with one_worker(tmp_path, config(more="policy: {dir: rules}\nenforcement: observe")) as worker:
        client = await asked(worker)
        row = worker.rows()[0]
        assert (client.status, row["would_code"], row["would_by"]) == (
            200,
            "approval_required",
            "policy/require_approval",
        )
        assert worker.stores.approvals.pending(worker.rooms.clock.now_ns()) == 0


async def test_a_key_asks_how_its_own_approvals_stand(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        approval = id_of(await asked(worker))

        async def polled(name: str) -> Client:
            client = Client(b"", path=f"/v1/flyball/approvals/{name}", method="GET")
            await worker.parts.port(client.scope, client.receive, client.send)
            return client

        told = json.loads((await polled(approval)).text)
        assert (told["id"], told["state"], told["point"], told["reason"]) == (approval, "pending", "request", "large")
        decide(worker, approval, "denied", "no")
        told = json.loads((await polled(approval)).text)
        assert (told["state"], told["note"]) == ("denied", "no") and "decided_by" not in told
        assert (await polled("apr_0")).status == 404
        book = worker.stores.approvals
        with book._changing() as connection:  # another key's
            connection.execute("UPDATE approvals SET key_id = 'key_x'")
        assert (await polled(approval)).status == 404


async def test_while_the_state_cannot_be_had_nothing_passes(tmp_path: Path) -> None:
    async with ruled(tmp_path) as worker:
        with worker.stores.approvals._changing() as connection:
            connection.execute("DROP TABLE approval_answers")
            connection.execute("DROP TABLE approvals")
        client = await asked(worker)
        assert (client.status, refusal(client)["flyball"]["dependency"]) == (503, "approvals")
        assert worker.rows()[0]["code"] == "dependency_unavailable"


WAITS = RULE.replace('"expires_s": 600', '"expires_s": 600, "wait_s": 30')


async def asking(worker: OneWorker, client: Client) -> asyncio.Task[Client]:
    """A call that is held open: the task of it, once it waits."""
    task = asyncio.get_running_loop().create_task(worker.call(client, Answer(SAID, headers=JSON_HEADERS)))
    async with asyncio.timeout(30):
        while not worker.rooms.awaiting:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
    return task


def pending(worker: OneWorker) -> str:
    (found,) = worker.stores.approvals.list(Wanted(state="pending"), worker.rooms.clock.now_ns(), 9)
    return found.id


@pytest.mark.parametrize(("verdict", "status"), [("approved", 200), ("denied", 403)])
async def test_a_call_that_is_held_open_goes_on_once_it_is_decided(tmp_path: Path, verdict: str, status: int) -> None:
    async with ruled(tmp_path, WAITS) as worker:
        task = await asking(worker, Client(chat()))
        assert await worker.standing() == (0, 0)
        approval = pending(worker)
        decide(worker, approval, verdict)
        client = await asyncio.wait_for(task, 20)
        assert (client.status, worker.rooms.awaiting) == (status, 0)
        row = worker.rows()[-1]
        assert row.get("code", "") == ("policy_denied" if verdict == "denied" else "")
        assert row["stages_us"]["approval"] > 0 and (await worker.standing())[1] == 0


async def test_when_the_time_is_over_it_is_answered_as_if_it_had_not_waited(tmp_path: Path) -> None:
    async with ruled(tmp_path, WAITS, "approvals: {max_wait_s: 1}") as worker:
        began = time.monotonic()
        client = await asyncio.wait_for(asked(worker), 30)
        assert refusal(client)["code"] == "approval_required" and time.monotonic() - began >= 1
        assert id_of(client) == pending(worker)


async def test_a_client_that_leaves_is_not_waited_for(tmp_path: Path) -> None:
    async with ruled(tmp_path, WAITS) as worker:
        client = Client(chat())
        task = await asking(worker, client)
        client.hang_up()
        await asyncio.wait_for(task, 20)
        assert (worker.rows()[-1]["outcome"], worker.rows()[-1]["error"]) == ("cancelled", "client_left")
        assert worker.rooms.awaiting == 0 and await worker.standing() == (0, 0)


async def test_a_worker_that_ends_waits_for_nobody(tmp_path: Path) -> None:
    async with ruled(tmp_path, WAITS) as worker:
        task = await asking(worker, Client(chat()))
        worker.rooms.stopping = True
        client = await asyncio.wait_for(task, 20)
        assert (client.status, refusal(client)["code"]) == (503, "shutting_down")
        assert pending(worker) and worker.rooms.awaiting == 0


async def test_so_many_are_held_open_at_once(tmp_path: Path) -> None:
    async with ruled(tmp_path, WAITS, "approvals: {max_waiting: 1}") as worker:
        task = await asking(worker, Client(chat()))
        other = await asyncio.wait_for(asked(worker, chat(temperature=1)), 20)
        assert refusal(other)["code"] == "approval_required"
        decide(
            worker, next(each.id for each in worker.stores.approvals.list(Wanted(), 0, 9) if each.id != id_of(other))
        )
        assert (await asyncio.wait_for(task, 20)).status == 200
