"""Approvals that wait, as a worker would have asked for them."""

from typing import Any

from proxy.core.money import Nano
from proxy.policy import Approval, ApprovalBook, ApprovalRequest, AskedCall, ParkedAnswer, Point

NS = 1_000_000_000


def asked(
    book: ApprovalBook, now_ns: int, *, calls: tuple[AskedCall, ...] = (), said: str = "a", **more: Any
) -> Approval:
    """An approval of key `bot` of acme/support, for an hour."""
    facts: dict[str, Any] = {
        "org": "acme",
        "team": "support",
        "key_id": "key_1",
        "key_name": "bot",
        "owner": "bob@example.com",
        "run": "nightly-report-42",
        "agent": "triage",
        "end_user": "u1",
        "endpoint": "chat.completions",
        "model": "gpt-5",
        "operation": "op_019a9f3c8e007b4c8000000000000001",
        "revision": "0f3a",
        "reason": "writes need a person",
        "estimate": Nano(12_500_000),
        "made_ns": now_ns,
        "expires_ns": now_ns + 3600 * NS,
    }
    point = Point.TOOL_CALL if calls else Point.REQUEST
    wanted = ApprovalRequest(digest=book.digest(said.encode()), point=point, **{**facts, **more})
    if not calls:
        return book.pass_once(wanted)
    made, _ = book.ask_for_call(wanted, calls[0], 10)
    book.park(made.id, calls, ParkedAnswer(200, "application/json", False, b'{"canary":"parked"}'))
    found = book.find(made.id)
    assert found is not None
    return found
