"""Approvals: what waits for a person, and their yes or no. Never by who asked."""

from typing import Final, Literal

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.roles import Permission, may
from proxy.admin.shapes.approvals import (
    ApprovalExplained,
    ApprovalQuery,
    DecideBody,
    ToolCall,
    show_approval,
)
from proxy.identity import IdentityError
from proxy.policy import Approval, ApprovalBook, CannotOpen, Undecidable, Wanted

_MAKING: Final = ("key.create", "key.rotate")
_MOST_MAKERS: Final = 1000
_FAULTS: Final = {
    "unknown": Fault.NOT_FOUND,
    "decided": Fault.ALREADY_DECIDED,
    "expired": Fault.ALREADY_DECIDED,
    "incomplete": Fault.ALREADY_DECIDED,
}


def list_approvals(call: Call) -> Answer:
    """The approvals that the token reaches, the latest first."""
    asked, now_ns = call.query(ApprovalQuery), call.now_ns()
    org, team = call.binding.narrowed(asked.org, asked.team)
    (before,) = place_of(asked.page, 1)
    wanted = Wanted(org=org, team=team, key=asked.key, point=asked.point, state=asked.state, before=before or None)
    found = _book(call).list(wanted, now_ns, asked.limit + 1)
    return Answer(listing(found, asked.limit, lambda each: show_approval(each, now_ns), lambda each: (each.id,)))


def get_approval(call: Call) -> Answer:
    """One approval with what is to be decided on; the tool calls' arguments for roles that may decide only."""
    found, now_ns = _one(call), call.now_ns()
    why_not = _why_not(call, found, now_ns)
    return Answer(
        ApprovalExplained(
            approval=show_approval(found, now_ns),
            calls=_calls(call, found) if may(call.identity.role, Permission.DECIDE_APPROVALS) else None,
            may_decide=not why_not,
            why_not=why_not,
        )
    )


def approve_call(call: Call) -> Answer:
    """Say yes: the same request passes once, or is given the answer that waits."""
    return decided(call, "approved")


def deny_call(call: Call) -> Answer:
    """Say no: the same request is refused until the approval expires; an answer that waits is gone at once."""
    return decided(call, "denied")


def requesters(call: Call, approval: Approval) -> frozenset[str]:
    """Who asked, and so must not decide: who answers for the key, then and now, and who made one of its secrets."""
    names = {approval.owner}
    try:
        key = call.rooms.key_store.key(approval.key_id)
    except IdentityError:
        key = None
    subject = f"key:{approval.org}/{approval.team}/{approval.key_name if key is None else key.name}"
    if key is not None:
        names.add(key.terms.owner)
    for action in _MAKING:
        filters = {"action": action, "subject": subject}
        made = call.audit_log.newest(before=None, org=approval.org, team=None, filters=filters, limit=_MOST_MAKERS)
        names |= {change.actor for _, change in made}
    return frozenset(_folded(name) for name in names if name.strip())


def decided(call: Call, verdict: Literal["approved", "denied"]) -> Answer:
    """A decision by whoever asks, of the approval in the path.

    Raises:
        Refusal: NOT_FOUND, OUTSIDE_BINDING, OWN_REQUEST, ALREADY_DECIDED.
    """
    found, now_ns, note = _one(call), call.now_ns(), call.body(DecideBody).note
    call.binding.require_rule(found.org, found.team)
    before, subject = show_approval(found, now_ns), f"approval:{found.id}"
    if _folded(call.identity.name) in requesters(call, found):
        call.audit("approval.refused", subject, org=found.org, team=found.team, before=before)
        raise Refusal(Fault.OWN_REQUEST, _own(call.identity.name))
    try:
        decided = _book(call).decide(found.id, verdict, by=call.identity.name, note=note, now_ns=now_ns)
    except Undecidable as error:
        raise Refusal(_FAULTS[error.why], f"{error}.") from None
    after = show_approval(decided, now_ns)
    action = "approval.approve" if verdict == "approved" else "approval.deny"
    call.audit(action, subject, org=found.org, team=found.team, before=before, after=after)
    return Answer(after)


def _why_not(call: Call, found: Approval, now_ns: int) -> str:
    """Why the asking person may not decide now; empty when they may."""
    role = call.identity.role
    if not may(role, Permission.DECIDE_APPROVALS):
        return f"The role {role.value} may not {Permission.DECIDE_APPROVALS.value}."
    if not call.binding.rules(found.org, found.team):
        return "It is another team's."
    standing = found.standing(now_ns)
    if standing != "pending":
        return f"It is {standing} already."
    if _folded(call.identity.name) in requesters(call, found):
        return _own(call.identity.name)
    return "" if found.is_decidable(now_ns) else "Its answer is still coming."


def _own(name: str) -> str:
    return f"{name} answers for this key or has made its secret; nobody decides on their own request."


def _folded(name: str) -> str:
    return name.strip().casefold()


def _calls(call: Call, found: Approval) -> tuple[ToolCall, ...] | None:
    try:
        return tuple(ToolCall(name=each.name, arguments=each.arguments) for each in _book(call).calls(found.id))
    except CannotOpen:
        return None


def _one(call: Call) -> Approval:
    name = call.path["approval"]
    found = _book(call).find(name)
    if found is None or not call.binding.sees(found.org, found.team):
        raise Refusal(Fault.NOT_FOUND, f"There is no approval {name}.")
    return found


def _book(call: Call) -> ApprovalBook:
    if call.rooms.approvals is None:
        raise Refusal(Fault.PATH_NOT_FOUND, "This server keeps no approvals.")
    return call.rooms.approvals
