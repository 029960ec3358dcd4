"""Work that a provider goes on with after its call was answered: held until it is done, billed once by what it used."""

import json
from pathlib import Path
from typing import Any, Final

from proxy.journey.kept.due import LATER
from proxy.journey.kept.finish import look_after
from proxy.processes.sweep import Sweeper
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, config, one_worker

USAGE: Final = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}
QUEUED: Final = {"id": "resp_1", "object": "response", "status": "queued", "model": "m"}
DONE: Final = {**QUEUED, "status": "completed", "usage": USAGE}
BATCHED: Final = """
models:
  m:
    input_usd_per_mtok: 10
    output_usd_per_mtok: 100
    max_output_tokens: 1000
    since: 2026-01-01
    source: test
    service_tiers: {batch: {multiplier: 0.5}}
"""


def told(body: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(body).encode(), status=status, headers=JSON_HEADERS)


def asked(method: str, path: str, **body: Any) -> Client:
    headers = [(b"content-type", b"application/json")] if body else []
    return Client(json.dumps(body).encode() if body else b"", path="/v1" + path, method=method, headers=headers)


async def started(worker: OneWorker) -> None:
    client = asked("POST", "/responses", model="m", input="x", background=True, max_output_tokens=1000)
    await worker.call(client, told(QUEUED))
    assert (client.status, client.text) == (200, json.dumps(QUEUED).encode())


async def test_a_background_response_is_billed_once_it_is_shown_finished(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        await started(worker)
        assert worker.rows() == []
        spent, held = await worker.standing()
        assert (spent, held >= 100_000_000) == (0, True)
        await worker.call(asked("GET", "/responses/resp_1"), told({**QUEUED, "status": "in_progress"}))
        assert (await worker.standing())[0] == 0
        for _ in range(2):
            client = await worker.call(asked("GET", "/responses/resp_1"), told(DONE))
            assert client.status == 200
        # 10 tokens in at 10 USD and 20 out at 100 USD for a million
        assert await worker.standing() == (2_100_000, 0)
        (row,) = [row for row in worker.rows() if row["endpoint"] == "responses"]
        assert (row["cost_usd"], row["outcome"], row["output_tokens"]) == ("0.002100000", "ok", 20)
        assert row["charged_at"] < row["finished_at"]
        (attempt,) = [row for row in worker.rows("attempts") if row["endpoint"] == "responses"]
        assert (attempt["operation_id"], attempt["cost_usd"]) == (row["operation_id"], "0.002100000")
        assert worker.rooms.open_holds == 0


async def test_one_that_was_cancelled_without_usage_is_billed_as_it_was_held(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        await started(worker)
        await worker.call(asked("POST", "/responses/resp_1/cancel"), told({**QUEUED, "status": "cancelled"}))
        (row,) = [row for row in worker.rows() if row["endpoint"] == "responses"]
        assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("cancelled", "estimated", 1000)
        assert (await worker.standing())[1] == 0


async def test_one_that_failed_costs_nothing(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        await started(worker)
        await worker.call(asked("GET", "/responses/resp_1"), told({**QUEUED, "status": "failed", "usage": None}))
        assert await worker.standing() == (0, 0)


async def test_what_nobody_asks_about_is_asked_about_by_us(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        await started(worker)
        worker.rooms.transport = Scripted(told(DONE))
        await look_after(worker.rooms, 0)
        assert await worker.standing() == (2_100_000, 0)
        await look_after(worker.rooms, 0)  # nothing is due: nobody is asked


async def test_a_start_anew_leaves_it_and_its_lapse_is_a_lost_call(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        await started(worker)
        rooms = worker.rooms
        clock = Ahead(rooms.clock)
        sweeper = Sweeper(rooms.ledger, tmp_path / "spool", rooms.spool, clock, lease_s=rooms.holding.lease_s)
        await sweeper.sweep_all()
        (_, held) = await worker.standing()
        assert held > 0
        clock.hours = 49
        (lapsed,) = await rooms.ledger.lapsed(clock.now_ns())
        assert lapsed.worker == LATER + lapsed.operation
        await sweeper.sweep_worker(lapsed.worker)
        assert await worker.standing() == (held, 0)
        assert [row["outcome"] for row in worker.rows() if row["endpoint"] == "responses"] == ["lost"]


async def test_a_batch_is_held_by_its_input_and_billed_by_its_output(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(budget="limit_usd: 0.2")) as worker:
        (tmp_path / "prices.yaml").write_text(BATCHED)
        worker.parts.configured.reload_file(worker.parts.configured.config)
        form = Client(b"--b", path="/v1/files", headers=[(b"content-type", b"multipart/form-data; boundary=b")])
        await worker.call(form, told({"id": "file-in"}))
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        line = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body})
        file = f"{line}\n{line}".encode()
        batch = {"id": "batch_1", "object": "batch", "status": "validating", "input_file_id": "file-in"}
        client = asked("POST", "/batches", input_file_id="file-in", endpoint="/v1/chat/completions")
        await worker.call(client, Answer(file[:50], file[50:]), told(batch))
        assert client.status == 200, client.text
        spent, held = await worker.standing()
        # Two answers of 1000 tokens at half of 100 USD for a million, and a few tokens of input.
        assert spent == 0
        assert 100_000_000 < held < 101_000_000
        again = asked("POST", "/batches", input_file_id="file-in", endpoint="/v1/chat/completions")
        await worker.call(again, Answer(file))
        assert again.status == 402

        usage = {"prompt_tokens": 8, "completion_tokens": 100, "total_tokens": 108}
        response = {"status_code": 200, "body": {"model": "m", "usage": usage}}
        answer = json.dumps({"custom_id": "1", "response": response})
        failed = json.dumps({"custom_id": "2", "response": None, "error": {"code": "batch_expired"}})
        done = {**batch, "status": "completed", "output_file_id": "file-out"}
        output = Answer(f"{answer}\n{failed}\n{answer}".encode())
        shown = await worker.call(asked("GET", "/batches/batch_1"), told(done), output)
        assert json.loads(shown.text) == done
        # Twice 8 tokens at 5 USD and 100 at 50 USD for a million
        assert await worker.standing() == (2 * (40_000 + 5_000_000), 0)
        (row,) = [row for row in worker.rows() if row["endpoint"] == "batches" and row["cost_usd"] != "0.000000000"]
        assert (row["cost_usd"], row["output_tokens"], row["service_tier"]) == ("0.010080000", 200, "batch")
        found = await worker.call(asked("GET", "/files/file-out/content"), Answer(b"x"))
        assert found.status == 200


async def test_a_batch_that_made_nothing_costs_nothing(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        form = Client(b"--b", path="/v1/files", headers=[(b"content-type", b"multipart/form-data; boundary=b")])
        await worker.call(form, told({"id": "file-in"}))
        body = {"model": "m", "messages": [], "max_tokens": 10}
        line = json.dumps({"url": "/v1/chat/completions", "body": body}).encode()
        batch = {"id": "batch_1", "status": "validating"}
        await worker.call(asked("POST", "/batches", input_file_id="file-in"), Answer(line), told(batch))
        assert (await worker.standing())[1] > 0
        expired = told({**batch, "status": "expired"})
        await worker.call(asked("GET", "/batches/batch_1"), expired)
        assert await worker.standing() == (0, 0)


async def test_a_batch_of_what_cannot_be_priced_is_refused(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        form = Client(b"--b", path="/v1/files", headers=[(b"content-type", b"multipart/form-data; boundary=b")])
        await worker.call(form, told({"id": "file-in"}))
        for line, code in (
            ({"url": "/v1/chat/completions", "body": {"model": "unknown", "messages": []}}, "unpriced_model"),
            ({"url": "/v1/moderations", "body": {"model": "m"}}, "capability_missing"),
            ([], "invalid_request"),
        ):
            client = asked("POST", "/batches", input_file_id="file-in")
            await worker.call(client, Answer(json.dumps(line).encode()))
            assert json.loads(client.text)["error"]["code"] == code
        assert await worker.standing() == (0, 0)


class Scripted:
    """A transport that answers once."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    async def send(self, request: Any) -> Answer:
        return self.answers.pop(0)

    async def close(self) -> None:
        """Nothing is open."""


class Ahead:
    """A clock that is some hours ahead."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.hours = 0

    def now_ns(self) -> int:
        return int(self._clock.now_ns()) + self.hours * 3_600_000_000_000

    def monotonic_ns(self) -> int:
        return int(self._clock.monotonic_ns())
