"""Approvals for the console's pages: two that wait, one decided, one that has expired."""

from typing import Final

from proxy.policy import ApprovalBook, AskedCall, Sealer
from proxy.state import StateFile
from tests.unit.admin.asked_approvals import NS, asked

WAITING: Final = "delete_customer"


def seed_approvals(state: StateFile, now_ns: int, hash_key: bytes, hostile: str) -> ApprovalBook:
    """Put them into the state file."""
    book = ApprovalBook(state, Sealer(hash_key))
    denied = asked(book, now_ns - 600 * NS, said="denied", reason="over ten dollars")
    book.decide(denied.id, "denied", by="anna@example.com", note="Not before Monday.", now_ns=now_ns - 300 * NS)
    asked(book, now_ns - 7200 * NS, said="expired", reason="at night")
    arguments = '{"customer":"cus_4711","reason":"asked for it by mail","purge":true}'
    asked(book, now_ns - 60 * NS, said="waits", calls=(AskedCall(WAITING, arguments),))
    asked(book, now_ns - 90 * NS, said="hostile", calls=(AskedCall(hostile, hostile),), reason=hostile, run=hostile)
    return book
