"""Decisions on approvals that come signed from elsewhere, a chat or a ticket system: Standard Webhooks, scheme v1.

Nothing but the signature says who may: it covers the webhook's id, its time and its body, and the body names the
approval. A decision is made once, so that one sent again changes nothing.
"""

import re
from functools import partial
from typing import Annotated, Final, Literal

import anyio
import anyio.to_thread
import msgspec
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from proxy.admin import headers as lines
from proxy.admin.binding import Binding
from proxy.admin.call import Call
from proxy.admin.checking import read_body
from proxy.admin.desks.approvals import decided
from proxy.admin.faults import Fault, Refusal
from proxy.admin.rooms import AdminRooms, AuditLog
from proxy.admin.route import ROOT
from proxy.admin.shapes.approvals import Approval, DecideBody, show_approval
from proxy.admin.shapes.common import Nothing, Person, Shape
from proxy.admin.translate import refusal_of
from proxy.admin.wire import JSON, ClientGone, answer, read_bounded, refuse
from proxy.budget import is_signed
from proxy.identity import AdminIdentity, AdminTokens

PATH: Final = re.compile(rf"{ROOT}/approvals/(?P<approval>[A-Za-z0-9_]{{1,64}})/webhook")
TOLERANCE_S: Final = 300
LARGEST_BODY: Final = 16_384
_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")
_THREADS: Final = 4
_NS: Final = 1_000_000_000


class WebhookBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision: on which approval, what, and by whom."""

    approval: str
    decision: Literal["approve", "deny"]
    decided_by: Person
    note: Annotated[str, Meta(max_length=1000)] = ""


class ApprovalWebhook:
    """The one path under /admin/v1 that asks for a signature instead of a token."""

    def __init__(self, rooms: AdminRooms, audit_log: AuditLog) -> None:
        self._rooms = rooms
        self._audit_log = audit_log
        self._threads: anyio.CapacityLimiter | None = None

    async def __call__(self, approval: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery, whatever happens."""
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        try:
            raw = await read_bounded(scope, receive, LARGEST_BODY)
            work = partial(self._decided, approval, scope, raw)
            shown = await anyio.to_thread.run_sync(work, limiter=self._threads)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 (a crash boundary: every delivery gets an answer)
            await refuse(send, refusal_of(error))
            return
        await answer(send, 200, msgspec.json.encode(shown), (JSON,))

    def _decided(self, approval: str, scope: Scope, raw: bytes) -> Approval:
        if scope["method"] != "POST":
            raise Refusal(Fault.METHOD_NOT_ALLOWED, "This path takes POST.", headers=[(b"allow", b"POST")])
        self._check(scope, raw)
        body = read_body(WebhookBody, raw)
        if body.approval != approval:
            raise Refusal(Fault.INVALID_REQUEST, "approval: is another one than in the path.", param="approval")
        verdict: Literal["approved", "denied"] = "approved" if body.decision == "approve" else "denied"
        call = self._call(approval, body)
        try:
            shown = decided(call, verdict).shape
        except Refusal as refused:
            if refused.fault is not Fault.ALREADY_DECIDED or not self._was_decided_so(approval, verdict, body):
                raise
            return self._shown(approval)
        call.audit("approval.webhook", f"approval:{approval}", org=None, after=body)
        assert isinstance(shown, Approval)
        return shown

    def _check(self, scope: Scope, raw: bytes) -> None:
        """See to it that the delivery is of this minute, and signed.

        Raises:
            Refusal: PATH_NOT_FOUND where none is taken, INVALID_SIGNATURE: one text whatever is wrong with it.
        """
        keys = self._rooms.webhook_keys()
        if not keys:
            message = "No decisions are taken by webhook: policy.approvals.webhook_secret is unset."
            raise Refusal(Fault.PATH_NOT_FOUND, message)
        id_, at, signatures = (_header(scope, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
        at_s = int(at) if at.isascii() and at.isdigit() and len(at) <= 12 else 0
        is_fresh = abs(self._rooms.clock.now_ns() // _NS - at_s) <= TOLERANCE_S
        if not (is_fresh and _ID.fullmatch(id_) and is_signed(keys, id_, at_s, raw, signatures)):
            message = (
                f"The webhook is not signed with this server's secret, or not of the last {TOLERANCE_S // 60} minutes."
            )
            raise Refusal(Fault.INVALID_SIGNATURE, message)

    def _call(self, approval: str, body: WebhookBody) -> Call:
        """The decision as the API would be asked for it by that person."""
        return Call(
            rooms=self._rooms,
            audit_log=self._audit_log,
            identity=AdminIdentity(name=body.decided_by, role=AdminTokens.Role.APPROVER),
            binding=Binding(None, None),
            path={"approval": approval},
            query_given=Nothing(),
            body_given=DecideBody(note=body.note),
            condition=lines.condition([]),
        )

    def _was_decided_so(self, approval: str, verdict: str, body: WebhookBody) -> bool:
        """Whether it is the same delivery again."""
        found = None if self._rooms.approvals is None else self._rooms.approvals.find(approval)
        if found is None or found.decided_by != body.decided_by:
            return False
        return (found.state == "denied") == (verdict == "denied") and found.decided_ns is not None

    def _shown(self, approval: str) -> Approval:
        found = None if self._rooms.approvals is None else self._rooms.approvals.find(approval)
        assert found is not None
        return show_approval(found, self._rooms.clock.now_ns())


def _header(scope: Scope, name: str) -> str:
    return (lines.only(scope["headers"], name.encode()) or b"").decode("latin-1")
