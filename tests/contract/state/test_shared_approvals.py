"""Approvals of two hosts over one Redis: asked for on one, decided on the other, used once on either."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from proxy.core.secret import Secret
from proxy.policy import ApprovalBook, AskedCall, ParkedAnswer, Sealer
from proxy.state import RedisJournal, Remote, Shared, StateFile
from tests.contract.ledger.redis_server import RedisServer, served
from tests.unit.admin.asked_approvals import asked

CALL = AskedCall("delete_file", '{"path":"canary-of-the-journal"}')
NOW_NS = 1_800_000_000_000_000_000


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with served() as server:
        yield server


@pytest.fixture
def books(redis: RedisServer, tmp_path: Path) -> tuple[ApprovalBook, ApprovalBook]:
    name = uuid4().hex

    def made(folder: str) -> ApprovalBook:
        journal = RedisJournal(Remote(Secret(redis.url)), name)
        shared = Shared(journal=journal, local=frozenset(), has_own=lambda connection: False)
        return ApprovalBook(StateFile(tmp_path / folder / "ledger.sqlite", shared=shared), Sealer(b"b" * 32))

    return made("one"), made("two")


def test_asked_on_one_decided_on_the_other_and_given_once(books: tuple[ApprovalBook, ApprovalBook]) -> None:
    one, two = books
    approval = asked(one, NOW_NS, calls=(CALL,))
    assert two.calls(approval.id) == (CALL,)
    two.decide(approval.id, "approved", by="anna", note="", now_ns=NOW_NS)
    found = one.find(approval.id)
    assert found is not None and found.state == "approved"
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda number: books[number % 2].take(approval.id, f"op_{number}", NOW_NS), range(4)))
    (given,) = (each for each in taken if each is not None)
    assert given == (ParkedAnswer(200, "application/json", False, b'{"canary":"parked"}'), (CALL,))
    assert {book.find(approval.id).state for book in books} == {"used"}  # type: ignore[union-attr] # it is there


def test_the_same_request_waits_for_one_approval_on_both(books: tuple[ApprovalBook, ApprovalBook]) -> None:
    one, two = books
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda book: asked(book, NOW_NS), books))
    assert found[0].id == found[1].id
    two.decide(found[0].id, "approved", by="anna", note="", now_ns=NOW_NS)
    assert [asked(book, NOW_NS).state for book in (one, two)] == ["used", "pending"]


def test_nothing_in_the_journal_can_be_read(books: tuple[ApprovalBook, ApprovalBook], redis: RedisServer) -> None:
    approval = asked(books[0], NOW_NS, calls=(CALL,), said="journal")
    remote = Remote(Secret(redis.url))
    streams = [key for key in remote.ask("KEYS", "*") if remote.ask("TYPE", key) == b"stream"]
    entries = [fields for key in streams for _, fields in remote.ask("XRANGE", key, "-", "+")]
    kept = b"".join(field for fields in entries for field in fields.values())
    assert approval.id.encode() in kept
    assert b"canary-of-the-journal" not in kept and b'{"canary"' not in kept
