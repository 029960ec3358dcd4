"""An answer that is put aside because a person must approve a tool call in it: whole, encrypted, for a while."""

import asyncio
import logging
from typing import Final

from msgspec.structs import replace

from proxy.core.refusal import Refusal
from proxy.journey.approve import DENIED, NS, PATH, request_of
from proxy.journey.await_person import await_person, patience_s
from proxy.journey.observe import observes
from proxy.journey.policy_facts import response_facts
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Approval, ApprovalsUnavailable, AskedCall, ParkedAnswer, Point, RequireApproval, TooMany
from proxy.upstream import UpstreamResponse
from proxy.wire.tool_calls import ALLOWED, ToolCall, Verdict

NEEDED: Final = Refusal.APPROVAL_REQUIRED.code
AWAY: Final = "approvals_unavailable"
log = logging.getLogger("flyball.journey")


class Parking:
    """What is kept of one answer until it is known whether a call in it needs a person, and until it is whole then.

    No more than `policy.approvals.parked_answer_bytes` of it: a call in a larger one cannot be approved.
    """

    def __init__(self, journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
        self._journey = journey
        self._response = response
        self._rooms = rooms
        self._parts: list[bytes] = []
        self._size = 0
        self._most = rooms.approvals.settings.parked_answer_bytes
        self._approval: Approval | None = None
        self._is_ours = False
        self._calls: list[AskedCall] = []
        self._waits_until_ns = 0
        self._has_waited = False

    def keep(self, chunk: bytes) -> None:
        """A further part of the answer as the client would get it."""
        self._size += len(chunk)
        if self._size <= self._most:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    async def verdict(self, call: ToolCall, needed: RequireApproval) -> Verdict:
        """The no that stands for a call until a person has said yes to it; it names the approval."""
        asked = AskedCall(call.name, call.arguments)
        try:
            approval = self._approval or await self._ask(asked, needed)
            self._calls.append(asked)
            if self._is_ours and approval.waits_until_ns and not self._has_waited:
                approval = await self._awaited(approval)
        except TooMany as error:
            return Verdict(False, error.code, error.message)
        except ApprovalsUnavailable:
            return Verdict(False, AWAY, "Approvals cannot be asked for now.")
        if approval.state == "used":
            return ALLOWED
        if approval.state == "denied":
            return Verdict(False, DENIED, f"A person has denied it{f': {approval.note}' if approval.note else '.'}")
        why = f": {needed.reason}" if needed.reason else ""
        said = (
            f"A person must approve it first{why}. Ask {PATH}{approval.id} how it stands; once it is approved, the "
            "same request gets this call."
        )
        return Verdict(False, NEEDED, said)

    async def end(self, *, is_whole: bool) -> None:
        """The answer is over: put it aside if it was asked for, or ask no longer where it did not come whole."""
        approval, is_ours = self._approval, self._is_ours
        if approval is None or not is_ours:
            return
        self._is_ours = False
        book = self._rooms.approvals
        try:
            if is_whole and self._size <= self._most:
                await asyncio.to_thread(book.park, approval.id, self._calls, self._answer())
            else:
                await asyncio.to_thread(book.withdraw, approval.id)
        except ApprovalsUnavailable:
            self._journey.say(f"{approval.id} could not be kept")

    async def _awaited(self, approval: Approval) -> Approval:
        """The approval after its connection was held open; `used` where a person said yes, and this call had it."""
        seconds = (approval.waits_until_ns - self._rooms.clock.now_ns()) / NS
        found = await await_person(self._journey, approval, seconds, self._rooms)
        if found.state == "approved":
            now_ns, operation = self._rooms.clock.now_ns(), self._journey.call.operation
            if not await asyncio.to_thread(self._rooms.approvals.use, approval.id, operation, now_ns):
                return found
            self._journey.say(f"approved by {found.decided_by} ({approval.id})")
            found = replace(found, state="used")
        if found.state != "pending":
            # A further call in this answer is another question.
            self._approval, self._is_ours = None, False
        else:
            # Nor is a yes that comes from now on one to a further call: it was not shown.
            self._has_waited = True
        return found

    async def _ask(self, asked: AskedCall, needed: RequireApproval) -> Approval:
        self._approval, self._is_ours = found, _ = await asyncio.to_thread(self._asked, asked, needed)
        self._journey.approval = found.id
        self._journey.say(f"waits for {found.id}")
        return found

    def _asked(self, asked: AskedCall, needed: RequireApproval) -> tuple[Approval, bool]:
        request = request_of(self._journey, Point.TOOL_CALL, needed, self._rooms)
        if not self._waits_until_ns and (seconds := patience_s(needed.wait_s, self._rooms)):
            self._waits_until_ns = request.made_ns + seconds * NS
        return self._rooms.approvals.ask_for_call(request, asked, self._size, waits_until_ns=self._waits_until_ns)

    def _answer(self) -> ParkedAnswer:
        types = [value for name, value in self._response.headers if name == b"content-type"]
        return ParkedAnswer(
            status=self._response.status,
            content_type=types[0].decode("latin-1") if types else "",
            streamed=self._journey.request.streamed,
            body=b"".join(self._parts),
            told=response_facts(self._journey),
        )


async def unpark(journey: Journey, rooms: Rooms) -> None:
    """A rule says no to the finished answer: what was put aside of it is for nobody."""
    if not journey.approval or journey.recalled is not None:
        return
    try:
        await asyncio.to_thread(rooms.approvals.revoke, journey.call.operation, "a rule said no to the answer")
    except ApprovalsUnavailable as error:
        log.error(
            "an answer that was denied is still put aside", extra={"approval": journey.approval, "error": str(error)}
        )


def parking_of(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> Parking | None:
    """Where an answer is kept meanwhile; None where no rule could want a person for a call in it."""
    if not journey.snapshot.policy.is_live(Point.TOOL_CALL) or observes(journey):
        return None
    return Parking(journey, response, rooms)
