"""/readyz tells what is broken now: a ledger that cannot be written to, a spool that loses rows."""

import json
import sqlite3
from pathlib import Path

from proxy.budget.rebuild import Totals
from proxy.processes.gate import Gate
from proxy.processes.metrics import WorkerCounters
from proxy.processes.parent import Parent
from proxy.processes.worker import Worker
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

ANSWER = b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'


async def ready(house: OneWorker) -> tuple[int, dict[str, str]]:
    client = await house.call(Client(b"", path="/readyz", method="GET"))
    told: dict[str, str] = json.loads(client.text)["dependencies"]
    return client.status, told


class Book:
    """Counters that are what the rows say, or not."""

    rebuilt = True

    def is_rebuilt(self) -> bool:
        return self.rebuilt

    def restore(self, totals: Totals, *, exactly: bool = False) -> None:
        raise AssertionError("the workers leave that to the supervisor")

    def mark_rebuilt(self) -> None:
        raise AssertionError("the workers leave that to the supervisor")


def worker_of(house: OneWorker, book: Book | None = None) -> Worker:
    """The process around the parts, without its start."""
    worker = Worker.__new__(Worker)
    worker._parts, worker._name, worker._counters = house.parts, "wrk_one", WorkerCounters()
    worker._gate = Gate(house.parts.rooms, book or Book(), may_forget=True)
    worker._parent = Parent()
    return worker


async def test_a_locked_ledger_is_not_ready_until_it_answers_again(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="holds: {patience_ms: 50}")) as house:
        assert await ready(house) == (200, {"ledger": "ok", "spool": "ok", "policy": "ok"})
        other = sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused = await house.call(Client(chat()))
        assert refused.status == 503
        status, told = await ready(house)
        assert (status, told["ledger"]) == (503, "unavailable")
        worker = worker_of(house)
        await worker._knock()
        assert (await ready(house))[0] == 503
        other.execute("ROLLBACK")
        other.close()
        await worker._knock()
        assert (await ready(house))[0] == 200
        await house.parts.ledger.close()


async def test_an_idle_worker_finds_out_by_its_lease(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="holds: {patience_ms: 50}")) as house:
        other = sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await worker_of(house)._renew()
        assert (await ready(house))[0] == 503
        other.execute("ROLLBACK")
        other.close()
        await house.parts.ledger.close()


async def test_a_spool_that_cannot_be_written_is_told_and_serves_on(tmp_path: Path) -> None:
    with one_worker(tmp_path) as house:
        (tmp_path / "spool").write_text("no folder")
        client = await house.call(Client(chat()), Answer(ANSWER, headers=JSON_HEADERS))
        assert client.status == 200
        status, told = await ready(house)
        assert (status, told["spool"]) == (200, "dropping")
        (tmp_path / "spool").unlink()
        house.parts.spool._failed_ns = -(1 << 62)
        await house.call(Client(chat()), Answer(ANSWER, headers=JSON_HEADERS))
        assert (await ready(house))[1]["spool"] == "ok"
        await house.parts.ledger.close()


async def test_a_ledger_that_is_not_made_anew_yet_takes_no_call(tmp_path: Path) -> None:
    with one_worker(tmp_path) as house:
        book = Book()
        worker = worker_of(house, book)
        for rebuilt, status in ((False, 503), (True, 200), (False, 503), (True, 200)):
            book.rebuilt = rebuilt
            await worker._knock()
            assert (await ready(house))[0] == status
            answers = [Answer(ANSWER, headers=JSON_HEADERS)] if rebuilt else []
            assert (await house.call(Client(chat()), *answers)).status == status
        await house.parts.ledger.close()
